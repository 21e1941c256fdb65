"""Where a parser of YAML could not go on, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MAX_LINE = 400
"""Longer lines are not looked at: the patterns take time that grows with the square of a line."""


REACH = 400
"""Lines that are looked at on either side."""


class Stop(NamedTuple):
    """Where a parser could not go on (0-based), why, and where what it was reading began."""

    lines: Sequence[str]
    row: int
    column: int
    problem: str
    began: tuple[int, int]
    context: str

    @property
    def line(self) -> str:
        """The line where it stopped."""
        return self.lines[self.row] if self.row < len(self.lines) else ""


class Slip(NamedTuple):
    """A slip: where (0-based line, column and length), what is wrong, and what to write instead."""

    row: int
    column: int
    length: int
    message: str
    help: str | None


def line_at(lines: Sequence[str], row: int) -> str:
    return lines[row] if 0 <= row < len(lines) else ""


def indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def near(stop: Stop) -> list[int]:
    """The line where the parser stopped, and those before it back to where it began."""
    first = max(stop.began[0] if stop.context.startswith("while scanning") else stop.row - 1, stop.row - 3, 0)
    return [row for row in range(min(stop.row, len(stop.lines) - 1), first - 1, -1) if stop.lines[row].strip()]
