"""Receptive fields: what of the input a position of each tensor depends on, along every axis but the channels.

Position ``t`` of a tensor reads the input from ``t · stride - before`` to ``t · stride + after``; the field is
``before + after + 1`` positions, padding counted (Araujo, Norris and Sim 2019, "Computing Receptive Fields of
Convolutional Neural Networks"). Branches that meet read together what each reads, if their positions stand equally far
apart; if not, no window says what is read. Where a network enlarges, a field is an upper bound: neighbours read alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import inf
from typing import NamedTuple

from archspec.ir.graph import Graph, Node, Tensor
from archspec.ops.base import Op
from archspec.ops.reach import EVERYTHING, POINT, Axes, Reach, is_read, whole


class Field(NamedTuple):
    """The receptive field of a tensor: for each axis of the input but its channels a Reach, endless where the whole
    axis is read. ``misaligned`` names the nodes, of those it depends on, where branches of unequal strides meet."""

    axes: tuple[Reach, ...]
    misaligned: tuple[str, ...] = ()

    @property
    def is_global(self) -> bool:
        """Whether some axis is read as a whole."""
        return any(_length(axis) is None for axis in self.axes)

    @property
    def size(self) -> tuple[int | None, ...]:
        """Positions that are read along each axis; None for all there are."""
        return tuple(map(_length, self.axes))

    @property
    def stride(self) -> tuple[int | Fraction, ...]:
        """Positions of the input from one of the tensor to the next."""
        return tuple(axis.stride for axis in self.axes)

    @property
    def padding(self) -> tuple[float | Fraction, ...]:
        """Positions that the first field begins before the input does."""
        return tuple(axis.before for axis in self.axes)

    @property
    def offset(self) -> tuple[float | Fraction, ...]:
        """Where the middle of the first position's field lies in the input; 0 is the middle of its first position."""
        return tuple((axis.after - axis.before) / 2 if _length(axis) else inf for axis in self.axes)

    def __str__(self) -> str:
        """``483/32``: size and stride; ``7×3/2×1`` where the axes differ, ``global`` where all of one is read."""
        if self.misaligned and self.is_global:
            return "misaligned"
        if self.is_global:
            return "global"
        return f"{on_axes(self.size)}/{on_axes(self.stride)}"


def receptive_fields(graph: Graph, start: str | None = None) -> dict[Tensor, Field]:
    """The field of every tensor that depends on input ``start`` (the first, if not given), by tensor."""
    start = next(iter(graph.inputs)) if start is None else start
    rank = max(graph.inputs[start].rank - 1, 1)
    found = {Tensor(start): Field((POINT,) * rank)}
    for node in graph.nodes:
        fields = [found.get(tensor) for tensor in node.inputs]
        if any(fields) and (field := _of(node, fields, rank)):
            found |= dict.fromkeys(node.tensors, field)
    return found


def largest(graph: Graph, fields: Mapping[Tensor, Field]) -> tuple[Node, Field] | None:
    """The last node with the largest field that is not the whole input, and that field; None if all read all.

    What follows with a field as large (a convolution of one tap, a subsampling) may stand at a larger stride.
    """
    best: tuple[Node, Field] | None = None
    for node in graph.nodes:
        field = fields.get(Tensor(node.name))
        if field is not None and not field.is_global and (best is None or _area(field) >= _area(best[1])):
            best = node, field
    return best


def _of(node: Node, fields: list[Field | None], rank: int) -> Field | None:
    """The field of a node's outputs, given those of its inputs; None where it reads nothing of them."""
    op = node.op
    rules = op.reach(*node.input_specs) if isinstance(op, Op) else (None,) * len(fields)
    misaligned: dict[str, None] = {}
    ways: list[tuple[Reach, ...]] = []
    for field, rule in zip(fields, rules, strict=True):
        if field is not None and is_read(rule):
            misaligned |= dict.fromkeys(field.misaligned)
            ways.append(_through(field, rule, rank))
    if not ways:
        return None
    axes: list[Reach] = []
    for along in zip(*ways, strict=True):
        windows = [way for way in along if _length(way) is not None]
        strides = {way.stride for way in windows}
        if len(strides) > 1:
            misaligned[node.name] = None
        # What reads all leaves the positions of the others where they are.
        stride = windows[0].stride if len(strides) == 1 else 1
        is_window = len(windows) == len(along) and len(strides) == 1
        before, after = (max(w.before for w in along), max(w.after for w in along)) if is_window else (inf, inf)
        axes.append(whole(Reach(before, after, stride)))
    return Field(tuple(axes), tuple(misaligned))


def _through(field: Field, rule: Axes, rank: int) -> tuple[Reach, ...]:
    """What is read of the input through one input of an op."""
    if rule is None or len(rule) < rank:
        return (EVERYTHING,) * rank
    return tuple(outer.of(inner) for outer, inner in zip(rule, field.axes, strict=False))


def _length(axis: Reach) -> int | None:
    """Whole positions within bounds; None for any."""
    length = axis.before + axis.after
    return None if length == inf else int(length // 1) + 1


def _area(field: Field) -> int:
    area = 1
    for size in field.size:
        area *= size or 1
    return area


def on_axes(values: tuple[float | Fraction | None, ...]) -> str:
    """``7×3``, or one number for all axes where they are the same."""
    return "×".join(f"{float(v or 0):g}" for v in (values[:1] if len(set(values)) == 1 else values))
