"""Factors and offsets: given ones, learnt ones per channel, and the one that makes a vector's length 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ir.validation import refuse
from archspec.ops.arguments import Number
from archspec.ops.base import Op, OpError
from archspec.ops.reach import along_axis, each_element
from archspec.ops.shapes import floating, known_channels, normalize_axis, vectors

if TYPE_CHECKING:
    import keras


def _per_channel(value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if values and all(isinstance(v, (int, float)) and not isinstance(v, bool) and abs(v) < 1e30 for v in values):
        return tuple(float(v) for v in values)
    raise refuse("must be a number, or a list of one per channel")


def _positive_per_channel(value: object) -> tuple[float, ...]:
    values = _per_channel(value)
    if min(values) <= 0:
        raise refuse("must be a positive number, or a list of one per channel")
    return values


_SCHEMA = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]})


class Scale(Op, name="scale", main="factor"):
    """factor · x + offset, both given. Integer inputs, such as pixels, become float32."""

    saves = "nothing"
    convention = "elementwise"
    is_equivariant = True
    hands_on = "scaled"

    factor: Number
    """What to multiply by."""
    offset: Number = 0.0
    """What to add then."""

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        return _as_float(x)

    def is_constant(self, x: TensorSpec) -> bool:
        return self.factor == 0

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return ((self.factor != 1) + (self.offset != 0)) * out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Rescaling(self.factor, self.offset)


class Normalize(Op, name="normalize"):
    """(x - mean) / std with given constants, as images are brought to the range that a network was trained on. Integer
    inputs become float32."""

    saves = "nothing"
    convention = "channelwise"
    normalizes = True
    is_equivariant = True
    hands_on = "scaled"

    mean: Annotated[tuple[float, ...], PlainValidator(_per_channel), _SCHEMA] = (0.0,)
    """What to subtract, for all channels or one per channel."""
    std: Annotated[tuple[float, ...], PlainValidator(_positive_per_channel), _SCHEMA] = (1.0,)
    """What to divide by, for all channels or one per channel."""

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        channels = known_channels(x, "normalize")
        for argument, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise OpError(
                    f"normalize: {argument} has {len(values)} values for {channels} channels", argument=argument
                )
        return _as_float(x)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return 2 * out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        channels = known_channels(x, "normalize")
        mean = self.mean * (1 if len(self.mean) > 1 else channels)
        std = self.std * (1 if len(self.std) > 1 else channels)
        return keras.layers.Normalization(mean=list(mean), variance=[s * s for s in std])


class LayerScale(Op, name="layer_scale", main="init"):
    """x · gamma, learnt per channel (Touvron et al. 2021)."""

    convention = "elementwise"
    is_equivariant = True
    hands_on = "scaled"
    keeps_zero = True

    init: Number = 1e-6
    """Value of every gamma at the start."""

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "layer_scale")
        known_channels(x, "layer_scale")
        return x

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("gamma", (known_channels(x, "layer_scale"),), reads=0),)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.scaling import LayerScale

        return LayerScale(self.init)


class L2Normalize(Op, name="l2_normalize", main="axis"):
    """x / ‖x‖: every vector along an axis at length 1, so that products of two are cosines."""

    is_equivariant = True
    keeps_zero = True

    axis: int = -1
    """Axis of the vectors, the batch axis not counted; -1 is channels."""

    reach = along_axis

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "l2_normalize")
        normalize_axis(self.axis, x, "l2_normalize")
        return x

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """3 · x.size"""
        return 3 * x.size

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        """one for each vector"""
        return vectors(x, normalize_axis(self.axis, x, "l2_normalize"))

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        from archspec.layers.normalization import UnitLengthNormalization

        is_wide = keras.config.dtype_policy().compute_dtype in ("float32", "float64")
        kind = keras.layers.UnitNormalization if is_wide else UnitLengthNormalization
        return kind(axis=normalize_axis(self.axis, x, "l2_normalize") + 1)


def _as_float(x: TensorSpec) -> TensorSpec:
    return x if "float" in x.dtype else TensorSpec(x.shape)
