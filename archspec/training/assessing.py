"""Evaluators in training: their figures for logs and ``monitor``, their panels for TensorBoard. Imports Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from archspec.backend.seams.models import is_evaluation_stopped
from archspec.evaluators.base import Assessment
from archspec.training.board.events import Events
from archspec.training.board.pace import Throttle
from archspec.training.errors import RunError
from archspec.training.evaluation import assess
from archspec.training.plan import Plan
from archspec.training.planning import monitored
from archspec.training.task import Predictor

THRESHOLDS = 101
"""Points of a curve of precision over recall."""


def logged(plan: Plan) -> tuple[str, ...]:
    """Figures of evaluators that are needed after every epoch: those that the task reports, and what is monitored."""
    figure = monitored(plan) if plan.spec.train.monitor else None
    known = plan.task.measured(plan.graph)
    evaluators = plan.task.evaluators(plan.graph, plan.features)
    wanted = [e for e in evaluators if e.most != 0 and (e.is_logged or (figure in e.figures and figure not in known))]
    return tuple(name for e in wanted for name in e.figures if name not in known)


class Assessing(keras.callbacks.Callback):
    """Adds figures of evaluators to those of Keras's evaluation. It stands before all that reads them: averages of the
    weights, where there are any, stand in their place until the next callback."""

    def __init__(self, plan: Plan, predictor: Predictor):
        super().__init__()
        self.plan, self.predictor, self.names = plan, predictor, logged(plan)
        self._found: tuple[Assessment, ...] | None = None

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self._found = None

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        if self.names and not is_evaluation_stopped(self.model):
            self.found()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is not None and self._found is not None and self.names:
            figures = {name: value for one in self._found for name, value in one.figures.items()}
            logs.update({f"val_{name}": figures[name] for name in self.names if name in figures})
            wanted = monitored(self.plan) if self.plan.spec.train.monitor else None
            if wanted in self.names and wanted not in figures:
                known = ", ".join(name for name in self.names if name in figures)
                raise RunError(f"no example of the data that are evaluated gives '{wanted}'; monitor takes {known}")

    def found(self) -> tuple[Assessment, ...]:
        """What the evaluators say of the weights that were just evaluated."""
        if self._found is None:
            self._found = assess(self.plan, self.predictor)
        return self._found


class Panels(keras.callbacks.Callback):
    """Draws what was assessed when it is due, into ``pictures/``."""

    def __init__(self, assessing: Assessing, events: Events):
        super().__init__()
        plan = assessing.plan
        self.plan, self.assessing = plan, assessing
        self.epoch = 0
        self.pace = Throttle(plan.spec.log.pictures, plan.spec.train.epochs)
        self.events = events

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        if not is_evaluation_stopped(self.model) and self.pace.is_due(self.epoch):
            with self.pace.taken():
                self.draw()

    def draw(self) -> None:
        import tensorflow as tf

        found = self.assessing.found()
        if not all(np.isfinite(list(one.figures.values())).all() for one in found):
            return
        panels: dict[str, Any] = {**self.plan.task.panels(self.plan, found)}
        curves: dict[str, Any] = {}
        for one in found:
            panels |= one.panels()
            curves |= one.curves()
        if not (panels or curves):
            return
        with self.events.at(self.epoch + 1):
            for name, image in panels.items():
                tf.summary.image(name, image[None])
            for name, (right, score) in curves.items():
                tf.summary.experimental.write_raw_pb(_curve(name, right, score))


def _curve(name: str, right: np.ndarray, score: np.ndarray) -> Any:
    from tensorboard.plugins.pr_curve import summary

    curve = summary.pb(name, right, score.clip(0, 1), num_thresholds=THRESHOLDS)
    return curve.SerializeToString()
