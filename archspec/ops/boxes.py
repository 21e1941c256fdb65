"""Boxes as values: how far they overlap, and what moves and stretches one into another.

A box is ``[x1, y1, x2, y2]``: x to the right, y down, in pixels of the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from archspec.ir.meaning import Meaning, Meanings
from archspec.ir.tensors import TensorSpec
from archspec.ir.validation import refuse
from archspec.ops.base import Op, OpError
from archspec.ops.shapes import broadcast, floating

if TYPE_CHECKING:
    import keras


def _four_weights(value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, (list, tuple)) else [value] * 4
    if len(values) == 4 and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and 0 < v < 1e30 for v in values
    ):
        return tuple(float(v) for v in values)
    raise refuse("must be a positive number, or a list of four: for x, y, width and height")


def _ratio(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 1 <= value < 1e30:
        return float(value)
    raise refuse("must be a number of at least 1")


_positive: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0}
Weights = Annotated[
    tuple[float, ...],
    PlainValidator(_four_weights),
    WithJsonSchema({"anyOf": [_positive, {"type": "array", "items": _positive, "minItems": 4, "maxItems": 4}]}),
]
"""What goals of x, y, width and height are multiplied by; one number for all four."""
Sides = Literal["log", "sqrt"]
"""What is told of how many times as long as its anchor's the side of a box is."""
Code = Literal["center", "corners"]
"""What is told of a box: its center and its sides, or its two corners."""


Variant = Literal["plain", "generalized", "distance", "complete"]
"""Less nothing; less the share of the smallest box around both that neither covers (Rezatofighi et al. 2019); less the
squared distance of the centres over that box's squared diagonal; the same less what the ratios of the sides differ by
(Zheng et al. 2020)."""


class Iou(Op, name="iou", main="variant"):
    """Intersection over union of each box of ``a`` (A, 4) with each of ``b`` (B, 4): (A, B). With ``pairs: rows`` of
    each box of ``a`` (…, 4) with the one in the same place of ``b``: (…). An empty box overlaps nothing: 0."""

    variant: Variant = "plain"
    """Less nothing; less the share of the smallest box around both that neither covers (Rezatofighi et al. 2019); less
    the squared distance of the centres over that box's squared diagonal; the same less what the ratios of the sides
    differ by (Zheng et al. 2020)."""
    pairs: Literal["all", "rows"] = "all"
    """Each box with every box of the other list, or with the one in its row."""

    def infer(self, a: TensorSpec, b: TensorSpec) -> TensorSpec:
        for x in (a, b):
            _boxes(x, "iou")
        if self.pairs == "rows":
            if a.rank != b.rank or a.rank < 2:
                raise OpError(f"iou of rows needs as many axes of both, got {a} and {b}")
            return TensorSpec(broadcast([a.shape, b.shape], self.name)[:-1])
        for x in (a, b):
            if x.rank != 2:
                raise OpError(f"iou needs lists of boxes (boxes, 4), got {x}")
        return TensorSpec((a.shape[0], b.shape[0]))

    def flops(self, out: TensorSpec, a: TensorSpec, b: TensorSpec) -> int:
        """12 for each pair and 3 for each box; 10 more for each pair if generalized; 16, and 4 for each box, for the
        distance of centres; 8, and 1 for each box, for the ratio of sides"""
        pair, box = {"plain": (12, 3), "generalized": (22, 3), "distance": (28, 7), "complete": (36, 8)}[self.variant]
        return pair * out.size + box * (a.size + b.size) // 4

    def transcendentals(self, out: TensorSpec, a: TensorSpec, b: TensorSpec) -> int:
        return (a.size + b.size) // 4 if self.variant == "complete" else 0

    def lower(self, a: TensorSpec, b: TensorSpec) -> keras.Layer:
        from archspec.layers.boxes import BoxOverlap

        return BoxOverlap(self.variant, self.pairs)


class BoxArea(Op, name="box_area"):
    """The area of each box (…, 4): (…). 0 where the second corner is not beyond the first."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        _boxes(x, self.name)
        if x.rank < 2:
            raise OpError(f"box_area needs boxes (boxes, 4), got {x}")
        return TensorSpec(x.shape[:-1])

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """3 for each box"""
        return 3 * out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.boxes import BoxArea

        return BoxArea()


class EncodeBoxes(Op, name="encode_boxes", main="delta"):
    """What a detector is to say of an anchor that stands for a box: by how many sides of the anchor the centre moves,
    and the logarithms of what width and height grow by, times ``delta`` (Girshick et al. 2014). A side that is empty
    counts as 1e-7 long.

    With ``cells``, the box of each anchor's cell, the centre is told within the cell: 0 at its left or upper edge, 1 at
    the other. ``{encode_boxes, from: [owner.box, anchors, cells]}`` is what YOLO v2 and later are to say (Redmon and
    Farhadi 2016), with ``sides: sqrt`` and anchors as large as the image YOLO v1 (Redmon et al. 2015).

    With ``code: corners`` it is told how far each of the two corners moves, in sides of the anchor (MTCNN, Zhang et al.
    2016).
    """

    delta: Weights = (1.0, 1.0, 1.0, 1.0)
    """What to multiply the four by, or one number for all: [10, 10, 5, 5] are SSD's variances 0.1 and 0.2."""
    sides: Sides = "log"
    """The logarithm of what a side grows by, or its square root."""
    code: Code = "center"
    """What is told of a box: its center and its sides, or its two corners, for which ``sides`` means nothing."""

    def infer(self, boxes: TensorSpec, anchors: TensorSpec, cells: TensorSpec | None = None) -> TensorSpec:
        _check_corners(self, cells, sides=(self.sides, "log"))
        return _rows(self.name, boxes, anchors, cells)

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        first, second, *third = kinds(*given)
        if first == "anchors" or second == "objects":
            message = "encode_boxes takes the boxes of objects, then the anchors: these are the other way round"
            raise OpError(message, help="from: [owner.box, anchors]")
        _check_cells(self.name, "owner.box", first, second, *third)
        return (Meaning("deltas"),)

    def flops(self, out: TensorSpec, *inputs: TensorSpec) -> int:
        """26 for each box; 14 for its corners"""
        return (26 if self.code == "center" else 14) * out.size // 4

    def transcendentals(self, out: TensorSpec, *inputs: TensorSpec) -> int:
        return out.size // 2 if self.code == "center" else 0

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.boxes import BoxEncoding

        return BoxEncoding(self.delta, self.sides, self.code)


