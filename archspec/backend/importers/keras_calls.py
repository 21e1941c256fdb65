"""The calls of layers that a Keras model's config tells, in an order in which they can be computed.

A model within a model is followed: its layers are called in its place, under its name and a dot before theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archspec.backend.wiring import WeightsError

MAX_CALLS = 20_000
"""More calls of layers than any network needs."""


@dataclass(frozen=True, slots=True)
class LayerOutput:
    """A tensor: one of those that a call of a layer gives. ``turn`` counts the layer's calls."""

    layer: str
    turn: int = 0
    port: int = 0


CONSTANT = "_CONSTANT_VALUE"
"""What stands in the place of a layer's name where a call took a constant, before Keras 3."""
ATTENDED = ("query", "value", "key")
"""The inputs of attention, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerCall:
    """One call of a layer, with outputs of others for tensors. ``module`` is its class', in Python. ``each`` says how
    often it is done for every item of the first axis: of items, of items of items."""

    layer: str
    turn: int
    kind: str
    module: str
    config: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    each: int = 0

    @property
    def taken(self) -> tuple[LayerOutput, ...]:
        """The tensors among its arguments, in order."""
        return tuple(_results([list(self.args), dict(self.kwargs)]))

    @property
    def operands(self) -> tuple[LayerOutput, ...]:
        """The same without masks, which Keras hands on by itself and only sometimes writes down; those of attention in
        the order of its inputs, however they were given."""
        named = {k: self.kwargs[k] for k in (*ATTENDED, *self.kwargs) if k in self.kwargs and not is_mask(k)}
        return tuple(_results([list(self.args), named]))


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """The calls of a model. ``inputs`` are layers' names with shapes (a batch first; None where unknown) and dtypes.

    ``input_names`` and ``output_names`` are what a person calls them: the keys of a dict, else the names of layers.
    """

    inputs: tuple[tuple[str, tuple[int | None, ...] | None, str], ...]
    calls: tuple[LayerCall, ...]
    outputs: tuple[LayerOutput, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    version: str = ""


def of_model(config: Mapping[str, Any], version: str) -> Calls | None:
    """The calls of a functional or sequential model's config; None of any other model, which does not tell them.

    Raises WeightsError where the inputs of a call are not there.
    """
    if "output_layers" in config:
        return _functional(config, version)
    return _sequential(config, version) if config.get("layers") else None


def is_model(config: Mapping[str, Any]) -> bool:
    """Whether a layer's config is that of a model."""
    return isinstance(config.get("layers"), list)


def _functional(config: Mapping[str, Any], version: str) -> Calls:
    layers = {layer["name"]: layer for layer in config["layers"]}
    ends = dict(_ends(config["input_layers"]))
    inputs = tuple(_input(layers[end.layer]) for end in ends.values())
    made = {(name, 0) for name, *_ in inputs}
    waiting = [
        _call(name, turn, layer, *_arguments(node))
        for name, layer in layers.items()
        if layer["class_name"] != "InputLayer"
        for turn, node in enumerate(layer["inbound_nodes"])
    ]
    found = dict(_ends(config["output_layers"]))
    models = {name for name, layer in layers.items() if is_model(layer["config"])}
    # A model's own making counts as a call of it: in Keras 3 at the outputs alone, before at what takes it, too.
    if any(_is_of_keras_3(node) for layer in layers.values() for node in layer["inbound_nodes"]):
        found = {name: _before(end, models) for name, end in found.items()}
    else:
        late = _made_first(models, waiting, found.values())
        waiting = [renamed(call, lambda at: _before(at, late)) for call in waiting]
        found = {name: _before(end, late) for name, end in found.items()}
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
    return _followed(Calls(inputs, tuple(calls), tuple(found.values()), tuple(ends), tuple(found), version))


def _before(at: LayerOutput, layers: Collection[str]) -> LayerOutput:
    """The tensor of the call before, of one of these layers."""
    return replace(at, turn=at.turn - 1) if at.turn and at.layer in layers else at


def _made_first(models: Collection[str], calls: Sequence[LayerCall], ends: Iterable[LayerOutput]) -> set[str]:
    """Models within a model that were made before they were called: one turn is as large as their calls are many."""
    counts = Counter(call.layer for call in calls)
    taken = (at for places in (*(call.taken for call in calls), ends) for at in places)
    return {at.layer for at in taken if at.layer in models and at.turn >= counts[at.layer]}


def _sequential(config: Mapping[str, Any], version: str) -> Calls:
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
    return _followed(Calls((start,), tuple(calls), (at,), (start[0],), (at.layer,), version))


def _followed(model: Calls) -> Calls:
    """The same with the calls of models within it in the places of theirs. Raises WeightsError."""
    within = {
        call.layer: inner
        for call in model.calls
        if is_model(call.config) and (inner := of_model(call.config, model.version))
    }
    if not within:
        return model
    known: dict[LayerOutput, LayerOutput] = {}
    calls: list[LayerCall] = []

    def followed(at: LayerOutput) -> LayerOutput:
        return known.get(at, at)

    for call in model.calls:
        call = renamed(call, followed)
        if call.layer not in within:
            calls.append(call)
            continue
        inner = within[call.layer]
        if len(calls) + len(inner.calls) > MAX_CALLS:
            raise WeightsError(f"its models within models call more than {MAX_CALLS:,} layers")
        inner = in_place_of(call, inner)
        calls += inner.calls
        known.update((LayerOutput(call.layer, call.turn, port), at) for port, at in enumerate(inner.outputs))
    return replace(model, calls=tuple(calls), outputs=tuple(map(followed, model.outputs)))


