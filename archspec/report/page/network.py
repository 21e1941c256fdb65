"""The page of one network: picture, table, charts along the depth, roofline, findings and text, all linked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

from archspec.analysis.expect import unmet
from archspec.analysis.hardware import Hardware
from archspec.analysis.practice import Family, findings
from archspec.frontend import analyse, load
from archspec.frontend.findings import Analysis
from archspec.ir.diagnostics import Diagnostic, in_order
from archspec.ir.graph import Graph
from archspec.report.captions import footnotes, title
from archspec.report.columns import COLUMNS, Measured, extent
from archspec.report.format import binary, duration, exact, quantity
from archspec.report.grid import Grid, of_nodes
from archspec.report.page import charts
from archspec.report.page.document import document, header
from archspec.report.page.drawings import Level, levels, section
from archspec.report.page.listing import listing
from archspec.report.page.trained import ReportedRun, sections
from archspec.report.picture import LayoutError
from archspec.report.table import table

SHOWN = ("op", "output", "params", "macs", "memory", "receptive_field", "intensity", "time", "limit")
"""Columns of the page's table."""
FIGURES = ("params", "trainable_params", "macs", "flops", "activations", "memory", "training_memory", "receptive_field")
"""Columns whose totals stand at the head of the page."""
MOST_POINTS = 200
"""Nodes below the roof: those that take longest."""


