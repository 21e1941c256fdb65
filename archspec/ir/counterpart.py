"""Where the elements of a tensor lie in a library that keeps images channels first (PyTorch, Caffe).

Weights differ by that only where it shows: where an image becomes a vector, or a vector an image. So a tensor's
counterpart says two things: how its axes lie, and where each element of its last axis lies. Both may be known only when
a later op has taken the tensor, or never; then whoever depends on it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from archspec.ir.tensors import Size, TensorSpec

Side = Literal["first", "last"]


class Unfollowed(Exception):
    """Where elements lie is not known. ``node`` is where that began, if it could be said which way it is."""

    def __init__(self, message: str, node: str | None = None):
        super().__init__(message)
        self.node = node


class Axes:
    """Where the channels of a tensor are, be it first or last; tensors that surely agree share one.

    ``is_open`` where the next op that needs it one way decides; ``node`` is the node at which the matter began.
    """

    def __init__(self, node: str, side: Side | None = None, *, is_open: bool = False):
        self.node, self._side, self._is_open = node, side, is_open
        self._same: Axes | None = None

    def _root(self) -> Axes:
        at = self
        while at._same is not None:
            at = at._same
        return at

    @property
    def side(self) -> Side | None:
        """None where it is not known."""
        return self._root()._side

    @property
    def begun(self) -> str:
        """The node at which the matter began."""
        return self._root().node

    def pin(self, side: Side) -> None:
        """Decide it, if it is open."""
        root = self._root()
        if root._side is None and root._is_open:
            root._side = side

    def settle(self, side: Side) -> None:
        """Decide it, as a person says."""
        self._root()._side = side

    def joined(self, other: Axes, node: str) -> Axes:
        """The axes of a tensor that is both, element by element."""
        a, b = self._root(), other._root()
        if a is b or (a._side is not None and a._side == b._side):
            return a
        for one, two in ((a, b), (b, a)):
            if one._side is None and one._is_open:
                one._same = two
                return two
        return Axes(node)


class Order:
    """Where each element of a last axis lies."""

    def places(self) -> list[int] | None:
        """Its place elsewhere for each place here; None where all are the same. Raises Unfollowed."""
        return None


SAME = Order()


class Free(Order):
    """Any order will do, since weights are written in it: decided by the first that needs one."""

    bound: Order | None = None

    def places(self) -> list[int] | None:
        """As it was decided, else the same."""
        return self.bound.places() if self.bound else None


@dataclass(eq=False)
class Flattened(Order):
    """All elements of a tensor in a row, the last axis running fastest on either side."""

    tensor: Counterpart

    def places(self) -> list[int] | None:
        """Raises Unfollowed."""
        *spatial, channels = self.tensor.shape
        inner = self.tensor.order.places()
        if not spatial or set(spatial) == {1}:
            return inner
        if channels == 1 or (self.tensor.axes.side == "last" and inner is None):
            return None
        if self.tensor.axes.side is None:
            shown = TensorSpec(self.tensor.shape)
            raise Unfollowed(f"a vector of what is {shown} here, be it channels first or last", self.tensor.axes.begun)
        if None in self.tensor.shape:
            raise Unfollowed(f"a vector of {TensorSpec(self.tensor.shape)}, of open size")
        each, positions = range(channels) if inner is None else inner, prod(spatial)  # type: ignore[arg-type]
        if self.tensor.axes.side == "first":
            return _unless_same([c * positions + p for p in range(positions) for c in each])
        return _unless_same([p * len(each) + c for p in range(positions) for c in each])


@dataclass(eq=False)
class Joined(Order):
    """One axis after the other, each with its size."""

    parts: Sequence[tuple[int, Order]]

    def places(self) -> list[int] | None:
        """Raises Unfollowed."""
        out: list[int] = []
        for size, order in self.parts:
            start, places = len(out), order.places()
            out += (start + p for p in (range(size) if places is None else places))
        return _unless_same(out)


@dataclass(eq=False)
class Part(Order):
    """The elements from ``start`` to ``stop`` of another."""

    whole: Order
    start: int
    stop: int

    def places(self) -> list[int] | None:
        """Raises Unfollowed where they are not the same elements."""
        places = self.whole.places()
        if places is None:
            return None
        out = [p - self.start for p in places[self.start : self.stop]]
        if sorted(out) != list(range(self.stop - self.start)):
            raise Unfollowed("a stretch of a vector whose elements lie in another order")
        return _unless_same(out)


@dataclass(eq=False)
class Lost(Order):
    """An order that nothing tells."""

    why: str

    def places(self) -> list[int] | None:
        """Raises Unfollowed."""
        raise Unfollowed(self.why)


def _unless_same(places: list[int]) -> list[int] | None:
    return None if places == list(range(len(places))) else places


@dataclass(frozen=True, slots=True, eq=False)
class Counterpart:
    """A tensor of ``shape`` as it is elsewhere."""

    shape: tuple[Size, ...]
    axes: Axes
    order: Order = SAME

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)


@dataclass
class OrderTrace:
    """What is found out on the way through a graph. ``node`` and ``layer`` are where it stands."""

    node: str = ""
    layer: str = ""
    written: dict[str, Free] = field(default_factory=dict)
    """Orders in which layers may write, by layer."""
    equal: list[tuple[str, Order, Order]] = field(default_factory=list)
    """Nodes, and two orders that must be the same there."""

    def input(self, name: str, spec: TensorSpec) -> Counterpart:
        """An input of the graph: images are channels first, vectors the same."""
        side: Side | None = "first" if spec.rank > 2 else None if spec.rank == 2 else "last"
        return Counterpart(spec.shape, Axes(name, side, is_open=True))

    def known(self, out: TensorSpec, side: Side, order: Order = SAME) -> Counterpart:
        """An output whose axes are known."""
        return Counterpart(out.shape, Axes(self.node, side), order)

    def undecided(self, out: TensorSpec, order: Order = SAME, *, is_open: bool = False) -> Counterpart:
        """An output whose axes are not known, or (``is_open``) decided by the next op."""
        if out.rank < 2:
            return self.known(out, "last", order)
        return Counterpart(out.shape, Axes(self.node, is_open=is_open), order)

    def free(self) -> Free:
        """The order in which this layer writes, whatever it will be."""
        return self.written.setdefault(self.layer, Free())

    def agree(self, orders: Iterable[Order]) -> Order:
        """Orders that must be one; what is free becomes what is not. One that is lost makes them all so."""
        first, *rest = orders
        for other in rest:
            a, b = _decided(first), _decided(other)
            if a is b:
                continue
            if isinstance(a, Lost) or isinstance(b, Lost):
                first = a if isinstance(a, Lost) else b
                continue
            if isinstance(a, Free):
                a.bound = b
            elif isinstance(b, Free):
                b.bound = a
            else:
                self.equal.append((self.node, a, b))
        return first

    def plain(self, *inputs: Counterpart) -> Order:
        """The channels of the inputs must be the same on either side."""
        return self.agree((SAME, *(x.order for x in inputs)))

    def elementwise(self, out: TensorSpec, *inputs: Counterpart) -> Counterpart:
        """Each element by itself, or by its channel; operands broadcast."""
        orders = [x.order for x in inputs if x.rank and x.shape[-1] != 1]
        whole = [x for x in inputs if x.rank == out.rank and set(x.shape[:-1]) != {1}] or list(inputs[:1])
        axes = whole[0].axes
        for x in whole[1:]:
            axes = axes.joined(x.axes, self.node)
        return Counterpart(out.shape, axes, self.agree(orders) if orders else SAME)

    def channelwise(self, out: TensorSpec, *inputs: Counterpart) -> Counterpart:
        """The positions stay; channels are computed from channels."""
        return Counterpart(out.shape, inputs[0].axes, self.plain(*inputs))

    def image(self, out: TensorSpec, x: Counterpart, *others: Counterpart) -> Counterpart:
        """Each channel by itself, in a layer that takes and gives images."""
        x.axes.pin("first")
        self.plain(*others)
        if out.rank < 2 or x.axes.side == "first":
            return self.known(out, "first", x.order)
        return self.undecided(out, x.order)

    def convolution(self, out: TensorSpec, x: Counterpart) -> Counterpart:
        """A layer that takes and gives images, its channels in an order of its weights."""
        x.axes.pin("first")
        return self.known(out, "first")

    def sequence(self, out: TensorSpec, *inputs: Counterpart) -> Counterpart:
        """A layer that takes and gives (time, channels)."""
        for x in inputs:
            x.axes.pin("last")
        return self.known(out, "last", self.plain(*inputs))

    def unknown(self, out: TensorSpec, *inputs: Counterpart) -> Counterpart:
        """What is not known; channels, at least, are taken to be the same on either side."""
        return self.undecided(out, self.plain(*inputs))


def _decided(order: Order) -> Order:
    while isinstance(order, Free) and order.bound is not None:
        order = order.bound
    return order
