"""JSON: one object, a line for each node."""

from __future__ import annotations

from json import JSONEncoder
from typing import TYPE_CHECKING, Any

from archspec.report.table import Row, Table

if TYPE_CHECKING:
    from archspec.report.grid import Grid


def render(table: Table) -> str:
    """One object: name, variant, inputs, outputs, totals, nodes. Open sizes, and the counts that depend on them, are
    null."""
    encode = JSONEncoder(ensure_ascii=False).encode
    head: dict[str, Any] = {
        "name": table.name,
        "variant": table.variant,
        "training": table.training,
        "batch": table.batch,
        "inputs": {name: {"shape": spec.shape, "dtype": spec.dtype} for name, spec in table.inputs.items()},
        "outputs": {name: {"shape": spec.shape, "dtype": spec.dtype} for name, spec in table.outputs.items()},
        "totals": table.totals._asdict(),
    }
    if table.in_bounds:
        head["in_bounds"] = True
    if table.uncounted:
        head["uncounted"] = list(table.uncounted)
    lines = [f"{encode(key)}: {encode(value)}" for key, value in head.items()]
    nodes = ",\n".join([encode(_node(row)) for row in table.rows])
    return "{" + ",\n".join(lines) + f',\n"nodes": [\n{nodes}\n]}}'


def grid(grid: Grid) -> str:
    """One object: ``rows`` and, of a single network, its ``totals``, by the names of the columns."""
    encode = JSONEncoder(ensure_ascii=False).encode
    rows = ",\n".join(encode(record) for record in grid.records())
    last = "" if grid.last is None else f',\n"totals": {encode(dict(zip(grid.columns, grid.last, strict=True)))}'
    return f'{{"rows": [\n{rows}\n]{last},\n"lower_bounds": {encode(sorted(grid.bounds))}}}'


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
