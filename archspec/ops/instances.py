"""Ops on single objects: what a head predicts for an object's own class, out of all classes, and masks within boxes.

What a network predicts of an object's mask fills its box, whatever the box's size; ``paste_masks`` brings it to pixels.
Masks of the truth are bits of the image's pixels (``archspec/data/features/object_masks.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from archspec.ir.meaning import Meanings
from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import Share, Sizes
from archspec.ops.base import Op, OpError
from archspec.ops.interpolation import INTERPOLATION
from archspec.ops.reshape import Range
from archspec.ops.shapes import floating, normalize_axis, per_axis

if TYPE_CHECKING:
    import keras


class OfClass(Op, name="of_class", main="axis"):
    """The prediction for each row's own class: (rows, …, classes, …) without the axis of classes. A row of class -1
    gets that of the first class, which no loss should count.

    ``{of_class: {axis: 1}, from: [deltas, found.classes]}`` takes (rows, 4) of (rows, classes, 4), ``{of_class: ,
    from: [masks, found.classes]}`` (rows, 28, 28) of (rows, 28, 28, classes).
    """

    moves_data = True
    hands_on = "elements"

    axis: int = -1
    """Axis of the classes, the batch axis not counted."""
    background: Literal["none", "first"] = "none"
    """With ``first``, class 0 of the axis is background, and rows have classes without it, as those of ``nms`` are."""

    def infer(self, x: TensorSpec, classes: TensorSpec) -> TensorSpec:
        if classes.rank != 1 or not classes.dtype.startswith("int"):
            raise OpError(f"of_class needs a class of each row (rows,) as integers, got {classes} {classes.dtype}")
        axis = normalize_axis(self.axis, x, self.name)
        if axis == 0:
            raise OpError(f"of_class needs rows (rows, …, classes), got {x} and axis {self.axis}", argument="axis")
        if x.shape[0] != classes.shape[0]:
            raise OpError(f"of_class needs a class of each row, got {x} and {classes}")
        return TensorSpec((*x.shape[:axis], *x.shape[axis + 1 :]), x.dtype)

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        x, _ = inputs
        of, classes = x.shape[normalize_axis(self.axis, x, self.name)], given[1]
        if classes is not None and None not in (of, classes.classes):
            count = (classes.classes or 0) + (self.background == "first")
            if of != count:
                raise OpError(f"of_class: {x} is of {of} classes, and there are {count}")
        return given[:1]

    def lower(self, x: TensorSpec, classes: TensorSpec) -> keras.Layer:
        from archspec.layers.instances import OfClass

        return OfClass(normalize_axis(self.axis, x, self.name) + 1, int(self.background == "first"))


class CropMasks(Op, name="crop_masks", main="size"):
    """The masks of the objects that own regions, as they lie in the regions: what a mask head is taught (He et al.
    2017). (rows, height, width) of 0 and 1, float32. ``{crop_masks: 28, from: [truth.masks, region]}``, where
    ``region`` is what ``sample_regions`` gave.

    It is ``roi_align`` of the object's mask in the image's pixels, from 0.5 on 1, as in Detectron2; there as many
    places are looked at in a bin as it has pixels, here ``samples`` along each axis.
    """

    stops_gradient = True

    size: Sizes
    """Pixels of the output, down and to the right, or one number for both."""
    samples: Annotated[int, Field(ge=1, le=64)] = 2
    """Places in a pixel of the output along each axis, of which the mean is taken."""

    def infer(self, masks: TensorSpec, places: TensorSpec, boxes: TensorSpec, owner: TensorSpec) -> TensorSpec:
        if masks.rank != 3 or None in masks.shape or masks.dtype != "uint8":
            wanted = "masks (height, width, channels) uint8, a bit for each object"
            raise OpError(
                f"crop_masks needs {wanted}, got {masks} {masks.dtype}",
                help="truth.masks of an input truth: {objects: …, masks: [height, width]}",
            )
        floating(boxes, self.name)
        if boxes.rank != 2 or boxes.shape[1] != 4 or boxes.shape[0] is None:
            raise OpError(f"crop_masks needs a known number of boxes (rows, 4), got {boxes}")
        for name, x in (("places", places), ("owner", owner)):
            if x.rank != 1 or x.shape[0] is None or not x.dtype.startswith("int"):
                raise OpError(f"crop_masks needs {name} (rows,) as integers, got {x} {x.dtype}")
        if boxes.shape[0] != owner.shape[0]:
            raise OpError(f"crop_masks needs an owner of each box, got {boxes} and {owner}")
        return TensorSpec((boxes.shape[0], *per_axis(self.size, 2, "size")))

    def flops(self, out: TensorSpec, *inputs: TensorSpec) -> int:
        """8 · samples² · out.size, and 12 for each box"""
        return (INTERPOLATION + 1) * self.samples**2 * out.size + 12 * (out.shape[0] or 0)

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.instances import CroppedMasks

        down, right = per_axis(self.size, 2, "size")
        return CroppedMasks((down, right), self.samples)


class PasteMasks(Op, name="paste_masks", main="size"):
    """Masks in their boxes as masks of the image: (rows, height, width), between their pixels, with 0 around them, as
    in Detectron2. ``{paste_masks: [480, 640], from: [masks, found.boxes]}``; numbers of at least 0.5 are the object."""

    size: Sizes
    """Pixels of the image, down and to the right, or one number for both."""

    def infer(self, masks: TensorSpec, boxes: TensorSpec) -> TensorSpec:
        for x in (masks, boxes):
            floating(x, self.name)
        if masks.rank != 3 or None in masks.shape:
            raise OpError(f"paste_masks needs masks (rows, height, width) of known size, got {masks}")
        if boxes.rank != 2 or boxes.shape != (masks.shape[0], 4):
            raise OpError(f"paste_masks needs a box for each mask, got {masks} and {boxes}")
        return TensorSpec((masks.shape[0], *per_axis(self.size, 2, "size")))

    def flops(self, out: TensorSpec, *inputs: TensorSpec) -> int:
        """at most, for boxes as large as the image: 7 · out.size, and 8 for each row"""
        return INTERPOLATION * out.size + 8 * (out.shape[0] or 0)

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.instances import PastedMasks

        down, right = per_axis(self.size, 2, "size")
        return PastedMasks((down, right))


class MergePanoptic(Op, name="merge_panoptic", main="overlap"):
    """One picture of objects and of what is around them (Kirillov et al. 2018): for each pixel the number of its
    segment, (height, width) int32. Number k + 1 is the object of row k, rows + 1 + c class c of the semantic scores, 0
    nothing. ``{merge_panoptic: {area: 4096}, from: [masks, found.scores, semantic]}``, where ``masks`` are those of
    ``paste_masks``.

    Objects come surest first, and have the pixels that are still free; one of which too much is taken is left out.
    Other pixels are of the class with the highest score, if it is one of ``stuff`` and they are enough.
    """

    stops_gradient = True

    overlap: Share = 0.5
    """Share of an object's pixels above which, taken by surer ones, they leave it out."""
    score: Share = 0.5
    """Score below which an object is left out."""
    area: Annotated[int, Field(ge=0, le=2**31)] = 4096
    """Pixels of a class below which, in the whole image, it is left out."""
    stuff: Range = (0, None)
    """``[start, stop]`` of the classes that are no objects, stop excluded, null for the end; the others stay free."""

    def infer(self, masks: TensorSpec, scores: TensorSpec, semantic: TensorSpec) -> TensorSpec:
        for x in (masks, scores, semantic):
            floating(x, self.name)
        if masks.rank != 3 or None in masks.shape:
            raise OpError(
                f"merge_panoptic needs masks (rows, height, width) of known size, got {masks}",
                help="paste_masks brings masks within boxes to pixels of the image",
            )
        if scores.shape != masks.shape[:1]:
            raise OpError(f"merge_panoptic needs a score of each mask, got {masks} and {scores}")
        if semantic.rank != 3 or semantic.shape[:2] != masks.shape[1:]:
            raise OpError(f"merge_panoptic needs semantic scores as large as masks, got {masks} and {semantic}")
        start, stop = self._stuff(semantic)
        if not 0 <= start < stop <= (semantic.channels or 0):
            message = f"merge_panoptic: stuff {list(self.stuff)} is no range of {semantic.channels} classes"
            raise OpError(message, argument="stuff", help=f"[0, {semantic.channels}]")
        return TensorSpec(masks.shape[1:], "int32")

    def _stuff(self, semantic: TensorSpec) -> tuple[int, int]:
        start, stop = self.stuff
        return start, (semantic.channels or 0) if stop is None else stop

    def flops(self, out: TensorSpec, masks: TensorSpec, scores: TensorSpec, semantic: TensorSpec) -> int:
        """6 for each pixel of a mask, 1 for each semantic score, and 3 for each pixel of each class of stuff"""
        start, stop = self._stuff(semantic)
        return 6 * masks.size + semantic.size + 3 * (stop - start) * out.size

    def lower(self, masks: TensorSpec, scores: TensorSpec, semantic: TensorSpec) -> keras.Layer:
        from archspec.layers.panoptic import MergedSegments

        return MergedSegments(self.overlap, self.score, self.area, self._stuff(semantic))
