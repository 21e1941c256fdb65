"""What watches a run: TensorBoard, the CSV log, the end of a run that went to NaN, progress for a person."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TextIO

from archspec.training.plan import Plan

if TYPE_CHECKING:
    import keras


def callbacks(plan: Plan, logdir: Path, progress: TextIO | None) -> list[keras.callbacks.Callback]:
    """All that a run is watched by, in the order they are to be called."""
    import keras

    out = [
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.TensorBoard(str(logdir), write_graph=True, write_steps_per_second=True, profile_batch=0),
        keras.callbacks.CSVLogger(str(logdir / "log.csv")),
        _cost_table(plan, logdir),
    ]
    return [*out, _progress(plan, progress)] if progress else out


def _cost_table(plan: Plan, logdir: Path) -> keras.callbacks.Callback:
    """Writes the network's table of shapes and costs, and the run, among TensorBoard's texts."""
    import keras

    class CostTable(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            import tensorflow as tf

            from archspec.report.table import table

            writer = tf.summary.create_file_writer(str(logdir / "train"), filename_suffix=".text")
            with writer.as_default(step=0):
                tf.summary.text("cost", table(plan.graph, training=True).to_markdown())
                tf.summary.text("run", "".join(f"    {line}\n" for line in plan.text().splitlines()))
            writer.close()

    return CostTable()


def _progress(plan: Plan, stream: TextIO) -> keras.callbacks.Callback:
    """One line for each epoch; on a terminal it moves while the epoch lasts."""
    import keras

    epochs, steps, batch = plan.spec.train.epochs, plan.pipeline.steps_per_epoch(), plan.pipeline.batch_size()
    live = stream.isatty()

    class Progress(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.begin = perf_counter()
            self.shown = 0.0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch, self.start = epoch, perf_counter()

        def on_train_batch_end(self, step: int, logs: Any = None) -> None:
            now = perf_counter()
            if live and now - self.shown > 0.2:
                self.shown = now
                stream.write(f"\r\x1b[K{self.line(step + 1, now, logs or {})}")
                stream.flush()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            text = self.line(steps, perf_counter(), logs or {})
            stream.write(f"\r\x1b[K{text}" + ("\n" if epoch + 1 == epochs else "") if live else f"{text}\n")
            stream.flush()

        def line(self, step: int, now: float, logs: dict[str, float]) -> str:
            done = (self.epoch * steps + step) / (epochs * steps)
            rest = (now - self.begin) * (1 - done) / done
            rate = step * batch / max(now - self.start, 1e-9)
            bar = "━" * round(step / steps * 20) if live else ""
            values = "  ".join(f"{name} {value:.4f}" for name, value in logs.items() if name != "learning_rate")
            return f"epoch {self.epoch + 1}/{epochs} {bar:<20} {values}  {rate:.0f}/s  {rest:.0f} s left".replace(
                " " * 20, "" if not live else " " * 20
            )

    return Progress()
