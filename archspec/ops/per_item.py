"""An op that is done to every item of its inputs' first axis: what ``each: items`` makes of the ops within a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.ir.counterpart import Counterpart, OrderTrace
from archspec.ir.tensors import Outputs, TensorSpec, WeightSpec
from archspec.ops.base import Op
from archspec.ops.errors import OpError
from archspec.ops.reach import EVERYTHING, POINT, Axes


@dataclass(frozen=True)
class PerItem:
    """An op with one set of weights, on inputs of shape (items, …), to outputs of shape (items, …).

    It is the op itself in all that depends on no shape, and its layer is the op's: whoever calls that folds the items
    into the batch, so that batch statistics are those of all items. Sizes of items are known.
    """

    op: Op
    is_split: tuple[bool, ...]
    """Of each input, whether each item gets an item of it; all get the whole of the others."""

    rows_are = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.op, name)

    def model_copy(self, **changes: Any) -> PerItem:
        """With other arguments of the op, still done to every item."""
        return PerItem(self.op.model_copy(**changes), self.is_split)

    def around(self, op: Op) -> PerItem:
        """Another op that is done to the same items."""
        return PerItem(self.op.around(op) if isinstance(self.op, PerItem) else op, self.is_split)

    @property
    def computed(self) -> PerItem:
        """Itself: the op alone computes something else."""
        return self

    @property
    def within(self) -> Op:
        """The op that is done to each item, or the one that it is written around."""
        return self.op.within

    def infer(self, *inputs: TensorSpec) -> Outputs:
        """That of the op for each item. Raises OpError."""
        out = self.op.infer(*self.of_item(inputs))
        return tuple(self._all(one, inputs) for one in out) if isinstance(out, tuple) else self._all(out, inputs)

    def weights(self, *inputs: TensorSpec) -> tuple[WeightSpec, ...]:
        """Those of the op."""
        return self.op.weights(*self.of_item(inputs))

    def reach(self, *inputs: TensorSpec) -> tuple[Axes, ...]:
        """Of an item that item alone."""
        rules = self.op.reach(*self.of_item(inputs))
        return tuple(
            (POINT, *((EVERYTHING,) * (x.rank - 1) if axes is None else axes)) if split else None
            for axes, split, x in zip(rules, self.is_split, inputs, strict=True)
        )

    def masked(self, covered: tuple[int, ...], *inputs: TensorSpec) -> int:
        """No mask, neither of its inputs nor of its own making. Raises OpError."""
        if any(covered) or self.op.masked((0,) * len(inputs), *self.of_item(inputs)):
            raise OpError("each: items would lose a mask of steps", help="leave mask_zero or mask out")
        return 0

    def meanings(self, given: object, inputs: tuple[TensorSpec, ...]) -> Any:
        """Nothing is known of what items are."""
        return ()

    def check_image(self, image: TensorSpec, *inputs: TensorSpec) -> None:
        """Items need not be of the image's size."""

    def at_every_place(self, x: TensorSpec) -> None:
        """Nothing does the same within a larger map."""

    def factors(self, rank: int) -> tuple[PerItem, PerItem] | None:
        """Those of the op, each done for every item."""
        found = self.op.factors(rank)
        return None if found is None else (self.around(found[0]), self.around(found[1]))

    def macs(self, out: Outputs, *inputs: TensorSpec) -> int:
        """once for each item"""
        return self._times(self.op.macs, out, inputs)

    def macs_in_bounds(self, out: Outputs, *inputs: TensorSpec) -> int:
        """once for each item"""
        return self._times(self.op.macs_in_bounds, out, inputs)

    def backward_macs(self, needed: tuple[bool, ...], out: Outputs, *inputs: TensorSpec) -> int:
        """once for each item"""
        return self._times(lambda *specs: self.op.backward_macs(needed, *specs), out, inputs)

    def flops(self, out: Outputs, *inputs: TensorSpec) -> int:
        """once for each item"""
        return self._times(self.op.flops, out, inputs)

    def transcendentals(self, out: Outputs, *inputs: TensorSpec) -> int:
        """once for each item"""
        return self._times(self.op.transcendentals, out, inputs)

    def weights_read(self, out: Outputs, *inputs: TensorSpec) -> int | None:
        """Those that are read for one item; another may read others."""
        one = self.op.weights_read(self._one(out), *self.of_item(inputs))
        return None if one is None else one * self.items(inputs)

    def saved_within(self, out: Outputs, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Those of every item."""
        return tuple(self._all(spec, inputs) for spec in self.op.saved_within(self._one(out), *self.of_item(inputs)))

    def elsewhere(self, trace: OrderTrace, out: Outputs, *inputs: Counterpart) -> Counterpart | tuple[Counterpart, ...]:
        """As the op's, for each item."""
        items = next(x.shape[0] for x, split in zip(inputs, self.is_split, strict=True) if split)

        def of_all(one: Counterpart) -> Counterpart:
            return Counterpart((items, *one.shape), one.axes, one.order)

        taken = (
            Counterpart(x.shape[1:], x.axes, x.order) if split else x
            for x, split in zip(inputs, self.is_split, strict=True)
        )
        found = self.op.elsewhere(trace, self._one(out), *taken)
        return tuple(map(of_all, found)) if isinstance(found, tuple) else of_all(found)

    def lower(self, *inputs: TensorSpec) -> Any:
        """The op's layer, which takes items as a batch."""
        return self.op.lower(*self.of_item(inputs))

    def lower_unmasked(self, *inputs: TensorSpec) -> Any:
        """As ``lower``."""
        return self.op.lower_unmasked(*self.of_item(inputs))

    def of_item(self, inputs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        """What one item gets."""
        return tuple(one_of(x) if split else x for x, split in zip(inputs, self.is_split, strict=True))

    def items(self, inputs: tuple[TensorSpec, ...]) -> int:
        """How many there are."""
        count = next(x.shape[0] for x, split in zip(inputs, self.is_split, strict=True) if split)
        assert count is not None
        return count

    def _times(self, rule: Any, out: Outputs, inputs: tuple[TensorSpec, ...]) -> int:
        once: int = rule(self._one(out), *self.of_item(inputs))
        return once * self.items(inputs)

    def _one(self, out: Outputs) -> Outputs:
        return tuple(map(one_of, out)) if isinstance(out, tuple) else one_of(out)

    def _all(self, one: TensorSpec, inputs: tuple[TensorSpec, ...]) -> TensorSpec:
        return all_of(one, self.items(inputs))


def one_of(spec: TensorSpec) -> TensorSpec:
    """An item of a tensor."""
    return TensorSpec(spec.shape[1:], spec.dtype)


def all_of(spec: TensorSpec, items: int) -> TensorSpec:
    """So many items as one tensor."""
    return TensorSpec((items, *spec.shape), spec.dtype)


def alone(op: Any) -> Op:
    """The op that is done to each item, of items of items too; one that is done once as it is."""
    while isinstance(op, PerItem):
        op = op.op
    found: Op = op
    return found


def of_layer(op: Any, inputs: tuple[TensorSpec, ...]) -> tuple[Op, tuple[TensorSpec, ...]]:
    """The op whose layer an op's is, and what that layer takes where the op's inputs are these."""
    while isinstance(op, PerItem):
        op, inputs = op.op, op.of_item(inputs)
    return op, inputs
