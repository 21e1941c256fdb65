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


class Iou(Op, name="iou", main="variant"):
    """Intersection over union of each box of ``a`` (A, 4) with each of ``b`` (B, 4): (A, B). An empty box overlaps
    nothing: 0."""

    variant: Literal["plain", "generalized", "distance", "complete"] = "plain"
    """Less nothing; less the share of the smallest box around both that neither covers (Rezatofighi et al. 2019); less
    the squared distance of the centres over that box's squared diagonal; the same less what the ratios of the sides
    differ by (Zheng et al. 2020)."""

    def infer(self, a: TensorSpec, b: TensorSpec) -> TensorSpec:
        for x in (a, b):
            _boxes(x, "iou")
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

        return BoxOverlap(self.variant)


class EncodeBoxes(Op, name="encode_boxes", main="delta"):
    """What a detector is to say of an anchor that stands for a box: by how many sides of the anchor the centre moves,
    and the logarithms of what width and height grow by, times ``delta`` (Girshick et al. 2014). A side that is empty
    counts as 1e-7 long."""

    delta: Weights = (1.0, 1.0, 1.0, 1.0)
    """What to multiply the four by, or one number for all: [10, 10, 5, 5] are SSD's variances 0.1 and 0.2."""

    def infer(self, boxes: TensorSpec, anchors: TensorSpec) -> TensorSpec:
        return _rows(self.name, boxes, anchors)

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        if _kind(given[0]) == "anchors" or _kind(given[1]) == "objects":
            message = "encode_boxes takes the boxes of objects, then the anchors: these are the other way round"
            raise OpError(message, help="from: [owner.box, anchors]")
        return (Meaning("deltas"),)

    def flops(self, out: TensorSpec, boxes: TensorSpec, anchors: TensorSpec) -> int:
        """26 for each box"""
        return 26 * out.size // 4

    def transcendentals(self, out: TensorSpec, boxes: TensorSpec, anchors: TensorSpec) -> int:
        return out.size // 2

    def lower(self, boxes: TensorSpec, anchors: TensorSpec) -> keras.Layer:
        from archspec.layers.boxes import BoxEncoding

        return BoxEncoding(self.delta)


class DecodeBoxes(Op, name="decode_boxes", main="delta"):
    """The boxes that a detector means by what it says of each anchor: the inverse of ``encode_boxes``."""

    delta: Weights = (1.0, 1.0, 1.0, 1.0)
    """What ``encode_boxes`` multiplies by, and this divides by."""
    max_scale: Annotated[float, PlainValidator(_ratio), WithJsonSchema({"type": "number", "minimum": 1})] = 62.5
    """How many times as long as the anchor's a side may become, so that none overflows: 1000 / 16, as in Detectron."""

    def infer(self, deltas: TensorSpec, anchors: TensorSpec) -> TensorSpec:
        return _rows(self.name, deltas, anchors)

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        if _kind(given[0]) in ("anchors", "objects"):
            message = (
                f"decode_boxes takes what is said of anchors, then the anchors: its first input is {_kind(given[0])}"
            )
            raise OpError(message, help="from: [deltas, anchors]")
        return ()

    def flops(self, out: TensorSpec, deltas: TensorSpec, anchors: TensorSpec) -> int:
        """24 for each box"""
        return 24 * out.size // 4

    def transcendentals(self, out: TensorSpec, deltas: TensorSpec, anchors: TensorSpec) -> int:
        return out.size // 2

    def lower(self, deltas: TensorSpec, anchors: TensorSpec) -> keras.Layer:
        from archspec.layers.boxes import BoxDecoding

        return BoxDecoding(self.delta, self.max_scale)


def _kind(meaning: Meaning | None) -> str | None:
    return None if meaning is None else meaning.kind


def _boxes(x: TensorSpec, op: str) -> None:
    floating(x, op)
    if not x.rank or x.shape[-1] != 4:
        raise OpError(
            f"{op} needs four numbers for each box, along the last axis, got {x}",
            help="reshape: [-1, 4] makes boxes of a map whose channels are four for each anchor",
        )


def _rows(op: str, said: TensorSpec, anchors: TensorSpec) -> TensorSpec:
    """One row for each anchor. Raises OpError where the two are not as many."""
    for x in (said, anchors):
        _boxes(x, op)
    if said.rank != anchors.rank:
        raise OpError(f"{op} needs one row for each anchor, got {said} and {anchors}")
    return TensorSpec(broadcast([said.shape, anchors.shape], op))
