"""The frozen part of a network, run once: what it gives for each example is kept on disk, and only the rest trains.

The frozen part is every layer that no trained or random one stands before. Its activations lie in the cache folder by
the fingerprint of all that they follow from: its layers and weights, the data, the transforms and their seed, the
targets. A folder of them is written beside and renamed, with checksums; one that is damaged is written anew.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.installation import backend
from archspec.data.arguments import written
from archspec.data.example import LABEL, Example, from_specs
from archspec.data.pipeline import Pipeline
from archspec.data.source import TRAIN, DataSource
from archspec.data.transform import infer
from archspec.ir.graph import Graph, Node, Tensor
from archspec.ir.tensors import TensorSpec
from archspec.storage.atomic import reserve, staged, write_json
from archspec.storage.cache import cache_path
from archspec.storage.fingerprint import content_fingerprint
from archspec.training.errors import CheckpointError, TaskError
from archspec.training.freezing import frozen_until
from archspec.training.plan import Plan
from archspec.training.task import Objective

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

AT = ("train", "cache_features")


@dataclass(frozen=True, slots=True)
class FrozenPrefix:
    """A network cut in two: nodes of the frozen part, and the tensors that go from it to the rest."""

    nodes: tuple[Node, ...]
    cut: tuple[Tensor, ...]


def split_frozen(plan: Plan) -> FrozenPrefix:
    """Where the frozen part ends. Raises TaskError where it does not come first, naming the layer that hinders."""
    graph, freeze = plan.graph, plan.spec.train.freeze
    nodes: list[Node] = []
    fixed, behind = set(graph.inputs), dict[str, str]()
    for node in graph.nodes:
        is_frozen = frozen_until(freeze, node.layer) == float("inf")
        cause = next((behind[t.node] for t in node.inputs if t.node in behind), None)
        if cause and node.weights and is_frozen:
            raise TaskError(
                f"'{node.layer}' is frozen and stands behind {cause}: what it gives cannot be kept",
                at=AT,
                help="freeze what comes first in the network, or leave cache_features out",
            )
        if cause is None:
            cause = _cause(node, frozen_until(freeze, node.layer))
        if cause is None:
            fixed.add(node.name)
            nodes.append(node)
        else:
            behind[node.name] = cause
    if not any(node.weights for node in nodes):
        near = "freeze: names of layers, or patterns"
        raise TaskError("no frozen layer comes first in the network", at=AT, help=near)
    if whole := next((o for o in graph.outputs if o.tensor.node in fixed), None):
        raise TaskError(f"nothing of head '{whole.name}' is trained", at=AT)
    taken = [t for node in graph.nodes if node.name in behind for t in node.inputs if t.node in fixed]
    cut = tuple(dict.fromkeys(taken))
    for tensor in cut:
        if tensor.node in graph.by_name:
            layer = graph.by_name[tensor.node].layer
            if sum(node.layer == layer for node in graph.nodes) > 1:
                raise TaskError(f"'{layer}' is used several times: what it gives cannot be kept", at=AT)
    return FrozenPrefix(tuple(nodes), cut)


def _cause(node: Node, end: float) -> str | None:
    """Why what a node gives differs from epoch to epoch, though its inputs do not; None where it does not."""
    op: Any = node.op
    if node.weights and end < float("inf"):
        return f"'{node.layer}', which is trained" + (f" from epoch {int(end) + 1} on" if end else "")
    if op.is_random():
        return f"'{node.name}', which is random"
    return None


def check(plan: Plan) -> None:
    """Refuse what cannot be kept. Raises TaskError."""
    train, pipeline = plan.spec.train, plan.pipeline
    if not plan.task.takes_features:
        raise TaskError(f"{plan.task.name} has no features that could be kept", at=AT)
    if backend() != "tensorflow":
        raise TaskError(f"features are kept on TensorFlow, KERAS_BACKEND is {backend()}", at=AT)
    if train.precision != "float32":
        raise TaskError(f"features are kept in float32, the precision is {train.precision}", at=AT)
    if train.devices > 1:
        raise TaskError("features are kept for one device", at=AT)
    if plan.spec.log.embedding:
        raise TaskError("embedding needs the images, which cache_features leaves out", at=("log", "embedding"))
    if len(plan.graph.inputs) > 1:
        raise TaskError("features are kept of networks with one input", at=AT)
    split_frozen(plan)
    drawn = next((t.name for t in pipeline.augment if t.is_random), None)
    if drawn and train.cache_features is True:
        raise TaskError(
            f"'{drawn}' is random: its outcome differs from epoch to epoch",
            at=AT,
            help="a number: so many draws of every example are kept, and taken in turn; or leave it out of augment",
        )
    features = infer(pipeline.raw, pipeline.augment)
    if plan.features.padded or features[-1].has_open_sizes:
        raise TaskError("features are kept of examples of one size", at=AT)
    if train.sampler is not None and train.sampler.name != "uniform":
        raise TaskError(f"features are kept in uniform order, the sampler is {train.sampler.name}", at=AT)
    for before, after, step in zip(features, features[1:], pipeline.augment, strict=False):
        if LABEL in before.parts and before.parts[LABEL] != after.parts[LABEL]:
            raise TaskError(f"'{step.name}' mixes the examples of a batch, which features of one cannot hold", at=AT)


class CachedFeatures(DataSource):
    """Features and targets, as they were kept: a folder for each draw of each split."""

    in_memory = True

    draws: dict[str, tuple[dict[str, Any], ...]]
    """Arrays by name, of each draw of each split."""

    def features(self) -> Example:
        parts = {n: TensorSpec(a.shape[1:], str(a.dtype)) for n, a in self.draws[TRAIN][0].items()}
        splits = {name: len(next(iter(draws[0].values()))) for name, draws in self.draws.items()}
        return from_specs(parts, splits)

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        import numpy as np
        import tensorflow as tf

        draws = self.draws[split]
        types = {name: array.dtype for name, array in draws[0].items()}

        def gathered(epoch: Any, index: Any) -> list[Any]:
            return [np.ascontiguousarray(draws[int(epoch.flat[0]) % len(draws)][name][index]) for name in types]

        def read(at: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            found = tf.numpy_function(gathered, [at["epoch"], at["index"]], list(types.values()), stateful=False)
            out = dict(at)
            for name, tensor in zip(types, found, strict=True):
                out[name] = tf.ensure_shape(tensor, (at["index"].shape[0], *draws[0][name].shape[1:]))
            return out

        assert order is not None
        return order.map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def cached(
    plan: Plan, model: keras.Model, objective: Objective, logdir: Path, say: Callable[[str], None], *, resume: bool
) -> tuple[Objective, Pipeline]:
    """What to minimise, of the trained part alone, and the batches for it; ``model`` is the whole network.

    Raises OSError, DataError, and CheckpointError where a run goes on with other frozen weights than it began with.
    """
    import keras

    division = split_frozen(plan)
    tensors = [_symbolic(model, tensor) for tensor in division.cut]
    before = keras.Model(model.input, tensors)
    after = keras.Model(tensors[0] if len(tensors) == 1 else tensors, model.output)
    weights = _digest_of_weights(plan.graph, division, model)
    _same_weights(logdir / "features.json", weights, resume)

    told = repr([(head.name, head.loss, plan.graph.spec(head.tensor)) for head in plan.graph.outputs])
    of = (_said(division), weights, repr(plan.task), repr(plan.spec.train.loss), told, plan.source.fingerprint())
    draws = 1 if plan.spec.train.cache_features is True else int(plan.spec.train.cache_features or 1)
    structure: list[Any] = []

    def flat(batch: Mapping[str, Any]) -> dict[str, Any]:
        x, y = objective.pairs(dict(batch))
        leaves = keras.tree.flatten(y)
        structure[:] = [y]
        return {"x": x, **{f"y{k}": leaf for k, leaf in enumerate(leaves)}}

    kept: dict[str, tuple[dict[str, Any], ...]] = {}
    # Where the folder cannot be written, one line tells of it, however many splits and draws there are.
    say = cache(say)
    for split in (TRAIN, *([plan.split] if plan.split else [])):
        batches = [_batches(plan, split, draw, flat) for draw in range(draws if split == TRAIN else 1)]
        count = _count(plan, split)
        kept[split] = tuple(
            _kept(_place(plan, split, draw, of), of_draw, before, count, say) for draw, of_draw in enumerate(batches)
        )
    target, inputs = structure[0], len(tensors)

    def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
        features = [batch[f"x{k}"] for k in range(inputs)]
        leaves = [batch[f"y{k}"] for k in range(len(keras.tree.flatten(target)))]
        return features[0] if inputs == 1 else tuple(features), keras.tree.pack_sequence_as(target, leaves)

    source = CachedFeatures(draws=kept)
    pipeline = replace(plan.pipeline, source=source, raw=source.features(), augment=(), eval_transforms=())
    # What a task shows of examples, it shows of images; there are none.
    return replace(objective, model=after, pairs=pairs, pictures=lambda plan, board: ()), pipeline


def _symbolic(model: keras.Model, tensor: Tensor) -> Any:
    """The output of a layer, or the model's input."""
    found = model.get_layer(tensor.node).output
    return found[tensor.port] if isinstance(found, (list, tuple)) else found


