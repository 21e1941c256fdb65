"""What watches a run: checkpoints and the ends of a run, progress for a person. (TensorBoard: training/board.)"""

from __future__ import annotations

from collections.abc import Callable
from shutil import get_terminal_size
from time import perf_counter
from typing import TYPE_CHECKING, Any, TextIO

from archspec.backend.seams.models import stop_evaluating
from archspec.data.example import IMAGE
from archspec.training.checkpoint import Checkpoints, Position, is_finite
from archspec.training.interrupts import Interrupted, Request
from archspec.training.log import RunLog
from archspec.training.plan import Plan
from archspec.training.planning import monitored
from archspec.training.progress import WIDTH, epoch_line
from archspec.training.schedules import Plateau

if TYPE_CHECKING:
    import keras

MAX_OVERHEAD = 50
"""Checkpoints at the ends of epochs take at most one part in so many of the time, where epochs are short."""

LogFn = Callable[[str], None]


def run_monitor(
    plan: Plan,
    log: RunLog,
    checkpoints: Checkpoints,
    position: Position,
    request: Request,
    *,
    is_alone: bool = True,
) -> keras.callbacks.Callback:
    """Counts steps, keeps the history and checkpoints, ends a run that is over, asked to stop, or went to NaN."""
    import keras

    train, steps = plan.spec.train, plan.steps
    figure = monitored(plan) if train.monitor else None
    sign = -1 if figure and plan.figures()[figure] == "min" else 1

    class RunMonitor(keras.callbacks.Callback):
        not_finite = False
        is_judged = True
        saved, cost = perf_counter(), 0.0
        resumed: int | None = position.step if position.step % steps else None

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self.before = -1
            log.begin_epoch()
            if self.resumed is not None:
                # Keras has just set the running means of the epoch to nothing.
                checkpoints.restore(self.model, self.resumed, "metric/")
                self.resumed = None

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            position.step += batch - self.before
            self.before = batch
            if logs and not _finite(logs.get("loss", 0.0)):
                self.not_finite = self.model.stop_training = True
                return
            log.step(self.model, logs or {})
            if position.step % steps == 0:
                return
            every = train.checkpoint_steps
            if request or (every and position.step % every < plan.steps_per_execution()):
                self.save()
            if request:
                log.write()
                raise self.stopped()

        def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            if request:
                # Not raised here, where averages may stand in the place of the weights.
                self.is_judged = False
                stop_evaluating(self.model)

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            row = {name: float(value) for name, value in (logs or {}).items()}
            if not self.is_judged:
                position.unjudged = {name: value for name, value in row.items() if not name.startswith("val_")}
                self.save()
                log.write()
                raise self.stopped()
            position.unjudged = None
            position.history.append(row | {"learning_rate": float(self.model.optimizer.learning_rate)})
            log.epoch()
            if self.not_finite or not _finite(row.get("val_loss", 0.0)):
                self.not_finite = self.model.stop_training = True
                return
            self.judge(row)
            if isinstance(train.schedule, Plateau):
                watched = "val_loss" if "val_loss" in row else "loss"
                factor = train.schedule.after([past[watched] for past in position.history])
                self.model.optimizer.learning_rate = train.optimizer.learning_rate * factor
            is_over = is_exhausted(plan, position) or position.step >= train.epochs * steps
            is_best = position.best is not None and position.best["step"] == position.step
            if is_over or is_best or request or train.checkpoint_steps or self.is_due():
                self.save()
                log.write()
            elif not is_finite(self.model):
                self.not_finite = self.model.stop_training = True
            if request:
                raise self.stopped()
            if is_over:
                self.model.stop_training = True

        def stopped(self) -> Interrupted:
            """What is said of a run that is asked to stop: how far it has come, and what its last epoch gave."""
            epoch, total = min(position.step // steps + 1, train.epochs), train.epochs * steps
            last = position.history[-1] if position.history else {}
            figures = ", ".join(f"{n} {v:.4f}" for n, v in last.items() if n != "learning_rate")
            gave = f"; epoch {len(position.history)} gave {figures}" if figures else ""
            return Interrupted(request.code, position.step, f"of {total}, in epoch {epoch} of {train.epochs}{gave}")

        def judge(self, row: dict[str, float]) -> None:
            if figure is None:
                return
            value = row[f"val_{figure}"]
            if position.best is None or sign * value > sign * position.best["value"]:
                position.best = {"step": position.step, "value": value}

        def is_due(self) -> bool:
            """Whether so much time has gone by since the last checkpoint that its cost does not count."""
            # Several processes must agree on it: their clocks do not.
            return not is_alone or perf_counter() - self.saved >= MAX_OVERHEAD * self.cost

        def save(self) -> None:
            begin = perf_counter()
            if not checkpoints.save(self.model, position):
                self.not_finite = self.model.stop_training = True
            self.saved = perf_counter()
            self.cost = self.saved - begin

    return RunMonitor()


def is_exhausted(plan: Plan, position: Position) -> bool:
    """Whether patience with what is monitored has come to its end."""
    patience = plan.spec.train.patience
    if patience is None or position.best is None:
        return False
    return len(position.history) - position.best["step"] / plan.steps >= patience


def _finite(value: Any) -> bool:
    return abs(float(value)) < float("inf")


def progress(plan: Plan, stream: TextIO, position: Position) -> keras.callbacks.Callback:
    """One line for each epoch; on a terminal it moves while the epoch lasts."""
    import keras

    epochs, steps, batch = plan.spec.train.epochs, plan.steps, plan.pipeline.batch_size()
    parts = plan.features.parts
    things = "images" if IMAGE in parts else "sequences" if plan.features.vocabularies else "examples"
    live = stream.isatty()
    first = position.step

    class Progress(keras.callbacks.Callback):
        begin = 0.0
        shown = 0.0

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self.epoch, self.start, self.done = epoch, perf_counter(), position.step
            self.begin = self.begin or self.start

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            now = perf_counter()
            if live and now - self.shown > 0.2:
                self.shown = now
                stream.write(f"\r\x1b[K{self.line(now, logs or {})}")
                stream.flush()

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            text = self.line(perf_counter(), logs or {})
            stream.write(f"\r\x1b[K{text}" + ("\n" if epoch + 1 == epochs else "") if live else f"{text}\n")
            stream.flush()

        def line(self, now: float, logs: dict[str, float]) -> str:
            rate = (position.step - self.done) * batch / max(now - self.start, 1e-9)
            rest = (epochs * steps - position.step) * (now - self.begin) / max(1, position.step - first)
            within = position.step - epoch_start if (epoch_start := self.epoch * steps) <= position.step else 0
            return epoch_line(
                self.epoch + 1,
                epochs,
                logs,
                f"{rate:.0f} {things}/s",
                rest,
                done=within / steps if live else None,
                width=get_terminal_size().columns if live else WIDTH,
            )

    return Progress()
