"""What values pixels have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from archspec.data.source import IMAGE, FeatureSpec
from archspec.data.transform import Transform, TransformError
from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import Number, refuse

if TYPE_CHECKING:
    from archspec.data.draw import Draw
    from archspec.data.transform import Batch


def _by_channel(value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if values and all(isinstance(v, (int, float)) and not isinstance(v, bool) and abs(v) < 1e30 for v in values):
        return tuple(float(v) for v in values)
    raise refuse("must be a number, or a list of one per channel")


def _positive_by_channel(value: Any) -> tuple[float, ...]:
    values = _by_channel(value)
    if min(values) <= 0:
        raise refuse("must be a positive number, or a list of one per channel")
    return values


_SCHEMA = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]})


class Rescale(Transform, name="rescale"):
    """8-bit values 0 … 255 to a range of floats."""

    low: Number = 0.0
    """What 0 becomes."""
    high: Number = 1.0
    """What 255 becomes."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image = features.image
        if image.dtype != "uint8":
            raise TransformError(
                f"rescale needs 8-bit images, the data are {image.dtype}", help="use normalize: {mean: …, std: …}"
            )
        return features.with_image(TensorSpec(image.shape))

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = tf.cast(batch[IMAGE], tf.float32)
        return {**batch, IMAGE: image * ((self.high - self.low) / 255) + self.low}


class Normalize(Transform, name="normalize"):
    """(x - mean) / std, by channel, in the units that the values have here; the result is float32."""

    mean: Annotated[tuple[float, ...], BeforeValidator(_by_channel), _SCHEMA] = (0.0,)
    """What to subtract, for all channels or one per channel."""
    std: Annotated[tuple[float, ...], BeforeValidator(_positive_by_channel), _SCHEMA] = (1.0,)
    """What to divide by, for all channels or one per channel."""

    def infer(self, features: FeatureSpec) -> FeatureSpec:
        image = features.image
        for argument, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, image.channels):
                raise TransformError(f"normalize: {argument} has {len(values)} values, the images are {image}")
        return features.with_image(TensorSpec(image.shape))

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        return {**batch, IMAGE: (tf.cast(batch[IMAGE], tf.float32) - self.mean) / tf.constant(self.std)}
