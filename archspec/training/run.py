"""The training loop: the only place that calls ``fit``.

A run directory holds all that a run was and gave::

    run.yaml, spec/    the run with all defaults, and the files of the spec: ``archspec train DIR/run.yaml`` repeats it
    vocabulary/        the numbers of text, as they were fitted to the training split
    environment.json   versions, machine, seed, state of the repository
    table.md           the network's shapes and costs
    log.csv, log.jsonl loss, metrics and learning rate of each epoch
    train/ validation/ TensorBoard's events: scalars, the cost table, the graph
    checkpoints/       from which ``archspec resume DIR`` goes on
    model.keras        the inference network with the last weights; best.keras with the best, if something is monitored
    weights.npz        the same weights as plain arrays, which is what archspec itself reads; best.npz
    result.json        what came out
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, TextIO

from archspec.backend.installation import has_tensorflow, import_keras, import_tensorflow
from archspec.data.source import TRAIN
from archspec.training.averaging import average_uniformly, averages, estimate
from archspec.training.checkpoint import Checkpoints, Position, read
from archspec.training.distribution import Spread, check, taken
from archspec.training.failures import meaning
from archspec.training.freezing import count_own_steps, first_steps, next_border, set_trainable
from archspec.training.interrupts import Request, listening
from archspec.training.plan import Plan, fingerprint, initial, matching
from archspec.training.record import recorded_backend, write_plan, write_result, write_text
from archspec.training.trained import BEST, LAST
from archspec.training.word_vectors import word_vectors

if TYPE_CHECKING:
    import keras

    from archspec.training.launch import Peers
    from archspec.training.optimizers import Optimizer
    from archspec.training.task import Objective


class NotFinite(Exception):
    """The loss, or a weight, is NaN or infinite. ``result`` holds what was reached."""

    def __init__(self, result: Result, message: str):
        super().__init__(message)
        self.result, self.message = result, message


class InUse(Exception):
    """Another process writes into the run directory."""


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
    best: dict[str, float] | None
    seconds: float
    cpu_seconds: float
    logdir: str
    finished: bool = True


def run(
    plan: Plan,
    logdir: Path,
    *,
    resume: bool = False,
    progress: TextIO | None = sys.stderr,
    peers: Peers | None = None,
) -> Result:
    """Train, evaluate, save; with ``resume``, from the last checkpoint that is whole.

    Where there are ``peers``, each of their processes calls this with the same plan and directory, which the first
    writes and all can read. Raises DataError, NotFinite, Interrupted, InUse, CheckpointError, TaskError,
    DistributionError, MissingExtra, OSError. The directory is made, or refused, before Keras is imported.
    """
    check(plan, peers)
    if peers is not None and peers.rank > 0:
        # The first process is asked to stop, saves and ends; so do the others then.
        with listening():
            return _spread(plan, logdir, resume, None, Request(), peers)
    logdir.mkdir(parents=True, exist_ok=True)
    with _locked(logdir), listening() as request:
        if not resume:
            write_plan(plan, logdir)
        return _spread(plan, logdir, resume, progress, request, peers)


def _spread(
    plan: Plan, logdir: Path, resume: bool, stream: TextIO | None, request: Request, peers: Peers | None
) -> Result:
    import_keras()
    import_tensorflow()
    with taken(plan, peers) as spread:
        return _run(plan, logdir, resume, stream, request, spread)


def _run(plan: Plan, logdir: Path, resume: bool, stream: TextIO | None, request: Request, spread: Spread) -> Result:
    import keras
    import numpy as np

    from archspec.backend.build import compile
    from archspec.backend.weights import assign
    from archspec.report.table import table
    from archspec.training import callbacks as watch
    from archspec.training.board import board, pictures

    def say(text: str) -> None:
        if stream:
            print(f"archspec: {text}", file=stream)

    wall, cpu = perf_counter(), process_time()
    train = plan.spec.train
    # Keras tells what it does on stdout, which is for results.
    keras.utils.disable_interactive_logging()
    keras.utils.set_random_seed(train.seed)
    _determine(plan)
    with _policy(train.precision):
        model = compile(plan.graph, training=True)
        set_trainable(plan, model)
        spread.synchronise(model)
        # What is frozen and runs only once is in no checkpoint.
        anew = not resume or bool(train.cache_features)
        if train.weights and anew:
            values = initial(plan.graph, train.weights)
            assign(model, values)
            layers = len({name.rpartition("/")[0] for name in values})
            every = sum(1 for n in plan.graph.owners() if n.weights)
            say(f"{layers} of {every} layers start from {_files(train.weights)}")
        if train.vectors and anew:
            given = word_vectors(train.vectors, plan.graph, plan.features)
            given.assign(model)
            say(f"{len(given.rows)} of {given.vocabulary.size} tokens start from {train.vectors}")
        objective = plan.task.trainer(plan.graph, model, train)
        whole, batches = objective.model, plan
        if train.cache_features:
            from archspec.training.features import cached

            objective, pipeline = cached(plan, model, objective, logdir, say, resume=resume)
            batches = replace(plan, pipeline=pipeline)
        model = objective.model
        finalize = _compile(model, objective, plan)

    def inputs() -> Iterator[Any]:
        return (batch[0] for batch in batches.pipeline.training(objective.pairs))

    checkpoints = Checkpoints(logdir, fingerprint(plan.graph), is_writer=spread.is_coordinator)
    position = checkpoints.position() if resume else None
    for problem in checkpoints.passed_over:
        say(f"{problem}; the one before it is used")
    if position is None:
        position = Position()
    else:
        # Keras makes the metrics' variables when it sees the first batch.
        batch = next(iter(batches.pipeline.training(objective.pairs, shard=spread.shard)))
        model.test_on_batch(*keras.tree.map_structure(np.asarray, batch))
        checkpoints.restore(model, position.step)
        say(f"goes on at step {position.step} of {plan.steps * train.epochs}")
        begun, now = recorded_backend(logdir), keras.backend.backend()
        if begun not in (None, now):
            say(f"the run was begun on {begun}; on {now} its random numbers are others from here on")
    if spread.is_coordinator:
        write_text(logdir / "table.md", table(plan.graph, training=True).to_markdown() + "\n")
    for split in (TRAIN, *([plan.split] if plan.split else [])) if has_tensorflow() else ():
        if left_out := plan.features.splits[split] - plan.pipeline.count(split):
            say(f"{left_out} of {plan.features.splits[split]} examples of {split} cannot be read and are left out")

    keeper = watch.keeper(plan, logdir, checkpoints, position, request, say, is_alone=spread.is_alone)
    first = (train.epochs - (train.average_last or 0)) * plan.steps
    watching: list[Any] = [keeper]
    if train.average_last:
        watching.append(averages(inputs, plan.steps, lambda: position.step > first))
    elif train.ema:
        watching.append(averages())
    if spread.is_coordinator:
        watching += board(plan, logdir, objective, say)
    if stream:
        watching.append(watch.progress(plan, stream, position))
    held_out = spread.evaluation(batches, objective.pairs) if plan.split else None
    if objective.figures and held_out is not None:
        watching.insert(0, watch.figures(objective.figures, plan, held_out))
    if spread.is_coordinator:
        watching = [*pictures(plan, logdir, objective, say), *watching]
    try:
        _fit(batches, model, objective, held_out, position, watching, spread)
    except Exception as error:
        if (meant := meaning(error, plan, spread)) is None:
            raise
        raise meant from None
    keeper.log()
    last = position.history[-1]
    result = Result(
        run=plan.name,
        spec=plan.graph.name,
        variant=plan.graph.variant,
        data=plan.source.name,
        split=plan.split,
        examples=plan.features.splits[plan.split] if plan.split else 0,
        seed=train.seed,
        epochs=len(position.history),
        steps=position.step,
        params=whole.count_params(),
        metrics={name.removeprefix("val_"): v for name, v in last.items() if name.startswith("val_")},
        training={name: v for name, v in last.items() if not name.startswith("val_")},
        best=position.best,
        seconds=round(perf_counter() - wall, 2),
        cpu_seconds=round(process_time() - cpu, 2),
        logdir=str(logdir),
        finished=not keeper.not_finite,
    )
    if spread.is_coordinator:
        write_result(asdict(result), logdir)
    if keeper.not_finite:
        raise NotFinite(result, _why(plan, whole, objective.terms, position, checkpoints))
    finalize()
    if train.average_last:
        estimate(model, inputs, plan.steps)
    save_inference(plan, whole, logdir / "model.keras", logdir / LAST, spread)
    if position.best:
        if position.best["step"] != position.step:
            checkpoints.restore(model, int(position.best["step"]))
            finalize()
            if train.average_last:
                estimate(model, inputs, plan.steps)
        save_inference(plan, whole, logdir / "best.keras", logdir / BEST, spread)
    return result


def _files(weights: Path | Mapping[str, Path]) -> str:
    return str(weights) if isinstance(weights, Path) else ", ".join(str(path) for path in weights.values())


def _fit(
    plan: Plan,
    model: keras.Model,
    objective: Objective,
    held_out: Any,
    position: Position,
    watching: list[Any],
    spread: Spread,
) -> None:
    """Do what is left: the rest of an epoch that was begun, then whole epochs."""
    from archspec.training.callbacks import is_exhausted

    epochs, steps = plan.spec.train.epochs, plan.steps
    weights = dict(enumerate(plan.spec.train.class_weight)) or None
    if position.unjudged is not None:
        _judge(model, held_out, position.step // steps - 1, position.unjudged, watching)
    while position.step < epochs * steps and not is_exhausted(plan, position):
        epoch, within = divmod(position.step, steps)
        set_trainable(plan, model, epoch)
        model.fit(
            plan.pipeline.training(objective.pairs, first_step=position.step, shard=spread.shard),
            initial_epoch=epoch,
            epochs=epoch + 1 if within else int(min(epochs, next_border(plan.spec.train.freeze, epoch))),
            steps_per_epoch=steps - within,
            validation_data=held_out,
            class_weight=weights,
            callbacks=watching,
            verbose=0,
            shuffle=False,
        )
        if model.stop_training:
            break


def _judge(
    model: keras.Model, held_out: Any, epoch: int, trained: Mapping[str, float], watching: Sequence[Any]
) -> None:
    """Do the evaluation of an epoch that was stopped in it, and what follows in ``fit``."""
    import keras

    watched = keras.callbacks.CallbackList(list(watching), model=model)
    watched.on_train_begin()
    watched.on_epoch_begin(epoch)
    found = model.evaluate(held_out, callbacks=watched, return_dict=True, verbose=0)
    watched.on_epoch_end(epoch, {**trained, **{f"val_{name}": value for name, value in found.items()}})
    watched.on_train_end()


def _compile(model: keras.Model, objective: Objective, plan: Plan) -> Any:
    """Give the model its optimiser, losses and metrics; what puts averages in the place of the weights at the end."""
    from archspec.training.schedules import learning_rate, rates

    train = plan.spec.train
    clip = train.clip
    common = {
        "clipvalue": clip and clip.value,
        "clipnorm": clip and clip.norm,
        "global_clipnorm": clip and clip.global_norm,
        "gradient_accumulation_steps": train.accumulate if train.accumulate > 1 else None,
        "use_ema": train.ema is not None or train.average_last is not None,
        "ema_momentum": train.ema or 0.99,
    }
    factors, late = _factors(plan, model), first_steps(plan, model)

    def lowered(declaration: Optimizer) -> Any:
        # Keras looks up the rate by steps of the data, also where only every few of them change the weights.
        table = rates(train.schedule, declaration.learning_rate, train.epochs, plan.steps, train.warmup)
        optimizer = declaration.lower(learning_rate(table), **common)
        if declaration.weight_decay:
            spared = [v for v in model.trainable_variables if len(v.shape) < 2 or factors.get(v.path) == 0]
            optimizer.exclude_from_weight_decay(var_list=spared)
        if factors:
            step = optimizer.update_step
            optimizer.update_step = lambda g, v, rate: step(g, v, rate * factors.get(_path(v), 1.0))
        if train.average_last:
            average_uniformly(optimizer, (train.epochs - train.average_last) * plan.steps)
        if late:
            count_own_steps(optimizer, late, _path)
        return optimizer

    model.compile(
        [lowered(optimizer) for optimizer in objective.optimizers] or lowered(train.optimizer),
        **objective.compiled(),
        steps_per_execution=plan.steps_per_execution(),
        # Left to itself Keras compiles with XLA, which makes training on CPUs slower.
        jit_compile=train.jit_compile,
    )
    trained = list(model.trainable_variables)
    model.optimizer.build(trained)
    finalize = model.optimizer.finalize_variable_values
    # fit would put the averages in the place of the weights whenever it returns, also in the middle of a run.
    model.optimizer.finalize_variable_values = lambda variables: None

    def settle() -> None:
        finalize(trained)
        objective.settle()

    return settle


def _factors(plan: Plan, model: keras.Model) -> dict[str, float]:
    """Factor of the learning rate by a variable's path, where it is not 1."""
    rates = plan.spec.train.rates
    out = {}
    for node in plan.graph.owners():
        pattern = matching(rates, node.layer)
        if pattern is not None:
            out.update({v.path: rates[pattern] for v in model.get_layer(node.layer).trainable_variables})
    return out


