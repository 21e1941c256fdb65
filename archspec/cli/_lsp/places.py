"""Places in a text, as archspec counts them and as editors do."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

_YAML = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_EDITOR = re.compile("\r\n|[\n\r]")


class Places:
    """The places of one text: offsets in characters, archspec's lines and columns (1-based, characters, lines that end
    as in YAML), and positions of the protocol (0-based, lines that end by LF, CR or both, columns in units of
    ``encoding``: utf-16 unless the editor wants another)."""

    def __init__(self, text: str, encoding: str = "utf-16"):
        self.text = text
        self.encoding = encoding

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(found.end() for found in _YAML.finditer(self.text))]

    @cached_property
    def _rows(self) -> list[int]:
        return [0, *(found.end() for found in _EDITOR.finditer(self.text))]

    def offset(self, line: int, column: int) -> int:
        """Of a line and column of archspec's; the end of the text for what is behind it."""
        start = self._lines[line - 1] if 0 < line <= len(self._lines) else len(self.text)
        return min(start + max(column - 1, 0), len(self.text))

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of archspec's."""
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def position(self, offset: int) -> tuple[int, int]:
        """Row and units of the protocol."""
        row = bisect_right(self._rows, offset) - 1
        return row, self._units(self.text[self._rows[row] : offset])

    def offset_at(self, row: int, units: int) -> int:
        """Of a position of the protocol; units behind the end of a line mean its end."""
        if row >= len(self._rows):
            return len(self.text)
        start = self._rows[row]
        end = self._rows[row + 1] if row + 1 < len(self._rows) else len(self.text)
        line = self.text[start:end].rstrip("\r\n")
        for i, _ in enumerate(line):
            if self._units(line[: i + 1]) > units:
                return start + i
        return start + len(line)

    def _units(self, text: str) -> int:
        if text.isascii() or self.encoding == "utf-32":
            return len(text)
        if self.encoding == "utf-8":
            return len(text.encode("utf-8", "surrogatepass"))
        return len(text) + sum(char > "\uffff" for char in text)
