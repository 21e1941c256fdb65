"""Word vectors that others learnt, as the start of embeddings: the text format of GloVe and word2vec.

A line is a word and its numbers, divided by spaces; word2vec's first line says how many words and numbers there are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.data.example import Example
from archspec.data.vocabulary import Vocabulary
from archspec.ir.diagnostics import shown
from archspec.ir.graph import Graph
from archspec.storage.regular import opened
from archspec.training.errors import TaskError
from archspec.training.vocabulary import lookups

if TYPE_CHECKING:
    import keras

AT = ("train", "vectors")


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Vectors by the number of their word, for some layers."""

    vocabulary: Vocabulary
    rows: Mapping[int, tuple[float, ...]]
    layers: tuple[str, ...]

    def assign(self, model: keras.Model) -> None:
        """Put them into the embeddings; all other rows stay."""
        import numpy as np

        for name in self.layers:
            layer = model.get_layer(name)
            (table,) = layer.get_weights()
            table[list(self.rows)] = np.array(list(self.rows.values()), table.dtype)
            layer.set_weights([table])


def word_vectors(path: Path, graph: Graph, features: Example) -> WordVectors:
    """The vectors of the data's words, for the embeddings that they go into. Raises TaskError."""
    if len(features.vocabularies) != 1:
        raise TaskError("word vectors need data of text with one vocabulary", at=AT)
    ((part, vocabulary),) = features.vocabularies.items()
    name = part if part in graph.inputs else next(iter(graph.inputs))
    tables = {node.layer: node.weights[0].shape for node in lookups(graph, name) if len(node.weights) == 1}
    try:
        found = os.stat(path)
        size, rows = _read(path, vocabulary, (found.st_size, found.st_mtime_ns))
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror}", at=AT) from None
    layers = tuple(layer for layer, shape in tables.items() if shape[-1] == size)
    if not layers:
        sizes = ", ".join(f"{shape[-1]} in '{layer}'" for layer, shape in tables.items())
        raise TaskError(
            f"{path} has vectors of {size} numbers, the network has {sizes or 'no embedding of words'}",
            at=AT,
            help=f"--set dim={size}" if "dim" in graph.params else None,
        )
    if not rows:
        raise TaskError(f"{path} has none of the {vocabulary.size} words of the data", at=AT)
    return WordVectors(vocabulary, rows, layers)


@lru_cache(maxsize=1)
def _read(path: Path, vocabulary: Vocabulary, changed: tuple[int, int]) -> tuple[int, dict[int, tuple[float, ...]]]:
    """Numbers of a vector, and the vectors of the vocabulary's words by their number; of a word that comes twice the
    first. ``changed`` tells files of one path apart. Raises TaskError, OSError."""
    size: int | None = None
    rows: dict[int, tuple[float, ...]] = {}
    with opened(path) as file:
        for line, data in enumerate(file, 1):
            # Words are cut from the left of the last numbers, since some hold spaces.
            parts = data.rstrip().split(b" ")
            if line == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
                size = int(parts[1])
                continue
            if not data.strip():
                continue
            size = len(parts) - 1 if size is None else size
            if len(parts) <= size or size < 1:
                columns = "1 column" if len(parts) == 1 else f"{len(parts)} columns"
                raise TaskError(
                    f"{path}, line {line}: expected a word and its vector, {max(size, 1) + 1} columns, got {columns}",
                    at=AT,
                    help="the text format of GloVe or word2vec, not its binary one",
                )
            number = vocabulary.number(b" ".join(parts[:-size]).decode("utf-8", "replace"))
            if number is None or number in rows:
                continue
            try:
                values = tuple(float(part) for part in parts[-size:])
            except ValueError:
                values = ()
            if not values or not all(map(isfinite, values)):
                raise TaskError(
                    f"{path}, line {line}: not all are numbers in {shown(data[:60].decode(errors='replace'))}", at=AT
                )
            rows[number] = values
    if size is None:
        raise TaskError(f"{path} has no lines", at=AT)
    return size, rows
