"""Where masks of padding go: each op hands its mask on, respects it or refuses it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archspec.frontend.walk import Walk
from archspec.ir.graph import Node, Tensor
from archspec.ops.base import OpError


def check_masks(walk: Walk, nodes: Iterable[Node]) -> None:
    """Report every node that would read what a mask leaves out; behind it there is no mask."""
    found: dict[Tensor, int] = {}
    for node in nodes:
        op: Any = node.op
        covered = tuple([found.get(tensor, 0) for tensor in node.inputs]) if found else ()
        if not op.marks_padding and not any(covered):
            continue
        try:
            left = op.masked(covered or (0,) * len(node.inputs), *node.input_specs)
        except OpError as error:
            walk.report("H14", error.message, node.span, error.help)
            continue
        if left:
            found.update((Tensor(node.name, k), left) for k, o in enumerate(node.outputs) if o.rank == node.output.rank)
