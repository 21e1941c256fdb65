"""Several devices for one run, over existing engines.

On TensorFlow ``MirroredStrategy``, on one machine. On JAX ``keras.distribution``, on one machine or, with a process for
each, on several: every device has the weights (data parallel), or parts of them (model parallel). In either a batch is
divided evenly, so that a run is that of one device with the same batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from glob import glob
from typing import TYPE_CHECKING, Any

from archspec.backend.installation import backend, has_tensorflow
from archspec.backend.seams.distributions import with_data_layout
from archspec.data.errors import DataError
from archspec.data.transform import TransformError
from archspec.training.errors import DistributionError, TaskError
from archspec.training.fields import BATCH, MODEL, Sharding
from archspec.training.plan import Plan

if TYPE_CHECKING:
    from archspec.training.launch import ProcessGroup

HEARTBEAT = 30
"""Seconds without a sign of life after which a process counts as dead, and the others end."""


def check(plan: Plan, peers: ProcessGroup | None = None) -> None:
    """Refuse what cannot start, or would silently do something else, before Keras is imported. Raises TaskError."""
    train, engine = plan.spec.train, backend()
    if not has_tensorflow() and engine != "tensorflow":
        try:
            plan.pipeline.check_without_tensorflow()
        except TransformError as error:
            raise TaskError(error.message, at=("augment", error.position), help=error.help) from None
        except DataError as error:
            raise TaskError(error.message, at=("data",), help=error.help) from None
    if train.devices == 1 and train.sharding is None and peers is None:
        return
    if peers is not None and engine != "jax":
        raise TaskError(
            f"several processes train on JAX, KERAS_BACKEND is {engine}",
            at=("train",),
            help="KERAS_BACKEND=jax; on TensorFlow, fit with several workers is broken in Keras 3 (keras#20585)",
        )
    if engine not in ("tensorflow", "jax"):
        raise TaskError(f"several devices need TensorFlow or JAX, KERAS_BACKEND is {engine}", at=("train", "devices"))
    if not plan.task.is_divisible:
        raise TaskError(
            f"{plan.task.name} trains on one device: its losses are not means over independent examples",
            at=("train", "devices"),
        )
    if plan.features.padded:
        raise TaskError("examples that differ in length train on one device", at=("train", "devices"))
    if train.monitor in plan.figures() and train.monitor not in plan.task.measured(plan.graph):
        known = " or ".join(plan.task.measured(plan.graph))
        raise TaskError(
            f"{train.monitor} is found by one device, which looks at all examples",
            at=("train", "monitor"),
            help=f"monitor: {known}; or one device",
        )
    stages = any(not isinstance(item, str) for item in train.freeze)
    for name, is_asked in (("cache_features", train.cache_features), ("average_last", train.average_last)):
        if is_asked:
            raise TaskError(f"{name} is for runs on one device", at=("train", name))
    if stages:
        raise TaskError(
            "stages, of layers that are frozen for a while, are for runs on one device", at=("train", "freeze")
        )
    total = train.devices * (peers.count if peers else 1)
    groups = total
    if train.sharding is not None:
        if engine != "jax":
            raise TaskError(
                "weights are divided among devices on JAX; on TensorFlow, keras.distribution does nothing, and says "
                "nothing",
                at=("train", "sharding"),
                help="KERAS_BACKEND=jax",
            )
        if total % train.sharding.model:
            raise TaskError(
                f"{total} devices are no whole number of groups of {train.sharding.model}",
                at=("train", "sharding", "model"),
            )
        if train.ema is not None and peers is not None:
            raise TaskError("Keras cannot evaluate averages of weights that processes divide", at=("train", "ema"))
        groups = total // train.sharding.model
        if peers and groups < peers.count and peers.count % groups:
            raise TaskError(
                f"{peers.count} processes cannot be divided among {groups} groups", at=("train", "sharding", "model")
            )
    if plan.pipeline.batch_size() % groups:
        raise TaskError(
            f"a batch of {plan.pipeline.batch_size()} cannot be divided among {groups}",
            at=("train", "batch"),
            help=f"batch: {max(1, plan.pipeline.batch_size() // groups) * groups}",
        )
    if engine == "tensorflow":
        _check_mirrored(plan)


def _check_mirrored(plan: Plan) -> None:
    """What Keras gets wrong under MirroredStrategy."""
    train = plan.spec.train
    jax = "KERAS_BACKEND=jax has it on several devices"
    if train.clip is not None:
        raise TaskError(
            "on several devices, Keras on TensorFlow clips the gradients of each before they are added up, which is "
            "another step",
            at=("train", "clip"),
            help=jax,
        )
    if train.accumulate > 1:
        raise TaskError(
            "on several devices, Keras on TensorFlow cannot accumulate gradients",
            at=("train", "accumulate"),
            help=jax,
        )
    if (train.steps_per_execution or 1) > 1:
        raise TaskError(
            "on several devices, Keras on TensorFlow does one step per execution",
            at=("train", "steps_per_execution"),
            help="1, or leave it out",
        )
    if train.jit_compile and not glob("/dev/nvidia[0-9]*"):
        raise TaskError(
            "XLA on TensorFlow cannot use several CPU devices", at=("train", "jit_compile"), help="leave it out"
        )


@dataclass(frozen=True, slots=True)
class DeviceLayout:
    """How a run is spread. ``shard`` is this process's part of each batch, and ``groups`` the parts that a batch is
    divided into by all devices. Only the coordinator writes."""

    is_mirrored: bool = False
    is_coordinator: bool = True
    is_alone: bool = True
    shard: tuple[int, int] = (0, 1)
    groups: int = 1

    def synchronise(self, model: Any) -> None:
        """Let batch normalisation see whole batches. (On JAX it does.)"""
        import keras

        for layer in model.layers if self.is_mirrored else ():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True

    def evaluation(self, plan: Plan, pairs: object) -> Any:
        """The batches of the evaluated split: divided among all if that can be done evenly, else every device does all
        of them."""
        if self.is_mirrored or self.groups == 1:
            asked = plan.spec.evaluate.batch
            return plan.pipeline.evaluation(plan.split, pairs, batch=asked)  # type: ignore[arg-type]
        size, is_divided = self.evaluated(plan)
        shard = self.shard if is_divided else (0, 1)
        return plan.pipeline.evaluation(plan.split, pairs, batch=size, shard=shard)  # type: ignore[arg-type]

    def evaluated(self, plan: Plan) -> tuple[int, bool]:
        """Examples of an evaluation's batch, and whether it is divided."""
        pipeline = plan.pipeline
        count = pipeline.count(plan.split) if plan.split else self.groups
        size = min(pipeline.batch, count)
        if count % self.groups == 0:
            return max(size // self.groups, 1) * self.groups, True
        # Batches are told apart by their size: one that is whole must not look like a part of a batch to train on.
        return size - (size == pipeline.batch_size() // self.shard[1] and size > 1), False

    @contextmanager
    def local_scope(self) -> Iterator[None]:
        """Meanwhile what is built belongs to this process alone."""
        if self.is_mirrored or (self.groups == 1 and self.is_alone):
            yield
            return
        import keras

        held = keras.distribution.distribution()
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(held)


@contextmanager
def acquire_devices(plan: Plan, peers: ProcessGroup | None = None) -> Iterator[DeviceLayout]:
    """Take the devices and meet the peers; what is built meanwhile is spread. Raises DistributionError."""
    import keras

    train = plan.spec.train
    if keras.backend.backend() == "tensorflow":
        if keras.distribution.distribution() is not None:
            raise DistributionError(
                "keras.distribution does nothing on TensorFlow: KERAS_BACKEND=jax, or train.devices"
            )
        with _strategy(train.devices):
            yield DeviceLayout(is_mirrored=train.devices > 1, groups=train.devices)
        return
    if train.devices == 1 and train.sharding is None and peers is None:
        yield DeviceLayout()
        return
    found = _devices(train.devices, peers)
    model = train.sharding.model if train.sharding else 1
    groups = len(found) // model
    count, rank = (peers.count, peers.rank) if peers else (1, 0)
    parts = min(count, groups)
    shard = (rank // (count // parts), parts)
    made = DeviceLayout(is_coordinator=rank == 0, is_alone=count == 1, shard=shard, groups=groups)
    size, is_divided = made.evaluated(plan)
    keras.distribution.set_distribution(_engine(train.sharding, found, groups, None if is_divided else size))
    try:
        yield made
    finally:
        keras.distribution.set_distribution(None)


def _strategy(count: int) -> AbstractContextManager[Any]:
    """The scope of MirroredStrategy over the first GPUs; where there are none, over parts of the CPU."""
    if count == 1:
        return nullcontext()
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if len(gpus) < count:
            raise DistributionError(f"the run asks for {count} devices, this machine has {len(gpus)} GPUs")
        return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(count)]).scope()  # type: ignore[no-any-return]
    (cpu,) = tf.config.list_physical_devices("CPU")
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError:
        raise DistributionError(
            f"there is no GPU, and TensorFlow is in use already, so that the CPU cannot be divided into {count}"
        ) from None
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(count)]).scope()  # type: ignore[no-any-return]


