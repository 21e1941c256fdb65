"""HTML: a ``<table>`` without style or script of its own."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from archspec.report.captions import all_cells, footnotes, summary, title
from archspec.report.format import HEADERS
from archspec.report.table import Table

if TYPE_CHECKING:
    from archspec.report.grid import Grid


def render(table: Table) -> str:
    """Folded like the text table when long."""
    table = table.readable()

    def line(cells: tuple[str, ...], tag: str, convert: Callable[[str], str] = escape) -> str:
        style = ['style="text-align:left"'] * 3 + ['style="text-align:right"'] * 4
        return "<tr>" + "".join(f"<{tag} {s}>{convert(c)}</{tag}>" for c, s in zip(cells, style, strict=True)) + "</tr>"

    *rows, last = all_cells(table)
    body = "\n".join(line(row, "td") for row in rows)
    notes = "<br>".join(escape(note) for note in (" · ".join(summary(table)), *footnotes(table)))
    return (
        f"<table>\n<caption>{escape(title(table))}</caption>\n<thead>\n{line(HEADERS, 'th')}\n</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n<tfoot>\n{line(last, 'th')}\n"
        f'<tr><td colspan="7" style="text-align:left">{notes}</td></tr>\n</tfoot>\n</table>'
    )


def grid(grid: Grid) -> str:
    """All rows of the grid."""
    sides = [f'style="text-align:{"left" if is_left else "right"}"' for is_left in grid.left()]

    def line(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag} {s}>{escape(c)}</{tag}>" for c, s in zip(cells, sides, strict=True)) + "</tr>"

    header, *rows = grid.written()
    last = [rows.pop()] if grid.last is not None else []
    body = "\n".join(line(row, "td") for row in rows)
    notes = "<br>".join(map(escape, grid.notes))
    foot = [*(line(row, "th") for row in last), f'<tr><td colspan="{len(sides)}">{notes}</td></tr>']
    return (
        f"<table>\n<caption>{escape(grid.title)}</caption>\n<thead>\n{line(header, 'th')}\n</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n<tfoot>\n" + "\n".join(foot) + "\n</tfoot>\n</table>"
    )
