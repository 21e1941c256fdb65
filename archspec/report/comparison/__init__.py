"""Trained runs side by side: figures of the last and the best epoch, settings that differ, curves. A format a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

FORMATS = ("text", "csv", "html")
HELD_OUT = "val_"
"""Before the names of figures that are of the evaluated split."""


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """What a run directory says. ``history`` has a row for each epoch, the figures of the evaluated split as
    ``val_NAME``; ``best`` is an epoch, counted from 1, None where there is none yet; ``settings`` are values as they
    are written, by their path in the run file; ``facts`` are parameters, seconds, …"""

    name: str
    history: Sequence[Mapping[str, float]]
    best: int | None
    settings: Mapping[str, str]
    facts: Mapping[str, float]

    def at(self, epoch: int | None) -> Mapping[str, float]:
        """The row of an epoch, counted from 1."""
        return self.history[epoch - 1] if epoch and epoch <= len(self.history) else {}

    def curve(self, figure: str) -> list[float | None]:
        """A figure after each epoch."""
        return [row.get(figure) for row in self.history]


@dataclass(frozen=True)
class Comparison:
    """Several runs."""

    runs: tuple[TrainedRun, ...]

    @cached_property
    def figures(self) -> tuple[str, ...]:
        """Names of what runs report of the evaluated split, or of training where none evaluates one; losses first."""
        names = dict.fromkeys(name for run in self.runs for row in run.history for name in row)
        names.pop("learning_rate", None)
        held_out = [name for name in names if name.startswith(HELD_OUT)]
        return tuple(sorted(held_out or names, key=lambda name: (not name.endswith("loss"),)))

    @cached_property
    def differences(self) -> tuple[str, ...]:
        """Settings that not all runs have alike, in the order of the run files."""
        names = dict.fromkeys(name for run in self.runs for name in run.settings)
        return tuple(name for name in names if len({run.settings.get(name) for run in self.runs}) > 1)

    @cached_property
    def facts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for run in self.runs for name in run.facts))

    def render(self, format: str = "text", **options: Any) -> str:
        """The comparison in one of ``FORMATS``."""
        written: str = import_module(f"archspec.report.comparison.{format}").render(self, **options)
        return written


def plain(figure: str) -> str:
    """What people call a figure: that of the evaluated split by its name alone."""
    return figure.removeprefix(HELD_OUT)


def written(value: float | None) -> str:
    """A figure as people read it: four digits behind the point, or four in all."""
    if value is None:
        return "-"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or not value else f"{value:.4g}"


def counted(value: float | None) -> str:
    """A number of things or of seconds, as people read it."""
    return "-" if value is None else f"{value:,.0f}"


def figure_rows(comparison: Comparison) -> list[list[str]]:
    """A head and a row for each run as people read them: figures of the last epoch and of the best, then facts."""
    names = list(map(plain, comparison.figures))
    rows = [["run", "last epoch", *names, "best epoch", *names, *comparison.facts]]
    for run in comparison.runs:
        row = [run.name]
        for epoch in (len(run.history) or None, run.best):
            found = run.at(epoch)
            row += [str(epoch or "-"), *(written(found.get(figure)) for figure in comparison.figures)]
        rows.append([*row, *(counted(run.facts.get(fact)) for fact in comparison.facts)])
    return rows


def setting_rows(comparison: Comparison) -> list[list[str]]:
    """Settings that differ, under a head: a column for each run, or a row for each of more runs than settings."""
    rows = [["", *(run.name for run in comparison.runs)]]
    rows += [[name, *(run.settings.get(name, "-") for run in comparison.runs)] for name in comparison.differences]
    if len(comparison.runs) <= len(comparison.differences):
        return rows
    return [list(column) for column in zip(*rows, strict=True)]
