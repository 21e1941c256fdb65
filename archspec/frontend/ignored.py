"""Findings that a file says are meant: ``# archspec: ignore[W05] a reason``.

On the line of a finding the comment is about that line; on a line of its own it is about the whole file.
"""

from __future__ import annotations

from collections.abc import Iterable

from archspec.ir.diagnostics import Diagnostic, Source
from archspec.ir.patterns import Pattern

MARK = "archspec: ignore["
_IGNORE = Pattern(r"(?P<before>.*?)#\s*archspec: ignore\[(?P<codes>[A-Z0-9, ]+)\]")


def heeded(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The warnings that no comment of their file takes back. Errors cannot be."""
    return [d for d in found if d.severity == "error" or not _is_ignored(d)]


def _is_ignored(diagnostic: Diagnostic) -> bool:
    source = diagnostic.span.source
    if MARK not in source.text:
        return False
    return diagnostic.code in _of_line(source, diagnostic.span.line) | _of_file(source)


def _of_line(source: Source, number: int) -> set[str]:
    found = _IGNORE.search(source.line(number))
    return _codes(found["codes"]) if found else set()


def _of_file(source: Source) -> set[str]:
    alone = (_IGNORE.match(line) for line in source.lines if MARK in line)
    return {code for found in alone if found and not found["before"].strip() for code in _codes(found["codes"])}


def _codes(text: str) -> set[str]:
    return {code.strip() for code in text.split(",")}
