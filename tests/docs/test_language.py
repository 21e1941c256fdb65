"""The page of the language: its examples are specs, its table has every code, its limits and words are the code's."""

from __future__ import annotations

import re

import pytest

from archspec.analysis.expect import unmet
from archspec.frontend import (
    arithmetic,
    check,
    expressions,
    files,
    loops,
    parameters,
    prelude,
    structure,
    walk,
    yaml_source,
)
from archspec.frontend.inputs import DTYPES
from archspec.frontend.steps import MODIFIERS
from archspec.ir.diagnostics import MAX_DIAGNOSTICS
from tests.docs.blocks import ROOT, shown

PAGE = ROOT / "docs" / "language.md"
STUBS = {
    "generator": "[dense: 12288, reshape: [64, 64, 3]]",
    "critic": "[flatten, dense: 1]",
}
"""Bodies of blocks that an example names and leaves to the reader."""
TEXT = PAGE.read_text(encoding="utf-8")
SAYING = [ROOT / "archspec" / "frontend", ROOT / "archspec" / "analysis"]
SECTION = re.compile(r"^(\w+):", re.MULTILINE)


def completed(text: str) -> str:
    """An example as a whole file: what it does not show is a name, an input and a body."""
    sections = SECTION.findall(text)
    if "archspec" in sections:
        return text
    head = "archspec: 1\nname: example\n"
    if "inputs" not in sections and "networks" not in sections:
        head += "inputs: {image: [32, 32, 3]}\n"
    if "body" not in sections and "networks" not in sections:
        head += "body: [relu]\n"
    named = {name: body for name, body in STUBS.items() if f"[{name}]" in text and "blocks" not in sections}
    if named:
        head += "blocks:\n" + "".join(f"  {name}: {{body: {body}}}\n" for name, body in named.items())
    return head + text


@pytest.mark.parametrize("example", shown("yaml", pages=[PAGE]), ids=str)
def test_example(example, tmp_path):
    path = tmp_path / "example.yaml"
    path.write_text(completed(example.text), encoding="utf-8")
    graphs = check(str(path))
    assert graphs and all(graph.nodes for graph in graphs)
    assert [str(d) for graph in graphs for d in unmet(graph)] == []


def test_every_code_has_its_line():
    said = {
        code
        for room in SAYING
        for path in room.rglob("*.py")
        for code in re.findall(r'["\']([YSNPTXHBFVEW]\d\d)["\']', path.read_text(encoding="utf-8"))
    }
    rows = re.findall(r"^\| ([A-Z]\d\d) \| \S", TEXT, re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == said


def row(first: str) -> str:
    (found,) = re.findall(rf"^\| {re.escape(first)} \| (.*) \|$", TEXT, re.MULTILINE)
    return found


def numbers(text: str) -> list[int]:
    powers = {"2⁴⁰": 2**40, "2⁵³": 2**53, "2·10¹⁰": 2 * 10**10}
    return [powers.get(n) or int(n.replace(",", "")) for n in re.findall(r"2⁴⁰|2⁵³|2·10¹⁰|[\d,]*\d", text)]


def test_limits_are_those_of_the_code():
    assert numbers(row("file")) == [
        yaml_source.MAX_BYTES >> 20,
        yaml_source.MAX_NODES,
        yaml_source.MAX_DEPTH,
        yaml_source.MAX_SCALAR >> 10,
    ]
    assert numbers(row("files used")) == [files.MAX_FILES, files.MAX_TOTAL >> 20, files.MAX_NESTING]
    assert numbers(row("expression")) == [
        expressions.MAX_LENGTH,
        expressions.MAX_NODES,
        arithmetic.MAX_POWER,
        arithmetic.MAX_VALUE,
        arithmetic.MAX_LIST,
    ]
    assert numbers(row("steps and turns")) == [walk.MAX_STEPS] == [loops.MAX_STEPS]
    assert numbers(row("layers")) == [walk.MAX_LAYERS]
    assert numbers(row("calls within calls")) == [walk.MAX_CALLS, walk.MAX_DEPTH]
    assert numbers(row("mistakes shown")) == [MAX_DIAGNOSTICS]


def test_words_are_those_of_the_code():
    flat = " ".join(TEXT.split())
    assert " ".join(arithmetic.FUNCTIONS) in flat
    assert ", ".join(f"`{m}`" for m in structure.merges()) in flat
    assert ", ".join(f"`{m}`" for m in MODIFIERS) in flat
    assert [t.strip() for t in re.search(r"^TYPE +:= (.*)$", TEXT, re.MULTILINE)[1].split("|")] == [*parameters.TYPES]
    (types,) = re.findall(r"Types are (.*?)\.", flat)
    assert set(re.findall(r"`(\w+)`", types)) == set(DTYPES)
    assert set(re.findall(r"^\| `(\w+): [a-z]+` \|", TEXT, re.MULTILINE)) == prelude()["blocks"].keys()
