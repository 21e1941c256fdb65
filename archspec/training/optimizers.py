"""Optimisers: Keras's, as declarations. Defaults are Keras's unless a line says otherwise.

Weight decay is decoupled, as everywhere in Keras: the weights shrink by learning rate · decay in each step, apart from
the gradient. It leaves out weights of rank 0 and 1 (biases, and the scales and offsets of normalisation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import Field

from archspec.ir.declaration import Declaration
from archspec.ops.arguments import Epsilon, Rate

if TYPE_CHECKING:
    import keras

    Scheduled: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule

LearningRate = Annotated[float, Field(gt=0, le=1e6)]
Decay = Annotated[float, Field(ge=0, lt=1)]


class Optimizer(Declaration, package="archspec.training"):
    """How weights change by gradients. All have ``learning_rate``, times the schedule, and ``weight_decay``."""

    plausible_rates: ClassVar[tuple[float, float]] = (1e-8, 0.3)
    """Learning rates beyond which a slip is more likely; each step of most moves a weight by about the rate."""

    learning_rate: LearningRate = 0.001
    """Size of a step, before the schedule."""
    weight_decay: Decay = 0.0
    """Share of its value that a weight of rank 2 and more loses in each step, per unit of learning rate."""

    def slots(self) -> int:
        """Numbers that it keeps for each weight that is trained."""
        raise NotImplementedError

    def lower(self, rate: Scheduled, **common: Any) -> keras.optimizers.Optimizer:
        """The Keras optimiser; ``rate`` is a float or a Keras schedule, ``common`` what all of Keras's take."""
        raise NotImplementedError


class _Scaled(Optimizer):
    """Divide each weight's step by the size that its gradients have had."""

    epsilon: Epsilon = 1e-7
    """Added to the denominator."""


class _Moments(_Scaled):
    """Keep running means of gradients and of their squares, as Adam does."""

    beta_1: Rate = 0.9
    """Decay of the mean of gradients."""
    beta_2: Rate = 0.999
    """Decay of the mean of squared gradients."""

    def slots(self) -> int:
        return 2


class Sgd(Optimizer, name="sgd", main="learning_rate"):
    """Stochastic gradient descent, with momentum (Polyak 1964; Sutskever et al. 2013)."""

    plausible_rates = (1e-8, 100)

    learning_rate: LearningRate = 0.01
    """Size of a step, before the schedule."""
    momentum: Rate = 0.0
    """Share of the last step that is taken again."""
    nesterov: bool = False
    """Look ahead by the momentum before taking the gradient's step."""

    def slots(self) -> int:
        return int(self.momentum > 0)

    def lower(self, rate: Scheduled, **common: Any) -> keras.optimizers.Optimizer:
        import keras

        return keras.optimizers.SGD(
            rate, momentum=self.momentum, nesterov=self.nesterov, weight_decay=_decay(self), **common
        )


class Rmsprop(_Scaled, name="rmsprop", main="learning_rate"):
    """RMSprop (Tieleman and Hinton 2012)."""

    rho: Rate = 0.9
    """Decay of the mean of squared gradients."""
    momentum: Rate = 0.0
    """Share of the last step that is taken again."""
    centered: bool = False
    """Subtract the squared mean of the gradients."""

    def slots(self) -> int:
        return 1 + (self.momentum > 0) + self.centered

    def lower(self, rate: Scheduled, **common: Any) -> keras.optimizers.Optimizer:
        import keras

        return keras.optimizers.RMSprop(
            rate,
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
            centered=self.centered,
            weight_decay=_decay(self),
            **common,
        )


class Adam(_Moments, name="adam", main="learning_rate"):
    """Adam (Kingma and Ba 2014)."""

    amsgrad: bool = False
    """Divide by the largest mean of squares so far (Reddi et al. 2018)."""

    def slots(self) -> int:
        return 2 + self.amsgrad

    def lower(self, rate: Scheduled, **common: Any) -> keras.optimizers.Optimizer:
        import keras

        return keras.optimizers.Adam(
            rate, self.beta_1, self.beta_2, self.epsilon, amsgrad=self.amsgrad, weight_decay=_decay(self), **common
        )


class Adamw(_Moments, name="adamw", main="learning_rate"):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2017): ``adam`` with another default."""

    weight_decay: Decay = 0.004
    """Share of its value that a weight of rank 2 and more loses in each step, per unit of learning rate."""

    def lower(self, rate: Scheduled, **common: Any) -> keras.optimizers.Optimizer:
        import keras

        return keras.optimizers.AdamW(rate, self.weight_decay, self.beta_1, self.beta_2, self.epsilon, **common)


class Lion(Optimizer, name="lion", main="learning_rate"):
    """Lion: the sign of a momentum (Chen et al. 2023)."""

    learning_rate: LearningRate = 0.001
    """Size of a step, before the schedule; a tenth to a third of Adam's."""
    beta_1: Rate = 0.9
    """Share of the momentum in the step."""
    beta_2: Rate = 0.99
    """Decay of the momentum."""

    def slots(self) -> int:
        return 1

    def lower(self, rate: Scheduled, **common: Any) -> keras.optimizers.Optimizer:
        import keras

        return keras.optimizers.Lion(rate, self.beta_1, self.beta_2, weight_decay=_decay(self), **common)


class Adagrad(_Scaled, name="adagrad", main="learning_rate"):
    """Adagrad (Duchi et al. 2011)."""

    plausible_rates = (1e-8, 10)

    accumulator: Annotated[float, Field(ge=0)] = 0.1
    """Sum of squared gradients at the start."""

    def slots(self) -> int:
        return 1

    def lower(self, rate: Scheduled, **common: Any) -> keras.optimizers.Optimizer:
        import keras

        return keras.optimizers.Adagrad(rate, self.accumulator, self.epsilon, weight_decay=_decay(self), **common)


class Adadelta(_Scaled, name="adadelta", main="learning_rate"):
    """Adadelta (Zeiler 2012); the paper's learning rate is 1."""

    plausible_rates = (1e-8, 10)

    rho: Rate = 0.95
    """Decay of the means of squares."""

    def slots(self) -> int:
        return 2

    def lower(self, rate: Scheduled, **common: Any) -> keras.optimizers.Optimizer:
        import keras

        return keras.optimizers.Adadelta(rate, self.rho, self.epsilon, weight_decay=_decay(self), **common)


class Lamb(_Moments, name="lamb", main="learning_rate"):
    """LAMB: Adam with a step in proportion to each layer's weights, for large batches (You et al. 2019)."""

    def lower(self, rate: Scheduled, **common: Any) -> keras.optimizers.Optimizer:
        import keras

        return keras.optimizers.Lamb(rate, self.beta_1, self.beta_2, self.epsilon, weight_decay=_decay(self), **common)


def _decay(optimizer: Optimizer) -> float | None:
    # None keeps Keras from adding the decay's operations to every step.
    return optimizer.weight_decay or None
