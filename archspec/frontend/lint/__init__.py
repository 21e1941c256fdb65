"""What can be built and is hardly meant: a rule is a function that yields warnings, each kind with a code of its own.

``shapes`` reads the declared inputs, ``learning`` what the graphs can learn, ``dead`` which text does nothing. Rules of
declarations hold whatever else is wrong; the others need the graphs of all variants, for what one variant leaves out
another may take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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


def of_declarations(document: Document) -> list[Diagnostic]:
    """Warnings that need no graph."""
    from archspec.frontend.lint import dead, shapes

    return _found([*shapes.DECLARED, *dead.DECLARED], Subject(document))


def of_graphs(subject: Subject) -> list[Diagnostic]:
    """Warnings about what was built; of equal ones at one place, from several variants, the first."""
    from archspec.frontend.lint import dead, learning, shapes

    return _found([*shapes.BUILT, *learning.BUILT, *dead.BUILT], subject)


def _found(rules: Iterable[Rule], subject: Subject) -> list[Diagnostic]:
    found: dict[tuple[str, tuple[str, int, int]], Diagnostic] = {}
    for rule in rules:
        for diagnostic in rule(subject):
            found.setdefault((diagnostic.code, diagnostic.span.order), diagnostic)
    return list(found.values())
