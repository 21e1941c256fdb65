"""How a network that scores what comes next is made to go on: token by token, each chosen and fed back.

A ``Decoder`` is such a network; what it has read is in ``States``, arrays with a leading axis of sequences, so that a
search can keep, copy and reorder sequences as it likes. A ``Decoding`` chooses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import Field

from archspec.ir.declaration import Declaration
from archspec.ops.arguments import PositiveInt

if TYPE_CHECKING:
    import numpy as np

    States = Mapping[str, np.ndarray]


class Decoder(Protocol):
    """A network as it reads a sequence from left to right."""

    def begin(self, count: int) -> States:
        """What ``count`` sequences that have read nothing remember."""
        ...

    def step(self, tokens: np.ndarray, states: States) -> tuple[np.ndarray, States]:
        """Read one token of each sequence, int32 of shape (sequences,). Returns the logarithms of the probabilities of
        what comes next, float64 of shape (sequences, vocabulary), and what is remembered."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Where decoding ends, and what it never gives."""

    length: int
    """Most tokens."""
    end: int | None = None
    """The token after which a sequence is over; what follows it repeats it."""
    banned_tokens: Sequence[int] = ()
    """Tokens that are never chosen: padding, the unknown, the start."""


class Decoding(Declaration, package="archspec.tasks.decoding"):
    """A way to choose tokens. Order of rules: fields, ``decode``."""

    def decode(
        self, decoder: Decoder, first: np.ndarray, states: States, limits: Limits, *, seed: int = 0
    ) -> np.ndarray:
        """Go on after ``first``, the last token of each sequence, which ``states`` have not read. Returns the tokens
        after it, int32 of shape (sequences, length); equal where the seed is."""
        raise NotImplementedError


Share = Annotated[float, Field(gt=0, le=1)]
Temperature = Annotated[float, Field(gt=0, le=100)]


class Greedy(Decoding, name="greedy"):
    """The most probable token each time; of equals the first."""

    def decode(
        self, decoder: Decoder, first: np.ndarray, states: States, limits: Limits, *, seed: int = 0
    ) -> np.ndarray:
        return _one_by_one(decoder, first, states, limits, lambda scores: scores.argmax(-1))


class Sample(Decoding, name="sample", main="temperature"):
    """A token drawn by its probability; of the less probable ones some are left out, if so said."""

    temperature: Temperature = 1.0
    """Divides the logarithms of the probabilities: below 1 the probable get more so."""
    top_k: PositiveInt | None = None
    """Draw from so many of the most probable tokens (Fan et al. 2018)."""
    top_p: Share | None = None
    """Draw from the fewest of the most probable tokens that have this share of the probability together, of those that
    ``top_k`` leaves, at the temperature (nucleus sampling, Holtzman et al. 2019)."""

    def decode(
        self, decoder: Decoder, first: np.ndarray, states: States, limits: Limits, *, seed: int = 0
    ) -> np.ndarray:
        import numpy as np

        random = np.random.default_rng(seed)

        def drawn(scores: np.ndarray) -> np.ndarray:
            shares = self.probabilities(scores)
            # The first token up to which the shares come to more than a number below 1.
            at = random.random(len(shares))[:, None] * shares.sum(-1, keepdims=True)
            chosen: np.ndarray = (shares.cumsum(-1) > at).argmax(-1)
            return chosen

        return _one_by_one(decoder, first, states, limits, drawn)

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """What is drawn by: of scores (logarithms of probabilities) of shape (sequences, vocabulary), float64."""
        import numpy as np

        shares: np.ndarray = np.exp((scores - scores.max(-1, keepdims=True)) / self.temperature)
        if self.top_k is None and self.top_p is None:
            shares /= shares.sum(-1, keepdims=True)
            return shares
        # Of equals the first counts.
        order = np.argsort(-shares, axis=-1, kind="stable")
        ranked = np.take_along_axis(shares, order, -1)
        if self.top_k is not None:
            ranked[:, self.top_k :] = 0
        ranked /= ranked.sum(-1, keepdims=True)
        if self.top_p is not None:
            # Whatever stands after tokens that have the share already.
            ranked[ranked.cumsum(-1) - ranked >= self.top_p] = 0
            ranked /= ranked.sum(-1, keepdims=True)
        np.put_along_axis(shares, order, ranked, -1)
        return shares


def _one_by_one(decoder: Decoder, first: np.ndarray, states: States, limits: Limits, choose: Any) -> np.ndarray:
    """Tokens that ``choose`` takes by the scores of each."""
    import numpy as np

    tokens, out = np.asarray(first, np.int32), np.empty((len(first), limits.length), np.int32)
    is_over = np.zeros(len(first), bool)
    for i in range(limits.length):
        scores, states = decoder.step(tokens, states)
        scores = np.array(scores, np.float64)
        scores[:, list(limits.banned_tokens)] = -np.inf
        tokens = np.asarray(choose(scores), np.int32)
        if limits.end is not None:
            tokens = np.where(is_over, np.int32(limits.end), tokens)
            is_over |= tokens == limits.end
        out[:, i] = tokens
        if is_over.all():
            out[:, i:] = tokens[:, None]
            break
    return out


def read(decoder: Decoder, tokens: np.ndarray, states: States | None = None) -> States:
    """What sequences remember after tokens of shape (sequences, length)."""
    states = decoder.begin(len(tokens)) if states is None else states
    for column in tokens.T:
        _, states = decoder.step(column, states)
    return states
