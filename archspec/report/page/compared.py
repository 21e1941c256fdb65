"""The page of several networks: a row each, their figures as bars, and of two what changed from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from archspec.report import difference as changes
from archspec.report.columns import COLUMNS
from archspec.report.grid import Grid, of_networks, told_apart
from archspec.report.page import charts
from archspec.report.page.document import document
from archspec.report.page.network import Reported

SHOWN = ("output", "params", "macs", "flops", "activations", "memory", "training_memory", "receptive_field", "time")
"""Columns of the page's table."""
RANKED = ("params", "macs", "memory", "training_memory")
"""Columns that are drawn as bars."""


def compared(networks: Sequence[Reported]) -> str:
    """The page of several networks."""
    names = told_apart([of.graph for of in networks], [of.called for of in networks])
    grid = of_networks([(name, of.measured) for name, of in zip(names, networks, strict=True)], SHOWN)
    body = [
        f"<header><h1>{escape(', '.join(names))}</h1></header>",
        f'<main class="compared">{_rows(grid)}<div class="charts">{_ranks(names, networks)}</div>',
    ]
    if len(networks) == 2:
        body.append(changes.html(networks[0].graph, networks[1].graph, (names[0], names[1])))
    return document(", ".join(names), "\n".join([*body, "</main>"]), {})


def _rows(grid: Grid) -> str:
    head, *rows = grid.written()
    left = grid.left()

    def line(row: tuple[str, ...], tag: str) -> str:
        sides = ("" if is_left else " class=number" for is_left in left)
        cells = (f"<{tag}{side}>{escape(cell)}</{tag}>" for cell, side in zip(row, sides, strict=True))
        return f"<tr>{''.join(cells)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    notes = "".join(f'<p class="remark">{escape(note)}</p>' for note in grid.notes)
    return f'<table class="grid"><thead>{line(head, "th")}</thead><tbody>{body}</tbody></table>{notes}'


def _ranks(names: Sequence[str], networks: Sequence[Reported]) -> str:
    out = []
    for name in RANKED:
        kind = COLUMNS[name]
        values = [kind.total(of.measured, kind.of(of.measured)) for of in networks]
        out.append(charts.ranks(kind.header, names, values, kind.write))
    return "".join(out)
