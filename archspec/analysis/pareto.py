"""Which of several alternatives no other beats in everything."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[tuple[float, ...]]) -> list[int]:
    """Positions of the points, in their order, than which no other is smaller somewhere and larger nowhere. Of equal
    points all stay."""
    order = sorted(range(len(points)), key=lambda i: points[i])
    kept: list[int] = []
    for i in order:
        # What beats a point stands before it, and is on the front or beaten by one that is.
        if not any(points[j] != points[i] and _covers(points[j], points[i]) for j in kept):
            kept.append(i)
    return sorted(kept)


def _covers(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))
