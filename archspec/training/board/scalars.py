"""Figures of epochs and of steps within them, as curves; and the graph, once.

Keras's own callback writes an epoch as one less than people call it, a second time by steps under another name, and
nothing within an epoch unless after every step; of the graph it leaves what TensorBoard cannot open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.training.board.events import Board
from archspec.training.board.graph import graph_def
from archspec.training.log import Row, RunLog
from archspec.training.plan import Plan

if TYPE_CHECKING:
    import keras


def scalars(plan: Plan, board: Board, log: RunLog) -> keras.callbacks.Callback:
    """``epoch_NAME`` in training and evaluation alike, so that both stand in one chart, and ``batch_NAME`` by steps
    (Keras's names); ``on_row`` is to hear the log's rows."""
    import keras

    class Scalars(keras.callbacks.Callback):
        is_drawn = False

        def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
            import tensorflow as tf

            if not self.is_drawn:
                self.is_drawn = True
                with board.train.at(0):
                    tf.summary.graph(graph_def(plan.graph))

        def on_row(self, row: Row) -> None:
            if "step" in row:
                figures = {f"batch_{name}": value for name, value in row.items() if name not in ("epoch", "step")}
                self.write(board.train, int(row["step"]), figures)
                return
            figures = {name: value for name, value in row.items() if name != "epoch"}
            held_out = {name: figures.pop(name) for name in list(figures) if name.startswith("val_")}
            figures["examples_per_second"] = log.examples_per_second
            self.write(board.train, int(row["epoch"]), {f"epoch_{name}": v for name, v in figures.items()})
            if held_out:
                told = {f"epoch_{name.removeprefix('val_')}": value for name, value in held_out.items()}
                self.write(board.validation, int(row["epoch"]), told)

        def write(self, events: Any, step: int, figures: Row) -> None:
            import tensorflow as tf

            with events.at(step):
                for name, value in figures.items():
                    tf.summary.scalar(name, value)

    return Scalars()
