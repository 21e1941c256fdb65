"""Several looks at an image in place of one: their probabilities are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from archspec.data.source import IMAGE, FeatureSpec
from archspec.data.transform import Transform, image_of
from archspec.data.transforms.crops import CenterCrop
from archspec.data.transforms.geometry import Extent
from archspec.training.task import TaskError

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch

Views = Literal["single", "flip", "ten_crop"]
NAMES: tuple[Views, ...] = ("single", "flip", "ten_crop")

PLACES = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5))
"""Corners and middle: the share of the rows left over that lies above the part, and of the columns left of it."""


class Part(Transform):
    """A part of the image at a given place."""

    size: Extent
    down: float
    right: float

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        return CenterCrop(size=self.size).infer(features)

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        shape = tf.shape(batch[IMAGE])
        left_over = [tf.cast(shape[axis] - self.size[axis - 1], tf.float32) for axis in (1, 2)]
        top, left = (tf.cast(n * share, tf.int32) for n, share in zip(left_over, (self.down, self.right), strict=True))
        return {**batch, IMAGE: tf.image.crop_to_bounding_box(batch[IMAGE], top, left, *self.size)}


class Mirrored(Transform):
    """Every image with left and right swapped."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image_of(features, "a mirrored view")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        image: tf.Tensor = batch[IMAGE]
        return {**batch, IMAGE: image[:, :, ::-1]}


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
            help="evaluate: {transforms: [resize: 256, center_crop: 224, …]}",
        )
    size = steps[at].size  # type: ignore[attr-defined]
    parts = [(*steps[:at], Part(size=size, down=d, right=r), *steps[at + 1 :]) for d, r in PLACES]
    return [look for part in parts for look in (part, (*part, Mirrored()))]
