"""HTML: a page by itself, with curves as SVG; it loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import isfinite

from archspec.report.axes import ticks
from archspec.report.comparison import HELD_OUT, Comparison, TrainedRun, figure_rows, plain, setting_rows

WIDTH, HEIGHT, LEFT, BOTTOM = 520, 300, 64, 36
"""Pixels of a chart, and of its margins for what is written beside the axes."""
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#7f7f7f", "#bcbd22")
DASHES = ("", "6 3", "2 3", "8 3 2 3")
"""Ways to draw lines, for more runs than there are colours."""
STYLE = """
body { font: 14px system-ui, sans-serif; margin: 2em; color: #1f2328; background: #fff; }
table { border-collapse: collapse; margin: 0 0 2em; }
th, td { padding: 4px 12px; border-bottom: 1px solid #d0d7de; text-align: right; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
caption { text-align: left; font-weight: 600; padding: 0 0 6px; }
.charts { display: flex; flex-wrap: wrap; gap: 24px; }
figure { margin: 0; }
figcaption { font-weight: 600; padding-bottom: 4px; }
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
    charts = "\n".join(filter(None, (_chart(comparison.runs, figure) for figure in comparison.figures)))
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


def _stroke(i: int) -> str:
    dash = DASHES[i // len(COLORS) % len(DASHES)]
    return f'stroke="{COLORS[i % len(COLORS)]}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _mark(i: int) -> str:
    line = f'<line x1="0" y1="4" x2="22" y2="4" stroke-width="3" {_stroke(i)}/>'
    return f'<svg class="mark" width="22" height="8" aria-hidden="true">{line}</svg>'


def _chart(runs: Sequence[TrainedRun], figure: str) -> str:
    """A figure over epochs; none where no run has a number of it."""
    lines = [(i, run, name) for i, run in enumerate(runs) for name in dict.fromkeys((plain(figure), figure))]
    points = [
        (i, run.name, name, [(e, v) for e, v in enumerate(run.curve(name), 1) if v is not None and isfinite(v)])
        for i, run, name in lines
    ]
    known = [value for *_, curve in points for _, value in curve]
    if not known:
        return ""
    last = max(2, *(len(run.history) for run in runs))
    marks = ticks(min(known), max(known))
    low, high = min(marks[0], min(known)), max(marks[-1], max(known))

    def x(epoch: float) -> float:
        return LEFT + (epoch - 1) / (last - 1) * (WIDTH - LEFT - 12)

    def y(value: float) -> float:
        return 8 + (high - value) / (high - low) * (HEIGHT - BOTTOM - 8)

    out = [f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    for mark in marks:
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - 12}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" stroke="#eaeef2"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:g}</text>')
    for epoch in sorted({round(tick) for tick in (1, *ticks(1, last)) if 1 <= tick <= last}):
        out.append(f'<text x="{x(epoch):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{epoch}</text>')
    out.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 4}" text-anchor="middle">epoch</text>')
    for i, run, name, curve in points:
        of = " in training" if name != figure else ""
        css = ' class="of-training"' if of else ""
        told = f"<title>{escape(run)}{of}</title>"
        at = [(f"{x(epoch):.1f}", f"{y(value):.1f}") for epoch, value in curve]
        if len(at) == 1:
            across, down = at[0]
            out.append(f'<circle{css} cx="{across}" cy="{down}" r="3" fill="{COLORS[i % len(COLORS)]}">{told}</circle>')
        elif at:
            line = f'points="{" ".join(map(",".join, at))}" fill="none" stroke-width="{1 if of else 2}" {_stroke(i)}'
            out.append(f"<polyline{css} {line}>{told}</polyline>")
    of_what = "" if figure.startswith(HELD_OUT) else " in training"
    caption = f"<figcaption>{escape(plain(figure))}{of_what}</figcaption>"
    return f"<figure>\n{caption}\n" + "\n".join(out) + "\n</svg>\n</figure>"
