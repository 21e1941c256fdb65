"""What a graph says of every node against what Keras made of it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import archspec
from archspec.backend.build import weight_name
from archspec.ir.graph import Graph


def differences(graph: Graph) -> list[str]:
    """Where the Keras model of a graph is not what the graph says, train-only heads included."""
    import keras

    model = archspec.compile(graph, training=True)
    layers = {layer.name: layer for layer in model._flatten_layers(include_self=False, recursive=False)}
    calls: dict[str, int] = defaultdict(int)
    out = []
    for node in graph.nodes:
        layer = layers[node.layer]
        made = layer._inbound_nodes[calls[node.layer]].output_tensors
        calls[node.layer] += 1
        out += _unequal(node.name, "shapes", [tuple(t.shape[1:]) for t in made], [o.shape for o in node.outputs])
        out += _unequal(node.name, "dtypes", [t.dtype for t in made], [o.dtype for o in node.outputs])
        weights = [(weight_name(w, node.layer), tuple(w.shape), bool(w.trainable)) for w in layer.weights]
        out += _unequal(node.name, "weights", weights, [(w.name, w.shape, w.trainable) for w in node.weights])
    expected = {o.name: graph.spec(o.tensor).shape for o in graph.outputs}
    found = model.output if isinstance(model.output, dict) else {next(iter(expected)): model.output}
    out += _unequal("model", "outputs", {n: tuple(t.shape[1:]) for n, t in found.items()}, expected)
    totals = archspec.table(graph, training=True).totals
    out += _unequal("model", "params", model.count_params(), totals.params)
    trainable = sum(keras.ops.size(w) for w in model.trainable_weights)
    out += _unequal("model", "trainable_params", int(trainable), totals.trainable_params)
    return out


def _unequal(node: str, what: str, keras: Any, static: Any) -> list[str]:
    return [] if keras == static else [f"{node}: {what} are {keras} in Keras, {static} in the graph"]
