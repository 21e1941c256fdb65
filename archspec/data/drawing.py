"""An example as a picture: its image with all that lies in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.data.canvas import Canvas
from archspec.data.example import CORNERS, IMAGE
from archspec.data.feature import Feature
from archspec.data.features.labels import Labels

if TYPE_CHECKING:
    import numpy as np


def picture(features: Mapping[str, Feature], parts: Mapping[str, Any], side: int | None = None) -> np.ndarray:
    """One example's image, an array by name for each part, with all that lies in it: boxes, outlines and points in the
    colour of the class of their row. uint8 of shape (height, width, 3)."""
    canvas = Canvas(parts[IMAGE], side)
    classes: dict[str | None, Any] = {}
    for name, feature in features.items():
        if isinstance(feature, Labels) and name in parts:
            classes.setdefault(feature.rows, parts[name])
    for name, feature in features.items():
        if feature.is_placed and name in parts and name not in (IMAGE, CORNERS):
            feature.draw(canvas, parts[name], classes.get(feature.rows))
    return canvas.pixels
