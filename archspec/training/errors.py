"""What a run is refused with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from archspec.ir.diagnostics import Note
from archspec.ir.graph import Output


class TaskError(Exception):
    """A run cannot work. ``at`` is the place in the run file that is at fault, ``help`` what would do."""

    def __init__(
        self, message: str, *, at: tuple[str | int, ...], help: str | None = None, notes: tuple[Note, ...] = ()
    ):
        super().__init__(message)
        self.message, self.at, self.help, self.notes = message, at, help, notes
        self.others: tuple[TaskError, ...] = ()
        """Further faults of the same run."""

    def of_head(self, output: Output) -> TaskError:
        """The same, with the place of a head in the spec."""
        if output.span:
            self.notes = (Note(f"head '{output.name}'", output.span),)
        return self


def faults(*rules: Callable[[], object]) -> Iterator[TaskError]:
    """What rules raise, one rule after another."""
    for rule in rules:
        try:
            rule()
        except TaskError as error:
            yield error
