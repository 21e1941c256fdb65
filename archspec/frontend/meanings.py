"""Whether tensors are what ops need them to be, where their shapes would allow more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archspec.frontend.walk import Walk
from archspec.ir.graph import Node, Output, Tensor
from archspec.ir.meaning import Meaning
from archspec.ir.training import ObjectsInput
from archspec.ops.base import Op, OpError

Known = Mapping[Tensor, Meaning]
"""What tensors are; of those that are left out nothing is known."""


def meanings(walk: Walk, nodes: Iterable[Node], objects: Mapping[str, ObjectsInput]) -> Known:
    """What the tensors of a graph are. Reports what cannot be what its op needs."""
    found: dict[Tensor, Meaning] = {}
    for name, given in objects.items():
        found |= {Tensor(f"{name}.{port}"): meaning for port, meaning in given.meanings().items()}
    images = [spec for spec in walk.inputs.values() if spec.rank == 3]
    for node in nodes:
        op = node.op
        if not isinstance(op, Op) or (not found and type(op).meanings is Op.meanings):
            continue
        try:
            if len(images) == 1:
                op.check_image(images[0], *node.input_specs)
            said = op.meanings(tuple([found.get(tensor) for tensor in node.inputs]), node.input_specs)
        except OpError as error:
            walk.report("H01", error.message, node.span, error.help)
            continue
        for tensor, meaning in zip(node.tensors, said, strict=False):
            if meaning is not None:
                found[tensor] = meaning
    return found


def check_outputs(
    walk: Walk, outputs: Iterable[Output], found: Known, objects: Mapping[str, ObjectsInput], nodes: Mapping[str, Node]
) -> None:
    """Report what finds objects of other classes than those that it is trained on."""
    for output in outputs:
        meaning = found.get(output.tensor)
        if meaning is None or meaning.kind != "classes":
            continue
        for name, given in objects.items():
            if meaning.classes not in (None, given.classes):
                op, at = nodes[output.tensor.node].op.name, nodes[output.tensor.node].span
                more = meaning.classes == given.classes + 1
                help = f"{op}: {{background: first}} where the first is no object" if more else None
                message = f"{op} finds objects of {meaning.classes} classes, '{name}' has {given.classes}"
                walk.report(
                    "H01", message, at, help or f"scores of {given.classes} classes, or objects: {meaning.classes}"
                )
