"""What a spec says its graph comes to, against what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from archspec.analysis.cost import Totals, totals, uncounted
from archspec.ir.diagnostics import Diagnostic
from archspec.ir.graph import Expectations, Graph


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
    expect: Expectations, figures: Mapping[str, Any], graph: Graph, name: str, path: tuple[str, ...]
) -> Iterator[Diagnostic]:
    sums = cache(lambda: totals(graph))
    for figure, wanted in figures.items():
        if wanted is None:
            continue
        got = _figure(graph, figure, sums)
        write = binary if figure == "memory" else _said
        if isinstance(wanted, Mapping):
            least, most = wanted.get("min"), wanted.get("max")
            if got is not None and (least is None or least <= got) and (most is None or got <= most):
                continue
            said, apart = _bounds(wanted, write), _beyond(got, least, most)
        elif got == wanted:
            continue
        else:
            said, apart = write(wanted), got - wanted if isinstance(wanted, int) and got is not None else None
        unit = " bytes" if figure == "memory" else ""
        help = None if apart is None else f"the difference is {apart:+,}{unit}"
        message = f"{name} has {figure} {write(got)}, expected {said} ({expect.source})"
        yield Diagnostic("E01", message, expect.spans.get((*path, figure), expect.span), help)


def _figure(graph: Graph, figure: str, sums: Callable[[], Totals]) -> Any:
    """What the graph comes to; None where that is not known."""
    if figure == "output_shape":
        shapes = [list(graph.spec(o.tensor).shape) for o in graph.outputs]
        return shapes[0] if shapes else None
    if figure == "memory":
        from archspec.analysis.memory import peak_bytes

        return peak_bytes(graph)
    if figure == "receptive_field":
        from archspec.analysis.receptive import largest, receptive_fields

        found = largest(graph, receptive_fields(graph)) if graph.inputs else None
        # Of axes that differ, the smallest is what a bound from below is about.
        return None if found is None else min(size for size in found[1].size if size is not None)
    if figure == "anchors":
        rows = [node.output.shape[0] for node in graph.nodes if node.op.rows_are == figure]
        return None if None in rows else sum(n for n in rows if n is not None)
    if figure in LOWER_BOUNDS and uncounted(graph):
        return None
    return getattr(sums(), figure)


LOWER_BOUNDS = ("macs", "flops")
"""Figures that are not known where an op does not say what it costs."""


def _bounds(wanted: Mapping[str, Any], write: Callable[[Any], str]) -> str:
    """``at most 5,000,000``."""
    words = (("min", "at least"), ("max", "at most"))
    return " and ".join(f"{word} {write(wanted[key])}" for key, word in words if key in wanted)


def _beyond(got: Any, least: Any, most: Any) -> int | None:
    """How far a figure is beyond its bounds."""
    if got is None:
        return None
    beyond: int = got - (least if least is not None and got < least else most)
    return beyond


def binary(size: object) -> str:
    """Bytes, with the largest unit that tells them."""
    if size is None:
        return "unknown"
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:.2f} {unit}"
    return f"{size} B"


def _said(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "unknown" if value is None else str(value)
