"""Elements at other places: picked out, moved around, repeated. Nothing here computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import ONE_OR_MORE, integers
from archspec.ops.base import Op, OpError
from archspec.ops.masks import refused
from archspec.ops.reach import EVERYTHING, POINT, Axes, from_axis
from archspec.ops.reduction import AxisOrAxes
from archspec.ops.shapes import exact, new_axis, normalize_axes, normalize_axis

if TYPE_CHECKING:
    import keras


Indices = Annotated[
    tuple[int, ...], integers(0, 2**31 - 1, 2**16, "must be a place from 0, or a list of places"), ONE_OR_MORE
]
Shifts = Annotated[
    tuple[int, ...], integers(-(2**31), 2**31 - 1, 8, "must be an integer, or a list of one per axis"), ONE_OR_MORE
]
Repeats = Annotated[tuple[int, ...], integers(1, 2**31 - 1, 8, "must list how often, once for every axis"), ONE_OR_MORE]


class Gather(Op, name="gather", main="indices"):
    """Elements of an axis by their places, in the order in which the places are given, which may repeat.

    ``{gather: {indices: [0, 2], axis: 0}}`` takes two steps of a sequence. Places that differ from example to example
    are a second input of integers: ``{gather: {axis: 0}, from: {x: steps, places: found}}``; its axes take the place of
    the axis.
    """

    moves_data = True
    hands_on = "elements"

    indices: Indices | None = None
    """Places from 0; as a second input, ``places``, if not given."""
    axis: int = -1
    """Axis to pick from, the batch axis not counted; -1 is channels."""

    def infer(self, x: TensorSpec, places: TensorSpec | None = None) -> TensorSpec:
        axis = normalize_axis(self.axis, x, "gather")
        if (self.indices is None) == (places is None):
            raise OpError(
                "gather needs places, either as indices or as a second input",
                help="gather: [0, 2], or from: {x: …, places: …}",
                argument="indices",
            )
        size = x.shape[axis]
        if places is not None:
            if "int" not in places.dtype or not places.rank:
                raise OpError(f"gather needs places as a tensor of integers, got {places.dtype} {places}")
            return TensorSpec((*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]), x.dtype)
        assert self.indices is not None
        if size is not None and max(self.indices) >= size:
            message = f"gather: place {max(self.indices)} does not lie in {size} (input {x})"
            raise OpError(message, argument="indices", help=f"places are 0 to {size - 1}")
        return TensorSpec((*x.shape[:axis], len(self.indices), *x.shape[axis + 1 :]), x.dtype)

    def masked(self, covered: tuple[int, ...], x: TensorSpec, places: TensorSpec | None = None) -> int:
        """That of axes before the one that is picked from."""
        if any(covered[1:]) or covered[0] > normalize_axis(self.axis, x, "gather"):
            return int(refused(self, covered, x))
        return covered[0]

    def reach(self, x: TensorSpec, places: TensorSpec | None = None) -> tuple[Axes, ...]:
        axis = normalize_axis(self.axis, x, "gather")
        stays = places is None or places.rank == 1
        of_x = tuple(POINT if i < axis or (stays and i > axis) else EVERYTHING for i in range(x.rank))
        if places is None:
            return (of_x,)
        return of_x, (POINT,) * places.rank if axis == 0 else None

    def lower(self, x: TensorSpec, places: TensorSpec | None = None) -> keras.Layer:
        from archspec.layers.indexing import Gather

        return Gather(normalize_axis(self.axis, x, "gather") + 1, self.indices, **exact(x))


class Roll(Op, name="roll", main="shift"):
    """Elements moved along axes; what leaves at one end comes in at the other: element i goes to i + shift."""

    moves_data = True
    hands_on = "elements"

    shift: Shifts
    """How far, for every axis or one per axis of ``axis``; negative moves towards the start."""
    axis: AxisOrAxes = (-1,)
    """Axis or axes to move along, the batch axis not counted; -1 is channels."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        self._moves(x)
        return x

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        moved = self._moves(x)
        return (tuple(EVERYTHING if i in moved else POINT for i in range(x.rank)),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.indexing import Roll

        moves = self._moves(x)
        return Roll(list(moves.values()), [axis + 1 for axis in moves], **exact(x))

    def _moves(self, x: TensorSpec) -> dict[int, int]:
        """Axis → how far."""
        axes = normalize_axes(self.axis, x, "roll")
        if len(self.shift) not in (1, len(axes)):
            raise OpError(f"roll: shift has {len(self.shift)} values for {len(axes)} axes", argument="shift")
        shifts = self.shift * len(axes) if len(self.shift) == 1 else self.shift
        return dict(zip(axes, shifts, strict=True))


class Tile(Op, name="tile", main="repeats"):
    """The whole tensor side by side, so often along each axis: [a, b] twice is [a, b, a, b]."""

    moves_data = True
    hands_on = "elements"

    repeats: Repeats
    """How often, one number for each axis, the batch axis not counted."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        if len(self.repeats) != x.rank:
            sides = self.repeats[0] if len(self.repeats) == 1 else 2
            raise OpError(
                f"tile: {len(self.repeats)} numbers for {x}, which has {x.rank} axes",
                argument="repeats",
                help=f"one for each axis, the channels last: {[sides] * (x.rank - 1) + [1]}",
            )
        sizes = zip(x.shape, self.repeats, strict=True)
        return TensorSpec(tuple(None if n is None else n * times for n, times in sizes), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return (tuple(POINT if times == 1 else EVERYTHING for times in self.repeats),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.indexing import Tile

        return Tile(self.repeats, **exact(x))


class ExpandDims(Op, name="expand_dims", main="axis"):
    """A further axis, of length 1."""

    is_view = True

    axis: int = -1
    """Where it stands in the output, the batch axis not counted; -1 is behind the channels."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        axis = new_axis(self.axis, x, "expand_dims")
        return TensorSpec((*x.shape[:axis], 1, *x.shape[axis:]), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return (from_axis(new_axis(self.axis, x, "expand_dims"), x),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.indexing import ExpandDims

        return ExpandDims(new_axis(self.axis, x, "expand_dims") + 1, **exact(x))

    def lower_unmasked(self, x: TensorSpec) -> keras.Layer | None:
        return _reshaping(self.infer(x))


class Squeeze(Op, name="squeeze", main="axis"):
    """An axis of length 1 taken away."""

    is_view = True

    axis: int = -1
    """Which, the batch axis not counted; -1 is channels."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        axis = normalize_axis(self.axis, x, "squeeze")
        if x.shape[axis] != 1:
            ones = [k for k, n in enumerate(x.shape) if n == 1]
            has = f"axes of length 1 are {', '.join(map(str, ones))}" if ones else "no axis of it has length 1"
            raise OpError(
                f"squeeze: axis {self.axis} of {x} has not length 1", argument="axis", help=f"{has}; flatten joins axes"
            )
        if x.rank == 1:
            raise OpError(f"squeeze would leave no axis of {x}")
        return TensorSpec((*x.shape[:axis], *x.shape[axis + 1 :]), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return (from_axis(normalize_axis(self.axis, x, "squeeze"), x),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.indexing import Squeeze

        return Squeeze(normalize_axis(self.axis, x, "squeeze") + 1, **exact(x))

    def lower_unmasked(self, x: TensorSpec) -> keras.Layer | None:
        return _reshaping(self.infer(x))


def _reshaping(out: TensorSpec) -> keras.Layer | None:
    """Keras's layer, which finds one open size at most."""
    import keras

    if out.shape.count(None) > 1:
        return None
    return keras.layers.Reshape([-1 if n is None else n for n in out.shape], **exact(out))
