"""Windows over channels-last inputs whose weights are given, or differ from place to place."""

from __future__ import annotations

from math import comb, prod
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.affine import Affine
from archspec.ops.arguments import (
    Initializer,
    Padding,
    Sizes,
    Width,
)
from archspec.ops.base import Op, OpError
from archspec.ops.masks import refused
from archspec.ops.reach import POINT, Axes, Reach, windowed
from archspec.ops.shapes import floating, known_channels, per_axis, sides_of, spatial_rank, window_places, windows

if TYPE_CHECKING:
    import keras


class LocallyConnected(Affine, name="locally_connected", main="filters"):
    """Convolution whose weights are not shared: every place has a kernel, and a bias, of its own (LeCun 1989)."""

    convention = "unknown"

    filters: Width
    """Output channels."""
    kernel: Sizes = 3
    """Extent of the kernels, per axis."""
    stride: Sizes = 1
    """Step of the kernels, per axis."""
    padding: Padding = "valid"
    """Zeros around the input."""
    kernel_initializer: Initializer = None
    """What the kernels are before training; null is Keras's for so many inputs and filters."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "locally_connected")
        known_channels(x, "locally_connected")
        if None in x.shape:
            raise OpError(f"locally_connected needs known sizes: it has weights for every place, got {x}")
        return self._activated(TensorSpec((*self._sizes(x), self.filters)))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return windowed(x, self.kernel, self.stride, self.padding, 1, self.activation)

    def is_positional(self) -> bool:
        return True

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        taps, sizes = prod(per_axis(self.kernel, x.rank - 1, "kernel")), self._sizes(x)
        channels = known_channels(x, "locally_connected")
        kernel = WeightSpec("kernel", (elements(sizes), taps * channels, self.filters))
        return self._with_bias(kernel, bias=WeightSpec("bias", (*map(int, sizes), self.filters)))  # type: ignore[arg-type]

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        """size of all kernels"""
        return prod(self.weights(x)[0].shape)

    def macs_in_bounds(self, out: TensorSpec, x: TensorSpec) -> int:
        places = window_places(x, out.spatial, self.kernel, self.stride, self.padding)
        return places * known_channels(x, "locally_connected") * self.filters

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.local import LocallyConnected

        rank = spatial_rank(x, "locally_connected")
        return LocallyConnected(
            self.filters,
            per_axis(self.kernel, rank, "kernel"),
            per_axis(self.stride, rank, "stride"),
            self._sides(x),
            **self._keras_output(),
        )

    def _sizes(self, x: TensorSpec) -> tuple[int | None, ...]:
        return windows(x, "locally_connected", self.kernel, self.stride, self.padding)

    def _sides(self, x: TensorSpec) -> tuple[tuple[int, int], ...]:
        """Zeros before and after each axis."""
        return sides_of(x, self._sizes(x), self.kernel, self.stride, self.padding, 1)


class BlurPool(Op, name="blur_pool", main="size"):
    """Blurs by a binomial filter and takes every ``stride``-th position, so that a shift of the input shifts the output
    (Zhang 2019). Takes the place of a stride: ``max_pool`` with stride 1, then this."""

    convention = "image"
    saves = "nothing"
    hands_on = "means"

    size: Annotated[int, Field(ge=1, le=16)] = 3
    """Taps of the filter along each axis: 3 is [1, 2, 1] / 4, 4 the paper's default for most networks."""
    stride: Sizes = 2
    """Step of the filter, per axis."""
    mode: Literal["reflect", "zero"] = "reflect"
    """What is beyond the border."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "blur_pool")
        known_channels(x, "blur_pool")
        sizes = windows(x, "blur_pool", self.size, self.stride, self._sides(x), kernel_name="size")
        if self.mode == "reflect" and any(n is not None and n <= self.size // 2 for n in x.spatial):
            raise OpError(f"blur_pool: {x} is too small to be mirrored by {self.size // 2}", argument="size")
        return TensorSpec((*sizes, x.channels))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        far = self.size // 2
        # What is mirrored at the end lies before.
        before = far if self.mode == "reflect" else (self.size - 1) // 2
        strides = per_axis(self.stride, x.rank - 1, "stride")
        return ((*(Reach(before, far, s) for s in strides), POINT),)

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        """out.size · taps of the filter, as a depthwise convolution"""
        return out.size * int(self.size ** (x.rank - 1))

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.local import BlurPool

        taps = [comb(self.size - 1, i) / 2 ** (self.size - 1) for i in range(self.size)]
        strides = per_axis(self.stride, spatial_rank(x, "blur_pool"), "stride")
        return BlurPool(taps, strides, "reflect" if self.mode == "reflect" else "constant")

    def _sides(self, x: TensorSpec) -> tuple[tuple[int, int], ...]:
        return (((self.size - 1) // 2, self.size // 2),) * spatial_rank(x, "blur_pool")
