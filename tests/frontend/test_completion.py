"""What may be written at a place, and that no text, however broken, is too much for what editors ask."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from archspec.cli._lsp.open_text import hover, read
from archspec.cli._lsp.places import Places
from archspec.frontend import analyse
from archspec.frontend.completion import completions
from archspec.frontend.layout import formatted
from archspec.ir.diagnostics import Source, SpecError

ROOT = Path(__file__).parents[2]
SMALL = [p for p in sorted((ROOT / "specs").glob("*/*.yaml")) if p.stat().st_size < 2500]
HEAD = """\
archspec: 1
name: net
params: {width: 16}
inputs: {image: [32, 32, 3]}
blocks:
  own:
    params: {many: int}
    body: [conv: =many]
"""


def words(text: str) -> set[str]:
    return {
        c.word for c in completions(text, len(text), analyse("net", data=(HEAD + "body: [relu]\n").encode()).symbols)
    }


@pytest.mark.parametrize(
    "text, there, absent",
    [
        ("body:\n  - ", {"conv", "own", "conv_bn", "residual"}, {"filters", "width"}),
        ("body:\n  - con", {"conv", "own"}, {"filters"}),
        ("body: [relu, ", {"conv", "own"}, {"filters"}),
        ("body:\n  - conv: {", {"filters", "padding"}, {"conv", "own"}),
        ("body:\n  - conv: {filters: 3, pad", {"filters", "padding"}, {"conv"}),
        ("body:\n  - conv:\n      ", {"filters", "padding"}, {"own"}),
        ("body:\n  - conv:\n      filters: 3\n      ", {"padding"}, {"own"}),
        ("body:\n  - conv_bn: {", {"filters", "act"}, {"own"}),
        ("body:\n  - own: {", {"many"}, {"filters"}),
        ("body:\n  - conv: {padding: ", {"same", "valid"}, {"filters", "conv"}),
        ("body:\n  - conv: {bias: ", {"true", "false"}, {"filters"}),
        ("body:\n  - conv: {activation: ", {"relu", "gelu"}, {"filters", "conv"}),
        ("body:\n  - activation: ", {"relu", "gelu"}, {"conv"}),
        ("body:\n  - conv: {kernel_initializer: ", {"he_normal"}, {"relu"}),
        ("body:\n  - dense: =", {"width", "image"}, {"conv"}),
        ("body:\n  - {relu, from: ", {"image"}, {"conv"}),
        ("body:\n  - conv: {filters: =width, ", {"padding"}, {"width"}),
        ("body:\n  - conv: {filters: =width, kernel: =", {"width"}, {"padding"}),
        ("body:\n  - conv: {filters: =max(1, ", {"width"}, {"padding"}),
        ("body:\n  - residual: [", {"conv", "own"}, {"filters"}),
        ("heads:\n  main: {loss: ", {"mse"}, {"conv"}),
        ("heads:\n  main: {", {"body", "loss", "metrics", "from"}, {"conv"}),
        ("", {"body", "heads", "variants"}, {"conv"}),
    ],
)
def test_what_may_stand_there(text, there, absent):
    found = words(HEAD + text)
    assert there <= found and not absent & found


@pytest.mark.parametrize("text", ["body: [relu] # con", 'name: "con'])
def test_nothing_is_proposed_in_comments_and_open_quotes(text):
    assert words(HEAD + text) == set()


def test_broken_texts_are_answered():
    """Cuts and insertions at random places of small specs of the catalogue."""
    random_numbers = random.Random(7)
    pieces = [
        "{",
        "[",
        "]",
        "}",
        ": ",
        "- ",
        "\n",
        "\r\n",
        "=",
        "'",
        '"',
        "#",
        "&a ",
        "*a",
        "\t",
        "𝔸",
        "\x00",
        "\ud800",
        "|",
    ]
    for _ in range(60):
        path = random_numbers.choice(SMALL)
        text = path.read_text(encoding="utf-8")
        for _ in range(random_numbers.randint(1, 3)):
            at = random_numbers.randrange(len(text))
            if random_numbers.random() < 0.5:
                text = text[:at] + text[at + random_numbers.randint(1, 40) :]
            else:
                text = text[:at] + random_numbers.choice(pieces) + text[at:]
        places = Places(text)
        known = read(path, places)
        assert all(0 <= known.reach(known.span(d))[0] <= len(text) for d in known.findings)
        at = random_numbers.randrange(len(text) + 1)
        completions(text, at, known.symbols)
        hover(known, *places.place(at))
        try:
            formatted(Source("net.yaml", text))
        except SpecError:
            assert known.findings


def test_places_are_counted_as_editors_do():
    text = "a𝔸b\r\nc\rd\x85e\n"
    places = Places(text)
    assert places.position(text.index("b")) == (0, 3)
    assert places.position(text.index("e")) == (2, 2) and places.place(text.index("e")) == (4, 1)
    assert [places.offset_at(*places.position(i)) for i in range(4)] == [0, 1, 2, 3]
    assert places.offset_at(0, 2) == 1, "within a pair is before it"
    assert places.offset_at(0, 99) == 3 and places.offset_at(9, 0) == len(text)
    assert Places(text, "utf-8").position(2) == (0, 5) and Places(text, "utf-32").position(2) == (0, 2)
