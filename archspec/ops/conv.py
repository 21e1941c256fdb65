"""Convolutions over channels-last inputs; 1D, 2D or 3D follows the input."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Literal

from archspec.ir.declaration import shared
from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.arguments import (
    Activation,
    Initializer,
    Padding,
    PositiveInt,
    Regularizer,
    Sizes,
    Width,
    output_transcendentals,
    through_activation,
    weight_rules,
    with_output_flops,
)
from archspec.ops.base import Op, OpError
from archspec.ops.masks import refused
from archspec.ops.meeting import divisors_of
from archspec.ops.peers import for_each_element
from archspec.ops.reach import Axes, each_element, windowed
from archspec.ops.shapes import (
    explicit_padding,
    floating,
    known_channels,
    per_axis,
    refuse_dilated_stride,
    spatial_rank,
    window_places,
    windows,
)

if TYPE_CHECKING:
    import keras


def places_in_bounds(op: Any, out: TensorSpec, x: TensorSpec) -> int:
    """Places of all windows of an op that do not fall on padding."""
    return window_places(x, out.spatial, op.kernel, op.stride, op.padding, op.dilation)


@shared
def kernel_macs(self: Any, out: TensorSpec, x: TensorSpec) -> int:
    """output positions · size of the kernel"""
    return int(elements(out.spatial) * self.weights(x)[0].size)


@shared
def kernel_macs_in_bounds(self: Any, out: TensorSpec, x: TensorSpec) -> int:
    kernel: WeightSpec = self.weights(x)[0]
    return places_in_bounds(self, out, x) * prod(kernel.shape[x.rank - 1 :])


class Conv(Op, name="conv", main="filters"):
    """Convolution (cross-correlation, as everywhere in deep learning)."""

    convention = "convolution"
    kernel_writes = (-1,)
    is_equivariant = True

    filters: Width
    """Output channels."""
    kernel: Sizes = 1
    """Extent of the kernel, per axis."""
    stride: Sizes = 1
    """Step of the kernel, per axis."""
    padding: Padding = "same"
    """Zeros around the input."""
    dilation: Sizes = 1
    """Distance between the kernel's taps, per axis; needs stride 1."""
    groups: PositiveInt = 1
    """Channel groups that are convolved apart; divides input channels and filters."""
    bias: bool = True
    """Add a bias per filter."""
    activation: Activation = None
    """Activation of the output."""
    kernel_initializer: Initializer = None
    """What the kernel is before training."""
    bias_initializer: Initializer = None
    """What the bias is before training."""
    kernel_regularizer: Regularizer = None
    """What of the kernel is added to the loss in training."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "conv")
        channels = known_channels(x, "conv")
        for what, n in (("input channels", channels), ("filters", self.filters)):
            if n % self.groups:
                raise OpError(
                    f"conv: {self.groups} groups do not divide {n} {what}", argument="groups", help=divisors_of(n, what)
                )
        sizes = windows(x, "conv", self.kernel, self.stride, self.padding, self.dilation)
        refuse_dilated_stride(self.stride, self.dilation, "conv")
        return through_activation(self, TensorSpec((*sizes, self.filters)))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return windowed(x, self.kernel, self.stride, self.padding, self.dilation, self.activation)

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        taps = per_axis(self.kernel, spatial_rank(x, "conv"), "kernel")
        kernel = WeightSpec(
            "kernel",
            (*taps, known_channels(x, "conv") // self.groups, self.filters),
            reads=-2 if self.groups == 1 else None,
        )
        return (kernel, WeightSpec("bias", (self.filters,))) if self.bias else (kernel,)

    def factors(self, rank: int) -> tuple[Op, Op] | None:
        if self.groups != 1:
            return None
        windows = {name: getattr(self, name) for name in ("kernel", "stride", "padding", "dilation")}
        own = {"activation": self.activation, "bias_initializer": self.bias_initializer}
        first = Conv(filters=rank, bias=False).model_copy(update=windows)
        return first, Conv(filters=self.filters, bias=self.bias).model_copy(update=own)

    macs, macs_in_bounds = kernel_macs, kernel_macs_in_bounds
    flops, transcendentals = with_output_flops, output_transcendentals

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.convolution import conv

        rank = spatial_rank(x, "conv")
        return conv(
            rank=rank,
            filters=self.filters,
            kernel_size=self.kernel,
            strides=self.stride,
            padding=keras_padding(self.padding, rank),
            dilation_rate=self.dilation,
            groups=self.groups,
            use_bias=self.bias,
            activation=self.activation.function() if self.activation else None,
            **weight_rules(self),
        )


class Bias(Op, name="bias", main="per"):
    """Adds a learned bias."""

    saves = "nothing"
    convention = "elementwise"
    is_equivariant = True

    per: Literal["channel", "position", "element"] = "channel"
    """What has a bias of its own: each channel, each spatial position (its channels share it), or each element."""

    reach = each_element
    torch = for_each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "bias")
        shape = self._shape(x)
        if self.per == "position" and x.rank < 2:
            raise OpError(f"bias per position needs spatial axes, got {x}", argument="per")
        if None in shape:
            raise OpError(f"bias per {self.per} needs known sizes, got {x}", argument="per")
        return TensorSpec(x.shape)

    def is_positional(self) -> bool:
        return self.per != "channel"

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("bias", self._shape(x), reads=None if self.per == "position" else -1),)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.convolution import Bias

        return Bias(per=self.per)

    def _shape(self, x: TensorSpec) -> tuple[Any, ...]:
        return {"channel": x.shape[-1:], "position": (*x.spatial, 1), "element": x.shape}[self.per]


def keras_padding(padding: str | int | tuple[tuple[int, int], ...], rank: int) -> str | tuple[tuple[int, int], ...]:
    return padding if isinstance(padding, str) else explicit_padding(padding, rank)
