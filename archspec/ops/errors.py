"""What an op refuses its inputs or arguments with."""

from __future__ import annotations


class OpError(Exception):
    """An op cannot take these inputs. ``argument`` names the field at fault, if any; ``help`` says what would fit."""

    def __init__(self, message: str, *, argument: str | None = None, help: str | None = None):
        super().__init__(message)
        self.message, self.argument, self.help = message, argument, help
