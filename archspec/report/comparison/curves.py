"""Figures of runs over epochs, as charts in SVG that any page may hold: they have no styles of their own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite

from archspec.report.axes import ticks
from archspec.report.comparison import HELD_OUT, TrainedRun, plain

WIDTH, HEIGHT, LEFT, BOTTOM = 520, 300, 64, 36
"""Pixels of a chart, and of its margins for what is written beside the axes."""
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#7f7f7f", "#bcbd22")
DASHES = ("", "6 3", "2 3", "8 3 2 3")
"""Ways to draw lines, for more runs than there are colours."""


def chart(runs: Sequence[TrainedRun], figure: str) -> str:
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

    label = escape(plain(figure))
    box = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    out = [f'<svg class="chart" {box} role="img" aria-label="{label}">']
    for mark in marks:
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - 12}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" class="grid"/>')
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
            line = f'points="{" ".join(map(",".join, at))}" fill="none" stroke-width="{1 if of else 2}" {stroke(i)}'
            out.append(f"<polyline{css} {line}>{told}</polyline>")
    of_what = "" if figure.startswith(HELD_OUT) else " in training"
    caption = f"<figcaption>{label}{of_what}</figcaption>"
    return f"<figure>\n{caption}\n" + "\n".join(out) + "\n</svg>\n</figure>"


def stroke(i: int) -> str:
    """How the line of the i-th run is drawn."""
    dash = DASHES[i // len(COLORS) % len(DASHES)]
    return f'stroke="{COLORS[i % len(COLORS)]}"' + (f' stroke-dasharray="{dash}"' if dash else "")
