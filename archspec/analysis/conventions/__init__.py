"""What other tools print for a network, from archspec's own counts: a module for each tool.

A tool's module says in ``CALLS`` what it calls its number, in ``SOURCE`` where its rules were read, and in ``terms``
what it adds for one piece of a network; its docstring is the rule in words. Pieces are single layers as those tools see
them: an activation that a node applies is a piece of its own, a separable convolution is two.

A tool counts nothing for layers that it does not know, without saying so; that is part of what it prints. Where its
rule for a layer is not known here, ``terms`` gives None, the layer is named, and the number is a lower bound.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from archspec.ir.diagnostics import shown
from archspec.ir.graph import Graph, Node
from archspec.ir.tensors import TensorSpec, UnknownSize, WeightSpec
from archspec.ops.base import Op
from archspec.ops.per_item import PerItem

Terms = Iterable[tuple[str, int]] | None
"""What a tool adds, by the words for it; None where its rule is not known."""


class Piece(NamedTuple):
    """A layer as other tools see it. ``weights`` are those that it owns; none on later calls of shared ones."""

    op: Any
    out: TensorSpec
    inputs: tuple[TensorSpec, ...]
    weights: tuple[WeightSpec, ...]

    @property
    def kind(self) -> str:
        """Name of the op."""
        name: str = self.op.name
        return name

    @property
    def macs(self) -> int:
        """Those of the op by archspec's rule. Raises UnknownSize."""
        count: int = self.op.macs(self.out, *self.inputs)
        return count

    @property
    def taken(self) -> int:
        """Elements of the first input. Raises UnknownSize."""
        return self.inputs[0].size

    @property
    def bias(self) -> bool:
        """Whether it adds a bias."""
        return bool(getattr(self.op, "bias", False))

    @property
    def is_affine(self) -> bool:
        """Whether a normalisation has learnt factors or offsets."""
        return bool(getattr(self.op, "scale", False) or getattr(self.op, "center", False))

    @property
    def trainable(self) -> int:
        """Scalars of its weights that are trained."""
        return sum(w.size for w in self.weights if w.trainable)


class Tool(Protocol):
    """A module of this folder."""

    CALLS: str
    SOURCE: str

    def terms(self, piece: Piece) -> Terms: ...


@dataclass(frozen=True)
class Answer:
    """What a tool prints: a ``number``, what it ``calls`` it, and the terms of the sum. Layers whose rule is not known
    are ``unknown``: the number then is a lower bound."""

    tool: str
    calls: str
    number: int
    terms: dict[str, int]
    unknown: tuple[str, ...] = ()
    source: str = field(default="", repr=False)


def tools() -> tuple[str, ...]:
    """Names of all tools, sorted."""
    names = os.listdir(os.path.dirname(__file__))
    return tuple(sorted(name[:-3] for name in names if name.endswith(".py") and not name.startswith("_")))


def answer(graph: Graph, tool: str) -> Answer:
    """What ``tool`` prints for one sample of the network. Raises ValueError for a tool that is not known, UnknownSize
    where a size is open."""
    if tool not in tools():
        raise ValueError(f"there are no rules of {shown(tool)}; there are those of {', '.join(tools())}")
    module: Any = import_module(f"{__name__}.{tool}")
    sums: dict[str, int] = {}
    unknown: dict[str, None] = {}
    for piece in pieces(graph, with_last=getattr(module, "COUNTS_LAST", False)):
        found: Terms = module.terms(piece)
        if found is None:
            unknown[piece.kind] = None
        for words, count in found or ():
            sums[words] = sums.get(words, 0) + count
    terms = {words: count for words, count in sums.items() if count}
    return Answer(tool, module.CALLS, sum(terms.values()), terms, tuple(unknown), module.SOURCE)


def pieces(graph: Graph, *, with_last: bool = True) -> Iterator[Piece]:
    """The layers of a graph in their order. Without ``with_last`` the softmax or sigmoid at its end is left out:
    networks in PyTorch leave it to the loss."""
    owners: set[str] = set()
    last = {output.tensor.node for output in graph.outputs}
    for node in graph.nodes:
        weights = () if node.layer in owners else node.weights
        owners.add(node.layer)
        for piece in _as_layers(node, weights):
            if with_last or node.name not in last or getattr(piece.op, "number", None) not in _LAST:
                yield piece


_LAST = ("distribution", "log_distribution", "probability")


def _as_layers(node: Node, weights: tuple[WeightSpec, ...]) -> Iterator[Piece]:
    op: Any = node.op.computed
    activation = node.op.applied
    out, inputs = node.output, node.input_specs
    plain = op.model_copy(update={"activation": None}) if activation is not None else op
    made = plain.infer(*inputs) if activation is not None else out
    if op.name == "separable_conv":
        yield from _separate(plain, made, inputs, weights)
    else:
        yield Piece(plain, made, inputs, weights)
    if activation is not None:
        yield Piece(activation, out, (made,), ())


def _separate(
    op: Any, out: TensorSpec, inputs: tuple[TensorSpec, ...], weights: tuple[WeightSpec, ...]
) -> Iterator[Piece]:
    """A separable convolution as the depthwise one and the 1×1 that it is."""
    depthwise: Any = Op.find("depthwise_conv")
    pointwise: Any = Op.find("conv")
    same = {name: getattr(op, name) for name in ("kernel", "stride", "padding", "dilation", "multiplier")}
    first, second = depthwise(bias=False, **same), pointwise(filters=op.filters, bias=op.bias)
    if isinstance(op, PerItem):
        first, second = op.around(first), op.around(second)
    between = first.infer(*inputs)
    yield Piece(first, between, inputs, weights[:1])
    yield Piece(second, out, (between,), weights[1:])


__all__ = ["Answer", "Piece", "Terms", "UnknownSize", "answer", "pieces", "tools"]
