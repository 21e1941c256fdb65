"""What samples are made from, in the place of a code: draws, and ways from one to another."""

from __future__ import annotations

from typing import Any

from archspec.training.task import TaskError, Wanted

USUAL = 64
"""Samples, if nothing is said."""


def amounts(wanted: Wanted) -> tuple[int, int | None]:
    """How many samples are asked for, and how many of them are a row between two draws; None for draws alone. Raises
    TaskError."""
    steps, count = wanted.options.get("interpolate"), wanted.count
    if steps is None:
        return count or USUAL, None
    if steps < 2:
        raise TaskError(f"--interpolate {steps} has no way between two draws", at=(), help="2 steps or more")
    count = count or 8 * steps
    if count % steps:
        raise TaskError(
            f"{count} samples are no whole rows of {steps}", at=(), help=f"-n {count // steps * steps or steps}"
        )
    return count, steps


def along(first: object, last: object, steps: int, *, is_normal: bool = True) -> Any:
    """For each of several draws, ``steps`` points on the way to another, ends included: (draws · steps, …).

    Of standard normal draws the way is a quarter of a circle, cos · first + sin · last: each point of it is such a draw
    itself, where those of a straight line lie nearer to the middle. Of others it is the line.
    """
    import numpy as np

    first, last = np.asarray(first), np.asarray(last)
    share = np.linspace(0, 1, steps, dtype=first.dtype).reshape(1, steps, *(1,) * (first.ndim - 1))
    start, end = (np.cos(share * np.pi / 2), np.sin(share * np.pi / 2)) if is_normal else (1 - share, share)
    return (start * first[:, None] + end * last[:, None]).reshape(-1, *first.shape[1:])
