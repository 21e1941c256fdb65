"""A table of figures as a Parquet file, where pyarrow is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archspec.report.format import shapes
from archspec.report.grid import Grid


def write_parquet(grid: Grid, path: Path) -> None:
    """``name`` and a column for each of the grid's: counts are whole numbers, shapes ``112x112x64``, what is not known
    is null. Written beside and renamed. Raises ModuleNotFoundError without pyarrow, OSError."""
    import pyarrow
    from pyarrow import parquet

    from archspec.storage.atomic import write_atomically

    def cell(value: object) -> Any:
        return shapes(value, "x") if isinstance(value, (tuple, dict)) else value

    columns: dict[str, list[Any]] = {"name": [name for name, _ in grid.rows]}
    for i, column in enumerate(grid.columns):
        columns[column] = [cell(values[i]) for _, values in grid.rows]
    write_atomically(path, lambda beside: parquet.write_table(pyarrow.table(columns), beside))
