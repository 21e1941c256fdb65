"""Rows of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from archspec.data.errors import DataError
from archspec.data.example import VECTOR, Example
from archspec.data.feature import Feature
from archspec.data.features.label import Label
from archspec.data.features.numbers import Numbers
from archspec.data.features.vector import Vector
from archspec.data.layout import split_said
from archspec.data.source import TRAIN, DataPath, DataSource, Holdout, Seed, held_out_share, stamp
from archspec.data.table import Columns, columns, number, table_rows
from archspec.data.target import told
from archspec.data.text import Encoding, class_names
from archspec.ir.diagnostics import shown
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import numpy as np


class Csv(DataSource, name="csv", main="path"):
    """A table of numbers with headings (CSV, or TSV where the name ends so): an example is a row, a vector of some of
    its columns, and with it a class (``label``), one or several numbers to predict (``target``), or both, for
    ``multitask``.

    Where the table has no column of splits, a share is held out as ``val``, stratified by class.
    """

    in_memory = True

    path: DataPath
    """The table."""
    target: Columns = ()
    """Headings of the numbers to predict, for ``regression``: the label or, beside a class, the feature ``target``."""
    label: Annotated[str, Field(min_length=1)] | None = None
    """Heading of the classes, for ``classification``. Classes are numbered in the order of their labels: integers by
    size, others by name."""
    inputs: Columns = ()
    """Headings of the input columns; by default all other columns."""
    split_column: str = "split"
    """Heading of the splits, if there is such a column: train, val or test."""
    encoding: Encoding = "utf-8"
    """Encoding of the file."""
    holdout: Holdout = 0.2
    """Share held out where the table has no splits."""
    seed: Seed = 0
    """Seed of that division."""

    def features(self) -> Example:
        found = _read(self, self.fingerprint())
        label = Label(len(found.names), found.names) if self.label else None
        wanted: dict[str, Feature] = told(label, Numbers(self.target) if self.target else None)
        return Example(
            {VECTOR: Vector(TensorSpec((len(found.inputs),)), found.inputs), **wanted},
            {split: len(positions) for split, positions in found.splits.items()},
            is_divided=found.is_divided,
        )

    def arrays(self, split: str) -> dict[str, Any]:
        found = _read(self, self.fingerprint())
        positions = found.splits[split]
        classes, numbers = (None if array is None else array[positions] for array in (found.classes, found.numbers))
        return {VECTOR: found.vectors[positions], **told(classes, numbers)}

    def fingerprint(self) -> str:
        return stamp(self, [self.path])

    def with_columns(self, columns: Mapping[str, Sequence[str]]) -> DataSource:
        wanted = tuple(columns.get(VECTOR, ()))
        if not wanted or self.inputs:
            return self
        try:
            if self.features().columns[VECTOR] == wanted:
                return self
        except DataError:
            # What is wrong is told of the columns that are wanted.
            pass
        return self.model_copy(update={"inputs": wanted})

    def describe(self, split: str, position: int) -> str:
        found = _read(self, self.fingerprint())
        return f"{self.path}, line {found.lines[found.splits[split][position]]}"


class CsvContent(NamedTuple):
    """All that the table says; ``splits`` are positions of rows."""

    inputs: tuple[str, ...]
    vectors: np.ndarray
    classes: np.ndarray | None
    numbers: np.ndarray | None
    names: tuple[str, ...]
    lines: list[int]
    splits: dict[str, list[int]]
    is_divided: bool


@lru_cache(maxsize=4)
def _read(source: Csv, fingerprint: str) -> CsvContent:
    """The rows; ``fingerprint`` is that of the source, whose file may change. Raises DataError, with the line."""
    import numpy as np

    path = source.path
    rows = list(table_rows(path, source.encoding))
    head = [name.strip() for name in rows[0][1]] if rows else []
    if twice := next((name for i, name in enumerate(head) if name in head[:i]), None):
        raise DataError(f"{path} has two columns {shown(twice)}")
    wanted = (*source.target, *((source.label,) if source.label else ()))
    if not wanted:
        known = shown(", ".join(head) or "none", 200)[1:-1]
        raise DataError(
            f"{path}: 'target' or 'label' must say which column to predict",
            help=f"'target' for numbers, 'label' for classes; its columns are {known}",
        )
    if source.label in source.target:
        raise DataError(f"{path}: column {shown(source.label)} is both a class and a number", help="name it once")
    inputs = source.inputs or tuple(name for name in head if name not in (*wanted, source.split_column))
    said = columns(path, head, (*inputs, *wanted), "'inputs', 'target' and 'label' name columns by their headings")
    if not inputs:
        raise DataError(f"{path} has no columns beside {', '.join(wanted)}")
    if both := next((name for name in inputs if name in wanted), None):
        raise DataError(f"{path}: column {shown(both)} is both an input and a target", help="name it once")
    if len(rows) < 2:
        raise DataError(f"{path} has headings and no rows")
    lines, body = [line for line, _ in rows[1:]], [[cell.strip() for cell in row] for _, row in rows[1:]]
    vectors = _numbers(source, lines, body, dict(zip(inputs, said[: len(inputs)], strict=True)))
    numbers = classes = None
    names: tuple[str, ...] = ()
    strata = [0] * len(body)
    if source.target:
        at = dict(zip(wanted, said[len(inputs) :], strict=True))
        numbers = _numbers(source, lines, body, {name: at[name] for name in source.target})
    if source.label:
        texts = [row[said[-1]] for row in body]
        if "" in texts:
            raise DataError(f"{path}, line {lines[texts.index('')]}: the label is empty")
        names = class_names(texts)
        order = {name: i for i, name in enumerate(names)}
        strata = [order[text] for text in texts]
        classes = np.array(strata, np.int32)
    is_divided = source.split_column not in head
    if is_divided and source.holdout and len(body) < 2:
        raise DataError(f"{path} has one row, which cannot be split in two", help="a table of several rows")
    if is_divided:
        splits = held_out_share(strata, source.holdout, source.seed)
    else:
        column = head.index(source.split_column)
        splits = {}
        for position, (line, row) in enumerate(zip(lines, body, strict=True)):
            splits.setdefault(split_said(row[column], f"{path}, line {line}"), []).append(position)
        if TRAIN not in splits:
            raise DataError(f"{path}: no line has the split {TRAIN}")
    if names and (missing := set(range(len(names))) - {strata[position] for position in splits[TRAIN]}):
        raise DataError(f"{path}: class {shown(names[min(missing)])} has no examples to train on")
    return CsvContent(inputs, vectors, classes, numbers, names, lines, splits, is_divided)


def _numbers(source: Csv, lines: list[int], rows: list[list[str]], at: dict[str, int]) -> np.ndarray:
    """Columns as float32 of shape (rows, columns). Raises DataError for a cell that is no number."""
    import numpy as np

    out = np.empty((len(rows), len(at)), np.float32)
    for line, row, values in zip(lines, rows, out, strict=True):
        for k, (name, column) in enumerate(at.items()):
            values[k] = number(row[column], f"{source.path}, line {line}", name)
    return out
