"""SARIF 2.1.0, which code scanning reads.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from collections.abc import Iterable
from json import dumps
from typing import Any
from urllib.parse import quote

from archspec.ir.diagnostics import Diagnostic, printable
from archspec.report.explanations import explanation


def render(diagnostics: Iterable[Diagnostic]) -> str:
    """One run of one tool, a result for each diagnostic."""
    found = list(diagnostics)
    rules = [_rule(code) for code in dict.fromkeys(d.code for d in found)]
    driver = {"name": "archspec", "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": [_result(d) for d in found]}
    schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    return dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False)


def _rule(code: str) -> dict[str, Any]:
    known = explanation(code)
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "help": {"text": known.text, "markdown": known.text},
    }


def _result(diagnostic: Diagnostic) -> dict[str, Any]:
    record, help = diagnostic.record(), diagnostic.help
    text = record["message"] + (f". Help: {printable(help)}" if help else "")
    result: dict[str, Any] = {"ruleId": diagnostic.code, "level": diagnostic.severity, "message": {"text": text}}
    if record["file"] is not None:
        result["locations"] = [_location(record, record["length"])]
    related = [
        {**_location(note, None), "message": {"text": note["message"]}} for note in record["notes"] if note["file"]
    ]
    return {**result, "relatedLocations": related} if related else result


def _location(place: dict[str, Any], length: int | None) -> dict[str, Any]:
    region = {"startLine": place["line"], "startColumn": place["column"]}
    if length is not None:
        region["endColumn"] = place["column"] + max(1, length)
    artifact = {"uri": quote(str(place["file"]).replace("\\", "/"))}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}
