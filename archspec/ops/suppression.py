"""Detections: of boxes that overlap, the one that scores most, or one in the middle of them."""

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


Background = Literal["none", "first", "last"]


def _check(name: str, boxes: TensorSpec, scores: TensorSpec, background: str) -> None:
    """Raises OpError for what is no boxes with scores."""
    for x in (boxes, scores):
        floating(x, name)
    if boxes.rank not in (2, 3) or boxes.shape[-1] != 4:
        raise OpError(f"{name} needs boxes (rows, 4) or (rows, classes, 4), got {boxes}")
    if scores.rank not in (1, 2):
        raise OpError(f"{name} needs scores (rows, classes) or (rows,), got {scores}")
    if boxes.rank == 3 and scores.rank == 1:
        raise OpError(f"{name}: boxes {boxes} are of classes, and scores {scores} are not")
    if None in boxes.shape or None in scores.shape:
        raise OpError(f"{name} needs known sizes, got boxes {boxes} and scores {scores}")
    if boxes.shape[:-1] != scores.shape[: boxes.rank - 1]:
        raise OpError(f"{name} needs a score for each box, got boxes {boxes} and scores {scores}")
    if background != "none" and (scores.rank == 1 or scores.shape[1] == 1):
        raise OpError(f"{name}: scores {scores} have no class besides a background", argument="background")


def _classes(background: str, scores: TensorSpec) -> Meanings:
    """What is known of the classes that are found."""
    if scores.rank != 2 or scores.channels is None:
        return ()
    return None, None, Meaning("classes", scores.channels - (background != "none"))


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
    background: Background = "none"
    """Whether the first or last class of the scores is no object. Classes of the results are counted without it."""
    indices: bool = False
    """Give the row of each box in the input, too."""

    @property
    def result_names(self) -> tuple[str, ...]:
        return ("boxes", "scores", "classes", "count", *(("indices",) if self.indices else ()))

    def infer(self, boxes: TensorSpec, scores: TensorSpec) -> Outputs:
        _check("nms", boxes, scores, self.background)
        keep = self.keep
        floats = TensorSpec((keep, 4)), TensorSpec((keep,))
        rows = TensorSpec((keep,), "int32")
        return (*floats, rows, TensorSpec((), "int32"), *((rows,) if self.indices else ()))

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        return _classes(self.background, inputs[1])

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


class MergeBoxes(Op, name="merge_boxes", main="distance"):
    """Boxes merged two by two, as OverFeat does in place of suppression (Sermanet et al. 2013, section 4.3): as long as
    two boxes of a class are within ``distance`` of each other, the two that are nearest become one, whose corners are
    the means of theirs and whose score is the sum.

    How far two boxes are apart is the distance of their centres by the root of the mean of their areas, plus 1, less
    their intersection over union: 0 for equal boxes, and at least 1 for boxes that do not meet. (The paper adds a
    distance and an intersection without saying in what.) Of pairs that are equally near the first is taken, in the
    order of the scores. No gradient goes through it.

    Inputs and results are those of ``nms``. So an object is found by many windows together, and what one window alone
    says of it stays low: scores are sums, and may be above 1.
    """

    stops_gradient = True
    results = ("boxes", "scores", "classes", "count")

    distance: Annotated[float, Field(gt=0, le=100)] = 0.75
    """Distance up to which two boxes become one."""
    score: Number | None = 0.0
    """Only what scores more than this is looked at; null for all."""
    before: Annotated[int, Field(ge=1, le=1024)] = 100
    """How many are looked at, at most: of all rows and classes those that score most."""
    keep: PositiveInt = 100
    """How many rows there are in the results; what is left beyond them is left out, lowest scores first."""
    background: Background = "none"
    """Whether the first or last class of the scores is no object. Classes of the results are counted without it."""

    def infer(self, boxes: TensorSpec, scores: TensorSpec) -> Outputs:
        _check("merge_boxes", boxes, scores, self.background)
        keep = self.keep
        return TensorSpec((keep, 4)), TensorSpec((keep,)), TensorSpec((keep,), "int32"), TensorSpec((), "int32")

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        return _classes(self.background, inputs[1])

    def flops(self, out: Outputs, boxes: TensorSpec, scores: TensorSpec) -> int:
        """at most: 1 for each score; then for the n = min(before, scores) best n - 1 times 26 for each of their pairs,
        and 9 for the two that become one"""
        candidates = scores.size - (scores.shape[0] or 0) * (self.background != "none")
        n = min(self.before, candidates)
        return candidates * (self.score is not None) + (n - 1) * (26 * (n * (n - 1) // 2) + 9)

    def lower(self, boxes: TensorSpec, scores: TensorSpec) -> keras.Layer:
        from archspec.layers.suppression import BoxMerging

        return BoxMerging(
            distance=self.distance,
            score=self.score,
            before=self.before,
            keep=self.keep,
            background=self.background,
        )
