"""Which anchor, or other candidate box, stands for which object: what a detector is taught of each.

Objects are padded: ``boxes`` (objects, 4), ``classes`` (objects,) of int32 and ``valid`` (objects,), which says which
rows are objects. All of it is done object by object, so that memory grows with the candidates alone, unless ``force``
says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from archspec.ir.meaning import Meaning, Meanings
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError
from archspec.ops.shapes import floating

if TYPE_CHECKING:
    import keras

Overlap = Annotated[float, Field(ge=0, le=1)]
"""Intersection over union."""
OVERLAP = 12
"""Operations for the intersection over union of a pair, and 3 more for the area of each box."""


class Match(Op, name="match", main="high"):
    """The object of each anchor: the one that it overlaps most, if by ``high`` or more. One that overlaps no object by
    ``low`` is background; what lies between counts as neither, and so does a box without an area, such as those that
    ``nms`` fills up with.

    Results by name, one row for each anchor: ``classes`` (int32; -1 for background), ``box``, the object's, or the
    anchor itself where it has none, so that its goals are 0; ``positive``, whether it has an object; ``counted``,
    whether it has one or is background (bool); ``owner``, the row of its object, -1 for background, -2 for what lies
    between.

    ``{match: {low: 0.4, high: 0.5}, from: [anchors, truth]}`` is RetinaNet's (Lin et al. 2017), ``{low: 0.3, high: 0.7,
    force: ties}`` that of region proposals (Ren et al. 2015), ``{high: 0.5, force: best}`` SSD's in torchvision,
    ``{high: 0.5, force: one_to_one}`` SSD's of the paper (Liu et al. 2016).
    """

    results = ("classes", "box", "positive", "counted", "owner")
    stops_gradient = True

    high: Overlap = 0.5
    """Least overlap with its object."""
    low: Overlap | None = None
    """Overlap below which an anchor is background; null for ``high``."""
    force: Literal["none", "ties", "best", "one_to_one"] = "none"
    """What objects get by being overlapped most, however little, and whatever they have by ``high`` besides.
    ``ties``: all anchors that overlap an object as much as any does have the object that they overlap most, be it
    another. ``best``: the first of these has this object, even if it overlaps another more; where two objects want one,
    the later gets it. ``one_to_one``: pairs are made from the largest overlap down, so that each object has an anchor
    of its own; this holds the overlaps of all anchors with all objects at once. An object that no anchor overlaps gets
    none."""
    background: Literal["none", "first"] = "none"
    """With ``first``, classes are counted from 1 and background is class 0, as softmax heads want it."""
    ignored_share: Overlap = 0.5
    """Share of an anchor within an object that is ``ignored``, a crowd or a difficult one, above which it is not
    background but counts as neither."""

    def infer(
        self,
        anchors: TensorSpec,
        boxes: TensorSpec,
        classes: TensorSpec,
        valid: TensorSpec,
        ignored: TensorSpec | None = None,
    ) -> tuple[TensorSpec, ...]:
        check_objects(self.name, anchors, boxes, classes, valid)
        _check_ignored(self.name, ignored, valid)
        if self.low is not None and self.low > self.high:
            raise OpError(f"match: low is {self.low:g}, above high, {self.high:g}", argument="low")
        rows = anchors.shape[:1]
        flags = TensorSpec(rows, "bool"), TensorSpec(rows, "bool")
        return (TensorSpec(rows, "int32"), TensorSpec((*rows, 4)), *flags, TensorSpec(rows, "int32"))

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        swapped("match", "the anchors, then the objects", given[0], given[1])
        kind = given[2]
        if kind is not None and kind.classes is not None:
            kind = kind._replace(classes=kind.classes + (self.background == "first"))
        return kind, Meaning("objects")

    def flops(self, out: tuple[TensorSpec, ...], anchors: TensorSpec, boxes: TensorSpec, *rest: TensorSpec) -> int:
        """14 for each anchor with each object (all rows may be objects), 3 for each box, 3 for each anchor; one more
        for each pair if objects force theirs; 10 more for each pair if some may be ignored"""
        pairs = anchors.size * boxes.size // 16
        one = OVERLAP + 2 + (self.force != "none") + 10 * (len(rest) == 3)
        return one * pairs + 3 * (anchors.size + boxes.size) // 4 + 3 * anchors.size // 4

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.matching import MatchedAnchors

        low = self.high if self.low is None else self.low
        return MatchedAnchors(low, self.high, self.force, self.background, self.ignored_share)


class IgnoreOverlaps(Op, name="ignore_overlaps", main="iou"):
    """``counted`` without the background whose predicted box overlaps an object: YOLO does not teach such a box that it
    is none (Redmon and Farhadi 2018). ``{ignore_overlaps: 0.7, from: [owner, boxes, truth]}``, where ``owner`` is what
    ``match`` or ``match_cells`` gave and ``boxes`` are those that the network says. An object that is ``ignored``, a
    crowd or a difficult one, is overlapped as any other."""

    stops_gradient = True

    iou: Overlap = 0.7
    """Overlap above which it does not count."""

    def infer(
        self,
        predicted: TensorSpec,
        positive: TensorSpec,
        counted: TensorSpec,
        boxes: TensorSpec,
        valid: TensorSpec,
        ignored: TensorSpec | None = None,
    ) -> TensorSpec:
        candidates_and_objects(self.name, predicted, boxes, valid)
        _check_ignored(self.name, ignored, valid)
        flags_of_rows(self.name, predicted, positive=positive, counted=counted)
        return TensorSpec(predicted.shape[:1], "bool")

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        swapped(self.name, "the boxes that the network says, then the objects", given[0], given[3])
        if given[0] is not None and given[0].kind == "anchors":
            message = "ignore_overlaps takes the boxes that the network says, got the anchors"
            raise OpError(message, help="decode_boxes makes them: from: [owner, decoded, truth]")
        return ()

    def flops(self, out: TensorSpec, predicted: TensorSpec, *rest: TensorSpec) -> int:
        """13 for each prediction with each object (all rows may be objects), 3 for each box, 1 for each prediction"""
        boxes = rest[2]
        rows = (predicted.size + boxes.size) // 4
        return (OVERLAP + 1) * (predicted.size * boxes.size // 16) + 3 * rows + out.size

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.matching import IgnoredOverlaps

        return IgnoredOverlaps(self.iou)


def swapped(op: str, order: str, candidates: Meaning | None, objects: Meaning | None) -> None:
    """Raises OpError for objects where candidates belong, or for anchors where objects do."""
    if (candidates is not None and candidates.kind == "objects") or (objects is not None and objects.kind == "anchors"):
        raise OpError(f"{op} takes {order}: these are the other way round", help="from: [anchors, truth]")


def check_objects(op: str, anchors: TensorSpec, boxes: TensorSpec, classes: TensorSpec, valid: TensorSpec) -> None:
    """Raises OpError for what are not anchors, and objects with classes, of which some are valid."""
    candidates_and_objects(op, anchors, boxes, valid)
    if classes.rank != 1 or not classes.dtype.startswith("int"):
        raise OpError(f"{op} needs the class of each object (objects,) as integers, got {classes} {classes.dtype}")
    if boxes.shape[0] != classes.shape[0]:
        raise OpError(f"{op} needs a class for each object, got boxes {boxes} and classes {classes}")


def _check_ignored(op: str, ignored: TensorSpec | None, valid: TensorSpec) -> None:
    """Raises OpError for what does not say of each object whether it is ignored."""
    if ignored is not None and (ignored.dtype != "bool" or ignored.shape != valid.shape):
        raise OpError(f"{op} needs which objects are ignored {valid} as bool, got {ignored} {ignored.dtype}")


def candidates_and_objects(op: str, candidates: TensorSpec, boxes: TensorSpec, valid: TensorSpec) -> None:
    """Raises OpError for what are not boxes of candidates and of objects, of which some are valid."""
    for x in (candidates, boxes):
        floating(x, op)
        if x.rank != 2 or x.shape[-1] != 4:
            raise OpError(f"{op} needs lists of boxes (boxes, 4), got {x}")
    if boxes.shape[0] is None:
        raise OpError(f"{op} needs a known number of objects, the most that there are, got {boxes}")
    if valid.rank != 1 or valid.dtype != "bool":
        raise OpError(f"{op} needs which rows are objects (objects,) as bool, got {valid} {valid.dtype}")
    if boxes.shape[0] != valid.shape[0]:
        raise OpError(f"{op} needs for each object whether it is one, got boxes {boxes} and valid {valid}")


def flags_of_rows(op: str, rows: TensorSpec, **flags: TensorSpec) -> None:
    """Raises OpError for what is not a truth value for each row."""
    for name, x in flags.items():
        if x.rank != 1 or x.dtype != "bool":
            raise OpError(f"{op} needs {name} (rows,) as bool, got {x} {x.dtype}", help="match gives it")
        if x.shape[0] != rows.shape[0]:
            raise OpError(f"{op} needs {name} of each row, got {rows} and {x}")
