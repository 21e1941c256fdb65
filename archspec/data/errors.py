"""What is raised where data cannot be used."""

from __future__ import annotations


class DataError(Exception):
    """Data cannot be used. ``help`` says what would do."""

    def __init__(self, message: str, *, help: str | None = None):
        super().__init__(message)
        self.message, self.help = message, help
