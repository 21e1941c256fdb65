"""Search for the most probable sequence, not for the most probable token each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.tasks.decoding import Decoder, Decoding, Limits

if TYPE_CHECKING:
    import numpy as np

    from archspec.tasks.decoding import States


class Beam(Decoding, name="beam", main="width"):
    """Beam search: of all one-token continuations of the ``width`` best sequences so far, again the ``width`` best.

    A sequence that ends and is among these is put aside, and another goes on in its place. What ended is compared by
    log P / ((5 + tokens) / 6)^alpha (Wu et al. 2016, equation 14, without its coverage penalty), the token for the end
    counted. A sequence that reached the greatest length without an end is taken only where none ended. The search is
    over when nothing that goes on can still be better than the best that ended.
    """

    width: Annotated[int, Field(ge=1, le=1024)] = 4
    """Sequences that are kept; 1, with an alpha of 0, is greedy."""
    alpha: Annotated[float, Field(ge=0, le=10)] = 0.6
    """How much longer sequences are favoured; 0 compares probabilities as they are."""

    def decode(
        self, decoder: Decoder, first: np.ndarray, states: States, limits: Limits, *, seed: int = 0
    ) -> np.ndarray:
        tokens, _ = self.search(decoder, first, states, limits)
        best: np.ndarray = tokens[:, 0]
        return best

    def search(
        self, decoder: Decoder, first: np.ndarray, states: States, limits: Limits
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best ``width`` sequences that were found for each, int32 of shape (sequences, width, length), the best
        first, and their scores, float64 of shape (sequences, width): -inf where there were fewer."""
        import numpy as np

        count, width, length = len(first), self.width, limits.length
        rows = np.arange(count)[:, None]
        states = {name: np.repeat(np.asarray(state), width, axis=0) for name, state in states.items()}
        last = np.repeat(np.asarray(first, np.int32), width)
        end = -1 if limits.end is None else limits.end
        live = np.full((count, width, length), end, np.int32)
        # All start the same: one of them is enough.
        scores = np.full((count, width), -np.inf)
        scores[:, 0] = 0
        ended, ended_scores = live.copy(), np.full((count, width), -np.inf)
        for i in range(length):
            found, states = decoder.step(last, states)
            steps = np.array(found, np.float64).reshape(count, width, -1)
            steps[:, :, list(limits.banned_tokens)] = -np.inf
            vocabulary = steps.shape[-1]
            totals = scores[:, :, None] + steps
            if limits.end is not None:
                # What ends here, and is among the best, joins those that ended before.
                is_best = np.zeros((count, width * vocabulary), bool)
                np.put_along_axis(is_best, _best(totals.reshape(count, -1), width), True, axis=-1)
                final = np.where(is_best.reshape(totals.shape)[:, :, end], totals[:, :, end], -np.inf)
                over = live.copy()
                over[:, :, i] = end
                merged = np.concatenate([ended_scores, final / self.penalty(i + 1)], axis=1)
                kept = _best(merged, width)
                ended = np.concatenate([ended, over], axis=1)[rows, kept]
                ended_scores = merged[rows, kept]
                totals[:, :, end] = -np.inf
            chosen = _best(totals.reshape(count, -1), width)
            scores = totals.reshape(count, -1)[rows, chosen]
            parents, tokens = chosen // vocabulary, (chosen % vocabulary).astype(np.int32)
            live = live[rows, parents]
            live[:, :, i] = tokens
            # Probabilities only fall, and no penalty is greater than that of the greatest length.
            is_over = scores[:, 0] / self.penalty(length) <= ended_scores[:, 0]
            scores[is_over] = -np.inf
            if is_over.all():
                break
            last = tokens.reshape(-1)
            order = (rows * width + parents).reshape(-1)
            states = {name: np.asarray(state)[order] for name, state in states.items()}
        unended = ~np.isfinite(ended_scores).any(-1)
        tokens = np.where(unended[:, None, None], live, ended)
        return tokens, np.where(unended[:, None], scores / self.penalty(length), ended_scores)

    def penalty(self, tokens: int) -> float:
        """What the logarithm of the probability of so many tokens is divided by."""
        return float(((5 + tokens) / 6) ** self.alpha)


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """Places of the greatest of each row, the greatest first; of equals the first."""
    import numpy as np

    places: np.ndarray = np.argsort(-scores, axis=-1, kind="stable")[:, :count]
    return places
