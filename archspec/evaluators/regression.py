"""How far predicted numbers are from the true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.data.example import LABEL
from archspec.evaluators.base import Accumulator, Batch, Evaluator, Mistake, largest

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example

NUMBERS = "numbers"
"""What a network says: float of shape (examples, outputs), in the units of the data."""
SIDE = 240
"""Pixels of a panel."""


class Errors(Evaluator):
    """MAE, RMSE and R² of every output, and their means over the outputs (scikit-learn's ``uniform_average``)."""

    figures = {"mae": "min", "rmse": "min", "r2": "max"}
    is_logged = True

    def begin(self, features: Example) -> Accumulator:
        return _Collecting(features.numbers)


class _Collecting:
    def __init__(self, names: Sequence[str]):
        self.names = names
        self.true: list[np.ndarray] = []
        self.said: list[np.ndarray] = []

    def update(self, truth: Batch, said: Batch) -> None:
        import numpy as np

        self.true.append(np.asarray(truth[LABEL], np.float64))
        self.said.append(np.asarray(said[NUMBERS], np.float64))

    def result(self) -> RegressionAssessment:
        import numpy as np

        return assess(np.concatenate(self.true), np.concatenate(self.said), self.names)


@dataclass(frozen=True, slots=True, eq=False)
class RegressionAssessment:
    """Figures by output, in the units of the data; ``true`` and ``said`` have shape (examples, outputs)."""

    names: tuple[str, ...]
    mae: tuple[float, ...]
    rmse: tuple[float, ...]
    r2: tuple[float, ...]
    true: np.ndarray
    said: np.ndarray

    @property
    def examples(self) -> int:
        return len(self.true)

    @property
    def figures(self) -> Mapping[str, float]:
        found = {"mae": self.mae, "rmse": self.rmse, "r2": self.r2}
        return {name: sum(values) / len(values) for name, values in found.items()}

    def text(self) -> str:
        width = max(8, *(len(name) for name in self.names))
        rows = list(zip(self.names, self.mae, self.rmse, self.r2, strict=True))
        if len(rows) > 1:
            rows.append(("mean", *self.figures.values()))  # type: ignore[arg-type]
        return "\n".join(
            [
                f"examples {self.examples:,}",
                f"{'output':<{width}}  {'MAE':>10}  {'RMSE':>10}  {'R²':>8}",
                *(f"{name:<{width}}  {a:>10.4g}  {b:>10.4g}  {c:>8.4f}" for name, a, b, c in rows),
            ]
        )

    def record(self) -> dict[str, Any]:
        by_output = zip(self.names, self.mae, self.rmse, self.r2, strict=True)
        outputs = {name: {"mae": a, "rmse": b, "r2": c} for name, a, b, c in by_output}
        return {"examples": self.examples, **self.figures, "outputs": outputs}

    def panels(self) -> Mapping[str, np.ndarray]:
        """The true number over the predicted one, and how often which error occurs, by output."""
        out: dict[str, np.ndarray] = {}
        for k, name in enumerate(self.names):
            out[f"{name}/predictions"] = scatter_panel(self.said[:, k], self.true[:, k])
            out[f"{name}/residuals"] = histogram_panel(self.said[:, k] - self.true[:, k])
        return out

    def worst(self, count: int) -> Sequence[Mistake]:
        """By the error of an output over its RMSE, of the output where that is largest."""
        import numpy as np

        errors = np.abs(self.said - self.true) / np.maximum(self.rmse, 1e-12)
        out = []
        for row in largest(errors.max(1), count):
            k = int(errors[row].argmax())
            told = f"{self.names[k]} {self.said[row, k]:.4g}, is {self.true[row, k]:.4g}"
            out.append(Mistake(row, float(errors[row, k]), told))
        return out

    def curves(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        return {}


def assess(true: np.ndarray, said: np.ndarray, names: Sequence[str]) -> RegressionAssessment:
    """Figures of predictions of shape (examples, outputs). R² is 1 - Σ error² / Σ deviation² from the mean; of numbers
    that are all the same it is 1 where they are hit, else 0."""
    import numpy as np

    error = said - true
    rest, all_of_it = (error**2).sum(0), ((true - true.mean(0)) ** 2).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(all_of_it > 0, 1 - rest / all_of_it, np.where(rest > 0, 0.0, 1.0))
    return RegressionAssessment(
        names=tuple(names) or tuple(str(k) for k in range(true.shape[1])),
        mae=tuple(map(float, np.abs(error).mean(0))),
        rmse=tuple(map(float, np.sqrt((error**2).mean(0)))),
        r2=tuple(map(float, r2)),
        true=true,
        said=said,
    )


def scatter_panel(said: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Points of predicted (to the right) and true numbers (upwards) over the line where both are the same."""
    import numpy as np

    low, high = min(said.min(), true.min()), max(said.max(), true.max())
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    diagonal = np.arange(SIDE)
    picture[SIDE - 1 - diagonal, diagonal] = (200, 200, 200)

    def places(values: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.rint((values - low) / max(high - low, 1e-12) * (SIDE - 3)).astype(int) + 1
        return found

    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            picture[SIDE - 1 - places(true) + dy, places(said) + dx] = (8, 48, 107)
    return picture


def histogram_panel(error: np.ndarray, bins: int = 40) -> np.ndarray:
    """How often an error occurs, from the lowest to the highest; the bar of no error is marked."""
    import numpy as np

    counts, edges = np.histogram(error, bins)
    picture = np.full((SIDE, bins * 6, 3), 255, np.uint8)
    for i, count in enumerate(counts):
        height = round(count / counts.max() * (SIDE - 1))
        holds_zero = edges[i] <= 0 <= edges[i + 1]
        picture[SIDE - height :, i * 6 : i * 6 + 5] = (26, 127, 55) if holds_zero else (8, 48, 107)
    return picture