class DecodeBoxes(Op, name="decode_boxes", main="delta"):
    """The boxes that a detector means by what it says of each anchor: the inverse of ``encode_boxes``, with ``cells``
    as with those."""

    delta: Weights = (1.0, 1.0, 1.0, 1.0)
    """What ``encode_boxes`` multiplies by, and this divides by."""
    max_scale: Annotated[float, PlainValidator(_ratio), WithJsonSchema({"type": "number", "minimum": 1})] = 62.5
    """How many times as long as the anchor's a side may become, so that none overflows: 1000 / 16, as in Detectron."""
    sides: Sides = "log"
    """What ``encode_boxes`` tells of a side; squares of numbers below 0 are sides, too."""
    code: Code = "center"
    """What ``encode_boxes`` tells of a box: its center and its sides, or its two corners, for which ``sides`` and
    ``max_scale`` mean nothing."""

    def infer(self, deltas: TensorSpec, anchors: TensorSpec, cells: TensorSpec | None = None) -> TensorSpec:
        _check_corners(self, cells, sides=(self.sides, "log"), max_scale=(self.max_scale, 62.5))
        return _rows(self.name, deltas, anchors, cells)

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        first, second, *third = kinds(*given)
        if first in ("anchors", "objects"):
            message = f"decode_boxes takes what is said of anchors, then the anchors: its first input is {first}"
            raise OpError(message, help="from: [deltas, anchors]")
        _check_cells(self.name, "deltas", first, second, *third)
        return ()

    def flops(self, out: TensorSpec, *inputs: TensorSpec) -> int:
        """24 for each box; 14 for its corners"""
        return (24 if self.code == "center" else 14) * out.size // 4

    def transcendentals(self, out: TensorSpec, *inputs: TensorSpec) -> int:
        return out.size // 2 if self.sides == "log" and self.code == "center" else 0

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.boxes import BoxDecoding

        return BoxDecoding(self.delta, self.max_scale, self.sides, self.code)


def kinds(*given: Meaning | None) -> tuple[str | None, ...]:
    """What each is, where it is known."""
    return tuple(None if meaning is None else meaning.kind for meaning in given)


def _check_cells(op: str, said: str, *given: str | None) -> None:
    """Raises OpError for cells where they do not belong, and for what is none where they do."""
    if "cells" in given[:2] or given[2:3] not in ((), (None,), ("cells",)):
        message = f"{op} takes cells behind the anchors, and nothing else there"
        raise OpError(message, help=f"from: [{said}, anchors], or from: [{said}, anchors, cells]")


def _check_corners(op: EncodeBoxes | DecodeBoxes, cells: TensorSpec | None, **given: tuple[object, object]) -> None:
    """Raises OpError for what means nothing where corners are told."""
    if op.code == "center":
        return
    if cells is not None:
        raise OpError(f"{op.name}: corners are told in sides of the anchor, and cells are of centers", argument="code")
    for argument, (value, usual) in given.items():
        if value != usual:
            message = f"{op.name}: {argument} is of sides, and code: corners tells none"
            raise OpError(message, argument=argument, help=f"leave {argument} out")


def _boxes(x: TensorSpec, op: str) -> None:
    floating(x, op)
    if not x.rank or x.shape[-1] != 4:
        raise OpError(
            f"{op} needs four numbers for each box, along the last axis, got {x}",
            help="reshape: [-1, 4] makes boxes of a map whose channels are four for each anchor",
        )


def _may_be_as_many(one: TensorSpec, other: TensorSpec) -> bool:
    return all(None in pair or pair[0] == pair[1] for pair in zip(one.shape, other.shape, strict=True))


def _rows(op: str, said: TensorSpec, anchors: TensorSpec, cells: TensorSpec | None) -> TensorSpec:
    """One row for each anchor. Raises OpError where they are not as many."""
    given = [said, anchors] if cells is None else [said, anchors, cells]
    for x in given:
        _boxes(x, op)
        if x.rank != said.rank:
            what = "row" if x is anchors else "cell"
            raise OpError(f"{op} needs one {what} for each anchor, got {anchors if x is cells else said} and {x}")
    if cells is not None and 1 not in anchors.shape and not _may_be_as_many(anchors, cells):
        message = f"{op} needs one cell for each anchor, got anchors {anchors} and cells {cells}"
        raise OpError(message, help="{cells: {stride: 32, count: 3}} gives three for each position of a map")
    return TensorSpec(broadcast([x.shape for x in given], op))
