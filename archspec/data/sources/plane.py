"""Points of a plane that are made up: densities of which it can be counted what a generator covers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from archspec.data.example import LABEL, Example
from archspec.data.features.label import Label
from archspec.data.features.vector import Vector
from archspec.data.source import TRAIN, DataSource
from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import PositiveInt

POINT = "point"


class Gaussians(DataSource, name="gaussians", main="modes"):
    """Points (x, y) around centres that lie evenly on a circle, the first at (radius, 0): as many normal densities. The
    class is the number of the centre, counted against the clock.

    The eight of Metz et al. 2016 (unrolled GANs), and of Gulrajani et al. 2017, figure 1.
    """

    in_memory = True

    modes: Annotated[int, Field(ge=1, le=1000)] = 8
    """Number of centres."""
    radius: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Of the circle."""
    deviation: Annotated[float, Field(gt=0, le=1e6)] = 0.05
    """Standard deviation of each coordinate."""
    train: PositiveInt = 25600
    """Points to train on."""
    test: Annotated[int, Field(ge=0)] = 0
    """Points to evaluate on; 0 for no such split."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    """Seed of the points; not that of the training."""

    def features(self) -> Example:
        return Example(
            {POINT: Vector(TensorSpec((2,))), LABEL: Label(self.modes)},
            {TRAIN: self.train, **({"test": self.test} if self.test else {})},
        ).within_memory()

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np

        count = self.train if split == TRAIN else self.test
        # The legacy generator's streams are promised not to change with NumPy's versions.
        random = np.random.RandomState([self.seed, split == TRAIN])
        label = random.randint(0, self.modes, count)
        angle = label * (2 * np.pi / self.modes)
        centre = self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        point = centre + self.deviation * random.standard_normal((count, 2))
        return {POINT: point.astype(np.float32), LABEL: label.astype(np.int32)}
