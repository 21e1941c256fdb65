"""What a format reads: a network as a draft, with what its own program says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.ir.diagnostics import Diagnostic, Source, Span, SpecError
from archspec.writing.draft import Draft

if TYPE_CHECKING:
    import numpy as np

MAX_TEXT = 4 << 20
"""Bytes of a text that says a network."""
MAX_LAYERS = 20_000


@dataclass(slots=True)
class ReadNetwork:
    """A network out of a file. Of each step by its name: its arrays as Keras has them, read when asked for, and the
    shape of its output by the rules of the file's own program, None where these do not say."""

    draft: Draft[Span]
    arrays: dict[str, dict[str, Callable[[], np.ndarray]]] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...] | None] = field(default_factory=dict)
    warnings: list[Diagnostic] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, step: dict[str, Any], taken: Sequence[str], at: Span, shape: tuple[int, ...] | None = None) -> str:
        """Add a step whose output has ``shape`` there; what its result goes by."""
        name = self.draft.add(step, taken, at)
        self.shapes[name] = shape
        return name

    def left_out(self, message: str, at: Span) -> None:
        """Say what is not carried, where the network computes the same without it."""
        self.warnings.append(Diagnostic("I06", message, at, severity="warning"))


def refused(code: str, message: str, at: Span, help: str | None = None) -> SpecError:
    """One mistake."""
    return SpecError([Diagnostic(code, message, at, help)])


def whole(path: Path) -> Span:
    """The file itself, or what is no text."""
    return named(path, "")


def named(path: Path, what: str) -> Span:
    """Something of a file that has a name and no line, such as ``node 'Conv_3'``."""
    return Span(Source(str(path), what, is_typed=True), 1, 1)


def text_of(path: Path) -> Source:
    """The text of a file. Raises SpecError (I01), OSError."""
    from archspec.storage.regular import opened

    with opened(path) as file:
        data = file.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise refused("I01", f"the file is larger than {MAX_TEXT >> 20} MiB", whole(path))
    try:
        return Source(str(path), data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refused("I01", f"not UTF-8 text, in line {line}", whole(path)) from None
