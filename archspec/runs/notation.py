"""How a person writes what is asked of a run: as an option of a command, or as a keyword argument in Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.ir.diagnostics import Span, typed
from archspec.ir.validation import must_be_integer


@dataclass(frozen=True, slots=True)
class Notation:
    """``form`` is how the name of an option is written, ``separator`` what stands between it and its value, ``shown``
    how the value is written."""

    form: str
    separator: str
    shown: Callable[[Any], str]

    def name(self, key: str) -> str:
        """The option alone: ``--split``, ``split``."""
        return self.form.format(key)

    def at(self, key: str, value: object) -> Span:
        """The option with its value, as the place of an error."""
        return typed(f"{self.name(key)}{self.separator}", self.shown(value))


FLAGS = Notation("--{}", "", str)
KEYWORDS = Notation("{}", " =", repr)


def integer(name: str, value: object, least: int) -> int:
    """A keyword argument that is an integer of at least so much. Raises TypeError, ValueError."""
    found = must_be_integer(name, value)
    if found < least:
        raise ValueError(f"{name} must be at least {least}, got {found}")
    return found


def one_of(name: str, value: object, known: Sequence[str]) -> None:
    """A keyword argument must be one of a few words. Raises ValueError."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")
