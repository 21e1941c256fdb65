"""What a spec says its graph comes to, against what it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archspec.analysis.cost import totals
from archspec.ir.diagnostics import Diagnostic
from archspec.ir.graph import Expect, Graph


def unmet(graph: Graph) -> list[Diagnostic]:
    """A diagnostic for every expected figure that is another."""
    expect = graph.expect
    if expect is None:
        return []
    name = graph.variant or graph.name
    return [
        *_differences(expect, expect.figures, graph.inference(), name, ()),
        *_differences(expect, expect.training, graph, f"{name}, with train-only heads,", ("training",)),
        *(
            difference
            for network, figures in expect.networks.items()
            for difference in _differences(
                expect, figures, graph.networks[network], f"{network} of {name}", ("networks", network)
            )
        ),
    ]


def _differences(
    expect: Expect, figures: Mapping[str, Any], graph: Graph, name: str, path: tuple[str, ...]
) -> Iterator[Diagnostic]:
    found = _figures(graph) if figures else {}
    for figure, wanted in figures.items():
        got = found[figure]
        if got != wanted:
            help = f"the difference is {got - wanted:+,}" if isinstance(wanted, int) and got is not None else None
            message = f"{name} has {figure} {_said(got)}, expected {_said(wanted)} ({expect.source})"
            yield Diagnostic("E01", message, expect.spans.get((*path, figure), expect.span), help)


def _figures(graph: Graph) -> dict[str, Any]:
    sums = totals(graph)
    shapes = [list(graph.spec(o.tensor).shape) for o in graph.outputs]
    return {**sums._asdict(), "output_shape": shapes[0] if shapes else None}


def _said(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "unknown" if value is None else str(value)