def _batches(plan: Plan, split: str, draw: int, flat: Callable[..., Any]) -> Any:
    """Inputs and targets by name: of every example of a split, in order. Those of training are in whole batches, the
    last filled up from the start."""
    import tensorflow as tf

    pipeline = plan.pipeline
    if split != TRAIN:
        return pipeline.evaluation(split, lambda batch: (flat(batch), ())).map(lambda named, _: named)
    size, count = pipeline.batch_size(), pipeline.raw.splits[TRAIN]
    order = tf.data.Dataset.range(-(-count // size) * size).map(lambda i: i % count).batch(size, drop_remainder=True)
    order = order.map(lambda i: {"epoch": tf.fill((size,), tf.constant(draw, tf.int64)), "index": i})
    return pipeline.ordered(TRAIN, order, pipeline.augment, size, lambda batch: (flat(batch), ())).map(lambda n, _: n)


def _count(plan: Plan, split: str) -> int:
    positions = None if split == TRAIN else plan.pipeline.source.usable(split)
    return plan.pipeline.raw.splits[split] if positions is None else len(positions)


def _place(plan: Plan, split: str, draw: int, of: Sequence[str]) -> Path:
    steps = plan.pipeline.augment if split == TRAIN else plan.pipeline.eval_transforms
    drawn = (str(plan.pipeline.seed), str(draw)) if any(t.is_random for t in steps) else ()
    size = str(plan.pipeline.batch_size() if split == TRAIN else plan.pipeline.batch)
    return cache_path("features", "", *of, split, repr([written(t) for t in steps]), size, *drawn)


def _said(division: FrozenPrefix) -> str:
    """The frozen part in words: its layers with their arguments and wiring, and where it ends."""
    import keras

    nodes = [(node.name, node.layer, node.op.name, repr(node.op), node.inputs) for node in division.nodes]
    return repr((nodes, division.cut, keras.__version__))


def _digest_of_weights(graph: Graph, division: FrozenPrefix, model: keras.Model) -> str:
    import keras

    digest = sha256()
    for layer in dict.fromkeys(node.layer for node in division.nodes if node.weights):
        for variable in model.get_layer(layer).weights:
            array = keras.ops.convert_to_numpy(variable)
            digest.update(f"{layer}{array.shape}{array.dtype}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def _same_weights(path: Path, digest: str, resume: bool) -> None:
    """Note what the frozen weights are; of a run that goes on, compare them. Raises CheckpointError."""
    if resume and path.exists():
        try:
            noted = json.loads(path.read_bytes())["weights"]
        except (OSError, ValueError, KeyError, TypeError):
            noted = digest
        if noted != digest:
            raise CheckpointError("the frozen layers' weights are not those that the run began with")
    write_json(path, {"weights": digest})


def _kept(folder: Path, batches: object, before: keras.Model, count: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The arrays of a draw of a split, computed if they are not there or are damaged; in memory where they cannot be
    kept on disk."""
    try:
        if folder.exists():
            if _is_whole(folder):
                return _arrays(folder)
            say(f"features in {folder} are damaged; they are computed anew")
            shutil.rmtree(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with staged(folder) as beside:
            beside.mkdir()
            _compute(batches, before, count, beside)
        return _arrays(folder)
    except OSError as error:
        say(f"features cannot be kept in {folder.parent}: {error.strerror or error}; they are in memory for this run")
        return _compute(batches, before, count)


def _compute(batches: Any, before: keras.Model, count: int, folder: Path | None = None) -> dict[str, Any]:
    """Features and targets of the first ``count`` examples, as they come; in a folder's files, with their checksums, or
    in memory. Raises OSError."""
    import keras
    import numpy as np

    out: dict[str, Any] = {}
    at = 0
    for batch in batches:
        found = keras.tree.flatten(before.predict_on_batch(batch.pop("x")))
        named = {f"x{k}": value for k, value in enumerate(found)} | {n: np.asarray(v) for n, v in batch.items()}
        rows = min(len(next(iter(named.values()))), count - at)
        for name, value in named.items():
            if name not in out:
                shape = (count, *value.shape[1:])
                out[name] = (
                    np.empty(shape, value.dtype) if folder is None else _mapped(folder, name, shape, value.dtype)
                )
            out[name][at : at + rows] = value[:rows]
        at += rows
    if folder is not None:
        for array in out.values():
            array.flush()
        digests = {name: content_fingerprint(folder / f"{name}.npy") for name in out}
        (folder / "manifest.json").write_text(json.dumps(digests), encoding="utf-8")
    return out


def _mapped(folder: Path, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    import numpy as np

    array = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)
    reserve(folder / f"{name}.npy")
    return array


def _is_whole(folder: Path) -> bool:
    try:
        digests = json.loads((folder / "manifest.json").read_bytes())
        return bool(digests) and all(
            content_fingerprint(folder / f"{n}.npy") == digest for n, digest in digests.items()
        )
    except (OSError, ValueError, AttributeError):
        return False


def _arrays(folder: Path) -> dict[str, Any]:
    """The arrays of a folder, mapped and not read whole."""
    import numpy as np

    names = json.loads((folder / "manifest.json").read_bytes())
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names}
