"""Steps that update one after another, each as often as it has turns: TensorFlow's ``train_step`` under ``fit``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from archspec.ir.training import TrainStep
from archspec.layers.tensor import Tensor
from archspec.training.updates import autodiff
from archspec.training.updates.forward import Values
from archspec.training.updates.steps import LOSS, State, StepsModel, of

UPDATE_STRIDE = 10_000
"""More turns than a step takes in a round: the draws of steps lie this far apart."""


class AlternatingUpdates(StepsModel):
    """Each step sees the weights that those before it left. Also reports the norm of every network's gradient."""

    def rounds(self) -> Any:
        """How many rounds were done."""
        return self.optimizer.iterations.value

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """The networks side by side, on their own inputs."""
        return self.networks(inputs, training=training)

    def train_step(self, data: object) -> dict[str, Any]:
        """One round on one batch."""
        batch, rounds = self.batch(keras.utils.unpack_x_y_sample_weight(data)[0]), self.rounds()
        held = self.hold(batch, rounds)
        reports = [self._turns(i, step, batch, held, rounds) for i, step in enumerate(self.plan.steps)]
        self.move_averages(rounds + 1)
        self.optimizer.iterations.assign_add(1)
        return self.report(reports)

    def test_step(self, data: object) -> dict[str, Any]:
        """Every term, on weights that stay as they are."""
        batch = self.batch(keras.utils.unpack_x_y_sample_weight(data)[0])
        return self.report(self.judged(batch, self.rounds()))

    def reported(self, step: TrainStep) -> list[str]:
        """The names of what a step reports."""
        return [*super().reported(step), *(f"{step.name}.gradient_norm.{network}" for network in step.update)]

    def _turns(self, i: int, step: TrainStep, batch: Mapping[str, Any], held: Values, rounds: Tensor) -> dict[str, Any]:
        """All turns of a step; the last one's report."""

        def turn(n: Any) -> dict[str, Any]:
            draw = tf.where(n == 0, 0, i * UPDATE_STRIDE + n)
            return self._update(i, step, self.inputs(batch, rounds, draw), held, rounds, self.draws(rounds, draw))

        if step.turns == 1:
            return turn(tf.constant(0))
        names = self.reported(step)
        turns = tf.cast(autodiff.number(step.turns, rounds), tf.int32)

        def body(n: Any, *_: Any) -> tuple[Any, ...]:
            report = turn(n)
            return (n + 1, *(report[name] for name in names))

        def following(n: object, *before: Any) -> tuple[Any, ...]:
            # A turn that went to NaN stays to be seen.
            n, *after = body(n)
            is_finite = tf.math.is_finite(tf.add_n(list(before)))
            return (n, *(tf.where(is_finite, new, old) for new, old in zip(after, before, strict=True)))

        start = (tf.constant(0), *(tf.constant(0.0) for _ in names))
        shapes = (tf.TensorShape(()),) * len(start)
        _, *last = tf.while_loop(
            lambda n, *_: n < turns, following, start, shape_invariants=shapes, parallel_iterations=1
        )
        return dict(zip(names, last, strict=True))

    def _update(
        self, i: int, step: TrainStep, inputs: Values, held: Values, rounds: Tensor, draws: State
    ) -> dict[str, Any]:
        """One turn of a step; its report."""
        variables = self.variables_of(step.update)
        with tf.GradientTape() as tape:
            moved, report = self.objective(step, inputs, held, rounds, state=draws)
        total = report[of(step, LOSS)]
        gradients = tape.gradient(total, [v.value for v in variables], unconnected_gradients="zero")
        norms = self.optimizer.update(i, gradients)
        report |= {f"{step.name}.gradient_norm.{name}": norm for name, norm in norms.items()}
        for variable, value in moved:
            variable.assign(value)
        if step.constraint is not None:
            for variable in variables:
                variable.assign(self.constrain(step, variable, variable.value))
        return report
