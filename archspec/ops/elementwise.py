"""Functions of each element by itself.

Of two tensors they are merges (``subtract``, ``multiply``, ``divide``); bounded or thresholded ones that follow a layer
are activations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from archspec.ir.declaration import shared
from archspec.ir.tensors import TensorSpec
from archspec.ops.activation import activation_layer, keras_function, per_element, same_shape
from archspec.ops.arguments import Number
from archspec.ops.base import Op, OpError
from archspec.ops.reach import each_element
from archspec.ops.shapes import floating

if TYPE_CHECKING:
    import keras


@shared
def function_layer(self: Any, x: TensorSpec) -> keras.Layer:
    """The function of ``keras.ops`` that has the op's name, as a layer."""
    from archspec.layers.elementwise import Elementwise

    return Elementwise(self.name)


class Exp(Op, name="exp"):
    """The exponential function. Of large inputs it is infinite in float32 above 88, in float16 above 11."""

    saves = "output"
    convention = "elementwise"
    is_activation = True
    is_equivariant = True
    reach = each_element
    infer, transcendentals, lower = same_shape, per_element(1), activation_layer
    function = keras_function("exponential")


class Logarithm(Op, name="log"):
    """The natural logarithm: -∞ of 0, not a number below. ``{clip: {min: 1.0e-7}}`` before it bounds it."""

    convention = "elementwise"
    is_equivariant = True
    reach = each_element
    infer, transcendentals, lower = same_shape, per_element(1), function_layer


class Sqrt(Op, name="sqrt"):
    """The square root: not a number below 0, and of infinite slope at 0. ``{clip: {min: 1.0e-7}}`` before it bounds
    it."""

    saves = "output"
    convention = "elementwise"
    is_equivariant = True
    keeps_zero = True
    reach = each_element
    infer, transcendentals, lower = same_shape, per_element(1), function_layer


class Square(Op, name="square"):
    """x · x."""

    convention = "elementwise"
    is_equivariant = True
    keeps_zero = True
    reach = each_element
    infer, flops, lower = same_shape, per_element(1), function_layer


class Abs(Op, name="abs"):
    """|x|."""

    convention = "elementwise"
    is_equivariant = True
    keeps_zero = True
    reach = each_element
    infer, flops, lower = same_shape, per_element(1), function_layer


class Sign(Op, name="sign"):
    """-1, 0 or 1. No gradient goes through it."""

    convention = "elementwise"
    is_equivariant = True
    keeps_zero = True
    stops_gradient = True
    reach = each_element
    infer, flops, lower = same_shape, per_element(1), function_layer


class Power(Op, name="power", main="exponent"):
    """x to a given power. Of negative numbers only whole powers are numbers."""

    convention = "elementwise"
    is_equivariant = True

    exponent: Number
    """The power: 0.5 is ``sqrt``, -1 the reciprocal."""

    reach = each_element
    infer, transcendentals = same_shape, per_element(1)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.elementwise import Elementwise

        return Elementwise("power", x2=self.exponent)


class ClipValues(Op, name="clip"):
    """The nearest number between two bounds, of which one may be left out. No gradient goes through what is clipped."""

    convention = "elementwise"
    is_equivariant = True

    min: Number | None = None
    """Lower bound; none, if not given."""
    max: Number | None = None
    """Upper bound; none, if not given."""

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "clip")
        if self.min is None and self.max is None:
            raise OpError("clip needs a bound", help="clip: {min: 0}, {max: 1} or both")
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise OpError(f"clip: min {self.min:g} is not below max {self.max:g}", argument="min")
        return x

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """out.size for each bound"""
        return ((self.min is not None) + (self.max is not None)) * out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.elementwise import ClipValues

        if self.min == 0:
            import keras

            return keras.layers.ReLU(max_value=self.max)
        return ClipValues(self.min, self.max)


class Cast(Op, name="cast", main="dtype"):
    """The same numbers in another type. Fractions become whole numbers towards 0; of truth values there are two, 0 and
    not 0. No gradient goes through what is not floating."""

    saves = "nothing"
    convention = "elementwise"
    is_equivariant = True

    dtype: Literal["float32", "float16", "bfloat16", "float64", "int32", "int64", "uint8", "bool"]
    """The type of the output."""

    reach = each_element
    flops = per_element(0)

    def infer(self, x: TensorSpec) -> TensorSpec:
        return TensorSpec(x.shape, self.dtype)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.elementwise import Cast

        return Cast(dtype=self.dtype)
