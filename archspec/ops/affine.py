"""What ops share that multiply by a learned kernel: a bias and an activation behind the product, and their costs."""

from __future__ import annotations

from math import prod
from typing import Any

from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.arguments import Activation, Initializer, Padding, Regularizer, Sizes, weight_rules
from archspec.ops.base import Op
from archspec.ops.masks import refused
from archspec.ops.reach import Axes, windowed
from archspec.ops.shapes import window_places, windows


class Biased(Op):
    """Products with kernels, then a bias and an activation. Order of rules: ``infer``, ``weights``, ``macs``."""

    bias: bool = True
    """Add a bias per output channel."""
    activation: Activation = None
    """Activation of the output."""
    bias_initializer: Initializer = None
    """What the bias is before training."""

    def flops(self, out: TensorSpec, *inputs: TensorSpec) -> int:
        """2 · macs + out.size for the bias + the activation's"""
        return 2 * int(self.macs(out, *inputs)) + self._output_flops(out)

    def transcendentals(self, out: TensorSpec, *inputs: TensorSpec) -> int:
        """the activation's, else 0"""
        return self.activation.transcendentals(out, out) if self.activation else 0

    def _activated(self, out: TensorSpec) -> TensorSpec:
        """The output, unless the activation cannot take it."""
        return self.activation.infer(out) if self.activation else out

    def _output_flops(self, out: TensorSpec) -> int:
        """Adding the bias, and the activation."""
        return (out.size if self.bias else 0) + (self.activation.flops(out, out) if self.activation else 0)

    def _with_bias(self, *kernels: WeightSpec, bias: WeightSpec) -> tuple[WeightSpec, ...]:
        return (*kernels, bias) if self.bias else kernels

    def _keras_output(self, kernel: str = "kernel") -> dict[str, Any]:
        """Keras's arguments for what is declared here, and for how weights start and are held; ``kernel`` is what Keras
        calls the kernel."""
        activation = self.activation.function() if self.activation else None
        return {"use_bias": self.bias, "activation": activation, **weight_rules(self, kernel)}


class Affine(Biased):
    """``Biased`` with one kernel."""

    kernel_initializer: Initializer = None
    """What the kernel is before training."""
    kernel_regularizer: Regularizer = None
    """What of the kernel is added to the loss in training."""


class Convolution(Affine):
    """``Affine`` for the windows of a map: sizes and reach follow from them."""

    masked = refused

    kernel: Sizes = 3
    """Extent of the kernel, per axis."""
    stride: Sizes = 1
    """Step of the kernel, per axis."""
    padding: Padding = "same"
    """Zeros around the input."""
    dilation: Sizes = 1
    """Distance between the kernel's taps, per axis."""

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return windowed(x, self.kernel, self.stride, self.padding, self.dilation, self.activation)

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        """output positions · size of the kernel"""
        return int(elements(out.spatial) * self.weights(x)[0].size)

    def macs_in_bounds(self, out: TensorSpec, x: TensorSpec) -> int:
        places = window_places(x, out.spatial, self.kernel, self.stride, self.padding, self.dilation)
        return places * prod(self.weights(x)[0].shape[x.rank - 1 :])

    def _sizes(self, x: TensorSpec) -> tuple[int | None, ...]:
        """Spatial sizes of the output. Raises OpError."""
        return windows(x, self.name, self.kernel, self.stride, self.padding, self.dilation)