def _path(variable: Any) -> str:
    """A variable's path in the model, also of the TensorFlow variable in it, or of a device's copy of that, which an
    update is given."""
    return getattr(variable, "path", None) or re.sub(r"(/replica_\d+)?(:\d+)?$", "", variable.name)


@contextmanager
def _policy(precision: str) -> Iterator[None]:
    """What layers that are made meanwhile compute in."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def save_inference(plan: Plan, model: keras.Model, path: Path, arrays: Path, spread: Spread) -> None:
    """Write the inference network, without the optimiser and the heads that only training needs, and its weights."""
    from archspec.backend.build import compile, weight_name
    from archspec.backend.export import save
    from archspec.backend.weights import write

    layers = {node.layer: model.get_layer(node.layer) for node in plan.graph.inference().nodes}
    values = {name: [read(w) for w in layer.weights] for name, layer in layers.items()}
    if not spread.is_coordinator:
        return
    with spread.apart():
        inference = compile(plan.graph)
        held: dict[str, Any] = {}
        for layer in inference.layers:
            if layer.weights:
                layer.set_weights(values[layer.name])
            names = [f"{layer.name}/{weight_name(w, layer.name)}" for w in layer.weights]
            held |= dict(zip(names, values.get(layer.name, ()), strict=True))
        write(arrays, held)
        save(inference, path)


def _determine(plan: Plan) -> None:
    """Let only operations be used that give the same result each time, where the run is to."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        if plan.is_deterministic(any(d.platform == "gpu" for d in jax.local_devices())):
            # Read when the first program is compiled.
            flags = os.environ.get("XLA_FLAGS", "")
            os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
        return
    tf = import_tensorflow()
    if tf is not None and plan.is_deterministic(bool(tf.config.list_physical_devices("GPU"))):
        tf.config.experimental.enable_op_determinism()


