"""What a person is told about a spec that is wrong: every file of ``invalid/`` gives exactly the text beside it.

A new case is a .yaml file there; ``python -m tests.frontend.test_invalid`` writes the .txt of each (read what it wrote:
is the place right, is what was received said, does the help help?).
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from archspec.analysis.expect import unmet
from archspec.frontend import analyse
from archspec.ir.diagnostics import in_order

INVALID = Path(__file__).parent / "invalid"
SAYING = [Path(__file__).parents[2] / "archspec" / room for room in ("frontend", "analysis")]
CASES = sorted(path.stem for path in INVALID.glob("*.yaml"))
CODE = re.compile(r'["\']([YSNPTXHBFVEW]\d\d)["\']')
ELSEWHERE = {"F01": "test_files", "F03": "test_files"}
"""Codes that a single file beside this one cannot give, and where they are tested."""


def said(case: str) -> str:
    """The diagnostics of a case as ``archspec check`` prints them, one empty line between them."""
    analysis = analyse(f"{case}.yaml")
    problems = in_order([*analysis.diagnostics, *(d for graph in analysis.graphs for d in unmet(graph))])
    return "\n\n".join(d.render() for d in problems) + "\n"


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    monkeypatch.chdir(INVALID)


@pytest.mark.parametrize("case", CASES)
def test_mistake(case):
    expected = Path(f"{case}.txt").read_text(encoding="utf-8")
    assert ("warning[" if case.startswith("warning_") else "error[") in expected
    assert said(case) == expected


def test_every_text_has_its_spec():
    assert sorted(path.stem for path in INVALID.glob("*.txt")) == CASES


def test_every_code_has_a_case():
    codes = {
        c for room in SAYING for path in room.rglob("*.py") for c in CODE.findall(path.read_text(encoding="utf-8"))
    }
    shown = {
        c
        for path in INVALID.glob("*.txt")
        for c in re.findall(r"(?:error|warning)\[(\w\d\d)\]", path.read_text("utf-8"))
    }
    assert codes - shown == ELSEWHERE.keys() - shown


def test_every_mistake_has_a_place():
    for case in CASES:
        for line in re.findall(r"^\S.*$", Path(f"{case}.txt").read_text("utf-8"), re.MULTILINE):
            assert re.match(r"[\w./-]+:\d+:\d+: (?:error|warning)\[\w\d\d\]: \S", line), line


def regenerate() -> None:
    """Write the text beside every case."""
    os.chdir(INVALID)
    for case in CASES:
        Path(f"{case}.txt").write_text(said(case), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(regenerate())
