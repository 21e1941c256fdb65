"""Wiring and arrays of a Keras model in memory, and the wiring that the calls of layers make."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import Archive, Stored, StoredLayer, WeightsError
from archspec.backend.importers import keras_calls, tensorflow_functions
from archspec.backend.importers.keras_calls import Calls, LayerOutput
from archspec.backend.wiring import Port, Vertex, Wiring, without_repeats

if TYPE_CHECKING:
    import keras
    import numpy as np

OPERANDS = {"Concatenate": "nested", "Subtract": "ordered", "Dot": "ordered"}
"""What the order of several inputs means to a layer class without arrays; to all others: nothing."""


def archive(model: keras.Model) -> Archive:
    """What a functional or sequential model holds. Raises WeightsError for a subclassed one."""
    calls = keras_calls.of_model(model.get_config(), "")
    if calls is None:
        raise WeightsError("the model is neither functional nor sequential: its wiring is not known")
    layers = tuple(_layers(model, ""))
    return Archive(layers, "keras", wiring(calls, {s.name: s.shapes for s in layers}), calls=calls)


def wiring(calls: Calls, arrays: Mapping[str, Hashable]) -> Wiring:
    """The wiring that the calls of a model make, ``arrays`` by layer."""
    vertices = []
    for call in calls.calls:
        taken = tuple(map(_port, call.operands))
        operands: Any = OPERANDS.get(tensorflow_functions.kind(call), "any order")
        if call.layer in arrays:
            taken, operands = without_repeats(taken), "ordered"
        if taken:
            name = _port(LayerOutput(call.layer, call.turn))[0]
            vertices.append(Vertex(name, call.layer, taken, arrays.get(call.layer), operands))
    return Wiring(tuple(vertices), tuple(name for name, *_ in calls.inputs), tuple(map(_port, calls.outputs)))


def _layers(model: keras.Model, prefix: str) -> Iterator[StoredLayer]:
    """Layers with weights, those of models within the model under its name and theirs."""

    def stored(variable: Any) -> Stored:
        return Stored(tuple(variable.shape), lambda: _array(variable))

    for layer in model.layers:
        if "layers" in layer.get_config() and hasattr(layer, "layers"):
            yield from _layers(layer, f"{prefix}{layer.name}.")
        elif layer.weights:
            yield StoredLayer(f"{prefix}{layer.name}", {str(i): stored(w) for i, w in enumerate(layer.weights)})


def _port(at: LayerOutput) -> Port:
    return f"{at.layer}@{at.turn}" if at.turn else at.layer, at.port


def _array(variable: object) -> np.ndarray:
    import keras

    array: np.ndarray = keras.ops.convert_to_numpy(variable)
    return array
