"""JSON: one object, a line for each node."""

from __future__ import annotations

from json import JSONEncoder
from typing import Any

from archspec.report.table import Row, Table


def render(table: Table) -> str:
    """One object: name, variant, inputs, outputs, totals, nodes. Open sizes, and the counts that depend on them, are
    null."""
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
