"""A call of a Keras layer as a step of a spec. What no op says becomes a ``keras`` step, if that is one of Keras's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from archspec.backend.importers.keras_calls import LayerCall

Step = dict[str, Any]


class UnsaidLayer(ValueError):
    """A layer that no step says; its message says why."""


FUNCTIONS = {
    **{name: name for name in ("relu", "relu6", "sigmoid", "tanh", "softmax", "softplus", "softsign", "selu", "mish")},
    **{name: name for name in ("hard_sigmoid", "hard_tanh", "log_softmax", "gelu", "elu", "leaky_relu", "silu")},
    "swish": "silu",
    "hard_swish": "hard_swish",
    "hard_silu": "hard_swish",
    "exponential": "exp",
}
"""Keras's activation functions → ops."""
MERGES = {
    **{"Add": "add", "Multiply": "multiply", "Average": "average", "Maximum": "maximum", "Minimum": "minimum"},
    **{"Subtract": "subtract", "Concatenate": "concat"},
}
TRAINING_ALONE = ("initializer", "regularizer", "constraint")
"""Ends of names of arguments that a trained model does not compute by; they are not carried over."""
WITHOUT_MEANING = frozenset(("name", "trainable", "dtype", "data_format", "seed", "build_config"))


def step_of(call: LayerCall) -> Step:
    """The step, without its place among others. Raises UnsaidLayer."""
    config = call.config
    if config.get("data_format") == "channels_first":
        raise UnsaidLayer("channels come first; a spec has them last")
    if "keras" not in call.module.partition(".")[0] or "Lambda" in call.kind:
        raise UnsaidLayer("it is not a layer of Keras's own, and what it computes is not known")
    if ".ops." in call.module:
        return _operation(call)
    if call.kwargs.get("training"):
        raise UnsaidLayer("it is called as in training")
    if given := [name for name, value in call.kwargs.items() if value is not None and name != "training"]:
        raise UnsaidLayer(f"it is called with {given[0]}")
    rule = RULES.get(call.kind)
    return rule(config, call) if rule else _layer(config, call)


def _operation(call: LayerCall) -> Step:
    """A function of ``keras.ops`` of one tensor and a number, or of two tensors."""
    numbers = [
        v for v in (*call.args, *call.kwargs.values()) if isinstance(v, (int, float)) and not isinstance(v, bool)
    ]
    if len(call.operands) == 2 and not numbers and call.kind in ("Add", "Multiply", "Subtract", "Maximum", "Minimum"):
        return {MERGES[call.kind]: None}
    if len(call.operands) == 1 and len(numbers) == 1:
        (number,) = numbers
        is_first = isinstance(call.args[0], (int, float))
        match call.kind:
            case "Add":
                return {"scale": {"factor": 1, "offset": number}}
            case "Multiply":
                return {"scale": number}
            case "Subtract":
                return {"scale": {"factor": -1, "offset": number} if is_first else {"factor": 1, "offset": -number}}
            case "TrueDivide" | "Divide" if not is_first and number:
                return {"scale": 1 / number}
    raise UnsaidLayer("it is a function that no op says")


def _alike(value: object) -> Any:
    """One number where all axes have it."""
    if isinstance(value, (list, tuple)):
        items = [_alike(item) for item in value]
        return (
            items[0] if items and all(item == items[0] for item in items) and not isinstance(items[0], list) else items
        )
    return value


def _activation(value: object) -> Any:
    """An activation argument; None where it does nothing."""
    match value:
        case None | "linear":
            return None
        case str() if value in FUNCTIONS:
            return FUNCTIONS[value]
        case {"class_name": "function", "config": str(name)} if name in FUNCTIONS:
            return FUNCTIONS[name]
        case {"class_name": str(kind), "config": Mapping() as config} if kind in RULES:
            (step,) = [RULES[kind](config, None)]
            ((op, argument),) = step.items()
            return op if argument is None else {op: argument}
    raise UnsaidLayer(f"its activation is none that an op says: {value!r:.60}")


def _conv(op: str) -> Callable[..., Step]:
    def rule(config: Mapping[str, Any], call: LayerCall | None) -> Step:
        padding = config["padding"]
        span = [
            (k - 1) * d for k, d in zip(config["kernel_size"], config.get("dilation_rate") or [1] * 3, strict=False)
        ]
        args: Step = {
            "filters": config.get("filters"),
            "kernel": _alike(config["kernel_size"]),
            "stride": _alike(config["strides"]),
            "padding": [[span[0], 0]] if padding == "causal" else padding,
            "dilation": _alike(config.get("dilation_rate") or 1),
            "groups": config.get("groups", 1),
            "multiplier": config.get("depth_multiplier", 1),
            "output_padding": _alike(config.get("output_padding")),
            "bias": config["use_bias"],
            "activation": _activation(config.get("activation")),
        }
        return _said(op, args)

    return rule


def _said(op: str, args: Step) -> Step:
    """A step with those of the arguments that the op has and that say something."""
    from archspec.ops.base import Op

    fields: Any = Op.find(op).model_fields  # type: ignore[union-attr]
    left = {
        name: value
        for name, value in args.items()
        if name in fields and (fields[name].is_required() or value != fields[name].default)
    }
    if lost := [k for k, v in args.items() if k not in fields and v not in (None, 1, False)]:
        raise UnsaidLayer(f"{op} has no {lost[0]}")
    return {op: left or None}


def _pool(op: str) -> Callable[..., Step]:
    def rule(config: Mapping[str, Any], call: LayerCall | None) -> Step:
        size, stride = _alike(config["pool_size"]), _alike(config["strides"])
        return _said(op, {"size": size, "stride": None if stride == size else stride, "padding": config["padding"]})

    return rule


