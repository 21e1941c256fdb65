"""Write docs/reference/: what everything besides ops takes that a spec or a run file can name, a page for each kind.

    python tools/declaration_reference.py [--check]

With --check nothing is written; the exit code says whether the pages are current.
"""

from __future__ import annotations

import sys
from pathlib import Path

from generated import settled

from archspec.cli._kinds import ABOUT, KINDS, placed, plural
from archspec.ir.declaration import Declaration
from archspec.report.vocabulary import arguments, usage

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
INDEX = """\
# Reference

What specs and run files can name, a page for each kind. Each page has every member with its arguments, their defaults,
and an example. A member is written `NAME`, `{NAME: VALUE}` for its main argument (set in **bold**), or
`{NAME: {argument: value}}`. `archspec reference NAME` prints the same in a terminal, `archspec reference losses` lists
a kind. Names of Keras and PyTorch are in [a table of their own](../names.md).

| kind | where it is written | members |
|---|---|---|
| [ops](../ops.md) | `body: [conv: 64]` | every layer, merge and activation |
"""
CALLBACKS = """\
| [callbacks](callbacks.md) | `log: {callbacks: {…}}` | functions of installed packages, such as for MLflow |"""
HEAD = """\
# {title}

{doc} Written as in `{place}`.

This page is written by `tools/declaration_reference.py`; `archspec reference NAME` prints the same.
"""


def pages() -> dict[Path, str]:
    """The index, and a page for each kind."""
    index, out = [INDEX.rstrip("\n")], {}
    for word, kind in KINDS.items():
        name = plural(word)
        path = FOLDER / f"{name.replace(' ', '_')}.md"
        members = kind.all()
        place = placed(word, "…")
        head = HEAD.format(title=name.capitalize(), doc=ABOUT[word], place=place)
        out[path] = "\n".join([head, *(text for m in members for text in _member(word, m))]).rstrip("\n") + "\n"
        named = ", ".join(f"[`{m.name}`]({path.name}#{m.name})" for m in members)
        index.append(f"| [{name}]({path.name}) | `{place}` | {named} |")
    index.append(CALLBACKS)
    return {FOLDER / "README.md": "\n".join(index) + "\n", **out}


def _member(word: str, member: type[Declaration]) -> list[str]:
    out = [f"## `{member.name}`\n", _cell(member.summary()), ""]
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
    sys.exit(settled(pages()))
