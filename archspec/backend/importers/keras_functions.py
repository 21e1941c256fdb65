"""Calls of ``keras.ops`` between layers as steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archspec.backend.importers.keras_arguments import (
    LayerPart,
    Step,
    UnsaidLayer,
    axes_of,
    axis_of,
    listed,
    of_part,
    one,
    said,
)
from archspec.backend.importers.keras_calls import LayerCall

MERGES = {
    **{"Add": "add", "Multiply": "multiply", "Average": "average", "Maximum": "maximum", "Minimum": "minimum"},
    **{"Subtract": "subtract", "Concatenate": "concat"},
}
DIVISIONS = ("TrueDivide", "Divide")
ELEMENTWISE = {
    **{name: name.lower() for name in ("Sigmoid", "Tanh", "Softplus", "Softsign", "Selu", "Mish", "Relu", "Relu6")},
    **{"Silu": "silu", "HardSilu": "hard_swish", "HardSigmoid": "hard_sigmoid", "HardTanh": "hard_tanh"},
    **{"Absolute": "abs", "Abs": "abs", "Exp": "exp", "Log": "log", "Sign": "sign", "Sqrt": "sqrt", "Square": "square"},
}
"""Functions of each element without arguments → ops."""
REDUCTIONS = {"Mean": "mean", "Sum": "sum", "Max": "max", "Amax": "max", "Min": "min", "Amin": "min"} | {
    "Var": "var",
    "Std": "std",
}

Config = Mapping[str, Any]


def parts(call: LayerCall) -> list[LayerPart]:
    """The steps of a call. Raises UnsaidLayer."""
    count = len(call.operands)
    numbers = [
        v for v in (*call.args, *call.kwargs.values()) if isinstance(v, (int, float)) and not isinstance(v, bool)
    ]
    if count == 2 and not numbers and (step := _of_two(call)) is not None:
        return one(step, (0, 1))
    if count == 1 and call.kind == "GetItem":
        return _stretches(call.args[1])
    if count == 1 and len(numbers) == 1 and (step := _with_number(call, numbers[0])) is not None:
        return one(step, (0,))
    if call.kind in ("Concatenate", "Stack"):
        op = MERGES.get(call.kind, "stack")
        return one(said(op, {"axis": axis_of(call.config.get("axis", -1))}), range(count))
    if count == 1 and not numbers:
        if call.kind in ELEMENTWISE:
            return one({ELEMENTWISE[call.kind]: None}, (0,))
        if call.kind in REDUCTIONS:
            axes = axes_of(call.config.get("axis"), "it reduces")
            args = {"reduction": REDUCTIONS[call.kind], "axis": axes, "keep": bool(call.config.get("keepdims"))}
            return one(said("reduce", args), (0,))
        if rule := RULES.get(call.kind):
            return one(rule(call.config), (0,))
    raise UnsaidLayer("it is a function that no op says")


def _of_two(call: LayerCall) -> Step | None:
    if call.kind in ("Add", "Multiply", "Subtract", "Maximum", "Minimum"):
        return {MERGES[call.kind]: None}
    if call.kind in DIVISIONS:
        return {"divide": None}
    return {"matmul": None} if call.kind == "Matmul" else None


def _with_number(call: LayerCall, number: float) -> Step | None:
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
        case "Power" if not is_first:
            return {"power": number}
        case "Maximum":
            return {"clip": {"min": number}}
        case "Minimum":
            return {"clip": {"max": number}}
    return None


def _stretches(index: object) -> list[LayerPart]:
    """``x[:, 1:, 0]``: a stretch of each axis that is not taken whole, and no axis where one place is taken."""
    items = list(index) if isinstance(index, (list, tuple)) else [index]
    if not items or items[0] != slice(None) or any(item is Ellipsis or item is None for item in items):
        raise UnsaidLayer("it takes a part of the batch, or adds axes")
    out: list[LayerPart] = []
    lost = 0
    for axis, item in enumerate(items[1:]):
        taken = (of_part(len(out) - 1) if out else 0,)
        at = axis - lost
        if item == slice(None):
            continue
        if isinstance(item, slice) and item.step in (None, 1):
            out.append(LayerPart({"slice": {"range": [item.start or 0, item.stop], "axis": at}}, taken))
        elif isinstance(item, int) and not isinstance(item, bool):
            stop = None if item == -1 else item + 1
            out.append(LayerPart({"slice": {"range": [item, stop], "axis": at}}, taken))
            out.append(LayerPart({"squeeze": {"axis": at}}, (of_part(len(out) - 1),)))
            lost += 1
        else:
            raise UnsaidLayer("it takes other elements of an axis than a stretch of it")
    return out or one({"linear": None}, (0,))


def _reshape(config: Config) -> Step:
    batch, *sizes = config["newshape"]
    if batch not in (-1, None) or None in sizes:
        raise UnsaidLayer("the batch is no axis of its own any longer, or a size is not said")
    return {"reshape": {"shape": sizes}}


def _permute(axes: list[int]) -> Step:
    if axes[0] != 0:
        raise UnsaidLayer("it moves the batch")
    return {"permute": {"axes": [axis - 1 for axis in axes[1:]]}}


def _transpose(config: Config) -> Step:
    if config.get("axes") is None:
        raise UnsaidLayer("it moves the batch")
    return _permute(list(config["axes"]))


def _swap(config: Config) -> Step:
    one, other = sorted((config["axis1"], config["axis2"]))
    if one < 1:
        raise UnsaidLayer("how many axes there are is not said: count them from the first")
    axes = list(range(other + 1))
    axes[one], axes[other] = other, one
    return _permute(axes)


def _split(config: Config) -> Step:
    parts = config["indices_or_sections"]
    if not isinstance(parts, int):
        raise UnsaidLayer("it splits at places; a spec says how large parts are")
    return said("split", {"parts": parts, "axis": axis_of(config["axis"])})


def _pad(config: Config) -> Step:
    batch, *sides = listed(config["pad_width"])
    if any(batch) or config.get("mode") not in ("constant", "reflect"):
        raise UnsaidLayer("it pads the batch, or in another way than zeros and reflections")
    if any(sides[-1]):
        raise UnsaidLayer("it pads channels")
    return said("pad", {"padding": sides[:-1], "mode": "zero" if config["mode"] == "constant" else "reflect"})


def _normalize(config: Config) -> Step:
    if config.get("order") != 2 or not isinstance(config["axis"], int):
        raise UnsaidLayer("it divides by another norm than the Euclidean one along an axis")
    return said("l2_normalize", {"axis": axis_of(config["axis"])})


def _one_hot(config: Config) -> Step:
    if config["axis"] != -1 or config.get("sparse"):
        raise UnsaidLayer("its axis is another than the last, or it is sparse")
    return {"one_hot": config["num_classes"]}


RULES: Mapping[str, Callable[[Config], Step]] = {
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Swapaxes": _swap,
    "Split": _split,
    "Pad": _pad,
    "Normalize": _normalize,
    "OneHot": _one_hot,
    "ExpandDims": lambda config: {"expand_dims": {"axis": axis_of(config["axis"])}},
    "Squeeze": lambda config: {"squeeze": {"axis": axes_of(config["axis"], "it removes axes")}},
    "Softmax": lambda config: said("softmax", {"axis": axis_of(config.get("axis", -1))}),
    "LogSoftmax": lambda config: said("log_softmax", {"axis": axis_of(config.get("axis", -1))}),
    "Gelu": lambda config: said("gelu", {"approximate": config.get("approximate", True)}),
    "LeakyRelu": lambda config: said("leaky_relu", {"slope": config["negative_slope"]}),
    "Elu": lambda config: said("elu", {"alpha": config.get("alpha", 1.0)}),
    "Clip": lambda config: said("clip", {"min": config["x_min"], "max": config["x_max"]}),
    "Argmax": lambda config: said("argmax", {"axis": axis_of(config["axis"])}),
    "Negative": lambda config: {"scale": -1},
}
"""Class of ``keras.ops`` of one tensor → the rule that makes its step."""