@dataclass(frozen=True)
class Reported:
    """A network that a page is about: its graph, as it is counted, and what is said of its file."""

    called: str
    measured: Measured
    analysis: Analysis
    is_training: bool = False

    @property
    def graph(self) -> Graph:
        return self.measured.graph

    @property
    def machine(self) -> Hardware:
        """What the times are of."""
        assert self.measured.machine is not None
        return self.measured.machine

    @property
    def name(self) -> str:
        """What people call it."""
        return self.graph.variant or self.graph.name

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Errors in what is not part of this graph, warnings, budgets that are exceeded, and what lint finds."""
        said = [*self.analysis.diagnostics, *(d for graph in self.analysis.graphs for d in unmet(graph))]
        if self.analysis.document is not None:
            said += findings(self.analysis)
        return in_order(said)

    @cached_property
    def lines(self) -> list[int]:
        """The line of the file that made each node; 0 where none did."""
        found = self.analysis.document
        if found is None:
            return [0] * len(self.graph.nodes)
        at = next((i for i, graph in enumerate(self.analysis.graphs) if graph.variant == self.graph.variant), None)
        family = None if at is None else Family(self.analysis.graphs[at], self.analysis.traces[at], found.source)
        spans = (node.span if family is None else family.place(node) for node in self.graph.nodes)
        return [span.line if span.source.name == found.source.name else 0 for span in spans]


def reported(
    called: str,
    machine: Hardware,
    *,
    variant: str | None = None,
    set: Mapping[str, Any] | None = None,
    training: bool = False,
    batch: int = 1,
) -> Reported:
    """What ``called`` names, analysed. Raises SpecError, OSError."""
    graph = load(called, variant=variant, set=dict(set or {}))
    found = analyse(called, variant=variant or graph.variant, set=dict(set or {}))
    # The steps that made a node are known of the analysis' own graph.
    graph = next((one for one in found.graphs if one.variant == graph.variant), graph)
    measured = Measured(graph.described(training), batch, machine=machine)
    return Reported(called, measured, found, training)


def page(of: Reported, *, live: str | None = None, run: ReportedRun | None = None) -> str:
    """The page of a network, and of the ``run`` that trained it; ``live`` is its version where it follows a file."""
    made = table(of.graph, training=of.is_training, batch=of.measured.batch)
    grid = of_nodes(of.measured, SHOWN, depth=0)
    drawn, chosen, missing = _drawn(of.graph)
    body = "\n".join(
        [
            header(title(made) if run is None else f"{run.name}, a run of {title(made)}", of.graph.doc),
            '<main class="network">',
            section(drawn, chosen, missing),
            '<div class="sections">',
            *(_section(_id(head), head, body) for head, body in (sections(run) if run else {}).items()),
            _section("figures", "Figures", _figures(of) + _notes([*footnotes(made), *grid.notes])),
            _section("findings", "Findings", _findings(of.diagnostics)),
            _section("layers", "Layers", _layers(grid, of)),
            _section("text", "Text", _text(of)),
            _section("depth", "Along the depth", _depth(of)),
            _section("roofline", f"Roofline of {of.machine.name}", _roofline(of)),
            "</div>",
            "</main>",
        ]
    )
    data = {
        "nodes": [node.name for node in of.graph.nodes],
        "lines": of.lines,
        "sort": _sortable(grid),
        "levels": [level.record() for level in drawn],
    }
    return document(of.name if run is None else run.name, body, data, live=live, has_images=run is not None)


def _id(head: str) -> str:
    return head.lower().replace(" ", "-")


def _drawn(graph: Graph) -> tuple[list[Level], int, str]:
    """Pictures, which of them is shown first, and why there are none."""
    try:
        return *levels(graph), ""
    except LayoutError as error:
        return [], 0, str(error)


def _section(name: str, head: str, body: str) -> str:
    return f'<section id="{name}"><h2>{escape(head)}</h2>{body}</section>' if body else ""


def _figures(of: Reported) -> str:
    out = []
    for name in (*FIGURES, "time"):
        kind = COLUMNS[name]
        value = kind.total(of.measured, kind.of(of.measured))
        least = "≥ " if of.measured.uncounted and name in ("macs", "flops", "transcendentals") else ""
        if value not in (None, ""):
            words = "training memory" if name == "training_memory" else kind.header
            said = f"<dt>{escape(words)}</dt><dd>{least}{_written(name, value)}</dd>"
            out.append(f'<div title="{escape(kind.doc)}">{said}</div>')
    count = len(of.graph.nodes)
    out.append(f"<div><dt>nodes</dt><dd>{exact(count)}</dd></div>")
    return f"<dl>{''.join(out)}</dl>"


def _written(name: str, value: Any) -> str:
    return escape(exact(value) if name == "activations" else COLUMNS[name].write(value))


def _notes(notes: list[str]) -> str:
    return "".join(f'<p class="remark">{escape(note)}</p>' for note in dict.fromkeys(notes))


def _findings(said: tuple[Diagnostic, ...]) -> str:
    if not said:
        return '<p class="remark">nothing found</p>'
    rows = "".join(
        f'<li class="{escape(d.severity)}"><a href="#text" data-to-line="{d.span.line}">{escape(str(d.span))}</a> '
        f"<b>{escape(d.code)}</b> {escape(d.message)}"
        f"{f'<small>{escape(d.help)}</small>' if d.help else ''}</li>"
        for d in said
    )
    return f'<ul class="findings">{rows}</ul>'


def _layers(grid: Grid, of: Reported) -> str:
    head, *rows, last = grid.written()
    if len(of.graph.outputs) > 1:
        # The head of the page has them all, and they would make the column wide.
        at = 1 + grid.columns.index("output")
        last = (*last[:at], "", *last[at + 1 :])
    left = grid.left()

    def cells(row: tuple[str, ...], tag: str = "td") -> str:
        return "".join(
            f"<{tag}{'' if is_left else ' class=number'}>{escape(cell)}</{tag}>"
            for cell, is_left in zip(row, left, strict=True)
        )

    docs = ["names, by which rows stand in the order of the network", *(COLUMNS[name].doc for name in grid.columns)]
    heads = "".join(
        f'<th scope="col"{"" if is_left else " class=number"}><button type="button" data-sort="{i}" '
        f'title="{escape(doc)}">{escape(cell)}</button></th>'
        for i, (cell, doc, is_left) in enumerate(zip(head, docs, left, strict=True))
    )
    body = "\n".join(f'<tr data-node="{i}">{cells(row)}</tr>' for i, row in enumerate(rows))
    return (
        '<p class="buttons"><button type="button" data-do="copy">copy</button> <output id="copied"></output></p>'
        f'<div class="scroll" tabindex="0"><table class="layers"><thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody>'
        f"<tfoot><tr>{cells(last, 'th')}</tr></tfoot></table></div>"
    )


def _sortable(grid: Grid) -> list[list[Any]]:
    """What each column is sorted by, None for the names, which are the order of the network."""
    out: list[list[Any]] = []
    for i, name in enumerate(grid.columns):
        out.append([_key(name, values[i]) for _, values in grid.rows])
    return out


def _key(name: str, value: Any) -> Any:
    if name == "receptive_field" and value is not None:
        size = extent(value)
        # Beyond every window: what is read whole.
        return size if size is not None else 1e300
    if isinstance(value, tuple):
        return [size or 0 for size in value]
    return value


def _depth(of: Reported) -> str:
    m, names = of.measured, [node.name for node in of.graph.nodes]
    axis = charts.Axis.of(names)
    fields = [None if text is None else extent(text) for text in COLUMNS["receptive_field"].of(m)]
    memory = COLUMNS["memory"].of(m)
    unit = 1024.0 ** min(4, max(0, (max((n for n in memory if n), default=1)).bit_length() - 1) // 10)
    drawn = [
        charts.bars("Parameters", [c.counts.params for c in m.costs], axis, quantity),
        charts.bars("MACs", [c.counts.macs for c in m.costs], axis, quantity),
        charts.bars("Activations that live at inference", memory, axis, binary, unit=unit),
        charts.steps("Receptive field, where it is a window", fields, axis, exact),
    ]
    return f'<div class="charts">{"".join(drawn)}</div>' if any(drawn) else ""


def _roofline(of: Reported) -> str:
    m, machine, dtype = of.measured, of.machine, of.measured.dtype
    bounds = m.bounds
    whole = sum(bound.seconds for bound in bounds if bound)
    if not whole:
        return ""
    points = [
        charts.Point(bound.intensity, bound.seconds / whole, i, of.graph.nodes[i].name)
        for i, bound in enumerate(bounds)
        if bound and bound.seconds
    ]
    points = sorted(points, key=lambda point: -point.share)[:MOST_POINTS]
    by_memory = sum(bound.seconds for bound in bounds if bound and bound.limit == "memory") / whole
    said = (
        f"At least {duration(whole)} for {'a sample' if m.batch == 1 else f'{m.batch} samples'} of {dtype}, of which "
        f"memory limits {100 * by_memory:.0f} % and compute {100 * (1 - by_memory):.0f} %. It is a lower bound, not a "
        "prediction."
    )
    chart = charts.roofline(f"{dtype}, each layer on the roof", points, machine.peak[dtype], machine.bandwidth)
    return f'<p class="remark">{escape(said)}</p><div class="charts">{chart}</div>'


def _text(of: Reported) -> str:
    found = of.analysis.document
    if found is None:
        return ""
    inner = listing(found.source, of.lines, of.measured.costs, of.diagnostics)
    return f'<p class="remark">{escape(found.source.name)}</p><div class="scroll" tabindex="0">{inner}</div>'
