"""Maps read between their positions, at places that are computed: sampling by a grid, and deformable convolution."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Literal

from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.affine import Convolution
from archspec.ops.arguments import (
    Width,
)
from archspec.ops.base import Op, OpError
from archspec.ops.masks import refused
from archspec.ops.reach import EVERYTHING, POINT, Axes
from archspec.ops.shapes import floating, known_channels, per_axis, sides_of

if TYPE_CHECKING:
    import keras

INTERPOLATION = 7
"""Operations for a number between four: three blends of two."""


class GridSample(Op, name="grid_sample"):
    """A map read at the places of a grid (spatial transformers, Jaderberg et al. 2015), as PyTorch's function does.

    The grid is (height, width, 2) of the output: x, then y, from -1 at one border of the map to 1 at the other. What
    lies beyond the border is 0.
    """

    convention = "unknown"

    mode: Literal["bilinear", "nearest"] = "bilinear"
    """Between positions: by distance from the four around, or the nearest."""
    align_corners: bool = False
    """Whether -1 and 1 are the middles of the first and last position, or their outer edges."""

    masked = refused

    def infer(self, x: TensorSpec, grid: TensorSpec) -> TensorSpec:
        for what in (x, grid):
            floating(what, "grid_sample")
        if x.rank != 3 or None in x.shape:
            raise OpError(f"grid_sample needs a map (height, width, channels) of known size, got {x}")
        if grid.rank != 3 or grid.channels != 2:
            raise OpError(f"grid_sample needs a grid (height, width, 2) of x and y, got {grid}")
        return TensorSpec((*grid.spatial, x.channels))

    def reach(self, x: TensorSpec, grid: TensorSpec) -> tuple[Axes, ...]:
        return (EVERYTHING, EVERYTHING, POINT), (POINT, POINT, EVERYTHING)

    def flops(self, out: TensorSpec, x: TensorSpec, grid: TensorSpec) -> int:
        """bilinear: 7 · out.size, nearest: 0; and 4 for every number of the grid"""
        return (INTERPOLATION * out.size if self.mode == "bilinear" else 0) + 4 * grid.size

    def lower(self, x: TensorSpec, grid: TensorSpec) -> keras.Layer:
        from archspec.layers.interpolation import GridSample

        return GridSample(self.mode, self.align_corners)


class DeformableConv(Convolution, name="deformable_conv", main="filters"):
    """Convolution of a map whose taps are moved by offsets, which another layer computes (Dai et al. 2017), and
    weighted by a third input if there is one (Zhu et al. 2018).

    ``offset`` has the output's height and width, and for every tap, row by row, how far down and how far to the right:
    2 · taps channels, or several times as many for as many groups of input channels. ``weight`` has half as many. With
    offsets of 0, and no weights, it is ``conv``. Beyond the border is 0.
    """

    convention = "unknown"

    filters: Width
    """Output channels."""

    def infer(self, x: TensorSpec, offset: TensorSpec, weight: TensorSpec | None = None) -> TensorSpec:
        for what in (x, offset, *([weight] if weight else [])):
            floating(what, "deformable_conv")
        if x.rank != 3 or None in x.shape:
            raise OpError(f"deformable_conv needs a map (height, width, channels) of known size, got {x}")
        sizes = self._sizes(x)
        taps, channels = prod(per_axis(self.kernel, 2, "kernel")), known_channels(x, "deformable_conv")
        groups = (offset.channels or 0) // (2 * taps)
        if offset.shape != (*sizes, 2 * taps * groups) or not groups or channels % groups:
            wanted = TensorSpec((*sizes, 2 * taps))
            raise OpError(
                f"deformable_conv: offsets of {taps} taps are {wanted}, or so many for each of several groups of the "
                f"{channels} channels, got {offset}",
                help=f"conv: {2 * taps} with the same kernel, stride and padding computes them",
            )
        if weight is not None and weight.shape != (*sizes, taps * groups):
            raise OpError(
                f"deformable_conv: weights of the taps are {TensorSpec((*sizes, taps * groups))}, got {weight}"
            )
        return self._activated(TensorSpec((*sizes, self.filters)))

    def reach(self, x: TensorSpec, *others: TensorSpec) -> tuple[Axes, ...]:
        return (
            ((EVERYTHING,) * 3, *((POINT, POINT, EVERYTHING),) * len(others))
            if self._is_local()
            else (None,) * (1 + len(others))
        )

    def weights(self, x: TensorSpec, *others: TensorSpec) -> tuple[WeightSpec, ...]:
        taps = per_axis(self.kernel, 2, "kernel")
        kernel = WeightSpec("kernel", (*taps, known_channels(x, "deformable_conv"), self.filters), reads=-2)
        return self._with_bias(kernel, bias=WeightSpec("bias", (self.filters,)))

    def macs(self, out: TensorSpec, x: TensorSpec, *others: TensorSpec) -> int:
        """output positions · size of the kernel"""
        return elements(out.spatial) * prod(self.weights(x)[0].shape)

    def backward_macs(self, needed: tuple[bool, ...], out: TensorSpec, x: TensorSpec, *others: TensorSpec) -> int:
        """the macs by the kernel, and once more for what is read, if a gradient by any input is needed"""
        return self.macs(out, x) * (1 + any(needed))

    def flops(self, out: TensorSpec, x: TensorSpec, *others: TensorSpec) -> int:
        """2 · macs + 7 for each number that is read between positions, 1 for its weight + those of conv"""
        read = elements(out.spatial) * prod(self.weights(x)[0].shape[:3])
        each = INTERPOLATION + (len(others) - 1)
        return 2 * self.macs(out, x) + each * read + self._output_flops(out)

    def saved_within(self, out: TensorSpec, x: TensorSpec, *others: TensorSpec) -> tuple[TensorSpec, ...]:
        """what is read for each tap"""
        return (TensorSpec((*out.spatial, prod(self.weights(x)[0].shape[:3]))),)

    def lower(self, x: TensorSpec, *others: TensorSpec) -> keras.Layer:
        from archspec.layers.interpolation import DeformableConvolution

        named = (("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation))
        kernel, stride, dilation = (per_axis(value, 2, name) for name, value in named)
        sizes = self._sizes(x)
        sides = sides_of(x, sizes, self.kernel, self.stride, self.padding, self.dilation)
        return DeformableConvolution(
            self.filters,
            kernel,
            stride,
            dilation,
            [before for before, _ in sides],
            **self._keras_output(),
        )

    def _is_local(self) -> bool:
        """Whether the activation leaves positions apart."""
        return self.activation is None or self.activation.reach(TensorSpec((None,) * 3))[0][:2] == (POINT, POINT)
