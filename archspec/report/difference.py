"""What changed from one network to another, as text, markdown and JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from json import dumps
from typing import Any

from archspec.analysis.cost import totals
from archspec.analysis.difference import Change, Difference, as_written, difference
from archspec.analysis.memory import peak_bytes
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import plain, shown
from archspec.ir.graph import Graph, Node, must_be_graph
from archspec.report.format import aligned, binary, dimensions, exact, quantity

MAX_LINES = 40
"""Changes that are shown where a person reads them."""
MARKS = {"added": "+", "removed": "-", "changed": "~"}

Figures = dict[str, tuple[int | None, int | None]]


@dataclass(frozen=True, repr=False, eq=False)
class Diff:
    """What changed from one network to another. Shows itself in a terminal (``str``) and a notebook."""

    before: Graph
    after: Graph
    names: tuple[str, str]

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every layer that was added, removed or changed."""
        return difference(self.before, self.after).changes

    @property
    def differs(self) -> bool:
        """Whether anything differs but names: a layer, whose weights it has, an input, an output or its loss."""
        found = difference(self.before, self.after)
        return bool(found.changes or found.ends)

    def render(self, format: str = "text", *, most: int | None = None) -> str:
        """As ``text``, ``markdown``, ``html`` or ``json``; the first three show at most so many changes, all unless
        given. Raises ValueError for another format."""
        forms = {"text": text, "markdown": markdown, "html": html}
        if format == "json":
            return json(self.before, self.after, self.names)
        if format not in forms:
            raise ValueError(f"there is no format {shown(format)}; the formats are html, json, markdown, text")
        most = len(self.before.nodes) + len(self.after.nodes) if most is None else most
        return forms[format](self.before, self.after, self.names, most=most)

    def __str__(self) -> str:
        return self.render("text", most=MAX_LINES)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.render("html", most=MAX_LINES)

    def _repr_markdown_(self) -> str:
        return self.render("markdown", most=MAX_LINES)


def diff(before: Graph, after: Graph) -> Diff:
    """What changed from one graph to another: figures before and after, and every layer that differs but by its name.
    Raises TypeError for what is no graph."""
    must_be_graph(before, "archspec.diff")
    must_be_graph(after, "archspec.diff")
    names = [graph.variant or graph.name for graph in (before, after)]
    return Diff(before, after, (names[0], names[1]))


def figures(before: Graph, after: Graph) -> Figures:
    """What both come to: parameters, MACs, FLOPs, activations, and bytes of the peak at inference."""
    a, b = totals(before), totals(after)
    counts = {name: (getattr(a, name), getattr(b, name)) for name in ("params", "macs", "flops", "activations")}
    return {**counts, "memory": (peak_bytes(before.inference()), peak_bytes(after.inference()))}


def text(before: Graph, after: Graph, names: tuple[str, str], *, most: int = MAX_LINES) -> str:
    """Figures before and after, then a line for each change."""
    found = difference(before, after)
    out = [f"{names[0]} → {names[1]}", ""]
    out.append(aligned([("", "before", "after", "change"), *figure_rows(figures(before, after))]))
    changes = lines(found)
    if changes:
        out += ["", *(f"{MARKS[kind]} {said}" for kind, said in changes[:most])]
        if len(changes) > most:
            out.append(f"  and {len(changes) - most} more: --all shows them")
    if not found.changes:
        out += ["", "no layer differs"]
    if found.renamed:
        old, new = found.renamed[0]
        out += ["", f"{len(found.renamed)} renamed, as {old} is {new}"]
    return "\n".join(out)


def markdown(before: Graph, after: Graph, names: tuple[str, str], *, most: int = MAX_LINES) -> str:
    """The same for a pull request: a table of figures, and the changes as a diff."""
    found = difference(before, after)
    out = [f"**{names[0]} → {names[1]}**", "", "| | before | after | change |", "| --- | ---: | ---: | ---: |"]
    out += ["| " + " | ".join(row) + " |" for row in figure_rows(figures(before, after))]
    marks = {**MARKS, "changed": "!"}
    if changes := lines(found):
        shown_lines = [f"{marks[kind]} {said}" for kind, said in changes[:most]]
        rest = len(changes) - most
        out += ["", "```diff", *shown_lines, *([f"# and {rest} more"] if rest > 0 else []), "```"]
    if found.renamed:
        out += ["", f"{len(found.renamed)} renamed"]
    return "\n".join(out)


