"""What a Keras file says of its layers besides arrays, compared with a spec.

A function is compared by what it computes: an activation may be the layer's own or a layer behind it, padding may be
``same``, explicit, or a layer of zeros before it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import StoredLayer, WeightsError
from archspec.ir.graph import Graph, Node

if TYPE_CHECKING:
    from archspec.backend.importers.keras_calls import Calls, LayerCall
    from archspec.backend.rules import Rules

NAMES = {
    "epsilon": "epsilon",
    "scale": "scale",
    "center": "center",
    "groups": "groups",
    "stride": "strides",
    "dilation": "dilation_rate",
    "multiplier": "depth_multiplier",
    "sequences": "return_sequences",
    "reverse": "go_backwards",
    "reset_after": "reset_after",
    "mask_zero": "mask_zero",
    "merge": "merge_mode",
}
"""Argument here → Keras's."""
WORDS = {"sum": "add", "mul": "multiply", "ave": "average"}
SAME_FUNCTION = {"swish": "silu", "hard_swish": "hard_silu"}
SLOPES = {"leaky_relu": ("negative_slope", 0.2), "elu": ("alpha", 1.0)}
"""Functions with an argument, and its default."""
PASSES = frozenset(("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Identity"))
"""Layers that compute nothing at inference."""
ITEMS = frozenset(("FoldItems", "UnfoldItems"))
"""Layers of archspec's that change the shape alone, about what is done for each item."""


def settings(calls: Calls) -> dict[str, dict[str, Any]]:
    """For each layer of a model its arguments, ``activation`` and ``zeros`` with what its neighbours add: those of its
    first call."""
    layers: dict[str, LayerCall] = {}
    users: dict[tuple[str, int], list[LayerCall]] = {}
    for call in calls.calls:
        layers.setdefault(call.layer, call)
        for taken in call.taken:
            users.setdefault((taken.layer, taken.turn), []).append(call)
    out = {}
    for name, call in layers.items():
        said = {"class": call.kind, **call.config}
        while isinstance(said.get("layer"), dict):
            merge = {"merge_mode": said["merge_mode"]} if "merge_mode" in said else {}
            said = {"class": said["layer"]["class_name"], **said["layer"]["config"], **merge}
        if "recurrent_activation" in said:
            said["recurrent_activation"] = _function(said["recurrent_activation"], calls.version)
        said["activation"] = _function(said.get("activation"), calls.version)
        at = call
        while said["activation"] == "linear" and "return_sequences" not in said:
            following = users.get((at.layer, at.turn), [])
            if len(following) != 1:
                break
            (at,) = following
            if at.kind not in PASSES | ITEMS:
                told = {"class_name": at.kind, "config": at.config}
                said["activation"] = _function(told, calls.version) if _is_activation(told) else "linear"
                break
        before = layers.get(call.taken[0].layer) if len(call.taken) == 1 else None
        while before and before.kind in ITEMS and before.taken:
            before = layers.get(before.taken[0].layer)
        if before and "ZeroPadding" in before.kind:
            said["zeros"] = before.config["padding"]
        out[name] = said
    return out


def compare(
    graph: Graph,
    pairs: Mapping[str, StoredLayer],
    said: Mapping[str, Mapping[str, Any]],
    rules: Rules | None = None,
) -> None:
    """Raises WeightsError where a layer of the file is not computed as its node is, unless rules have it unchecked."""
    from archspec.backend.installation import quiet_start

    quiet_start()  # an activation with arguments imports Keras to name its function
    for node, difference in differences(graph, pairs, said, rules):
        raise WeightsError(f"{node.span}: {difference}")


def differences(
    graph: Graph,
    pairs: Mapping[str, StoredLayer],
    said: Mapping[str, Mapping[str, Any]],
    rules: Rules | None = None,
) -> Iterator[tuple[Node, str]]:
    """Nodes that a layer of the file is not computed as, and in what they differ."""
    users: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for tensor in node.inputs:
            users.setdefault(tensor.node, []).append(node)
    for node in graph.owners():
        if (stored := pairs.get(node.layer)) and stored.name in said:
            if rules and rules.is_unchecked(stored.name):
                continue
            found = "; ".join(
                f"{what} is {theirs} in the file, {ours} in the spec"
                for what, theirs, ours in _differences(node, graph, users, said[stored.name])
            )
            if found:
                names = repr(node.layer) if stored.name == node.layer else f"{stored.name!r} is not {node.layer!r}"
                yield node, f"{names}: {found}"


