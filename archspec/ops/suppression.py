"""Detections: of boxes that overlap, the one that scores most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from archspec.ir.meaning import Meaning, Meanings
from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import Number, PositiveInt
from archspec.ops.base import Op, OpError
from archspec.ops.shapes import floating

if TYPE_CHECKING:
    import keras

Outputs = tuple[TensorSpec, ...]


class Nms(Op, name="nms", main="iou"):
    """Greedy non-maximum suppression: from the highest score to the lowest, a box goes if it overlaps one that stays by
    more than ``iou``. Of equal scores the first in the order of the input counts as higher.

    ``boxes`` are (rows, 4), ``[x1, y1, x2, y2]``, or (rows, classes, 4) where each class has its own. ``scores`` are
    (rows, classes), where a row may be found as several classes, or (rows,) without classes. Its results go by name:
    ``boxes`` (keep, 4), ``scores`` (keep,), ``classes`` (keep,) and ``count``, how many there are. Rows beyond them
    are boxes and scores of 0 and class -1.

    With ``indices: true`` there is ``indices`` (keep,), the row of the input that each is, for what else was said of
    it: ``{gather: {axis: 0}, from: {x: points, places: found.indices}}``. Beyond ``count`` it is row 0.
    """

    iou: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Overlap above which a box goes; at 1 all stay, and the best ``keep`` are taken."""
    score: Number | None = 0.0
    """Only what scores more than this is looked at; null for all, where scores are not probabilities."""
    before: PositiveInt = 1000
    """How many are looked at, at most: of all rows and classes those that score most."""
    keep: PositiveInt = 100
    """How many rows there are in the results; what stays beyond them is left out, lowest scores first."""
    apart: Literal["class", "none"] = "class"
    """What boxes have to share if one is to make another go: their class, or nothing."""
    overlap: Literal["plain", "distance", "smaller"] = "plain"
    """Intersection over union; less the squared distance of the centres over the squared diagonal around both (DIoU,
    Zheng et al. 2020); or intersection over the smaller box (MTCNN, Zhang et al. 2016)."""
    background: Literal["none", "first", "last"] = "none"
    """Whether the first or last class of the scores is no object. Classes of the results are counted without it."""
    indices: bool = False
    """Give the row of each box in the input, too."""

    @property
    def result_names(self) -> tuple[str, ...]:
        return ("boxes", "scores", "classes", "count", *(("indices",) if self.indices else ()))

    def infer(self, boxes: TensorSpec, scores: TensorSpec) -> Outputs:
        for x in (boxes, scores):
            floating(x, "nms")
        if boxes.rank not in (2, 3) or boxes.shape[-1] != 4:
            raise OpError(f"nms needs boxes (rows, 4) or (rows, classes, 4), got {boxes}")
        if scores.rank not in (1, 2):
            raise OpError(f"nms needs scores (rows, classes) or (rows,), got {scores}")
        if boxes.rank == 3 and scores.rank == 1:
            raise OpError(f"nms: boxes {boxes} are of classes, and scores {scores} are not")
        if None in boxes.shape or None in scores.shape:
            raise OpError(f"nms needs known sizes, got boxes {boxes} and scores {scores}")
        if boxes.shape[:-1] != scores.shape[: boxes.rank - 1]:
            raise OpError(f"nms needs a score for each box, got boxes {boxes} and scores {scores}")
        if self.background != "none" and (scores.rank == 1 or scores.shape[1] == 1):
            raise OpError(f"nms: scores {scores} have no class besides a background", argument="background")
        keep = self.keep
        floats = TensorSpec((keep, 4)), TensorSpec((keep,))
        rows = TensorSpec((keep,), "int32")
        return (*floats, rows, TensorSpec((), "int32"), *((rows,) if self.indices else ()))

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        scores = inputs[1]
        if scores.rank != 2 or scores.channels is None:
            return ()
        return None, None, Meaning("classes", scores.channels - (self.background != "none"))

    def flops(self, out: Outputs, boxes: TensorSpec, scores: TensorSpec) -> int:
        """at most: 1 for each score; then 3 for each of the n = min(before, scores) best and 13 for each of their
        n · (n - 1) / 2 pairs; 7 and 29 for the distance of centres"""
        candidates = scores.size - (scores.shape[0] or 0) * (self.background != "none")
        n = min(self.before, candidates)
        pair, box = {"plain": (13, 3), "distance": (29, 7), "smaller": (12, 3)}[self.overlap]
        return candidates * (self.score is not None) + box * n + pair * (n * (n - 1) // 2)

    def lower(self, boxes: TensorSpec, scores: TensorSpec) -> keras.Layer:
        from archspec.layers.suppression import NonMaximumSuppression

        return NonMaximumSuppression(
            iou=self.iou,
            score=self.score,
            before=self.before,
            keep=self.keep,
            apart=self.apart,
            overlap=self.overlap,
            background=self.background,
            indices=self.indices,
        )