def html(before: Graph, after: Graph, names: tuple[str, str], *, most: int | None = None) -> str:
    """The same as HTML without style or script: a table of figures, and a line for each change."""
    found = difference(before, after)
    head = "".join(f"<th>{word}</th>" for word in ("", "before", "after", "change"))
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in figure_rows(figures(before, after))
    )
    changes = lines(found)
    told = [f'<p class="change {kind}">{escape(f"{MARKS[kind]} {said}")}</p>' for kind, said in changes[:most]]
    if rest := len(changes) - len(told):
        told.append(f"<p>and {rest} more</p>")
    if found.renamed:
        told.append(f"<p>{len(found.renamed)} renamed</p>")
    title = f"<h2>{escape(names[0])} → {escape(names[1])}</h2>"
    table = f'<table class="grid">\n<thead>\n<tr>{head}</tr>\n</thead>\n<tbody>\n{rows}\n</tbody>\n</table>'
    return "\n".join([title, table, *(told or ["<p>no layer differs</p>"])])


def json(before: Graph, after: Graph, names: tuple[str, str]) -> str:
    """All changes as one object."""
    found = difference(before, after)
    changes = [
        {
            "kind": change.kind,
            "before": _record(change.before),
            "after": _record(change.after),
            "arguments": {name: [_value(a), _value(b)] for name, (a, b) in change.arguments.items()},
            "inputs": change.inputs,
            "weights": change.owners,
        }
        for change in found.changes
    ]
    ends = [
        {"kind": end.kind, "name": end.name, "changes": {what: [a, b] for what, a, b in end.said}} for end in found.ends
    ]
    record = {"before": names[0], "after": names[1], "figures": figures(before, after)}
    return dumps({**record, "changes": changes, "ends": ends, "renamed": found.renamed}, ensure_ascii=False)


def figure_rows(found: Figures) -> list[tuple[str, str, str, str]]:
    out = []
    for name, (a, b) in found.items():
        write: Callable[[int | None], str] = binary if name == "memory" else exact
        change = "" if a is None or b is None else "0"
        if a is not None and b is not None and a != b:
            sign = "+" if b > a else "-"
            change = f"{sign}{write(abs(b - a))}" + (f" ({100 * (b - a) / a:+.1f} %)" if a else "")
        out.append((name, write(a), write(b), change))
    return out


def lines(found: Difference) -> list[tuple[str, str]]:
    """The kind of every change of a layer, an input and an output, and what is said of it."""
    ends = [
        (
            end.kind,
            ": ".join([end.name, *([", ".join(f"{what} {a} → {b}" for what, a, b in end.said)] * bool(end.said))]),
        )
        for end in found.ends
    ]
    return [*((change.kind, line(change)) for change in found.changes), *ends]


def line(change: Change) -> str:
    node = change.node
    if change.before is None or change.after is None:
        counts = f", {exact(node.params)} params" if node.params else ""
        macs = node.cost().macs
        return f"{node.name}: {node.op.name} {_shape(node)}{counts}" + (f", {quantity(macs)} MACs" if macs else "")
    a, b = change.before, change.after
    said = [f"{name} {_value(x)} → {_value(y)}" for name, (x, y) in change.arguments.items()]
    if a.op.name != b.op.name:
        said.append(f"{a.op.name} → {b.op.name}")
    if a.outputs != b.outputs:
        said.append(f"{_shape(a)} → {_shape(b)}")
    if a.params != b.params:
        said.append(f"params {exact(a.params)} → {exact(b.params)}")
    before, after = a.cost().macs, b.cost().macs
    if before != after:
        said.append(f"MACs {quantity(before)} → {quantity(after)}")
    said += [f"input {x} → {y}" for x, y in change.inputs]
    if change.owners is not None:
        said.append(f"weights: {change.owners[0]} → {change.owners[1]}")
    if not said:
        before_it, after_it = (" and ".join(dimensions(x.shape) for x in node.input_specs) for node in (a, b))
        said.append(f"applied to {before_it} → {after_it}")
    return f"{b.name}: {', '.join(said)}"


def _value(value: object) -> str:
    """An argument's value: an activation or an initializer by its name, anything else as a spec has it."""
    return as_written(value) if isinstance(value, Declaration) else plain(value)


def _shape(node: Node) -> str:
    return dimensions(node.output.shape)


def _record(node: Node | None) -> dict[str, Any] | None:
    if node is None:
        return None
    cost = node.cost()
    return {
        "name": node.name,
        "op": node.op.name,
        "output_shape": node.output.shape,
        "params": node.params,
        "macs": cost.macs,
        "source": str(node.span),
    }
