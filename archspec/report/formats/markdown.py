"""Markdown: a pipe table with a row of totals."""

from __future__ import annotations

from archspec.report.captions import all_cells, footnotes, summary, title
from archspec.report.format import HEADERS
from archspec.report.table import Table


def render(table: Table) -> str:
    """Numbers are aligned to the right; folded like the text table when long."""
    table = table.readable()
    rows = [tuple(cell.replace("|", "\\|") for cell in row) for row in all_cells(table)]
    rows[-1] = tuple(f"**{cell}**" if cell else "" for cell in rows[-1])
    lines = [f"**{title(table)}**", ""]
    lines += ["| " + " | ".join(row) + " |" for row in (HEADERS, ("---",) * 3 + ("---:",) * 4, *rows)]
    return "\n".join([*lines, "", " · ".join(summary(table)), *(f"\n{note}" for note in footnotes(table))])
