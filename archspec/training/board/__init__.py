"""What TensorBoard shows of a run, besides what the task draws: a file for each kind of thing.

All of it reads the run and changes nothing of it: with it and without, weights and logs end equal to the bit. What
cannot be written falls silent, the training goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.backend.installation import has_tensorflow
from archspec.training.board.events import Board
from archspec.training.board.guard import ignoring_write_errors
from archspec.training.callbacks import LogFn
from archspec.training.log import RunLog
from archspec.training.plan import Plan

if TYPE_CHECKING:
    import keras

    from archspec.training.assessing import Assessing
    from archspec.training.task import Objective
    from archspec.training.training_state import TrainingState


def facts(plan: Plan, board: Board, start: TrainingState, log: RunLog, say: LogFn) -> list[keras.callbacks.Callback]:
    """Scalars, the graph, the costs, the run and its settings, examples of the data, histograms. They stand after
    what saves."""
    if not has_tensorflow():
        say("TensorBoard's files need TensorFlow, which cannot be imported: none are written")
        return []
    from archspec.training.board.histograms import histograms
    from archspec.training.board.scalars import scalars
    from archspec.training.board.settings import settings
    from archspec.training.board.texts import texts

    curves = ignoring_write_errors(scalars(plan, board, log), say)
    log.listeners.append(curves.on_row)
    held = [texts(plan, board), settings(plan, board, start.position)]
    if every := plan.log.histograms:
        held.append(histograms(board, start.objective, start.batches.pipeline, every))
    return [curves, *(ignoring_write_errors(callback, say) for callback in held)]


def panels(plan: Plan, board: Board, assessing: Assessing, say: LogFn) -> list[keras.callbacks.Callback]:
    """What evaluators draw. They stand before all others: after an evaluation averages of the weights, where there are
    any, are still in their place."""
    import keras

    from archspec.training.assessing import Panels

    if keras.backend.backend() != "tensorflow" or plan.spec.log.pictures == 0:
        return []
    return [ignoring_write_errors(Panels(assessing, board.pictures), say)]


def pictures(plan: Plan, board: Board, objective: Objective, say: LogFn) -> list[keras.callbacks.Callback]:
    """What the task draws by itself, and what the projector shows. They stand where ``panels`` does."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return []
    held = [] if plan.spec.log.pictures == 0 else list(objective.pictures(plan, board))
    if plan.spec.log.embedding:
        from archspec.training.board.projector import projector

        held.append(projector(plan, board.pictures, plan.spec.log.embedding, objective))
    return [ignoring_write_errors(callback, say) for callback in held]
