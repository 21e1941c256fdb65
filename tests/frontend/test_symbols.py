"""Names of a text with their places: whoever renames all that are found has the same network."""

from pathlib import Path

import pytest

from archspec.frontend import loads
from archspec.frontend.document import document
from archspec.frontend.symbol_reader import symbols_of
from archspec.ir.diagnostics import Source
from tests.wording import refuses

ROOT = Path(__file__).parents[2]
CATALOGUE = sorted(p for p in (ROOT / "specs").glob("*/*.yaml") if "archspec_run" not in p.read_text())


def written(spans, names):
    """The text with a new name at each place; every place holds the old one, and is found once."""
    lines = spans[0][1].source.text.split("\n")
    assert len({(s.line, s.column) for _, s in spans}) == len(spans)
    for symbol, span in sorted(spans, key=lambda pair: (pair[1].line, -pair[1].column)):
        line, start = lines[span.line - 1], span.column - 1
        assert line[start : start + span.length] == symbol.name, (span, symbol.name)
        lines[span.line - 1] = line[:start] + names[id(symbol)] + line[start + span.length :]
    return "\n".join(lines)


def shape(graph):
    """A network without its names: ops with their arguments, what each takes, what it gives; heads and training."""
    place = {name: ("input", i) for i, name in enumerate(graph.inputs)}
    place |= {node.name: ("node", i) for i, node in enumerate(graph.nodes)}
    layers: dict[str, int] = {}
    nodes = [
        (n.op, [(place[t.node], t.port) for t in n.inputs], n.outputs, layers.setdefault(n.layer, len(layers)))
        for n in graph.nodes
    ]
    heads = [(place[o.tensor.node], o.tensor.port, o.loss, o.weight, o.metrics) for o in graph.outputs]
    training = graph.training
    steps = (
        None
        if training is None
        else [(len(s.update), s.turns if isinstance(s.turns, int) else None, len(s.minimize)) for s in training.steps]
    )
    return nodes, heads, None if training is None else (shape(training.body), steps, len(training.averages))


@pytest.mark.fast(20)
@pytest.mark.parametrize("path", CATALOGUE, ids=lambda p: p.stem)
def test_all_names_of_the_catalogue_can_be_renamed(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    text = path.read_text(encoding="utf-8")
    found = document(Source(path.name, text))
    symbols = [symbol for symbol in symbols_of(found) if not symbol.is_shared]
    # Ops keep their names: a block of the same name as one would leave the op where a place is missed.
    names = {id(symbol): f"q{i}_{symbol.kind[0]}" for i, symbol in enumerate(symbols)}
    renamed = written([(symbol, span) for symbol in symbols for span in symbol.places], names)
    variant = next(iter(found.spec.variants), None)
    assert shape(loads(renamed, path.name, variant=variant)) == shape(loads(text, path.name, variant=variant))


SPEC = """\
archspec: 1
name: small
params: {width: 8, cell: {type: block, default: unit}}
inputs: {image: [8, 8, 3]}
blocks:
  unit:
    params: {filters: =width}
    inputs: {x: [H, W, C]}
    body:
      - {conv: {filters: =filters, kernel: 3}, from: x, as: inner}
      - relu
body:
  - {unit: =width * 2, as: first}
  - {do: [{cell: {filters: =width // 2}, as: "later[k]"}], repeat: {k: "=range(2)"}}
  - {add: {}, from: [first.inner, first], as: both}
heads:
  main: {from: both, body: [flatten, dense: =width]}
"""


def spot(before, text=SPEC):
    """Line and column behind a part of the text."""
    end = text.index(before) + len(before)
    return text.count("\n", 0, end) + 1, end - text.rfind("\n", 0, end)


def places(symbol):
    return [(s.line, s.column) for s in symbol.places]


def test_a_name_has_its_places_kind_shape_and_cost():
    from archspec.frontend import analyse

    analysis = analyse("small.yaml", data=SPEC.encode())
    assert not analysis.errors, analysis.errors
    symbols = analysis.symbols
    width = symbols.at(*spot("{unit: =wi"))
    assert (width.name, width.kind, width.is_shared) == ("width", "parameter", False)
    used = ["params: {", "params: {filters: =", "{unit: =", "{cell: {filters: =", "dense: ="]
    assert places(width) == [spot(before) for before in used]
    assert symbols.at(*spot("{unit: =width")) is None
    first = symbols.at(*spot("=width * 2, as: fir"))
    assert (first.name, first.kind) == ("first", "step")
    assert places(first) == [spot("=width * 2, as: "), spot("from: ["), spot("first.inner, ")]
    assert str(first.spec) == "(8, 8, 16)" and sum(c.macs for c in first.cost) == 8 * 8 * 9 * 3 * 16
    inner = symbols.at(*spot("[first.in"))
    assert (inner.name, places(inner)) == ("inner", [spot("from: x, as: "), spot("[first.")])
    assert [s.name for s in symbols if s.kind == "block"] == ["unit"]
    assert places(symbols.at(*spot("blocks:\n  un"))) == [spot("blocks:\n  "), spot("default: "), spot("body:\n  - {")]
    assert symbols.at(*spot("later[")).definition.column == spot("repeat: {")[1]
    assert symbols.at(*spot("inputs: {im")).spec.shape == (8, 8, 3)
    assert [n.op.name for n in symbols.nodes_at(*spot("body: [fl"))] == ["flatten"]


def test_one_name_is_renamed_and_what_only_looks_like_it_is_not():
    symbols = symbols_of(document(Source("small.yaml", SPEC)))
    renamed = symbols.rename(symbols.at(*spot("{unit: =wi")), "wide")
    assert renamed == SPEC.replace("width", "wide") and shape(loads(renamed)) == shape(loads(SPEC))
    other = symbols.rename(symbols.at(*spot("first.inner, ")), "conv")
    assert "as: conv}" in other and "[conv.inner, conv]" in other and "{conv: {filters: =filters" in other
    # The block is an argument of the spec: whoever gives another goes by the names of its parameters.
    with refuses(ValueError):
        symbols.rename(symbols.at(*spot("params: {fil")), "channels")


def test_a_text_with_a_mistake_has_the_shapes_before_it():
    from archspec.frontend import analyse

    analysis = analyse("small.yaml", data=SPEC.replace("{add: {}", "{ad: {}").encode())
    assert analysis.errors and analysis.graph is None
    symbols = analysis.symbols
    first = symbols.at(*spot("=width * 2, as: "))
    assert first.name == "first" and str(first.spec) == "(8, 8, 16)" and len(first.places) == 3
    assert len(analyse("small.yaml", data=b"archspec: 1\nname: [\n").symbols) == 0
