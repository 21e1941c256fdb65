"""How the walk through a text is turned back."""

from __future__ import annotations

from archspec.ir.diagnostics import Span

ADD_FROM = "add from:"
"""The help where a step has nothing before it; the inputs that it may take are added where they are known."""


class Poisoned(Exception):
    """A value depends on something that has been reported as wrong: nothing more is to be said about it."""


class Refusal(Exception):
    """One mistake, at a place."""

    def __init__(self, code: str, message: str, span: Span, help: str | None = None):
        super().__init__(message)
        self.code, self.message, self.span, self.help = code, message, span, help


class LimitExceeded(Refusal):
    """A limit is passed: the elaboration ends. ``is_told`` once it has been reported."""

    is_told = False
