"""An image's own colours, beside what a network sees of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archspec.data.features.image import Image


@dataclass(frozen=True, slots=True)
class Colours(Image):
    """Pixels of shape (height, width, channels) that lie where those of the image do, and move as they."""

    is_placed: ClassVar[bool] = True
