"""Workflow commands of GitHub Actions, which show diagnostics beside the lines of a pull request.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterable

from archspec.ir.diagnostics import Diagnostic, printable


def render(diagnostics: Iterable[Diagnostic]) -> str:
    """A line for each diagnostic: ``::error file=…,line=…,col=…,endColumn=…,title=…::message``."""
    return "\n".join(map(_command, diagnostics))


def _command(diagnostic: Diagnostic) -> str:
    record, help = diagnostic.record(), diagnostic.help
    properties = {"title": f"archspec {diagnostic.code}"}
    if record["file"] is not None:
        line, column = record["line"], record["column"]
        place = {"file": record["file"], "line": line, "endLine": line, "col": column}
        properties = {**place, "endColumn": column + max(1, record["length"]), **properties}
    said = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    text = record["message"] + (f"\nhelp: {printable(help)}" if help else "")
    return f"::{diagnostic.severity} {said}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
