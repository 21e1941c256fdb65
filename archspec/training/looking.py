"""How a trained network looks at an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Views = Literal["single", "flip", "ten_crop"]
NAMES: tuple[Views, ...] = ("single", "flip", "ten_crop")


@dataclass(frozen=True, slots=True)
class Crf:
    """A fully connected conditional random field over the pixels of an image (Krähenbühl and Koltun 2011): pixels near
    to each other, and of like colour, are of one class. Defaults are those of DeepLab (Chen et al. 2016) on
    PASCAL VOC."""

    iterations: int = 10
    """Of the mean field."""
    appearance: float = 4.0
    """Weight of pixels of like colour."""
    appearance_xy: float = 67.0
    """How far they may lie apart, a standard deviation in pixels."""
    appearance_rgb: float = 3.0
    """How unlike their colours may be, in 0 … 255."""
    smoothness: float = 3.0
    """Weight of pixels near to each other, whatever their colours."""
    smoothness_xy: float = 1.0
    """How near, in pixels."""

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Crf:
        """With some numbers in place of the defaults. Raises TypeError, ValueError."""
        known = {field.name: field.default for field in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in given.items():
            if name not in known:
                raise ValueError(f"there is no {name}, but {', '.join(known)}")
            is_whole = name == "iterations"
            if isinstance(value, bool) or not isinstance(value, int if is_whole else (int, float)):
                raise TypeError(f"{name} must be a {'whole ' * is_whole}number, got {value!r}")
            least = 1 if is_whole else 0 if name in ("appearance", "smoothness") else 0.01
            if not least <= value <= MOST:
                raise ValueError(f"{name} must be from {least} to {MOST}, got {value!r}")
            values[name] = value
        return cls(**values)

    @property
    def numbers(self) -> dict[str, float]:
        """All by name."""
        return asdict(self)


MOST = 1000
"""Largest number of a ``Crf``."""


@dataclass(frozen=True, slots=True)
class Looking:
    """How an image is looked at (test-time augmentation): what is said in each view, at each length of the short side,
    is averaged, and objects are merged. With ``dense`` all of an image: fully connected layers as convolutions; for
    classes of pixels window by window. ``crf`` is done with what was said of pixels."""

    views: Views = "single"
    scales: tuple[int, ...] = ()
    dense: bool = False
    crf: Crf | None = None

    @property
    def is_plain(self) -> bool:
        """Whether each image is seen once, as in training's evaluations."""
        return self == Looking()


PLAIN = Looking()