def _why(plan: Plan, model: keras.Model, terms: Sequence[str], position: Position, checkpoints: Checkpoints) -> str:
    """Where it happened, the term and the first layer that it reached, and what is left."""
    import numpy as np

    spoilt = next(
        (
            node.layer
            for node in plan.graph.owners()
            if node.weights and not all(np.isfinite(read(w)).all() for w in model.get_layer(node.layer).weights)
        ),
        None,
    )
    trained = [row["loss"] for row in position.history]
    is_whole = len(trained) * plan.steps == position.step and all(abs(loss) < float("inf") for loss in trained)
    where = f"the loss on {plan.split}" if is_whole else "the loss"
    what = f"the weights of '{spoilt}' are not finite" if spoilt else f"{where} is not finite, the weights are"
    last = position.history[-1] if position.history else {}
    if term := next((t for t in terms if not abs(last.get(t, 0.0)) < float("inf")), None):
        left_over = f"nor are the weights of '{spoilt}'" if spoilt else "the weights are"
        what = f"the term '{term}' is not finite, {left_over}"
    steps = checkpoints.steps()
    left = f"; the last good checkpoint is that of step {steps[-1]}" if steps else "; there was no checkpoint yet"
    epoch = min(len(position.history), plan.spec.train.epochs)
    return f"training went to NaN in epoch {epoch}, by step {position.step}; {what}{left}"


@contextmanager
def _locked(logdir: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process, however that ends. Raises InUse."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (logdir / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"another process is training in {logdir}") from None
        yield


def new_logdir(root: Path, name: str) -> Path:
    """The first of ``root/name/1``, ``2``, … that does not exist; not made yet."""
    folder = root / name
    taken = [int(n) for n in os.listdir(folder) if n.isdecimal() and n.isascii()] if folder.is_dir() else []
    return folder / str(max(taken, default=0) + 1)
