"""Arguments of Keras's layers as those of ops, for the rules that make steps of layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from archspec.ops.base import Op

Step = dict[str, Any]
"""An op and its arguments, without its place among others."""


class UnsaidLayer(ValueError):
    """A layer that no step says; its message says why."""


class LayerPart(NamedTuple):
    """A step of those that a layer is. ``taken`` are the operands of the call by position from 0 on, and results of
    parts before it by ``of_part``."""

    step: Step
    taken: tuple[int, ...]


def of_part(position: int) -> int:
    """The result of the part at this position, as ``LayerPart.taken`` says it."""
    return -1 - position


def one(step: Step, operands: Iterable[int]) -> list[LayerPart]:
    """A layer that is one step."""
    return [LayerPart(step, tuple(operands))]


def results_of(step: Step) -> Sequence[str] | None:
    """What the results of a step go by behind its name, where it gives several: words, or no words where numbers do.
    None where it gives one."""
    ((op, said),) = step.items()
    args = said if isinstance(said, dict) else {}
    kind: Any = Op.find(op)
    if words := kind.model_construct(**args).result_names:
        return tuple(words)
    return () if op == "split" or args.get("states") else None


FUNCTIONS = {
    **{name: name for name in ("relu", "relu6", "sigmoid", "tanh", "softmax", "softplus", "softsign", "selu", "mish")},
    **{name: name for name in ("hard_sigmoid", "hard_tanh", "log_softmax", "gelu", "elu", "leaky_relu", "silu")},
    "swish": "silu",
    "hard_swish": "hard_swish",
    "hard_silu": "hard_swish",
    "exponential": "exp",
    "scaled_tanh": "scaled_tanh",
}
"""Keras's activation functions, and archspec's own → ops."""


def alike(value: object) -> Any:
    """One number where all axes have it."""
    if isinstance(value, (list, tuple)):
        items = [alike(item) for item in value]
        return (
            items[0] if items and all(item == items[0] for item in items) and not isinstance(items[0], list) else items
        )
    return value


def sides(padding: object) -> Any:
    """Zeros on both sides of each axis, one number where all are alike; a word stays."""
    if isinstance(padding, str):
        return padding
    found = alike(padding)
    return found if isinstance(found, int) else listed(padding)


def listed(value: object) -> Any:
    """Tuples, also within others, as lists."""
    if isinstance(value, (list, tuple)):
        return [listed(item) for item in value]
    return value


def said(op: str, args: Mapping[str, Any]) -> Step:
    """A step with those of the arguments that the op has and that say something. Raises UnsaidLayer for one that it
    lacks."""
    fields: Any = Op.find(op).model_fields  # type: ignore[union-attr]
    left = {
        name: listed(value)
        for name, value in args.items()
        if name in fields and (fields[name].is_required() or value != fields[name].default)
    }
    if lost := [k for k, v in args.items() if k not in fields and v not in (None, 1, False)]:
        raise UnsaidLayer(f"{op} has no {lost[0]}")
    return {op: left or None}


def axis_of(axis: int) -> int:
    """An axis as ops count it, without the batch. Raises UnsaidLayer for that of the batch."""
    if axis == 0:
        raise UnsaidLayer("its axis is that of the batch")
    return axis - 1 if axis > 0 else axis


def axes_of(axes: int | Sequence[int] | None, every: str) -> Any:
    """The same of one or several; ``every`` is what it would do where all axes are meant. Raises UnsaidLayer."""
    if axes is None:
        raise UnsaidLayer(f"{every} over the batch")
    return axis_of(axes) if isinstance(axes, int) else [axis_of(axis) for axis in axes]


def activation(value: object) -> Any:
    """An activation argument; None where it does nothing. Raises UnsaidLayer."""
    match value:
        case None | "linear":
            return None
        case str() if value in FUNCTIONS:
            return FUNCTIONS[value]
        case {"class_name": "function", "config": str(name)} if name.rpartition(">")[2] in FUNCTIONS:
            return FUNCTIONS[name.rpartition(">")[2]]
        case {"class_name": "ActivationFunction", "config": {"name": str(name), **args}} if name in FUNCTIONS:
            return _bound(FUNCTIONS[name], args)
        case {"class_name": str(kind), "config": Mapping() as config} if kind in ACTIVATIONS:
            ((op, argument),) = ACTIVATIONS[kind](config).items()
            return op if argument is None else {op: argument}
    raise UnsaidLayer(f"its activation is none that an op says: {value!r:.60}")


def _bound(op: str, args: Mapping[Any, Any]) -> Any:
    """An activation with arguments as Keras calls them."""
    if "axis" in args:
        args = {**args, "axis": axis_of(args["axis"])}
    ((name, left),) = said(op, {"slope" if k == "negative_slope" else k: v for k, v in args.items()}).items()
    return name if left is None else {name: left}


def relu(config: Mapping[str, Any]) -> Step:
    most, slope = config.get("max_value"), config.get("negative_slope") or 0
    if config.get("threshold") or (most is not None and slope):
        raise UnsaidLayer("no op has such a threshold, or a bound beside a slope")
    if most is not None and most != 6:
        return {"clip": {"min": 0, "max": most}}
    return {"leaky_relu": slope} if slope else {"relu6" if most is not None else "relu": None}


def softmax(config: Mapping[str, Any]) -> Step:
    axis = config.get("axis", -1)
    if not isinstance(axis, int):
        raise UnsaidLayer(f"its axis is {axis!r}; softmax is along one")
    return said("softmax", {"axis": axis_of(axis)})


ACTIVATIONS = {
    "ReLU": relu,
    "LeakyReLU": lambda config: said("leaky_relu", {"slope": config.get("negative_slope", 0.3)}),
    "ELU": lambda config: said("elu", {"alpha": config.get("alpha", 1.0)}),
    "Softmax": softmax,
}
"""Layers that may stand as an activation argument → their steps."""
