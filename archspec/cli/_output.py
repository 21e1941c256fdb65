"""Writing to people and programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from archspec.ir.diagnostics import Diagnostic, printable

PLAIN = str.maketrans({"×": "x", "─": "-", "→": "->", "·": "|", "…": "~"})
"""What stands for the characters of our tables where the terminal has no Unicode."""


def wants_color(stream: TextIO) -> bool:
    """Whether a person looks at the stream and has not asked for plain text (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def for_people(format: str) -> dict[str, Any]:
    """Options of a table's ``render``: of text the terminal's width, and colour for a person; of other formats none."""
    if format != "text":
        return {}
    from shutil import get_terminal_size

    return {"width": get_terminal_size().columns, "color": wants_color(sys.stdout)}


def write(text: str) -> None:
    """Data to stdout, with a line break at its end."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(PLAIN)
    sys.stdout.write(text + "\n")


def failed(message: str, code: int) -> int:
    """Say what went wrong, on stderr; the exit code."""
    print(f"archspec: {printable(message)}", file=sys.stderr)
    return code


def refused(verb: str, message: str, code: int = 2) -> int:
    """Say what a verb does not do, on stderr; the exit code."""
    print(f"archspec {verb}: error: {printable(message)}", file=sys.stderr)
    return code


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Every diagnostic on stderr, with its line of source; in colour for a person."""
    color = wants_color(sys.stderr)
    for diagnostic in diagnostics:
        text = diagnostic.render()
        print(_colored(text, diagnostic.severity) if color else text, file=sys.stderr)


def write_findings(diagnostics: Iterable[Diagnostic], format: str) -> None:
    """All diagnostics to stdout in a form for programs: a module of archspec.report.findings."""
    from importlib import import_module

    write(import_module(f"archspec.report.findings.{format}").render(diagnostics))


def _colored(text: str, severity: str) -> str:
    """Red for the severity and the carets, bold for the message, cyan for the help."""
    red = "31" if severity == "error" else "33"
    head, *rest = text.split("\n")
    place, mark, message = head.partition(f" {severity}[")
    out = [f"{place}{paint(mark + message.split(']')[0] + ']', '1;' + red)}{paint(message.partition(']')[2], '1')}"]
    for line in rest:
        if line.strip("^ ") == "":
            out.append(paint(line, red))
        elif line.startswith("  help: "):
            out.append(paint(line, "36"))
        else:
            out.append(line)
    return "\n".join(out)


def paint(text: str, code: str) -> str:
    """``text`` under an ANSI style."""
    return f"\x1b[{code}m{text}\x1b[0m"
