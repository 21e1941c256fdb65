"""What happens to examples on their way into a batch.

Transforms work on batches: tensors with a leading axis of examples. Where sizes are still open, a batch is one example.
8-bit images stay 8-bit until a transform says otherwise, so that what travels is small and floats are made late.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from archspec.data.source import DataError, FeatureSpec
from archspec.ir.declaration import Declaration
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw

    Batch = dict[str, tf.Tensor]


class TransformError(DataError):
    """A transform cannot take what it gets; ``position`` is its place in the list."""

    position: int = 0


class Transform(Declaration, package="archspec.data.transforms"):
    """One step. Order of rules: fields, ``infer``, ``evaluation``, ``apply``."""

    is_random: ClassVar[bool] = False
    """True where the outcome is drawn; such a step stands out of evaluation unless ``evaluation`` replaces it."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        """What an example is afterwards. Raises TransformError."""
        return features

    def evaluation(self) -> Transform | None:
        """What takes its place when a model is evaluated; None for nothing."""
        return None if self.is_random else self

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        """The batch with the step done; ``draw`` gives random numbers by example."""
        raise NotImplementedError


def image_of(features: FeatureSpec, name: str) -> TensorSpec:
    """The image, of height, width and channels. Raises TransformError for anything else."""
    image = features.image
    if image.rank != 3:
        raise TransformError(f"{name} needs images of height, width and channels, the data are {image}")
    return image


def infer(features: FeatureSpec, transforms: Sequence[Transform]) -> tuple[FeatureSpec, ...]:
    """What an example is before the first transform and after each. Raises TransformError."""
    out = [features]
    for position, transform in enumerate(transforms):
        try:
            out.append(transform.infer(out[-1]))
        except TransformError as error:
            error.position = position
            raise
    return tuple(out)


def for_evaluation(transforms: Sequence[Transform]) -> tuple[Transform, ...]:
    """The transforms without what is random."""
    return tuple(step for transform in transforms if (step := transform.evaluation()))


def keep_type(image: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """A float image as the type it had before: rounded and kept within 0 … 255 where that is 8-bit."""
    import tensorflow as tf

    return tf.saturate_cast(tf.round(image), dtype) if dtype.is_integer else image
