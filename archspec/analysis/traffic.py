"""Bytes that a network moves: what every node reads of its inputs, what it writes, and its weights."""

from __future__ import annotations

from typing import NamedTuple

from archspec.ir.graph import Graph, Node
from archspec.ir.tensors import TensorSpec, bytes_each


class Traffic(NamedTuple):
    """Bytes of one node, each tensor counted once: a lower bound, since a kernel may read what it wrote."""

    read: int
    written: int
    weights: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)


def traffic(graph: Graph, batch: int = 1, dtype: str = "float32") -> list[Traffic | None]:
    """The bytes of every node in the graph's order, floating-point numbers as ``dtype``; weights are read once for all
    ``batch`` samples. None where a size is open."""
    return [_of(node, batch, dtype) for node in graph.nodes]


def size_in_bytes(spec: TensorSpec, dtype: str = "float32") -> int:
    """Bytes of one sample of a tensor, floating-point numbers as ``dtype``. Raises UnknownSize."""
    return spec.size * bytes_each(dtype if "float" in spec.dtype else spec.dtype)


def _of(node: Node, batch: int, dtype: str) -> Traffic | None:
    if node.op.is_view:
        return Traffic(0, 0, 0)
    inputs = dict(zip(node.inputs, node.input_specs, strict=True)).values()

    def count(*_: object) -> int:
        return sum(size_in_bytes(spec, dtype) for spec in inputs)

    def made(*_: object) -> int:
        return sum(size_in_bytes(spec, dtype) for spec in node.outputs)

    read, written = node.count(count), node.count(made)
    if read is None or written is None:
        return None
    rows = node.count(node.op.weights_read) if node.weights else 0  # type: ignore[arg-type]
    weights = node.params if rows is None else min(rows * batch, node.params)
    return Traffic(read * batch, written * batch, weights * bytes_each(dtype))
