"""What a run is, once at its start: the table of costs, the run file, a contact sheet of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.data.errors import DataError
from archspec.data.example import IMAGE
from archspec.training.board.events import Board
from archspec.training.plan import Plan
from archspec.training.record import run_text

if TYPE_CHECKING:
    import keras


def texts(plan: Plan, board: Board) -> keras.callbacks.Callback:
    """The texts ``cost`` and ``run``, and the image ``data``, where data are images."""
    import keras

    class WriteTexts(keras.callbacks.Callback):
        is_told = False

        def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
            # What is left of an epoch that was begun is a fit of its own.
            if not self.is_told:
                self.is_told = True
                _tell(plan, board)

    return WriteTexts()


def _tell(plan: Plan, board: Board) -> None:
    import tensorflow as tf

    from archspec.report.table import table

    with board.about.at(0):
        tf.summary.text("cost", table(plan.graph, training=True).render("markdown"))
        run = run_text(plan, f"spec/{plan.graph.name}.yaml")
        tf.summary.text("run", "".join(f"    {line}\n" for line in run.splitlines()))
        if IMAGE in plan.features.parts:
            _show(plan)


def _show(plan: Plan) -> None:
    import tensorflow as tf

    from archspec.data.sheet import contact_sheet

    try:
        sheet = contact_sheet(plan.pipeline)
    except DataError:
        return  # Not images of one or three channels.
    tf.summary.image("data", sheet.image[None], description="\n".join(f"    {row}" for row in sheet.rows))
