"""A layer as two, with a smaller rank between them: y = W·x + b as y = U·(V·x) + b, where W is near to U·V.

A kernel of m × n costs m·n for each output position, its factors of rank r cost r·(m + n). The nearest such product is
the truncated singular value decomposition (Eckart and Young 1936). Girshick 2015, arXiv:1504.08083, section 3.1, does
so to the dense layers of a trained detector, Zhang et al. 2015, arXiv:1411.4229, to convolutions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from archspec.ir.graph import Graph, Node, Tensor

PARTS = ("first", "second")
"""What is behind a layer's name in the names of the two that stand for it."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel of a layer as a matrix: ``rows`` numbers are read for each of ``columns`` outputs. ``nodes`` are the
    layer's calls, ``name`` that of the weight."""

    layer: str
    name: str
    rows: int
    columns: int
    nodes: tuple[Node, ...]

    @property
    def full(self) -> int:
        """The largest rank that it may have."""
        return min(self.rows, self.columns)

    @property
    def even(self) -> int:
        """The largest rank whose factors have fewer numbers than it; 0 where there is none."""
        return (self.rows * self.columns - 1) // (self.rows + self.columns)


def kernels(graph: Graph) -> dict[str, Kernel]:
    """The kernels of a graph that can be two, by the names of their layers."""
    calls = Counter(node.layer for node in graph.nodes)
    able: dict[str, list[Node]] = {}
    for node in graph.nodes:
        op: Any = node.op
        if node.weights and op.factors(1) is not None:
            able.setdefault(node.layer, []).append(node)
    out = {}
    for layer, nodes in able.items():
        weight = nodes[0].weights[0]
        if len(nodes) == calls[layer]:
            *read, columns = weight.shape
            out[layer] = Kernel(layer, weight.name, prod(read), columns, tuple(nodes))
    return out


def factorized(graph: Graph, ranks: Mapping[str, int]) -> Graph:
    """The inference graph with two layers in the place of each that ``ranks`` names, ``NAME.first`` and
    ``NAME.second``; what is behind them takes what it took before. Losses and heads of training alone are left out."""
    graph = graph.inference()
    nodes: list[Node] = []
    at: dict[Tensor, Tensor] = {}
    for node in graph.nodes:
        taken = tuple(at.get(tensor, tensor) for tensor in node.inputs)
        if node.layer not in ranks:
            nodes.append(replace(node, inputs=taken))
            continue
        op: Any = node.op
        pair = op.factors(ranks[node.layer])
        specs = node.input_specs
        for part, made in zip(PARTS, pair, strict=True):
            out = made.infer(*specs)
            name, layer = f"{node.name}.{part}", f"{node.layer}.{part}"
            nodes.append(Node(name, made, taken, specs, (out,), made.weights(*specs), layer, node.span))
            taken, specs = (Tensor(name),), (out,)
        at[Tensor(node.name)] = taken[0]
    outputs = tuple(
        replace(output, tensor=at.get(output.tensor, output.tensor), loss=None, metrics=()) for output in graph.outputs
    )
    return replace(graph, nodes=tuple(nodes), outputs=outputs, training=None, expect=None, variant=None)
