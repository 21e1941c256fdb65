"""Sequences of symbols that are made up: the same on every machine, those to evaluate on never trained on."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from zlib import crc32

from pydantic import Field, model_validator

from archspec.data.errors import DataError
from archspec.data.pair import SOURCE, TARGET
from archspec.data.source import TRAIN, DataSource, FeatureSpec, from_arrays
from archspec.data.text import padded
from archspec.data.tokenizer import extras, framed
from archspec.data.vocabulary import END, START, Vocabulary, import_tokenizers
from archspec.ir.tensors import TensorSpec
from archspec.ir.validation import told
from archspec.ops.arguments import PositiveInt

if TYPE_CHECKING:
    import tensorflow as tf

HELD_OUT = 8
"""Of so many sequences one is for evaluation, by a checksum of its symbols; the others are for training."""
TRIES = 200
"""So many draws for each sequence that is wanted, and there are too few of them."""
SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyz"

Steps = Annotated[int, Field(ge=1, le=256)]


class Symbols(DataSource, name="symbols", main="order"):
    """Pairs of a random sequence of symbols and the same sequence, copied or reversed. Sequences of ``test`` are all
    different, and ``train`` has none of them.

    Numbers are 0 for padding, 1 and 2 for the start and the end, which stand around both, then the symbols.
    """

    in_memory = True

    order: Literal["copy", "reverse"] = "reverse"
    """How the target follows from the source."""
    symbols: Annotated[int, Field(ge=2, le=len(SYMBOLS))] = 10
    """How many symbols there are."""
    shortest: Steps = 3
    """Fewest symbols of a sequence."""
    longest: Steps = 12
    """Most symbols of a sequence."""
    train: PositiveInt = 20000
    """Pairs to train on."""
    test: PositiveInt = 1000
    """Pairs to evaluate on."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    """Seed of the sequences; not that of the training."""

    @model_validator(mode="after")
    def _lengths(self) -> Self:
        if self.shortest > self.longest:
            raise told("value", f"symbols: the shortest ({self.shortest}) is longer than the longest ({self.longest})")
        return self

    def features(self) -> FeatureSpec:
        vocabulary = _vocabulary(self.symbols)
        parts = dict.fromkeys((SOURCE, TARGET), TensorSpec((self.longest + 2,), "int32"))
        _drawn(self, "test")
        return FeatureSpec(
            parts=parts,
            splits={TRAIN: self.train, "test": self.test},
            vocabularies=dict.fromkeys(parts, vocabulary),
        )

    def arrays(self, split: str) -> dict[str, Any]:
        vocabulary = _vocabulary(self.symbols)
        start, end, first = (vocabulary.number(token) for token in (START, END, SYMBOLS[0]))
        assert start is not None and end is not None and first is not None
        sources = [[start, *(first + symbol for symbol in drawn), end] for drawn in _drawn(self, split)]
        targets = sources if self.order == "copy" else [[start, *row[-2:0:-1], end] for row in sources]
        return {SOURCE: padded(sources, self.longest + 2), TARGET: padded(targets, self.longest + 2)}

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        return from_arrays(self.arrays(split), order)

    def describe(self, split: str, position: int) -> str:
        return " ".join(SYMBOLS[symbol] for symbol in _drawn(self, split)[position])


@lru_cache(maxsize=4)
def _drawn(source: Symbols, split: str) -> tuple[bytes, ...]:
    """The sequences of a split, a symbol a byte. Raises DataError where there are not enough different ones."""
    wanted = source.train if split == TRAIN else source.test
    # Python promises the same numbers of ``random`` in all versions.
    random, out, seen = Random(f"{source.seed}/{split}").random, list[bytes](), set[bytes]()
    for _ in range(TRIES * wanted):
        steps = source.shortest + int(random() * (source.longest - source.shortest + 1))
        drawn = bytes(int(random() * source.symbols) for _ in range(steps))
        if (crc32(drawn) % HELD_OUT == 0) == (split == TRAIN) or drawn in seen:
            continue
        if split != TRAIN:
            seen.add(drawn)
        out.append(drawn)
        if len(out) == wanted:
            return tuple(out)
    raise DataError(
        f"there are not {wanted} different sequences of {source.shortest} to {source.longest} symbols to evaluate on",
        help="more symbols, longer sequences, or fewer in 'test'",
    )


@lru_cache(maxsize=4)
def _vocabulary(symbols: int) -> Vocabulary:
    """Symbols are tokens, written with spaces between them."""
    tokenizers = import_tokenizers()
    extra = extras(pad=True, unknown=False, start=True, end=True)
    numbers = {token: number for number, token in enumerate((*extra, *SYMBOLS[:symbols]))}
    library = tokenizers.Tokenizer(tokenizers.models.WordLevel(numbers, unk_token="[UNK]"))
    library.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    library.add_special_tokens(extra)
    framed(library, extra, margin=0)
    return Vocabulary(library.to_str())
