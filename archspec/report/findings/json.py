"""JSON: a list of records."""

from __future__ import annotations

from collections.abc import Iterable
from json import dumps

from archspec.ir.diagnostics import Diagnostic


def render(diagnostics: Iterable[Diagnostic]) -> str:
    """An object for each diagnostic."""
    return dumps([d.record() for d in diagnostics], indent=1, ensure_ascii=False)