def _differences(
    node: Node, graph: Graph, users: Mapping[str, list[Node]], said: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    from archspec.backend.build import item_of

    while item_of(node) is not node:
        node = item_of(node)
    op = node.op.within
    rank = node.input_specs[0].rank
    if said.get("data_format") == "channels_first":
        yield "data_format", "channels_first", "channels_last"
    own: Any = node.op
    if own.of_keras:
        yield from _arguments(node, users, said)
        return
    axis = said.get("axis", -1)
    if "epsilon" in said and (axis if isinstance(axis, int) else axis[0] if len(axis) == 1 else None) not in (-1, rank):
        yield "axis", axis, -1
    for name, key in NAMES.items():
        ours = getattr(node.op, name, getattr(op, name, None))
        theirs = said.get(key)
        if ours is None or theirs is None or isinstance(theirs, dict):
            continue
        theirs = WORDS.get(theirs, theirs) if isinstance(theirs, str) else theirs
        if not _is_equal(theirs, ours, rank - 1):
            yield key, theirs, ours
    if said["class"] in ("LSTM", "GRU", "SimpleRNN") and said.get("go_backwards") and said.get("return_sequences"):
        yield "the order of the outputs", "that of reading", "that of the steps"
    if "recurrent_activation" in said and hasattr(op, "gate_activation"):
        ours, theirs = _ours(op.gate_activation), said["recurrent_activation"]
        if None not in (ours, theirs) and ours != theirs:
            yield "recurrent_activation", theirs, ours
    ours, theirs = _activation(node, op, users), said["activation"]
    if None not in (ours, theirs) and ours != theirs:
        yield "activation", theirs, ours
    if isinstance(said.get("padding"), str) and hasattr(op, "padding") and hasattr(op, "dilation"):
        yield from _padding(node, graph, said)


def _arguments(node: Node, users: Mapping[str, list[Node]], said: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Of a layer that has Keras's own arguments, those that differ. Axes are counted from either end."""
    op: Any = node.op
    for name, ours in op.call(*node.input_specs).given.items():
        theirs = said.get(name)
        if name != "axis" and isinstance(ours, (bool, int, float, str, tuple)) and not isinstance(theirs, dict | None):
            if not _is_alike(theirs, ours):
                yield name, theirs, ours
        elif isinstance(theirs, str) and (applied := _ours(ours)) not in (None, WORDS.get(theirs, theirs)):
            yield name, theirs, applied
    if op.family.activates and not op.applied:
        ours, theirs = _activation(node, op, users), said["activation"]
        if None not in (ours, theirs) and ours != theirs:
            yield "activation", theirs, ours


def _is_alike(a: object, b: object) -> bool:
    """Whether values are the same, where one for all axes stands for a list of equal ones."""
    lists = [value for value in (a, b) if isinstance(value, (list, tuple))]
    if not lists:
        return bool(a == b)
    rank = len(lists[0])
    pairs = [value if isinstance(value, (list, tuple)) else [value] * rank for value in (a, b)]
    return len(pairs[0]) == len(pairs[1]) and all(map(_is_alike, *pairs))


def _padding(node: Node, graph: Graph, said: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Where zeros are, counted from what lies before any layer of zeros."""
    from archspec.backend.build import item_of

    op: Any = node.op
    rank = node.input_specs[0].rank - 1
    if hasattr(op, "output_padding"):
        if isinstance(op.padding, str) and op.padding != said["padding"]:
            yield "padding", said["padding"], op.padding
        return
    before = graph.by_name.get(node.inputs[0].node)
    before = before and item_of(before)
    pads = before is not None and getattr(before.op, "mode", None) == "zero" and hasattr(before.op, "padding")
    sizes = (before if pads and before else node).input_specs[0].spatial
    ours_before = before.op.padding if pads and before else 0  # type: ignore[attr-defined]
    spans = [(k - 1) * d + 1 for k, d in zip(_each(op.kernel, rank), _each(op.dilation, rank), strict=True)]
    where = (sizes, spans, _each(op.stride, rank))
    theirs = _zeros(said["padding"], said.get("zeros", 0), *where)
    ours = _zeros(op.padding, ours_before, *where)
    if theirs != ours:
        word = said["padding"] if "zeros" not in said else f"{said['zeros']} and {said['padding']}"
        yield "padding", word, f"{ours_before} and {op.padding}" if pads else op.padding


def _zeros(padding: object, zeros: object, sizes: Sequence[Any], spans: list[int], strides: tuple[Any, ...]) -> Any:
    """(before, after) of every axis; the word ``same`` where it depends on an open size."""
    first, out = _pairs(zeros, len(spans)), list[Any]()
    second = _pairs(padding, len(spans)) if not isinstance(padding, str) else [(0, 0)] * len(spans)
    for size, span, stride, (a, b), (c, d) in zip(sizes, spans, strides, first, second, strict=True):
        if padding == "same":
            if size is None and stride > 1:
                out.append("same")
                continue
            n = span if size is None else size + a + b
            rest = max((math.ceil(n / stride) - 1) * stride + span - n, 0)
            c, d = rest // 2, rest - rest // 2
        elif padding == "causal":
            c, d = span - 1, 0
        out.append((a + c, b + d))
    return out


def _activation(node: Node, op: object, users: Mapping[str, list[Node]]) -> str | None:
    """What is applied to a node's output: its own activation, or the one behind it."""
    own = getattr(op, "activation", None)
    if own is not None and (hasattr(op, "sequences") or _ours(own) != "linear"):
        return _ours(own)
    at = node
    while len(following := users.get(at.name, [])) == 1:
        at = following[0]
        after: Any = at.op
        if hasattr(after, "function"):
            found = _ours(after)
            if found != "linear":
                return found
        elif after.is_activation:
            return None
        elif not (after.is_view and at.outputs == at.input_specs):
            break
    return "linear"


def _ours(op: object) -> str | None:
    """The name of an activation's function, as Keras has it."""
    function = getattr(op, "function", None)
    if function is None:
        return None
    if not callable(function):
        return _ours(function)
    value = function()
    arguments = getattr(value, "arguments", {})
    return _named(value if isinstance(value, str) else getattr(value, "__name__", ""), arguments)


def _is_activation(layer: Mapping[str, Any]) -> bool:
    return layer["class_name"] in ("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax")


def _function(value: object, version: str) -> str | None:
    """The name of a function, or of what a layer computes; None where that is not known."""
    match value:
        case None:
            return "linear"
        case str(name) | {"class_name": "function", "config": str(name)}:
            return (
                "Keras 2's hard_sigmoid" if name == "hard_sigmoid" and version[:2] in ("1.", "2.") else _named(name, {})
            )
        case {"class_name": "Activation", "config": {"activation": inner}}:
            return _function(inner, version)
        case {"class_name": "ActivationFunction", "config": {"name": str(name), **arguments}}:
            return _named(name, {str(k): v for k, v in arguments.items()})
        case {"class_name": "ReLU", "config": dict(config)}:
            most, slope = config.get("max_value"), config.get("negative_slope") or 0.0
            if config.get("threshold"):
                return None
            if most is None:
                return _named("leaky_relu", {"negative_slope": slope}) if slope else "relu"
            return "relu6" if most == 6 and not slope else None
        case {"class_name": "LeakyReLU", "config": dict(config)}:
            return _named("leaky_relu", {"negative_slope": config.get("negative_slope", config.get("alpha", 0.3))})
        case {"class_name": "ELU", "config": dict(config)}:
            return _named("elu", {"alpha": config.get("alpha", 1.0)})
        case {"class_name": "Softmax"}:
            return "softmax"
    return None


def _named(name: str, arguments: Mapping[str, Any]) -> str | None:
    name = SAME_FUNCTION.get(name, name)
    if name in SLOPES:
        argument, default = SLOPES[name]
        value = arguments.get(argument, default)
        return f"{name}({float(value):g})" if isinstance(value, (int, float)) else None
    rest = {k: v for k, v in arguments.items() if v and not (k == "axis" and v == -1)}
    return f"{name}({', '.join(f'{k}={v}' for k, v in sorted(rest.items()))})" if rest else name or None


def _is_equal(theirs: object, ours: object, rank: int) -> bool:
    if isinstance(ours, float):
        return isinstance(theirs, (int, float)) and math.isclose(theirs, ours, rel_tol=1e-6)
    if isinstance(theirs, (list, tuple)) or isinstance(ours, tuple):
        return _each(theirs, rank) == _each(ours, rank)
    return bool(theirs == ours)


def _each(value: object, rank: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank


def _pairs(value: object, rank: int) -> list[tuple[int, int]]:
    """(before, after) of every axis: of one number, of one a axis, or of pairs."""
    if rank == 1 and isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], int):
        return [(value[0], value[1])]
    return [tuple(v) if isinstance(v, (list, tuple)) else (v, v) for v in _each(value, rank)]


def major(version: object) -> str:
    """A version as text."""
    text = version.decode("utf-8", "replace") if isinstance(version, bytes) else str(version or "")
    return text if re.fullmatch(r"[\w.+-]{1,40}", text) else ""
