"""List the catalogue: every spec and variant, grouped by family."""

from __future__ import annotations

import argparse
from typing import Any

MIN_NAME = 24
"""Room that names have whatever the width."""


EXAMPLES = (
    "archspec list",
    "archspec list net",
    "archspec list net --ports",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to list, and the form."""
    parser.add_argument("word", nargs="?", metavar="WORD", help="only names and families that contain it")
    parser.add_argument("--ports", action="store_true", help="also the named results that another spec can take by use")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Print the index; no spec is opened where there is one."""
    from archspec.cli._output import refused, write
    from archspec.frontend import catalogue

    entries = catalogue.entries()
    if args.word:
        entries = [e for e in entries if any(args.word in e[key] for key in ("family", "name", "spec"))]
        if not entries:
            from archspec.ir.diagnostics import did_you_mean, shown

            names = {name for e in catalogue.entries() for name in (e["name"], e["family"], e["spec"])}
            hint = did_you_mean(args.word, names) or "'archspec list' shows all"
            return refused("list", f"no name contains {shown(args.word)}; {hint}", 1)
    if args.ports:
        entries = [e | {"ports": _ports(e)} for e in entries]
    if args.format == "json":
        from json import dumps

        write("[\n" + ",\n".join(dumps(e, ensure_ascii=False) for e in entries) + "\n]")
    else:
        from shutil import get_terminal_size

        write(text(entries, get_terminal_size().columns))
    return 0


def _ports(entry: dict[str, Any]) -> dict[str, str]:
    """Named results of a member, by name, with their shapes as the index writes them."""
    from archspec.frontend import catalogue
    from archspec.frontend.open import ports_of
    from archspec.report.format import dimensions

    found = catalogue.find(entry["name"])
    assert found is not None
    ports = ports_of(found.path, str(found.path), found.variant)
    return {name: dimensions(spec.shape, "x") for name, spec in ports.items()}


def text(entries: list[dict[str, Any]], width: int = 80) -> str:
    """Families with their papers and, below each, the members: name, input, parameters, MACs."""
    from textwrap import wrap

    from archspec.report.format import quantity

    rows = [
        ("    " + e["name"], (e["input"] or "?").replace("x", "×"), quantity(e["params"]), quantity(e["macs"]))
        for e in entries
    ]
    header = ("family, paper, member", "input", "params", "MACs")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(4)]
    widths[0] = max(MIN_NAME, min(widths[0], width - sum(widths[1:]) - 2 * 3))

    def line(row: tuple[str, ...]) -> str:
        name, shape, *counts = row
        cells = [name.ljust(widths[0]), shape.ljust(widths[1]), *map(str.rjust, counts, widths[2:])]
        return "  ".join(cells)

    out, family, paper = [line(header), "─" * (sum(widths) + 2 * 3)], None, None
    for entry, row in zip(entries, rows, strict=True):
        if entry["family"] != family:
            family, paper = entry["family"], None
            out += ["", family]
        if (entry["title"], entry["year"]) != paper:
            paper = (entry["title"], entry["year"])
            out.append(_cut(f"  {_cited(entry)}", width))
        out.append(line(row))
        if ports := entry.get("ports"):
            said = ", ".join(f"{name} {shape.replace('x', '×')}" for name, shape in ports.items())
            out += wrap(said, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    members = len(entries)
    return "\n".join([*out, "", f"{members} {'network' if members == 1 else 'networks'}"])


def _cited(entry: dict[str, Any]) -> str:
    """``2015 He et al.: Deep Residual Learning for Image Recognition``."""
    first, *others = (entry["authors"] or "").split(", ")
    authors = f"{first} et al." if len(others) > 1 else " and ".join([first, *others])
    source = " ".join(str(part) for part in (entry["year"], authors) if part)
    return ": ".join(part for part in (source, entry["title"]) if part) or "no paper"


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"
