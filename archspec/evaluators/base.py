"""What an evaluator is: figures whose names are known before TensorFlow is, and the assessment that holds them.

Evaluators see arrays, and know neither networks nor tasks: a task says what its network's outputs mean
(``Task.predictor``), and which evaluators read that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example

Better = Literal["max", "min"]
"""Which of two values of a figure is the better one."""
Batch = Mapping[str, Any]
"""Arrays by name, a row for each example."""


class Assessment(Protocol):
    """What came out of an evaluation, for a person, a program and TensorBoard."""

    @property
    def examples(self) -> int:
        """How many were counted."""

    @property
    def figures(self) -> Mapping[str, float]:
        """Numbers by the names that ``Evaluator.figures`` lists."""

    def text(self) -> str:
        """For a terminal."""

    def record(self) -> dict[str, Any]:
        """For JSON: plain values."""

    def panels(self) -> Mapping[str, np.ndarray]:
        """Pictures by name, uint8 of shape (height, width, 1 or 3)."""

    def curves(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """Of each decision that a curve of precision over recall is drawn of: whether it is so, and its score in
        0 … 1; arrays of equal length."""


class Mistake(NamedTuple):
    """An example by its row among those evaluated, how bad its prediction is (the larger, the worse), and both in a few
    words."""

    row: int
    error: float
    told: str


@runtime_checkable
class Ranking(Protocol):
    """An assessment that tells which examples were predicted worst."""

    def worst(self, count: int) -> Sequence[Mistake]:
        """Up to ``count`` examples, the worst first; none where a row is no example of the data."""


class Accumulator(Protocol):
    """An evaluation under way."""

    def update(self, truth: Batch, said: Batch) -> None:
        """Count a batch: its examples as the data give them, and what the network says of each."""

    def result(self) -> Assessment:
        """What was found in all batches."""


class Evaluator:
    """A way to compare predictions with the truth; ``begin`` starts counting."""

    figures: Mapping[str, Better]
    """Every figure that it gives, and which values are better."""
    is_logged: bool = False
    """True where logs have its figures after every epoch, also where none of them is monitored."""
    most: int | None = None
    """Examples that it looks at, the first of the split; None for all."""

    def begin(self, features: Example) -> Accumulator:
        """An evaluation of data that are as ``features`` say."""
        raise NotImplementedError


def largest(errors: np.ndarray, count: int) -> list[int]:
    """Rows of the largest errors of shape (examples,), the largest first; of equal ones the first counts."""
    import numpy as np

    order: list[int] = np.argsort(-errors, kind="stable")[:count].tolist()
    return order


@dataclass(frozen=True, slots=True)
class Figures:
    """An assessment that is figures alone."""

    examples: int
    figures: Mapping[str, float]
    meaning: Mapping[str, str] = field(default_factory=dict)
    """What a figure is, in a few words."""

    def text(self) -> str:
        width = max(8, *map(len, self.figures)) if self.figures else 8
        lines = [f"{'examples':<{width}} {self.examples:,}"]
        for name, value in self.figures.items():
            lines.append(f"{name:<{width}} {value:.4f}" + (f"  {self.meaning[name]}" if name in self.meaning else ""))
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        return dict(self.figures)

    def panels(self) -> Mapping[str, np.ndarray]:
        return {}

    def curves(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        return {}
