"""Parts of maps under boxes, all of one size: what a second stage looks at.

A box is ``[x1, y1, x2, y2]``: x to the right, y down, in pixels of the input; a map's ``stride`` says how many of them
one of its positions stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from archspec.ir.tensors import TensorSpec
from archspec.ops.anchors import Lengths
from archspec.ops.arguments import Number, Sizes
from archspec.ops.base import Op, OpError
from archspec.ops.interpolation import INTERPOLATION
from archspec.ops.shapes import floating, per_axis

if TYPE_CHECKING:
    import keras

Pixels = Annotated[float, Field(gt=0, lt=1e9)]


class _OfRegions(Op):
    """Boxes on a map, or on several of which each box has one by its size."""

    size: Sizes
    """Positions of the output, down and to the right, or one number for both."""

    def _made(self, maps: tuple[TensorSpec, ...], boxes: TensorSpec) -> TensorSpec:
        """Raises OpError."""
        for x in maps:
            floating(x, self.name)
            if x.rank != 3 or None in x.shape:
                raise OpError(f"{self.name} needs maps (height, width, channels) of known size, got {x}")
            if x.channels != maps[0].channels:
                raise OpError(f"{self.name} needs maps of equal channels, got {maps[0]} and {x}")
        floating(boxes, self.name)
        if boxes.rank != 2 or boxes.shape[1] != 4 or boxes.shape[0] is None:
            raise OpError(f"{self.name} needs a known number of boxes (boxes, 4), got {boxes}")
        return TensorSpec((boxes.shape[0], *self._sides(), maps[0].channels))

    def _sides(self) -> tuple[int, int]:
        down, right = per_axis(self.size, 2, "size")
        return down, right


class RoiAlign(_OfRegions, name="roi_align", main="size"):
    """Each box in bins, ``size`` down and to the right, and in each bin the mean of ``samples`` · ``samples`` places
    between the positions of the map (He et al. 2017): (boxes, height, width, channels). Beyond one position over the
    border is 0.

    ``{roi_align: {size: 7, stride: 16}, from: [map, boxes]}``. Of several maps, ``from: [p, found.boxes]`` for those of
    a pyramid, each box is looked at on one: that whose stride is ``canonical_stride`` for a box as large as
    ``canonical_size``, half of it for one half as long, and so on (Lin et al. 2017).
    """

    stride: Lengths
    """Pixels of the input from one position to the next; for several maps one for each, each twice that before."""
    samples: Annotated[int, Field(ge=0, le=64)] = 2
    """Places in a bin along each axis; 0 for as many as a bin has positions, which depends on the box."""
    aligned: bool = True
    """Positions lie in the middle of what they stand for. False is the older form, half a position off and no box
    smaller than a position, which torchvision's detectors have."""
    canonical_size: Pixels = 224.0
    """The square root of the area, in pixels, at which a box is looked at on the map of ``canonical_stride``."""
    canonical_stride: Pixels = 16.0
    """The stride of that map."""

    def infer(self, *inputs: TensorSpec) -> TensorSpec:
        if len(inputs) < 2:
            raise OpError(f"roi_align needs a map and boxes, got {len(inputs)} tensor", help="from: [map, boxes]")
        *maps, boxes = inputs
        if len(self.stride) != len(maps):
            raise OpError(f"roi_align needs a stride for each map: {len(maps)}", argument="stride")
        if any(b != 2 * a for a, b in zip(self.stride, self.stride[1:], strict=False)):
            message = "roi_align: of several maps each has twice the stride of the one before"
            raise OpError(message, argument="stride", help="the finest first: [4, 8, 16, 32]")
        return self._made(tuple(maps), boxes)

    def flops(self, out: TensorSpec, *inputs: TensorSpec) -> int:
        """8 · samples² · out.size, and 12 for each box; where samples is 0, as many as for a box as large as the map"""
        down, right = out.shape[1] or 1, out.shape[2] or 1
        height, width = (max(x.shape[i] or 0 for x in inputs[:-1]) for i in (0, 1))
        taken = self.samples**2 or -(-height // down) * -(-width // right)
        return (INTERPOLATION + 1) * taken * out.size + 12 * inputs[-1].size // 4

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.regions import AlignedRegions

        return AlignedRegions(
            self._sides(),
            self.stride,
            self.samples,
            aligned=self.aligned,
            canonical=(self.canonical_size, self.canonical_stride),
        )


class RoiPool(_OfRegions, name="roi_pool", main="size"):
    """Each box in bins, and of each bin the largest number of each channel: (boxes, height, width, channels) (Girshick
    2015). Corners are rounded to positions, both of which belong to the box, and bins overlap where it does not divide;
    an empty bin, such as one beyond the border, is 0. The rule is Caffe's, as in torchvision."""

    stride: Pixels
    """Pixels of the input from one position of the map to the next."""

    def infer(self, x: TensorSpec, boxes: TensorSpec) -> TensorSpec:
        return self._made((x,), boxes)

    def flops(self, out: TensorSpec, x: TensorSpec, boxes: TensorSpec) -> int:
        """at most, for boxes as large as the map: each of its positions once for each box"""
        return (boxes.shape[0] or 0) * x.size

    def lower(self, x: TensorSpec, boxes: TensorSpec) -> keras.Layer:
        from archspec.layers.regions import PooledRegions

        return PooledRegions(self._sides(), self.stride)


class CropAndResize(_OfRegions, name="crop_and_resize", main="size"):
    """Each box of an image, or of a map, warped to one size: (boxes, height, width, channels), between positions as
    ``resize`` has it without smoothing (R-CNN, Girshick et al. 2014). What lies more than half a position beyond the
    border is ``fill``.

    With ``mode: torch_area`` corners are rounded down to positions, boxes are cut at the border, and each output is the
    mean of all positions that its cell touches, as ``resize`` has it: so boxes are made smaller without aliasing
    (MTCNN, Zhang et al. 2016). A box of which nothing is left is ``fill``."""

    stride: Pixels = 1.0
    """Pixels of the input from one position to the next."""
    fill: Number = 0.0
    """What lies outside."""
    mode: Literal["bilinear", "torch_area"] = "bilinear"
    """Between positions, or the mean of positions."""

    def infer(self, x: TensorSpec, boxes: TensorSpec) -> TensorSpec:
        return self._made((x,), boxes)

    def flops(self, out: TensorSpec, x: TensorSpec, boxes: TensorSpec) -> int:
        """7 · out.size and 8 for each box; of torch_area at most, for boxes as large as the map, each of its positions
        once for each box"""
        if self.mode == "torch_area":
            return (boxes.shape[0] or 0) * x.size
        return INTERPOLATION * out.size + 2 * boxes.size

    def lower(self, x: TensorSpec, boxes: TensorSpec) -> keras.Layer:
        from archspec.layers.regions import CroppedRegions

        return CroppedRegions(self._sides(), self.stride, self.fill, self.mode)
