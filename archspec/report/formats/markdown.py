"""Markdown: a pipe table with a row of totals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.report.captions import all_cells, footnotes, summary, title
from archspec.report.format import HEADERS
from archspec.report.table import Table

if TYPE_CHECKING:
    from archspec.report.grid import Grid


def render(table: Table) -> str:
    """Numbers are aligned to the right; folded like the text table when long."""
    table = table.readable()
    rows = [tuple(cell.replace("|", "\\|") for cell in row) for row in all_cells(table)]
    rows[-1] = tuple(f"**{cell}**" if cell else "" for cell in rows[-1])
    lines = [f"**{title(table)}**", ""]
    lines += ["| " + " | ".join(row) + " |" for row in (HEADERS, ("---",) * 3 + ("---:",) * 4, *rows)]
    return "\n".join([*lines, "", " · ".join(summary(table)), *(f"\n{note}" for note in footnotes(table))])


def grid(grid: Grid) -> str:
    """Numbers are aligned to the right."""
    header, *rows = [tuple(cell.replace("|", "\\|") for cell in row) for row in grid.written()]
    if grid.last is not None:
        rows[-1] = tuple(f"**{cell}**" if cell else "" for cell in rows[-1])
    sides = ("---" if is_left else "---:" for is_left in grid.left())
    lines = ["| " + " | ".join(row) + " |" for row in (header, tuple(sides), *rows)]
    title = [f"**{grid.title}**", ""] if grid.title else []
    return "\n".join([*title, *lines, *(f"\n{note}" for note in grid.notes)])
