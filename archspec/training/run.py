"""The training loop: the only place that calls ``fit``.

A run directory holds all that a run was and gave::

    run.yaml, spec/    the run with all defaults and what was fitted to the training data, and the files of the spec:
                       ``archspec train DIR/run.yaml`` repeats it
    preprocessing/     files that its transforms read: a mean image
    vocabulary/        the numbers of text, as they were fitted to the training split
    environment.json   versions, machine, seed, state of the repository
    table.md           the network's shapes and costs
    log.csv, log.jsonl loss, metrics and learning rate of each epoch; log.jsonl also of steps within epochs
    train/ validation/ about/ pictures/
                       TensorBoard's events: scalars, the graph, costs and settings, what is drawn
    checkpoints/       from which ``archspec resume DIR`` goes on
    model.keras        the inference network with the last weights; best.keras with the best, if something is monitored
    weights.npz        the same weights as plain arrays, which is what archspec itself reads; best.npz
    result.json        what came out
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, TextIO

from archspec.backend.installation import import_keras, import_tensorflow
from archspec.storage.atomic import write_text
from archspec.training import callbacks as watch
from archspec.training import trackers
from archspec.training.averaging import averages
from archspec.training.class_weights import class_weights
from archspec.training.distribution import DeviceLayout, acquire_devices, check
from archspec.training.errors import InUse
from archspec.training.failures import translate_error
from archspec.training.freezing import next_unfreeze, set_trainable
from archspec.training.interrupts import Request, listening
from archspec.training.log import RunLog
from archspec.training.outcome import NotFinite, Result, explain_nan, left_out, outcome, save
from archspec.training.plan import Plan
from archspec.training.record import write_fitted, write_plan, write_result
from archspec.training.solving import solve
from archspec.training.training_state import TrainingState, build_state

if TYPE_CHECKING:
    import keras

    from archspec.training.board.events import Board
    from archspec.training.launch import ProcessGroup


_UNDER_WAY = threading.Lock()


def run(
    plan: Plan,
    logdir: Path,
    *,
    resume: bool = False,
    progress: TextIO | None = sys.stderr,
    peers: ProcessGroup | None = None,
) -> Result:
    """Train, evaluate, save; with ``resume``, from the last checkpoint that is whole.

    Where there are ``peers``, each of their processes calls this with the same plan and directory, which the first
    writes and all can read. Raises DataError, NotFinite, Interrupted, InUse, CheckpointError, TaskError,
    DistributionError, MissingExtra, OSError. The directory is made, or refused, before Keras is imported.
    """
    check(plan, peers)
    trackers.check(plan)
    with _alone():
        return _begun(plan, logdir, resume, progress, peers)


def _begun(plan: Plan, logdir: Path, resume: bool, progress: TextIO | None, peers: ProcessGroup | None) -> Result:
    if peers is not None and peers.rank > 0:
        # The first process is asked to stop, saves and ends; so do the others then.
        with listening():
            return _on_devices(plan, logdir, resume, None, Request(), peers)
    logdir.mkdir(parents=True, exist_ok=True)
    with _locked(logdir), listening() as request:
        if not resume:
            write_plan(plan, logdir)
        return _on_devices(plan, logdir, resume, progress, request, peers)


def _on_devices(
    plan: Plan, logdir: Path, resume: bool, stream: TextIO | None, request: Request, peers: ProcessGroup | None
) -> Result:
    import_keras()
    import_tensorflow()
    with acquire_devices(plan, peers) as layout:
        return _run(plan, logdir, resume, stream, request, layout)


def _run(
    plan: Plan, logdir: Path, resume: bool, stream: TextIO | None, request: Request, layout: DeviceLayout
) -> Result:
    from archspec.report.table import table

    def say(text: str) -> None:
        if stream:
            print(f"archspec: {text}", file=stream)

    wall, cpu = perf_counter(), process_time()
    given, plan = plan, plan.fitted()
    if plan is not given and layout.is_coordinator:
        write_fitted(plan, logdir)
    start = build_state(plan, logdir, resume, say, layout)
    if layout.is_coordinator:
        write_text(logdir / "table.md", table(plan.graph, training=True).render("markdown") + "\n")
    for split, count in left_out(plan).items():
        say(f"{count} of {plan.features.splits[split]} examples of {split} cannot be read and are left out")
    held_out = layout.evaluation(start.batches, start.objective.pairs) if plan.split else None
    first = next(iter(start.objective.optimizers), None)
    log = RunLog(plan, start.position, logdir, say, optimizer=first, is_writer=layout.is_coordinator)
    keeper = watch.run_monitor(plan, log, start.checkpoints, start.position, request, is_alone=layout.is_alone)
    try:
        _fit(start, held_out, _watching(plan, start, logdir, keeper, log, stream, say, layout), layout)
    except Exception as error:
        if (meant := translate_error(error, plan, layout)) is None:
            raise
        raise meant from None
    if not keeper.not_finite:
        solve(plan, start, say)
    log.write()
    seconds, cpu_seconds = round(perf_counter() - wall, 2), round(process_time() - cpu, 2)
    result = outcome(plan, start, logdir, seconds, cpu_seconds, finished=not keeper.not_finite)
    if layout.is_coordinator:
        write_result(asdict(result), logdir)
    if keeper.not_finite:
        raise NotFinite(result, explain_nan(plan, start))
    save(plan, start, logdir, layout)
    return result


def _watching(
    plan: Plan,
    start: TrainingState,
    logdir: Path,
    keeper: keras.callbacks.Callback,
    log: RunLog,
    stream: TextIO | None,
    say: watch.LogFn,
    layout: DeviceLayout,
) -> list[keras.callbacks.Callback]:
    """Who watches the loop, in the order in which they are told: those that add figures before those that read them."""
    from archspec.training.board import facts, pictures
    from archspec.training.board.events import Board

    train, objective, position, board = plan.spec.train, start.objective, start.position, Board(logdir)
    watching: list[Any] = [*objective.watching, keeper]
    shown = _assessing(plan, start, board, say, layout) if plan.split else []
    if train.average_last:
        first = (train.epochs - train.average_last) * plan.steps
        watching.append(averages(start.inputs, plan.steps, lambda: position.step > first))
    elif train.ema:
        watching.append(averages())
    if layout.is_coordinator:
        shown += pictures(plan, board, objective, say)
        watching = [*watching, *facts(plan, board, start, log, say)]
        watching += trackers.trackers(plan, logdir, say)
    watching = [*shown, *watching]
    if stream:
        watching.append(watch.progress(plan, stream, position))
    return watching


def _assessing(plan: Plan, start: TrainingState, board: Board, say: watch.LogFn, layout: DeviceLayout) -> list[Any]:
    """Who has evaluators look at the network after evaluations, and who draws what they find."""
    from archspec.training.assessing import Assessing
    from archspec.training.board import panels

    # Of a part that trains by itself, what the whole network says.
    predictor = plan.task.predictor(plan.graph, start.network, plan.spec.train, plan.features)
    if predictor is None:
        return []
    assessing = Assessing(plan, predictor)
    return [assessing, *(panels(plan, board, assessing, say) if layout.is_coordinator else [])]


def _fit(
    start: TrainingState, held_out: object, watching: list[keras.callbacks.Callback], layout: DeviceLayout
) -> None:
    """Do what is left: the rest of an epoch that was begun, then whole epochs."""
    plan, model, position = start.batches, start.model, start.position
    epochs, steps = plan.spec.train.epochs, plan.steps
    weights = class_weights(plan) or None
    if position.unjudged is not None:
        _judge(model, held_out, position.step // steps - 1, position.unjudged, watching)
    while position.step < epochs * steps and not watch.is_exhausted(plan, position):
        epoch, within = divmod(position.step, steps)
        set_trainable(plan, model, epoch)
        model.fit(
            plan.pipeline.training(start.objective.pairs, first_step=position.step, shard=layout.shard),
            initial_epoch=epoch,
            epochs=epoch + 1 if within else int(min(epochs, next_unfreeze(plan.spec.train.freeze, epoch))),
            steps_per_epoch=steps - within,
            validation_data=held_out,
            class_weight=weights,
            callbacks=watching,
            verbose=0,
            shuffle=False,
        )
        if model.stop_training:
            break
    trackers.run_ended(watching)


def _judge(
    model: keras.Model, held_out: object, epoch: int, trained: Mapping[str, float], watching: Sequence[Any]
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
def _alone() -> Iterator[None]:
    """One run at a time in a process: precision, distribution and random numbers are Keras's, for all threads. Raises
    InUse."""
    if not _UNDER_WAY.acquire(blocking=False):
        raise InUse(
            "a run is under way in this process, and Keras has one set of settings for all; start another process"
        )
    try:
        yield
    finally:
        _UNDER_WAY.release()


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
