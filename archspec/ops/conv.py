"""Convolutions over channels-last inputs; 1D, 2D or 3D follows the input."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.arguments import Activation, Padding, PositiveInt, Sizes, Width
from archspec.ops.base import Op, OpError
from archspec.ops.shapes import known_channels, per_axis, spatial_rank, windows

if TYPE_CHECKING:
    import keras


class Conv(Op, name="conv", main="filters"):
    """Convolution (cross-correlation, as everywhere in deep learning)."""

    filters: Width
    """Output channels."""
    kernel: Sizes = 1
    """Extent of the kernel, per axis."""
    stride: Sizes = 1
    """Step of the kernel, per axis."""
    padding: Padding = "same"
    """Zeros around the input."""
    dilation: Sizes = 1
    """Distance between the kernel's taps, per axis."""
    groups: PositiveInt = 1
    """Channel groups that are convolved apart; divides input channels and filters."""
    bias: bool = True
    """Add a bias per filter."""
    activation: Activation = None
    """Activation of the output."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        channels = known_channels(x, "conv")
        for what, n in (("input channels", channels), ("filters", self.filters)):
            if n % self.groups:
                raise OpError(f"conv: {self.groups} groups do not divide {n} {what}", argument="groups")
        return TensorSpec(
            (*windows(x, "conv", self.kernel, self.stride, self.padding, self.dilation), self.filters)
        )

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        taps = per_axis(self.kernel, spatial_rank(x, "conv"), "kernel")
        kernel = WeightSpec("kernel", (*taps, known_channels(x, "conv") // self.groups, self.filters))
        return (kernel, WeightSpec("bias", (self.filters,))) if self.bias else (kernel,)

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        return elements(out.spatial) * prod(self.weights(x)[0].shape)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        extra = out.size if self.bias else 0
        return 2 * self.macs(out, x) + extra + (self.activation.flops(out, out) if self.activation else 0)

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        return self.activation.transcendentals(out, out) if self.activation else 0

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.convolution import conv

        return conv(
            rank=spatial_rank(x, "conv"),
            filters=self.filters,
            kernel_size=self.kernel,
            strides=self.stride,
            padding=self.padding,
            dilation_rate=self.dilation,
            groups=self.groups,
            use_bias=self.bias,
            activation=self.activation.function() if self.activation else None,
        )
