"""Objects that belong to the cell in which their centre lies: what each box of YOLO is taught.

Objects are padded as for ``match``; here, too, all is done object by object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from archspec.ir.meaning import Meaning, Meanings
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError
from archspec.ops.boxes import kinds
from archspec.ops.matching import Overlap, check_objects, swapped

if TYPE_CHECKING:
    import keras


class MatchCells(Op, name="match_cells", main="by"):
    """The object of each anchor, where only anchors of the cell that holds an object's centre may have it: the one
    among them, of all maps, that is most alike has it. A cell holds its left and upper edge, not the others. What
    ``cells`` gives are the boxes of the anchors' cells.

    Results are those of ``match``, for each anchor: ``classes``, ``box``, ``positive``, ``counted`` and ``owner``. All
    count; those without an object are background. Of two objects that want one anchor the later gets it.

    ``{match_cells: shape, from: [anchors, cells, truth]}`` is that of YOLO v2 and v3 (Redmon and Farhadi 2016, 2018),
    ``{by: shape, above: 0.213}`` of v4 (Bochkovskiy et al. 2020), ``{match_cells: overlap, from: [predicted, cells,
    truth]}`` of v1 (Redmon et al. 2015), whose cells have several predictors.
    """

    results = ("classes", "box", "positive", "counted", "owner")
    stops_gradient = True

    by: Literal["shape", "overlap"] = "shape"
    """How alike an anchor and an object are. ``shape``: intersection over union if both had one centre. ``overlap``:
    intersection over union where they are; where that is 0 for all, it is the one whose centre and sides differ least,
    by the root of the sum of their squares."""
    above: Overlap | None = None
    """What other anchors of the cell have to be alike to have the object, too; each has the one most like it."""
    ties: Literal["first", "all"] = "first"
    """Which of those that are most alike has the object: the first, or all, such as one shape that two maps have."""

    def infer(
        self,
        anchors: TensorSpec,
        cells: TensorSpec,
        boxes: TensorSpec,
        classes: TensorSpec,
        valid: TensorSpec,
    ) -> tuple[TensorSpec, ...]:
        check_objects(self.name, anchors, boxes, classes, valid)
        if cells.shape != anchors.shape:
            raise OpError(
                f"match_cells needs the cell of each anchor (anchors, 4), got anchors {anchors} and cells {cells}",
                help="{cells: {stride: 32, count: 3}} gives three for each position of a map",
            )
        rows = anchors.shape[:1]
        flags = TensorSpec(rows, "bool"), TensorSpec(rows, "bool")
        return (TensorSpec(rows, "int32"), TensorSpec((*rows, 4)), *flags, TensorSpec(rows, "int32"))

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        swapped(self.name, "the anchors, their cells, then the objects", given[0], given[2])
        if "cells" in kinds(given[0], given[2]) or kinds(given[1]) not in (("cells",), (None,)):
            message = "match_cells takes the anchors, their cells, then the objects: these are in another order"
            raise OpError(message, help="from: [anchors, cells, truth]")
        return given[3], Meaning("objects")

    def flops(self, out: tuple[TensorSpec, ...], anchors: TensorSpec, *rest: TensorSpec) -> int:
        """13 for each anchor with each object (all rows may be objects), or 32 by overlap; 7 for each box, 3 for each
        anchor"""
        boxes = rest[1]
        pair = 13 if self.by == "shape" else 32
        return pair * (anchors.size * boxes.size // 16) + 7 * (anchors.size + boxes.size) // 4 + 3 * anchors.size // 4

    def transcendentals(self, out: tuple[TensorSpec, ...], anchors: TensorSpec, *rest: TensorSpec) -> int:
        """1 for each anchor with each object by overlap, else 0"""
        return anchors.size * rest[1].size // 16 if self.by == "overlap" else 0

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.cells import MatchedCells

        return MatchedCells(self.by, self.above, self.ties)
