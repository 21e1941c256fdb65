"""The numbers that stand beside the axes of charts."""

from __future__ import annotations

from math import floor, log10


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from at most the one to at least the other."""
    if high <= low:
        high, low = low + (abs(low) or 1) / 2, low - (abs(low) or 1) / 2
    power = 10.0 ** floor(log10((high - low) / most))
    step = next(s * power for s in (1, 2, 5, 10) if (high - low) / (s * power) <= most)
    first, last = floor(low / step), -floor(-high / step)
    return [float(f"{n * step:.10g}") for n in range(first, last + 1)]
