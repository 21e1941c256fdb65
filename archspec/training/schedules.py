"""Learning rate schedules: how the rate changes, as a factor of the optimiser's own, over epochs.

A schedule is a function of time alone, so a run's rates are a table, made before TensorFlow is imported. Keras's own
schedules have warm-up in front of one only (cosine) and count in steps; here warm-up stands in front of any.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import cos, pi
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from archspec.data.arguments import Items
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import shown
from archspec.ir.validation import refuse
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


class ConstantRate(Schedule, name="constant"):
    """The same rate all the time."""

    def factor(self, epoch: float, epochs: float) -> float:
        return 1.0


class Cosine(Schedule, name="cosine", main="final"):
    """Half a cosine from 1 to ``final`` (Loshchilov and Hutter 2016, without restarts)."""

    final: Rate = 0.0
    """Factor at the end."""

    def factor(self, epoch: float, epochs: float) -> float:
        return self.final + (1 - self.final) * (1 + cos(pi * epoch / epochs)) / 2


class StepDecay(Schedule, name="step", main="every"):
    """Multiply by a factor after every so many epochs (GoogLeNet: 0.96 every 8)."""

    every: Annotated[float, Field(gt=0, le=1e6)]
    """Epochs between changes."""
    by: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor of one change."""

    def factor(self, epoch: float, epochs: float) -> float:
        return self.by ** int(epoch / self.every)


def _rising(epochs: tuple[float, ...]) -> tuple[float, ...]:
    if any(b <= a for a, b in pairwise(epochs)):
        plain = [int(epoch) if float(epoch).is_integer() else epoch for epoch in epochs]
        raise refuse(f"must rise, got {shown(plain)}", help=shown(sorted(set(plain))))
    return epochs


class Milestones(Schedule, name="milestones", main="at"):
    """Multiply by a factor after each of the given epochs (ResNet on ImageNet: 0.1 after 30, 60 and 80)."""

    at: Annotated[Items[Epochs], AfterValidator(_rising)]
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
    start: Epochs = 0.0
    """Epochs before the fall (CycleGAN's is half of all)."""

    def factor(self, epoch: float, epochs: float) -> float:
        if epoch <= self.start:
            return 1.0
        left = max(0.0, 1 - (epoch - self.start) / (epochs - self.start)) if self.start < epochs else 0.0
        return float(self.final + (1 - self.final) * left**self.power)


MANY = 1000
"""Restarts above which those before are counted rather than gone through."""


class CosineRestarts(Schedule, name="cosine_restarts", main="first"):
    """Half cosines, each longer and lower than the last by a factor (Loshchilov and Hutter 2016)."""

    first: Annotated[float, Field(gt=0, le=1e6)]
    """Epochs of the first."""
    longer: Annotated[float, Field(ge=1, le=16)] = 2.0
    """Factor of the length from one to the next."""
    lower: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Factor of the height from one to the next."""

    def factor(self, epoch: float, epochs: float) -> float:
        length, height = self.first, 1.0
        if self.longer == 1 and epoch > MANY * length:
            done = int(epoch // length) - 1
            epoch, height = epoch - done * length, self.lower**done
        # A hair less than the length, or rounding puts off a restart by a step.
        while epoch >= length - 1e-9:
            epoch, length, height = epoch - length, length * self.longer, height * self.lower
        return height * (1 + cos(pi * max(epoch, 0.0) / length)) / 2


class OneCycle(Schedule, name="one_cycle", main="rise"):
    """Half a cosine up from a low rate, and another down to next to nothing (Smith and Topin 2017)."""

    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of the epochs in which the rate rises."""
    start: Rate = 0.04
    """Factor at the start."""
    final: Rate = 4e-6
    """Factor at the end."""

    def factor(self, epoch: float, epochs: float) -> float:
        top = self.rise * epochs
        if epoch < top:
            return 1 + (self.start - 1) * (1 + cos(pi * epoch / top)) / 2
        return self.final + (1 - self.final) * (1 + cos(pi * (epoch - top) / (epochs - top))) / 2


class Plateau(Schedule, name="plateau", main="patience"):
    """Multiply by a factor when the loss on the evaluated split has not fallen for some epochs (AlexNet, VGG: 0.1)."""

    patience: PositiveInt = 10
    """Epochs without a lower loss."""
    by: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Factor of one change."""
    least: Rate = 0.0
    """Factor below which it does not fall."""

    def factor(self, epoch: float, epochs: float) -> float:
        return 1.0

    def after(self, losses: Sequence[float]) -> float:
        """The factor that follows from the losses of the epochs so far."""
        factor, best, waited = 1.0, float("inf"), 0
        for loss in losses:
            waited = 0 if loss < best else waited + 1
            best = min(best, loss)
            if waited >= self.patience:
                factor, waited = max(self.least, factor * self.by), 0
        return factor


LONGEST = 2**22
"""Rates of a table at most: of longer runs a rate holds for as many steps as make it so many."""


def held(total: int) -> int:
    """For how many steps each rate of a run's table holds: one, unless the run is of millions of steps."""
    return -(-total // LONGEST) or 1


def rates(schedule: Schedule, rate: float, epochs: int, steps: int, warmup: float = 0.0) -> list[float]:
    """The learning rate of each of ``epochs · steps`` steps, or of every ``held(epochs · steps)`` of them.

    Over the first ``warmup`` epochs it rises in a straight line to ``rate``; the schedule then has the rest.
    """
    total = epochs * steps
    first = min(round(warmup * steps), total)
    rest, every = total - first, held(total)
    rise = [rate * (step + 1) / first for step in range(0, first, every)]
    after = range(len(rise) * every - first, rest, every)
    return rise + [rate * schedule.factor(step / steps, rest / steps) for step in after]


def learning_rate(table: list[float], every: int = 1) -> keras.optimizers.schedules.LearningRateSchedule | float:
    """What Keras's optimisers take as learning rate, each of the table for ``every`` steps; after the table's end its
    last value stays."""
    import keras
    import numpy as np

    if not table or table.count(table[0]) == len(table):
        return table[0] if table else 0.0
    values = np.array(table, np.float32)

    class RateTable(keras.optimizers.schedules.LearningRateSchedule):
        """A rate for every step."""

        def __call__(self, step: object) -> object:
            # One array per call, not one per object: the step is traced in several graphs.
            index = keras.ops.minimum(keras.ops.cast(step, "int32") // every, len(table) - 1)
            return keras.ops.take(keras.ops.convert_to_tensor(values, "float32"), index)

        def get_config(self) -> dict[str, object]:
            return {}

    return RateTable()
