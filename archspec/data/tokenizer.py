"""How text becomes numbers: what is declared, and what it is fitted to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from archspec.data.arguments import written
from archspec.data.errors import DataError
from archspec.data.vocabulary import END, PAD, START, UNKNOWN, Vocabulary, import_tokenizers
from archspec.ir.declaration import Declaration
from archspec.ir.reading import declared
from archspec.storage.cache import cache_path, load_or_compute

if TYPE_CHECKING:
    import tokenizers

Limit = Annotated[int, Field(ge=5, le=2**24)]
"""Most tokens of a vocabulary, those for no text included."""
Count = Annotated[int, Field(ge=1)]
Margin = Annotated[int, Field(ge=0, le=2**10)]


class Tokenizer(Declaration, package="archspec.data.tokenizers"):
    """One way to divide text. Order of rules: fields, ``fit``."""

    is_fitted: ClassVar[bool] = True
    """False where the vocabulary does not depend on the texts."""

    def fit(self, texts: Iterable[str]) -> Vocabulary:
        """The vocabulary of the training texts, the same each time. Raises DataError."""
        raise NotImplementedError


Tokenizing: Any = declared(Tokenizer, "a tokenizer")
"""The field type of a tokeniser: ``words``, ``{words: 10000}``, ``{characters: {lowercase: true}}``."""


def fitted(tokenizer: Tokenizer, of: str, texts: Callable[[], Iterable[str]]) -> Vocabulary:
    """The vocabulary of the training split, computed once; ``of`` changes when the texts do. Raises DataError."""
    if not tokenizer.is_fitted:
        return tokenizer.fit(())
    path = cache_path("vocabulary", ".json", of, repr(written(tokenizer)), import_tokenizers().__version__)
    return Vocabulary(load_or_compute(path, lambda: tokenizer.fit(texts()).json))


def by_frequency(
    library: tokenizers.Tokenizer, texts: Iterable[str], *, limit: int | None, minimum: int, extra: Iterable[str]
) -> Vocabulary:
    """The tokens that occur at least ``minimum`` times, after ``extra``: the most frequent first, equals by the
    alphabet, ``limit`` in all. Raises DataError where there are none."""
    from tokenizers import trainers

    special = list(extra)
    trainer = trainers.WordLevelTrainer(
        vocab_size=limit or 2**31, min_frequency=minimum, special_tokens=special, show_progress=False
    )
    library.train_from_iterator(texts, trainer)
    found = Vocabulary(library.to_str())
    if found.size <= len(special):
        raise DataError(f"the training texts have no token that occurs {minimum} times" if minimum > 1 else _EMPTY)
    return found


_EMPTY = "the training texts are empty"


def special_tokens(*, pad: bool, unknown: bool, start: bool, end: bool) -> list[str]:
    """The tokens for no text that are wanted, in the order of their numbers."""
    wanted = {PAD: pad, UNKNOWN: unknown, START: start, END: end}
    return [token for token, is_there in wanted.items() if is_there]


def add_special_tokens(library: tokenizers.Tokenizer, extra: list[str], margin: int) -> None:
    """Let ``library`` put the tokens for the start and the end around every text, and ``margin`` of padding."""
    from tokenizers import processors

    pads, first, last = [PAD] * margin, [START] * (START in extra), [END] * (END in extra)
    template = [*pads, *first, "$A", *last, *pads]
    if len(template) > 1:
        around = [(token, extra.index(token)) for token in (PAD, START, END) if token in template]
        library.post_processor = processors.TemplateProcessing(single=" ".join(template), special_tokens=around)
