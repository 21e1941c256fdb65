"""What a rule looks at, and what it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from archspec.frontend.document import Document
from archspec.frontend.trace import Trace
from archspec.ir.diagnostics import Diagnostic, Note, Span
from archspec.ir.graph import Graph, Node


class Subject(NamedTuple):
    """A file, with the graphs of its variants and how they came about, one trace for each."""

    document: Document
    graphs: tuple[Graph, ...] = ()
    traces: tuple[Trace, ...] = ()


T = TypeVar("T")
Rule = Callable[[Subject], Iterator[Diagnostic]]


def of_each_op(fact: Callable[[Node], T]) -> Callable[[Node], T]:
    """A fact about the ops of nodes, found out once for each op: graphs of a family have few, and many nodes."""
    known: dict[int, tuple[T, Node]] = {}

    def looked_up(node: Node) -> T:
        found = known.get(id(node.op))
        if found is None:
            # With the node: while it is there, no other op has the identity of its own.
            found = known[id(node.op)] = (fact(node), node)
        return found[0]

    return looked_up


def warning(code: str, message: str, span: Span, help: str | None = None, notes: tuple[Note, ...] = ()) -> Diagnostic:
    """A diagnostic that leaves the graph as it is."""
    return Diagnostic(code, message, span, help, notes, severity="warning")
