"""What a spec says its graph comes to, against what it does."""

from __future__ import annotations

from typing import Any

from archspec.analysis.cost import totals
from archspec.ir.diagnostics import Diagnostic
from archspec.ir.graph import Graph


def unmet(graph: Graph) -> list[Diagnostic]:
    """A diagnostic for every expected figure that is another."""
    expect = graph.expect
    if expect is None:
        return []
    out = []
    for path, figures, what in (((), expect.figures, graph.inference()), (("training",), expect.training, graph)):
        if not figures:
            continue
        found = _figures(what)
        for name, wanted in figures.items():
            if found[name] != wanted:
                name_of = graph.variant or graph.name
                of = f"{name_of}, with train-only heads," if path else name_of
                message = f"{of} has {name} {_said(found[name])}, expected {_said(wanted)} ({expect.source})"
                span = expect.spans.get((*path, name), expect.span)
                difference = f"{found[name] - wanted:+,}" if isinstance(wanted, int) and found[name] is not None else None
                out.append(Diagnostic("E01", message, span, f"the difference is {difference}" if difference else None))
    return out


def _figures(graph: Graph) -> dict[str, Any]:
    sums = totals(graph)
    shapes = [list(graph.spec(o.tensor).shape) for o in graph.outputs]
    return {**sums._asdict(), "output_shape": shapes[0] if shapes else None}


def _said(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "unknown" if value is None else str(value)
