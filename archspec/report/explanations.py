"""What the codes of errors and warnings mean, with an example each: ``archspec/report/codes/CODE.md``.

A file has a title, a text, and two fenced blocks where an example is possible: what is wrong, and the same put right.
``yaml`` is a spec, ``yaml lint`` one that ``archspec lint`` speaks of, ``yaml run`` a run file, ``console`` a command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "codes"

_BLOCK = re.compile(r"^```(?P<kind>[a-z ]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class CodeExample:
    """A spec (``yaml``, ``yaml lint``), a run file (``yaml run``) or a command (``console``): as it is refused, and put
    right."""

    kind: str
    wrong: str
    right: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A code, what it is about in a few words, and its page as Markdown below the title."""

    code: str
    title: str
    text: str

    @property
    def example(self) -> CodeExample | None:
        """The example, where there is one: what depends on more files than one has none."""
        blocks = list(_BLOCK.finditer(self.text))
        if not blocks:
            return None
        wrong, right = blocks
        return CodeExample(wrong["kind"], wrong["text"], right["text"])


def codes() -> list[str]:
    """All codes that are explained, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.md"))


def explanation(code: str) -> Explanation:
    """What a code means. Raises KeyError for one that is not known."""
    path = FOLDER / f"{code}.md"
    if not (code.isalnum() and path.is_file()):
        raise KeyError(code)
    title, _, text = path.read_text(encoding="utf-8").partition("\n")
    return Explanation(code, title.removeprefix("# "), text.strip())
