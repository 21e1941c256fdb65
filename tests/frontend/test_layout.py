"""The canonical form: what it does to a text, and that it does no more. The catalogue is written in it."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import yaml

from archspec.frontend import loads
from archspec.frontend.layout import formatted
from archspec.frontend.yaml_source import read
from archspec.ir.diagnostics import Source, SpecError
from tests.frontend.generator import generate

SPECS = Path(__file__).parents[2] / "specs"


def form(text):
    out = formatted(Source("net.yaml", text))
    assert formatted(Source("net.yaml", out)) == out, "idempotent"
    return out


ALIGNED = "v:\n  one:   {a: 1,  b: 2}\n  three: {a: 10, b: 2}\n"
QUOTED = 'a: "yes"\nb: "1"\nc: "=min(a, b)"\nd: ["c[i]"]\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Indentation, two spaces a level, and its comments with it.
        ("body:\n- conv: 8\n- relu\n", "body:\n  - conv: 8\n  - relu\n"),
        ("a:\n      b: 1\n      c:\n       - d\n", "a:\n  b: 1\n  c:\n    - d\n"),
        ("a:\n    # about b\n    b: 1\n", "a:\n  # about b\n  b: 1\n"),
        ("body:\n-   do:\n    -   relu\n    repeat: 2\n", "body:\n  - do:\n      - relu\n    repeat: 2\n"),
        # A flow list over several lines moves as one.
        ("a:\n    b: [1,\n        2]\n", "a:\n  b: [1,\n      2]\n"),
        # A text over several lines does, too, and keeps its own lines.
        ("a:\n    doc: |\n      one\n        two\n    b: 1\n", "a:\n  doc: |\n    one\n      two\n  b: 1\n"),
        # What a text over several lines says: empty lines, blanks and tabs, a last line without an end.
        *[
            (text, text)
            for text in (
                "doc: |\n  one  \n\n\n  \ttwo\na: 1\n",
                "doc: >\n  one\n\n\n  two\na: 1\n",
                "doc: |+\n  one\n\n\na: 1\n",
                "doc: |+\n  one\n\n\n",
                "a: 1\ndoc: |\n  one",
                'doc: "one\n\n\n  two"\n',
                "doc: one\n\n\n  two\n",
                "doc: one\u00a0\n",
                # What ends a line in YAML alone.
                'doc: "one\u2028 two"\na:   1\n',
            )
        ],
        ("a:\n    doc: |\n      one\n        \n      two\n", "a:\n  doc: |\n    one\n      \n    two\n"),
        ("doc: |\n  one\n\n\na: 1\n", "doc: |\n  one\n\na: 1\n"),
        # Spaces.
        ("a: {b:   1 ,c: [ 1,2 ,3 ] }\n", "a: {b: 1, c: [1, 2, 3]}\n"),
        ("a:    1\n", "a: 1\n"),
        ("a: 1   \n\n\n\nb: 2\n\n", "a: 1\n\nb: 2\n"),
        ("a: 1\r\nb: 2\r\n", "a: 1\nb: 2\n"),
        ("a: 1\rb:   2\r", "a: 1\nb: 2\n"),
        ('{"a": {"b":1},\n"c":["d"]}\n', "{a: {b: 1},\nc: [d]}\n"),
        # Columns that a person has aligned stay.
        (ALIGNED, ALIGNED),
        # Comments keep their text and their place.
        ("a: 1    # one\nbb: 2   # two\n", "a: 1    # one\nbb: 2   # two\n"),
        ("a: {b: 1}  # {x:1 ,y}\n", "a: {b: 1}  # {x:1 ,y}\n"),
        # Braces and names that say nothing.
        ("body: [{conv: {filters: 8}}, {relu: }]\n", "body: [conv: 8, relu: ]\n"),
        ("body:\n  - {conv: {filters: 8}}\n", "body:\n  - conv: 8\n"),
        ("body: [{conv: {filters: 8}, as: a}]\n", "body: [{conv: 8, as: a}]\n"),
        ("body: [conv: {filters: 8, kernel: 3}]\n", "body: [conv: {filters: 8, kernel: 3}]\n"),
        (
            "body:\n  - conv: {filters: 8}\n  - conv: {filters: 8 # eight\n    }\n",
            "body:\n  - conv: 8\n  - conv: {filters: 8 # eight\n    }\n",
        ),
        # A switch is clearer by its name.
        ("body: [gelu: {approximate: true}]\n", "body: [gelu: {approximate: true}]\n"),
        # A block of the file's own may have another first parameter than the op of its name.
        (
            "blocks: {conv: {params: {kernel: 3, filters: 8}, body: [relu]}}\nbody: [conv: {filters: 8}]\n",
            "blocks: {conv: {params: {kernel: 3, filters: 8}, body: [relu]}}\nbody: [conv: {filters: 8}]\n",
        ),
        # Quotes that are not needed.
        ("a: \"=width * 2\"\nb: 'relu'\n", "a: =width * 2\nb: relu\n"),
        (QUOTED, QUOTED),
    ],
)
def test_the_form(before, after):
    assert form(before) == after


@pytest.mark.fast(30)
@pytest.mark.parametrize("path", sorted(SPECS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_the_catalogue_is_written_in_it(path):
    assert form(path.read_text(encoding="utf-8")) == path.read_text(encoding="utf-8")


def disturbed(text, draw):
    """The text with more and other spaces where they mean nothing."""
    out = []
    for line in text.splitlines():
        code, sign, comment = line.partition(" #")
        if "'" not in code and '"' not in code:
            code = re.sub(r"(?<=[{\[])|(?=[}\]])", lambda _: " " * draw.randrange(3), code)
            code = re.sub(r",", lambda _: " " * draw.randrange(2) + "," + " " * draw.randrange(3), code)
            code = re.sub(r"(?<=\w): (?=\S)", lambda _: ":" + " " * draw.randrange(1, 4), code)
        out += [code + sign + comment + " " * draw.randrange(3), *[""] * (draw.random() < 0.1)]
    return "\n".join(out)


@pytest.mark.fast(20)
@pytest.mark.parametrize("path", sorted(SPECS.glob("*/*.yaml")), ids=lambda path: path.stem)
def test_a_disturbed_file_says_the_same_and_keeps_its_comments(path):
    text = disturbed(path.read_text(encoding="utf-8"), random.Random(path.stem))
    out = form(text)
    assert read(Source("", out)) == read(Source("", text))
    comments = [re.findall(r"(?:^|\s)#\s.*?$", t.rstrip(), re.MULTILINE) for t in (out, text)]
    assert [c.strip() for c in comments[0]] == [c.strip() for c in comments[1]]


def network(text):
    graph = loads(text, neighbours=False)
    return graph.inputs, [(node.name, node.op, node.inputs, node.weights) for node in graph.nodes]


@pytest.mark.parametrize("seed", range(20))
def test_a_generated_spec_is_the_same_network(seed):
    tree = yaml.safe_load(generate(random.Random(seed)).text)
    for flow in (None, False, True):
        text = yaml.safe_dump(tree, default_flow_style=flow, sort_keys=False, width=100 + seed)
        assert network(form(text)) == network(text)


def test_what_cannot_be_read_is_refused():
    with pytest.raises(SpecError):
        form("a: [1\n")
