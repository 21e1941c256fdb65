"""What probabilities and true classes say of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from archspec.ops.base import Op

SHOWN = 20
"""Most classes of which a person is shown the whole confusion matrix."""
BINS = 15
"""Intervals of confidence over which calibration is averaged (Guo et al. 2017)."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Figures of one evaluation; ``confusion[true][said]`` counts examples."""

    examples: int
    top_1: float
    top_5: float | None
    loss: float
    ece: float
    """Expected calibration error: the mean distance between confidence and share of hits, by how often it occurs."""
    classes: tuple[str, ...]
    recall: tuple[float | None, ...]
    precision: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]

    def text(self, *, per_class: bool = True) -> str:
        """For a person."""
        lines = [f"examples {self.examples:,}", f"top-1    {self.top_1:.4f}"]
        if self.top_5 is not None:
            lines.append(f"top-5    {self.top_5:.4f}")
        lines += [f"loss     {self.loss:.4f}", f"ECE      {self.ece:.4f}"]
        if per_class:
            width = max(5, *(len(name) for name in self.classes))
            lines += ["", f"{'class':<{width}}  examples  recall  precision  taken for"]
            for i, name in enumerate(self.classes):
                lines.append(
                    f"{name:<{width}}  {sum(self.confusion[i]):>8}  {_share(self.recall[i])}  " + self._rest(i)
                )
            if len(self.classes) <= SHOWN:
                lines += ["", "rows: true class, columns: taken for", *self._matrix()]
        return "\n".join(line.rstrip() for line in lines)

    def _matrix(self) -> list[str]:
        """The confusion matrix, its columns named by the beginnings of the classes' names."""
        width = max(5, *(len(name) for name in self.classes))
        cell = max(5, *(len(str(n)) for row in self.confusion for n in row)) + 1
        lines = [f"{'':<{width}} " + "".join(f"{name[: cell - 1]:>{cell}}" for name in self.classes)]
        return lines + [
            f"{name:<{width}} " + "".join(f"{n:>{cell}}" for n in row)
            for name, row in zip(self.classes, self.confusion, strict=True)
        ]

    def _rest(self, i: int) -> str:
        wrong = sorted(((n, j) for j, n in enumerate(self.confusion[i]) if n and j != i), reverse=True)[:3]
        return f"{_share(self.precision[i], 9)}  " + ", ".join(f"{self.classes[j]} {n}" for n, j in wrong)


def _share(value: float | None, width: int = 6) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:>{width}.4f}"


def assess(probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Assessment:
    """The figures for probabilities of shape (examples, classes) and the number of each example's class."""
    import numpy as np

    count, classes = probabilities.shape
    rows = np.arange(count)
    own = probabilities[rows, labels]
    # As in Keras, of equal scores the first counts.
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    said = order[:, 0]
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, said), 1)
    hits, true, taken = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    return Assessment(
        examples=count,
        top_1=float((said == labels).mean()),
        top_5=float((order[:, :5] == labels[:, None]).any(1).mean()) if classes > 5 else None,
        loss=float(-np.log(np.maximum(own, 1e-7)).mean()),
        ece=calibration_error(probabilities[rows, said], said == labels),
        classes=tuple(names) or tuple(str(i) for i in range(classes)),
        recall=tuple(float(h / n) if n else None for h, n in zip(hits, true, strict=True)),
        precision=tuple(float(h / n) if n else None for h, n in zip(hits, taken, strict=True)),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
    )


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Σ over intervals of confidence: share of examples in it · |mean confidence - share of hits|."""
    import numpy as np

    place = np.minimum((confidence * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = place == b
        if inside.any():
            total += float(inside.mean() * abs(confidence[inside].mean() - right[inside].mean()))
    return total


def probabilities(scores: np.ndarray, activation: Op | None) -> np.ndarray:
    """Scores of a head as probabilities; ``activation`` is what turns them into such, None where they are already."""
    import numpy as np

    scores = np.asarray(scores, np.float64)
    if activation is not None and activation.number == "distribution":
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        out: Any = powers / powers.sum(-1, keepdims=True)
    elif activation is not None:
        out = 1 / (1 + np.exp(-scores))
    else:
        out = scores
    return np.asarray(out)
