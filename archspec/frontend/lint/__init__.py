"""What can be built and is hardly meant: a rule is a function that yields warnings, each kind with a code of its own.

``shapes`` reads the declared inputs, ``learning`` what the graphs can learn, ``constant`` what gives or stays the same,
``dead`` which text does nothing. Rules of
declarations hold whatever else is wrong; the others need the graphs of all variants, for what one variant leaves out
another may take.
"""

from __future__ import annotations

from collections.abc import Iterable

from archspec.frontend.document import Document
from archspec.frontend.lint import constant, dead, learning, shapes
from archspec.frontend.lint.rule import Rule, Subject
from archspec.ir.diagnostics import Diagnostic


def of_declarations(document: Document) -> list[Diagnostic]:
    """Warnings that need no graph."""
    return _found([*shapes.DECLARED, *dead.DECLARED], Subject(document))


def of_graphs(subject: Subject) -> list[Diagnostic]:
    """Warnings about what was built; of equal ones at one place, from several variants, the first."""
    return _found([*shapes.BUILT, *learning.BUILT, *constant.BUILT, *dead.BUILT], subject)


def _found(rules: Iterable[Rule], subject: Subject) -> list[Diagnostic]:
    found: dict[tuple[str, tuple[str, int, int]], Diagnostic] = {}
    for rule in rules:
        for diagnostic in rule(subject):
            found.setdefault((diagnostic.code, diagnostic.span.order), diagnostic)
    return list(found.values())
