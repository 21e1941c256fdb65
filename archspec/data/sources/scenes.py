"""Pictures of several made-up shapes: objects with boxes, and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from archspec.data import objects
from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.features.image import Image
from archspec.data.features.mask import Mask
from archspec.data.features.object_masks import bits
from archspec.data.objects import Kept
from archspec.data.source import TRAIN, DataSource
from archspec.data.sources.synthetic import SHAPES, covered, even
from archspec.ir.tensors import TensorSpec
from archspec.ir.validation import config_error
from archspec.ops.arguments import PositiveInt

if TYPE_CHECKING:
    import numpy as np

LEAST = 3.0
"""Smallest radius in pixels that shows what a shape is: of a thinner one the grid may miss all."""
TRIES = 8
"""Places that are tried for a shape before it is left out, for each picture the same number of draws."""
DRAWN = 4 * TRIES
"""Numbers that are drawn for a shape: class, radius, colour, whether it is there, and its places."""


class Scenes(DataSource, name="scenes", main="classes"):
    """One to a few shapes on noise, bright on dark, of random places, sizes and colours, which do not overlap: what
    finds objects, and what gives each pixel a class, has something small and exact to learn.

    Features are image, ``boxes`` (x1, y1, x2, y2, tight about the pixels of each), ``classes`` (0 … ``classes`` - 1),
    and a mask as ``label``: 0 is background, the class of an object and 1 are its pixels'.
    """

    in_memory = True

    classes: Annotated[int, Field(ge=1, le=len(SHAPES))] = 3
    """Number of shapes: the first of disc, square, triangle, cross, ring, frame, bars, checker."""
    size: Annotated[int, Field(ge=16, le=1024)] = 64
    """Height and width in pixels."""
    most: Annotated[int, Field(ge=1, le=32)] = 3
    """Most objects of a picture; each has at least one."""
    smallest: Annotated[float, Field(ge=0.03, le=0.3)] = 0.1
    """Smallest radius of a shape, as a share of the side of the picture."""
    largest: Annotated[float, Field(ge=0.03, le=0.3)] = 0.22
    """Largest radius."""
    train: PositiveInt = 512
    """Pictures to train on."""
    test: PositiveInt = 128
    """Pictures to evaluate on."""
    noise: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Largest deviation of a pixel, as a share of white."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the pictures; not that of the training."""
    masks: bool = False
    """Whether each object has a mask of its own, too."""

    @model_validator(mode="after")
    def _radii(self) -> Self:
        if self.smallest > self.largest:
            message = f"scenes: the smallest radius ({self.smallest:g}) is above the largest ({self.largest:g})"
            raise config_error("value", message)
        if self.smallest * self.size < LEAST:
            message = f"scenes: a radius of {self.smallest:g} is {self.smallest * self.size:g} pixels of {self.size}"
            raise config_error("value", message, f"smallest: {LEAST / self.size:.3g}: {LEAST:g} pixels show a shape")
        return self

    def features(self) -> Example:
        names = SHAPES[: self.classes]
        mask = TensorSpec((self.size, self.size, 1), "uint8")
        return Example(
            {
                IMAGE: Image(TensorSpec((self.size, self.size, 3), "uint8")),
                **objects.features(names, self.most),
                **(objects.mask_features(self.most, (self.size, self.size)) if self.masks else {}),
                LABEL: Mask(mask, self.classes + 1, ("background", *names)),
            },
            {TRAIN: self.train, "test": self.test},
        ).within_memory()

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np

        count = self.train if split == TRAIN else self.test
        first = np.uint64(self.seed * 2 + (split != TRAIN)) << np.uint64(32)
        image = np.empty((count, self.size, self.size, 3), np.uint8)
        mask = np.empty((count, self.size, self.size, 1), np.uint8)
        kept: list[list[Kept]] = []
        for i in range(count):
            image[i], mask[i], found = self._drawn(first + np.uint64(i))
            kept.append(found)
        out = {IMAGE: image, **objects.arrays(kept, [(self.size, self.size)] * count, self.most), LABEL: mask}
        if self.masks:
            channels = -(-self.most // 8)
            masks = np.zeros((count, self.size, self.size, channels), np.uint8)
            for packed, own, picture in zip(masks, kept, mask[..., 0], strict=True):
                # Boxes of scenes share no pixel, and each holds one object alone.
                whole = [_within(one.box, picture.shape) & (picture > 0) for one in own]
                packed[:] = bits(whole, channels, picture.shape)
            out |= {objects.MASKS: masks, objects.PLACES: objects.places(kept, self.most)}
        return out

    def _drawn(self, key: np.uint64) -> tuple[np.ndarray, np.ndarray, list[Kept]]:
        """A picture, its mask and its objects; they follow from the key alone."""
        import numpy as np

        size = self.size
        keys = np.array([key], np.uint64)
        draws = even(keys, 4 + self.most * DRAWN)[0]
        dark, count = draws[:3] * 0.4, 1 + int(draws[3] * self.most)
        value = np.tile(dark, (size, size, 1))
        mask = np.zeros((size, size), np.uint8)
        kept: list[Kept] = []
        for few in draws[4:].reshape(self.most, DRAWN)[:count]:
            label = np.array(few[0] * self.classes, np.int64)
            radius = size * (self.smallest + few[1] * (self.largest - self.smallest))
            for across, down in few[5:][: 2 * TRIES].reshape(TRIES, 2):
                x, y = (radius + at * (size - 2 * radius) for at in (across, down))
                # What lies further away, no shape covers.
                left, top = int(x - radius), int(y - radius)
                width, height = int(x + radius) + 1 - left, int(y + radius) + 1 - top
                there = np.arange(left, left + width) + 0.5, np.arange(top, top + height)[:, None] + 0.5
                near = covered(label, (there[0] - x) / radius, (there[1] - y) / radius)
                rows, columns = np.flatnonzero(near.any(1)).tolist(), np.flatnonzero(near.any(0)).tolist()
                box = (
                    float(left + columns[0]),
                    float(top + rows[0]),
                    float(left + columns[-1] + 1),
                    float(top + rows[-1] + 1),
                )
                if any(_meet(box, one.box) for one in kept):
                    continue
                window = slice(top, top + height), slice(left, left + width)
                mask[window][near], value[window][near] = label + 1, 0.6 + few[2:5] * 0.4
                kept.append(Kept(box, int(label), area=float(near.sum())))
                break
        noise = even(keys ^ np.uint64(0x5555555555555555), value.size).reshape(value.shape)
        pixels: np.ndarray = np.rint(np.clip(value + self.noise * (2 * noise - 1), 0, 1) * 255)
        return pixels.astype(np.uint8), mask[..., None], kept


def _within(box: tuple[float, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Which pixels lie in a box of whole pixels."""
    import numpy as np

    out = np.zeros(shape, bool)
    left, top, right, bottom = map(int, box)
    out[top:bottom, left:right] = True
    return out


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two boxes share a pixel."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
