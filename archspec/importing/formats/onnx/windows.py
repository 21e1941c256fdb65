"""Operators that look at windows of an image, and normalisations of its channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.importing.formats.onnx.model import OnnxNode
from archspec.importing.formats.onnx.reader import GraphReader, Rule, Shape, Value
from archspec.importing.network import refused

if TYPE_CHECKING:
    import numpy as np


def alike(values: list[int]) -> Any:
    """One number where all axes have it."""
    return values[0] if len(set(values)) == 1 else values


def _per_axis(node: OnnxNode, name: str, rank: int, default: int) -> list[int]:
    values = node.get(name, list, None) or [default] * rank
    if len(values) != rank or not all(isinstance(n, int) and n >= 0 for n in values):
        raise refused("I03", f"its {name} is not a number for each of {rank} axes: {values!r:.60}", node.at)
    return list(values)


def _pads(node: OnnxNode, spans: list[int], strides: list[int], sizes: Shape, *, is_mean: bool = False) -> Any:
    """The argument ``padding``. Zeros are told by number where ``same`` is not the same for all sizes."""
    rank = len(spans)
    match node.get("auto_pad", str, "NOTSET"):
        case "SAME_UPPER":
            return "same"
        case "VALID":
            return "valid"
        case "SAME_LOWER":
            if any(s != 1 for s in strides) or any(not n % 2 for n in spans):
                raise refused("I02", "an odd row of padding goes to the beginning; no op has it there", node.at)
            return "same"
    pads = node.get("pads", list, None) or [0] * (2 * rank)
    if len(pads) != 2 * rank or not all(isinstance(n, int) and 0 <= n < 1 << 31 for n in pads):
        raise refused("I03", f"its pads are not two numbers for each of {rank} axes: {pads!r:.60}", node.at)
    pairs = list(zip(pads[:rank], pads[rank:], strict=True))
    if is_mean and any(pads):
        if pairs == [_same_pads(*row) for row in zip(spans, strides, sizes, strict=True)]:
            return "same"
        raise refused("I02", "it leaves padding out of the mean; an op does that with padding same alone", node.at)
    if all(s == 1 and sum(p) == n - 1 and p[0] == (n - 1) // 2 for p, n, s in zip(pairs, spans, strides, strict=True)):
        return "same"
    if not any(pads):
        return "same" if all(n == 1 for n in spans) else "valid"
    return alike([a for a, _ in pairs]) if all(a == b for a, b in pairs) else [list(pair) for pair in pairs]


def _same_pads(span: int, stride: int, size: int | None) -> tuple[int, int] | None:
    """Zeros before and behind an axis that ``same`` stands for; None where they depend on a size that is open."""
    if size is None:
        return ((span - 1) // 2, span // 2) if stride == 1 else None
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2


def _shape_of_kernel(node: OnnxNode, kernel: np.ndarray, x: Value) -> int:
    rank = len(x.axes) - 1
    if kernel.ndim != rank + 2 or rank < 1 or kernel.size == 0:
        raise refused("I03", f"a kernel of {kernel.ndim} axes does not fit its input of {len(x.axes) + 1}", node.at)
    return rank


def _conv(reader: GraphReader, node: OnnxNode) -> None:
    x, kernel, bias = reader.image(node), reader.needed(node, 1), reader.constant(node, 2)
    rank = _shape_of_kernel(node, kernel, x)
    strides, dilations = _per_axis(node, "strides", rank, 1), _per_axis(node, "dilations", rank, 1)
    groups, (filters, each, *sides) = node.get("group", int, 1), kernel.shape
    spans = [(k - 1) * d + 1 for k, d in zip(sides, dilations, strict=True)]
    step: dict[str, Any] = {
        "kernel": alike(sides),
        "stride": alike(strides),
        "padding": _pads(node, spans, strides, x.shape[:-1]),
        "dilation": alike(dilations),
        "bias": bias is not None,
    }
    is_depthwise = groups == x.shape[-1] and groups > 1 and each == 1 and filters % groups == 0 and rank < 3
    if is_depthwise:
        made = reader.emit({"depthwise_conv": {**step, "multiplier": filters // groups}}, [x], node, x.axes)
        turned = kernel.reshape(groups, filters // groups, *sides).transpose(*range(2, rank + 2), 0, 1)
    else:
        made = reader.emit({"conv": {"filters": filters, **step, "groups": groups}}, [x], node, x.axes)
        turned = kernel.transpose(*range(2, rank + 2), 1, 0)
    reader.hold(made, node, node.inputs[1:2], kernel=turned, bias=bias)


def _conv_transpose(reader: GraphReader, node: OnnxNode) -> None:
    x, kernel, bias = reader.image(node), reader.needed(node, 1), reader.constant(node, 2)
    rank = _shape_of_kernel(node, kernel, x)
    strides, dilations = _per_axis(node, "strides", rank, 1), _per_axis(node, "dilations", rank, 1)
    if node.get("group", int, 1) != 1:
        raise refused("I02", "no op transposes a convolution in groups", node.at)
    if node.get("auto_pad", str, "NOTSET") != "NOTSET" or "output_shape" in node.attributes:
        raise refused("I02", "its padding follows from the size of the output; an op has it given", node.at)
    more = _per_axis(node, "output_padding", rank, 0)
    pads = node.get("pads", list, None) or [0] * (2 * rank)
    if len(pads) != 2 * rank or not all(isinstance(n, int) and 0 <= n < 1 << 31 for n in pads):
        raise refused("I03", f"its pads are not two numbers for each of {rank} axes: {pads!r:.60}", node.at)
    step = {
        "filters": kernel.shape[1],
        "kernel": alike([*kernel.shape[2:]]),
        "stride": alike(strides),
        "padding": [[a, b] for a, b in zip(pads[:rank], pads[rank:], strict=True)],
        "output_padding": alike(more),
        "dilation": alike(dilations),
        "bias": bias is not None,
    }
    made = reader.emit({"conv_transpose": step}, [x], node, x.axes)
    reader.hold(made, node, node.inputs[1:2], kernel=kernel.transpose(*range(2, rank + 2), 1, 0), bias=bias)


def _pool(op: str) -> Rule:
    def rule(reader: GraphReader, node: OnnxNode) -> None:
        x = reader.image(node)
        rank = len(x.axes) - 1
        sizes, strides = _per_axis(node, "kernel_shape", rank, 0), _per_axis(node, "strides", rank, 1)
        if any(n != 1 for n in _per_axis(node, "dilations", rank, 1)):
            raise refused("I02", "no op pools over windows with gaps", node.at)
        if len(node.outputs) > 1 and node.outputs[1]:
            raise refused("I02", "no op gives the places of the maxima", node.at)
        leaves_out = op == "avg_pool" and not node.get("count_include_pad", int, 0)
        padding = _pads(node, sizes, strides, x.shape[:-1], is_mean=leaves_out)
        if op == "avg_pool" and not leaves_out and padding == "same" and any(n > 1 for n in sizes):
            # Zeros count here, and ``same`` leaves them out of the mean.
            found = [_same_pads(*row) for row in zip(sizes, strides, x.shape[:-1], strict=True)]
            if None in found:
                raise refused("I02", "its padding, which counts in the mean, follows from a size that is open", node.at)
            padding = [list(pair) for pair in found if pair]
        step: dict[str, Any] = {"size": alike(sizes), "padding": padding}
        if strides != sizes:
            step["stride"] = alike(strides)
        if node.get("ceil_mode", int, 0):
            step["ceil"] = True
        reader.emit({op: step}, [x], node, x.axes)

    return rule


def _global_pool(op: str) -> Rule:
    def rule(reader: GraphReader, node: OnnxNode) -> None:
        x = reader.image(node)
        reader.emit({op: {"keep": True}}, [x], node, x.axes)

    return rule


def _batch_norm(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.image(node)
    gamma, beta, mean, variance = (reader.needed(node, place) for place in (1, 2, 3, 4))
    if node.get("training_mode", int, 0) or any(node.outputs[1:]):
        raise refused("I02", "it normalises as in training", node.at)
    step: dict[str, Any] = {"epsilon": float(node.get("epsilon", float, 1e-5))}
    momentum = float(node.get("momentum", float, 0.9))
    made = reader.emit({"batch_norm": {**step, "momentum": momentum}}, [x], node, x.axes)
    reader.hold(made, node, node.inputs[1:2], gamma=gamma, beta=beta, moving_mean=mean, moving_variance=variance)


def _instance_norm(reader: GraphReader, node: OnnxNode) -> None:
    x, gamma, beta = reader.image(node), reader.needed(node, 1), reader.needed(node, 2)
    step = {"epsilon": float(node.get("epsilon", float, 1e-5)), "scale": True, "center": True}
    made = reader.emit({"instance_norm": step}, [x], node, x.axes)
    reader.hold(made, node, node.inputs[1:2], gamma=gamma, beta=beta)


def _group_norm(reader: GraphReader, node: OnnxNode) -> None:
    x, gamma, beta = reader.image(node), reader.needed(node, 1), reader.needed(node, 2)
    step = {"groups": node.get("num_groups", int, 0), "epsilon": float(node.get("epsilon", float, 1e-5))}
    if gamma.size != x.shape[-1]:
        raise refused("I02", "it has a factor for each group; an op has one for each channel", node.at)
    made = reader.emit({"group_norm": step}, [x], node, x.axes)
    reader.hold(made, node, node.inputs[1:2], gamma=gamma, beta=beta)


def _lrn(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.image(node)
    step = {
        "size": node.get("size", int, 0),
        "alpha": float(node.get("alpha", float, 1e-4)),
        "beta": float(node.get("beta", float, 0.75)),
        "k": float(node.get("bias", float, 1.0)),
        "divide": True,
    }
    reader.emit({"lrn": step}, [x], node, x.axes)


RULES: dict[str, Rule] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
    "GlobalAveragePool": _global_pool("global_avg_pool"),
    "GlobalMaxPool": _global_pool("global_max_pool"),
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "GroupNormalization": _group_norm,
    "LRN": _lrn,
}
