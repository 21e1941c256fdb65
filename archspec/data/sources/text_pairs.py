"""Sentences and what they become: translations, answers, corrections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from archspec.data.errors import DataError
from archspec.data.example import Example
from archspec.data.features.tokens import Tokens
from archspec.data.layout import SPLITS, split_said
from archspec.data.pair import SOURCE, TARGET, check_vocabularies
from archspec.data.source import TRAIN, DataPath, DataSource, Holdout, Lengths, Seed, from_arrays, held_out_share, stamp
from archspec.data.table import columns, table_rows
from archspec.data.text import Encoding, padded
from archspec.data.tokenizer import Tokenizing, fitted
from archspec.data.tokenizers.file import File
from archspec.data.tokenizers.level import Words
from archspec.data.vocabulary import Vocabulary
from archspec.ir.diagnostics import shown

if TYPE_CHECKING:
    import tensorflow as tf

Length = Annotated[int, Field(ge=3, le=2**16)]


class TextPairs(DataSource, name="text_pairs", main="path"):
    """Pairs of texts out of a table, CSV or (with tabs, quotes being nothing special) TSV.

    An example is the numbers of both texts' tokens. Where the table has no column of splits a share of the sources is
    held out as ``val``, with all of their targets.
    """

    in_memory = True

    path: DataPath
    """The table."""
    heading: bool = True
    """The first row names the columns; else the first column is the source, the second the target."""
    source_column: str = "source"
    """Name of the column of what is read."""
    target_column: str = "target"
    """Name of the column of target texts."""
    split_column: str = "split"
    """Name of the column of splits, if there is one: train, val or test."""
    tokenizer: Tokenizing = Words(start=True, end=True)
    """How texts become numbers; the vocabulary is that of the training split."""
    target_tokenizer: Tokenizing | None = None
    """The same for targets; if not given, sources and targets have one vocabulary."""
    source_length: Length | None = None
    """Most tokens of a source, with those for start and end: pairs with more are left out, shorter ones are filled up.
    Where it is not given lengths vary, and a batch is filled up to its longest."""
    target_length: Length | None = None
    """Most tokens of a target, with those for start and end; the network reads one less."""
    bucket: Annotated[int, Field(ge=1, le=2**16)] = 16
    """Where lengths vary: training batches that are drawn together and divided by length; 1 leaves that out."""
    encoding: Encoding = "utf-8"
    """Encoding of the table."""
    holdout: Holdout = 0.1
    """Share held out if the table has no column of splits."""
    seed: Seed = 0
    """Seed of that division."""

    def features(self) -> Example:
        found = _numbered(self, self.fingerprint())
        return Example(
            {
                SOURCE: Tokens(found.source, self.source_length, is_padded=self.source_length is None),
                TARGET: Tokens(found.target, self.target_length, is_padded=self.target_length is None),
            },
            {split: len(pairs) for split, pairs in found.splits.items()},
            is_divided=found.is_divided,
        ).within_memory()

    def arrays(self, split: str) -> dict[str, Any]:
        pairs = _numbered(self, self.fingerprint()).splits[split]
        return {
            SOURCE: padded([pair.source for pair in pairs], self.source_length),
            TARGET: padded([pair.target for pair in pairs], self.target_length),
        }

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        examples = from_arrays(self.arrays(split), order)
        if order is None or not order.element_spec["index"].shape.rank:
            return examples
        open_ended = [n for n, length in ((SOURCE, self.source_length), (TARGET, self.target_length)) if length is None]
        return examples.map(lambda batch: {**batch, **{name: _to_longest(batch[name]) for name in open_ended}})

    def lengths(self, split: str) -> Lengths | None:
        import numpy as np

        if self.source_length and self.target_length:
            return None
        pairs = _numbered(self, self.fingerprint()).splits[split]
        return Lengths(np.array([len(pair.source) + len(pair.target) for pair in pairs], np.int32), self.bucket)

    def with_vocabularies(self, files: Mapping[str, Path]) -> TextPairs:
        if SOURCE not in files or TARGET not in files:
            return self
        kept = {"tokenizer": File(path=files[SOURCE]), "target_tokenizer": File(path=files[TARGET])}
        return self.model_copy(update=kept)

    def fingerprint(self) -> str:
        return stamp(self, [self.path])

    def describe(self, split: str, position: int) -> str:
        return f"{self.path}, line {_numbered(self, self.fingerprint()).splits[split][position].line}"


class TextPair(NamedTuple):
    """A pair of texts, its split if it is said, and where it stands."""

    source: str
    target: str
    split: str | None
    line: int


class Pair(NamedTuple):
    """Numbers of a pair's tokens, and where it stands."""

    source: list[int]
    target: list[int]
    line: int


