"""Write docs/declarations.md: what everything besides ops takes that a spec or a run file can name.

    python tools/declaration_reference.py [--check]

With --check nothing is written; the exit code says whether the page is current.
"""

from __future__ import annotations

import sys
from pathlib import Path

from generated import settled

from archspec.cli._kinds import KINDS, placed
from archspec.ir.declaration import Declaration
from archspec.report.vocabulary import arguments, usage

PAGE = Path(__file__).parent.parent / "docs" / "declarations.md"
HEAD = """\
# What else has a name

What losses, metrics, initializers, optimizers, schedules, data sources and transforms take, and whatever else a spec or
a run file can name besides [ops](ops.md). Each is written `NAME`, `{NAME: VALUE}` for its main argument (set in
**bold**), or `{NAME: {argument: value}}`. `archspec ops NAME` says the same. This page is written by
`tools/declaration_reference.py`.
"""


def page() -> str:
    """The page."""
    lines = [HEAD]
    for word, kind in KINDS.items():
        lines.append(f"\n## {word.capitalize().removesuffix('s') + ('ses' if word[-1] == 's' else 's')}\n")
        lines += [text for member in kind.all() for text in _member(word, member)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _member(word: str, member: type[Declaration]) -> list[str]:
    out = [f"### `{member.name}`\n", _cell(member.summary()), ""]
    out += ["```yaml", placed(word, usage(member) or member.name), "```", ""]
    if fields := arguments(member):
        out += ["| argument | type | default | |", "|---|---|---|---|"]
        for a in fields:
            name = f"**{a.name}**" if a.name == member.main else a.name
            default = "required" if a.default is None else f"`{a.default}`"
            out.append(f"| {name} | {_cell(a.type)} | {default} | {_cell(a.doc)} |")
        out.append("")
    return out


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(settled({PAGE: page()}))
