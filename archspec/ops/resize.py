"""Resampling of the spatial axes.

Pixel centres lie at half positions, as in TensorFlow 2 and PyTorch's ``align_corners=False``: output ``o`` of ``n_out``
is the input at (o + ½) · n_in / n_out - ½. Nothing is smoothed before it is made smaller, except by ``area``.

``nearest``        the input whose cell holds the centre, ⌊(o + ½) · n_in / n_out⌋, a copy: TensorFlow's, Keras's,
                   and PyTorch's ``nearest-exact``
``bilinear``       linear between two neighbours along each axis (1D, 2D and 3D), constant outside: that of all three
``bicubic``        Keys's cubic with a = -½, without what lies outside (2D): TensorFlow's and Keras's
``area``           mean over the input's part that the output's cell covers, in proportion: TensorFlow's
``torch_nearest``  the input in which the output's cell begins, ⌊o · n_in / n_out⌋, a copy: PyTorch's ``nearest``
``torch_bicubic``  the cubic with a = -¾, constant outside (2D): PyTorch's ``bicubic``
``torch_area``     mean over all inputs that the output's cell touches, each weighing the same: PyTorch's ``area``

``align_corners`` (of ``bilinear`` and ``torch_bicubic``) is PyTorch's: output ``o`` is the input at
o · (n_in - 1) / (n_out - 1), so that corners fall on corners.
"""

from __future__ import annotations

from math import gcd, prod
from typing import TYPE_CHECKING, Literal

from archspec.ir.tensors import TensorSpec, elements
from archspec.ops.arguments import Sizes
from archspec.ops.base import Op, OpError
from archspec.ops.reach import Axes, enlarged, resampled, tiled
from archspec.ops.shapes import floating, per_axis, spatial_rank

if TYPE_CHECKING:
    import keras

Mode = Literal["nearest", "bilinear", "bicubic", "area", "torch_nearest", "torch_bicubic", "torch_area"]
CUBIC = ("bicubic", "torch_bicubic")


class Upsample(Op, name="upsample", main="factor"):
    """Spatial axes made ``factor`` times as large."""

    saves = "nothing"
    convention = "image"
    hands_on = "means"
    is_equivariant = True

    factor: Sizes = 2
    """Whole factor, for every axis or one per axis."""
    mode: Mode = "nearest"
    """Interpolation; for whole factors ``area`` is ``nearest``, and PyTorch's are, too. ``bicubic`` is TensorFlow's,
    ``torch_bicubic`` PyTorch's."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        factors = per_axis(self.factor, spatial_rank(x, "upsample"), "factor")
        _check(x, self.mode, "upsample", needs_sizes=self.mode in CUBIC)
        sizes = (None if n is None else n * f for n, f in zip(x.spatial, factors, strict=True))
        return TensorSpec((*sizes, x.shape[-1]), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        if self._copies:
            return enlarged(x, per_axis(self.factor, x.rank - 1, "factor"))
        return resampled(x, self.infer(x).spatial, 1 if self.mode in CUBIC else 0)

    @property
    def _copies(self) -> bool:
        """Whether each element is repeated."""
        return self.mode not in (*CUBIC, "bilinear")

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """nearest, area: 0; else (2 · taps - 1) · out.size, taps 2 per axis (bicubic 4)"""
        return 0 if self._copies else _flops(self.mode, out, x)

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        factors = per_axis(self.factor, x.rank - 1, "factor")
        if self.mode == "torch_bicubic":
            from archspec.layers.resize import Resize

            return Resize([n for n in self.infer(x).spatial if n], self.mode)
        mode = "nearest" if self._copies else self.mode
        if mode == "bilinear" and (x.rank != 3 or None in x.spatial):
            # Keras has it for known heights and widths only.
            from archspec.layers.resize import LinearUpsampling

            return LinearUpsampling(factors)
        if x.rank == 3:
            return keras.layers.UpSampling2D(factors, interpolation=mode)
        return keras.layers.UpSampling1D(factors[0]) if x.rank == 2 else keras.layers.UpSampling3D(factors)


class Resize(Op, name="resize", main="size"):
    """Spatial axes brought to a given size."""

    saves = "nothing"
    convention = "image"
    hands_on = "means"

    size: Sizes
    """Size of every axis, or one per axis: ``[height, width]``."""
    mode: Mode = "bilinear"
    """Interpolation: ``nearest``, ``bicubic`` and ``area`` are TensorFlow's, those with ``torch_`` PyTorch's."""
    align_corners: bool = False
    """Have corners fall on corners, as PyTorch's option of that name does: of ``bilinear`` and ``torch_bicubic``."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        sizes = per_axis(self.size, spatial_rank(x, "resize"), "size")
        by_keras = self.mode in KERAS and not self.align_corners
        if self.align_corners and self.mode not in ("bilinear", "torch_bicubic"):
            message = f"resize: align_corners is of bilinear and torch_bicubic, mode is {self.mode}"
            raise OpError(message, argument="align_corners", help="mode: torch_bicubic" if self.mode in CUBIC else None)
        _check(x, self.mode, "resize", needs_sizes=not by_keras or x.rank != 3)
        return TensorSpec((*sizes, x.shape[-1]), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        sizes = per_axis(self.size, x.rank - 1, "size")
        if self.align_corners:
            return (None,)
        if self.mode in ("area", "torch_area"):
            return tiled(x, sizes)
        beside = {"bilinear": 0, "bicubic": 1, "torch_bicubic": 1}.get(self.mode)
        return resampled(x, sizes, beside, at_centres=self.mode != "torch_nearest")

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """nearest: 0; else 2 · taps - 1 for each output, taps 2 per axis (bicubic 4; area: the inputs it covers)"""
        return _flops(self.mode, out, x)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.resize import Resize

        sizes = per_axis(self.size, x.rank - 1, "size")
        if x.rank == 3 and self.mode in KERAS and not self.align_corners:
            import keras

            return keras.layers.Resizing(*sizes, interpolation=self.mode, data_format="channels_last")
        return Resize(sizes, self.mode, self.align_corners)


KERAS = ("nearest", "bilinear", "bicubic")
"""Modes that Keras has, of images."""


def _check(x: TensorSpec, mode: str, op: str, *, needs_sizes: bool) -> None:
    """Raises OpError if the input cannot be resampled so."""
    floating(x, op)
    if mode in CUBIC and x.rank != 3:
        raise OpError(f"{op}: {mode} needs height, width and channels, got {x}", argument="mode")
    if needs_sizes and None in x.spatial:
        raise OpError(f"{op}: {mode} needs known sizes, got {x}", argument="mode")


def _flops(mode: str, out: TensorSpec, x: TensorSpec) -> int:
    """2 · taps - 1 for each output (a product for each tap, and their sum); a copy costs nothing."""
    if mode in ("nearest", "torch_nearest"):
        return 0
    if mode in ("area", "torch_area"):
        # Along an axis the two partitions cut each other into in + out - gcd pieces: so many taps there are in all.
        axes = [(elements((a,)), elements((b,))) for a, b in zip(x.spatial, out.spatial, strict=True)]
        taps = prod(a + b - gcd(a, b) for a, b in axes)
        positions = elements(out.spatial)
        return 0 if taps == positions else (2 * taps - positions) * elements(out.shape[-1:])
    taps = 16 if mode in CUBIC else 2 ** (out.rank - 1)
    return (2 * taps - 1) * out.size
