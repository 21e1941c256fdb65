"""Calls that are copied and arguments that are known give the graphs and mistakes that all made anew gives."""

from __future__ import annotations

import random
from typing import Any

import pytest

from archspec.frontend import analyse, catalogue, load, loads, reuse
from archspec.frontend.files import Library
from archspec.frontend.recurring import ArgumentReads
from archspec.frontend.reuse import BlockCall
from archspec.ir.diagnostics import SpecError
from archspec.ir.graph import Graph
from tests.frontend.generator import generate
from tests.frontend.mutation import corpus, mutated_tree

FEW = ("resnet50", "densenet121", "googlenet", "mobilenet_v2", "shufflenet_v2_x1_0", "retinanet", "unet", "cyclegan")


def said(graph: Graph) -> Any:
    """All that a graph holds, as plain values."""
    nodes = [
        (n.name, n.layer, repr(n.op), n.inputs, n.input_specs, n.outputs, n.weights, str(n.span)) for n in graph.nodes
    ]
    outputs = [(o.name, o.tensor, repr(o.loss), o.weight, o.train_only) for o in graph.outputs]
    return graph.inputs, nodes, outputs, {name: said(network) for name, network in graph.networks.items()}


@pytest.fixture
def copies(monkeypatch) -> list[str]:
    """The paths of calls that were copied, as they come."""
    found: list[str] = []
    again = BlockCall.again

    def counted(call: BlockCall) -> Any:
        result = again(call)
        if result is not None:
            found.append(call.path)
        return result

    monkeypatch.setattr(BlockCall, "again", counted)
    return found


def anew(monkeypatch, make, *args: Any, **kwargs: Any) -> Any:
    """What ``make`` gives where no call is copied, and no arguments are known."""
    with monkeypatch.context() as patched:
        patched.setattr(BlockCall, "again", lambda call: None)
        patched.setattr(ArgumentReads, "key", lambda reads, place, file: None)
        return make(*args, **kwargs)


@pytest.mark.parametrize("name", FEW)
def test_well_known_networks(name, copies, monkeypatch):
    assert said(load(name)) == said(anew(monkeypatch, load, name))


def test_most_of_a_deep_network_is_copied(copies):
    graph = load("resnet152")
    assert len(copies) > 40 and len(graph.nodes) > 500


@pytest.mark.slow
def test_the_whole_catalogue(copies, monkeypatch):
    compared = 0
    for name in catalogue.names():
        try:
            graph = load(name)
        except SpecError:
            continue  # A family without a variant.
        assert said(graph) == said(anew(monkeypatch, load, name)), name
        compared += 1
    assert compared > 150 and len(copies) > 2000


@pytest.mark.parametrize("count", [150, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.long])])
def test_random_specs(count, copies, monkeypatch):
    for seed in range(count):
        text = generate(random.Random(seed)).text
        assert said(loads(text, neighbours=False)) == said(anew(monkeypatch, loads, text, neighbours=False)), text
    assert len(copies) > count / 30


