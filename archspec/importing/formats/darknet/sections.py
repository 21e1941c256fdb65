"""Darknet's .cfg: sections in brackets with ``key=value`` below them; ``#`` and ``;`` begin lines that say nothing."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from archspec.importing.network import MAX_LAYERS, refused
from archspec.ir.diagnostics import Source, Span, shown

MOST = 2**31 - 1


@dataclass(slots=True)
class Section:
    """A layer: its kind and its options, each with its place. Which of them were asked for is kept."""

    kind: str
    span: Span
    options: dict[str, tuple[str, Span]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def text(self, key: str, default: str) -> str:
        """An option as it is written."""
        self.asked.add(key)
        return self.options[key][0] if key in self.options else default

    def whole(self, key: str, default: int) -> int:
        """A whole number. Raises SpecError (I03)."""
        return self.all(key, [default])[0]

    def all(self, key: str, default: list[int]) -> list[int]:
        """Whole numbers with commas between them. Raises SpecError (I03)."""
        self.asked.add(key)
        if key not in self.options:
            return default
        said, at = self.options[key]
        parts = said.split(",")
        if not all(re.fullmatch(r"[+-]?[0-9]{1,10}", part) for part in parts) or any(abs(int(p)) > MOST for p in parts):
            raise refused("I03", f"{key} must be a whole number, got {shown(said)}", at)
        return [int(part) for part in parts]

    def number(self, key: str, default: float) -> float:
        """A finite number. Raises SpecError (I03)."""
        self.asked.add(key)
        if key not in self.options:
            return default
        said, at = self.options[key]
        try:
            value = float(said)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise refused("I03", f"{key} must be a number, got {shown(said)}", at)
        return value

    def place(self, key: str) -> Span:
        """Where an option stands, or the section."""
        return self.options[key][1] if key in self.options else self.span


def sections(source: Source) -> tuple[list[Section], list[tuple[str, Span]]]:
    """The sections of a text, and options that stand twice, of which the first counts. Raises SpecError (I01)."""
    out: list[Section] = []
    twice: list[tuple[str, Span]] = []
    for number, line in enumerate(source.lines, 1):
        said = line.strip()
        at = Span(source, number, len(line) - len(line.lstrip()) + 1, max(1, len(said)))
        if not said or said[0] in "#;\0":
            continue
        if said[0] == "[":
            if not re.fullmatch(r"\[\w+\]", said):
                raise refused("I01", f"a section is a word in brackets, got {shown(said)}", at)
            if len(out) > MAX_LAYERS:
                raise refused("I01", f"more than {MAX_LAYERS:,} sections", at)
            out.append(Section(said[1:-1], at))
            continue
        key, equals, value = re.sub(r"\s", "", said).partition("=")
        if not equals or not key or not out:
            what = "nothing stands before the first section" if not out else "a line is key=value"
            raise refused("I01", f"{what}, got {shown(said)}", at)
        if key in out[-1].options:
            twice.append((key, at))
        out[-1].options.setdefault(key, (value, at))
    if not out or out[0].kind not in ("net", "network"):
        raise refused("I01", "a network begins with [net]", out[0].span if out else Span(source, 1, 1))
    return out, twice
