"""Operators element by element, of several tensors, and products with matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from archspec.importing.formats.onnx.model import OnnxNode, shortest
from archspec.importing.formats.onnx.reader import GraphReader, Rule, Value
from archspec.importing.network import refused

if TYPE_CHECKING:
    import numpy as np

MOST_NUMBERS = 64
"""Numbers of a constant that stands in a text."""


def through(reader: GraphReader, node: OnnxNode, step: dict[str, Any]) -> Value:
    """A function of every element, also of what will be made flat."""
    x = reader.value(node)
    if x.source is None:
        return reader.emit(step, [x], node, x.axes)
    name = reader.network.add(step, [x.source.name], node.at)
    source = Value(name, x.source.axes, x.source.shape)
    return reader.set(node, Value("", (0,), x.shape, source))


def _function(op: str, argument: float | None = None) -> Rule:
    def rule(reader: GraphReader, node: OnnxNode) -> None:
        through(reader, node, {op: argument})

    return rule


def _parametric(op: str, argument: str, attribute: str, default: float) -> Rule:
    def rule(reader: GraphReader, node: OnnxNode) -> None:
        through(reader, node, {op: {argument: float(node.get(attribute, float, default))}})

    return rule


def _selu(reader: GraphReader, node: OnnxNode) -> None:
    alpha, gamma = node.get("alpha", float, 1.6732632), node.get("gamma", float, 1.050701)
    if not (math.isclose(alpha, 1.6732632, rel_tol=1e-4) and math.isclose(gamma, 1.050701, rel_tol=1e-4)):
        raise refused("I02", f"selu has no alpha {alpha:g} and gamma {gamma:g}", node.at)
    through(reader, node, {"selu": None})


def _hard_sigmoid(reader: GraphReader, node: OnnxNode) -> None:
    alpha, beta = float(node.get("alpha", float, 0.2)), float(node.get("beta", float, 0.5))
    if math.isclose(alpha, 1 / 6, rel_tol=1e-4) and beta == 0.5:
        through(reader, node, {"hard_sigmoid": None})
        return
    x = reader.elements(node)
    name = reader.network.add({"scale": {"factor": alpha, "offset": beta}}, [x.name], node.at)
    reader.emit({"clip": {"min": 0.0, "max": 1.0}}, [Value(name, x.axes, x.shape)], node, x.axes)


def _clip(reader: GraphReader, node: OnnxNode) -> None:
    bounds = []
    for place, name in ((1, "min"), (2, "max")):
        array = reader.constant(node, place)
        value = node.get(name, float, None) if array is None else float(array.reshape(-1)[0]) if array.size else None
        bounds.append(None if value is None or abs(value) > 1e30 else float(value))
    match bounds:
        case [None, None]:
            reader.set(node, reader.value(node))
        case [0.0, 6.0]:
            through(reader, node, {"relu6": None})
        case [0.0, None]:
            through(reader, node, {"relu": None})
        case [low, high]:
            through(reader, node, {"clip": {k: v for k, v in (("min", low), ("max", high)) if v is not None}})


def _prelu(reader: GraphReader, node: OnnxNode) -> None:
    x, slope = reader.image(node), reader.needed(node, 1)
    channels = x.shape[-1]
    # Broadcast from the last axis backwards: the channels are the first behind the batch.
    if slope.size == 1:
        slope = slope.reshape(1).repeat(channels or 1)
    elif slope.size != channels or (slope.shape[-len(x.axes) :] or (0,))[0] != channels:
        raise refused("I02", f"its slopes are {slope.shape}; an op has one for each channel", node.at)
    made = reader.emit({"prelu": None}, [x], node, x.axes)
    reader.hold(made, node, node.inputs[1:2], alpha=slope.reshape((1,) * (len(x.axes) - 1) + (-1,)))


def _softmax(op: str) -> Rule:
    def rule(reader: GraphReader, node: OnnxNode) -> None:
        x = reader.elements(node)
        axis = node.get("axis", int, -1 if reader.graph.opset >= 13 else 1)
        rank = len(x.axes) + 1
        if reader.graph.opset < 13 and axis % rank != rank - 1:
            raise refused("I02", "it takes all axes from one on together, as before version 13", node.at)
        here = reader.axis(node, x, axis)
        reader.emit({op: {"axis": -1 if here == len(x.axes) - 1 else here}}, [x], node, x.axes)

    return rule


def _gelu(reader: GraphReader, node: OnnxNode) -> None:
    is_tanh = node.get("approximate", str, "none") == "tanh"
    through(reader, node, {"gelu": {"approximate": True} if is_tanh else None})


def _same(reader: GraphReader, node: OnnxNode) -> None:
    if any(name in reader.graph.users or name in reader.graph.outputs for name in node.outputs[1:] if name):
        raise refused("I02", "no op gives what was dropped", node.at)
    reader.set(node, reader.value(node))


def _cast(reader: GraphReader, node: OnnxNode) -> None:
    to = node.get("to", int, 0)
    if to not in (1, 10, 11, 16):
        dtype = {6: "int32", 7: "int32", 9: "bool"}.get(to)
        if dtype is None:
            raise refused("I02", f"no op casts to type {to}", node.at)
        through(reader, node, {"cast": dtype})
        return
    name = reader.value(node).name
    entry = reader.network.draft.inputs.get(name)
    if entry is not None and entry["dtype"] != "float32":
        through(reader, node, {"cast": "float32"})
    else:
        reader.set(node, reader.value(node))


def _pow(reader: GraphReader, node: OnnxNode) -> None:
    exponent = reader.needed(node, 1)
    if exponent.size != 1:
        raise refused("I02", "an op has one exponent for all", node.at)
    through(reader, node, {"square": None} if exponent.item() == 2 else {"power": float(exponent.item())})


def _merge(op: str) -> Rule:
    def rule(reader: GraphReader, node: OnnxNode) -> None:
        constants = [name in reader.graph.constants for name in node.inputs]
        if any(constants):
            if all(constants) or len(constants) != 2:
                raise refused("I02", "it takes constants where an op takes what is computed", node.at)
            _with_constant(reader, node, op, is_first=constants[0])
            return
        taken = [reader.value(node, place) for place in range(len(node.inputs))]
        if len(taken) == 1:
            reader.set(node, taken[0])
            return
        reader.emit({op: None}, aligned(reader, taken, node), node, _axes_of(reader, taken))

    return rule


def _axes_of(reader: GraphReader, taken: list[Value]) -> tuple[int, ...]:
    largest = max(taken, key=lambda v: len(v.axes))
    return largest.axes if largest.source is None else (0,)


def aligned(reader: GraphReader, taken: list[Value], node: OnnxNode) -> list[Value]:
    """Operands with their axes in one order. Raises SpecError (I02) where they have not as many."""
    axes = _axes_of(reader, taken)
    if any(len(v.axes) != len(axes) for v in taken):
        if not all(v.is_plain for v in taken):
            raise refused("I02", "its operands have different numbers of axes, of which channels come first", node.at)
        return taken
    return [reader.arranged(v, axes, node.at) for v in taken]


def _with_constant(reader: GraphReader, node: OnnxNode, op: str, *, is_first: bool) -> None:
    """A tensor and a constant: one number for all, one for each channel, or few enough to be written down."""
    x = reader.value(node, 1 if is_first else 0)
    source = node.inputs[0 if is_first else 1]
    array = reader.graph.constants[source].astype("float64")
    if x.source is not None:
        x = reader.plain(x, node.at)
    if array.size == 1:
        number = shortest(float(array.reshape(-1)[0]))
        node.inputs = [node.inputs[1 if is_first else 0]]
        match op:
            case "add":
                step: dict[str, Any] = {"scale": {"factor": 1.0, "offset": number}}
            case "subtract":
                step = {"scale": {"factor": -1.0 if is_first else 1.0, "offset": number if is_first else -number}}
            case "multiply":
                step = {"scale": number}
            case "divide" if not is_first and number:
                step = {"scale": 1 / number}
            case "divide" if is_first:
                name = reader.network.add({"power": -1.0}, [x.name], node.at)
                reader.emit({"scale": number}, [Value(name, x.axes, x.shape)], node, x.axes)
                return
            case "maximum" | "minimum":
                step = {"clip": {"min" if op == "maximum" else "max": number}}
            case _:
                raise refused("I02", "it divides by 0", node.at)
        reader.emit(step, [x], node, x.axes)
        return
    channel = _per_channel(array, x)
    is_term = op in ("add", "subtract") and not (op == "subtract" and is_first)
    if channel is not None and (is_term or op == "multiply" or (op == "divide" and not is_first)):
        values = -channel if op == "subtract" else 1 / channel if op == "divide" else channel
        made = reader.emit({"bias": None} if is_term else {"layer_scale": {"init": 1.0}}, [x], node, x.axes)
        reader.hold(made, node, [source], **{"bias" if is_term else "gamma": values})
        return
    has_batch = array.ndim == len(x.axes) + 1
    if array.ndim > len(x.axes) and not (has_batch and array.shape[0] == 1):
        raise refused("I02", f"no op has a constant of {array.shape} beside a tensor", node.at)
    array = array.reshape(array.shape[1:]) if has_batch else array
    if op == "add" and array.ndim == 2 and array.shape == tuple(x.shape[axis] for axis in x.axes):
        x = reader.plain(x, node.at)
        made = reader.emit({"position_embedding": None}, [x], node, x.axes)
        reader.hold(made, node, [source], embeddings=array)
        return
    if not x.is_plain:
        # Axes that it has not are those in front; all stand as those of the tensor do.
        full = array.reshape((1,) * (len(x.axes) - array.ndim) + array.shape)
        array = full.transpose([x.axes.index(axis) for axis in range(len(x.axes))])
    if array.size > MOST_NUMBERS:
        other = reader.learnt(node, 0 if is_first else 1, array, x)
    else:
        name = reader.network.add({"constant": {"value": array.tolist()}}, [x.name], node.at)
        other = Value(name, tuple(range(array.ndim)), array.shape)
    reader.emit({op: None}, [other, x] if is_first else [x, other], node, x.axes)


def _per_channel(array: np.ndarray, x: Value) -> np.ndarray | None:
    """The numbers of a constant by channel, which are last here; None where it differs along another axis."""
    rank = len(x.axes)
    shape = (1,) * (rank - array.ndim) + (array.shape if array.ndim <= rank else array.shape[array.ndim - rank :])
    if not rank or array.size != max(shape) or x.shape[-1] != array.size:
        return None
    there = shape.index(array.size)
    return array.reshape(-1) if x.axes[there] == rank - 1 else None


def _dense(reader: GraphReader, node: OnnxNode) -> None:
    """MatMul, with a bias that stood behind it, or of two tensors."""
    if node.inputs[1] not in reader.graph.constants:
        a, b = (reader.plain(reader.value(node, place), node.at) for place in (0, 1))
        reader.emit({"matmul": None}, [a, b], node, tuple(range(max(len(a.axes), len(b.axes)))))
        return
    _apply(reader, node, reader.needed(node, 1), reader.constant(node, 2))


def _gemm(reader: GraphReader, node: OnnxNode) -> None:
    kernel, bias = reader.needed(node, 1), reader.constant(node, 2)
    if node.get("transA", int, 0):
        raise refused("I02", "it turns the batch", node.at)
    kernel = kernel.T if node.get("transB", int, 0) else kernel
    kernel = kernel * float(node.get("alpha", float, 1.0))
    bias = None if bias is None else bias * float(node.get("beta", float, 1.0))
    _apply(reader, node, kernel, bias)


def _apply(reader: GraphReader, node: OnnxNode, kernel: np.ndarray, bias: np.ndarray | None) -> None:
    import numpy as np

    if kernel.ndim != 2:
        raise refused("I02", f"no op multiplies by a constant of {kernel.shape}", node.at)
    x, order = reader.row(reader.value(node), node.at)
    units = kernel.shape[1]
    if order is not None:
        if len(order) != len(kernel):
            raise refused("I03", f"{len(kernel)} rows do not fit {len(order)} numbers", node.at)
        kernel = kernel[order]
    if bias is not None:
        if bias.size not in (1, units):
            raise refused("I02", f"no op adds a constant of {bias.shape}", node.at)
        bias = np.broadcast_to(bias.reshape(-1), (units,))
    made = reader.emit({"dense": {"units": units, "bias": bias is not None}}, [x], node, x.axes)
    reader.hold(made, node, node.inputs[1:2], kernel=kernel, bias=bias)


def _layer_norm(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.plain(reader.value(node), node.at)
    gamma, beta = reader.needed(node, 1), reader.constant(node, 2)
    if node.get("axis", int, -1) not in (-1, len(x.axes)):
        raise refused("I02", "it normalises over several axes; an op does over channels", node.at)
    step = {"epsilon": float(node.get("epsilon", float, 1e-5)), "center": beta is not None}
    made = reader.emit({"layer_norm": step}, [x], node, x.axes)
    reader.hold(made, node, node.inputs[1:2], gamma=gamma, beta=beta)


RULES: dict[str, Rule] = {
    **{
        kind: _function(op)
        for kind, op in {
            **{"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Softsign": "softsign"},
            **{"HardSwish": "hard_swish", "Mish": "mish", "Silu": "silu", "Exp": "exp", "Log": "log", "Sqrt": "sqrt"},
            **{"Abs": "abs", "Sign": "sign"},
        }.items()
    },
    "LeakyRelu": _parametric("leaky_relu", "slope", "alpha", 0.01),
    "Elu": _parametric("elu", "alpha", "alpha", 1.0),
    "Celu": _parametric("celu", "alpha", "alpha", 1.0),
    "Selu": _selu,
    "HardSigmoid": _hard_sigmoid,
    "Gelu": _gelu,
    "Clip": _clip,
    "PRelu": _prelu,
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
    "Identity": _same,
    "Dropout": _same,
    "Cast": _cast,
    "Pow": _pow,
    "Neg": _function("scale", -1.0),
    "Reciprocal": _function("power", -1.0),
    "Add": _merge("add"),
    "Sum": _merge("add"),
    "Sub": _merge("subtract"),
    "Mul": _merge("multiply"),
    "Div": _merge("divide"),
    "Max": _merge("maximum"),
    "Min": _merge("minimum"),
    "MatMul": _dense,
    "Gemm": _gemm,
    "LayerNormalization": _layer_norm,
}
