"""A help that shows text is taken at its word: what it shows, in the place of what was written, mends that mistake."""

from __future__ import annotations

import re

import pytest

from archspec.frontend import analyse
from archspec.frontend.yaml_source import written_at
from archspec.ir.diagnostics import Diagnostic
from tests.frontend.test_invalid import CASES, INVALID

SHOWN = re.compile(
    r"(?:did you mean '(?P<word>[^']+)'\?.*"
    r"|(?:an expression starts with '=': |a list has (?:square )?brackets: |a decimal point is a point: "
    r"|nothing follows a value: |a number has no quotes: |digits stand together: |a parameter is written "
    r"|int, round, floor or ceil makes an integer: |a power is written \*\*: |a shape is a list: "
    r"|a bound is a map: |bounds are a map: |write (?=[{\[tf])"
    r"|(?:arguments are a map|names are a list|steps are a list|a loss goes by its key"
    r"|\w+ is a map of names): (?P<key>\w+): (?=\S))(?P<text>(?!\w+ alone)[^ ].*))"
)
"""Helps that show what to write instead of what is marked, or for the key that has it, and no more."""
EXPRESSION = re.compile(r"an expression starts with '='")


def enclosed(text: str) -> int:
    """How many characters the bracket at the beginning of a text encloses; all where it ends on another line."""
    depth = 0
    for i, c in enumerate(text):
        depth += (c in "[{") - (c in "]}")
        if not depth:
            return i + 1
    return len(text)


def mended(text: str, d: Diagnostic) -> str | None:
    """The text with what the help shows in the place of what is marked; None where the help shows no such thing."""
    shown = SHOWN.fullmatch(d.help or "")
    if shown is None or ", and " in (d.help or "") or " (" in (shown["text"] or ""):
        return None
    lines = text.split("\n")
    line, start = lines[d.span.line - 1], d.span.column - 1
    length = len(written_at(d.span)) or d.span.length
    if line[start] in "[{":
        length = enclosed(line[start:])
    if shown["key"] and not line[:start].rstrip().endswith(f"{shown['key']}:"):
        return None
    marked = line[start : start + length]
    if marked.isalpha() and line[start + length : start + length + 1].isalnum():
        return None  # The first letter of a map in block style.
    new = shown["word"] or shown["text"]
    if shown["word"] and not marked.strip("'\"").isidentifier():
        return None  # One word of an expression or a reference is meant.
    if marked[:1] in "'\"" and new[:1] not in "'\"" and shown["word"]:
        new = f"{marked[0]}{new}{marked[0]}"
    lines[d.span.line - 1] = line[:start] + new + line[start + length :]
    return "\n".join(lines)


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    monkeypatch.chdir(INVALID)


@pytest.mark.slow
def test_what_helps_show_mends_the_mistake():
    tried, wrong = 0, []
    for case in CASES:
        text = (INVALID / f"{case}.yaml").read_bytes().decode("utf-8", "replace")
        for d in analyse(f"{case}.yaml").diagnostics:
            if d.span.source.name != f"{case}.yaml" or (new := mended(text, d)) is None:
                continue
            tried += 1
            left = analyse(f"{case}.yaml", data=new.encode()).diagnostics
            if any((o.code, o.message, o.span.order) == (d.code, d.message, d.span.order) for o in left) or any(
                o.code[0] == "Y" for o in left if d.code[0] != "Y"
            ):
                wrong.append(f"{d.render()}\n-- gives --\n{left[0].render()}")
    assert not wrong, "\n\n".join(wrong)
    assert tried >= 120
