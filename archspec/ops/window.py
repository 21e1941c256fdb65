"""Windows of a map: cut out, put back, and attended to within (Swin, MaxViT)."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ops.arguments import Offsets, PositiveInt, Rate, Sizes
from archspec.ops.base import Op, OpError
from archspec.ops.masks import refused
from archspec.ops.meeting import divisors_of
from archspec.ops.peers import by_parts
from archspec.ops.reach import EVERYTHING, Axes, Reach, each_element
from archspec.ops.shapes import exact, floating, known_channels, per_axis

if TYPE_CHECKING:
    import keras


class WindowPartition(Op, name="window_partition", main="size"):
    """A map cut into windows: (height, width, channels) becomes (windows, positions, channels), row by row.

    With ``grid`` a window's positions are spread over the whole map, as far apart as there are windows: attention
    within such windows is MaxViT's grid attention (Tu et al. 2022). ``window_reverse`` puts them back.
    """

    moves_data = True
    hands_on = "elements"

    size: Sizes
    """Height and width of a window; they divide those of the map."""
    grid: bool = False
    """Take every n-th position of the map for a window, not neighbours."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        size, windows = _divided(x, self.size, "window_partition")
        return TensorSpec((prod(windows), prod(size), x.channels), x.dtype)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.window import WindowPartition

        return WindowPartition(per_axis(self.size, 2, "size"), self.grid, **exact(x))


