"""Sequences of symbols that are made up: the same on every machine, those to evaluate on never trained on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice, product
from random import Random
from typing import Annotated, Any, Literal, Self
from zlib import crc32

from pydantic import Field, model_validator

from archspec.data.errors import DataError
from archspec.data.example import Example
from archspec.data.features.tokens import Tokens
from archspec.data.pair import SOURCE, TARGET
from archspec.data.source import TRAIN, DataSource
from archspec.data.text import padded
from archspec.data.tokenizer import add_special_tokens, special_tokens
from archspec.data.vocabulary import END, START, Vocabulary, import_tokenizers
from archspec.ir.validation import config_error
from archspec.ops.arguments import PositiveInt

HELD_OUT = 8
"""Of so many sequences one is for evaluation, by a checksum of its symbols; the others are for training."""
TRIES = 200
"""So many draws for each sequence that is wanted, before the rest is taken without chance."""
COUNTED = 1 << 17
"""Up to so many sequences are counted one by one."""
SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyz"

Steps = Annotated[int, Field(ge=1, le=256)]


class SymbolPairs(DataSource, name="symbols", main="order"):
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
            raise config_error(
                "value", f"symbols: the shortest ({self.shortest}) is longer than the longest ({self.longest})"
            )
        return self

    def features(self) -> Example:
        self._check()
        sequence = Tokens(_vocabulary(self.symbols), self.longest + 2)
        return Example({SOURCE: sequence, TARGET: sequence}, {TRAIN: self.train, "test": self.test}).within_memory()

    def _check(self) -> None:
        """Refuse what there are not enough different sequences for, without drawing them. Raises DataError."""
        others, held_out = _known(self.symbols, self.shortest, self.longest)
        if self.test > held_out or not others:
            lengths = f"{self.shortest} to {self.longest} symbols"
            raise DataError(
                f"there are not {self.test:,} different sequences of {lengths} to evaluate on"
                + ("" if others else ", and others to train on"),
                help="more symbols, longer sequences, or fewer in 'test'",
            )

    def arrays(self, split: str) -> dict[str, Any]:
        vocabulary = _vocabulary(self.symbols)
        start, end, first = (vocabulary.number(token) for token in (START, END, SYMBOLS[0]))
        assert start is not None and end is not None and first is not None
        sources = [[start, *(first + symbol for symbol in drawn), end] for drawn in _drawn(self, split)]
        targets = sources if self.order == "copy" else [[start, *row[-2:0:-1], end] for row in sources]
        return {SOURCE: padded(sources, self.longest + 2), TARGET: padded(targets, self.longest + 2)}

    def describe(self, split: str, position: int) -> str:
        return " ".join(SYMBOLS[symbol] for symbol in _drawn(self, split)[position])


@lru_cache(maxsize=4)
def _drawn(source: SymbolPairs, split: str) -> tuple[bytes, ...]:
    """The sequences of a split, a symbol a byte."""
    wanted = source.train if split == TRAIN else source.test
    # Python promises the same numbers of ``random`` in all versions.
    random, out, seen = Random(f"{source.seed}/{split}").random, list[bytes](), set[bytes]()
    for _ in range(TRIES * wanted):
        steps = source.shortest + int(random() * (source.longest - source.shortest + 1))
        drawn = bytes(int(random() * source.symbols) for _ in range(steps))
        if _is_held_out(drawn) == (split == TRAIN) or drawn in seen:
            continue
        if split != TRAIN:
            seen.add(drawn)
        out.append(drawn)
        if len(out) == wanted:
            return tuple(out)
    # Few are left, which chance rarely meets: they are taken as they come, the short ones first.
    rest = (s for s in _all(source.symbols, source.shortest, source.longest) if _is_held_out(s) != (split == TRAIN))
    return (*out, *islice((s for s in rest if s not in seen), wanted - len(out)))


def _is_held_out(sequence: bytes) -> bool:
    return crc32(sequence) % HELD_OUT == 0


def _all(symbols: int, shortest: int, longest: int) -> Iterator[bytes]:
    """Every sequence of some lengths once, the short ones first."""
    return (bytes(s) for steps in range(shortest, longest + 1) for s in product(range(symbols), repeat=steps))


@lru_cache(maxsize=16)
def _known(symbols: int, shortest: int, longest: int) -> tuple[int, int]:
    """How many different sequences there are to train on and to evaluate on: counted where they are few, else a half of
    what there should be by their share, which there are."""
    total = sum(symbols**steps for steps in range(shortest, longest + 1))
    if total > COUNTED:
        return total // 2, total // (2 * HELD_OUT)
    held_out = sum(map(_is_held_out, _all(symbols, shortest, longest)))
    return total - held_out, held_out


@lru_cache(maxsize=4)
def _vocabulary(symbols: int) -> Vocabulary:
    """Symbols are tokens, written with spaces between them."""
    tokenizers = import_tokenizers()
    extra = special_tokens(pad=True, unknown=False, start=True, end=True)
    numbers = {token: number for number, token in enumerate((*extra, *SYMBOLS[:symbols]))}
    library = tokenizers.Tokenizer(tokenizers.models.WordLevel(numbers, unk_token="[UNK]"))
    library.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    library.add_special_tokens(extra)
    add_special_tokens(library, extra, margin=0)
    return Vocabulary(library.to_str())
