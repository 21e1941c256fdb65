"""The training loop: the only place that calls ``fit``.

A log directory holds all that a run was and gave::

    run.yaml       the run, every default spelt out; ``archspec train DIR/run.yaml`` repeats it
    <spec>.yaml    the spec it names, and the files that this uses
    log.csv        loss, metrics and learning rate of each epoch
    train/ validation/   TensorBoard's events: scalars, the cost table, the graph
    model.keras    the inference network with the weights of the last step
    result.json    what came out
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, TextIO

from archspec.data.pipeline import fault
from archspec.data.source import TRAIN, DataError
from archspec.training.plan import Plan
from archspec.training.record import write_plan, write_result

if TYPE_CHECKING:
    import keras

    from archspec.training.task import Objective


class NotFinite(Exception):
    """The loss, or what the trained model computes, is NaN or infinite. ``result`` holds what was reached."""

    def __init__(self, result: Result, message: str):
        super().__init__(message)
        self.result, self.message = result, message


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gave. ``metrics`` are those of the evaluated split after the last step, ``training`` of its epoch."""

    run: str
    spec: str
    variant: str | None
    data: str
    split: str | None
    examples: int
    seed: int
    epochs: int
    steps: int
    params: int
    metrics: dict[str, float]
    training: dict[str, float]
    seconds: float
    cpu_seconds: float
    logdir: str
    finished: bool = True


def run(plan: Plan, logdir: Path, *, progress: TextIO | None = sys.stderr) -> Result:
    """Train, evaluate, save. Raises DataError, NotFinite, MissingExtra, OSError.

    ``logdir`` is made when everything that can be refused without training has been.
    """
    from archspec.backend.build import compile
    from archspec.backend.installation import import_keras
    from archspec.training.callbacks import callbacks

    keras = import_keras()
    import tensorflow as tf

    wall, cpu = perf_counter(), process_time()
    train, evaluate = plan.spec.train, plan.spec.evaluate
    # Keras tells what it does on stdout, which is for results.
    keras.utils.disable_interactive_logging()
    keras.utils.set_random_seed(train.seed)
    if plan.deterministic(bool(tf.config.list_physical_devices("GPU"))):
        tf.config.experimental.enable_op_determinism()

    objective = plan.task.trainer(plan.graph, compile(plan.graph, training=True), train.loss)
    model = objective.model
    batches = plan.pipeline.training(objective.pairs)
    held_out = plan.pipeline.evaluation(plan.split, objective.pairs) if plan.split else None
    steps = plan.pipeline.steps_per_epoch()
    _compile(model, objective, plan, steps)

    write_plan(plan, logdir)
    watch = callbacks(plan, logdir, progress)
    try:
        history = model.fit(
            batches,
            epochs=train.epochs,
            steps_per_epoch=steps,
            validation_data=held_out,
            callbacks=watch,
            verbose=0,
            shuffle=False,
        ).history
        metrics = _plain(model.evaluate(held_out, return_dict=True, verbose=0)) if held_out is not None else {}
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(error.message.splitlines()[0]) from None
    except tf.errors.OpError:
        for split in (TRAIN, *([plan.split] if plan.split else [])):
            if found := fault(plan.source, split):
                raise DataError(f"{found}", help="mend or remove it") from None
        raise
    done = len(history["loss"])
    result = Result(
        run=plan.name,
        spec=plan.graph.name,
        variant=plan.graph.variant,
        data=plan.source.name,
        split=plan.split,
        examples=plan.features.splits[plan.split] if plan.split else 0,
        seed=train.seed,
        epochs=done,
        steps=int(model.optimizer.iterations),
        params=model.count_params(),
        metrics=metrics,
        training=_plain({name: values[-1] for name, values in history.items() if not name.startswith("val_")}),
        seconds=round(perf_counter() - wall, 2),
        cpu_seconds=round(process_time() - cpu, 2),
        logdir=str(logdir),
        finished=_finite(history["loss"][-1], *metrics.values()),
    )
    write_result(asdict(result), logdir)
    if not result.finished:
        raise NotFinite(result, _why(result, plan))
    _save(plan, model, logdir)
    return result


def _compile(model: keras.Model, objective: Objective, plan: Plan, steps: int) -> None:
    """Give the model its optimiser, losses and metrics."""
    from archspec.training.schedules import learning_rate, rates

    train = plan.spec.train
    table = rates(train.schedule, train.optimizer.learning_rate, train.epochs, steps, train.warmup)
    optimizer = train.optimizer.lower(learning_rate(table))
    if train.optimizer.weight_decay:
        optimizer.exclude_from_weight_decay(var_list=[v for v in model.trainable_variables if len(v.shape) < 2])
    single = len(objective.losses) == 1
    model.compile(
        optimizer,
        loss=next(iter(objective.losses.values())) if single else dict(objective.losses),
        loss_weights=None if single else dict(objective.weights),
        metrics=next(iter(objective.metrics.values()), None) if single else dict(objective.metrics),
        steps_per_execution=plan.steps_per_execution(),
        # XLA makes training on CPUs slower (1.6 to 2 times), and operations deterministic it does not.
        jit_compile=False,
    )


def _save(plan: Plan, model: keras.Model, logdir: Path) -> None:
    """Write the inference network, without the optimiser and the heads that only training needs."""
    from archspec.backend.build import compile
    from archspec.backend.export import save

    inference = compile(plan.graph)
    for layer in inference.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    save(inference, logdir / "model.keras")


def _why(result: Result, plan: Plan) -> str:
    loss = result.training["loss"]
    what = "the evaluation" if _finite(loss) else "the loss"
    place = f"in epoch {result.epochs} of {plan.spec.train.epochs}, at step {result.steps}"
    return f"training went to NaN: {what} is {'infinite' if loss in (float('inf'), float('-inf')) else 'NaN'} {place}"


def _finite(*values: float) -> bool:
    return all(abs(v) < float("inf") for v in values)


def _plain(values: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def new_logdir(root: Path, name: str) -> Path:
    """The first of ``root/name/1``, ``2``, … that does not exist; not made yet."""
    folder = root / name
    taken = [int(n) for n in os.listdir(folder) if n.isdecimal() and n.isascii()] if folder.is_dir() else []
    return folder / str(max(taken, default=0) + 1)
