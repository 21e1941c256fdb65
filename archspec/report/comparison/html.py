"""HTML: a page by itself, with curves as SVG; it loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from archspec.report.comparison import Comparison, figure_rows, setting_rows
from archspec.report.comparison.curves import chart, stroke

STYLE = """
body { font: 14px system-ui, sans-serif; margin: 2em; color: #1f2328; background: #fff; }
table { border-collapse: collapse; margin: 0 0 2em; }
th, td { padding: 4px 12px; border-bottom: 1px solid #d0d7de; text-align: right; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
caption { text-align: left; font-weight: 600; padding: 0 0 6px; }
.charts { display: flex; flex-wrap: wrap; gap: 24px; }
figure { margin: 0; }
figcaption { font-weight: 600; padding-bottom: 4px; }
svg .grid { stroke: #eaeef2; }
svg text { font: 11px system-ui, sans-serif; fill: #57606a; }
.of-training { opacity: 0.35; }
.mark { display: inline-block; vertical-align: middle; margin-right: 6px; }
""".strip()


def render(comparison: Comparison) -> str:
    """Figures with a mark of each run's colour, settings that differ, and a chart of each figure: the evaluated split
    as a line, training as a paler one."""
    head, *rows = figure_rows(comparison)
    rows = [[f"{_mark(i)}{escape(name)}", *figures] for i, (name, *figures) in enumerate(rows)]
    parts = [_table("Figures", head, rows)]
    if comparison.differences:
        runs, *settings = setting_rows(comparison)
        parts.append(_table("Settings that differ", runs, [list(map(escape, row)) for row in settings]))
    charts = "\n".join(filter(None, (chart(comparison.runs, figure) for figure in comparison.figures)))
    if charts:
        parts.append("<p>Dark lines are of the evaluated split, pale ones of training.</p>")
    parts.append(f'<div class="charts">\n{charts}\n</div>')
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Runs side by side</title>\n'
        f"<style>\n{STYLE}\n</style>\n</head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>"
    )


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells of rows are HTML, those of the head text."""
    above = "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>"
    return f"<table>\n{title}\n<thead>\n{above}\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _mark(i: int) -> str:
    line = f'<line x1="0" y1="4" x2="22" y2="4" stroke-width="3" {stroke(i)}/>'
    return f'<svg class="mark" width="22" height="8" aria-hidden="true">{line}</svg>'
