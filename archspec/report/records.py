"""A table as data: JSON, CSV, markdown, HTML."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archspec.report.format import HEADERS, cells, dimensions

if TYPE_CHECKING:
    from archspec.report.table import Row, Table


def to_json(table: Table) -> str:
    """One object: name, variant, inputs, outputs, totals, nodes (a line each)."""
    from json import JSONEncoder

    encode = JSONEncoder(ensure_ascii=False).encode
    head = {
        "name": table.name,
        "variant": table.variant,
        "training": table.training,
        "batch": table.batch,
        "inputs": {name: {"shape": spec.shape, "dtype": spec.dtype} for name, spec in table.inputs.items()},
        "outputs": {name: {"shape": spec.shape, "dtype": spec.dtype} for name, spec in table.outputs.items()},
        "totals": table.totals._asdict(),
    }
    lines = [f"{encode(key)}: {encode(value)}" for key, value in head.items()]
    nodes = ",\n".join([encode(_node(row)) for row in table.rows])
    return "{" + ",\n".join(lines) + f',\n"nodes": [\n{nodes}\n]}}'


def _node(row: Row) -> dict[str, Any]:
    record = row._asdict()
    if row.shared is None:
        del record["shared"]
    if not row.shared_params:
        del record["shared_params"]
    if row.layer == row.name:
        del record["layer"]
    if row.nodes == 1:
        del record["nodes"]
    return record


def to_csv(table: Table) -> str:
    """Columns name, op, inputs (separated by spaces), output_shape, the counts, source, shared."""
    import csv
    from io import StringIO

    counts = ("params", "trainable_params", "macs", "flops", "transcendentals", "activations")
    columns = ("name", "op", "inputs", "output_shape", *counts, "source", "shared")
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in table.rows:
        record = row._asdict()
        record |= {"inputs": " ".join(row.inputs), "output_shape": dimensions(row.output_shape, "x")}
        writer.writerow([record[column] for column in columns])
    return out.getvalue().rstrip("\n")


def _cells(table: Table) -> list[tuple[str, ...]]:
    """Cells of every row, then of the totals."""
    whole = table.totals
    rows = [cells(row.name, row.kind, row.output_shape, row.counts, whole, row.shared_params) for row in table.rows]
    return [*rows, cells("total", "", None, whole, whole)]


def to_markdown(table: Table) -> str:
    """Numbers are aligned to the right; folded like the text table when long."""
    from archspec.report.text import footnotes, summary, title

    table = table.readable()
    rows = [tuple(cell.replace("|", "\\|") for cell in row) for row in _cells(table)]
    rows[-1] = tuple(f"**{cell}**" if cell else "" for cell in rows[-1])
    lines = [f"**{title(table)}**", ""]
    lines += ["| " + " | ".join(row) + " |" for row in (HEADERS, ("---",) * 3 + ("---:",) * 4, *rows)]
    return "\n".join([*lines, "", " · ".join(summary(table)), *(f"\n{note}" for note in footnotes(table))])


def to_html(table: Table) -> str:
    """Folded like the text table when long."""
    from html import escape

    from archspec.report.text import footnotes, summary, title

    table = table.readable()

    def line(cells: tuple[str, ...], tag: str, convert: Callable[[str], str] = escape) -> str:
        style = ['style="text-align:left"'] * 3 + ['style="text-align:right"'] * 4
        return "<tr>" + "".join(f"<{tag} {s}>{convert(c)}</{tag}>" for c, s in zip(cells, style, strict=True)) + "</tr>"

    *rows, last = _cells(table)
    body = "\n".join(line(row, "td") for row in rows)
    notes = "<br>".join(escape(note) for note in (" · ".join(summary(table)), *footnotes(table)))
    return (
        f"<table>\n<caption>{escape(title(table))}</caption>\n<thead>\n{line(HEADERS, 'th')}\n</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n<tfoot>\n{line(last, 'th')}\n"
        f'<tr><td colspan="7" style="text-align:left">{notes}</td></tr>\n</tfoot>\n</table>'
    )
