"""Pairs of sequences: one is read, the other is to be said. Both are filled up at their end with zeros."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.data.errors import DataError
from archspec.data.vocabulary import Vocabulary

SOURCE, TARGET = "source", "target"
"""What is read, and what is to be said. A target begins with the token for the start and ends with that for the end."""


def check_vocabularies(source: Vocabulary, target: Vocabulary) -> None:
    """Refuse vocabularies that cannot be used so. Raises DataError."""
    for name, vocabulary in ((SOURCE, source), (TARGET, target)):
        if vocabulary.pad != 0:
            raise DataError(
                f"{name}s differ in length: its tokenizer needs a token for padding, number 0", help="pad: true"
            )
    if target.start is None or target.end is None:
        missing = "start" if target.start is None else "end"
        raise DataError(
            f"targets need a start and an end token: the tokenizer adds none at the {missing}",
            help="target_tokenizer: {words: {start: true, end: true}}",
        )


def decode_until_end(vocabulary: Vocabulary, numbers: Sequence[int]) -> str:
    """The text of what was said: the numbers up to the token for the end."""
    said = [int(n) for n in numbers]
    if vocabulary.end in said:
        said = said[: said.index(vocabulary.end)]
    return vocabulary.decode(said)