class Numbered(NamedTuple):
    """Pairs by split, and the vocabularies of their two sides."""

    splits: dict[str, list[Pair]]
    source: Vocabulary
    target: Vocabulary
    is_divided: bool


@lru_cache(maxsize=2)
def _numbered(table: TextPairs, fingerprint: str) -> Numbered:
    """All pairs as numbers; ``fingerprint`` is that of the table, which may change. Raises DataError."""
    rows = list(_rows(table))
    if not rows:
        raise DataError(f"{table.path} has no rows")
    splits = _split(table, rows)
    if not splits.get(TRAIN):
        raise DataError(f"{table.path} has nothing in the split {TRAIN}")
    train = splits[TRAIN]
    if table.target_tokenizer is None:
        both = f"{fingerprint}/both"
        source = target = fitted(table.tokenizer, both, lambda: (text for row in train for text in row[:2]))
    else:
        source = fitted(table.tokenizer, f"{fingerprint}/{SOURCE}", lambda: (row.source for row in train))
        target = fitted(table.target_tokenizer, f"{fingerprint}/{TARGET}", lambda: (row.target for row in train))
    check_vocabularies(source, target)
    kept: dict[str, list[Pair]] = {}
    for split, members in splits.items():
        numbers = (Pair(source.encode(row.source), target.encode(row.target), row.line) for row in members)
        kept[split] = [
            pair
            for pair in numbers
            if len(pair.source) <= (table.source_length or len(pair.source))
            and len(pair.target) <= (table.target_length or len(pair.target))
        ]
        if not kept[split]:
            raise DataError(
                f"{table.path}: no pair of the split {split} is as short as source_length {table.source_length} and "
                f"target_length {table.target_length} allow",
                help="the tokens for start and end count too",
            )
    return Numbered(kept, source, target, rows[0].split is None)


def _rows(table: TextPairs) -> Iterator[TextPair]:
    """The rows of a table, empty lines left out. Raises DataError."""
    rows = table_rows(table.path, table.encoding, quotes=table.path.suffix.lower() != ".tsv")
    source, target, split = 0, 1, None
    if table.heading:
        head = [name.strip() for name in next(rows, (0, []))[1]]
        wanted = table.source_column, table.target_column
        hint = "source_column and target_column name them; heading: false where the first row is a pair"
        source, target = columns(table.path, head, wanted, hint)
        split = head.index(table.split_column) if table.split_column in head else None
    for line, row in rows:
        at = f"{table.path}, line {line}"
        if len(row) <= max(source, target) or not row[source].strip() or not row[target].strip():
            raise DataError(f"{at}: a source and a target are needed, got {shown(' | '.join(row), 60)}")
        yield TextPair(row[source], row[target], None if split is None else split_said(row[split], at), line)


def _split(table: TextPairs, rows: list[TextPair]) -> dict[str, list[TextPair]]:
    """The rows by split; those of one source stay together."""
    if rows[0].split is not None:
        return {split: found for split in SPLITS if (found := [row for row in rows if row.split == split])}
    sources = list(dict.fromkeys(row.source for row in rows))
    positions = held_out_share([0] * len(sources), table.holdout, table.seed)
    of = {sources[position]: split for split, members in positions.items() for position in members}
    return {split: [row for row in rows if of[row.source] == split] for split in positions}


def _to_longest(rows: Any) -> Any:
    """Without the columns that are padding in every row."""
    import tensorflow as tf

    return rows[:, : tf.reduce_max(tf.math.count_nonzero(rows, axis=1))]
