"""Rows of CSV and TSV files, none of which loses or moves a cell in silence."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from archspec.data.errors import DataError
from archspec.data.layout import split_said
from archspec.data.text import read_text
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.validation import refuse


def _names(value: object) -> tuple[str, ...]:
    found = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if all(isinstance(name, str) and name for name in found) and len(set(found)) == len(found):
        return found
    raise refuse("must be the heading of a column, or a list of several")


_SCHEMA = {"type": ["string", "array"], "items": {"type": "string", "minLength": 1}, "minLength": 1}
Columns = Annotated[tuple[str, ...], BeforeValidator(_names), WithJsonSchema(_SCHEMA)]
"""Headings of columns."""


def table_rows(path: Path, encoding: str, *, quotes: bool = True) -> Iterator[tuple[int, list[str]]]:
    """The line that each row begins at, and its cells; rows without anything are left out. Tabs divide the cells where
    the name ends in ``.tsv``, else commas; ``quotes`` is whether quotation marks hold a cell together.

    Every row has as many cells as the first: more are taken only where they are empty. Raises DataError, with the line.
    """
    text = io.StringIO(read_text(path, encoding), newline="")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    reader = csv.reader(text, delimiter=delimiter, quoting=quoting, strict=True)  # type: ignore[arg-type]
    wide = 0
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            said = "a quotation mark is never closed" if "end of data" in str(error) else str(error)
            raise DataError(
                f"{path}, line {line}: {said}", help='within quotation marks, a quotation mark is written twice: ""'
            ) from None
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        wide = wide or len(row)
        if len(row) < wide or any(cell.strip() for cell in row[wide:]):
            cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
            raise DataError(
                f"{path}, line {line}: {cells}, the first row has {wide}: {shown(' | '.join(row), 80)}",
                help="a cell that holds the delimiter stands in quotation marks" if quotes else None,
            )
        yield line, row[:wide]


def columns(path: Path, head: list[str], wanted: tuple[str, ...], help: str) -> list[int]:
    """Where the wanted headings stand. Raises DataError."""
    if (
        len(head) == 1
        and head[0] not in wanted
        and (mark := next((mark for mark in ";|\t" if mark in head[0]), None)) is not None
    ):
        help = f"its cells are separated by {mark!r}: save it with commas, or as .tsv with tabs"
        raise DataError(f"{path} has the one column {shown(head[0])}", help=help)
    for name in wanted:
        if name not in head:
            raise DataError(
                f"{path} has no column {shown(name)}; it has {shown(', '.join(head) or 'none', 200)[1:-1]}",
                help=did_you_mean(name, head) or help,
            )
    return [head.index(name) for name in wanted]


def rows_of_numbers(
    path: Path, encoding: str, names: tuple[str, ...], count: int
) -> tuple[list[tuple[int, list[float]]], str | None]:
    """The line and the numbers of every row, of ``count`` columns: those called ``names``, whatever others there are;
    where there are no names, or no headings, as they stand, which the second value tells. Raises DataError."""
    rows = list(table_rows(path, encoding))
    if not rows:
        raise DataError(f"{path} has no rows")
    head = [cell.strip() for cell in rows[0][1]]
    has_headings = any(name in head for name in names) or not all(map(_is_number, head))
    note = None
    if names and has_headings:
        at = columns(path, head, names, f"the run was trained on the columns {', '.join(names)}")
        if twice := next((name for name in names if head.count(name) > 1), None):
            raise DataError(f"{path} has two columns {shown(twice)}")
    else:
        if len(head) != count:
            raise DataError(
                f"{path} has {len(head)} columns{'' if has_headings else ' without headings'}, the network reads "
                f"{count} numbers",
                help=f"headings: {', '.join(names)}" if names else None,
            )
        at = list(range(count))
        why = "it has no headings" if names else "the run knows no headings of its inputs"
        note = f"{path}: {why}; its columns are taken in their order" + (f" for {', '.join(names)}" if names else "")
    called = [head[k] if has_headings else f"column {k + 1}" for k in at]
    body = rows[1:] if has_headings else rows
    if not body:
        raise DataError(f"{path} has headings and no rows")
    return [
        (line, [number(row[k].strip(), f"{path}, line {line}", name) for k, name in zip(at, called, strict=True)])
        for line, row in body
    ], note


def rows_of_parts(
    path: Path, encoding: str, headings: Mapping[str, Sequence[str]]
) -> list[tuple[int, dict[str, list[str]]]]:
    """The line of every row, and its cells under the headings of each part. Raises DataError."""
    rows = list(table_rows(path, encoding))
    head = [cell.strip() for cell in rows[0][1]] if rows else []
    wanted = tuple(name for names in headings.values() for name in names)
    at = dict(zip(wanted, columns(path, head, wanted, f"the network reads {', '.join(wanted)}"), strict=True))
    if twice := next((name for name in wanted if head.count(name) > 1), None):
        raise DataError(f"{path} has two columns {shown(twice)}")
    if len(rows) < 2:
        raise DataError(f"{path} has headings and no rows")
    return [
        (line, {part: [row[at[name]].strip() for name in names] for part, names in headings.items()})
        for line, row in rows[1:]
    ]


def _is_number(cell: str) -> bool:
    try:
        return isfinite(float(cell))
    except ValueError:
        return False


def labelled_rows(
    path: Path, encoding: str, text: str, label: str, split: str
) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Label, text and place of every row of a CSV or TSV file by its headings, and its split where there is such a
    column. Raises DataError."""
    rows = table_rows(path, encoding)
    head = [name.strip() for name in next(rows, (0, []))[1]]
    texts, labels = columns(path, head, (text, label), "text_column and label_column name them")
    out, splits = [], []
    for line, row in rows:
        at = f"{path}, line {line}"
        if not row[labels].strip():
            raise DataError(f"{at}: a text and a label are needed")
        out.append((row[labels].strip(), row[texts], at))
        if split in head:
            splits.append(split_said(row[head.index(split)], at))
    if not out:
        raise DataError(f"{path} has no rows")
    return out, splits


def number(cell: str, place: str, column: str) -> float:
    """The number in a cell of a table. Raises DataError."""
    try:
        value = float(cell)
    except ValueError:
        value = None
    if value is None or not isfinite(value) or abs(value) > 3e38:
        what = f"holds {shown(cell)}, which is not a number" if cell else "is empty"
        raise DataError(
            f"{place}: {column} {what}",
            help="numbers are written with a point: 2.5" if "," in cell else "leave the row or the column out",
        )
    return value