def in_place_of(call: LayerCall, inner: Calls) -> Calls:
    """A model with its layers called as that call of it does, under the names that they have outside. Raises
    WeightsError."""
    given = dict(zip((LayerOutput(name) for name, *_ in inner.inputs), _given(call, inner), strict=True))
    turns = Counter(c.layer for c in inner.calls)

    def outside(at: LayerOutput) -> LayerOutput:
        layer, turn = f"{call.layer}.{at.layer}", call.turn * turns[at.layer] + at.turn
        return given.get(at) or LayerOutput(layer, turn, at.port)

    calls = []
    for c in inner.calls:
        at, inside = outside(LayerOutput(c.layer, c.turn)), renamed(c, outside)
        if call.kwargs.get("training"):
            inside = replace(inside, kwargs={"training": True, **inside.kwargs})
        calls.append(replace(inside, layer=at.layer, turn=at.turn))
    return replace(inner, calls=tuple(calls), outputs=tuple(map(outside, inner.outputs)))


def _given(call: LayerCall, inner: Calls) -> tuple[LayerOutput, ...]:
    """What a call of a model gives its inputs, in their order. Raises WeightsError."""
    match call.args:
        case [dict(named)] if set(named) == set(inner.input_names):
            given = tuple(_results([named[name] for name in inner.input_names]))
        case _:
            given = call.operands
    if len(given) != len(inner.inputs):
        raise WeightsError(f"{call.layer!r}, a model within the model, is not called on all of its inputs")
    return given


def renamed(call: LayerCall, other: Callable[[LayerOutput], LayerOutput]) -> LayerCall:
    """A call with other names for what it takes."""
    return replace(call, args=filled(call.args, other), kwargs=filled(dict(call.kwargs), other))


def filled(value: object, of: Callable[[LayerOutput], Any]) -> Any:
    """Arguments of a call with what ``of`` gives for each tensor among them."""
    match value:
        case LayerOutput():
            return of(value)
        case list() | tuple():
            return type(value)(filled(item, of) for item in value)
        case dict():
            return {key: filled(item, of) for key, item in value.items()}
    return value


def _call(
    name: str, turn: int, layer: Mapping[str, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> LayerCall:
    return LayerCall(name, turn, layer["class_name"], module_of(layer), layer["config"], args, kwargs)


def is_mask(argument: str) -> bool:
    """Whether an argument of a call is a mask of steps."""
    return argument in ("mask", "query_mask", "value_mask", "key_mask")


def module_of(layer: Mapping[str, Any]) -> str:
    """The Python module of a layer's class. Keras 3 says it, of a class that nobody registered as nothing; tf_keras is
    Keras 2 under another name."""
    return (layer.get("module", "keras.layers") or "").removeprefix("tf_")


def _input(layer: Mapping[str, Any]) -> tuple[str, tuple[int | None, ...] | None, str]:
    config = layer["config"]
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    dtype = config.get("dtype")
    return config["name"], tuple(shape) if shape else None, dtype if isinstance(dtype, str) else "float32"


def _arguments(node: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call. Before Keras 3 it was a structure of [layer, call, port, other arguments]: a list of one
    or more, in some layers the tensor alone, or a dict."""
    if _is_of_keras_3(node):
        return tuple(_value(v) for v in node["args"]), {k: _value(v) for k, v in node["kwargs"].items()}
    kwargs: dict[str, Any] = {}

    def first(value: Any) -> Any:
        if _is_place(value):
            kwargs.update(value[3] if len(value) > 3 else {})
            return _before_keras_3(value)
        if isinstance(value, dict):
            return {key: first(item) for key, item in value.items()}
        return [first(item) for item in value]

    tensors = first(node)
    if isinstance(tensors, list) and len(tensors) == 1:
        (tensors,) = tensors
    return (tensors,), {k: _before_keras_3(v) for k, v in kwargs.items()}


def _is_of_keras_3(node: object) -> bool:
    return isinstance(node, dict) and node.keys() >= {"args", "kwargs"}


def _before_keras_3(value: object) -> Any:
    """A value among a call's arguments, where a tensor is [layer, call, port], a constant [``_CONSTANT_VALUE``, -1,
    value]."""
    match value:
        case [str(name), int(turn), port, *_] if name == CONSTANT and turn < 0:
            return _value(port)
        case [str(name), int(turn), int(port), *_]:
            return LayerOutput(name, turn, port)
        case list():
            return [_before_keras_3(item) for item in value]
        case dict():
            return {key: _before_keras_3(item) for key, item in value.items()}
    return value


def _value(value: object) -> Any:
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


def _results(value: object) -> Iterator[LayerOutput]:
    match value:
        case LayerOutput():
            yield value
        case list() | tuple():
            for item in value:
                yield from _results(item)
        case dict():
            for item in value.values():
                yield from _results(item)


def _is_place(value: object) -> bool:
    return isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int)


def _ends(value: object) -> Iterator[tuple[str, LayerOutput]]:
    """The ``[layer, call, port]`` in a structure of lists and dicts, by the name of each."""
    taken = Counter[str]()
    for key, end in _named_ends("", value):
        name = key or end.layer
        taken[name] += 1
        yield name if taken[name] == 1 else f"{name}:{taken[name]}", end


def _named_ends(key: str, value: object) -> Iterator[tuple[str, LayerOutput]]:
    if isinstance(value, (list, tuple)) and _is_place(list(value)):
        yield key, LayerOutput(*value[:3])
    elif isinstance(value, dict):
        # Keras numbers what a dict holds by its sorted names.
        for name, item in sorted(value.items()):
            yield from _named_ends(name, item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _named_ends("", item)
