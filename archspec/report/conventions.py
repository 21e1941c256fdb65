"""What another tool prints of a network, with the terms of the sum."""

from __future__ import annotations

from importlib import import_module
from json import dumps
from textwrap import wrap

from archspec.analysis.conventions import Answer
from archspec.report.format import exact


def text(name: str, answer: Answer, width: int = 80) -> str:
    """The number as the tool calls it, and a line for each term."""
    scale: float | None = getattr(import_module(f"archspec.analysis.conventions.{answer.tool}"), "SCALE", None)
    number = exact(answer.number) if scale is None else f"{answer.number / scale:.3f}"
    least = "at least " if answer.unknown else ""
    digits = max((len(exact(count)) for count in answer.terms.values()), default=0)
    lines = [f"{name}: {answer.tool} prints {least}{number} {answer.calls}", ""]
    for words, count in answer.terms.items():
        first, *rest = wrap(words, width - digits - 4) or [""]
        lines += [f"  {exact(count).rjust(digits)}  {first}", *(" " * (digits + 4) + more for more in rest)]
    if answer.unknown:
        note = f"its rule is not known here for {', '.join(answer.unknown)}, which is not counted"
        lines += ["", *wrap(note, width)]
    return "\n".join([*lines, *wrap(f"rules: {answer.source}", width, break_long_words=False, break_on_hyphens=False)])


def json(name: str, answer: Answer) -> str:
    """The same as an object."""
    record = {"name": name, "tool": answer.tool, "calls": answer.calls, "number": answer.number}
    return dumps({**record, "terms": answer.terms, "unknown": answer.unknown}, ensure_ascii=False)
