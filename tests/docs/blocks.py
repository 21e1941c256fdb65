"""What a page of the documentation shows: its fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """A fenced block: ``file`` is the name behind the language (```` ```yaml tiny.yaml ````), if there is one."""

    page: Path
    line: int
    language: str
    file: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def shown(*languages: str, pages: list[Path] = PAGES) -> list[Shown]:
    """The blocks of the pages in these languages."""
    out = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            language, file, body = match.groups()
            if language in languages:
                out.append(Shown(page, text.count("\n", 0, match.start()) + 1, language, file, body))
    return out
