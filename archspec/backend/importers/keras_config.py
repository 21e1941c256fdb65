"""Wiring and arrays of a Keras model in memory, and the wiring that its config tells."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import Archive, Stored, StoredLayer, WeightsError
from archspec.backend.importers import keras_calls
from archspec.backend.wiring import Port, Vertex, Wiring, without_repeats

if TYPE_CHECKING:
    import keras
    import numpy as np

MODEL_WITHIN = (
    "{!r} is a model within the model, whose layers are not followed; build the outer model of its layers "
    "(inner.layers, one after the other), or save the inner model by itself"
)
OPERANDS = {"Concatenate": "nested", "Subtract": "ordered", "Dot": "ordered"}
"""What the order of several inputs means to a layer class without arrays; to all others: nothing."""


def archive(model: keras.Model) -> Archive:
    """What a functional model holds. Raises WeightsError for a subclassed one and where models are nested."""

    def stored(variable: Any) -> Stored:
        return Stored(tuple(variable.shape), lambda: _array(variable))

    layers = tuple(
        StoredLayer(layer.name, {str(i): stored(w) for i, w in enumerate(layer.weights)})
        for layer in model.layers
        if layer.weights
    )
    config = model.get_config()
    told = wiring(config, {s.name: s.shapes for s in layers})
    return Archive(layers, "keras", told, calls=keras_calls.functional(config, ""))


def wiring(config: Mapping[str, Any], arrays: Mapping[str, Hashable]) -> Wiring:
    """The wiring of a functional model's config, ``arrays`` by layer. Raises WeightsError where there is none."""
    vertices: list[Vertex] = []
    made: set[str] = set()
    inputs = [_port(entry)[0] for entry in _ends(config.get("input_layers"))]
    outputs = [_port(entry) for entry in _ends(config.get("output_layers"))]
    waiting: list[Vertex] = []
    for layer in config.get("layers", ()):
        name = layer["name"]
        _refuse_model(name, layer)
        for turn, node in enumerate(layer["inbound_nodes"]):
            call = _call(name, turn)
            # Before Keras 3 a call was a list of [layer, call, port, arguments].
            sources = node if isinstance(node, list) else _histories([node["args"], _sorted(node["kwargs"])])
            taken = tuple(_port(history) for history in sources)
            if name in arrays:
                taken = without_repeats(taken)
            if taken:
                operands: Any = "ordered" if name in arrays else OPERANDS.get(layer["class_name"], "any order")
                waiting.append(Vertex(call, name, taken, arrays.get(name), operands))
            else:
                made.add(call)
    made.update(inputs)
    while waiting:
        ready = [v for v in waiting if all(name in made for name, _ in v.inputs)]
        if not ready:
            raise WeightsError(f"the inputs of {waiting[0].name!r} are not there")
        made.update(v.name for v in ready)
        vertices += ready
        waiting = [v for v in waiting if v.name not in made]
    if not outputs:
        raise WeightsError("the model is not functional: its wiring is not known")
    return Wiring(tuple(vertices), tuple(inputs), tuple(outputs))


def chain(config: Mapping[str, Any], arrays: Mapping[str, Hashable]) -> Wiring:
    """The wiring of a sequential model's config. Raises WeightsError where a model is within it."""
    vertices: list[Vertex] = []
    at = "input"
    for layer in config["layers"]:
        name = layer["config"]["name"]
        _refuse_model(name, layer)
        if layer["class_name"] != "InputLayer":
            vertices.append(Vertex(name, name, ((at, 0),), arrays.get(name)))
            at = name
    return Wiring(tuple(vertices), ("input",), ((at, 0),))


def _refuse_model(name: str, layer: Mapping[str, Any]) -> None:
    if "layers" in layer["config"]:
        raise WeightsError(MODEL_WITHIN.format(name))


def _sorted(arguments: Any) -> Any:
    """Arguments by name in the order of attention's inputs, without masks: they are no part of the wiring of a spec."""
    first = ("query", "value", "key")
    if not isinstance(arguments, dict):
        return arguments
    return {k: arguments[k] for k in (*first, *arguments) if k in arguments and not keras_calls.is_mask(k)}


def _call(layer: str, turn: int) -> str:
    return f"{layer}@{turn}" if turn else layer


def _port(history: Any) -> Port:
    name, turn, port, *_ = history
    return (_call(name, turn), port)


def _ends(value: Any) -> Iterator[Any]:
    """The ``[layer, call, port]`` in a structure of lists and dicts."""
    match value:
        case [str(), int(), int()]:
            yield value
        case list() | tuple():
            for item in value:
                yield from _ends(item)
        case dict():
            for item in value.values():
                yield from _ends(item)


def _histories(value: Any) -> Iterator[Any]:
    """Where the tensors among a call's arguments come from, in order."""
    match value:
        case {"class_name": "__keras_tensor__", "config": {"keras_history": history}}:
            yield history
        case list() | tuple():
            for item in value:
                yield from _histories(item)
        case dict():
            for item in value.values():
                yield from _histories(item)


def _array(variable: Any) -> np.ndarray:
    import keras

    array: np.ndarray = keras.ops.convert_to_numpy(variable)
    return array
