"""Plain text, for a terminal and for pasting."""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from archspec.analysis.blocks import Block, tree
from archspec.analysis.cost import total
from archspec.report.captions import footnotes, summary, title, total_cells
from archspec.report.format import HEADERS, LEFT, cells
from archspec.report.table import Table

if TYPE_CHECKING:
    from archspec.report.grid import Grid

GAP = "  "
MIN_NAME = 12
"""Names are not cut below this length."""


@dataclass(frozen=True, slots=True)
class Line:
    """Cells below ``HEADERS``; ``level`` is how deep the line is indented; the line of a block has its subtotals."""

    level: int
    cells: tuple[str, ...]
    is_block: bool = False


def render(table: Table, width: int = 80, *, color: bool = False) -> str:
    """Title, one line per row grouped by block with subtotals, totals, footnotes; names give way to ``width``."""
    table = table.readable()
    lines = _lines(table, tree([row.name for row in table.rows]), 0)
    lines.append(Line(0, total_cells(table)))
    header, *body, last = [GAP.join(cells).rstrip() for cells in _fitted(lines, width)]
    rule = "─" * max(map(len, (header, last, *body)))

    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if color else text

    out = [*(paint(text, "1") for text in wrap(title(table), width)), "", paint(header, "2"), paint(rule, "2")]
    out += [paint(text, "1;36") if line.is_block else text for text, line in zip(body, lines[:-1], strict=True)]
    out += [paint(rule, "2"), paint(last, "1"), "", *_wrapped(summary(table), width)]
    return "\n".join([*out, *(paint(text, "2") for note in footnotes(table) for text in wrap(note, width))])


def grid(grid: Grid, width: int = 80, *, color: bool = False) -> str:
    """Title, a line for each row, totals, footnotes; names give way to ``width``."""
    written = grid.written()
    widths = [max(len(row[c]) for row in written) for c in range(len(written[0]))]
    rest = sum(widths[1:]) + len(GAP) * (len(widths) - 1)
    widths[0] = max(MIN_NAME, min(widths[0], width - rest))
    header, *lines = [
        GAP.join(
            (_cut(cell, w) if c == 0 else cell).ljust(w) if left else cell.rjust(w)
            for c, (cell, w, left) in enumerate(zip(row, widths, grid.left(), strict=True))
        ).rstrip()
        for row in written
    ]
    rule = "─" * max(map(len, (header, *lines)))

    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if color else text

    out = [*(paint(text, "1") for text in wrap(grid.title, width)), ""] if grid.title else []
    out += [paint(header, "2"), paint(rule, "2"), *(lines if grid.last is None else lines[:-1])]
    out += [paint(rule, "2"), paint(lines[-1], "1")] if grid.last is not None else []
    notes = [paint(text, "2") for note in grid.notes for text in wrap(note, width, break_on_hyphens=False)]
    return "\n".join([*out, *(["", *notes] if notes else [])])


def _lines(table: Table, block: Block, level: int) -> list[Line]:
    out = []
    for child in block.children:
        if isinstance(child, int):
            row = table.rows[child]
            label = row.name[len(block.path) + 1 :] if block.path else row.name
            counts, shape, shared = row.counts, row.output_shape, row.shared_params
            out.append(Line(level, cells(label, row.kind, shape, counts, table.totals, shared)))
        else:
            rows = [table.rows[position] for position in child.positions()]
            counts, shape, shared = (
                total(r.counts for r in rows),
                rows[-1].output_shape,
                sum(r.shared_params for r in rows),
            )
            out.append(Line(level, cells(child.label, "", shape, counts, table.totals, shared), is_block=True))
            out += _lines(table, child, level + 1)
    return out


def _fitted(lines: list[Line], width: int) -> list[list[str]]:
    """Aligned cells of the headers and all lines, in columns of one width.

    Where they are too wide, first the ops go that their labels tell, then the shares, then the outputs, then the
    middles of names. Numbers are never cut.
    """
    rows = [HEADERS, *(("  " * line.level + line.cells[0], *line.cells[1:]) for line in lines)]

    def room(columns: tuple[int, ...]) -> int:
        """What the other columns leave for names."""
        return width - sum(max(len(row[c]) for row in rows) + len(GAP) for c in columns[1:])

    names = max(len(row[0]) for row in rows)
    columns = tuple(range(len(HEADERS)))
    if room(columns) < names:
        told = [line.cells[0] if _tells(line.cells[0], line.cells[1]) else None for line in lines]
        rows[1:] = [(row[0], "" if t else row[1], *row[2:]) for row, t in zip(rows[1:], told, strict=True)]
    if not any(row[1] for row in rows[1:]):
        columns = (0, 2, 3, 4, 5, 6)
    for fewer in (columns, tuple(c for c in columns if HEADERS[c] != "%"), (0, 3, 5)):
        columns = fewer
        if room(columns) >= min(names, MIN_NAME):
            break
    names = max(MIN_NAME, min(names, room(columns)))
    widths = [names, *(max(len(row[c]) for row in rows) for c in columns[1:])]
    return [
        [
            cell.ljust(w) if c < LEFT else cell.rjust(w)
            for c, cell, w in zip(columns, (_cut(row[0], names), *(row[c] for c in columns[1:])), widths, strict=True)
        ]
        for row in rows
    ]


def _tells(label: str, op: str) -> bool:
    """Whether the label is the op's name, as it is for steps without a name of their own."""
    return re.fullmatch(rf"(.*\.)?{re.escape(op)}(_\d+)?(\.\d+)*", label) is not None


def _cut(name: str, length: int) -> str:
    """A long name without its middle: its end says most, its indentation must stay."""
    if len(name) <= length:
        return name
    indent = len(name) - len(name.lstrip())
    head = max(1, (length - indent - 1) // 3)
    return name[: indent + head] + "…" + name[len(name) - (length - indent - head - 1) :]


def _wrapped(parts: list[str], width: int) -> list[str]:
    """The parts, joined by ``·``, in lines of at most ``width``."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(part)
    return lines
