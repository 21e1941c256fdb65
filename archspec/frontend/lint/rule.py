"""What a rule looks at, and what it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from archspec.frontend.document import Document
from archspec.frontend.trace import Trace
from archspec.ir.diagnostics import Diagnostic, Note, Span
from archspec.ir.graph import Graph


class Subject(NamedTuple):
    """A file, with the graphs of its variants and how they came about, one trace for each."""

    document: Document
    graphs: tuple[Graph, ...] = ()
    traces: tuple[Trace, ...] = ()


Rule = Callable[[Subject], Iterator[Diagnostic]]


def warning(code: str, message: str, span: Span, help: str | None = None, notes: tuple[Note, ...] = ()) -> Diagnostic:
    """A diagnostic that leaves the graph as it is."""
    return Diagnostic(code, message, span, help, notes, severity="warning")
