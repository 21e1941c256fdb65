"""Spec files with mistakes in them: bytes changed at random, parts of the tree changed, one fault in a good spec."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import re
from collections.abc import Iterator
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import yaml

import archspec
from archspec.frontend import loads
from archspec.frontend.reading import read_source
from archspec.ir.diagnostics import MAX_DIAGNOSTICS, SpecError
from archspec.ir.graph import Graph
from archspec.ops.base import Op
from tests.frontend.generator import Plain, generate

SPECS = Path(__file__).parents[2] / "specs"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_LAYERS = 500
WORD = re.compile(rb"[A-Za-z0-9_.]+")
TOKENS = (
    "=", "=prev.channels", "[", "]", "{", "}", ": ", "- ", ", ", "#", "'", '"', "&a ", "*a", "!!str ", "<<: ", "|\n",
    ">\n", "null", "true", "no", "0", "-1", "2.5", "1e999", "010", "0x10", "9007199254740993", "100000000", ".nan",
    "\t", "\r\n", "\x00", "\x1b[31m", "\u202e", "\ufeff", "\u2028", "\xa0", "\xe9", "\U0001f600", "%YAML 1.1\n",
    "---\n",
    "...\n", "prev", "input", "c[i]", "=9**9**9", "=(((((1)))))", "repeat: 100000", "as: a", "from: a", "merge: add",
    "when: false", "each: 3", "residual: ", "branches: ", "do: ", "concat: ", "conv: ", "use: ",
)  # fmt: skip


class Outcome(NamedTuple):
    """How far a text came (``yaml``, ``document``, ``graph``, or ``steps`` for a mistake in them), and its seconds."""

    stage: str
    seconds: float
    graph: Graph | None
    codes: tuple[str, ...]


def corpus(generated: int = 60) -> list[bytes]:
    """Texts to start from: the catalogue's files and generated ones."""
    texts = [path.read_bytes() for path in sorted(SPECS.glob("*/*.yaml"))]
    texts += [generate(random.Random(seed)).text.encode() for seed in range(generated)]
    # Modules and models are loaded here, so that no changed file's time holds theirs.
    loads(texts[0].decode(), neighbours=False)
    return texts


def outcome(data: bytes, scratch: Path) -> Outcome:
    """What becomes of a file of these bytes. Whatever is raised but SpecError is a defect and passes through."""
    scratch.write_bytes(data)
    start = process_time()
    try:
        graph = loads(read_source(scratch, "spec.yaml").text, max_layers=MAX_LAYERS, neighbours=False)
        return Outcome("graph", process_time() - start, graph, ())
    except SpecError as error:
        seconds = process_time() - start
        return Outcome(_stage(error), seconds, None, tuple(d.code for d in _located(error)))


def _located(error: SpecError) -> tuple[Any, ...]:
    """The diagnostics of an error, each with its place and a short message. Raises AssertionError."""
    assert 1 <= len(error.diagnostics) <= MAX_DIAGNOSTICS
    for d in error.diagnostics:
        assert d.span.line >= 1 and d.span.column >= 1 and d.message and len(d.render()) < 8192, d
        assert all(line.isprintable() for line in d.render().splitlines()), d
        d.record()
    return error.diagnostics


VALIDATION = ("S01", "S02", "S03", "V01")


def _stage(error: SpecError) -> str:
    codes = {d.code for d in error.diagnostics}
    if any(code[0] == "Y" for code in codes):
        return "yaml"
    return "document" if codes <= {*VALIDATION, "N02"} and codes & {*VALIDATION} else "steps"


# -- bytes -------------------------------------------------------------------------------------------------------------


def mutated_bytes(rng: random.Random, texts: list[bytes]) -> bytes:
    """A text with a few changes: bytes flipped, parts cut, doubled or moved, tokens put in, words exchanged."""
    data = bytearray(rng.choice(texts))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(10):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                del data[at : at + rng.choice((1, 1, 2, 5, 30))]
            case 2:
                data[at:at] = rng.choice(TOKENS).encode("utf-8", "surrogatepass")
            case 3:
                data[at:at] = data[at : at + rng.choice((1, 5, 40, 200))]
            case 4:
                lines = data.split(b"\n")
                i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
                lines[i], lines[j] = lines[j], lines[i]
                data = bytearray(b"\n").join(lines)
            case 5:
                lines = data.split(b"\n")
                del lines[rng.randrange(len(lines))]
                data = bytearray(b"\n").join(lines)
            case 6:
                other = rng.choice(texts)
                begin = rng.randrange(len(other) + 1)
                data[at:at] = other[begin : begin + rng.choice((3, 20, 100))]
            case 7 | 8:
                _exchange(rng, data)
            case _:
                data[at : at + 1] = bytes([rng.randrange(256)])
    return bytes(data)


def _exchange(rng: random.Random, data: bytearray) -> None:
    """A word or number of the text in place of another."""
    words = list(_words(data))
    if len(words) > 1:
        (a, b), (c, d) = rng.sample(words, 2)
        new = data[c:d] if rng.random() < 0.6 else rng.choice(TOKENS).encode()
        data[a:b] = new


def _words(data: bytearray) -> Iterator[tuple[int, int]]:
    return (match.span() for match in WORD.finditer(bytes(data)))


