"""Vocabularies that are there already."""

from __future__ import annotations

from collections.abc import Iterable

from archspec.data.source import DataPath
from archspec.data.tokenizer import Tokenizer
from archspec.data.vocabulary import Vocabulary, read_vocabulary


class File(Tokenizer, name="file", main="path"):
    """A ``tokenizer.json`` of the tokenizers library: what another run kept, or byte pairs learnt elsewhere."""

    is_fitted = False

    path: DataPath
    """The file."""

    def fit(self, texts: Iterable[str]) -> Vocabulary:
        return read_vocabulary(self.path)
