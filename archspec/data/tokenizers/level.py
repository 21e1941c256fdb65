"""Vocabularies of whole tokens, counted in the training texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from pydantic import model_validator

from archspec.data.tokenizer import Count, Limit, Margin, Tokenizer, add_special_tokens, by_frequency, special_tokens
from archspec.data.vocabulary import UNKNOWN, Vocabulary, import_tokenizers
from archspec.ir.validation import config_error

if TYPE_CHECKING:
    import tokenizers

Kind = TypeVar("Kind", "Characters", "Words")


class Characters(Tokenizer, name="characters", main="limit"):
    """Every character is a token, spaces and ends of lines too. The most frequent comes first."""

    limit: Limit | None = None
    """Most tokens, those for no text included; all, if not given."""
    minimum: Count = 1
    """How often a character must occur to be in the vocabulary."""
    lowercase: bool = False
    """Make capitals small."""
    pad: bool = True
    """Have a token, number 0, that fills shorter texts up."""
    unknown: bool = True
    """Have a token for what is not in the vocabulary; without it such text is refused."""
    start: bool = False
    """Put a token before every text."""
    end: bool = False
    """Put a token after every text."""
    margin: Margin = 0
    """Padding that is put before and after every text, for convolutions that look beyond its ends (Kim 2014: 4)."""

    @model_validator(mode="after")
    def _padding(self) -> Characters:
        return _with_padding(self)

    def fit(self, texts: Iterable[str]) -> Vocabulary:
        import_tokenizers()
        from tokenizers import Regex, decoders, pre_tokenizers

        library = _library(self)
        library.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        library.decoder = decoders.Fuse()
        return _counted(self, library, texts)


class Words(Tokenizer, name="words", main="limit"):
    """Words are tokens, and so is every run of punctuation. The most frequent comes first."""

    limit: Limit | None = None
    """Most tokens, those for no text included; all, if not given."""
    minimum: Count = 1
    """How often a word must occur to be in the vocabulary."""
    lowercase: bool = True
    """Make capitals small."""
    punctuation: bool = True
    """Split at punctuation as well as at spaces; false for text that is already split."""
    pad: bool = True
    """Have a token, number 0, that fills shorter texts up."""
    unknown: bool = True
    """Have a token for what is not in the vocabulary; without it such text is refused."""
    start: bool = False
    """Put a token before every text."""
    end: bool = False
    """Put a token after every text."""
    margin: Margin = 0
    """Padding that is put before and after every text, for convolutions that look beyond its ends (Kim 2014: 4)."""

    @model_validator(mode="after")
    def _padding(self) -> Words:
        return _with_padding(self)

    def fit(self, texts: Iterable[str]) -> Vocabulary:
        import_tokenizers()
        from tokenizers import pre_tokenizers

        library = _library(self)
        library.pre_tokenizer = pre_tokenizers.Whitespace() if self.punctuation else pre_tokenizers.WhitespaceSplit()
        return _counted(self, library, texts)


def _with_padding(kind: Kind) -> Kind:
    if kind.margin and not kind.pad:
        raise config_error("value", f"{kind.name} with a margin needs padding", "pad: true")
    return kind


def _library(kind: Characters | Words) -> tokenizers.Tokenizer:
    """The library's tokeniser before it has words."""
    from tokenizers import Tokenizer, models, normalizers

    library = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    if kind.lowercase:
        library.normalizer = normalizers.Lowercase()
    return library


def _counted(kind: Characters | Words, library: tokenizers.Tokenizer, texts: Iterable[str]) -> Vocabulary:
    extra = special_tokens(pad=kind.pad, unknown=kind.unknown, start=kind.start, end=kind.end)
    add_special_tokens(library, extra, kind.margin)
    return by_frequency(library, texts, limit=kind.limit, minimum=kind.minimum, extra=extra)
