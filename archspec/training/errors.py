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
    """What rules raise, one rule after another; what several find is told once."""
    told = set()
    for rule in rules:
        try:
            rule()
        except TaskError as error:
            if (error.message, error.at) not in told:
                told.add((error.message, error.at))
                yield error


class RunError(Exception):
    """A run cannot start, go on or be used, though nothing is wrong with what is written of it."""


class Misused(RunError):
    """What is asked for does not go with what is there."""


class NotTrained(RunError):
    """A run directory holds no trained network."""


class NotExported(RunError):
    """What was to be written for other programs cannot be, or is not the network."""


class InUse(RunError):
    """Another process writes into the run directory, or another run is under way in this process."""


class CheckpointError(RunError):
    """A checkpoint cannot be read, or is not one of this run."""


class DistributionError(RunError):
    """The devices or processes that a run asks for are not there, or cannot be used."""
