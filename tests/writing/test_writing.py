"""What is written of a graph is read again as the same graph."""

import random

import pytest

import archspec
from archspec.frontend import loads
from archspec.writing import Unwritable, spec_text
from archspec.writing.draft import Draft
from archspec.writing.equality import is_same, pairs
from tests.wording import refuses


@pytest.mark.parametrize(
    ("name", "most"),
    [("lenet5", 15), ("resnet18", 40), ("mobilenet_v2", 59), ("googlenet", 59), ("resnet50_keras", 79)],
)
def test_a_network_of_the_catalogue_is_written_shortly_and_read_as_itself(name, most):
    graph = archspec.load(name).inference()
    text = spec_text(graph)
    again = loads(text)
    assert is_same(again, graph)
    assert archspec.table(again).totals.macs == archspec.table(graph).totals.macs
    assert archspec.table(again).totals.params == archspec.table(graph).totals.params
    assert len(text.splitlines()) <= most


def _random_spec(seed):
    draw = random.Random(seed)
    lines = ["archspec: 1", "name: net", "inputs: {image: [8, 8, 4]}", "body:", "  - {conv: 4, as: n0}"]
    for k in range(1, draw.randint(3, 14)):
        one, other = (f"n{draw.randrange(max(0, k - 3), k)}" for _ in range(2))
        step = draw.choice(
            [
                f"{{conv: {{filters: 4, kernel: {draw.choice([1, 3])}}}, from: {one}, as: n{k}}}",
                f"{{batch_norm: {{epsilon: 0.01}}, from: {one}, as: n{k}}}",
                f"{{relu, from: {one}, as: n{k}}}",
                f"{{add: [{one}, {other}], as: n{k}}}",
                f"{{subtract: [{one}, {other}], as: n{k}}}",
            ]
        )
        lines.append(f"  - {step}")
    lines.append(f"heads: {{a: {{from: n{k}}}, b: {{from: n{draw.randrange(k)}}}}}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(40))
def test_a_graph_of_any_wiring_is_read_as_itself(seed):
    graph = loads(_random_spec(seed))
    assert is_same(loads(spec_text(graph)), graph)


def test_another_stride_or_another_order_of_operands_is_another_graph():
    head = "archspec: 1\nname: net\ninputs: {image: [8, 8, 4]}\nbody: [{conv: 4, as: a}, {relu: , as: b}, "
    assert is_same(loads(head + "add: [a, b]]\n"), loads(head + "add: [b, a]]\n"))
    assert not is_same(loads(head + "subtract: [a, b]]\n"), loads(head + "subtract: [b, a]]\n"))
    assert not is_same(loads(head + "conv: 4]\n"), loads(head + "conv: {filters: 4, kernel: 3}]\n"))


def test_parts_of_a_split_go_by_their_place():
    head = "archspec: 1\nname: net\ninputs: {image: [8, 8, 4]}\nbody: [{split: 2, as: a}, "
    graph = loads(
        head + 'conv: {filters: 2}, from: "a[1]", as: b}, {concat: [b, "a[0]", "a[1]"]}]\n'.replace("conv", "{conv", 1)
    )
    assert 'from: "x1[1]"' in spec_text(graph)
    assert is_same(loads(spec_text(graph)), graph)


def test_equal_layers_of_one_input_are_not_taken_for_each_other():
    """Both graphs have the same nodes, counted by what they compute; what reads them differs."""
    head = "archspec: 1\nname: net\ninputs: {image: [8, 8, 4]}\nbody:\n- {conv: 4, as: a}\n"
    two = head + "- {conv: 4, from: image, as: b}\n- {relu, from: a, as: c}\n- {tanh, from: %s, as: d}\n- add: [c, d]\n"
    keep = "heads: {x: {from: add}, y: {from: b}}\n"
    one, other = (loads((two % name).replace("- add: [c, d]", "- {add: [c, d], as: add}") + keep) for name in "ab")
    assert not is_same(one, other)
    found = pairs(one, loads(spec_text(one)))
    assert len({*found.values()}) == len(one.nodes)


def test_several_networks_are_refused():
    with refuses(Unwritable):
        spec_text(archspec.load("dcgan"))


def test_layers_with_shared_weights_are_networks():
    graph = archspec.load("retinanet").inference()
    text = spec_text(graph)
    again = loads(text)
    assert text.count("\n  net") == 2 and is_same(again, graph)
    assert archspec.table(again).totals.params == archspec.table(graph).totals.params


@pytest.mark.parametrize("word", ["prev", "input", "true", "null", "True", "NULL", "yes", "n0", "o1", "é", ""])
def test_a_network_of_any_name_with_inputs_and_outputs_of_any_name_is_written(word):
    draft = Draft(word)
    taken = [draft.input(name, (5,)) for name in (word, "x", word)]
    total = draft.add({"add": None}, taken, None)
    for op in ("tanh", "sigmoid"):
        draft.output(word, draft.add({op: None}, [total], None))
    graph = draft.graph()
    assert len(graph.inputs) == 3 and len(graph.outputs) == 2
    assert is_same(loads(spec_text(graph)), graph)
