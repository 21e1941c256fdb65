"""Learning rate schedules: how the rate changes, as a factor of the optimiser's own, over epochs.

A schedule is a function of time alone, so a run's rates are a table, made before TensorFlow is imported. Keras's own
schedules have warm-up in front of one only (cosine) and count in steps; here warm-up stands in front of any.
"""

from __future__ import annotations

from math import cos, pi
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.data.arguments import Items
from archspec.ir.declaration import Declaration
from archspec.ops.arguments import PositiveInt, Rate

if TYPE_CHECKING:
    import keras

Epochs = Annotated[float, Field(ge=0, le=1e6)]
"""A time in epochs; parts of one are allowed."""


class Schedule(Declaration, package="archspec.training"):
    """Factor of the learning rate by time. ``epoch`` counts from 0 and may be broken; ``epochs`` is the whole."""

    def factor(self, epoch: float, epochs: float) -> float:
        """What the learning rate is multiplied by."""
        raise NotImplementedError


class Constant(Schedule, name="constant"):
    """The same rate all the time."""

    def factor(self, epoch: float, epochs: float) -> float:
        return 1.0


class Cosine(Schedule, name="cosine", main="final"):
    """Half a cosine from 1 to ``final`` (Loshchilov and Hutter 2016, without restarts)."""

    final: Rate = 0.0
    """Factor at the end."""

    def factor(self, epoch: float, epochs: float) -> float:
        return self.final + (1 - self.final) * (1 + cos(pi * epoch / epochs)) / 2


class Step(Schedule, name="step", main="every"):
    """Multiply by a factor after every so many epochs (GoogLeNet: 0.96 every 8)."""

    every: Annotated[float, Field(gt=0, le=1e6)]
    """Epochs between changes."""
    by: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor of one change."""

    def factor(self, epoch: float, epochs: float) -> float:
        return self.by ** int(epoch / self.every)


class Milestones(Schedule, name="milestones", main="at"):
    """Multiply by a factor after each of the given epochs (ResNet on ImageNet: 0.1 after 30, 60 and 80)."""

    at: Items[Epochs]
    """Epochs of the changes."""
    by: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor of one change."""

    def factor(self, epoch: float, epochs: float) -> float:
        return self.by ** sum(epoch >= at for at in self.at)


class Polynomial(Schedule, name="polynomial", main="power"):
    """(1 - t)^power over the time t from 0 to 1; DeepLab's is 0.9, and 1 is a straight line."""

    power: Annotated[float, Field(gt=0, le=16)] = 1.0
    """Exponent."""
    final: Rate = 0.0
    """Factor at the end."""

    def factor(self, epoch: float, epochs: float) -> float:
        return self.final + (1 - self.final) * max(0.0, 1 - epoch / epochs) ** self.power


def rates(schedule: Schedule, rate: float, epochs: PositiveInt, steps: int, warmup: float = 0.0) -> list[float]:
    """The learning rate of each of ``epochs · steps`` steps.

    Over the first ``warmup`` epochs it rises in a straight line to ``rate``; the schedule then has the rest.
    """
    first = min(round(warmup * steps), epochs * steps)
    rise = [rate * (step + 1) / first for step in range(first)]
    rest = epochs * steps - first
    return rise + [rate * schedule.factor(step / steps, rest / steps) for step in range(rest)]


def learning_rate(table: list[float]) -> keras.optimizers.schedules.LearningRateSchedule | float:
    """What Keras's optimisers take as learning rate; after the table's end its last value stays."""
    import keras

    if len(set(table)) == 1:
        return table[0]

    class Table(keras.optimizers.schedules.LearningRateSchedule):
        """A rate for every step."""

        def __call__(self, step: object) -> object:
            # One array per call, not one per object: the step is traced in several graphs.
            index = keras.ops.minimum(keras.ops.cast(step, "int32"), len(table) - 1)
            return keras.ops.take(keras.ops.convert_to_tensor(table, "float32"), index)

        def get_config(self) -> dict[str, object]:
            return {}

    return Table()
