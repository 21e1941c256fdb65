"""What a person reads while a run goes on: a line for each epoch, no wider than their terminal."""

from __future__ import annotations

from collections.abc import Mapping

WIDTH = 80
"""Columns of a line where no terminal says how wide it is."""
BAR = 20


def epoch_line(
    epoch: int,
    epochs: int,
    figures: Mapping[str, float],
    rate: str,
    seconds: float,
    *,
    done: float | None = None,
    width: int = WIDTH,
) -> str:
    """Number of the epoch, figures, speed, and what the run will still take; ``done`` is the share of the epoch, for a
    bar. What does not fit is left out: the bar first, then the speed, the time, and figures from the last on."""
    head, left = f"epoch {epoch}/{epochs}", f"{duration(seconds)} left"
    bar = "" if done is None else f" {'━' * round(done * BAR):<{BAR}}"
    values = [f"{name} {value:.4f}" for name, value in figures.items()]
    for count in range(len(values), -1, -1):
        told = "  ".join((*values[:count], *(("…",) if count < len(values) else ())))
        for bar_, *rest in ((bar, rate, left), ("", rate, left), ("", left), ("",)):
            line = "  ".join(filter(None, (f"{head}{bar_}", told, *rest)))
            if len(line) < width:
                return line
    return line[: width - 1]


def duration(seconds: float) -> str:
    """A time in seconds, minutes, or hours, in at most two of these."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
