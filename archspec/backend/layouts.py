"""How the weights of a node lie in other libraries, and how they become Keras's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import Layout, StoredLayer
from archspec.backend.wiring import WeightsError
from archspec.ir.graph import Graph, Node
from archspec.ir.tensors import WeightSpec

if TYPE_CHECKING:
    import numpy as np

PEERS = {
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""Keras's name → PyTorch's; all others are ``weight``."""


@dataclass(frozen=True, slots=True)
class Form:
    """One weight elsewhere: the roles it is kept under, their shapes, and how they become the weight."""

    roles: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    convert: Callable[..., Any]


def label(arrays: Iterable[tuple[str, tuple[int, ...]]], layout: Layout) -> tuple[Any, ...]:
    """What tells layers apart: shapes in order, or shapes by role, whose axes of extent 1 vary between libraries."""
    if layout == "keras":
        return tuple(shape for _, shape in arrays)
    return tuple(sorted((role, tuple(n for n in shape if n > 1)) for role, shape in arrays))


def in_order(stored: StoredLayer, node: Node) -> StoredLayer:
    """The layer with its arrays in the node's order, where they bear the names of the node's weights."""
    names = [w.name for w in node.weights]
    if set(names) == set(stored.arrays):
        return StoredLayer(stored.name, {name: stored.arrays[name] for name in names})
    return stored


def stored_label(stored: StoredLayer, layout: Layout) -> tuple[Any, ...]:
    """The label of a layer of a file."""
    return label(((role, array.shape) for role, array in stored.arrays.items()), layout)


def node_label(node: Node, layout: Layout) -> tuple[Any, ...]:
    """The label that a layer of a file must have to be this node's."""
    if layout == "keras":
        return label(((w.name, w.shape) for w in node.weights), layout)
    forms = (torch_form(node, w) for w in node.weights)
    return label(((role, shape) for f in forms for role, shape in zip(f.roles, f.shapes, strict=True)), layout)


def converted(
    node: Node,
    stored: StoredLayer,
    layout: Layout,
    orders: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
) -> list[np.ndarray]:
    """The node's weights out of a layer with the node's label, as Keras has them.

    ``orders`` is where each channel that the node reads, and each that it writes, lies in the source.
    """
    if layout == "keras":
        return [array.read() for array in in_order(stored, node).arrays.values()]
    out = []
    for weight in node.weights:
        form = torch_form(node, weight)
        arrays = [
            stored.arrays[role].read().reshape(shape) for role, shape in zip(form.roles, form.shapes, strict=True)
        ]
        value = form.convert(*arrays)
        for order, axis in zip(orders, (weight.reads, weight.writes), strict=True):
            if order is not None and axis is not None:
                value = value.take(order, axis)
        out.append(value)
    return out


def torch_form(node: Node, weight: WeightSpec) -> Form:
    """How PyTorch (and Caffe, under PyTorch's names) keeps one weight of a node."""
    op, shape = node.op.name, weight.shape
    name = weight.name.rpartition("/")[2]
    if op in RECURRENT:
        return RECURRENT[op](name, shape)
    if op == "bidirectional":
        # forward_lstm/lstm_cell/kernel
        way, _, kind = weight.name.partition("/")[0].partition("_")
        form = RECURRENT[kind](name, shape)
        return form if way == "forward" else replace(form, roles=tuple(f"{role}_reverse" for role in form.roles))
    if name == "kernel" and op == "depthwise_conv":
        *taps, channels, multiplier = shape
        return Form(
            ("weight",),
            ((channels * multiplier, 1, *taps),),
            lambda k: _taps_first(k.reshape(channels, multiplier, *taps)),
        )
    if name == "kernel":
        # (…, a, b) here is (b, a, …) there, also for transposed convolutions and for matrices.
        *taps, a, b = shape
        return Form(("weight",), ((b, a, *taps),), lambda k: _taps_first(k.swapaxes(0, 1)))
    role = PEERS.get(name, "weight")
    if op in ("bias", "prelu") and len(shape) > 2:
        # One for each element, position or channel of an image.
        return Form((role,), ((shape[-1], *shape[:-1]),), lambda v: v.transpose(*range(1, v.ndim), 0))
    return Form((role,), (shape,), lambda v: v)


def refuse_gates(graph: Graph) -> None:
    """Raises WeightsError where a recurrent layer computes what PyTorch's cannot."""
    for node in graph.owners():
        op: Any = getattr(node.op, "layer", node.op)
        for name, wanted in (("gate_activation", "sigmoid"), ("activation", "tanh")):
            if hasattr(op, "gate_activation") and (has := getattr(op, name).name) != wanted:
                raise WeightsError(f"{node.span}: {node.layer!r} has {name} {has}; PyTorch's {op.name} has {wanted}")


def _taps_first(kernel: np.ndarray) -> np.ndarray:
    """(a, b, …) → (…, a, b)"""
    return kernel.transpose(*range(2, kernel.ndim), 0, 1)


def _lstm(name: str, shape: tuple[int, ...]) -> Form:
    """Both keep the gates in the order input, forget, cell, output; PyTorch has two biases that are added."""
    if name == "bias":
        return Form(("bias_ih_l0", "bias_hh_l0"), (shape, shape), lambda a, b: a + b)
    return Form((_matrix(name),), (shape[::-1],), lambda m: m.T)


def _gru(name: str, shape: tuple[int, ...]) -> Form:
    """Keras keeps the gates as update, reset, new; PyTorch as reset, update, new."""
    import numpy as np

    def swapped(v: np.ndarray) -> np.ndarray:
        reset, update, new = np.split(v, 3)
        return np.concatenate([update, reset, new])

    if name == "bias":
        return Form(
            ("bias_ih_l0", "bias_hh_l0"), (shape[1:], shape[1:]), lambda a, b: np.stack([swapped(a), swapped(b)])
        )
    return Form((_matrix(name),), (shape[::-1],), lambda m: swapped(m).T)


def _matrix(name: str) -> str:
    return "weight_hh_l0" if name == "recurrent_kernel" else "weight_ih_l0"


RECURRENT: Mapping[str, Callable[[str, tuple[int, ...]], Form]] = {"lstm": _lstm, "rnn": _lstm, "gru": _gru}
