"""The calls of layers that a Keras model's config tells, in an order in which they can be computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archspec.backend.wiring import WeightsError


@dataclass(frozen=True, slots=True)
class LayerOutput:
    """A tensor: one of those that a call of a layer gives. ``turn`` counts the layer's calls."""

    layer: str
    turn: int = 0
    port: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class LayerCall:
    """One call of a layer, with Results for tensors in ``args`` and ``kwargs``. ``module`` is its class', in Python."""

    layer: str
    turn: int
    kind: str
    module: str
    config: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def taken(self) -> tuple[LayerOutput, ...]:
        """The tensors among its arguments, in order."""
        return tuple(_results([list(self.args), dict(self.kwargs)]))

    @property
    def operands(self) -> tuple[LayerOutput, ...]:
        """The same without masks, which Keras hands on by itself and only sometimes writes down."""
        return tuple(_results([list(self.args), {k: v for k, v in self.kwargs.items() if not is_mask(k)}]))


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """The calls of a model. ``inputs`` are names with shapes (a batch first; None where unknown) and dtypes."""

    inputs: tuple[tuple[str, tuple[int | None, ...] | None, str], ...]
    calls: tuple[LayerCall, ...]
    outputs: tuple[LayerOutput, ...]
    version: str = ""


def functional(config: Mapping[str, Any], version: str) -> Calls:
    """The calls of a functional model's config. Raises WeightsError where their inputs are not there."""
    layers = {layer["name"]: layer for layer in config["layers"]}
    inputs = tuple(_input(layers[end.layer]) for end in _ends(config["input_layers"]))
    made = {(name, 0) for name, *_ in inputs}
    waiting = [
        _call(name, turn, layer, *_arguments(node))
        for name, layer in layers.items()
        if layer["class_name"] != "InputLayer"
        for turn, node in enumerate(layer["inbound_nodes"])
    ]
    calls: list[LayerCall] = []
    while waiting:
        left = []
        for call in waiting:
            if all((source.layer, source.turn) in made for source in call.taken):
                made.add((call.layer, call.turn))
                calls.append(call)
            else:
                left.append(call)
        if len(left) == len(waiting):
            raise WeightsError(f"the inputs of {left[0].layer!r} are not there")
        waiting = left
    return Calls(inputs, tuple(calls), tuple(_ends(config["output_layers"])), version)


def sequential(config: Mapping[str, Any], version: str) -> Calls:
    """The calls of a sequential model's config."""
    layers = config["layers"]
    first = layers[0]
    if first["class_name"] == "InputLayer":
        start, layers = _input(first), layers[1:]
    else:
        start = ("input", first["config"].get("batch_input_shape"), "float32")
    calls, at = [], LayerOutput(start[0])
    for layer in layers:
        name = layer["config"]["name"]
        calls.append(_call(name, 0, layer, (at,), {}))
        at = LayerOutput(name)
    return Calls((start,), tuple(calls), (at,), version)


def _call(
    name: str, turn: int, layer: Mapping[str, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> LayerCall:
    return LayerCall(name, turn, layer["class_name"], module_of(layer), layer["config"], args, kwargs)


def is_mask(argument: str) -> bool:
    """Whether an argument of a call is a mask of steps."""
    return argument in ("mask", "query_mask", "value_mask", "key_mask")


def module_of(layer: Mapping[str, Any]) -> str:
    """The Python module of a layer's class. Keras 3 says it, of a class that nobody registered as nothing."""
    return layer.get("module", "keras.layers") or ""


def _input(layer: Mapping[str, Any]) -> tuple[str, tuple[int | None, ...] | None, str]:
    config = layer["config"]
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    dtype = config.get("dtype")
    return config["name"], tuple(shape) if shape else None, dtype if isinstance(dtype, str) else "float32"


def _arguments(node: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call. Before Keras 3 it was a list of [layer, call, port, arguments]."""
    if isinstance(node, dict):
        return tuple(_value(v) for v in node["args"]), {k: _value(v) for k, v in node["kwargs"].items()}
    kwargs = {k: v for entry in node if len(entry) > 3 for k, v in entry[3].items()}
    tensors = [LayerOutput(*entry[:3]) for entry in node]
    first = tensors[0] if len(tensors) == 1 else tensors
    return (first,), {k: LayerOutput(*v[:3]) if _is_place(v) else _value(v) for k, v in kwargs.items()}


def _value(value: Any) -> Any:
    match value:
        case {"class_name": "__keras_tensor__", "config": {"keras_history": history}}:
            return LayerOutput(*history)
        case {"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": step}}:
            return slice(start, stop, step)
        case list() | tuple():
            return [_value(item) for item in value]
        case dict():
            return {key: _value(item) for key, item in value.items()}
    return value


def _results(value: Any) -> Iterator[LayerOutput]:
    match value:
        case LayerOutput():
            yield value
        case list() | tuple():
            for item in value:
                yield from _results(item)
        case dict():
            for item in value.values():
                yield from _results(item)


def _is_place(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int)


def _ends(value: Any) -> Iterator[LayerOutput]:
    """The ``[layer, call, port]`` in a structure of lists and dicts."""
    if isinstance(value, (list, tuple)) and _is_place(list(value)):
        yield LayerOutput(*value[:3])
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _ends(item)
