"""What generated text has to do with what was wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.evaluators.base import Accumulator, Batch, Evaluator, Figures

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example


class ExactMatch(Evaluator):
    """The share of sequences that are generated exactly, token by token, their end included; ``part`` is what the
    sequences are called in an example, ``most`` how many are looked at, the first."""

    figures = {"exact_match": "max"}
    is_logged = True

    def __init__(self, part: str, most: int | None = None):
        self.part, self.most = part, most

    def begin(self, features: Example) -> Accumulator:
        end = features.vocabularies[self.part].end
        assert end is not None
        return _Matching(self.part, end)


class _Matching:
    def __init__(self, part: str, end: int):
        self.part, self.end = part, end
        self.right: list[np.ndarray] = []

    def update(self, truth: Batch, said: Batch) -> None:
        self.right.append(is_exact(said[self.part], truth[self.part], self.end))

    def result(self) -> Figures:
        import numpy as np

        right = np.concatenate(self.right) if self.right else np.zeros(0, bool)
        return Figures(len(right), {"exact_match": float(right.mean())} if len(right) else {})


def is_exact(found: np.ndarray, wanted: np.ndarray, end: int) -> np.ndarray:
    """Whether each row of tokens is the wanted one up to its end, bool of shape (rows,). What follows an end is padding
    in the one and the end again in the other."""
    import numpy as np

    same: np.ndarray = (found == np.where(wanted == 0, end, wanted)).all(-1)
    return same