def _devices(count: int, peers: ProcessGroup | None) -> list[str]:
    """The first ``count`` devices of each process; where there is no other, parts of the CPU."""
    import jax

    # Where JAX is in use already, the devices that there are may suffice.
    with suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", count)  # type: ignore[no-untyped-call]
    if peers is not None and not jax.distributed.is_initialized():
        # keras.distribution.initialize, but for the heartbeat, which it cannot set. Seeds are the run's in any case.
        try:
            jax.distributed.initialize(
                peers.address,
                num_processes=peers.count,
                process_id=peers.rank,
                local_device_ids=peers.local_devices(count),
                heartbeat_timeout_seconds=HEARTBEAT,
            )
        except RuntimeError as error:
            said = str(error).splitlines()[0]
            raise DistributionError(f"the {peers.count} processes did not meet at {peers.address}: {said}") from None
    out = []
    for process in range(jax.process_count()):
        held = [d for d in jax.devices() if d.process_index == process]
        if len(held) < count:
            kind = {"gpu": "GPUs", "cpu": "CPU devices"}.get(held[0].platform, "devices") if held else "devices"
            where = "this machine" if peers is None else f"process {process}"
            raise DistributionError(f"the run asks for {count} devices, {where} has {len(held)} {kind}")
        out += [f"{d.platform}:{d.id}" for d in held[:count]]
    return out


def _engine(sharding: Sharding | None, devices: list[str], groups: int, whole: int | None) -> Any:
    """The Keras distribution; batches of ``whole`` examples are given to every device."""
    import keras
    import numpy as np

    kept = keras.distribution

    def laid(mesh: Any, shape: Any) -> Any:
        divided = None if whole is not None and shape and shape[0] == whole else BATCH
        return kept.TensorLayout([divided] + [None] * (len(shape) - 1), mesh)

    if sharding is None:
        mesh = kept.DeviceMesh((groups,), [BATCH], devices)
        return with_data_layout(kept.DataParallel, laid)(device_mesh=mesh, auto_shard_dataset=False)
    mesh = kept.DeviceMesh((groups, sharding.model), [BATCH, MODEL], np.array(devices).reshape(groups, sharding.model))
    layout = kept.LayoutMap(mesh)
    for pattern, axes in sharding.layout.items():
        layout[pattern] = kept.TensorLayout(list(axes), mesh)
    kind = with_data_layout(kept.ModelParallel, laid)
    return kind(layout_map=layout, batch_dim_name=BATCH, auto_shard_dataset=False)
