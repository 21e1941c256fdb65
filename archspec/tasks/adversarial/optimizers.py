"""One optimiser for each step of a round, kept together: Keras saves and shows one."""

from __future__ import annotations

from typing import Any

import keras


class StepOptimizers(keras.optimizers.Optimizer):
    """``steps[i]`` is the optimiser of step i; ``iterations`` counts rounds, and learning rates follow it.

    Of a single optimiser every step has a copy.
    """

    def __init__(self, given: Any, variables: list[list[Any]]):
        first = given[0] if isinstance(given, (list, tuple)) else given
        super().__init__(learning_rate=_rate(first), name="steps")
        if isinstance(given, (list, tuple)):
            if len(given) != len(variables):
                raise ValueError(f"there are {len(variables)} steps, {len(given)} optimizers were given")
            self.steps = list(given)
        else:
            self.steps = [_copied(given) for _ in variables]
        for i, (step, own) in enumerate(zip(self.steps, variables, strict=True)):
            if isinstance(rate := _rate(step), keras.optimizers.schedules.LearningRateSchedule):
                # A step's own count runs ahead of the rounds where it takes several turns.
                step.learning_rate = lambda rate=rate: rate(self.iterations)
            step.name = f"step_{i}"
            step.build(own)
        self.built = True

    def build(self, variables: Any) -> None:
        """The steps' optimisers know their own variables."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Refused: a step's optimiser updates."""
        raise NotImplementedError("each step has its own optimizer: steps[i].apply")

    @property
    def variables(self) -> list[Any]:
        """The count of rounds and the learning rate, and those of every step's optimiser."""
        return [*super().variables, *(v for step in getattr(self, "steps", ()) for v in step.variables)]

    def finalize_variable_values(self, var_list: Any) -> None:
        """As after ``fit``: running averages, where optimisers keep them, take their weights' place."""
        for step in self.steps:
            step.finalize_variable_values(var_list)


def _rate(optimizer: Any) -> Any:
    """The schedule, or the number."""
    held = optimizer._learning_rate
    return held if isinstance(held, keras.optimizers.schedules.LearningRateSchedule) else float(held)


def _copied(optimizer: Any) -> Any:
    """Another of the same settings. Schedules are shared: they have no state, nor a form to copy them by."""
    copied = type(optimizer).from_config({**optimizer.get_config(), "learning_rate": 1.0})
    copied.learning_rate = optimizer._learning_rate
    return copied
