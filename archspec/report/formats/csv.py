"""CSV: a header and one line for each row."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING

from archspec.report.format import dimensions, shapes
from archspec.report.table import Table

if TYPE_CHECKING:
    from archspec.report.grid import Grid


def render(table: Table) -> str:
    """Columns name, op, inputs (separated by spaces), output_shape (``112x112x64``, open ``?``), the counts (empty
    where unknown), source, shared."""
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


def grid(grid: Grid) -> str:
    """A column for each of the grid's; counts are whole numbers, shapes ``112x112x64``."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("name", *grid.columns))
    for name, values in grid.rows:
        writer.writerow([name, *(shapes(v, "x") if isinstance(v, (tuple, dict)) else v for v in values)])
    return out.getvalue().rstrip("\n")
