"""One number in place of an axis: sums, means and extremes, where they stand, and running sums.

Of all positions of an image or a sequence the mean is ``global_avg_pool``, which knows of masks.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated, Literal

from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import ONE_OR_MORE, integers
from archspec.ops.base import Op, OpError
from archspec.ops.reach import EVERYTHING, POINT, Axes, Reach, from_axis
from archspec.ops.shapes import floating, normalize_axes, normalize_axis, vectors

if TYPE_CHECKING:
    import keras


AxisOrAxes = Annotated[
    tuple[int, ...],
    integers(-8, 7, 8, "must be an axis, or a list of axes; the batch axis is not counted"),
    ONE_OR_MORE,
]


class Reduce(Op, name="reduce", main="reduction"):
    """One number in place of the axes: their sum, mean, largest, least, variance or standard deviation.

    ``{reduce: {reduction: mean, axis: [0, 1], keep: true}}`` gives the mean over height and width as (1, 1, channels).
    A mask of steps is refused where steps are summed.
    """

    reduction: Literal["sum", "mean", "max", "min", "var", "std"]
    """What is computed; ``var`` and ``std`` divide by the number of elements, as NumPy and Keras do (PyTorch's default
    divides by one less)."""
    axis: AxisOrAxes = (-1,)
    """Axis or axes to take together, the batch axis not counted; -1 is channels."""
    keep: bool = False
    """Keep the axes, with length 1."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "reduce")
        gone = normalize_axes(self.axis, x, "reduce")
        if len(gone) == x.rank and not self.keep:
            raise OpError(
                f"reduce would leave no axis of {x}", argument="axis", help="keep: true keeps them, with length 1"
            )
        sizes = (1 if i in gone else n for i, n in enumerate(x.shape) if self.keep or i not in gone)
        return TensorSpec(tuple(sizes), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        gone = normalize_axes(self.axis, x, "reduce")
        if not self.keep:
            return (from_axis(min(gone), x),)
        return (tuple(EVERYTHING if i in gone else POINT for i in range(x.rank)),)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """sum, max, min: x.size - out.size; mean: x.size; var, std: 4 · x.size"""
        if self.reduction in ("var", "std"):
            return 4 * x.size
        return x.size if self.reduction == "mean" else x.size - out.size

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        """std: out.size, else 0"""
        return out.size if self.reduction == "std" else 0

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reduction import Reduce

        return Reduce(self.reduction, [a + 1 for a in sorted(normalize_axes(self.axis, x, "reduce"))], self.keep)

    def lower_unmasked(self, x: TensorSpec) -> keras.Layer | None:
        """Means and maxima over all spatial axes are Keras's global pools."""
        mode = {"mean": "average", "max": "max"}.get(self.reduction)
        axes = sorted(normalize_axes(self.axis, x, "reduce"))
        if mode is None or not 1 < x.rank < 5 or axes != list(range(x.rank - 1)):
            return None
        from archspec.layers.pooling import global_pooling

        return global_pooling(mode, x.rank - 1, self.keep, is_unmasked=True)


class Argmax(Op, name="argmax", main="axis"):
    """Where the largest number of an axis stands, from 0, as int32; of equal ones the first. No gradient goes through
    it."""

    stops_gradient = True

    axis: int = -1
    """Axis to search, the batch axis not counted; -1 is channels."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        axis = normalize_axis(self.axis, x, "argmax")
        if x.dtype == "bool":
            raise OpError("argmax needs numbers, got bool")
        if x.rank == 1:
            raise OpError(f"argmax would leave no axis of {x}", help="reshape: [1, -1] before it keeps one")
        return TensorSpec(x.shape[:axis] + x.shape[axis + 1 :], "int32")

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return (from_axis(normalize_axis(self.axis, x, "argmax"), x),)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """x.size - out.size"""
        return x.size - out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reduction import Argmax

        return Argmax(normalize_axis(self.axis, x, "argmax") + 1)


class Cumsum(Op, name="cumsum", main="axis"):
    """The running sum along an axis: each element and all before it."""

    saves = "nothing"
    keeps_zero = True

    axis: int = -1
    """Axis to sum along, the batch axis not counted; -1 is channels, 0 the steps of a sequence."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "cumsum")
        normalize_axis(self.axis, x, "cumsum")
        return x

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        axis = normalize_axis(self.axis, x, "cumsum")
        return (tuple(Reach(inf, 0) if i == axis else POINT for i in range(x.rank)),)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """out.size, less the first of each sum"""
        return out.size - vectors(out, normalize_axis(self.axis, x, "cumsum"))

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reduction import CumulativeSum

        return CumulativeSum(normalize_axis(self.axis, x, "cumsum") + 1)
