"""One number in place of an axis: sums, means and extremes, where they stand, and running sums.

Of all positions of an image or a sequence the mean is ``global_avg_pool``, which knows of masks.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from archspec.ir.tensors import TensorSpec, elements
from archspec.ir.validation import refuse
from archspec.ops.base import Op, OpError
from archspec.ops.reach import EVERYTHING, POINT, Axes, Reach
from archspec.ops.shapes import floating, normalize_axis

if TYPE_CHECKING:
    import keras


def _one_or_more(value: Any) -> tuple[int, ...]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if 1 <= len(values) <= 8 and all(isinstance(v, int) and not isinstance(v, bool) and -8 <= v < 8 for v in values):
        return tuple(values)
    raise refuse("must be an axis, or a list of axes; the batch axis is not counted")


AxisOrAxes = Annotated[
    tuple[int, ...],
    PlainValidator(_one_or_more),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "minItems": 1}]}),
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
        gone = self._axes(x)
        if len(gone) == x.rank and not self.keep:
            raise OpError(
                f"reduce would leave no axis of {x}", argument="axis", help="keep: true keeps them, with length 1"
            )
        return TensorSpec(_without(x, gone, self.keep), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return (_read(x, self._axes(x), self.keep),)

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

        return Reduce(self.reduction, [a + 1 for a in sorted(self._axes(x))], self.keep)

    def _axes(self, x: TensorSpec) -> set[int]:
        axes = [normalize_axis(axis, x, "reduce") for axis in self.axis]
        if len(set(axes)) != len(axes):
            raise OpError(f"reduce: {list(self.axis)} names an axis of {x} twice", argument="axis")
        return set(axes)


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
        return TensorSpec(_without(x, {axis}, False), "int32")

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return (_read(x, {normalize_axis(self.axis, x, "argmax")}, False),)

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
        axis = normalize_axis(self.axis, x, "cumsum")
        return out.size - elements(out.shape[:axis] + out.shape[axis + 1 :])

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reduction import CumulativeSum

        return CumulativeSum(normalize_axis(self.axis, x, "cumsum") + 1)


def _without(x: TensorSpec, axes: set[int], keep: bool) -> tuple[int | None, ...]:
    """The shape where ``axes`` have gone, or have length 1."""
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keep or i not in axes)


def _read(x: TensorSpec, axes: set[int], keep: bool) -> Axes:
    """All of ``axes``; behind one that is gone, axes stand elsewhere in the output."""
    return tuple(EVERYTHING if i in axes or (not keep and i > min(axes)) else POINT for i in range(x.rank))
