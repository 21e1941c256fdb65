"""Convolutions whose kernels read one channel each, over channels-last inputs; 1D or 2D follows the input."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.affine import Biased, Convolution
from archspec.ops.arguments import (
    Initializer,
    Padding,
    Regularizer,
    Sizes,
    Width,
)
from archspec.ops.base import OpError
from archspec.ops.conv import keras_padding
from archspec.ops.masks import refused
from archspec.ops.peers import depthwise
from archspec.ops.reach import Axes, windowed
from archspec.ops.shapes import floating, known_channels, per_axis, spatial_rank, window_places, windows

if TYPE_CHECKING:
    import keras


class DepthwiseConv(Convolution, name="depthwise_conv", main="kernel"):
    """Depthwise convolution: every input channel has kernels of its own (1D and 2D)."""

    convention = "convolution"
    kernel_writes = (-2, -1)
    is_equivariant = True

    multiplier: Width = 1
    """Kernels, and so output channels, per input channel."""

    torch = depthwise

    def infer(self, x: TensorSpec) -> TensorSpec:
        _refuse_volumes(x, "depthwise_conv")
        return self._activated(TensorSpec((*self._sizes(x), known_channels(x, "depthwise_conv") * self.multiplier)))

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        taps = per_axis(self.kernel, spatial_rank(x, "depthwise_conv"), "kernel")
        channels = known_channels(x, "depthwise_conv")
        kernel = WeightSpec("kernel", (*taps, channels, self.multiplier))
        return self._with_bias(kernel, bias=WeightSpec("bias", (channels * self.multiplier,)))

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
            **self._keras_output("depthwise"),
        )


class SeparableConv(Biased, name="separable_conv", main="filters"):
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
    depthwise_initializer: Initializer = None
    """What the depthwise kernels are before training."""
    pointwise_initializer: Initializer = None
    """What the 1×1 kernel is before training."""
    depthwise_regularizer: Regularizer = None
    """What of the depthwise kernels is added to the loss in training."""
    pointwise_regularizer: Regularizer = None
    """What of the 1×1 kernel is added to the loss in training."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        _refuse_volumes(x, "separable_conv")
        known_channels(x, "separable_conv")
        sizes = windows(x, "separable_conv", self.kernel, self.stride, self.padding, self.dilation)
        return self._activated(TensorSpec((*sizes, self.filters)))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return windowed(x, self.kernel, self.stride, self.padding, self.dilation, self.activation)

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        rank, channels = spatial_rank(x, "separable_conv"), known_channels(x, "separable_conv")
        kernels = (
            WeightSpec("depthwise_kernel", (*per_axis(self.kernel, rank, "kernel"), channels, self.multiplier)),
            WeightSpec("pointwise_kernel", (*(1,) * rank, channels * self.multiplier, self.filters)),
        )
        return self._with_bias(*kernels, bias=WeightSpec("bias", (self.filters,)))

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        """output positions · (size of the depthwise + size of the pointwise kernel)"""
        depthwise, pointwise, *_ = self.weights(x)
        return elements(out.spatial) * (depthwise.size + pointwise.size)

    def macs_in_bounds(self, out: TensorSpec, x: TensorSpec) -> int:
        depthwise, pointwise, *_ = self.weights(x)
        channels = prod(depthwise.shape[x.rank - 1 :])
        places = window_places(x, out.spatial, self.kernel, self.stride, self.padding, self.dilation)
        return places * channels + elements(out.spatial) * pointwise.size

    def backward_macs(self, needed: tuple[bool, ...], out: TensorSpec, x: TensorSpec) -> int:
        """twice the macs, but for the depthwise kernels' where no gradient by the input is needed"""
        return 2 * self.macs(out, x) - elements(out.spatial) * self.weights(x)[0].size * (not any(needed))

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
            **self._keras_output(),
        )


def _refuse_volumes(x: TensorSpec, op: str) -> None:
    floating(x, op)
    if spatial_rank(x, op) == 3:
        raise OpError(f"{op} takes 1 or 2 spatial axes, got {x}", help="conv with as many groups as channels takes 3")
