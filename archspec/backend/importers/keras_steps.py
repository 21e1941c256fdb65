"""A call of a Keras layer as a step of a spec. What no op says becomes a ``keras`` step, if that is one of Keras's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from archspec.backend.importers import keras_functions, keras_sequences, own_layers
from archspec.backend.importers.keras_arguments import (
    ACTIVATIONS,
    LayerPart,
    Step,
    UnsaidLayer,
    activation,
    alike,
    axis_of,
    listed,
    of_part,
    one,
    said,
    sides,
)
from archspec.backend.importers.keras_calls import LayerCall, is_mask
from archspec.backend.importers.keras_functions import MERGES

TRAINING_ALONE = ("initializer", "regularizer", "constraint")
"""Ends of names of arguments that a trained model does not compute by; they are not carried over."""
SAME_IN_TRAINING = ("Resizing", "CenterCrop", "Rescaling")
"""Layers that Keras calls as in training wherever they are, and that do the same at inference."""
WITHOUT_MEANING = frozenset(("name", "trainable", "dtype", "data_format", "seed", "build_config"))


def parts_of(call: LayerCall) -> list[LayerPart]:
    """The steps of a call, without their place among others. Raises UnsaidLayer."""
    config, package = call.config, call.module.partition(".")[0]
    if config.get("data_format") == "channels_first":
        raise UnsaidLayer("channels come first; a spec has them last")
    if package not in ("keras", "archspec") or "Lambda" in call.kind:
        raise UnsaidLayer("it is not a layer of Keras's own, and what it computes is not known")
    if package == "keras" and ".ops." in call.module:
        return keras_functions.parts(call)
    if call.kwargs.get("training") and call.kind not in SAME_IN_TRAINING:
        raise UnsaidLayer("it is called as in training")
    _check_given(call)
    if own_layers.is_own(call) or (package == "archspec" and call.kind not in {*RULES, *keras_sequences.RULES}):
        return own_layers.parts(call)
    if ".applications." in call.module and (scaled := OF_APPLICATIONS.get(call.kind)):
        return scaled(config)
    if rule := keras_sequences.RULES.get(call.kind):
        return rule(config, call)
    made = RULES.get(call.kind)
    return one(made(config, call) if made else _layer(config, call), range(len(call.operands)))


def _check_given(call: LayerCall) -> None:
    """Raises UnsaidLayer for what a layer is called with besides tensors. Masks follow from what marks padding."""
    known = {"training"}
    if call.kind in keras_sequences.RECURRENT:
        known.add(keras_sequences.INITIAL_STATE)
    if call.kind in ("MultiHeadAttention", "Attention", "AdditiveAttention"):
        known |= {"use_causal_mask", "query", "value", "key"}
    for name, value in call.kwargs.items():
        if value is not None and name not in known and not is_mask(name):
            raise UnsaidLayer(f"it is called with {name}")
    if call.kwargs.get("use_causal_mask") and call.kind != "MultiHeadAttention":
        raise UnsaidLayer("it is called with use_causal_mask")


def _conv(op: str) -> Callable[..., Step]:
    def rule(config: Mapping[str, Any], call: LayerCall | None) -> Step:
        padding = config["padding"]
        span = [
            (k - 1) * d for k, d in zip(config["kernel_size"], config.get("dilation_rate") or [1] * 3, strict=False)
        ]
        args: Step = {
            "filters": config.get("filters"),
            "kernel": alike(config["kernel_size"]),
            "stride": alike(config["strides"]),
            "padding": [[span[0], 0]] if padding == "causal" else sides(padding),
            "dilation": alike(config.get("dilation_rate") or 1),
            "groups": config.get("groups", 1),
            "multiplier": config.get("depth_multiplier", 1),
            "output_padding": alike(config.get("output_padding")),
            "bias": config["use_bias"],
            "activation": activation(config.get("activation")),
            "trainable": bool(config.get("trainable", True)),
        }
        return said(op, args)

    return rule


def _pool(op: str) -> Callable[..., Step]:
    def rule(config: Mapping[str, Any], call: LayerCall | None) -> Step:
        size, stride = alike(config["pool_size"]), alike(config["strides"])
        return said(op, {"size": size, "stride": None if stride == size else stride, "padding": config["padding"]})

    return rule


def _global_pool(op: str) -> Callable[..., Step]:
    return lambda config, call: said(op, {"keep": bool(config.get("keepdims"))})


def _norm(op: str) -> Callable[..., Step]:
    def rule(config: Mapping[str, Any], call: LayerCall | None) -> Step:
        if config.get("rms_scaling"):
            raise UnsaidLayer("it scales by the root mean square")
        names = ("momentum", "epsilon", "scale", "center", "groups")
        return said(
            op,
            {name: config[name] for name in names if name in config and not (name == "groups" and op != "group_norm")},
        )

    return rule


def _act(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    found = activation(config.get("activation"))
    if isinstance(found, dict):
        return found
    return {found or "linear": None}


def _scale(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    factor, offset = config["scale"], config["offset"]
    if isinstance(factor, (list, tuple)):
        offsets = offset if isinstance(offset, (list, tuple)) else [offset] * len(factor)
        if not all(factor):
            raise UnsaidLayer("it multiplies by 0")
        mean = [-o / f if o else 0.0 for o, f in zip(offsets, factor, strict=True)]
        return {"normalize": {"mean": mean, "std": [1 / f for f in factor]}}
    return said("scale", {"factor": float(factor), "offset": float(offset)})


def _normalize(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    mean, variance = config.get("mean"), config.get("variance")
    if mean is None or variance is None or config.get("invert"):
        raise UnsaidLayer("what it learnt from data stands among its weights, not in its config")
    if isinstance(mean, (int, float)):
        mean, variance = [mean], [variance]
    return {"normalize": {"mean": list(map(float, mean)), "std": [math.sqrt(v) for v in variance]}}


def _single(axis: int | list[int]) -> int:
    """The one axis that there is. Raises UnsaidLayer."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    if len(axes) != 1:
        raise UnsaidLayer(f"its axes are {axes!r}; an op normalises along one")
    return axes[0]