HEAD = "archspec: 1\nname: n\ninputs: {image: [8, 8, 4]}\n"
ODD = {
    # The same block, whose inputs are one tensor at first and two later.
    "inputs that are one tensor and two": """
blocks:
  two: {inputs: {a: , b: }, body: [{concat: [a, b]}, {conv: 4}]}
body:
  - {conv: 4, as: x}
  - {two: , from: [x, x], as: y}
  - {two: , from: [x, y], as: z}
  - {two: , from: [y, x]}
""",
    # A block that takes a named step of the block before it.
    "a port of an input": """
blocks:
  stem: {body: [{conv: 4, as: early}, {conv: 4}]}
  skip: {body: [{conv: 4, as: out}, {add: [out, input.early]}]}
body: [{stem: , as: s}, skip, {stem: , as: t}, {skip: , from: s}, {skip: , from: t}]
""",
    # Named steps of copied calls, from outside.
    "ports of copies": """
blocks:
  pair: {body: [{conv: 4, as: first}, {do: [relu, {conv: 4, as: inner}]}, relu]}
body:
  - {pair: , as: "p[0]"}
  - {pair: , as: "p[1]"}
  - {pair: , as: "p[2]"}
  - {add: ["p[0].first", "p[1].inner", "p[2].first", "p[2]"]}
""",
    # Arguments that are blocks, and equal numbers of another kind.
    "arguments that are blocks": """
blocks:
  a: {params: {n: 4}, body: [conv: =n]}
  b: {params: {n: 4}, body: [{conv: {filters: =n, kernel: 3}}]}
  twice: {params: {what: block}, body: [what, relu, what]}
body: [{twice: a}, {twice: b}, {twice: a}, {twice: b}, {twice: a}]
""",
    # A network is one set of weights, however often it is called and from where.
    "networks within blocks": """
blocks:
  call: {body: [tower, relu]}
  plain: {body: [conv: 4]}
networks:
  tower: {inputs: {image: [8, 8, 4]}, body: [plain, {conv: 4}]}
body: [call, call, plain, plain, {call: }]
""",
    # A block that gives back its input, and one that is given a bundle.
    "nothing done, and bundles": """
blocks:
  maybe: {params: {yes: bool}, body: [{conv: 4, when: =yes}]}
  join: {body: [concat, {conv: 4}]}
body:
  - {maybe: {yes: false}}
  - {maybe: {yes: false}}
  - {branches: [[conv: 4], [maybe: {yes: true}], [maybe: {yes: true}]]}
  - join
  - {branches: [[conv: 4], [maybe: {yes: false}], [relu]]}
  - join
""",
    # Steps of a loop within a block that look back.
    "loops that look back": """
blocks:
  dense_block:
    params: {n: 3}
    body:
      - {conv: 4, as: "h[0]"}
      - do: [{concat: ["h[i]", input]}, {conv: 4, as: "h[i + 1]"}]
        repeat: {i: =range(n)}
body: [dense_block, dense_block, {dense_block: 2}, dense_block]
""",
}


@pytest.mark.parametrize("case", ODD)
def test_odd_specs(case, copies, monkeypatch):
    text = HEAD + ODD[case].lstrip("\n")
    assert said(loads(text)) == said(anew(monkeypatch, loads, text))


def test_a_name_that_is_taken_is_said_where_a_copy_would_stand(monkeypatch):
    text = HEAD + 'blocks: {b: {body: [conv: 4]}}\nbody: [b, {conv: 4, as: "c"}, {b: , as: "x"}, {b: , as: "x"}]\n'
    with pytest.raises(SpecError) as one:
        loads(text)
    with pytest.raises(SpecError) as other:
        anew(monkeypatch, loads, text)
    assert str(one.value) == str(other.value) and "x" in str(one.value)


def test_limits_count_copies(monkeypatch):
    """A network that is too large is so with its copies, at the same place."""
    text = HEAD + "blocks: {b: {body: [{conv: 4, repeat: 10}]}}\nbody: [{b: , repeat: 100}]\n"
    with pytest.raises(SpecError) as one:
        loads(text, max_layers=500)
    with pytest.raises(SpecError) as other:
        anew(monkeypatch, loads, text, max_layers=500)
    assert str(one.value) == str(other.value) and "500" in str(one.value)


def told(text: str) -> Any:
    """What is said of a spec by those who look at the steps that made its nodes."""
    found = analyse("spec.yaml", data=text.encode())
    return [d.render() for d in found.diagnostics], [said(graph) for graph in found.graphs]


@pytest.mark.parametrize("case", ODD)
def test_warnings_are_those_of_calls_made_anew(case, monkeypatch):
    text = HEAD + ODD[case].lstrip("\n")
    assert told(text) == told_anew(text, monkeypatch)


def told_anew(text: str, monkeypatch) -> Any:
    return anew(monkeypatch, told, text)


DEAD = """
blocks:
  b: {params: {deep: false}, body: [{conv: 4, as: used}, {conv: 8, as: lost}, {conv: 4, from: used}]}
  skips:
    params: {on: bool}
    body: [{conv: 4, as: spared}, {conv: 4, from: input, as: kept}, {add: [spared, kept], when: =on}]
body: [b, b, {b: , as: z}, {skips: {on: false}}, {skips: {on: false}}]
"""


