"""SIGTERM and Ctrl-C: the first asks the run to stop where it can go on later, a second Ctrl-C ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """A run stopped because it was asked to; ``code`` is the exit code that says so, ``step`` where it can go on, and
    ``reached`` what it has come to, in words."""

    def __init__(self, code: int, step: int, reached: str = ""):
        super().__init__(f"stopped at step {step} {reached}".rstrip())
        self.code, self.step = code, step


class Request:
    """Whether a run has been asked to stop, and by which signal."""

    signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    @property
    def code(self) -> int:
        """The exit code of a process that this signal ended."""
        return 128 + (self.signal or 0)


@contextmanager
def listening() -> Iterator[Request]:
    """While this lasts, the two signals are requests. (Elsewhere than in the main thread Python cannot listen.)"""
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and request.signal == signal.SIGINT:
            raise KeyboardInterrupt
        request.signal = number

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