def _dense(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    args = {"units": config["units"], "bias": config["use_bias"], "activation": activation(config.get("activation"))}
    return said("dense", args)


def _shaped(op: str, argument: str, key: str, axes: int) -> Callable[..., Step]:
    def rule(config: Mapping[str, Any], call: LayerCall | None) -> Step:
        value = config[key]
        # Of one axis Keras has the two sides alone.
        return {op: {argument: alike([value] if axes == 1 and not isinstance(value, int) else value)}}

    return rule


def _reshape(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    return {"reshape": {"shape": list(config["target_shape"])}}


def _permute(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    return {"permute": {"axes": [axis - 1 for axis in config["dims"]]}}


def _upsample(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    return said("upsample", {"factor": alike(config["size"]), "mode": config.get("interpolation", "nearest")})


def _rate(op: str) -> Callable[..., Step]:
    return lambda config, call: {op: {"rate": float(config["rate"])}}


def _concat(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    axis = config.get("axis", -1)
    return said("concat", {"axis": axis - 1 if axis > 0 else axis})


def _layer(config: Mapping[str, Any], call: LayerCall) -> Step:
    """A layer that Keras has and archspec has no op for."""
    if not call.module.startswith("keras.layers") and not call.module.startswith("keras.src.layers"):
        raise UnsaidLayer("it is not a layer of Keras's own, and what it computes is not known")
    from archspec.ops.keras_layer import table

    known = table().layers.get(table().others.get(call.kind, call.kind))
    if known is None:
        raise UnsaidLayer("no op says it yet, and no keras step")
    usual = {name: kind[1] if len(kind) > 1 else ... for name, kind in known.arguments.items()}
    args = {
        name: activation(config[name]) if known.arguments[name][0] == "activation" else listed(config[name])
        for name in usual
        if name in config and not name.endswith(TRAINING_ALONE) and name not in WITHOUT_MEANING
    }
    return {"keras": {"layer": call.kind, **{k: v for k, v in args.items() if v != usual[k]}}}


def _scaled_sum(config: Mapping[str, Any]) -> list[LayerPart]:
    """The first operand plus a multiple of the second, as Keras's Inception-ResNet adds its branches."""
    return [LayerPart({"scale": float(config["scale"])}, (1,)), LayerPart({"add": None}, (0, of_part(0)))]


OF_APPLICATIONS: Mapping[str, Callable[[Mapping[str, Any]], list[LayerPart]]] = {
    "CustomScaleLayer": _scaled_sum,
    "LayerScale": lambda config: one(said("layer_scale", {"init": config["init_values"]}), (0,)),
}
"""Layers that ``keras.applications`` defines for itself → the rule that makes their steps."""


RULES: Mapping[str, Callable[..., Step]] = {
    **{f"{kind}{n}D": _conv("conv") for n in (1, 2, 3) for kind in ("Conv", "Convolution")},
    **{f"{kind}{n}D": _conv("depthwise_conv") for n in (1, 2) for kind in ("DepthwiseConv", "DepthwiseConvolution")},
    **{f"{kind}{n}D": _conv("separable_conv") for n in (1, 2) for kind in ("SeparableConv", "SeparableConvolution")},
    **{f"Conv{n}DTranspose": _conv("conv_transpose") for n in (1, 2, 3)},
    **{f"TransposedConvolution{n}D": _conv("conv_transpose") for n in (1, 2, 3)},
    **{f"MaxPooling{n}D": _pool("max_pool") for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": _pool("avg_pool") for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": _global_pool("global_avg_pool") for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": _global_pool("global_max_pool") for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": _shaped("pad", "padding", "padding", n) for n in (1, 2, 3)},
    **{f"Cropping{n}D": _shaped("crop", "margins", "cropping", n) for n in (1, 2, 3)},
    **{f"UpSampling{n}D": _upsample for n in (1, 2, 3)},
    **{kind: (lambda config, call, op=op: {op: None}) for kind, op in MERGES.items() if kind != "Concatenate"},
    "Concatenate": _concat,
    "Dense": _dense,
    "Flatten": lambda config, call: {"flatten": None},
    "Dropout": _rate("dropout"),
    "Activation": _act,
    **{kind: (lambda config, call, rule=rule: rule(config)) for kind, rule in ACTIVATIONS.items()},
    "BatchNormalization": _norm("batch_norm"),
    "LayerNormalization": _norm("layer_norm"),
    "GroupNormalization": _norm("group_norm"),
    "RMSNormalization": lambda config, call: said("rms_norm", {"epsilon": config["epsilon"]}),
    "UnitNormalization": lambda config, call: said("l2_normalize", {"axis": axis_of(_single(config["axis"]))}),
    "Rescaling": _scale,
    "Normalization": _normalize,
    "Reshape": _reshape,
    "Permute": _permute,
}
"""Class of ``keras.layers``, and of archspec's own that takes the same arguments → the rule that makes its step."""
