"""A fitted tokeniser: text → numbers and back. It is kept as the JSON of the ``tokenizers`` library, which others read.

0 is padding, where there is such a token. Nothing here needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.installation import EXTRA, MissingExtra
from archspec.data.errors import DataError
from archspec.ir.diagnostics import shown
from archspec.storage.atomic import write_text
from archspec.storage.regular import opened

if TYPE_CHECKING:
    import tokenizers

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[START]", "[END]"
"""Tokens that stand for no text. Those that a vocabulary has are its first numbers, in this order."""


@dataclass(frozen=True)
class Vocabulary:
    """Tokens and their numbers, and how text is divided into them. Equal where ``json`` is."""

    json: str
    """What ``tokenizers.Tokenizer.to_str`` gives."""

    @cached_property
    def _tokenizer(self) -> tokenizers.Tokenizer:
        library = import_tokenizers()
        try:
            read: tokenizers.Tokenizer = library.Tokenizer.from_str(self.json)
            return read
        except Exception as error:  # The library raises nothing narrower.
            raise DataError(f"not a vocabulary of the tokenizers library: {error}") from None

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The tokens by number; ``""`` where a number has none."""
        numbers = self._tokenizer.get_vocab()
        by_number = {number: token for token, number in numbers.items()}
        return tuple(by_number.get(i, "") for i in range(max(by_number, default=-1) + 1))

    @property
    def size(self) -> int:
        """Numbers that ``encode`` may give are below it: the entries that an embedding needs."""
        return len(self.tokens)

    @property
    def pad(self) -> int | None:
        """Number of the padding, None where there is none."""
        return self.number(PAD)

    @property
    def unknown(self) -> int | None:
        """Number that stands for what the vocabulary does not have, None where such text is refused."""
        return self.number(UNKNOWN)

    @property
    def start(self) -> int | None:
        """Number that ``encode`` puts first, None where it puts none."""
        return self.number(START)

    @property
    def end(self) -> int | None:
        """Number that ``encode`` puts last, None where it puts none."""
        return self.number(END)

    def number(self, token: str) -> int | None:
        """Number of a token, None where it is not in the vocabulary."""
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's tokens. Raises DataError for a token that the vocabulary has no number for."""
        try:
            ids: list[int] = self._tokenizer.encode(text).ids
        except Exception as error:
            missing = self._missing(text)
            if missing is None:
                raise DataError(f"{shown(text, 60)} cannot be divided into tokens: {error}") from None
            raise DataError(
                f"{shown(missing)} is not in the vocabulary, in {shown(text, 60)}", help="tokenizer: … unknown: true"
            ) from None
        return ids

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of numbers, without the tokens that stand for no text."""
        text: str = self._tokenizer.decode([int(n) for n in numbers], skip_special_tokens=True)
        return text

    def write(self, path: Path) -> None:
        """Write the JSON file. Raises OSError."""
        write_text(path, self.json)

    def _missing(self, text: str) -> str | None:
        normalizer, divider = self._tokenizer.normalizer, self._tokenizer.pre_tokenizer
        text = normalizer.normalize_str(text) if normalizer else text
        parts: Sequence[Any] = divider.pre_tokenize_str(text) if divider else ()
        return next((part for part, _ in parts if self.number(part) is None), None)


def read_vocabulary(path: Path) -> Vocabulary:
    """A vocabulary out of its file. Raises DataError."""
    try:
        with opened(path) as file:
            found = Vocabulary(file.read().decode("utf-8").replace("\r\n", "\n"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not text in UTF-8") from None
    try:
        found.tokens  # noqa: B018
    except DataError as error:
        raise DataError(f"{path} is {error.message}") from None
    return found


def import_tokenizers() -> Any:
    """The ``tokenizers`` module. Raises MissingExtra."""
    try:
        import tokenizers
    except ModuleNotFoundError as error:
        if error.name != "tokenizers":
            raise
        raise MissingExtra(f"this needs tokenizers: pip install '{EXTRA}'", name=error.name) from None
    return tokenizers
