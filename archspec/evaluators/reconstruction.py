"""How far what a network makes of an example is from the example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.evaluators.base import Accumulator, Batch, Evaluator, Mistake, largest

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example

GIVEN, MADE = "given", "made"
"""What a network reads, and what it makes of that."""
MAX_IMAGES = 8
"""Examples in a panel, the first ones."""


class Reconstruction(Evaluator):
    """Mean squared and absolute error of reconstructions, over all numbers of all examples; ``part`` is what is to be
    made."""

    figures = {"mse": "min", "mae": "min"}
    is_logged = True

    def __init__(self, part: str):
        self.part = part

    def begin(self, features: Example) -> Accumulator:
        return _Comparing(self.part)


class _Comparing:
    def __init__(self, part: str):
        self.part = part
        self.examples, self.numbers, self.squares, self.distances = 0, 0, 0.0, 0.0
        self.shown: list[tuple[np.ndarray, ...]] = []
        self.errors: list[np.ndarray] = []

    def update(self, truth: Batch, said: Batch) -> None:
        import numpy as np

        true, made = np.asarray(truth[self.part], np.float64), np.asarray(said[MADE], np.float64)
        self.examples, self.numbers = self.examples + len(true), self.numbers + true.size
        squares = ((made - true) ** 2).reshape(len(true), -1)
        self.squares += float(squares.sum())
        self.errors.append(squares.mean(1))
        self.distances += float(np.abs(made - true).sum())
        left = max(0, MAX_IMAGES - len(self.shown))
        self.shown += list(zip(*(np.asarray(rows)[:left] for rows in (said[GIVEN], made, true)), strict=True))

    def result(self) -> ReconstructionAssessment:
        import numpy as np

        figures = {"mse": self.squares / self.numbers, "mae": self.distances / self.numbers}
        return ReconstructionAssessment(self.examples, figures, tuple(self.shown), np.concatenate(self.errors))


@dataclass(frozen=True, slots=True, eq=False)
class ReconstructionAssessment:
    """``shown`` are the first examples: what was read, what was made, and what was to be made; ``errors`` (examples,)
    are the mean squared error of each."""

    examples: int
    figures: Mapping[str, float]
    shown: tuple[tuple[np.ndarray, ...], ...]
    errors: np.ndarray

    def text(self) -> str:
        return "\n".join(f"{name:<8} {value:.6g}" for name, value in self.figures.items())

    def record(self) -> dict[str, Any]:
        return {"examples": self.examples, **self.figures}

    def panels(self) -> Mapping[str, np.ndarray]:
        """Images in three rows: what was read, what was made of it, and what was to be made."""
        if not self.shown or self.shown[0][0].ndim != 3 or self.shown[0][0].shape[-1] not in (1, 3):
            return {}
        return {"reconstructions": rows_panel(self.shown)}

    def worst(self, count: int) -> Sequence[Mistake]:
        """By the mean squared error."""
        rows = largest(self.errors, count)
        return [Mistake(row, float(self.errors[row]), f"mse {self.errors[row]:.4g}") for row in rows]

    def curves(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        return {}


def rows_panel(shown: tuple[tuple[np.ndarray, ...], ...]) -> np.ndarray:
    """A column for each example, in each of which images of one size stand below each other; from the lowest to the
    highest value of the last row, which is what was to be made, black becomes white."""
    import numpy as np

    wanted = np.stack([column[-1] for column in shown])
    low, high = float(wanted.min()), float(wanted.max())
    columns = [np.concatenate(column, 0) for column in shown]
    values = (np.concatenate(columns, 1) - low) / max(high - low, 1e-12)
    picture: np.ndarray = np.rint(values.clip(0, 1) * 255).astype(np.uint8)
    return picture
