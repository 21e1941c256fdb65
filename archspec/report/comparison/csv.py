"""CSV: a line for each run, or for each epoch of each."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

from archspec.report.comparison import Comparison


def render(comparison: Comparison, *, curves: bool = False) -> str:
    """Columns ``run``, ``last.epoch``, ``last.FIGURE``, ``best.epoch``, ``best.FIGURE``, facts and the settings that
    differ; with ``curves``, ``run``, ``epoch`` and all that logs have of it."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows(_curves(comparison) if curves else _figures(comparison))
    return out.getvalue().rstrip("\n")


def _figures(comparison: Comparison) -> list[list[Any]]:
    figures, facts, settings = comparison.figures, comparison.facts, comparison.differences
    columns = [f"{which}.{name}" for which in ("last", "best") for name in ("epoch", *figures)]
    rows: list[list[Any]] = [["run", *columns, *facts, *settings]]
    for run in comparison.runs:
        row: list[Any] = [run.name]
        for epoch in (len(run.history) or None, run.best):
            row += [epoch, *(run.at(epoch).get(figure) for figure in figures)]
        rows.append([*row, *(run.facts.get(fact) for fact in facts), *(run.settings.get(name) for name in settings)])
    return rows


def _curves(comparison: Comparison) -> list[list[Any]]:
    names = list(dict.fromkeys(name for run in comparison.runs for row in run.history for name in row))
    rows: list[list[Any]] = [["run", "epoch", *names]]
    for run in comparison.runs:
        rows += [[run.name, epoch, *map(row.get, names)] for epoch, row in enumerate(run.history, 1)]
    return rows
