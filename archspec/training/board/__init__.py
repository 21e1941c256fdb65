"""What TensorBoard shows of a run, besides what the task draws: a file for each kind of thing.

All of it reads the run and changes nothing of it: with it and without, weights and logs end equal to the bit. What
cannot be written falls silent, the training goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archspec.backend.installation import has_tensorflow
from archspec.training.board.guard import ignoring_write_errors
from archspec.training.callbacks import LogFn
from archspec.training.checkpoint import Position
from archspec.training.plan import Plan

if TYPE_CHECKING:
    import keras

    from archspec.training.assessing import Assessing
    from archspec.training.task import Objective


def board(
    plan: Plan, logdir: Path, objective: Objective, position: Position, say: LogFn
) -> list[keras.callbacks.Callback]:
    """Scalars, the graph, the costs, the run and its settings, examples of the data, histograms. They stand after
    what saves."""
    if not has_tensorflow():
        say("TensorBoard's files need TensorFlow, which cannot be imported: none are written")
        return []
    import keras

    from archspec.training.board.gradients import gradients
    from archspec.training.board.settings import settings
    from archspec.training.board.texts import texts

    every = plan.spec.log.histograms
    scalars = keras.callbacks.TensorBoard(
        str(logdir), histogram_freq=every or 0, write_graph=True, write_steps_per_second=True, profile_batch=0
    )
    held = [texts(plan, logdir), settings(plan, logdir, position), scalars]
    if every and keras.backend.backend() == "tensorflow":
        held.append(gradients(plan, logdir, objective, every))
    return [ignoring_write_errors(callback, say) for callback in held]


def panels(plan: Plan, logdir: Path, assessing: Assessing, say: LogFn) -> list[keras.callbacks.Callback]:
    """What evaluators draw. They stand before all others: after an evaluation averages of the weights, where there are
    any, are still in their place."""
    import keras

    from archspec.training.assessing import Panels

    if keras.backend.backend() != "tensorflow" or plan.spec.log.pictures == 0:
        return []
    return [ignoring_write_errors(Panels(assessing, logdir), say)]


def pictures(plan: Plan, logdir: Path, objective: Objective, say: LogFn) -> list[keras.callbacks.Callback]:
    """What the task draws by itself, and what the projector shows. They stand where ``panels`` does."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return []
    held = [] if plan.spec.log.pictures == 0 else list(objective.pictures(plan, logdir))
    if plan.spec.log.embedding:
        from archspec.training.board.projector import projector

        held.append(projector(plan, logdir, plan.spec.log.embedding, objective))
    return [ignoring_write_errors(callback, say) for callback in held]
