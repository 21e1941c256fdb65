"""How a trained network looks at an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Views = Literal["single", "flip", "ten_crop"]
NAMES: tuple[Views, ...] = ("single", "flip", "ten_crop")


@dataclass(frozen=True, slots=True)
class Looking:
    """How an image is looked at (test-time augmentation): what is said in each view, at each length of the short side,
    is averaged, and objects are merged. With ``dense`` all of an image: fully connected layers as convolutions; for
    classes of pixels window by window."""

    views: Views = "single"
    scales: tuple[int, ...] = ()
    dense: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether each image is seen once, as in training's evaluations."""
        return self == Looking()


PLAIN = Looking()
