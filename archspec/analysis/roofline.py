"""The roofline: how long a network takes at least on a machine (Williams, Waterman and Patterson 2009).

A node takes no less than its FLOPs at the machine's peak, nor than its bytes at the machine's bandwidth; what is larger
limits it. The sum is a lower bound, never a prediction: launches, caches that are too small, and kernels that do not
reach the peak are not in it, and what a compiler fuses or keeps in a cache may be counted here as moved.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from archspec.analysis.cost import node_costs
from archspec.analysis.hardware import Hardware
from archspec.analysis.traffic import traffic
from archspec.ir.graph import Graph


class Bound(NamedTuple):
    """Seconds that a node takes at least, and what limits it; None where a count is open or not known."""

    seconds: float
    limit: Literal["compute", "memory", ""]
    intensity: float
    """FLOPs for each byte that is moved."""


def bounds(graph: Graph, machine: Hardware, *, batch: int = 1, dtype: str = "float32") -> list[Bound | None]:
    """The bound of every node in the graph's order, for ``batch`` samples of ``dtype``. Raises ValueError for a type
    that the machine's profile does not have."""
    if dtype not in machine.peak:
        raise ValueError(f"{machine.name} has no peak of {dtype}; it has those of {', '.join(machine.peak)}")
    out: list[Bound | None] = []
    for cost, moved in zip(node_costs(graph, batch), traffic(graph, batch, dtype), strict=True):
        flops, operations = cost.counts.flops, cost.counts.transcendentals
        if flops is None or operations is None or moved is None:
            out.append(None)
            continue
        compute, memory = flops / machine.peak[dtype], moved.total / machine.bandwidth
        limit: Literal["compute", "memory", ""] = "compute" if compute > memory else "memory" if memory else ""
        out.append(Bound(max(compute, memory), limit, flops / moved.total if moved.total else 0.0))
    return out
