"""Sentences with a class for each word."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from archspec.data.errors import DataError
from archspec.data.example import LABEL, TOKENS, Example
from archspec.data.features.labels import Labels
from archspec.data.features.tokens import Tokens
from archspec.data.source import IGNORED, TRAIN, DataPath, DataSource, Holdout, Lengths, Seed, held_out_share, stamp
from archspec.data.text import Encoding, in_padded_batches, padded, read_text
from archspec.data.tokenizer import Tokenizing, fitted
from archspec.data.tokenizers.file import File
from archspec.data.tokenizers.level import Words
from archspec.data.vocabulary import Vocabulary
from archspec.ir.diagnostics import shown

if TYPE_CHECKING:
    import tensorflow as tf


class Tagged(DataSource, name="tagged", main="path"):
    """Words with a class for each, as in CoNLL's files: a word and its columns a line, an empty line after a sentence.

    The first column is the word, the last its class; classes are numbered in the order of their names. An example has
    the numbers of its words and, as its label, as many of classes; -1 where there is padding.
    """

    in_memory = True

    path: DataPath
    """The file."""
    test: DataPath | None = None
    """A second file, to evaluate on; all of ``path`` is then trained on."""
    tokenizer: Tokenizing = Words(punctuation=False)
    """How words become numbers, one each; the vocabulary is that of the training split."""
    length: Annotated[int, Field(ge=1, le=2**20)] | None = None
    """Words of every example: longer ones are cut, shorter ones filled up at the end. Where it is not given, lengths
    vary, and a batch is filled up to its longest."""
    bucket: Annotated[int, Field(ge=1, le=2**16)] = 16
    """Where lengths vary: training batches that are drawn together and divided by length; 1 leaves that out."""
    encoding: Encoding = "utf-8"
    """Encoding of the files."""
    holdout: Holdout = 0.2
    """Share of the sentences held out as ``val`` where there is no ``test``."""
    seed: Seed = 0
    """Seed of that division."""

    def features(self) -> Example:
        found = _read(self, self.fingerprint())
        is_padded = self.length is None
        return Example(
            {
                TOKENS: Tokens(found.vocabulary, self.length, is_padded),
                LABEL: Labels(self.length, len(found.names), found.names, is_padded),
            },
            {split: len(sentences) for split, sentences in found.splits.items()},
            is_divided=self.test is None,
        ).within_memory()

    def arrays(self, split: str) -> dict[str, Any]:
        found = _read(self, self.fingerprint())
        number = {name: i for i, name in enumerate(found.names)}
        labels = [[number[tag] for tag in s.tags] for s in found.splits[split]]
        numbers = _numbers(self, self.fingerprint(), split)
        return {TOKENS: padded(numbers, self.length), LABEL: padded(labels, self.length, IGNORED)}

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        found = self.lengths(split)
        lengths = dict.fromkeys((TOKENS, LABEL), found.steps) if found else {}
        return in_padded_batches(self.arrays(split), lengths, order)

    def lengths(self, split: str) -> Lengths | None:
        import numpy as np

        if self.length:
            return None
        sentences = _read(self, self.fingerprint()).splits[split]
        return Lengths(np.array([len(s.words) for s in sentences], np.int32), self.bucket)

    def with_vocabularies(self, files: Mapping[str, Path]) -> Tagged:
        return self.model_copy(update={"tokenizer": File(path=files[TOKENS])}) if TOKENS in files else self

    def fingerprint(self) -> str:
        return stamp(self, [self.path, *([self.test] if self.test else [])])

    def describe(self, split: str, position: int) -> str:
        return _read(self, self.fingerprint()).splits[split][position].place


class Sentence(NamedTuple):
    """Words, a class for each, and where they stand."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    place: str

    @property
    def text(self) -> str:
        """The words, divided by spaces."""
        return " ".join(self.words)


class TaggedContent(NamedTuple):
    """All that the files say."""

    names: tuple[str, ...]
    splits: dict[str, list[Sentence]]
    vocabulary: Vocabulary


@lru_cache(maxsize=4)
def _read(source: Tagged, fingerprint: str) -> TaggedContent:
    """The sentences by split and the vocabulary; ``fingerprint`` is that of the source, whose files may change."""
    sentences = _sentences(source.path, source.encoding)
    if source.test is not None:
        splits = {TRAIN: sentences, "test": _sentences(source.test, source.encoding)}
    else:
        positions = held_out_share([0] * len(sentences), source.holdout, source.seed)
        splits = {split: [sentences[i] for i in at] for split, at in positions.items()}
    names = tuple(sorted({tag for members in splits.values() for s in members for tag in s.tags}))
    trained = {tag for s in splits[TRAIN] for tag in s.tags}
    if missing := [name for name in names if name not in trained]:
        raise DataError(f"{source.path}: class {shown(missing[0])} has no words to train on")
    vocabulary = fitted(source.tokenizer, fingerprint, lambda: (s.text for s in splits[TRAIN]))
    if vocabulary.pad != 0:
        raise DataError(
            "sentences differ in length: the tokenizer needs a token for padding, number 0", help="pad: true"
        )
    return TaggedContent(names, splits, vocabulary)


@lru_cache(maxsize=8)
def _numbers(source: Tagged, fingerprint: str, split: str) -> list[list[int]]:
    """A number for every word. Raises DataError where a tokeniser divides words."""
    found = _read(source, fingerprint)
    out = []
    for sentence in found.splits[split]:
        numbers = found.vocabulary.encode(sentence.text)
        if len(numbers) != len(sentence.words):
            raise DataError(
                f"{sentence.place}: the tokenizer must give one token per word; words: {len(sentence.words)}, "
                f"tokens: {len(numbers)}",
                help="a tokenizer with a number for each word: {words: {punctuation: false}}",
            )
        out.append(numbers)
    return out


def _sentences(path: Path, encoding: str) -> list[Sentence]:
    out: list[Sentence] = []
    rows: list[tuple[str, str]] = []
    first = 1
    for number, line in enumerate([*read_text(path, encoding).split("\n"), ""], 1):
        columns = line.split()
        if columns and columns[0] != "-DOCSTART-":
            if len(columns) < 2:
                raise DataError(f"{path}, line {number}: a word and its class are needed, got {shown(line.strip())}")
            first = first if rows else number
            rows.append((columns[0], columns[-1]))
        elif not columns and rows:
            out.append(Sentence(tuple(w for w, _ in rows), tuple(t for _, t in rows), f"{path}, line {first}"))
            rows = []
    if not out:
        raise DataError(f"{path} has no sentences")
    return out
