"""One optimiser for each step of a round, kept together: Keras saves and shows one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import keras
from keras import ops

from archspec.backend.seams.optimizers import rate_of, trained_by
from archspec.layers.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Share:
    """A network's part in a step's update: its variables, and the norm of their gradient in the last ``apply``.

    (In a list or a dict Keras would take the variables for the optimiser's.)
    """

    network: str
    variables: list[Any]
    norm: Any


class StepOptimizers(keras.optimizers.Optimizer):
    """``steps[i]`` is the optimiser of step i; ``iterations`` counts rounds, and learning rates follow it.

    Of a single optimiser every step has a copy. ``variables`` are each step's, by network. (Keras's MultiOptimizer has
    no learning rate, which callbacks ask for.)
    """

    def __init__(self, given: object, variables: list[dict[str, list[Any]]]):
        first = given[0] if isinstance(given, (list, tuple)) else given
        super().__init__(learning_rate=_rate(first), name="steps")
        if isinstance(given, (list, tuple)):
            if len(given) != len(variables):
                raise ValueError(f"there are {len(variables)} steps, {len(given)} optimizers were given")
            self.steps = list(given)
        else:
            self.steps = [_copied(given) for _ in variables]
        self.shares = [
            [
                Share(name, of, self.add_variable((), "zeros", name=f"gradient_norm_{i}_{name}"))
                for name, of in own.items()
            ]
            for i, own in enumerate(variables)
        ]
        for i, (step, own) in enumerate(zip(self.steps, variables, strict=True)):
            if isinstance(rate := _rate(step), keras.optimizers.schedules.LearningRateSchedule):
                # A step's own count runs ahead of the rounds where it takes several turns.
                step.learning_rate = lambda rate=rate: rate(self.iterations)
            step.name = f"step_{i}"
            step.build([v for of in own.values() for v in of])

    def update(self, i: int, gradients: list[Any]) -> dict[str, Any]:
        """Step i's update, of gradients in the order of its variables; the norm of each network's gradient."""
        rest = iter(gradients)
        norms = {
            share.network: ops.sqrt(sum(ops.sum(ops.square(g)) for g in islice(rest, len(share.variables))))
            for share in self.shares[i]
        }
        self.steps[i].apply(gradients, [v for share in self.shares[i] for v in share.variables])
        return norms

    def apply(self, grads: list[Any], trainable_variables: list[Any] | None = None) -> None:
        """Every step's update, each of its own variables, of the gradients of all."""
        known = trained_by(self) if trainable_variables is None else trainable_variables
        found = {id(variable): gradient for variable, gradient in zip(known, grads, strict=True)}
        for i, shares in enumerate(self.shares):
            variables = [v for share in shares for v in share.variables]
            norms = self.update(i, [ops.zeros_like(v) if (g := found[id(v)]) is None else g for v in variables])
            for share in shares:
                share.norm.assign(norms[share.network])
        self.iterations.assign_add(1)

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: object) -> None:
        """Refused: a step's optimiser updates."""
        raise NotImplementedError("each step has its own optimizer: update(i, gradients)")

    @property
    def variables(self) -> list[Any]:
        """The count of rounds and the learning rate, and those of every step's optimiser."""
        return [*super().variables, *(v for step in getattr(self, "steps", ()) for v in step.variables)]

    def finalize_variable_values(self, var_list: object) -> None:
        """As after ``fit``: running averages, where optimisers keep them, take their weights' place."""
        for step in self.steps:
            step.finalize_variable_values(var_list)


def _rate(optimizer: keras.optimizers.Optimizer) -> Any:
    """The schedule, or the number."""
    held = rate_of(optimizer)
    return held if isinstance(held, keras.optimizers.schedules.LearningRateSchedule) else float(held)


def _copied(optimizer: Any) -> Any:
    """Another of the same settings. Schedules are shared: they have no state, nor a form to copy them by."""
    copied = type(optimizer).from_config({**optimizer.get_config(), "learning_rate": 1.0})
    copied.learning_rate = rate_of(optimizer)
    return copied
