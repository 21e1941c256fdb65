"""Steps that update all at once, on the weights of the round's beginning: nothing but a loss, with every backend of
Keras.

Of a network's weights the sum of all steps' losses has the gradient of its own step's loss: in each step, the weights
of networks that it does not update let no gradient through.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import keras
from keras import ops

from archspec.backend.seams.optimizers import constrain
from archspec.ir.graph import Graph
from archspec.layers.tensor import Tensor
from archspec.training.updates.steps import State, StepsModel


class SimultaneousUpdates(StepsModel):
    """Each network is updated by one step, once a round."""

    def __init__(self, graph: Graph, networks: keras.Model | None = None, *, seed: int = 0):
        super().__init__(graph, networks, seed=seed)
        # The optimiser's own count is no part of what a loss may read with JAX.
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="rounds", dtype="int32")
        for step in self.plan.steps:
            for variable in self.variables_of(step.update) if step.constraint else ():
                constrain(variable, partial(self.constrain, step, variable))

    def rounds(self) -> Any:
        """How many rounds were done."""
        return self.count.value

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """The batch, which ``compute_loss`` takes: what is computed of it differs from step to step."""
        return inputs

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor | None = None,
        y_pred: Tensor | None = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> Any:
        """The sum of what the steps minimise on a batch; with ``training``, networks' states move."""
        batch, rounds = self.batch(x), self.rounds()
        if not training:
            reports = self.judged(batch, rounds, self._state(()))
        else:
            self.move_averages(rounds)
            inputs, held = self.inputs(batch, rounds, 0), self.hold(batch, rounds, self._state(()))
            reports, draws = [], self.draws(rounds, 0)
            for step in self.plan.steps:
                moved, report = self.objective(step, inputs, held, rounds, state=[*self._state(step.update), *draws])
                reports.append(report)
                for variable, value in moved:
                    variable.assign(value)
            self.count.assign(rounds + 1)
        self.report(reports)
        return self.loss_of(reports)

    def read_averages(self, network: str) -> list[Any]:
        """Here an average takes the last round's weights in when the next begins, or when it is read."""
        return self.averaged(network, self.rounds())

    def _state(self, updated: Iterable[str]) -> State:
        """All variables of the networks with their values, through which a gradient gets only to those updated."""
        own = {id(variable) for variable in self.variables_of(updated)}
        return [
            (v, ops.convert_to_tensor(v) if id(v) in own else ops.stop_gradient(ops.convert_to_tensor(v)))
            for v in self.networks.variables
        ]
