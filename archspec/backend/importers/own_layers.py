"""Layers of archspec's own as the ops that made them: their arguments are those of the ops, under few other names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import comb
from typing import Any

from archspec.backend.importers.keras_arguments import (
    LayerPart,
    Step,
    UnsaidLayer,
    activation,
    alike,
    axis_of,
    listed,
    one,
    said,
    sides,
)
from archspec.backend.importers.keras_calls import LayerCall

Config = Mapping[str, Any]
OF_KERAS = frozenset(("name", "trainable", "dtype", "activity_regularizer", "quantization_config"))
"""Arguments of every layer."""
OPS = {
    "AdditiveAttention": "additive_attention",
    "Bias": "bias",
    "BoxArea": "box_area",
    "BoxDecoding": "decode_boxes",
    "BoxEncoding": "encode_boxes",
    "BoxMerging": "merge_boxes",
    "BoxOverlap": "iou",
    "ChannelShuffle": "channel_shuffle",
    "ClassToken": "class_token",
    "Divide": "divide",
    "Folding": "folding",
    "GridSample": "grid_sample",
    "HistogramsOfGradients": "hog",
    "Interpolation": "interpolate",
    "KMaxPooling": "k_max_pool",
    "LayerScale": "layer_scale",
    "SampleNormal": "sample_normal",
    "MatrixProduct": "matmul",
    "Maxout": "maxout",
    "NonMaximumSuppression": "nms",
    "OneHot": "one_hot",
    "PadChannels": "pad_channels",
    "PixelShuffle": "pixel_shuffle",
    "PixelUnshuffle": "pixel_unshuffle",
    "PositionEmbedding": "position_embedding",
    "Rbf": "rbf",
    "RelativePositionBias": "relative_position_bias",
    "ReversibleEmbedding": "reversible_embedding",
    "RotaryPosition": "rotary_position",
    "SinusoidalPosition": "sinusoidal_position",
    "StopGradient": "detach",
    "WindowPartition": "window_partition",
}
"""Classes whose arguments are called as those of the op."""


def parts(call: LayerCall) -> list[LayerPart]:
    """The steps of a call. Raises UnsaidLayer."""
    operands = range(len(call.operands))
    if rule := RULES.get(call.kind):
        return one(rule(call.config), operands)
    if op := OPS.get(call.kind):
        return one(_as_named(op, call.config), operands)
    raise UnsaidLayer("it is a layer of archspec's own that is not read back yet")


def is_own(call: LayerCall) -> bool:
    """Whether a layer is one of archspec's own that has a rule here, not one that is called as one of Keras's."""
    return call.module.partition(".")[0] == "archspec" and (call.kind in RULES or call.kind in OPS)


def _as_named(op: str, config: Config) -> Step:
    return said(op, {k: v for k, v in config.items() if k not in OF_KERAS})


def _anchors(config: Config) -> Step:
    shapes, (rows, columns) = listed(config["shapes"]), config["stride"]
    stride = alike(config["stride"])
    if all(shape == [columns, rows] for shape in shapes) and config["offset"] == 0.5 and not config["round"]:
        return said("cells", {"stride": stride, "count": len(shapes)})
    return said(
        "anchors", {"sizes": shapes, "stride": stride, "offset": config["offset"], "round": bool(config["round"])}
    )


def _attention(config: Config) -> Step:
    names = ("heads", "key_dim", "dim_out", "bias", "causal", "rotary", "dropout")
    args = {name: config[name] for name in names}
    args["value_dim"] = None if config["value_dim"] == config["key_dim"] else config["value_dim"]
    args["kv_heads"] = None if config["kv_heads"] == config["heads"] else config["kv_heads"]
    return said("attention", args)


def _locally_connected(config: Config) -> Step:
    args = {
        "filters": config["filters"],
        "kernel": alike(config["kernel_size"]),
        "stride": alike(config["strides"]),
        "padding": sides(config["sides"]),
        "bias": config["use_bias"],
        "activation": activation(config["activation"]),
    }
    return said("locally_connected", args)


def _roi_align(config: Config) -> Step:
    size, level = config["canonical"]
    args = {name: listed(config[name]) for name in ("samples", "aligned")}
    stride = {"size": alike(config["size"]), "stride": alike(config["stride"])}
    return said("roi_align", {**stride, **args, "canonical_size": size, "canonical_stride": level})


def _of_regions(op: str, *names: str) -> Callable[[Config], Step]:
    return lambda config: said(op, {"size": alike(config["size"]), **{name: config[name] for name in names}})


def _of_class(config: Config) -> Step:
    return said("of_class", {"axis": axis_of(config["axis"]), "background": "first" if config["first"] else "none"})


def _merged(config: Config) -> Step:
    args = {name: config[name] for name in ("overlap", "score", "area")}
    return said("merge_panoptic", {**args, "stuff": listed(config["stuff"])})


def _blur(config: Config) -> Step:
    taps, mode = config["taps"], config["mode"]
    usual = [comb(len(taps) - 1, i) / 2 ** (len(taps) - 1) for i in range(len(taps))]
    if listed(taps) != usual:
        raise UnsaidLayer("it blurs by other numbers than those of a binomial")
    args = {"size": len(taps), "stride": alike(config["strides"]), "mode": "reflect" if mode == "reflect" else "zero"}
    return said("blur_pool", args)


def _local_response(config: Config) -> Step:
    return said("lrn", {k: config[k] for k in ("size", "alpha", "beta", "k")})


def _pad(config: Config) -> Step:
    return said("pad", {"padding": sides(config["padding"]), "mode": config["mode"]})


def _slice(config: Config) -> Step:
    return said("slice", {"range": [config["start"], config["stop"]], "axis": axis_of(config["axis"])})


def _split(config: Config) -> Step:
    sizes = listed(config["sizes"])
    parts = len(sizes) if len({*sizes}) == 1 else sizes
    return said("split", {"parts": parts, "axis": axis_of(config["axis"])})


def _of_elements(config: Config) -> Step:
    second = config.get("x2")
    return {config["function"]: second}


def _gated(config: Config) -> Step:
    return said("glu", {"gate": activation(config["gate"]) or "linear"})


def _pool(config: Config) -> Step:
    size, stride = alike(config["size"]), alike(config["strides"])
    args = {"size": size, "stride": None if stride == size else stride, "padding": sides(config["padding"])}
    if args["padding"] == 0:
        args["padding"] = "valid"
    return said(f"{'max' if config['mode'] == 'max' else 'avg'}_pool", {**args, "ceil": config.get("ceil", False)})


def _indexed_pool(config: Config) -> Step:
    ((op, args),) = _pool({**config, "mode": "max"}).items()
    return {op: {**(args or {}), "indices": True}}


def _dtype(policy: object) -> Any:
    """The type of a layer's dtype policy."""
    return policy["config"]["name"] if isinstance(policy, Mapping) else policy


