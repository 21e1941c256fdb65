"""Whether sequences, and the numbers of text, fit the network that they go into."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.data.example import Example
from archspec.data.features.vector import Vector
from archspec.ir.diagnostics import Note
from archspec.ir.graph import Graph, Node
from archspec.ir.tensors import TensorSpec
from archspec.training.errors import TaskError


def check_sequence(wanted: TensorSpec, features: Example, part: str) -> None:
    """Refuse a part of the examples that an input of the network does not take, as text of another length. Raises
    TaskError."""
    got = features.parts[part]
    alike = got.rank == wanted.rank and ("int" in got.dtype) == ("int" in wanted.dtype)
    if not alike:
        raise TaskError(f"the network takes {wanted}, the data give {part} of {got}", at=("data",))
    for want, have in zip(wanted.shape, got.shape, strict=True):
        if want is not None and want != have:
            varies = f"{part} that differ in length" if have is None else f"{part} of {got}"
            help = f"length: {want}, in the data"
            if isinstance(features.features[part], Vector):
                columns = ", ".join(features.columns.get(part, ()))
                help = f"{have} in place of {want} in the spec's input, or another choice of columns"
                help += f" than {columns}" if columns else ""
            raise TaskError(f"the network takes {wanted}, the data give {varies}", at=("data",), help=help)


def check_vocabulary(graph: Graph, name: str, features: Example, part: str) -> None:
    """Refuse a vocabulary larger than what the layers at the graph's input ``name`` have entries for, where ``part`` of
    the examples goes there. Raises TaskError."""
    if part not in features.vocabularies:
        return
    size = features.vocabularies[part].size
    known = next((param for param in (f"{part}_vocab", "vocab") if param in graph.params), None)
    for node in lookups(graph, name):
        op: Any = node.op
        entries = getattr(op, op.entries_of)
        if size > entries:
            raise TaskError(
                f"the vocabulary of {part} has {size:,} tokens, '{node.name}' has entries for {entries:,}",
                at=("data",),
                help=f"--set {known}={size}, or a limit of the tokenizer" if known else "a limit of the tokenizer",
                notes=(Note(f"layer '{node.name}'", node.span),),
            )


def lookups(graph: Graph, name: str) -> Iterator[Node]:
    """The nodes that have an entry for each number of the graph's input ``name``, in order."""
    reached = {name}
    for node in graph.nodes:
        if any(tensor.node in reached for tensor in node.inputs):
            op: Any = node.op
            if op.entries_of and "int" in node.input_specs[0].dtype:
                yield node
            if all("int" in spec.dtype for spec in node.outputs):
                reached.add(node.name)
