"""Sentences and documents with a class for each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from archspec.data.errors import DataError
from archspec.data.example import LABEL, TOKENS, Example
from archspec.data.features.label import Label
from archspec.data.features.tokens import Tokens
from archspec.data.layout import scan_class_folders
from archspec.data.source import TRAIN, DataPath, DataSource, Holdout, Lengths, Seed, held_out_share, stamp
from archspec.data.table import labelled_rows
from archspec.data.text import (
    Encoding,
    class_names,
    in_padded_batches,
    labelled_lines,
    padded,
    read_text,
    text_files,
)
from archspec.data.tokenizer import Tokenizing, fitted
from archspec.data.tokenizers.file import File
from archspec.data.tokenizers.level import Words
from archspec.data.vocabulary import Vocabulary
from archspec.ir.diagnostics import shown

if TYPE_CHECKING:
    import tensorflow as tf

Length = Annotated[int, Field(ge=1, le=2**20)]


class Text(DataSource, name="text", main="path"):
    """Text with a class for each: a file of lines ``label sentence``, a CSV or TSV file with headings, or a folder of
    class folders of ``.txt`` files (``train/pos/…``, ``val/pos/…`` or ``test/…``; or ``pos/…``).

    An example is the numbers of its tokens. Classes are numbered in the order of their labels: whole numbers by size,
    others by name. Where the data say nothing of splits, a stratified share is held out as ``val``.
    """

    suffixes = (".txt",)
    in_memory = True

    path: DataPath
    """The file or folder."""
    test: DataPath | None = None
    """A second file or folder, to evaluate on; all of ``path`` is then trained on."""
    tokenizer: Tokenizing = Words()
    """How text becomes numbers; the vocabulary is that of the training split."""
    length: Length | None = None
    """Tokens of every example: longer ones are cut, shorter ones filled up with zeros at the end. Where it is not
    given, lengths vary, and a batch is filled up to its longest."""
    bucket: Annotated[int, Field(ge=1, le=2**16)] = 16
    """Where lengths vary: training batches that are drawn together and divided by length; 1 leaves that out."""
    encoding: Encoding = "utf-8"
    """Encoding of the files."""
    text_column: str = "text"
    """Heading of the texts in a table."""
    label_column: str = "label"
    """Heading of the labels."""
    split_column: str = "split"
    """Heading of the splits, if there is such a column: train, val or test."""
    holdout: Holdout = 0.2
    """Share held out if the data have no splits."""
    seed: Seed = 0
    """Seed of that division."""

    def features(self) -> Example:
        found = _read(self, self.fingerprint())
        return Example(
            {
                TOKENS: Tokens(found.vocabulary, self.length, is_padded=self.length is None),
                LABEL: Label(len(found.names), found.names),
            },
            {split: len(texts.labels) for split, texts in found.splits.items()},
            is_divided=found.is_divided,
        ).within_memory()

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np

        numbers, labels = _numbers(self, self.fingerprint(), split)
        return {TOKENS: padded(numbers, self.length), LABEL: np.array(labels, np.int32)}

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        lengths = self.lengths(split)
        return in_padded_batches(self.arrays(split), {TOKENS: lengths.steps} if lengths else {}, order)

    def lengths(self, split: str) -> Lengths | None:
        import numpy as np

        if self.length:
            return None
        numbers, _ = _numbers(self, self.fingerprint(), split)
        return Lengths(np.array([len(row) for row in numbers], np.int32), self.bucket)

    def with_vocabularies(self, files: Mapping[str, Path]) -> Text:
        return self.model_copy(update={"tokenizer": File(path=files[TOKENS])}) if TOKENS in files else self

    def fingerprint(self) -> str:
        paths = [self.path, *([self.test] if self.test else [])]
        return stamp(self, [file for path in paths for file in _files(path)])

    def describe(self, split: str, position: int) -> str:
        return _read(self, self.fingerprint()).splits[split].places[position]


class Labelled(NamedTuple):
    """A split: texts, their classes, and where each stands."""

    texts: tuple[str, ...]
    labels: tuple[int, ...]
    places: tuple[str, ...]


class TextContent(NamedTuple):
    """All that the files say."""

    names: tuple[str, ...]
    splits: dict[str, Labelled]
    vocabulary: Vocabulary
    is_divided: bool


Rows = list[tuple[str, str, str]]
"""Label, text and place of examples."""


@lru_cache(maxsize=4)
def _read(source: Text, fingerprint: str) -> TextContent:
    """The texts by split and the vocabulary; ``fingerprint`` is that of the source, whose files may change."""
    rows, splits, is_divided = _rows(source, source.path)
    if source.test is not None:
        if splits and not is_divided:
            raise DataError(f"{source.path} has splits of its own", help="leave 'test' out, or its column of splits")
        more, _, _ = _rows(source, source.test)
        rows, splits, is_divided = rows + more, [TRAIN] * len(rows) + ["test"] * len(more), False
    names = class_names(label for label, _, _ in rows)
    number = {name: i for i, name in enumerate(names)}
    labels = [number[label] for label, _, _ in rows]
    if splits:
        positions = {s: [i for i, own in enumerate(splits) if own == s] for s in (TRAIN, "val", "test") if s in splits}
        if TRAIN not in positions:
            raise DataError(f"{source.path} has nothing in the split {TRAIN}")
    else:
        positions = held_out_share(labels, source.holdout, source.seed)
    found = {
        split: Labelled(tuple(rows[i][1] for i in at), tuple(labels[i] for i in at), tuple(rows[i][2] for i in at))
        for split, at in positions.items()
    }
    if missing := sorted(set(range(len(names))) - set(found[TRAIN].labels)):
        raise DataError(f"{source.path}: class {shown(names[missing[0]])} has no examples to train on")
    vocabulary = fitted(source.tokenizer, fingerprint, lambda: found[TRAIN].texts)
    if vocabulary.pad != 0:
        raise DataError("texts differ in length: the tokenizer needs a token for padding, number 0", help="pad: true")
    return TextContent(names, found, vocabulary, is_divided)


@lru_cache(maxsize=8)
def _numbers(source: Text, fingerprint: str, split: str) -> tuple[list[list[int]], tuple[int, ...]]:
    """The tokens' numbers of every text of a split, and the classes."""
    found = _read(source, fingerprint)
    return [found.vocabulary.encode(text) for text in found.splits[split].texts], found.splits[split].labels


def _rows(source: Text, path: Path) -> tuple[Rows, list[str], bool]:
    """What a file or folder holds, the split of each row if there are any yet, and whether these are not the data's
    own. Raises DataError."""
    if not path.is_dir():
        if path.suffix.lower() in (".csv", ".tsv"):
            columns = source.text_column, source.label_column, source.split_column
            rows, splits = labelled_rows(path, source.encoding, *columns)
            return rows, splits, not splits
        return labelled_lines(path, source.encoding), [], True
    found, folders = text_files(path)
    names, arranged_in, _, is_divided = scan_class_folders(
        str(path), found, folders, source.holdout, source.seed, suffixes=(".txt",), noun="texts"
    )
    members_of = [
        (split, (names[label], read_text(path / name, source.encoding), str(path / name)))
        for split, members in arranged_in.items()
        for name, label in members
    ]
    return [row for _, row in members_of], [split for split, _ in members_of], is_divided


def _files(path: Path) -> list[Path]:
    """The files whose change changes the examples."""
    if not path.is_dir():
        return [path]
    return sorted(path / name for name in text_files(path)[0] if name.lower().endswith(".txt"))
