"""What stands above and below the rows of a table that people read, and the cells of the rows."""

from __future__ import annotations

from archspec.report.format import cells, dimensions, exact, lower_bound
from archspec.report.table import Table


def title(table: Table) -> str:
    """``resnet50 (resnet): image 224×224×3 → main 1000``."""
    name = f"{table.variant} ({table.name})" if table.variant and table.variant != table.name else table.name
    inputs, outputs = (
        ", ".join(f"{n} {dimensions(s.shape)}" for n, s in specs.items()) for specs in (table.inputs, table.outputs)
    )
    modes = ["with what only training needs"] * table.training + [f"batch {table.batch}"] * (table.batch > 1)
    modes += ["in bounds"] * table.in_bounds
    return f"{name}: {inputs} → {outputs}" + (f" ({', '.join(modes)})" if modes else "")


def summary(table: Table) -> list[str]:
    """The totals in words and whole numbers."""
    sums, least = table.totals, "≥ " if table.uncounted else ""
    nodes = sum(row.nodes for row in table.rows)
    return [
        f"{exact(sums.trainable_params)} trainable",
        f"{least}{exact(sums.macs)} MACs",
        f"{least}{exact(sums.flops)} FLOPs",
        f"{exact(sums.activations)} activations",
        f"{nodes} {'node' if nodes == 1 else 'nodes'}",
    ]


def footnotes(table: Table) -> list[str]:
    """What the table leaves unsaid: open sizes, shared weights, folded blocks."""
    notes = []
    for name, spec in table.inputs.items():
        if None in spec.shape:
            open_size = f"? input {name} {spec} has an open size: counts that depend on it are unknown"
            notes.append(f"{open_size} (--set {name}=[…] gives it)")
    if table.uncounted:
        notes.append(lower_bound(table.uncounted))
    calls: dict[str, set[str]] = {}
    for row in table.rows:
        if row.shared_params and row.shared:
            calls.setdefault(row.shared, set()).add(row.name)
    if calls:
        some = ", ".join(f"{name} ×{len(rows) + 1}" for name, rows in list(calls.items())[:4])
        more = f" and {len(calls) - 4} more" if len(calls) > 4 else ""
        notes.append(f"(…) weights that are counted above, at the first call: {some}{more}")
    if table.depth and any(row.nodes > 1 for row in table.rows):
        notes.append(f"blocks are folded at depth {table.depth}: --depth all shows every node")
    return notes


def all_cells(table: Table) -> list[tuple[str, ...]]:
    """Cells of every row, then of the totals."""
    whole = table.totals
    rows = [cells(row.name, row.kind, row.output_shape, row.counts, whole, row.shared_params) for row in table.rows]
    return [*rows, total_cells(table)]


def total_cells(table: Table) -> tuple[str, ...]:
    """Cells of the totals; ``≥`` where they are lower bounds."""
    *rest, macs, share = cells("total", "", None, table.totals, table.totals)
    return *rest, f"≥ {macs}" if table.uncounted else macs, share