def _resize(config: Config) -> Step:
    args = {"size": alike(config["size"]), "mode": config["mode"], "align_corners": config["align_corners"]}
    return said("resize", args)


def _reduce(config: Config) -> Step:
    axes = [axis_of(axis) for axis in config["axis"]]
    return said("reduce", {"reduction": config["kind"], "axis": axes, "keep": config["keepdims"]})


def _window_attention(config: Config) -> Step:
    args = {"heads": config["heads"], "window": alike(config["window"]), "shift": alike(config["shift"])}
    return said("window_attention", {**args, **{name: config[name] for name in ("grid", "bias", "dropout")}})


RULES: Mapping[str, Callable[[Config], Step]] = {
    "AlignedRegions": _roi_align,
    "Anchors": _anchors,
    "Attention": _attention,
    "BlurPool": _blur,
    "ConstantTensor": lambda config: said(
        "constant",
        {"value": listed(config["value"]), "shape": listed(config["shape"]), "dtype": _dtype(config["dtype"])},
    ),
    "CroppedMasks": _of_regions("crop_masks", "samples"),
    "CroppedRegions": _of_regions("crop_and_resize", "stride", "fill"),
    "CumulativeSum": lambda config: said("cumsum", {"axis": axis_of(config["axis"])}),
    "Gather": lambda config: said("gather", {"indices": listed(config["indices"]), "axis": axis_of(config["axis"])}),
    "LocallyConnected": _locally_connected,
    "MergedSegments": _merged,
    "OfClass": _of_class,
    "ParameterTensor": lambda config: said(
        "parameter", {"shape": listed(config["shape"]), "trainable": config["trainable"]}
    ),
    "PastedMasks": _of_regions("paste_masks"),
    "PooledRegions": _of_regions("roi_pool", "stride"),
    "Roll": lambda config: said(
        "roll", {"shift": alike(config["shift"]), "axis": alike([axis_of(axis) for axis in config["axis"]])}
    ),
    "Unpooling": lambda config: {"unpool": {"output_size": alike(config["size"])}},
    "LocalResponseNormalization": _local_response,
    "Pad": _pad,
    "Slice": _slice,
    "Split": _split,
    "GatedLinearUnit": _gated,
    "Elementwise": _of_elements,
    "WindowPooling": _pool,
    "IndexedMaxPooling": _indexed_pool,
    "Resize": _resize,
    "Reduce": _reduce,
    "WindowAttention": _window_attention,
    "SoftmaxOverSteps": lambda config: said(
        "log_softmax" if config["log"] else "softmax", {"axis": axis_of(config["axis"])}
    ),
    "MaskedGlobalAveragePooling1D": lambda config: said("global_avg_pool", {"keep": bool(config.get("keepdims"))}),
    "MaskedGlobalMaxPooling1D": lambda config: said("global_max_pool", {"keep": bool(config.get("keepdims"))}),
    "UnitLengthNormalization": lambda config: said("l2_normalize", {"axis": axis_of(alike(config["axis"]))}),
    "WindowReverse": lambda config: said(
        "window_reverse", {**{name: alike(config[name]) for name in ("size", "shape")}, "grid": config["grid"]}
    ),
    "Argmax": lambda config: said("argmax", {"axis": axis_of(config["axis"])}),
    "Cast": lambda config: {"cast": _dtype(config["dtype"])},
    "ExpandDims": lambda config: said("expand_dims", {"axis": axis_of(config["axis"])}),
    "Squeeze": lambda config: said("squeeze", {"axis": axis_of(config["axis"])}),
    "Tile": lambda config: {"tile": listed(config["repeats"])},
    "LinearUpsampling": lambda config: said("upsample", {"factor": alike(config["factors"]), "mode": "bilinear"}),
    "Subsample": lambda config: said("subsample", {"stride": alike(config["strides"])}),
    "Stack": lambda config: said("stack", {"axis": axis_of(config["axis"])}),
    "ClipValues": lambda config: said("clip", {"min": config["least"], "max": config["most"]}),
    "RootMeanSquareNormalization": lambda config: said("rms_norm", {"epsilon": config["epsilon"]}),
}
"""Class → the rule that makes its step."""