class WindowReverse(Op, name="window_reverse"):
    """Windows put together to a map again: (windows, positions, channels) becomes (height, width, channels).

    The inverse of ``window_partition``."""

    moves_data = True
    hands_on = "elements"

    size: Sizes
    """Height and width of a window."""
    shape: Sizes
    """Height and width of the map: ``[=image.height, =image.width]``."""
    grid: bool = False
    """The same as in ``window_partition``."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        height, width = per_axis(self.shape, 2, "shape")
        size, windows = _divided(TensorSpec((height, width, x.channels)), self.size, "window_reverse")
        if x.rank != 3 or x.shape[:2] != (prod(windows), prod(size)):
            raise OpError(
                f"window_reverse: windows of {size[0]}×{size[1]} in a map of {height}×{width} are "
                f"({prod(windows)}, {prod(size)}, channels), got {x}",
                argument="shape",
            )
        return TensorSpec((height, width, x.channels), x.dtype)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.window import WindowReverse

        return WindowReverse(per_axis(self.size, 2, "size"), per_axis(self.shape, 2, "shape"), self.grid, **exact(x))


class RelativePositionBias(Op, name="relative_position_bias", main="window"):
    """Adds, to scores of attention (heads, queries, keys), a learnt bias for every head and every distance between a
    query and a key (Liu et al. 2021, §3.2).

    Queries and keys are the positions of one window, row by row, as ``window_partition`` gives them; in
    ``window_attention`` it is built in.
    """

    saves = "nothing"

    window: Sizes
    """Size of the window: one number for a sequence, ``[7, 7]`` for a map."""

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "relative_position_bias")
        steps = prod(self._window())
        if x.rank < 3 or x.shape[-3] is None or x.shape[-2:] != (steps, steps):
            raise OpError(f"relative_position_bias needs scores (heads, {steps}, {steps}), got {x}", argument="window")
        return x

    def is_positional(self) -> bool:
        return True

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("table", (_distances(self._window()), x.shape[-3] or 0)),)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.window import RelativePositionBias

        return RelativePositionBias(self._window())

    def _window(self) -> tuple[int, ...]:
        return self.window if isinstance(self.window, tuple) else (self.window,)


class WindowAttention(Op, name="window_attention", main="heads"):
    """Multi-head attention within windows of a map (height, width, channels), with a learnt bias for every distance
    within a window (Liu et al. 2021, Swin; §3.2).

    A map that the windows do not fill is filled up with zeros below and to the right. With ``shift`` the windows lie so
    far down and to the right; what wraps around the border is not read by what lies there. An axis that one window
    covers is not shifted. With ``grid`` a window's positions are spread over the whole map (MaxViT, Tu et al. 2022).
    """

    convention = "sequence"

    heads: PositiveInt
    """Number of heads; divides the channels."""
    window: Sizes = 7
    """Height and width of a window."""
    shift: Offsets = 0
    """How far the windows are shifted, half a window in every second block of Swin; less than the window."""
    grid: bool = False
    """Spread a window's positions over the whole map, which the window must divide."""
    bias: bool = True
    """Add biases in the projections."""
    dropout: Rate = 0.0
    """Probability that a weight between two positions is dropped in training."""

    masked = refused

    torch = by_parts
    torch_does_not_say = ("heads", "shift", "grid")

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "window_attention")
        channels = known_channels(x, "window_attention")
        if x.rank != 3 or None in x.shape:
            raise OpError(f"window_attention needs a map (height, width, channels) of known size, got {x}")
        if channels % self.heads:
            message = f"window_attention: {self.heads} heads do not divide {channels} channels"
            raise OpError(message, argument="heads", help=divisors_of(channels, "channels"))
        window, shift = per_axis(self.window, 2, "window"), per_axis(self.shift, 2, "shift")
        if any(s >= w for s, w in zip(shift, window, strict=True)):
            raise OpError(f"window_attention: shift {self.shift} is not less than the window", argument="shift")
        if self.grid:
            if any(shift):
                raise OpError("window_attention: windows of a grid are not shifted", argument="shift")
            _divided(x, self.window, "window_attention", argument="window")
        return x

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        if self.grid:
            return ((EVERYTHING, EVERYTHING, EVERYTHING),)
        axes = zip(x.spatial, per_axis(self.window, 2, "window"), self._shift(x), strict=True)
        return ((*(_span(n or 0, w, s) for n, w, s in axes), EVERYTHING),)

    def is_random(self) -> bool:
        return self.dropout > 0

    def is_positional(self) -> bool:
        return True

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        channels = known_channels(x, "window_attention")
        out = [WeightSpec("table", (_distances(per_axis(self.window, 2, "window")), self.heads))]
        for name, columns in (("qkv", 3 * channels), ("proj", channels)):
            out.append(WeightSpec(f"{name}/kernel", (channels, columns)))
            out.append(WeightSpec(f"{name}/bias", (columns,)))
        return tuple(w for w in out if self.bias or not w.name.endswith("/bias"))

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        """positions, filled up · (4 · channels² for the projections + 2 · channels · positions of a window)"""
        positions, within = self._positions(x)
        channels = known_channels(x, "window_attention")
        return positions * (4 * channels**2 + 2 * channels * within)

    def backward_macs(self, needed: tuple[bool, ...], out: TensorSpec, x: TensorSpec) -> int:
        """twice the macs, but for the first projection where no gradient by the input is needed"""
        channels = known_channels(x, "window_attention")
        return 2 * self.macs(out, x) - (0 if any(needed) else self._positions(x)[0] * 3 * channels**2)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """2 · macs + the softmax and the bias of each score, the scale of the queries, the biases"""
        positions, within = self._positions(x)
        channels = known_channels(x, "window_attention")
        scores = self.heads * positions * within
        softmax = 4 * scores - 2 * self.heads * positions
        return 2 * self.macs(out, x) + softmax + scores + positions * channels * (5 if self.bias else 1)

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        """heads · positions, filled up · positions of a window"""
        positions, within = self._positions(x)
        return self.heads * positions * within

    def saved_within(self, out: TensorSpec, x: TensorSpec) -> tuple[TensorSpec, ...]:
        """queries, keys and values, the weights between positions, and the means"""
        positions, within = self._positions(x)
        return (
            TensorSpec((positions, 3, x.channels)),
            TensorSpec((self.heads, positions, within)),
            TensorSpec((positions, x.channels)),
        )

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.window import WindowAttention

        window, shift = per_axis(self.window, 2, "window"), self._shift(x)
        sizes = [n or 0 for n in x.spatial]
        stretches = [_stretches(n, w, s) for n, w, s in zip(sizes, window, shift, strict=True)]
        return WindowAttention(
            self.heads,
            window,
            shift,
            stretches if any(shift) else None,
            self.grid,
            self.bias,
            self.dropout,
        )

    def _shift(self, x: TensorSpec) -> tuple[int, ...]:
        """How far the windows are shifted: not at all along an axis that one of them covers."""
        window, shift = per_axis(self.window, 2, "window"), per_axis(self.shift, 2, "shift")
        return tuple(s if (n or 0) > w else 0 for n, w, s in zip(x.spatial, window, shift, strict=True))

    def _positions(self, x: TensorSpec) -> tuple[int, int]:
        """Positions of the map, filled up, and those of a window."""
        window = per_axis(self.window, 2, "window")
        filled = [-(-(n or 0) // w) * w for n, w in zip(x.spatial, window, strict=True)]
        return prod(filled), prod(window)


def _stretches(size: int, window: int, shift: int) -> list[int]:
    """Along an axis, for each place of the map that is filled up and shifted: which stretch of the map it lies in. Only
    where the map's end meets its beginning there are several in a window, which do not read each other."""
    filled = -(-size // window) * window
    if not shift:
        return [0] * filled
    return [0 if at < filled - window else 1 if at < filled - shift else 2 for at in range(filled)]


def _span(size: int, window: int, shift: int) -> Reach:
    """How far a place reads along an axis, at most: to the other end of its stretch of a window."""
    stretches = _stretches(size, window, shift)
    found: dict[tuple[int, int], list[int]] = {}
    for moved, stretch in enumerate(stretches):
        if (at := (moved + shift) % len(stretches)) < size:
            found.setdefault((moved // window, stretch), []).append(at)
    span = max(max(places) - min(places) for places in found.values())
    return Reach(span, span)


def _distances(window: tuple[int, ...]) -> int:
    """How many distances there are within a window."""
    return prod(2 * n - 1 for n in window)


def _divided(
    x: TensorSpec, size: int | tuple[int, ...], op: str, argument: str = "size"
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Height and width of a window, and how many there are along both. Raises OpError."""
    if x.rank != 3 or None in x.spatial:
        raise OpError(f"{op} needs a map (height, width, channels) of known size, got {x}")
    window, windows = per_axis(size, 2, argument), []
    for n, w in zip(x.spatial, window, strict=True):
        assert n is not None
        if n % w:
            raise OpError(
                f"{op}: windows of {w} do not divide {n} (map {x})", argument=argument, help=divisors_of(n, "of them")
            )
        windows.append(n // w)
    return window, tuple(windows)
