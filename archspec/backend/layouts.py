"""How the weights of a node lie in other libraries, and how they become Keras's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import Layout, StoredLayer
from archspec.backend.rules import Rotary
from archspec.backend.wiring import WeightsError
from archspec.ir.graph import Graph, Node
from archspec.ir.tensors import WeightSpec
from archspec.ops.peers import Form

if TYPE_CHECKING:
    import numpy as np


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
    return label(roles_and_shapes(node).items(), layout)


def roles_and_shapes(node: Node) -> dict[str, tuple[int, ...]]:
    """The arrays by which PyTorch keeps the node's weights. Raises WeightsError where no module has them all."""
    forms = [torch_form(node, w) for w in node.weights]
    found = [pair for form in forms for pair in zip(form.roles, form.shapes, strict=True)]
    out = dict(found)
    if len(out) != len(found):
        names = ", ".join(w.name for w in node.weights)
        raise WeightsError(f"{node.span}: {node.layer!r} has {names}, which no module of PyTorch keeps as one layer")
    return out


def heads_of_keys(node: Node) -> int:
    """The heads that an attention has of keys and values; 1 of anything else."""
    return next((w.shape[1] for w in node.weights if w.name == "key/kernel" and len(w.shape) == 3), 1)


def converted(
    node: Node,
    stored: StoredLayer,
    layout: Layout,
    orders: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    rotary: Rotary | None = None,
) -> list[np.ndarray]:
    """The node's weights out of a layer with the node's label, as Keras has them.

    ``orders`` is where each channel that the node reads, and each that it writes, lies in the source; ``rotary`` which
    channels are turned together there. Raises WeightsError where that matters and is not said.
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
        if form.of_halves is not None:
            if rotary is None:
                raise WeightsError(
                    f"{node.span}: {node.layer!r} turns neighbouring channels of a head as pairs; whether the file's "
                    "network does, or turns those half a head apart, the file does not say: state it in rules\n"
                    "  rotary: halves   # as transformers' LLaMA; or pairs, as here"
                )
            value = form.of_halves(value) if rotary == "halves" else value
        for order, axis in zip(orders, (weight.reads, weight.writes), strict=True):
            if order is not None and axis is not None:
                value = value.take(order, axis)
        out.append(value)
    return out


def torch_form(node: Node, weight: WeightSpec) -> Form:
    """How PyTorch (and Caffe, under PyTorch's names) keeps one weight of a node."""
    op: Any = node.op
    form: Form = op.torch(weight)
    return form


def refuse_turned(node: Node, stored: StoredLayer) -> None:
    """Raises WeightsError where a kernel is as large as the node's, along other axes: [7, 1] is not [1, 7]."""
    for role, shape in roles_and_shapes(node).items():
        theirs = stored.arrays[role].shape
        if len(theirs) == len(shape) > 3 and theirs[:2] == shape[:2] and theirs[2:] != shape[2:]:
            raise WeightsError(
                f"{node.span}: {stored.name!r} of the file has a kernel of {list(theirs[2:])}, {node.layer!r} one of "
                f"{list(shape[2:])}"
            )


def refuse_gates(graph: Graph) -> None:
    """Raises WeightsError where a recurrent layer computes what PyTorch's cannot."""
    for node in graph.owners():
        op: Any = node.op.within
        for name, wanted in op.torch_has:
            if (has := getattr(op, name).name) != wanted:
                raise WeightsError(f"{node.span}: {node.layer!r} has {name} {has}; PyTorch's {op.name} has {wanted}")
