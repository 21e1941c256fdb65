"""The colours of an image beside what a network sees of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archspec.data.example import COLOURS, IMAGE, Example
from archspec.data.features.colours import Colours
from archspec.data.transform import Transform, image_of
from archspec.data.transforms.caching import Cache
from archspec.data.transforms.geometric import Geometric
from archspec.training.task import TaskError

if TYPE_CHECKING:
    from archspec.data.draw import Draw
    from archspec.data.transform import Batch


class KeepColours(Transform):
    """A copy of the image, which later transforms move and do not change otherwise."""

    def infer(self, features: Example) -> Example:
        image = image_of(features, "--crf")
        if image.dtype != "uint8":
            raise TaskError(f"--crf compares colours of 8-bit images, the data are {image}", at=())
        return features.with_features(**{COLOURS: Colours(image)})

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        return {**batch, COLOURS: batch[IMAGE]}


def with_colours(steps: Sequence[Transform]) -> tuple[Transform, ...]:
    """The transforms with a copy of the image before the first that changes its values. What comes first may decide
    which part of a file is read, and stays first."""
    plain = [step for step in steps if not isinstance(step, Cache)]
    first = next((i for i, step in enumerate(plain) if not isinstance(step, Geometric)), len(plain))
    return (*plain[:first], KeepColours(), *plain[first:])