def test_a_step_that_is_lost_within_copies_is_told(copies, monkeypatch):
    text = HEAD + DEAD.lstrip("\n")
    lines, _ = told(text)
    assert len(copies) >= 3 and sum("W11" in line for line in lines) == 1 and "'lost'" in lines[-1] + lines[0]
    assert told(text) == told_anew(text, monkeypatch)


@pytest.mark.parametrize("count", [100])
def test_warnings_of_random_specs(count, copies, monkeypatch):
    for seed in range(count):
        text = generate(random.Random(f"told:{seed}")).text
        assert told(text) == told_anew(text, monkeypatch), text
    assert len(copies) > count / 30


def test_most_of_a_deep_network_is_copied_where_its_steps_are_kept(copies):
    analyse("resnet152")
    assert len(copies) > 40


FAMILY = """archspec: 1
name: n
params: {width: 4, deep: 2, act: relu, unit: {type: block, default: plain}, kernel: 1, unread: 0, wide: false}
inputs: {image: [8, 8, 4]}
defaults: {conv: {kernel: =kernel}}
blocks:
  plain: {params: {n: =width}, body: [{conv: =n}, {activation: =act}]}
  wider: {params: {n: =width}, body: [{plain: =n * 2}, {conv: "=n if not wide else width"}]}
  nested: {body: [unit, {conv_bn: {filters: =width, act: =act}, when: =wide}, {unit: =width + 1}]}
  inner: {params: {what: block}, body: [{what: 3}, {what: 3}]}
body: [nested, {repeat: =deep, do: [{nested: }, {inner: unit}]}, {inner: plain}]
"""
VALUES = {
    "width": (4, 6, 4.0),
    "deep": (1, 3),
    "act": ("relu", "tanh", {"leaky_relu": 0.1}),
    "unit": ("plain", "wider"),
    "kernel": (1, 3),
    "unread": (0, 1),
    "wide": (False, True),
}


def test_members_of_a_family_are_as_if_made_alone(tmp_path, copies, monkeypatch):
    """Whatever was made before in the process: all that a call has read is looked at, from wherever it is read."""
    path = tmp_path / "family.yaml"
    path.write_text(FAMILY, encoding="utf-8")
    draw = random.Random(5)
    for _ in range(120):
        given = {name: draw.choice(values) for name, values in VALUES.items() if draw.random() < 0.6}
        member = load(str(path), set=given)
        assert said(member) == said(anew(monkeypatch, load, str(path), set=given)), given
    assert len(copies) > 500


def test_members_of_a_published_family(copies, monkeypatch):
    draw = random.Random(7)
    for _ in range(40):
        given = {"depths": [draw.randint(1, 3) for _ in range(4)], "width": draw.choice((32, 64))}
        given |= {"groups": draw.choice((1, 4)), "stride_in_1x1": draw.random() < 0.5, "bias": draw.random() < 0.5}
        given |= {"unit": draw.choice(("basic", "bottleneck", "plain")), "output_stride": draw.choice((8, 32))}
        if given["unit"] != "bottleneck":
            del given["groups"]
        assert said(load("resnet", set=given)) == said(anew(monkeypatch, load, "resnet", set=given)), given
    assert len(copies) > 300


def test_a_member_after_another_copies_what_they_share(copies):
    load("resnet50", set={"classes": 11})
    copies.clear()
    graph = load("resnet50", set={"classes": 12})
    # Two ops stand outside of blocks: nothing else is made anew.
    assert len(copies) == 1 + 16 and len(graph.nodes) == 174


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "net.yaml"
    text = HEAD + "blocks: {b: {body: [conv: 4, relu]}}\nbody: [b, b]\n"
    path.write_text(text, encoding="utf-8")
    assert load(str(path)).nodes[-1].op.name == "relu"
    path.write_text(text.replace("relu", "tanh"), encoding="utf-8")
    assert load(str(path)).nodes[-1].op.name == "tanh"


