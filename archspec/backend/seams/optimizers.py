"""What an optimiser of Keras's does besides its arguments: averages, counts and rates of single variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from archspec.layers.tensor import Tensor


def path(variable: Any) -> str:
    """A variable's path in the model, also of the TensorFlow variable in it, or of a device's copy of that, which an
    update is given."""
    return getattr(variable, "path", None) or re.sub(r"(/replica_\d+)?(:\d+)?$", "", variable.name)


def average_uniformly(optimizer: keras.optimizers.Optimizer, first: int) -> None:
    """Let the averages of an optimiser be the mean of the weights after each step from ``first`` on, counted from 0;
    before that they are the weights."""
    import keras

    kind: Any = type(optimizer)

    class UniformAverage(kind):
        """The same optimiser with another average."""

        @property
        def ema_momentum(self) -> Any:
            count = keras.ops.cast(self._iterations, "float32") - first
            count = keras.ops.maximum(count, 0.0)
            return count / (count + 1.0)

    # The number that the instance has under this name is not seen any more: a property comes first.
    optimizer.__class__ = UniformAverage


def count_own_steps(optimizer: Any, first: Mapping[str, int]) -> None:
    """Let the optimiser count the steps of each variable, by its path, from the first that it takes."""
    import keras

    kind: Any = type(optimizer)

    class OwnSteps(kind):
        """The same optimiser, of whose count a number can be taken off."""

        taken_off = 0

        @property
        def iterations(self) -> Any:
            count = kind.iterations.fget(self)
            return keras.ops.maximum(count - self.taken_off, 0) if self.taken_off else count

    optimizer.__class__ = OwnSteps
    update = optimizer.update_step

    def update_step(gradient: Tensor, variable: Any, rate: Any) -> Any:
        optimizer.taken_off = first.get(path(variable), 0)
        try:
            return update(gradient, variable, rate)
        finally:
            optimizer.taken_off = 0

    optimizer.update_step = update_step


def scale_rates(optimizer: Any, factors: Mapping[str, float]) -> None:
    """Let the learning rate of each variable, by its path, be multiplied by a factor, 1 where it has none."""
    update = optimizer.update_step
    optimizer.update_step = lambda gradient, variable, rate: update(
        gradient, variable, rate * factors.get(path(variable), 1.0)
    )


def keep_weights(optimizer: Any) -> Callable[[Any], None]:
    """Have ``fit`` leave the averages beside the weights when it returns, which it does in the middle of a run as well.
    What is returned puts them in the weights' place."""
    finalize: Callable[[Any], None] = optimizer.finalize_variable_values
    optimizer.finalize_variable_values = lambda variables: None
    return finalize


def rate_of(optimizer: Any) -> Any:
    """The learning rate as it was given: a schedule, or a variable."""
    return optimizer._learning_rate


def trained_by(optimizer: Any) -> list[Any]:
    """The variables that an optimiser was built for, in the order of their gradients."""
    variables: list[Any] = optimizer._trainable_variables
    return variables


def constrain(variable: Any, rule: Callable[[Any], Any]) -> None:
    """Let a variable be passed through ``rule`` after every update, behind the constraint that it has."""
    own = variable.constraint or (lambda value: value)
    variable.constraint = lambda value: rule(own(value))
