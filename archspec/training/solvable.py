"""Which layers of a network a run file asks to be solved for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from archspec.ir.diagnostics import did_you_mean
from archspec.ir.graph import Graph, Tensor
from archspec.ir.training import Term
from archspec.training.errors import TaskError
from archspec.training.fits import Fit
from archspec.training.freezing import matches


class Solvable(NamedTuple):
    """A layer, how it is solved for, what comes into it, and the term that says what is wanted of it."""

    layer: str
    fit: Fit
    x: Tensor
    term: Term


def solvable(graph: Graph, fits: Mapping[str, Fit]) -> list[Solvable]:
    """The layers that are meant. Raises TaskError for a name that means none, or one that cannot be solved for."""
    plan, at = graph.training, ("train", "fit")
    if fits and (plan is None or not plan.is_of_one):
        help = "let a train section of the spec minimize an mse of what the layer gives"
        raise TaskError(f"fit takes targets from terms, and '{graph.name}' has no 'train' section", at=at, help=help)
    out = []
    owners = {node.layer: node for node in graph.owners() if node.weights}
    for pattern, fit in fits.items():
        found = []
        assert plan is not None
        for term in plan.steps[0].minimize:
            node = plan.body.by_name.get(plan.results[str(term.operands[0])].node)
            owner = owners.get(node.layer) if node is not None else None
            if node is None or owner is None or not matches(pattern, node.layer):
                continue
            kernel, *rest = owner.weights
            applied = node.op.applied
            is_plain = applied is None or applied.is_view
            if not is_plain or len(kernel.shape) != 2 or [w.shape for w in rest] != [kernel.shape[1:]]:
                message = (
                    f"'{node.layer}' cannot be solved for: it is no dense layer with a bias and without activation"
                )
                raise TaskError(message, at=(*at, pattern))
            found.append(Solvable(node.layer, fit, node.inputs[0], term))
        if len(found) != 1:
            near = did_you_mean(pattern, list(owners)) if not any(matches(pattern, name) for name in owners) else None
            help = near or "- {mse: [shift, goals]} in minimize, where shift is what the layer gives"
            raise TaskError(f"{len(found) or 'no'} terms compare what '{pattern}' gives", at=(*at, pattern), help=help)
        out += found
    return out
