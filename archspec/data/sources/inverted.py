"""Two kinds of made-up pictures whose relation is known and hidden: for translation without pairs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from archspec.data.example import Example
from archspec.data.features.image import Image
from archspec.data.source import TRAIN, DataSource
from archspec.data.sources.synthetic import Shapes
from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import PositiveInt


class Inverted(DataSource, name="inverted"):
    """Bright shapes on dark as ``a``; as ``b``, the negatives (255 less each value) of other such pictures. No picture
    of ``b`` is the negative of one of ``a``, so that what turns one kind into the other is nowhere shown."""

    in_memory = True

    size: Annotated[int, Field(ge=8, le=1024)] = 16
    """Height and width in pixels."""
    channels: Literal[1, 3] = 3
    """Grey or colour."""
    train: PositiveInt = 1000
    """Examples of each kind to train on."""
    test: PositiveInt = 200
    """Examples of each kind to evaluate on."""
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Largest deviation of a pixel, as a share of white."""
    seed: Annotated[int, Field(ge=0, le=2**30)] = 0
    """Seed of the examples; not that of the training."""

    def features(self) -> Example:
        one = Image(TensorSpec((self.size, self.size, self.channels), "uint8"))
        return Example({"a": one, "b": one}, {TRAIN: self.train, "test": self.test}).within_memory()

    def arrays(self, split: str) -> dict[str, Any]:
        a, b = (self._shapes(self.seed * 2 + kind).arrays(split)["image"] for kind in (0, 1))
        return {"a": a, "b": 255 - b}

    def _shapes(self, seed: int) -> Shapes:
        return Shapes(
            classes=4,
            size=self.size,
            channels=self.channels,
            train=self.train,
            test=self.test,
            noise=self.noise,
            seed=seed,
        )
