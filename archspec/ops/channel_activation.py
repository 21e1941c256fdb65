"""Activations over channels, or another axis: shares, maxima, and gates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from archspec.ir.declaration import shared
from archspec.ir.tensors import TensorSpec
from archspec.ops.activation import activation_layer, per_element
from archspec.ops.arguments import Activation, PositiveInt
from archspec.ops.base import Op, OpError
from archspec.ops.masks import of_first
from archspec.ops.meeting import divisors_of
from archspec.ops.reach import along_axis, each_position
from archspec.ops.shapes import floating, known_channels, normalize_axis, vectors

if TYPE_CHECKING:
    import keras


@shared
def over_axis(self: Any, x: TensorSpec) -> TensorSpec:
    """The shape of the input."""
    floating(x, self.name)
    normalize_axis(self.axis, x, self.name)
    return x


@shared
def over_one_value(self: Any, x: TensorSpec) -> bool:
    """Whether the axis has one position, whose share is all."""
    return x.shape[normalize_axis(self.axis, x, self.name)] == 1


@shared
def softmax_flops(self: Any, out: TensorSpec, x: TensorSpec) -> int:
    """4 · out.size - 2 · rows"""
    return 4 * out.size - 2 * vectors(out, self.axis % out.rank)


def axis_function(self: Any) -> Any:
    """What Keras takes as an ``activation`` argument."""
    if self.axis == -1:
        return self.name
    from archspec.layers.activation import ActivationFunction

    # Keras counts the batch axis.
    return ActivationFunction(self.name, axis=self.axis if self.axis < 0 else self.axis + 1)


@shared
def axis_layer(self: Any, x: TensorSpec) -> keras.Layer:
    """The function as a layer; over steps, one that knows of masks."""
    axis = normalize_axis(self.axis, x, self.name)
    if axis == x.rank - 1:
        return activation_layer(self, x)
    from archspec.layers.activation import SoftmaxOverSteps

    return SoftmaxOverSteps(axis + 1, log=self.name == "log_softmax")


@shared
def unmasked_softmax(self: Any, x: TensorSpec) -> keras.Layer | None:
    """Keras's layer, over another axis than that of channels."""
    import keras

    axis = normalize_axis(self.axis, x, self.name)
    return None if axis == x.rank - 1 else keras.layers.Softmax(axis + 1)


class Softmax(Op, name="softmax", main="axis"):
    """exp(x) / Σ exp(x) over an axis."""

    saves = "output"
    convention = "elementwise"
    is_activation = True
    number = "distribution"

    axis: int = -1
    """Axis to normalise, the batch axis not counted; -1 is channels."""

    masked = of_first
    reach, is_constant = along_axis, over_one_value
    infer, flops, transcendentals = over_axis, softmax_flops, per_element(1)
    lower, lower_unmasked, function = axis_layer, unmasked_softmax, axis_function


class LogSoftmax(Op, name="log_softmax", main="axis"):
    """Logarithm of softmax over an axis."""

    saves = "output"
    convention = "elementwise"
    is_activation = True
    number = "log_distribution"

    axis: int = -1
    """Axis to normalise, the batch axis not counted; -1 is channels."""

    masked = of_first
    reach, is_constant = along_axis, over_one_value
    infer, flops, lower, function = over_axis, softmax_flops, axis_layer, axis_function

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        """out.size + rows"""
        return out.size + vectors(out, self.axis % out.rank)


class Maxout(Op, name="maxout", main="pieces"):
    """Maximum over each run of ``pieces`` consecutive channels; follows a linear layer (Goodfellow et al. 2013)."""

    convention = "channelwise"
    is_activation = True
    number = "score"

    pieces: PositiveInt
    """Channels that become one; divides the channels."""

    reach = each_position

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "maxout")
        channels = known_channels(x, "maxout")
        if channels % self.pieces:
            message = f"maxout: pieces of {self.pieces} do not divide {channels} channels"
            raise OpError(message, argument="pieces", help=divisors_of(channels, "channels"))
        return TensorSpec((*x.spatial, channels // self.pieces), x.dtype)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return out.size * (self.pieces - 1)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.activation import Maxout

        return Maxout(self.pieces)


class Glu(Op, name="glu", main="gate"):
    """The first half of the channels, times a gate: the second half through an activation. With ``sigmoid`` the gated
    linear unit (Dauphin et al. 2016); ``silu`` makes it SwiGLU, ``gelu`` GEGLU, ``linear`` bilinear (Shazeer 2020).

    The halves are those of one linear layer before it: ``- dense: 128``, ``- {glu: silu}`` gives 64 channels.
    """

    convention = "channelwise"
    is_activation = True
    is_equivariant = True
    keeps_zero = True
    number = "score"

    gate: Activation = Field("sigmoid", validate_default=True)
    """The activation of the second half."""

    reach = each_position

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "glu")
        channels = known_channels(x, "glu")
        if channels % 2:
            raise OpError(
                f"glu: {channels} channels have no halves", help=f"an even number of channels before it: {channels + 1}"
            )
        out = TensorSpec((*x.spatial, channels // 2), x.dtype)
        self.gate.infer(out)
        return out

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """out.size + the gate's"""
        return out.size + int(self.gate.flops(out, out))

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        """the gate's"""
        return int(self.gate.transcendentals(out, out))

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.activation import GatedLinearUnit

        return GatedLinearUnit(self.gate.function())
