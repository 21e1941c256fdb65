"""Layers of a .prototxt as steps, with the sizes that Caffe gives to their outputs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from archspec.importing.formats.caffe.reader import LayerReader, Rule, Turn
from archspec.importing.formats.caffe.text import Message
from archspec.importing.maps import MapResult, Reading, rows_moved, turned
from archspec.importing.network import refused
from archspec.ir.diagnostics import shown

if TYPE_CHECKING:
    import numpy as np

EPSILON = 1e-5


def _as_it_is(shape: tuple[int, ...], read: Reading) -> Reading:
    return lambda: read().reshape(-1)


def _of_kernel(groups: int | None) -> Turn:
    return lambda shape, read: turned(read, groups)


def _of_rows(places: tuple[int, int, int] | None) -> Turn:
    def turn(shape: tuple[int, ...], read: Reading) -> Reading:
        # Before 2015 a matrix was a blob of four axes.
        def matrix() -> np.ndarray:
            array = read()
            return array.reshape(array.shape[-2:])

        return rows_moved(matrix, places)

    return turn


def _pair(param: Message, name: str, default: int, *, least: int) -> tuple[int, int]:
    """A number for height and width: one for both, one each, or ``name_h`` and ``name_w``."""
    stem = name.removesuffix("_size")
    if param.all(f"{stem}_h") or param.all(f"{stem}_w"):
        return param.whole(f"{stem}_h", default, least=least), param.whole(f"{stem}_w", default, least=least)
    found = param.wholes(name) or [default]
    if len(found) > 2 or min(found) < least:
        raise refused("I03", f"{name} must be one or two numbers of at least {least}, got {found}", param.place(name))
    return found[0], found[-1]


def _alike(pair: tuple[int, int]) -> Any:
    return pair[0] if pair[0] == pair[1] else list(pair)


def _convolution(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    x = net.map(taken[0], layer.span)
    param = layer.message("convolution_param")
    filters, groups = param.whole("num_output", 0, least=1), param.whole("group", 1, least=1)
    kernel, stride = _pair(param, "kernel_size", 0, least=1), _pair(param, "stride", 1, least=1)
    pad, dilation = _pair(param, "pad", 0, least=0), _pair(param, "dilation", 1, least=1)
    has_bias = param.truth("bias_term", True)
    is_transposed = layer.text("type") in ("Deconvolution", "DECONVOLUTION")
    if not filters or not kernel[0] or not kernel[1]:
        raise refused("I03", "it says no num_output and kernel_size", layer.span)
    if param.whole("axis", 1, least=-4) not in (1, -3):
        raise refused("I02", "an op's windows go over height and width", param.place("axis"))
    if x.channels % groups or filters % groups:
        raise refused("I03", f"{groups} groups do not divide {x.channels} channels and {filters} filters", layer.span)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    sides = (x.height, x.width)
    step: dict[str, Any] = {
        "kernel": _alike(kernel),
        "stride": _alike(stride),
        "dilation": _alike(dilation),
        "bias": has_bias,
        "padding": _alike(pad) if any(pad) or is_transposed else "same" if spans == [1, 1] else "valid",
    }
    if stride == (1, 1) and not is_transposed and all(2 * p == s - 1 for p, s in zip(pad, spans, strict=True)):
        step["padding"] = "same"
    depth: int | None = None
    if is_transposed:
        if groups != 1:
            raise refused("I02", "no op transposes a convolution in groups", param.place("group"))
        lengths = [(n - 1) * s + k - 2 * p for n, s, k, p in zip(sides, stride, spans, pad, strict=True)]
        step = {"conv_transpose": {"filters": filters, **step}}
    else:
        lengths = [(n + 2 * p - k) // s + 1 for n, s, k, p in zip(sides, stride, spans, pad, strict=True)]
        depth = groups if groups == x.channels and groups > 1 else None
        if depth:
            step = {"depthwise_conv": {**step, "multiplier": filters // groups}}
        else:
            step = {"conv": {"filters": filters, **step, "groups": groups}}
    made = net.step(step, [x], layer.span, MapResult("", lengths[0], lengths[1], filters))
    kept = {"kernel": ("weight", _of_kernel(depth))}
    net.keep(layer, made.name, **kept, **({"bias": ("bias", _as_it_is)} if has_bias else {}))
    return made


def _inner_product(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    x = taken[0]
    param = layer.message("inner_product_param")
    units, has_bias = param.whole("num_output", 0, least=1), param.truth("bias_term", True)
    if not units:
        raise refused("I03", "it says no num_output", layer.span)
    if param.whole("axis", 1) != 1 or param.truth("transpose", False):
        raise refused("I02", "an op takes all axes behind the batch, and rows for outputs", param.place("axis"))
    flat = net.vector(x, layer.span)
    made = net.step({"dense": {"units": units, "bias": has_bias}}, [flat], layer.span, MapResult("", 1, 1, units, True))
    kept = {"kernel": ("weight", _of_rows(x.places))}
    net.keep(layer, made.name, **kept, **({"bias": ("bias", _as_it_is)} if has_bias else {}))
    return made


def _pooling(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    x = net.map(taken[0], layer.span)
    param = layer.message("pooling_param")
    kind = param.text("pool", "MAX")
    if kind not in ("MAX", "AVE"):
        raise refused("I02", f"no op pools by {shown(kind)}", param.place("pool"))
    stride, pad = _pair(param, "stride", 1, least=1), _pair(param, "pad", 0, least=0)
    is_ceil = param.text("round_mode", "CEIL") == "CEIL"
    if param.truth("global_pooling", False):
        op = "global_max_pool" if kind == "MAX" else "global_avg_pool"
        return net.step({op: None}, [x], layer.span, MapResult("", 1, 1, x.channels, True))
    size = _pair(param, "kernel_size", 0, least=1)
    if not size[0] or not size[1]:
        raise refused("I03", "it says no kernel_size", layer.span)
    if kind == "AVE" and size == (x.height, x.width) and not any(pad):
        return net.step({"global_avg_pool": None}, [x], layer.span, MapResult("", 1, 1, x.channels, True))
    lengths = []
    for n, k, s, p in zip((x.height, x.width), size, stride, pad, strict=True):
        length = (-(-(n + 2 * p - k) // s) if is_ceil else (n + 2 * p - k) // s) + 1
        lengths.append(length - 1 if p and (length - 1) * s >= n + p else length)
    step = {"size": _alike(size), "padding": _alike(pad) if any(pad) else "valid"}
    if stride != size:
        step["stride"] = _alike(stride)
    exact = all((n + 2 * p - k) % s == 0 for n, k, s, p in zip((x.height, x.width), size, stride, pad, strict=True))
    if is_ceil and not exact:
        step["ceil"] = True
    op = "max_pool" if kind == "MAX" else "avg_pool"
    return net.step({op: step}, [x], layer.span, MapResult("", lengths[0], lengths[1], x.channels))


def _batch_norm(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    x = taken[0]
    param = layer.message("batch_norm_param")
    epsilon = param.number("eps", EPSILON)
    if not param.truth("use_global_stats", True):
        said = "it normalises by the batch's own mean and variance; an op does so in training alone"
        net.network.left_out(said, param.place("use_global_stats"))
    step = {"batch_norm": {"epsilon": epsilon, "scale": False, "center": False}}
    made = net.step(step, [x], layer.span, x)
    net.norms[made.name] = (len(net.stored), x)
    moving = {"moving_mean": ("running_mean", _as_it_is), "moving_variance": ("running_var", _as_it_is)}
    net.keep(layer, made.name, **moving)
    return made


def _scale(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    param = layer.message("scale_param")
    axis, count = param.whole("axis", 1, least=-4), param.whole("num_axes", 1, least=-1)
    is_of_channels = axis in (1, -3) and count == 1
    if not is_of_channels and len(taken) < 2:
        raise refused("I02", "an op has a factor for each channel", param.place("axis"))
    x, has_bias = taken[0], param.truth("bias_term", False)
    if len(taken) == 2:
        if has_bias:
            raise refused("I02", "no op multiplies two tensors and adds a bias", param.place("bias_term"))
        return net.step({"multiply": None}, [x, net.map(taken[1], layer.span)], layer.span, x)
    norm = net.norms.get(x.name)
    if norm is not None:
        # Both are one op here, and one layer of what a .caffemodel is read as.
        place, before = norm
        entry, stored = net.network.draft.steps[x.name], net.stored[place]
        step = {"batch_norm": {**entry.step["batch_norm"], "scale": True, "center": has_bias}}
        made = net.step(step, [before], entry.origin, before)
        more = {"weight": ("gamma", _as_it_is), **({"bias": ("beta", _as_it_is)} if has_bias else {})}
        net.stored[place] = replace(stored, step=made.name, roles={**stored.roles, **more})
        return made
    made = net.step({"layer_scale": {"init": 1.0}}, [x], layer.span, x)
    net.keep(layer, made.name, gamma=("weight", _as_it_is))
    if has_bias:
        made = net.step({"bias": None}, [made], layer.span, made)
        net.keep(layer, made.name, bias=("bias", _as_it_is))
    return made


def _relu(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    slope = layer.message("relu_param").number("negative_slope", 0.0)
    return net.step({"leaky_relu": slope} if slope else {"relu": None}, taken[:1], layer.span, taken[0])


def _elu(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    alpha = layer.message("elu_param").number("alpha", 1.0)
    return net.step({"elu": None if alpha == 1 else alpha}, taken[:1], layer.span, taken[0])


def _swish(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    param = layer.message("swish_param")
    if (beta := param.number("beta", 1.0)) != 1:
        raise refused("I02", f"no op corresponds to x · sigmoid(beta · x) with beta {beta:g}", param.place("beta"))
    return net.step({"silu": None}, taken[:1], layer.span, taken[0])


def _prelu(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    if layer.message("prelu_param").truth("channel_shared", False):
        raise refused("I02", "an op has a slope for each channel", layer.place("prelu_param"))
    x = taken[0]
    made = net.step({"prelu": None}, [x], layer.span, x)
    ones = (1,) * (len(x.shape) - 1)
    net.keep(layer, made.name, alpha=("weight", lambda shape, read: lambda: read().reshape(*ones, -1)))
    return made


def _power(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    param, x = layer.message("power_param"), taken[0]
    power, scale, shift = param.number("power", 1.0), param.number("scale", 1.0), param.number("shift", 0.0)
    if (scale, shift) != (1.0, 0.0):
        x = net.step({"scale": {"factor": scale, "offset": shift}}, [x], layer.span, x)
    return x if power == 1 else net.step({"power": power}, [x], layer.span, x)


def _lrn(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    param = layer.message("lrn_param")
    if param.text("norm_region", "ACROSS_CHANNELS") != "ACROSS_CHANNELS":
        raise refused("I02", "an op normalises across channels", param.place("norm_region"))
    step = {
        "size": param.whole("local_size", 5, least=1),
        "alpha": param.number("alpha", 1.0),
        "beta": param.number("beta", 0.75),
        "k": param.number("k", 1.0),
        "divide": True,
    }
    return net.step({"lrn": step}, taken[:1], layer.span, taken[0])


def _concat(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    param = layer.message("concat_param")
    if param.whole("axis", param.whole("concat_dim", 1), least=-4) not in (1, -3):
        raise refused("I02", "maps are joined along channels", param.place("axis"))
    if len(taken) == 1:
        return taken[0]
    out = replace(taken[0], channels=sum(r.channels for r in taken))
    return net.step({"concat": None}, taken, layer.span, out)


def _eltwise(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    param = layer.message("eltwise_param")
    kind = param.text("operation", "SUM")
    weights = [value for value, _ in param.all("coeff")]
    op = {"SUM": "add", "PROD": "multiply", "MAX": "maximum"}.get(kind)
    if op is None:
        raise refused("I02", f"no op corresponds to {shown(kind)}", param.place("operation"))
    if weights and (op != "add" or len(weights) != len(taken)):
        raise refused("I03", "a sum has a coeff for each of its bottoms, or none", param.place("coeff"))
    if weights == [1, -1]:
        op = "subtract"
    else:
        taken = [
            x if weight == 1 else net.step({"scale": float(weight)}, [x], layer.span, x)
            for x, weight in zip(taken, weights or [1] * len(taken), strict=True)
        ]
    return taken[0] if len(taken) == 1 else net.step({op: None}, taken, layer.span, taken[0])


def _dropout(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    rate = layer.message("dropout_param").number("dropout_ratio", 0.5)
    return net.step({"dropout": {"rate": rate}}, taken[:1], layer.span, taken[0])


def _flatten(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    x, param = taken[0], layer.message("flatten_param")
    for name, usual, alike in (("axis", 1, -3), ("end_axis", -1, 3)):
        # Caffe's axes of a vector may be two or four, and all but the batch come to the same.
        axis = param.whole(name, usual, least=-4)
        if axis == 0 or (axis not in (usual, alike) and not x.is_vector):
            raise refused("I02", "an op makes one axis of all behind the batch", param.place(name))
    if x.places is not None and x.height * x.width > 1:
        # What follows is told the order by the weights alone where it is dense; here the order itself is kept.
        step = {"permute": {"axes": [2, 0, 1]}}
        name = net.network.add(step, [x.name], layer.span, (x.channels, x.height, x.width))
        x = replace(x, name=name)
    return net.vector(x, layer.span)


def _softmax(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    if layer.message("softmax_param").whole("axis", 1, least=-4) not in (1, -3):
        raise refused("I02", "softmax is over channels", layer.place("softmax_param"))
    return net.step({"softmax": None}, taken[:1], layer.span, taken[0])


def _slice(net: LayerReader, layer: Message, taken: list[MapResult]) -> list[MapResult]:
    param, x = layer.message("slice_param"), taken[0]
    if param.whole("axis", param.whole("slice_dim", 1), least=-4) not in (1, -3):
        raise refused("I02", "maps are cut along channels", param.place("axis"))
    count = len(layer.texts("top"))
    points = param.wholes("slice_point") or [x.channels * k // count for k in range(1, count)]
    ends = [0, *points, x.channels]
    if sorted(set(ends)) != ends or (not param.wholes("slice_point") and x.channels % count):
        raise refused("I03", f"{x.channels} channels are not cut at {points}", layer.span)
    return [
        net.step({"slice": {"range": [a, b]}}, [x], layer.span, replace(x, channels=b - a)) for a, b in pairwise(ends)
    ]


def _function(op: str) -> Rule:
    return lambda net, layer, taken: net.step({op: None}, taken[:1], layer.span, taken[0])


def _same(net: LayerReader, layer: Message, taken: list[MapResult]) -> MapResult:
    return taken[0]


RULES: dict[str, Rule] = {
    "Convolution": _convolution,
    "DepthwiseConvolution": _convolution,
    "Deconvolution": _convolution,
    "InnerProduct": _inner_product,
    "Pooling": _pooling,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "ReLU": _relu,
    "PReLU": _prelu,
    "ELU": _elu,
    "Swish": _swish,
    "Power": _power,
    "LRN": _lrn,
    "Concat": _concat,
    "Eltwise": _eltwise,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Softmax": _softmax,
    "Slice": _slice,
    "Split": _same,
    **{kind: _function(op) for kind, op in {"Sigmoid": "sigmoid", "TanH": "tanh", "AbsVal": "abs"}.items()},
    **{kind: _function(op) for kind, op in {"BNLL": "softplus", "ReLU6": "relu6"}.items()},
}
