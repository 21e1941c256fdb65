"""Plain text, for a terminal: curves as rows of blocks."""

from __future__ import annotations

from itertools import chain
from math import isfinite

from archspec.report.comparison import Comparison, figure_rows, plain, setting_rows, written
from archspec.report.format import aligned

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 40
"""Most characters of a curve; of more epochs, as many that are spread over them."""


def render(comparison: Comparison) -> str:
    """Figures, settings that differ, and a curve of each figure, one line a run, on one scale."""
    parts = [aligned(figure_rows(comparison))]
    if comparison.differences:
        parts.append("settings that differ\n" + aligned(setting_rows(comparison)))
    parts += [_curves(comparison, figure) for figure in comparison.figures]
    return "\n\n".join(parts)


def _curves(comparison: Comparison, figure: str) -> str:
    curves = {run.name: run.curve(figure) for run in comparison.runs}
    known = [value for value in chain(*curves.values()) if value is not None and isfinite(value)]
    if not known:
        return f"{plain(figure)}: nothing yet"
    low, high, longest = min(known), max(known), max(map(len, curves.values()))
    rows = []
    for name, curve in curves.items():
        count = min(len(curve), max(1, round(WIDTH * len(curve) / max(longest, WIDTH))))
        chosen = [curve[i * len(curve) // count] if i + 1 < count else curve[-1] for i in range(count)] if curve else []
        rows.append([name, "".join(_block(value, low, high) for value in chosen)])
    return f"{plain(figure)}, {written(low)} to {written(high)}\n" + aligned(rows, left=2)


def _block(value: float | None, low: float, high: float) -> str:
    if value is None or not isfinite(value):
        return " "
    return BLOCKS[round((value - low) / (high - low) * (len(BLOCKS) - 1))] if high > low else BLOCKS[0]
