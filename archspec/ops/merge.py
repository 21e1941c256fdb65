"""Merges: where several tensors become one.

The elementwise ones broadcast as NumPy does, from the last axis; a size that is open in one operand is open in the
result. Of a single tensor a merge is the identity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError
from archspec.ops.meeting import brought_together
from archspec.ops.reach import EVERYTHING, POINT, Axes, aligned, from_axis
from archspec.ops.shapes import broadcast, exact, floating, new_axis, normalize_axis

if TYPE_CHECKING:
    import keras

    from archspec.ir.counterpart import Counterpart, OrderTrace


class Concat(Op, name="concat"):
    """Concatenation along an axis, in the order given."""

    moves_data = True
    is_merge = True
    operands = "nested"
    hands_on = "elements"
    is_equivariant = True

    axis: int = -1
    """Axis to join, the batch axis not counted; -1 is channels."""

    def infer(self, *inputs: TensorSpec) -> TensorSpec:
        first = _first(inputs, "concat")
        axis = normalize_axis(self.axis, first, "concat")
        total: int | None = 0
        for x in inputs:
            if x.rank != first.rank or any(
                a != b and a is not None and b is not None and i != axis
                for i, (a, b) in enumerate(zip(first.shape, x.shape, strict=True))
            ):
                free = "channels" if axis == first.rank - 1 else f"axis {axis}"
                help = brought_together(first, x, are_channels_free=axis == first.rank - 1)
                raise OpError(f"cannot concat {first} and {x}: all dimensions but {free} must match", help=help)
            size = x.shape[axis]
            total = None if total is None or size is None else total + size
        return TensorSpec((*first.shape[:axis], total, *first.shape[axis + 1 :]), first.dtype)

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, *inputs: Counterpart) -> Counterpart:
        """Of channels, the orders of the parts one after the other; of positions, one order for all."""
        from archspec.ir.counterpart import Counterpart, Joined

        if normalize_axis(self.axis, out, "concat") != out.rank - 1:
            return trace.elementwise(out, *inputs)
        parts = [(x.shape[-1], x.order) for x in inputs if x.shape[-1] is not None]
        axes = inputs[0].axes
        for x in inputs[1:]:
            axes = axes.joined(x.axes, trace.node)
        return Counterpart(out.shape, axes, Joined(parts) if len(parts) == len(inputs) else trace.plain(*inputs))

    def masked(self, covered: tuple[int, ...], *inputs: TensorSpec) -> int:
        """Of steps one after the other each has the mask that it had."""
        if self.axis % inputs[0].rank < max(covered):
            return max(covered)
        return super().masked(covered, *inputs)

    def reach(self, *inputs: TensorSpec) -> tuple[Axes, ...]:
        axis = self.axis % inputs[0].rank
        return (tuple(EVERYTHING if i == axis else POINT for i in range(inputs[0].rank)),) * len(inputs)

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        import keras

        # Keras counts the batch axis.
        return keras.layers.Concatenate(axis=self.axis if self.axis < 0 else self.axis + 1, **exact(inputs[0]))


class _Elementwise(Op):
    """Operands element by element, broadcast from the last axis."""

    convention = "elementwise"
    is_merge = True
    is_equivariant = True
    takes_two: ClassVar[bool] = False
    """Whether there are exactly two operands, in their order, or any number of them."""

    reach = aligned

    def infer(self, *inputs: TensorSpec) -> TensorSpec:
        if self.takes_two and len(inputs) != 2:
            raise OpError(f"{self.name} needs exactly two tensors, got {len(inputs)}")
        return _broadcast(inputs, self.name)

    def flops(self, out: TensorSpec, *inputs: TensorSpec) -> int:
        return (len(inputs) - 1) * out.size


class Add(_Elementwise, name="add"):
    """Sum of the operands."""

    saves = "nothing"
    operands = "any order"
    is_projectable = True

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Add()


class Multiply(_Elementwise, name="multiply"):
    """Product of the operands, element by element."""

    operands = "any order"

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Multiply()


class Average(_Elementwise, name="average"):
    """Mean of the operands."""

    saves = "nothing"
    operands = "any order"
    is_projectable = True

    def flops(self, out: TensorSpec, *inputs: TensorSpec) -> int:
        return len(inputs) * out.size if len(inputs) > 1 else 0

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Average()


class Maximum(_Elementwise, name="maximum"):
    """Largest of the operands, element by element."""

    operands = "any order"
    is_projectable = True

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Maximum()


class Minimum(_Elementwise, name="minimum"):
    """Smallest of the operands, element by element."""

    operands = "any order"

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Minimum()


class Subtract(_Elementwise, name="subtract"):
    """The first operand minus the second; exactly two."""

    takes_two = True
    cancels = True
    saves = "nothing"
    is_projectable = True

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Subtract()


class Divide(_Elementwise, name="divide"):
    """The first operand by the second, element by element; exactly two. Where the second is 0 it is infinite, or not a
    number."""

    takes_two = True

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.merge import Divide

        return Divide()


class Stack(Op, name="stack", main="axis"):
    """Tensors of one shape side by side along a new axis: three vectors of 64 become (3, 64)."""

    moves_data = True
    is_merge = True
    hands_on = "elements"

    axis: int = 0
    """Where the new axis stands in the output, the batch axis not counted; -1 is behind the channels."""

    def infer(self, *inputs: TensorSpec) -> TensorSpec:
        first = _first(inputs, "stack")
        for x in inputs:
            if x.shape != first.shape:
                raise OpError(f"cannot stack {first} and {x}: the shapes must match", help="concat joins channels")
        axis = new_axis(self.axis, first, "stack")
        return TensorSpec((*first.shape[:axis], len(inputs), *first.shape[axis:]), first.dtype)

    def reach(self, *inputs: TensorSpec) -> tuple[Axes, ...]:
        return (from_axis(new_axis(self.axis, inputs[0], "stack"), inputs[0]),) * len(inputs)

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        from archspec.layers.merge import Stack

        return Stack(new_axis(self.axis, inputs[0], "stack") + 1, **exact(inputs[0]))


def _first(inputs: tuple[TensorSpec, ...], op: str) -> TensorSpec:
    """The first operand. Raises OpError without one, and where types differ."""
    if not inputs:
        raise OpError(f"{op} needs at least one tensor")
    first = inputs[0]
    for x in inputs:
        if x.dtype != first.dtype:
            raise OpError(f"cannot {op} {first.dtype} and {x.dtype}")
    return first


def _broadcast(inputs: tuple[TensorSpec, ...], op: str) -> TensorSpec:
    """What an elementwise merge returns."""
    first = _first(inputs, op)
    floating(first, op)
    if all(x.shape == first.shape for x in inputs):
        return first
    return TensorSpec(broadcast([x.shape for x in inputs], op), first.dtype)
