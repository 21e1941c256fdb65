"""Every member of the catalogue builds in Keras and is, node by node, what the static graph says."""

from __future__ import annotations

import pytest

import archspec
from archspec.frontend import catalogue
from archspec.ops.per_item import PerItem

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

FILES = {file["spec"]: [m["variant"] or file["name"] for m in file["members"]] for file in catalogue.files()}
SPREAD = {spec: names[:: -(-len(names) // 2)] for spec, names in FILES.items()}
"""At most two members of each spec; the rest take minutes, and differ in sizes rather than in what is built."""
REST = {spec: rest for spec, names in FILES.items() if (rest := [n for n in names if n not in SPREAD[spec]])}


@pytest.fixture
def unallocated():
    """Keras makes variables without values: ViT-H alone would fill 2.5 GB."""
    keras = pytest.importorskip("keras")
    with keras.StatelessScope(initialize_variables=False):
        yield keras
    keras.backend.clear_session()


@pytest.mark.parametrize(
    "names",
    [
        *(pytest.param(names, id=spec) for spec, names in SPREAD.items()),
        *(pytest.param(names, id=f"rest of {spec}", marks=pytest.mark.long) for spec, names in REST.items()),
    ],
)
def test_keras_equals_the_static_graph(names, unallocated):
    for name in names:
        graph = archspec.load(name)
        for whole in (graph, *graph.networks.values()):
            compare(whole, archspec.compile(whole, training=True))


def compare(graph, model):
    """Shape and dtype of every output of every node; names, shapes and trainability of its layer's weights."""
    calls: dict[str, int] = {}
    layers = {layer.name: layer for layer in model.layers}
    for node in graph.nodes:
        layer = layers.pop(node.layer, None) or model.get_layer(node.layer)
        call = calls[node.layer] = calls.get(node.layer, -1) + 1
        made = layer._inbound_nodes[call].output_tensors
        if isinstance(node.op, PerItem):
            # Its layer sees items as a batch; others fold them, and give them back.
            for k in range(len(node.inputs)):
                layers.pop(f"{node.name}.item.{k}")
            made = [layers.pop(f"{node.name}.items.{k}").output for k in range(len(node.outputs))]
        found = [(tuple(t.shape[1:]), str(t.dtype)) for t in made]
        assert found == [(spec.shape, spec.dtype) for spec in node.outputs], f"{graph.name} {node.name}"
        weights = [(w.path.removeprefix(f"{layer.name}/"), tuple(w.shape), w.trainable) for w in layer.weights]
        assert weights == [(w.name, w.shape, w.trainable) for w in node.weights], f"{graph.name} {node.name}"
    assert sorted(layers) == sorted(graph.inputs), "layers that are no nodes"
    totals = archspec.table(graph, training=True).totals
    assert model.count_params() == totals.params
    assert sum(w.shape.num_elements() for w in model.trainable_weights) == totals.trainable_params
