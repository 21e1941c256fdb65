"""Regular expressions that are compiled when they are first used: most are for mistakes, which few files have."""

from __future__ import annotations

import re
from typing import Any


class Pattern:
    """As what ``re.compile`` gives, later."""

    __slots__ = ("_flags", "_text")

    def __init__(self, text: str, flags: int = 0) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        # The library keeps what it has compiled.
        return getattr(re.compile(self._text, self._flags), name)
