"""Which rows of what was matched count in a loss: some at random, or the hardest.

What is drawn is drawn in training; otherwise as many rows are taken, spread evenly over those that may be drawn, the
same ones each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.ir.meaning import Meanings
from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import PositiveInt, Share
from archspec.ops.base import Op, OpError
from archspec.ops.matching import flags_of_rows
from archspec.ops.shapes import floating

if TYPE_CHECKING:
    import keras

Outputs = tuple[TensorSpec, ...]


class _Drawn(Op):
    """``count`` rows of those that count, at most a share of them positive."""

    stops_gradient = True

    count: PositiveInt
    """How many rows, at most."""
    positive: Share = 0.5
    """Largest share of them that are positive; where there are fewer, background takes their place."""

    def is_random(self) -> bool:
        return True


class Sample(_Drawn, name="sample", main="count"):
    """Rows drawn of those that ``match`` counts: results ``positive`` and ``counted`` (bool), for each row whether it
    is drawn and has an object, and whether it is drawn. Outside of training they are not drawn but spread evenly over
    those that may be, the same each time, so that a validation loss is of the whole picture.

    ``{sample: {count: 256, positive: 0.5}, from: owner}`` is that of region proposals (Ren et al. 2015)."""

    results = ("positive", "counted")

    def infer(self, positive: TensorSpec, counted: TensorSpec) -> Outputs:
        flags_of_rows(self.name, positive, positive=positive, counted=counted)
        return TensorSpec(positive.shape, "bool"), TensorSpec(positive.shape, "bool")

    def flops(self, out: Outputs, positive: TensorSpec, counted: TensorSpec) -> int:
        """4 for each row; sorting is not counted"""
        return 4 * positive.size

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.selection import SampledRows

        return SampledRows(self.count, self.positive)


class SampleRegions(_Drawn, name="sample_regions", main="count"):
    """``count`` of the candidate boxes with what ``match`` gave of them, drawn as by ``sample``: positive ones first,
    in random order (in their own outside of training), then background. Results: ``boxes`` and the results of
    ``match``, ``count`` rows each. Where there are too few, rows behind them are not counted.

    ``{sample_regions: {count: 512, positive: 0.25}, from: [candidates, owner]}`` is that of the second stage in
    torchvision and Detectron2 (Girshick 2015 takes 64 of an image).
    """

    results = ("boxes", "classes", "box", "positive", "counted", "owner")

    positive: Share = 0.25
    """Largest share of them that are positive; where there are fewer, background takes their place."""

    def infer(
        self,
        boxes: TensorSpec,
        classes: TensorSpec,
        box: TensorSpec,
        positive: TensorSpec,
        counted: TensorSpec,
        owner: TensorSpec,
    ) -> Outputs:
        given = {"boxes": boxes, "classes": classes, "box": box, "owner": owner}
        for name in ("boxes", "box"):
            floating(given[name], self.name)
            if given[name].rank != 2 or given[name].shape[1] != 4:
                raise OpError(f"sample_regions needs {name} (rows, 4), got {given[name]}")
        flags_of_rows(self.name, boxes, positive=positive, counted=counted)
        for name, x in given.items():
            if x.shape[:1] != boxes.shape[:1]:
                raise OpError(f"sample_regions needs {name} of each row, got {boxes} and {x}")
        return tuple(
            TensorSpec((self.count, *x.shape[1:]), x.dtype) for x in (boxes, classes, box, positive, counted, owner)
        )

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        return given

    def flops(self, out: Outputs, boxes: TensorSpec, *owner: TensorSpec) -> int:
        """5 for each row; sorting is not counted"""
        return 5 * boxes.size // 4

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.selection import SampledRegions

        return SampledRegions(self.count, self.positive)


class HardNegatives(Op, name="hard_negatives", main="ratio"):
    """Which rows count (bool): all that are positive, and ``ratio`` times as many of the background, those with the
    largest ``hardness`` (Liu et al. 2016): what the network wrongly believes of it, such as its loss as background. Of
    equals the first are taken.

    ``{hard_negatives: 3, from: [hardness, owner]}``.
    """

    stops_gradient = True

    ratio: Annotated[float, Field(ge=0, lt=1e6)] = 3.0
    """Rows of background for each positive one."""
    least: Annotated[int, Field(ge=0, le=2**31)] = 0
    """How many there are at least, so that an image without objects teaches something, too."""

    def infer(self, hardness: TensorSpec, positive: TensorSpec, counted: TensorSpec) -> TensorSpec:
        floating(hardness, self.name)
        if hardness.rank != 1:
            raise OpError(
                f"hard_negatives needs a hardness for each row (rows,), got {hardness}",
                help="reduce: {reduction: max, axis: 1} makes one number of those of several classes",
            )
        flags_of_rows(self.name, hardness, positive=positive, counted=counted)
        return TensorSpec(hardness.shape, "bool")

    def flops(self, out: TensorSpec, hardness: TensorSpec, *flags: TensorSpec) -> int:
        """4 for each row; sorting is not counted"""
        return 4 * out.size

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.selection import HardestNegatives

        return HardestNegatives(self.ratio, self.least)
