"""One long text, for networks that predict what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.data.errors import DataError
from archspec.data.example import TOKENS, Example
from archspec.data.features.tokens import Tokens
from archspec.data.source import TRAIN, DataPath, DataSource, from_arrays, stamp
from archspec.data.text import Encoding, read_text
from archspec.data.tokenizer import Tokenizer, Tokenizing, fitted
from archspec.data.tokenizers.file import File
from archspec.data.tokenizers.level import Characters
from archspec.data.vocabulary import Vocabulary
from archspec.ops.arguments import PositiveInt

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

VAL = "val"
GOLDEN = 2654435769
"""2^32 divided by the golden ratio: its multiples, modulo 2^32, are spread evenly however many there are."""


class Corpus(DataSource, name="corpus", main="path"):
    """A text file, cut in windows. The end of the text is held out as ``val``.

    An example is ``window`` tokens and the one that follows: each of them is to be predicted from those before it.
    Windows of the held-out text stand one after the other; those of the training text do so from another place in every
    epoch, so that a token is not always predicted from the same ones.
    """

    in_memory = True

    path: DataPath
    """The file."""
    window: PositiveInt = 64
    """Tokens that an example predicts."""
    tokenizer: Tokenizing = Characters(pad=False, unknown=False)
    """How the text becomes tokens, fitted to the part to train on. Text is divided line by line, ends of lines
    included; one that puts a token before or after a text (``{words: {end: true}}``) does so with every line."""
    windows: PositiveInt | None = None
    """Examples of an epoch, spread evenly over the text, overlapping where they are many; one after the other, if not
    given."""
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the text, in characters, that is held out."""
    encoding: Encoding = "utf-8"
    """Encoding of the file."""

    def features(self) -> Example:
        whole = self._counted(TRAIN)
        splits = {TRAIN: self.windows or whole}
        if self.holdout:
            splits[VAL] = self._counted(VAL)
        tokens = Tokens(_vocabulary(*self._read()), self.window + 1)
        return Example({TOKENS: tokens}, splits, is_divided=bool(self.holdout))

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np

        tokens = self._tokens(split)
        starts = self._starts(np.arange(self.features().splits[split]), np.int64(0), split, len(tokens))
        return {TOKENS: tokens[starts[:, None] + np.arange(self.window + 1)]}

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        import tensorflow as tf

        if order is None:
            return from_arrays(self.arrays(split), None)
        with tf.device("CPU"):
            tokens = tf.convert_to_tensor(self._tokens(split))
        ahead, count = tf.range(self.window + 1, dtype=tf.int64), int(tokens.shape[0])

        def read(at: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            index = at["index"]
            starts = self._starts(index, at.get("epoch", tf.zeros_like(index)), split, count)
            return {**at, TOKENS: tf.gather(tokens, starts[..., None] + ahead)}

        return order.map(read)

    def with_vocabularies(self, files: Mapping[str, Path]) -> DataSource:
        return self.model_copy(update={"tokenizer": File(path=files[TOKENS])}) if TOKENS in files else self

    def fingerprint(self) -> str:
        return stamp(self, [self.path])

    def describe(self, split: str, position: int) -> str:
        start = int(self._starts(position, 0, split, len(self._tokens(split))))
        return f"tokens {start} to {start + self.window} of {split} of {self.path.name}"

    def _starts(self, index: Any, epoch: Any, split: str, count: int) -> Any:
        """First tokens of examples; ``index`` and ``epoch`` are int64, of any shape, of NumPy or TensorFlow."""
        places = count - self.window
        if split == VAL:
            return index * self.window
        spacing = self.window if self.windows is None else max(1, places // self.windows)
        start = index * (places if self.windows else self.window) // (self.windows or 1)
        shift = epoch * GOLDEN % 2**32 * spacing // 2**32
        # What would reach over the end starts at the beginning.
        return (start + shift) % places

    def _counted(self, split: str) -> int:
        """Whole windows, one after the other."""
        tokens = len(self._tokens(split))
        if tokens <= self.window:
            part = "held-out text" if split == VAL else "text to train on"
            raise DataError(f"the {part} has {tokens} tokens, a window needs {self.window} and the next one")
        return (tokens - 1) // self.window

    def _read(self) -> tuple[Path, str, str, float, Tokenizer]:
        return self.path, stamp(self, [self.path]), self.encoding, self.holdout, self.tokenizer

    def _tokens(self, split: str) -> np.ndarray:
        return _encoded(*self._read())[split]


@lru_cache(maxsize=1)
def _texts(path: Path, changed: str, encoding: str, holdout: float) -> dict[str, str]:
    """The text of each split. Raises DataError."""
    text = read_text(path, encoding)
    end = len(text) - int(len(text) * holdout)
    return {TRAIN: text[:end], VAL: text[end:]}


@lru_cache(maxsize=1)
def _vocabulary(path: Path, changed: str, encoding: str, holdout: float, tokenizer: Tokenizer) -> Vocabulary:
    """The vocabulary of the text to train on. Raises DataError."""
    texts = _texts(path, changed, encoding, holdout)
    return fitted(tokenizer, changed, lambda: texts[TRAIN].splitlines(keepends=True))


@lru_cache(maxsize=1)
def _encoded(path: Path, changed: str, encoding: str, holdout: float, tokenizer: Tokenizer) -> dict[str, np.ndarray]:
    """The tokens of each split, int32. Raises DataError."""
    import numpy as np

    vocabulary = _vocabulary(path, changed, encoding, holdout, tokenizer)
    return {
        split: np.fromiter((n for line in text.splitlines(keepends=True) for n in vocabulary.encode(line)), np.int32)
        for split, text in _texts(path, changed, encoding, holdout).items()
    }