def test_what_is_kept_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(reuse, "MOST_NODES", 40)
    path = tmp_path / "net.yaml"
    path.write_text(FAMILY, encoding="utf-8")
    for width in range(4, 40):
        graph = load(str(path), set={"width": width})
        assert said(graph) == said(anew(monkeypatch, load, str(path), set={"width": width}))
    document = Library().open(path, str(path))
    assert 0 < document.made_nodes <= 40


UNTAKEN = """
archspec: 1
name: net
params: {n: int}
inputs: {image: [8, 8, 4]}
blocks:
  unit: {params: {filters: int}, body: [{conv: =filters, as: a}, {conv: 4, from: input, as: lost}, {relu, from: a}]}
body: [{unit: 8, repeat: =n}, {unit: 8, when: =n > 1}]
variants: {one: {n: 1}, two: {n: 2}, three: {n: 3}}
"""


@pytest.mark.parametrize("name", ["resnet", "shufflenet_v2", "mobilenet_v3", "vit", None])
def test_variants_share_calls_and_what_is_said_of_them(name, copies, monkeypatch):
    given = {"name": name} if name else {"name": "net.yaml", "data": UNTAKEN.encode()}
    shared, own = analyse(**given), anew(monkeypatch, analyse, **given)
    assert [d.render() for d in shared.diagnostics] == [d.render() for d in own.diagnostics]
    assert [said(graph) for graph in shared.graphs] == [said(graph) for graph in own.graphs]
    assert copies and len(shared.graphs) > 1
    assert name or [d.code for d in shared.diagnostics] == ["W11"]


def test_a_family_makes_few_calls_anew(copies, monkeypatch):
    made: list[str] = []
    keep = BlockCall.keep
    monkeypatch.setattr(BlockCall, "keep", lambda call, result: (made.append(call.path), keep(call, result))[1])
    assert len(analyse("resnet").graphs) > 20
    assert len(copies) > 2 * len(made)


WRONG = {**VALUES, "width": (4, 6, 0, "wide", 2.5), "kernel": (1, 3, 99, "same"), "act": ("relu", "rleu", 7)}


def test_mistakes_of_a_family_are_as_if_made_alone(tmp_path, monkeypatch):
    """With their places, where the values came from among them, which nobody notes until one is wrong."""
    path = tmp_path / "family.yaml"
    path.write_text(FAMILY.replace("conv: {kernel: =kernel}", "conv: {kernel: =kernel, padding: valid}"), "utf-8")

    def mistakes(given: dict[str, Any]) -> str:
        try:
            load(str(path), set=given)
        except SpecError as error:
            return "\n".join(d.render() for d in error.diagnostics)
        return ""

    draw, wrong = random.Random(6), 0
    for _ in range(120):
        given = {name: draw.choice(values) for name, values in WRONG.items() if draw.random() < 0.6}
        found = mistakes(given)
        wrong += found != ""
        assert found == anew(monkeypatch, mistakes, given) == mistakes(given), given
    assert 40 < wrong < 115


TWICE = {
    "Y02": "blocks: {b: {params: {act: relu}, body: [{activation: =act}]}}\n"
    "body: [{repeat: 3, do: [{b: {act: relu, activation: relu}}]}]\n",
    "T01": "body: [{conv_bn: {filters: 4, dilation: ' '}, each: {r: [1, 2, 3]}, merge: add}]\n",
}


def test_a_mistake_that_is_told_once_is_not_forgotten(tmp_path):
    """Arguments with a mistake that leaves them a value are no known ones, for the next who reads the file either; and
    a call in which a mistake is met once more, which was told before, is none to copy."""
    for code, text in TWICE.items():
        path = tmp_path / f"{code}.yaml"
        path.write_text(HEAD + text, "utf-8")
        for _ in range(3):
            with pytest.raises(SpecError) as error:
                load(str(path))
            assert [d.code for d in error.value.diagnostics] == [code]


@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.long])])
def test_mistakes_in_changed_specs(count, monkeypatch):
    texts, wrong = corpus(), 0
    for i in range(count):
        text = mutated_tree(random.Random(f"reuse:{i}"), texts)
        found = told(text)
        wrong += any("error[" in line for line in found[0])
        assert found == told_anew(text, monkeypatch) == told(text), text
    assert wrong > count / 3
