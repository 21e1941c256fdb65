"""Convolutions whose kernels read one channel each, over channels-last inputs; 1D or 2D follows the input."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.arguments import (
    Activation,
    Initializer,
    Padding,
    Regularizer,
    Sizes,
    Width,
    output_transcendentals,
    through_activation,
    weight_rules,
    with_output_flops,
)
from archspec.ops.base import Op, OpError
from archspec.ops.conv import keras_padding, kernel_macs, kernel_macs_in_bounds, places_in_bounds
from archspec.ops.masks import refused
from archspec.ops.peers import depthwise
from archspec.ops.reach import Axes, windowed
from archspec.ops.shapes import floating, known_channels, per_axis, spatial_rank, windows

if TYPE_CHECKING:
    import keras


class DepthwiseConv(Op, name="depthwise_conv", main="kernel"):
    """Depthwise convolution: every input channel has kernels of its own (1D and 2D)."""

    convention = "convolution"
    kernel_writes = (-2, -1)
    is_equivariant = True

    kernel: Sizes = 3
    """Extent of the kernels, per axis."""
    stride: Sizes = 1
    """Step of the kernels, per axis."""
    padding: Padding = "same"
    """Zeros around the input."""
    dilation: Sizes = 1
    """Distance between the kernels' taps, per axis."""
    multiplier: Width = 1
    """Kernels, and so output channels, per input channel."""
    bias: bool = True
    """Add a bias per output channel."""
    activation: Activation = None
    """Activation of the output."""
    kernel_initializer: Initializer = None
    """What the kernel is before training."""
    bias_initializer: Initializer = None
    """What the bias is before training."""
    kernel_regularizer: Regularizer = None
    """What of the kernel is added to the loss in training."""

    masked = refused

    torch = depthwise

    def infer(self, x: TensorSpec) -> TensorSpec:
        _refuse_volumes(x, "depthwise_conv")
        sizes = windows(x, "depthwise_conv", self.kernel, self.stride, self.padding, self.dilation)
        return through_activation(self, TensorSpec((*sizes, known_channels(x, "depthwise_conv") * self.multiplier)))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return windowed(x, self.kernel, self.stride, self.padding, self.dilation, self.activation)

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        taps = per_axis(self.kernel, spatial_rank(x, "depthwise_conv"), "kernel")
        channels = known_channels(x, "depthwise_conv")
        kernel = WeightSpec("kernel", (*taps, channels, self.multiplier))
        return (kernel, WeightSpec("bias", (channels * self.multiplier,))) if self.bias else (kernel,)

    macs, macs_in_bounds = kernel_macs, kernel_macs_in_bounds
    flops, transcendentals = with_output_flops, output_transcendentals

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.convolution import depthwise_conv

        rank = spatial_rank(x, "depthwise_conv")
        return depthwise_conv(
            rank=rank,
            kernel_size=self.kernel,
            strides=self.stride,
            padding=keras_padding(self.padding, rank),
            dilation_rate=self.dilation,
            depth_multiplier=self.multiplier,
            use_bias=self.bias,
            activation=self.activation.function() if self.activation else None,
            **weight_rules(self, "depthwise"),
        )


class SeparableConv(Op, name="separable_conv", main="filters"):
    """Depthwise separable convolution: depthwise, then 1×1, with nothing in between (1D and 2D)."""

    convention = "convolution"
    is_equivariant = True

    filters: Width
    """Output channels."""
    kernel: Sizes = 3
    """Extent of the depthwise kernels, per axis."""
    stride: Sizes = 1
    """Step of the depthwise kernels, per axis."""
    padding: Padding = "same"
    """Zeros around the input."""
    dilation: Sizes = 1
    """Distance between the depthwise kernels' taps, per axis."""
    multiplier: Width = 1
    """Depthwise kernels per input channel."""
    bias: bool = True
    """Add a bias per filter."""
    activation: Activation = None
    """Activation of the output."""
    depthwise_initializer: Initializer = None
    """What the depthwise kernels are before training."""
    pointwise_initializer: Initializer = None
    """What the 1×1 kernel is before training."""
    bias_initializer: Initializer = None
    """What the bias is before training."""
    depthwise_regularizer: Regularizer = None
    """What of the depthwise kernels is added to the loss in training."""
    pointwise_regularizer: Regularizer = None
    """What of the 1×1 kernel is added to the loss in training."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        _refuse_volumes(x, "separable_conv")
        known_channels(x, "separable_conv")
        sizes = windows(x, "separable_conv", self.kernel, self.stride, self.padding, self.dilation)
        return through_activation(self, TensorSpec((*sizes, self.filters)))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return windowed(x, self.kernel, self.stride, self.padding, self.dilation, self.activation)

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        rank, channels = spatial_rank(x, "separable_conv"), known_channels(x, "separable_conv")
        kernels = (
            WeightSpec("depthwise_kernel", (*per_axis(self.kernel, rank, "kernel"), channels, self.multiplier)),
            WeightSpec("pointwise_kernel", (*(1,) * rank, channels * self.multiplier, self.filters)),
        )
        return (*kernels, WeightSpec("bias", (self.filters,))) if self.bias else kernels

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        """output positions · (size of the depthwise + size of the pointwise kernel)"""
        depthwise, pointwise, *_ = self.weights(x)
        return elements(out.spatial) * (depthwise.size + pointwise.size)

    def macs_in_bounds(self, out: TensorSpec, x: TensorSpec) -> int:
        depthwise, pointwise, *_ = self.weights(x)
        channels = prod(depthwise.shape[x.rank - 1 :])
        return places_in_bounds(self, out, x) * channels + elements(out.spatial) * pointwise.size

    def backward_macs(self, needed: tuple[bool, ...], out: TensorSpec, x: TensorSpec) -> int:
        """twice the macs, but for the depthwise kernels' where no gradient by the input is needed"""
        return 2 * self.macs(out, x) - elements(out.spatial) * self.weights(x)[0].size * (not any(needed))

    flops, transcendentals = with_output_flops, output_transcendentals

    def saved_within(self, out: TensorSpec, x: TensorSpec) -> tuple[TensorSpec, ...]:
        """what the depthwise convolution gives"""
        return (TensorSpec((*out.spatial, known_channels(x, "separable_conv") * self.multiplier)),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.convolution import separable_conv

        rank = spatial_rank(x, "separable_conv")
        return separable_conv(
            rank=rank,
            filters=self.filters,
            kernel_size=self.kernel,
            strides=self.stride,
            padding=keras_padding(self.padding, rank),
            dilation_rate=self.dilation,
            depth_multiplier=self.multiplier,
            use_bias=self.bias,
            activation=self.activation.function() if self.activation else None,
            **weight_rules(self),
        )


def _refuse_volumes(x: TensorSpec, op: str) -> None:
    floating(x, op)
    if spatial_rank(x, op) == 3:
        raise OpError(f"{op} takes 1 or 2 spatial axes, got {x}", help="conv with as many groups as channels takes 3")
