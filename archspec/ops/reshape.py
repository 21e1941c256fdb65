"""Shapes, orders and parts of a tensor. Nothing here computes."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from archspec.ir.counterpart import SAME, Counterpart, Flattened, Lost, Part
from archspec.ir.tensors import Size, TensorSpec
from archspec.ir.validation import refuse
from archspec.ops.arguments import PositiveInt
from archspec.ops.base import Op, OpError
from archspec.ops.masks import of_first, refused
from archspec.ops.meeting import divisors_of
from archspec.ops.reach import EVERYTHING, POINT, Axes, Reach, along_axis
from archspec.ops.shapes import exact, normalize_axis

if TYPE_CHECKING:
    import keras

    from archspec.ir.counterpart import OrderTrace

LIMIT = 2**31
LARGEST_IMAGE = 4
"""Axes of a volume and its channels: with more, a tensor is an image cut into pieces, and nobody turns it around."""


def _whole(values: object, low: int, count: range) -> bool:
    """Whether ``values`` is a list of ``count`` integers of at least ``low``."""
    return (
        isinstance(values, (list, tuple))
        and len(values) in count
        and all(isinstance(v, int) and not isinstance(v, bool) and low <= v <= LIMIT for v in values)
    )


def _shape(value: Any) -> tuple[int, ...]:
    if _whole(value, -1, range(1, 9)) and 0 not in value and list(value).count(-1) <= 1:
        return tuple(value)
    raise refuse("must be a list of sizes, at most one of them -1")


def _axes(value: Any) -> tuple[int, ...]:
    if _whole(value, 0, range(1, 9)) and sorted(value) == list(range(len(value))):
        return tuple(value)
    raise refuse("must list every axis once, from 0, the batch axis not counted")


def _range(value: object) -> tuple[int, int | None]:
    if isinstance(value, (list, tuple)) and len(value) == 2:
        start, stop = value
        if _whole([start, 0 if stop is None else stop], -LIMIT, range(2, 3)):
            return (start, stop)
    raise refuse("must be [start, stop], stop excluded; null for the end")


def _parts(value: Any) -> int | tuple[int, ...]:
    if _whole([value], 2, range(1, 2)) and value <= 1024:
        return int(value)
    if _whole(value, 1, range(2, 1025)):
        return tuple(value)
    raise refuse("must be a number of equal parts, at least 2, or a list of their sizes")


_INTS = {"type": "array", "items": {"type": "integer"}, "minItems": 1}
_RANGE = {"type": "array", "items": {"type": ["integer", "null"]}, "minItems": 2, "maxItems": 2}

Shape = Annotated[tuple[int, ...], PlainValidator(_shape), WithJsonSchema(_INTS)]
Order = Annotated[tuple[int, ...], PlainValidator(_axes), WithJsonSchema(_INTS)]
Range = Annotated[tuple[int, int | None], PlainValidator(_range), WithJsonSchema(_RANGE)]
Parts = Annotated[
    int | tuple[int, ...],
    PlainValidator(_parts),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 2}, _INTS]}),
]


class Flatten(Op, name="flatten"):
    """One axis in place of all, the last running fastest."""

    is_view = True

    def infer(self, x: TensorSpec) -> TensorSpec:
        return TensorSpec((None if None in x.shape else x.size,), x.dtype)

    def is_flattening(self) -> bool:
        return True

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
        return trace.known(out, "last", Flattened(x))

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Flatten()


class Reshape(Op, name="reshape", main="shape"):
    """The same elements in the same order under another shape."""

    is_view = True

    shape: Shape
    """New sizes, the batch axis not counted; one may be -1, which is what is left."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        rest = prod(n for n in self.shape if n != -1)
        left = None if None in x.shape else x.size // rest
        if None not in x.shape and (x.size % rest or (-1 not in self.shape and left != 1)):
            message = f"reshape: {x} has {x.size} elements, which do not fill {list(self.shape)}"
            raise OpError(message, argument="shape", help=self._filled(x.size))
        return TensorSpec(tuple(left if n == -1 else n for n in self.shape), x.dtype)

    def _filled(self, size: int) -> str:
        """The shape with one size that is what is left."""
        for i in range(len(self.shape)):
            rest = prod(n for k, n in enumerate(self.shape) if k != i and n != -1)
            if -1 not in (*self.shape[:i], *self.shape[i + 1 :]) and size % rest == 0:
                shown = ", ".join("-1" if k == i else str(n) for k, n in enumerate(self.shape))
                return f"[{shown}] fits: -1 is what is left, here {size // rest}"
        return f"the sizes multiplied must be {size}; [-1] is a vector of all"

    def is_flattening(self) -> bool:
        return len(self.shape) == 1

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
        """A vector becomes what its reader takes; of other tensors the channels, if they stay or are cut in parts."""
        if out.shape == x.shape or (out.rank > 1 and _without_ones(out.shape) == _without_ones(x.shape)):
            return self._with_ones(trace, out, x)
        if out.rank == 1:
            return trace.known(out, "last", Flattened(x))
        if set(out.shape[:-1]) == {1}:
            return trace.known(out, "last", Flattened(x))
        if x.rank == 1 or set(x.shape[:-1]) == {1}:
            made = trace.undecided(out, is_open=True)
            trace.agree((x.order, Flattened(made)))
            return made
        if out.channels == x.shape[-1] and None not in x.shape:
            if x.axes.side == "last" and out.rank > LARGEST_IMAGE:
                return trace.known(out, "last", x.order)
            return trace.undecided(out, x.order, is_open=True)
        if x.axes.side == "last" and x.rank > LARGEST_IMAGE:
            return trace.known(out, "last", trace.plain(x))
        if x.shape[-1] and out.channels and x.shape[-1] % out.channels == 0:
            return trace.undecided(out, trace.plain(x))
        why = f"{TensorSpec(x.shape)} as {out}, be the channels first or last"
        return trace.undecided(out, Lost(why))

    def _with_ones(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
        """Axes of size 1 come or go; where the channels' do, what is last is the same on either side."""
        if x.shape[-1] == out.channels:
            return Counterpart(out.shape, x.axes, x.order)
        if x.shape[-1] == 1:
            return trace.known(out, "last")
        x.axes.pin("last")
        order = trace.plain(x)
        if x.axes.side != "last":
            order = Lost(f"{TensorSpec(x.shape)} as {out}, be the channels first or last")
        return trace.undecided(out, order)

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Reshape(self.shape)


class Permute(Op, name="permute", main="axes"):
    """Another order of the axes: axis ``i`` of the output is axis ``axes[i]`` of the input."""

    moves_data = True
    hands_on = "elements"

    axes: Order
    """Every axis once, counted from 0 without the batch axis."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        if len(self.axes) != x.rank:
            raise OpError(
                f"permute: {len(self.axes)} axes for {x}, which has {x.rank}",
                argument="axes",
                help=f"the batch is not counted: {[a - 1 for a in self.axes[1:]]}" if self.axes[:1] == (0,) else None,
            )
        return TensorSpec(tuple(x.shape[a] for a in self.axes), x.dtype)

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
        """Channels that go first here lie as they did elsewhere; from first to last, the reader says which it is."""
        rank, axes = out.rank, self.axes
        if axes == tuple(range(rank)):
            return x
        order = x.order if axes[-1] == rank - 1 else SAME
        if axes[-1] == rank - 1 and x.axes.side == "last" and rank > LARGEST_IMAGE:
            return trace.known(out, "last", order)
        if axes[-1] != rank - 1:
            trace.plain(x)
        if axes == (*range(1, rank), 0):
            if rank > 2:
                x.axes.pin("last")
            if rank > 2 or x.axes.side != "first":
                return trace.undecided(out, order, is_open=True)
        if axes == (rank - 1, *range(rank - 1)) and x.axes.side == "first":
            return trace.known(out, "last", order)
        return trace.undecided(out, order, is_open=True)

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Permute(tuple(a + 1 for a in self.axes))


class Slice(Op, name="slice", main="range"):
    """A stretch of one axis, by default of the channels."""

    moves_data = True
    is_equivariant = True

    range: Range
    """``[start, stop]``, stop excluded. Negative counts from the end, null is the end."""
    axis: int = -1
    """Axis to cut, the batch axis not counted; -1 is channels."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        axis = normalize_axis(self.axis, x, "slice")
        size, (start, stop) = x.shape[axis], self.range
        if size is not None:
            first = start + size if start < 0 else start
            last = size if stop is None else stop + size if stop < 0 else stop
            if not 0 <= first < last <= size:
                shown = "null" if stop is None else stop
                raise OpError(f"slice: [{start}, {shown}] does not lie in {size} (input {x})", argument="range")
            size = last - first
        return TensorSpec((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype)

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
        if self.axis % out.rank != out.rank - 1:
            return Counterpart(out.shape, x.axes, x.order)
        start, size = self.range[0], x.shape[-1]
        if size is None or out.channels is None:
            return trace.channelwise(out, x)
        start += size if start < 0 else 0
        return _part(out, x, start, start + out.channels)

    def masked(self, covered: tuple[int, ...], x: TensorSpec) -> int:
        """That of what is cut; what is counted from the end would be counted from the end of the padding."""
        start, stop = self.range
        if normalize_axis(self.axis, x, "slice") < covered[0] and (start < 0 or (stop is not None and stop < 0)):
            return int(refused(self, covered, x))
        return covered[0]

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        axis, start = normalize_axis(self.axis, x, "slice"), self.range[0]
        if start < 0:
            size = x.shape[axis]
            along = EVERYTHING if size is None else Reach(-(size + start), size + start)
        else:
            along = Reach(-start, start)
        return (tuple(along if i == axis else POINT for i in range(x.rank)),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reshape import Slice

        return Slice(*self.range, axis=normalize_axis(self.axis, x, "slice") + 1)

    def lower_unmasked(self, x: TensorSpec) -> keras.Layer | None:
        """Of a spatial axis whose size is known, a crop."""
        axis, (start, _) = normalize_axis(self.axis, x, "slice"), self.range
        size, kept = x.shape[axis], self.infer(x).shape[axis]
        if size is None or kept is None or axis == x.rank - 1 or x.rank > 4:
            return None
        import keras

        before = start + size if start < 0 else start
        margins = [(before, size - kept - before) if i == axis else (0, 0) for i in range(x.rank - 1)]
        layer = getattr(keras.layers, f"Cropping{x.rank - 1}D")
        return layer(margins if x.rank > 2 else margins[0], **exact(x))


class Split(Op, name="split", main="parts"):
    """Consecutive parts of one axis, by default of the channels: a bundle."""

    moves_data = True
    is_equivariant = True

    parts: Parts
    """A number of equal parts, or the size of each."""
    axis: int = -1
    """Axis to cut, the batch axis not counted; -1 is channels."""

    masked, reach = of_first, along_axis

    def infer(self, x: TensorSpec) -> tuple[TensorSpec, ...]:
        axis = normalize_axis(self.axis, x, "split")
        return tuple(TensorSpec((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype) for n in self._sizes(x, axis))

    def elsewhere(self, trace: OrderTrace, out: tuple[TensorSpec, ...], x: Counterpart) -> tuple[Counterpart, ...]:
        if self.axis % x.rank != x.rank - 1:
            return tuple(Counterpart(o.shape, x.axes, x.order) for o in out)
        made, start = [], 0
        for o in out:
            made.append(_part(o, x, start, start + (o.channels or 0)))
            start += o.channels or 0
        return tuple(made)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reshape import Split

        axis = normalize_axis(self.axis, x, "split")
        return Split(self._sizes(x, axis), axis=axis + 1)

    def _sizes(self, x: TensorSpec, axis: int) -> tuple[int, ...]:
        size = x.shape[axis]
        if size is None:
            raise OpError(f"split needs a known size to cut, got {x}")
        if isinstance(self.parts, int):
            if size % self.parts:
                message = f"split: {self.parts} parts do not divide {size} (input {x})"
                raise OpError(message, argument="parts", help=divisors_of(size, "of them"))
            return (size // self.parts,) * self.parts
        if sum(self.parts) != size:
            raise OpError(f"split: {' + '.join(map(str, self.parts))} is not {size} (input {x})", argument="parts")
        return self.parts


class RepeatVector(Op, name="repeat_vector", main="count"):
    """A vector, ``count`` times along a new first axis."""

    moves_data = True

    count: PositiveInt
    """Number of copies."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        if x.rank != 1:
            raise OpError(f"repeat_vector needs a vector, got {x}")
        return TensorSpec((self.count, *x.shape), x.dtype)

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
        return trace.known(out, "last", x.order)

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.RepeatVector(self.count, **exact(x))


def _part(out: TensorSpec, x: Counterpart, start: int, stop: int) -> Counterpart:
    """Some of the channels."""
    return Counterpart(out.shape, x.axes, Part(x.order, start, stop))


def _without_ones(shape: tuple[Size, ...]) -> list[Size]:
    return [n for n in shape if n != 1]