def _global_pool(op: str) -> Callable[..., Step]:
    return lambda config, call: _said(op, {"keep": bool(config.get("keepdims"))})


def _norm(op: str) -> Callable[..., Step]:
    def rule(config: Mapping[str, Any], call: LayerCall | None) -> Step:
        if config.get("rms_scaling"):
            raise UnsaidLayer("it scales by the root mean square")
        names = ("momentum", "epsilon", "scale", "center", "groups")
        return _said(
            op,
            {name: config[name] for name in names if name in config and not (name == "groups" and op != "group_norm")},
        )

    return rule


def _relu(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    most, slope = config.get("max_value"), config.get("negative_slope") or 0
    if config.get("threshold") or (most is not None and (most != 6 or slope)):
        raise UnsaidLayer("relu has no such bound or threshold")
    return {"leaky_relu": slope} if slope else {"relu6" if most is not None else "relu": None}


def _act(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    found = _activation(config.get("activation"))
    if isinstance(found, dict):
        return found
    return {found or "linear": None}


def _softmax(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    axis = config.get("axis", -1)
    if axis != -1:
        raise UnsaidLayer(f"its axis is {axis!r}; use -1")
    return {"softmax": None}


def _scale(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    factor, offset = config["scale"], config["offset"]
    if isinstance(factor, (list, tuple)):
        offsets = offset if isinstance(offset, (list, tuple)) else [offset] * len(factor)
        if not all(factor):
            raise UnsaidLayer("it multiplies by 0")
        mean = [-o / f if o else 0.0 for o, f in zip(offsets, factor, strict=True)]
        return {"normalize": {"mean": mean, "std": [1 / f for f in factor]}}
    return _said("scale", {"factor": float(factor), "offset": float(offset)})


def _normalize(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    mean, variance = config.get("mean"), config.get("variance")
    if mean is None or variance is None or config.get("invert"):
        raise UnsaidLayer("what it learnt from data stands among its weights, not in its config")
    if isinstance(mean, (int, float)):
        mean, variance = [mean], [variance]
    return {"normalize": {"mean": list(map(float, mean)), "std": [math.sqrt(v) for v in variance]}}


def _dense(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    args = {"units": config["units"], "bias": config["use_bias"], "activation": _activation(config.get("activation"))}
    return _said("dense", args)


def _shaped(op: str, argument: str, key: str) -> Callable[..., Step]:
    return lambda config, call: {op: {argument: _alike(config[key])}}


def _reshape(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    return {"reshape": {"shape": list(config["target_shape"])}}


def _permute(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    return {"permute": {"axes": [axis - 1 for axis in config["dims"]]}}


def _upsample(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    return _said("upsample", {"factor": _alike(config["size"]), "mode": config.get("interpolation", "nearest")})


def _rate(op: str) -> Callable[..., Step]:
    return lambda config, call: {op: {"rate": float(config["rate"])}}


def _concat(config: Mapping[str, Any], call: LayerCall | None) -> Step:
    axis = config.get("axis", -1)
    return _said("concat", {"axis": axis - 1 if axis > 0 else axis})


def _layer(config: Mapping[str, Any], call: LayerCall) -> Step:
    """A layer that Keras has and archspec has no op for."""
    if not call.module.startswith("keras.layers") and not call.module.startswith("keras.src.layers"):
        raise UnsaidLayer("it is not a layer of Keras's own, and what it computes is not known")
    from archspec.ops.keras_layer import table

    known = table().layers.get(table().others.get(call.kind, call.kind))
    if known is None:
        raise UnsaidLayer("no op says it yet, and no keras step")
    usual = {name: said[1] if len(said) > 1 else ... for name, said in known.arguments.items()}
    args = {
        name: config[name]
        for name in usual
        if name in config
        and not name.endswith(TRAINING_ALONE)
        and name not in WITHOUT_MEANING
        and config[name] != usual[name]
    }
    return {"keras": {"layer": call.kind, **args}}


RULES: Mapping[str, Callable[..., Step]] = {
    **{f"Conv{n}D": _conv("conv") for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": _conv("depthwise_conv") for n in (1, 2)},
    **{f"SeparableConv{n}D": _conv("separable_conv") for n in (1, 2)},
    **{f"Conv{n}DTranspose": _conv("conv_transpose") for n in (1, 2, 3)},
    **{f"MaxPooling{n}D": _pool("max_pool") for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": _pool("avg_pool") for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": _global_pool("global_avg_pool") for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": _global_pool("global_max_pool") for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": _shaped("pad", "padding", "padding") for n in (1, 2, 3)},
    **{f"Cropping{n}D": _shaped("crop", "margins", "cropping") for n in (1, 2, 3)},
    **{f"UpSampling{n}D": _upsample for n in (1, 2, 3)},
    **{kind: (lambda config, call, op=op: {op: None}) for kind, op in MERGES.items() if kind != "Concatenate"},
    "Concatenate": _concat,
    "Dense": _dense,
    "Flatten": lambda config, call: {"flatten": None},
    "Dropout": _rate("dropout"),
    "Activation": _act,
    "ReLU": _relu,
    "LeakyReLU": lambda config, call: {"leaky_relu": config.get("negative_slope", 0.3)},
    "ELU": lambda config, call: {"elu": config.get("alpha", 1.0)},
    "Softmax": _softmax,
    "BatchNormalization": _norm("batch_norm"),
    "LayerNormalization": _norm("layer_norm"),
    "GroupNormalization": _norm("group_norm"),
    "Rescaling": _scale,
    "Normalization": _normalize,
    "Reshape": _reshape,
    "Permute": _permute,
}
"""Class of ``keras.layers`` → the rule that makes its step."""
