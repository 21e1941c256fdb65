"""Several nodes that are one op: exporters write functions that ONNX's older versions lack as what they consist of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from archspec.importing.formats.onnx.model import OnnxGraph, OnnxNode

GATES = {"Sigmoid": "Silu", "HardSigmoid": "HardSwish"}
"""A function, and what x times it is."""
NEUTRAL: dict[str, Callable[[float], bool]] = {"Conv": lambda v: v == 0, "MaxPool": lambda v: v < -1e30}
"""What an operator pads with by itself."""


def joined(graph: OnnxGraph) -> OnnxGraph:
    """The graph with such groups as one node each; its nodes are changed."""
    for find in (_gelu, _gated, _mish, _biased, _padded):
        makers = {out: node for node in graph.nodes for out in node.outputs}
        gone: set[int] = set()
        for node in graph.nodes:
            if id(node) not in gone:
                gone.update(map(id, find(graph, makers, node)))
        graph.nodes = [node for node in graph.nodes if id(node) not in gone]
        graph.link()
    return graph


def _alone(graph: OnnxGraph, node: OnnxNode) -> OnnxNode | None:
    """The one node that takes what a node gives."""
    users = graph.users.get(node.outputs[0], [])
    return users[0] if len(users) == 1 and node.outputs[0] not in graph.outputs else None


def _scalar(graph: OnnxGraph, node: OnnxNode | None, kind: str, *values: float) -> str | None:
    """The other operand of a node of a kind that has one of the constants; None for another node."""
    if node is None or node.kind != kind or len(node.inputs) != 2:
        return None
    for k in (1, 0) if kind != "Div" else (1,):
        array = graph.constants.get(node.inputs[k])
        if array is not None and array.size == 1 and any(math.isclose(array.item(), v, rel_tol=1e-3) for v in values):
            return node.inputs[1 - k]
    return None


def _gelu(graph: OnnxGraph, makers: dict[str, OnnxNode], node: OnnxNode) -> Iterable[OnnxNode]:
    """½ x (1 + erf(x / √2)), or 1 - erf(-x / √2), with the products in any order."""
    if node.kind != "Erf" or (inner := makers.get(node.inputs[0])) is None or _alone(graph, inner) is not node:
        return ()
    group = [inner, node]
    x = _scalar(graph, inner, "Div", math.sqrt(2)) or _scalar(graph, inner, "Mul", math.sqrt(0.5))
    plus = _alone(graph, node)
    if x is None or plus is None or (first := _alone(graph, plus)) is None or first.kind != "Mul":
        return ()
    negated = makers.get(x)
    if negated is not None and negated.kind == "Neg" and _alone(graph, negated) is inner:
        group.append(negated)
        x = negated.inputs[0]
        one = graph.constants.get(plus.inputs[0]) if plus.kind == "Sub" else None
        if one is None or one.size != 1 or one.item() != 1:
            return ()
    elif _scalar(graph, plus, "Add", 1) is None:
        return ()
    group.append(plus)
    (other,) = [name for name in first.inputs if name != plus.outputs[0]] or [""]
    half = makers.get(other)
    if half is not None and _scalar(graph, half, "Mul", 0.5) == x and _alone(graph, half) is first:
        group.append(half)
        end = first
    else:
        group.append(first)
        last = _alone(graph, first)
        if last is None or last.kind != "Mul":
            return ()
        is_halved = other == x and _scalar(graph, last, "Mul", 0.5) is not None
        if not is_halved and not (_scalar(graph, first, "Mul", 0.5) is not None and x in last.inputs):
            return ()
        end = last
    end.kind, end.inputs, end.attributes = "Gelu", [x], {}
    return group


def _gated(graph: OnnxGraph, makers: dict[str, OnnxNode], node: OnnxNode) -> Iterable[OnnxNode]:
    """x · sigmoid(x) and the like."""
    end = _alone(graph, node)
    if node.kind not in GATES or end is None or end.kind != "Mul" or node.inputs[0] not in end.inputs:
        return ()
    if node.kind == "HardSigmoid" and not (
        math.isclose(node.get("alpha", float, 0.2), 1 / 6, rel_tol=1e-3) and node.get("beta", float, 0.5) == 0.5
    ):
        return ()
    end.kind, end.inputs = GATES[node.kind], [node.inputs[0]]
    return (node,)


def _mish(graph: OnnxGraph, makers: dict[str, OnnxNode], node: OnnxNode) -> Iterable[OnnxNode]:
    """x · tanh(softplus(x))."""
    if node.kind != "Softplus" or (tanh := _alone(graph, node)) is None or tanh.kind != "Tanh":
        return ()
    end = _alone(graph, tanh)
    if end is None or end.kind != "Mul" or node.inputs[0] not in end.inputs:
        return ()
    end.kind, end.inputs = "Mish", [node.inputs[0]]
    return (node, tanh)


def _biased(graph: OnnxGraph, makers: dict[str, OnnxNode], node: OnnxNode) -> Iterable[OnnxNode]:
    """A product with a matrix, and a row that is added to it."""
    if node.kind != "MatMul" or node.inputs[1] not in graph.constants or (end := _alone(graph, node)) is None:
        return ()
    kernel = graph.constants[node.inputs[1]]
    others = [name for name in end.inputs if name != node.outputs[0]]
    if end.kind != "Add" or kernel.ndim != 2 or len(others) != 1 or others[0] not in graph.constants:
        return ()
    row = graph.constants[others[0]]
    if row.size != kernel.shape[1] or row.shape[-1:] != kernel.shape[1:] or row.ndim > 3:
        return ()
    end.kind, end.inputs, end.at = "MatMul", [*node.inputs, others[0]], node.at
    return (node,)


def _padded(graph: OnnxGraph, makers: dict[str, OnnxNode], node: OnnxNode) -> Iterable[OnnxNode]:
    """Zeros around an image and a convolution of that, or what is less than all and a pool of maxima."""
    end = _alone(graph, node)
    if node.kind != "Pad" or end is None or end.kind not in NEUTRAL or any(end.attributes.get("pads", [])):
        return ()
    pads = node.attributes.get("pads")
    if pads is None and len(node.inputs) > 1 and node.inputs[1] in graph.constants:
        pads = [int(n) for n in graph.constants[node.inputs[1]].reshape(-1)]
    value = graph.constants.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    filled = float(node.get("value", float, 0.0)) if value is None or not value.size else float(value.reshape(-1)[0])
    if (
        pads is None
        or not NEUTRAL[end.kind](filled)
        or node.get("mode", str, "constant") != "constant"
        or (len(node.inputs) > 3 and node.inputs[3])
        or end.get("auto_pad", str, "NOTSET") not in ("NOTSET", "VALID")
    ):
        return ()
    rank = len(pads) // 2
    if rank < 3 or any((pads[0], pads[1], pads[rank], pads[rank + 1])) or min(pads) < 0:
        return ()
    end.attributes = {**end.attributes, "pads": [*pads[2:rank], *pads[rank + 2 :]], "auto_pad": "NOTSET"}
    end.inputs = [node.inputs[0], *end.inputs[1:]]
    return (node,)
