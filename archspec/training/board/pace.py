"""How often something is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

MAX_OVERHEAD = 50
"""Drawing takes at most one part in so many of the time, where nothing is said."""


class Throttle:
    """When drawing is due: every so many epochs or, where nothing is said, when so much time has gone by since the
    last time that its cost does not count; always after the last epoch."""

    def __init__(self, every: int | None, epochs: int):
        self._every, self._epochs = every, epochs
        self._last, self._cost = perf_counter(), 0.0

    def is_due(self, epoch: int) -> bool:
        """Whether to draw after this epoch, the first being 0."""
        if epoch + 1 == self._epochs:
            return True
        if self._every is not None:
            return epoch % self._every == 0
        return perf_counter() - self._last >= MAX_OVERHEAD * self._cost

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Counts what a drawing costs."""
        begin = perf_counter()
        try:
            yield
        finally:
            self._last = perf_counter()
            self._cost = self._last - begin
