"""The text of a spec with what each line costs in the margin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape

from archspec.analysis.cost import NodeCost, Totals, counted, total
from archspec.ir.diagnostics import Diagnostic, Source
from archspec.report.format import exact, quantity

TINTS = 9
"""Shades of a line by its share of the MACs, as classes ``tint-1`` … of the page's style."""


def listing(source: Source, lines: Sequence[int], costs: Sequence[NodeCost], said: Sequence[Diagnostic]) -> str:
    """All lines of a text. ``lines`` has the line of each node, 0 for those that stand in another file; what is
    ``said`` of a line stands below it."""
    held: dict[int, list[Totals]] = defaultdict(list)
    for line, cost in zip(lines, costs, strict=True):
        held[line].append(cost.counts)
    sums = {line: total(counts) for line, counts in held.items()}
    whole = counted(costs)
    told: dict[int, list[Diagnostic]] = defaultdict(list)
    for diagnostic in said:
        if diagnostic.span.source.name == source.name:
            told[diagnostic.span.line].append(diagnostic)
    rows = [_line(number, text, sums.get(number), whole, told) for number, text in enumerate(source.lines, 1)]
    head = '<tr><th scope="col">params</th><th scope="col">MACs</th><th></th><th scope="col">text</th></tr>'
    return f'<table class="text"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'


def _line(number: int, text: str, cost: Totals | None, whole: Totals, told: Mapping[int, Sequence[Diagnostic]]) -> str:
    params = exact(cost.params) if cost is not None and cost.params else ""
    macs = quantity(cost.macs) if cost is not None and cost.macs != 0 else ""
    part = cost.macs / whole.macs if cost is not None and cost.macs and whole.macs else 0.0
    tint = f' class="tint-{min(TINTS, 1 + int(part**0.5 * TINTS))}"' if part else ""
    notes = "".join(
        f'<tr class="note {escape(d.severity)}"><td></td><td></td><td></td><td>{escape(d.code)}: {escape(d.message)}'
        "</td></tr>"
        for d in told.get(number, ())
    )
    is_made = ' data-made=""' if cost is not None else ""
    return (
        f'<tr data-line="{number}"{is_made}{tint}><td>{params}</td><td>{macs}</td><td>{number}</td>'
        f"<td><code>{escape(text)}</code></td></tr>{notes}"
    )
