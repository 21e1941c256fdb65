"""The YAML profile: what a scalar means, what is refused, and that a place is kept for everything."""

from __future__ import annotations

import json

import pytest
import yaml

from archspec.frontend.yaml_source import Map, Seq, read, span
from archspec.ir.diagnostics import Source, SpecError
from tests.wording import told


def value(text: str):
    return read(Source("a.yaml", text))


def refused(text: str):
    with pytest.raises(SpecError) as error:
        value(text)
    (diagnostic,) = error.value.diagnostics
    return diagnostic


# What is written, and what it means: YAML 1.2's core schema.
MEANINGS = {
    "no": "no",
    "off": "off",
    "on": "on",
    "NO": "NO",
    "yes": "yes",
    "y": "y",
    "true": True,
    "false": False,
    "null": None,
    "": None,
    "1e-3": 0.001,
    "1E3": 1000.0,
    "1.": 1.0,
    ".5": 0.5,
    "-0.0": -0.0,
    "+3": 3,
    "-7": -7,
    "0": 0,
    "1:30": "1:30",
    "12_000": "12_000",
    "2024-01-01": "2024-01-01",
    "1.2.3": "1.2.3",
    "0xZZ": "0xZZ",
    "1e": "1e",
    "'10'": "10",
    '"true"': "true",
    '"0x1F"': "0x1F",
    "=a + b": "=a + b",
    "a b": "a b",
    "9007199254740992": 2**53,
    "-": None,
    "nan": "nan",
    "inf": "inf",
}


@pytest.mark.parametrize("written", MEANINGS)
def test_scalar(written):
    if written == "-":
        assert value("- ") == [None]
        return
    found = value(f"k: {written}")["k"]
    assert found == MEANINGS[written] and type(found) is type(MEANINGS[written])


REFUSED = {
    "010": ("Y05", "write 10"),
    "-007": ("Y05", "write 7"),
    "00": ("Y05", "write 0"),
    "0x1F": ("Y05", "write 31"),
    "0o17": ("Y05", "write 15"),
    "0b11": ("Y05", "write 3"),
    "True": ("Y05", "write true"),
    "FALSE": ("Y05", "write false"),
    "Null": ("Y05", "write null"),
    "~": ("Y05", "write null"),
    ".inf": ("Y05", "write a finite number"),
    "-.INF": ("Y05", "write a finite number"),
    ".nan": ("Y05", "write a finite number"),
    "1e999": ("Y05", None),
    "9007199254740993": ("Y05", None),
    "&a 3": ("Y03", "a name stands alone: a; for reuse there are params and blocks"),
    "*a": ("Y03", "a name stands alone: a; for reuse there are params and blocks"),
    "!!int 3": ("Y04", None),
    "!mine 3": ("Y04", None),
}


@pytest.mark.parametrize("written", REFUSED)
def test_refused_scalar(written):
    found = refused(f"k: {written}")
    assert (found.code, found.help) == REFUSED[written]
    assert (found.span.line, found.span.column) == (1, 4)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", "Y02", (3, 1)),
        ("{a: 1, a: 2}", "Y02", (1, 8)),
        ("<<: {a: 1}", "Y03", (1, 1)),
        ("=: 3", "Y05", (1, 1)),
        ("1: a", "Y09", (1, 1)),
        ("true: a", "Y09", (1, 1)),
        ("[a]: b", "Y09", (1, 1)),
        ("a: 1\n---\nb: 2\n", "Y08", (2, 1)),
        ("", "Y08", (1, 1)),
        ("# only this\n", "Y08", (1, 1)),
        ("%YAML 1.2\n---\na: 1\n", "Y04", (1, 1)),
        ("a: [1, 2\n", "Y01", (1, 4)),
        ("a:\n\t- b\n", "Y01", (2, 1)),
        ("a: b: c\n", "Y01", (1, 4)),
        ("a: \x01\n", "Y01", (1, 4)),
        ("a: " + "[" * 70 + "]" * 70, "Y07", (1, 67)),
        ("a: " + "b" * 65_537, "Y07", (1, 4)),
        ("a: {n: =min(b, c), m: 1}", "Y06", (1, 8)),
        ("a: '=b)('", "Y06", (1, 4)),
    ],
)
def test_refused_text(text, code, place):
    found = refused(text)
    assert (found.code, (found.span.line, found.span.column)) == (code, place)


def test_duplicate_key_names_the_first_place():
    told(refused("a: 1\nb: 2\na: 3\n").message)


def test_places():
    tree = value("a: 1\nbody:\n  - conv: {filters: 8}\n  - [relu, 'x y']\n")
    assert isinstance(tree, Map) and isinstance(tree["body"], Seq)
    assert (tree.key_span("body").line, tree.key_span("body").column, tree.key_span("body").length) == (2, 1, 4)
    conv = tree["body"][0]
    assert (span(conv).line, span(conv).column) == (3, 5)
    filters = conv["conv"].value_span("filters")
    assert (filters.line, filters.column, filters.length) == (3, 21, 1)
    quoted = tree["body"][1].value_span(1)
    assert (quoted.line, quoted.column, quoted.length) == (4, 12, 5)


def test_byte_order_mark_is_not_part_of_the_first_key(tmp_path):
    from archspec.frontend.reading import read_source

    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\r\nb: 2\r\n")
    assert read(read_source(path, "a.yaml")) == {"a": "é", "b": 2}


@pytest.mark.parametrize(
    "text",
    [
        "a: |\n  x\n   y\n",
        "a: >\n  x\n  y\n\n  z\n",
        "a: |+\n  x\n\n",
        "a: 'it''s'",
        'a: "\\u00e9\\n\\t\\x41"',
        "a: b c\n  d\n",
        "{a: [1, {b: c}], d: e}",
        "- - a\n  - b\n- c\n",
        "? a\n: b\n",
        "a:\n- b\n- c\n",
        '{"a": [1, 2.5, true, null, "x"]}',
    ],
)
def test_what_is_read_is_what_pyyaml_reads(text):
    """Where YAML 1.1 and 1.2 agree, so do we with a parser that nobody here wrote."""
    found = value(text)
    assert found == yaml.safe_load(text)
    assert json.loads(json.dumps(found)) == found
