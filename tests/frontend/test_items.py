"""``each: items``: what the graph is, and what the model computes, against Keras's TimeDistributed and a plain loop."""

import numpy as np
import pytest

import archspec
from archspec.analysis.conventions import answer
from archspec.analysis.memory import saved

SPEC = """
archspec: 1
name: regions
inputs: {regions: [5, 6, 6, 3], bias: [4]}
networks:
  head:
    body:
      - {conv: {filters: 4, kernel: 3, padding: valid}, as: map}
      - flatten
      - {dense: 7, as: scores}
    results: [scores, map]
body:
  - {head, from: regions, each: items, as: found}
  - do: [{add, from: [found.map, bias]}, {conv: 2, as: small}, global_avg_pool]
    from: found.map
    each: items
    as: mean
  - {concat, from: [found.scores, mean]}
heads:
  out: {from: prev}
  maps: {from: small}
"""


def test_weights_count_once_and_work_counts_for_each_item():
    graph = archspec.loads(SPEC)
    shapes = {node.name: node.output.shape for node in graph.nodes}
    assert (
        shapes["found.map"] == (5, 4, 4, 4)
        and shapes["found.scores"] == (5, 7)
        and shapes["mean.small"] == (5, 4, 4, 2)
    )
    conv, dense = graph.by_name["found.map"], graph.by_name["found.scores"]
    assert (conv.params, conv.cost().macs) == (3 * 3 * 3 * 4 + 4, 5 * 16 * 27 * 4)
    assert (dense.params, dense.cost().macs) == (64 * 7 + 7, 5 * 64 * 7)
    alone = archspec.loads(SPEC.replace("[5, 6, 6, 3]", "[1, 6, 6, 3]"))
    for many, one in zip(graph.nodes, alone.nodes, strict=True):
        if many.name != "concat":
            assert many.cost().flops == 5 * one.cost().flops, many.name
    assert sum(saved(graph)) > 4 * sum(saved(alone))


@pytest.mark.parametrize("op", ["conv", "separable_conv"])
@pytest.mark.parametrize("tool", ["fvcore", "thop", "torchinfo", "ptflops_aten", "torch"])
def test_what_other_tools_count_is_so_many_times_what_one_item_has(tool, op):
    """Of a convolution with an activation, which they count as two, and of one that they have as two."""
    body = f"body: [{{{op}: {{filters: 4, kernel: 3, activation: relu, bias: false}}%s}}]"
    many = archspec.loads(f"archspec: 1\nname: n\ninputs: {{x: [5, 8, 8, 3]}}\n{body % ', each: items'}\n")
    one = archspec.loads(f"archspec: 1\nname: n\ninputs: {{x: [8, 8, 3]}}\n{body % ''}\n")
    found, alone = (answer(graph, tool) for graph in (many, one))
    assert found.number == 5 * alone.number > 0


def test_within_items_of_items():
    text = SPEC.replace("regions: [5, 6, 6, 3]", "clips: [2, 5, 6, 6, 3]").replace(
        "from: regions, each", "from: clips, each"
    )
    body = "{do: [{conv: 2, each: items}, {reshape: [-1]}], from: clips, each: items}"
    text = text[: text.index("networks:")] + f"body: [{body}]\n"
    graph = archspec.loads(text)
    assert [node.output.shape for node in graph.nodes] == [(2, 5, 6, 6, 2), (2, 360)]
    assert graph.nodes[0].cost().macs == 10 * 36 * 3 * 2 and graph.nodes[0].params == 8


def test_a_difference_within_items_of_items_names_the_argument():
    body = "body: [{do: [{dense: %d, each: items}], each: items}]"
    head = "archspec: 1\nname: n\ninputs: {clips: [2, 5, 3]}\n"
    found = archspec.diff(archspec.loads(head + body % 4), archspec.loads(head + body % 8))
    assert "units 4 → 8" in str(found)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("step", "shape", "want"),
    [
        ("{stack: {axis: 0}, from: [prev, prev]}", (2, 2, 4), lambda x: np.stack([x, x], 3)),
        ("{concat: {axis: 0}, from: [prev, prev]}", (2, 5, 4, 3), lambda x: np.concatenate([x, x], 3)),
        ("{reduce: {reduction: sum, axis: 0}, from: prev}", (2, 5, 4, 3), lambda x: x.sum(3)),
        ("flatten", (2, 5, 4, 3), lambda x: x.reshape(3, 2, 5, 12)),
    ],
)
def test_items_of_items_are_computed_by_themselves(step, shape, want):
    step = step if step.startswith("{") else f"{{{step}}}"
    body = f"{{do: [{step[:-1]}, each: items}}], each: items}}"
    model = archspec.compile(archspec.loads(f"archspec: 1\nname: n\ninputs: {{x: {list(shape)}}}\nbody: [{body}]\n"))
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    np.testing.assert_allclose(model(x), want(x), atol=1e-5)


@pytest.mark.tensorflow
def test_the_model_computes_each_item_by_itself():
    import keras

    model = archspec.compile(archspec.loads(SPEC))
    random = np.random.default_rng(0)
    x, bias = random.normal(size=(3, 5, 6, 6, 3)).astype("float32"), random.normal(size=(3, 4)).astype("float32")
    got = model({"regions": x, "bias": bias})
    layers = {layer.name: layer for layer in model.layers}
    maps = keras.layers.TimeDistributed(layers["head.map"])(x)
    scores = keras.layers.TimeDistributed(layers["head.scores"])(keras.ops.reshape(maps, (3, 5, 64)))
    small = np.stack([layers["mean.small"](maps[:, i] + bias[:, None, None]) for i in range(5)], 1)
    np.testing.assert_allclose(got["maps"], small, atol=1e-6)
    np.testing.assert_allclose(got["out"], np.concatenate([scores, small.mean((2, 3))], -1), atol=1e-6)
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again({"regions": x, "bias": bias})["out"], got["out"])


@pytest.mark.tensorflow
def test_a_network_is_trained_through_items_and_without():
    """A training chain calls the same network on other, fewer items."""
    text = """
archspec: 1
name: halves
inputs: {rows: [4, 3]}
networks: {head: {body: [dense: 2]}}
body: [{head, from: rows, each: items}]
train:
  inputs: {few: [2, 3], one: [3], wanted: [2]}
  body:
    - {head, from: few, each: items, as: a}
    - {head, from: one, as: b}
    - {reduce: {reduction: mean, axis: 0}, from: a, as: mean}
  minimize: [{mse: [mean, wanted]}, {mse: [b, wanted]}]
"""
    graph = archspec.loads(text)
    assert {node.layer for node in graph.training.body.nodes if node.weights} == {"head.dense"}
    model = archspec.compile(graph)
    kernel, bias = model.get_weights()
    x = np.random.default_rng(0).normal(size=(3, 4, 3)).astype("float32")
    np.testing.assert_allclose(model(x), x @ kernel + bias, atol=1e-6)