# -- trees -------------------------------------------------------------------------------------------------------------

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 2.5, 10**9, 2**53, 2**31, -(2**31), 1e-9, 1e300, "", " ", "=", "=prev",
    "=prev.channels", "=input", "=9**9**9", "=1/0", "prev", "input", "same", "valid", "none", "auto", "relu", "conv",
    "add", "a[0]", "a.b.c", "\u202eevil", "x\x1b[2Jy", "=cmd|' /C calc'!A0", "<script>alert(1)</script>",
    "|pipe|`tick`", "\xe9" * 50, "a" * 5000, "\n\n", [], {}, [[]], [[[[1]]]], {"a": 1}, {"conv": 3}, ["relu"], [None],
    list(range(300)), {"as": "a"}, "=[1, 2, 3]",
)  # fmt: skip


def mutated_tree(rng: random.Random, texts: list[bytes]) -> str:
    """A text whose tree has a few changes: values exchanged, keys renamed, parts doubled, moved or cut, deep nests."""
    tree = yaml.load(rng.choice(texts), LOADER)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(tree))
        if not 0 < len(places) < 5_000:
            break
        _change(rng, places)
    return yaml.dump(tree, Dumper=Plain, sort_keys=False)


def _change(rng: random.Random, places: list[tuple[Any, Any]]) -> None:
    (container, key), (other, there) = rng.choice(places), rng.choice(places)
    old, new = container[key], deepcopy(rng.choice(VALUES))
    match rng.randrange(9):
        case 0 | 1 | 2:
            container[key] = new
        case 3:
            container[key] = deepcopy(other[there])
        case 4 if isinstance(container, dict):
            name = there if isinstance(there, str) and rng.random() < 0.6 else rng.choice(TOKENS)
            container[name] = container.pop(key)
        case 5 if isinstance(container, list):
            container.insert(rng.randrange(len(container) + 1), rng.choice((deepcopy(old), new)))
        case 5:
            container[rng.choice(("as", "from", "when", "repeat", "each", "merge", "bias", "x"))] = new
        case 6:
            del container[key]
        case 7:
            for _ in range(rng.choice((1, 2, 60))):
                old = rng.choice(([old], {"do": [old]}, {"a": old}, {"residual": [old]}))
            container[key] = old
        case _ if isinstance(old, (int, float)):
            container[key] = rng.choice((0, -1, 1, old * 2, old + 1, old + 0.5))


def _places(tree: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Every container and key of a tree."""
    if depth > 100:
        return
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(items):
        yield tree, key
        yield from _places(value, depth + 1)


# -- one fault ---------------------------------------------------------------------------------------------------------


def faulty(rng: random.Random) -> str:
    """A generated spec with one change that a person might make: a number, a word, an op, a reference, a step."""
    tree = yaml.load(generate(rng).text, LOADER)
    places = [
        p for part in ("body", "blocks", "networks", "heads", "params", "inputs") for p in _places(tree.get(part))
    ]
    ops = [op.name for op in Op.all()]
    while True:
        container, key = rng.choice(places)
        old = container[key]
        match rng.randrange(6):
            case 0 | 1 if type(old) is int:
                container[key] = rng.choice((0, -1, 1, 2, 3, old + 1, old * 2, old + 0.5))
            case 2 if isinstance(old, str) and isinstance(container, list):
                container[key] = rng.choice(ops)
            case 2 if isinstance(container, dict) and key in ops:
                container[rng.choice(ops)] = container.pop(key)
            case 3 if isinstance(container, dict) and key in ("from", "merge", "padding", "mode", "axis", "stride"):
                container[key] = rng.choice(
                    ("add", "concat", "subtract", "valid", "same", "reflect", "bilinear", 0, 1, 2)
                )
            case 4 if isinstance(container, list) and len(container) > 1:
                del container[key]
            case 5 if isinstance(container, list):
                other = rng.randrange(len(container))
                container[key], container[other] = container[other], old
            case _:
                continue
        return yaml.dump(tree, Dumper=Plain, sort_keys=False)


# -- what is written ---------------------------------------------------------------------------------------------------


def written_and_read(graph: Graph) -> None:
    """Every form of a graph's table, read again. Raises AssertionError, or what a reader raises."""
    table, names = archspec.table(graph, training=True), [n.name for n in graph.with_training().nodes]
    found = json.loads(table.render("json"))
    assert [n["name"] for n in found["nodes"]] == names
    rows = list(csv.DictReader(io.StringIO(table.render("csv"))))
    assert [row["name"] for row in rows] == names
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())
    lines = [line for line in table.render("markdown").splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {8}
    Balanced().check(table.render("html"))
    assert all(line.isprintable() for line in table.render(width=100).splitlines())


class Balanced(HTMLParser):
    """Reads HTML whose every element is closed, and in which nothing runs."""

    def check(self, text: str) -> None:
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag in ("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "br"), tag
        assert all(name == "style" or name == "colspan" for name, _ in attrs), attrs
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


MOST_PARAMS = 3_000_000
MOST_ELEMENTS = 2_000_000


def verdict(text: str) -> tuple[str, str | None]:
    """What archspec says of a spec (``refused``, ``large`` or ``built``), and what Keras says against it."""
    try:
        graph = loads(text, max_layers=MAX_LAYERS, neighbours=False)
    except SpecError as error:
        _located(error)
        return "refused", None
    sizes = [math.prod(n or 1 for n in o.shape) for node in graph.nodes for o in node.outputs]
    if max(sizes, default=0) > MOST_ELEMENTS or sum(node.params for node in graph.nodes) > MOST_PARAMS:
        return "large", None
    from tests.frontend.equality import differences

    try:
        return "built", "\n".join(differences(graph)) or None
    except Exception as error:
        return "built", f"archspec takes it, Keras does not: {type(error).__name__}: {error}"
