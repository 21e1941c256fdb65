"""How far an op reads: which positions of its inputs a position of its output depends on. Rules that ops share.

A rule gives, for each input, a Reach for each axis of it, or None where anything may be read (a flattened map, another
order of the axes). Axis ``i`` of the output is axis ``i`` of the input; the batch axis is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.ir.declaration import shared
from archspec.ir.tensors import Size, TensorSpec
from archspec.ops.shapes import explicit_padding, normalize_axis, per_axis

if TYPE_CHECKING:
    from fractions import Fraction


class Reach(NamedTuple):
    """Along one axis: output position ``t`` reads the inputs from ``t · stride - before`` to ``t · stride + after``.

    Either may be negative: what only looks back by two or more steps has ``after`` -2. Where an axis becomes longer
    the stride is a fraction, and what is read are the whole positions within those bounds.
    """

    before: float | Fraction
    after: float | Fraction
    stride: int | Fraction = 1

    def of(self, inner: Reach) -> Reach:
        """What is read of the input of ``inner`` by what reads its output so."""
        before, after = self.before * inner.stride + inner.before, self.after * inner.stride + inner.after
        return Reach(before, after, self.stride * inner.stride)

    def joined(self, other: Reach) -> Reach:
        """What is read on two ways together."""
        if self.stride != other.stride:
            return EVERYTHING
        return Reach(max(self.before, other.before), max(self.after, other.after), self.stride)


Axes = tuple[Reach, ...] | None
"""A Reach for each axis of an input, or None for anything."""

POINT = Reach(0, 0)
EVERYTHING = Reach(inf, inf)
NOTHING = Reach(-inf, -inf)
"""Along every axis of an input of which only the number of examples counts."""


def is_read(axes: Axes) -> bool:
    """Whether anything is read of an input with this rule."""
    return axes is None or NOTHING not in axes


@shared
def each_element(self: Any, *inputs: TensorSpec) -> tuple[Axes, ...]:
    """Every element by itself."""
    return tuple((POINT,) * x.rank for x in inputs)


@shared
def each_position(self: Any, *inputs: TensorSpec) -> tuple[Axes, ...]:
    """All channels of a position, and of no other; the last axis is channels."""
    return tuple((*(POINT,) * (x.rank - 1), *(EVERYTHING,) * min(x.rank, 1)) for x in inputs)


@shared
def along_axis(self: Any, x: TensorSpec) -> tuple[Axes, ...]:
    """All of the axis that ``axis`` names, for each position of the others."""
    axis = normalize_axis(self.axis, x, self.name)
    return (tuple(EVERYTHING if i == axis else POINT for i in range(x.rank)),)


def from_axis(axis: int, x: TensorSpec) -> Axes:
    """All from an axis on where it comes or goes: what is behind it stands elsewhere in the output."""
    return tuple(POINT if i < axis else EVERYTHING for i in range(x.rank))


@shared
def aligned(self: Any, *inputs: TensorSpec) -> tuple[Axes, ...]:
    """Element by element of operands that broadcast as NumPy's do."""
    rank = max((x.rank for x in inputs), default=0)
    largest = [{x.shape[axis] for x in inputs if x.rank >= -axis} - {1} for axis in range(-rank, 0)]

    def of(x: TensorSpec) -> Axes:
        if x.rank < rank:
            return None
        pairs = zip(x.shape, largest, strict=True)
        return tuple(EVERYTHING if size == 1 and sizes else POINT for size, sizes in pairs)

    return tuple(map(of, inputs))


def windowed(
    x: TensorSpec, kernel: Any, stride: Any, padding: Any, dilation: Any = 1, activation: Any = None
) -> tuple[Axes, ...]:
    """Windows along the spatial axes, over all channels, and an activation after them."""
    rank = x.rank - 1
    sides: Sequence[Any] = (padding,) * rank if isinstance(padding, str) else explicit_padding(padding, rank)
    axes = zip(
        x.spatial,
        per_axis(kernel, rank, "kernel"),
        per_axis(stride, rank, "stride"),
        per_axis(dilation, rank, "dilation"),
        sides,
        strict=True,
    )
    found = tuple(_window(n, d * (k - 1), s, side) for n, k, s, d, side in axes)
    return (activated((*found, EVERYTHING), activation, x),)


def _window(size: Size, further: int, stride: int, side: str | tuple[int, int]) -> Reach:
    """One axis; ``further`` is how many positions lie in a window beside its first."""
    if isinstance(side, tuple) or side == "valid":
        before = 0 if isinstance(side, str) else side[0]
        return Reach(before, further - before, stride)
    # TensorFlow's ``same``: what is missing in all, the smaller half of it at the start.
    least, most = max(further + 1 - stride, 0), further
    if size is not None:
        least = most = max((-(-size // stride) - 1) * stride + further + 1 - size, 0)
    return Reach(most // 2, further - least // 2, stride)


def enlarged(x: TensorSpec, factors: Sequence[int]) -> tuple[Axes, ...]:
    """Every position along the spatial axes given several times in a row; all channels are read."""
    from fractions import Fraction

    axes = (Reach(1 - Fraction(1, f), 0, Fraction(1, f)) if f > 1 else POINT for f in factors)
    return ((*axes, EVERYTHING),)


def tiled(x: TensorSpec, sizes: Sequence[Size]) -> tuple[Axes, ...]:
    """The spatial axes cut into as many even cells as ``sizes`` says, each read whole, with what it shares."""

    from fractions import Fraction

    def along(n: Size, made: Size) -> Reach:
        if not n or not made:
            return EVERYTHING
        step = Fraction(n, made)
        # Of cell i, from ⌊i · step⌋ to below ⌈(i + 1) · step⌉.
        parts = [i * step % 1 for i in range(step.denominator)]
        return whole(Reach(max(parts), step - 1 + max(-part % 1 for part in parts), step))

    return ((*map(along, x.spatial, sizes), POINT),)


def resampled(x: TensorSpec, sizes: Sequence[Size], beside: int | None, *, at_centres: bool = True) -> tuple[Axes, ...]:
    """Output positions put at those of the input by the middles of their cells: the nearest is read (``beside`` None;
    without ``at_centres`` that in which the cell begins), or so many further ones than the two around it, on either
    side."""

    from fractions import Fraction

    def along(n: Size, made: Size) -> Reach:
        if not n or not made:
            return EVERYTHING
        step = Fraction(n, made)
        first = (step / 2 if at_centres else Fraction(0)) if beside is None else (step - 1) / 2
        parts = [(i * step + first) % 1 for i in range(step.denominator)]
        if beside is None:
            return whole(Reach(max(parts) - first, first - min(parts), step))
        after = first + max(-part % 1 for part in parts)
        return whole(Reach(max(parts) - first + beside, after + beside, step))

    return ((*map(along, x.spatial, sizes), POINT),)


def whole(reach: Reach) -> Reach:
    """The same with integers for fractions that are whole."""
    return Reach(*map(_whole, reach))


def _whole(n: Any) -> Any:
    return n.numerator if getattr(n, "denominator", 0) == 1 else n


def activated(axes: Axes, activation: Any, x: TensorSpec) -> Axes:
    """What is read where an activation follows, which may itself read a whole axis."""
    if activation is None or axes is None:
        return axes
    (after,) = activation.reach(TensorSpec((None,) * len(axes)))
    if after is None:
        return None
    return tuple(a.of(axis) for a, axis in zip(after, axes, strict=True))
