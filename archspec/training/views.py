"""Several looks at an image in place of one: their probabilities are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import PositiveInt

from archspec.data.example import IMAGE, Example
from archspec.data.fields import Extent
from archspec.data.pixels import keep_type
from archspec.data.transform import Transform, image_of
from archspec.data.transforms.caching import Cache
from archspec.data.transforms.crops import CenterCrop, ResizedCenterCrop
from archspec.data.transforms.geometry import Resize
from archspec.data.transforms.letterboxes import Letterbox
from archspec.ir.tensors import TensorSpec
from archspec.training.looking import Views
from archspec.training.task import TaskError

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch

PLACES = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5))
"""Corners and middle: the share of the rows left over that lies above the part, and of the columns left of it."""


class CropAt(Transform):
    """A part of the image at a given place."""

    size: Extent
    down: float
    right: float

    def infer(self, features: Example) -> Example:
        return CenterCrop(size=self.size).infer(features)

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        shape = tf.shape(batch[IMAGE])
        left_over = [tf.cast(shape[axis] - self.size[axis - 1], tf.float32) for axis in (1, 2)]
        top, left = (tf.cast(n * share, tf.int32) for n, share in zip(left_over, (self.down, self.right), strict=True))
        return {**batch, IMAGE: tf.image.crop_to_bounding_box(batch[IMAGE], top, left, *self.size)}


class Mirrored(Transform):
    """Every image with left and right swapped."""

    def infer(self, features: Example) -> Example:
        image_of(features, "a mirrored view")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        image: tf.Tensor = batch[IMAGE]
        return {**batch, IMAGE: image[:, :, ::-1]}


class ShortSide(Transform):
    """Scale so that the short side has a given length; the long one is rounded down."""

    length: PositiveInt

    def infer(self, features: Example) -> Example:
        image = image_of(features, "a scale")
        height, width = image.spatial
        known = height is not None and width is not None
        sizes = self.sizes(height, width) if known else (None, None)  # type: ignore[arg-type]
        return features.with_image(TensorSpec((*sizes, image.channels), image.dtype))

    def sizes(self, height: int, width: int) -> tuple[int, int]:
        """What an image of this size becomes."""
        short = min(height, width)
        return height * self.length // short, width * self.length // short

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image: tf.Tensor = batch[IMAGE]
        shape = tf.shape(image)[1:3]
        sizes = shape * self.length // tf.reduce_min(shape)
        # Enlarging has nothing to average.
        antialias = None in image.shape[1:3] or self.length < min(image.shape[1:3])
        out = keep_type(tf.image.resize(image, sizes, antialias=antialias), image.dtype)
        known = None in image.shape[1:3] or self.sizes(*image.shape[1:3])
        return {**batch, IMAGE: out if known is True else tf.ensure_shape(out, (None, *known, image.shape[-1]))}


def starts(extent: int, size: int, overlap: float) -> list[int]:
    """Where windows of a size begin that cover all from 0 to ``extent``, evenly spread, of which each shares at least
    ``overlap`` of it with the next."""
    step = max(1, int(size * (1 - overlap)))
    count = -(-(extent - size) // step) + 1
    return [round(k * (extent - size) / max(count - 1, 1)) for k in range(count)]


SIZING = (Resize, CenterCrop, ResizedCenterCrop, Letterbox)
"""What brings an image to the size that a network takes."""


def unsized(steady: Sequence[Transform]) -> tuple[Transform, ...]:
    """The transforms for an image that stays in its own size."""
    return tuple(step for step in steady if not isinstance(step, (*SIZING, Cache)))


def scaled(
    steady: Sequence[Transform], scales: Sequence[int], size: tuple[int, int], *, dense: bool
) -> list[tuple[Transform, ...]]:
    """The transforms at each length of the short side, in place of those that give the image its size.

    ``size`` is the network's own; of each image its middle is taken, or with ``dense`` all of it. Without ``scales``
    the transforms stay, but for what cuts off where all is taken. Raises TaskError for a scale below the network's.
    """
    sizing = (Resize, CenterCrop, ResizedCenterCrop)
    if not scales:
        return [tuple(_uncut(step) for step in steady if not isinstance(step, CenterCrop)) if dense else tuple(steady)]
    if small := [n for n in scales if n < max(size)]:
        raise TaskError(f"a short side of {small[0]} is less than the network's {max(size)}", at=())
    first = next((i for i, step in enumerate(steady) if isinstance(step, sizing)), 0)
    before = tuple(steady[:first])
    after = tuple(step for step in steady[first:] if not isinstance(step, (*sizing, Cache)))
    cut = () if dense else (CenterCrop(size=size),)
    return [(*before, ShortSide(length=n), *cut, *after) for n in scales]


def _uncut(step: Transform) -> Transform:
    """What scales and cuts as what only scales."""
    return ShortSide(length=round(min(step.size) / step.share)) if isinstance(step, ResizedCenterCrop) else step


def views(steady: Sequence[Transform], which: Views) -> list[tuple[Transform, ...]]:
    """The transforms of each look. Raises TaskError where there is nothing to take ten crops of."""
    steps = tuple(steady)
    if which == "single":
        return [steps]
    if which == "flip":
        return [steps, (*steps, Mirrored())]
    at = next((i for i in reversed(range(len(steps))) if isinstance(steps[i], CenterCrop)), None)
    if at is None:
        raise TaskError(
            "ten_crop needs images larger than the network's, of which the middle is taken",
            at=("evaluate", "transforms"),
            help="put {resize: 256} and {center_crop: 224} first in the transforms of evaluate",
        )
    size = steps[at].size  # type: ignore[attr-defined]
    parts = [(*steps[:at], CropAt(size=size, down=d, right=r), *steps[at + 1 :]) for d, r in PLACES]
    return [look for part in parts for look in (part, (*part, Mirrored()))]
