"""What an op refuses its inputs or arguments with."""

from __future__ import annotations


class OpError(Exception):
    """An op cannot take these inputs. ``argument`` names the field at fault, if any; ``help`` says what would fit.
    ``of_input`` says that numbers of tokens are wanted, and that an input of the network may lack their type."""

    def __init__(self, message: str, *, argument: str | None = None, help: str | None = None, of_input: bool = False):
        super().__init__(message)
        self.message, self.argument, self.help, self.of_input = message, argument, help, of_input
