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
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, TextIO

from archspec.backend.installation import has_tensorflow, import_keras, import_tensorflow
from archspec.data.source import TRAIN
from archspec.training.averaging import averages, estimate
from archspec.training.checkpoint import Checkpoints, Position
from archspec.training.compiling import compiled, determine, policy
from archspec.training.distribution import Spread, check, taken
from archspec.training.failures import meaning
from archspec.training.freezing import next_border, set_trainable
from archspec.training.interrupts import Request, listening
from archspec.training.outcome import NotFinite, Result, reason, save_inference
from archspec.training.plan import Plan, fingerprint, initial
from archspec.training.record import recorded_backend, write_plan, write_result, write_text
from archspec.training.trained import BEST, LAST
from archspec.training.word_vectors import word_vectors

if TYPE_CHECKING:
    import keras

    from archspec.training.launch import Peers
    from archspec.training.task import Objective


class InUse(Exception):
    """Another process writes into the run directory."""


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
    determine(plan)
    with policy(train.precision):
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
        finalize = compiled(model, objective, plan)

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
    watching: list[Any] = [*objective.watching, keeper]
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
        raise NotFinite(result, reason(plan, whole, objective.terms, position, checkpoints))
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
