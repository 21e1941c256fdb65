"""What a run is refused with."""

from __future__ import annotations

from archspec.ir.diagnostics import Note


class TaskError(Exception):
    """A run cannot work. ``at`` is the place in the run file that is at fault, ``help`` what would do."""

    def __init__(
        self, message: str, *, at: tuple[str | int, ...], help: str | None = None, notes: tuple[Note, ...] = ()
    ):
        super().__init__(message)
        self.message, self.at, self.help, self.notes = message, at, help, notes
