"""What classes at pixels say of a segmenter: one confusion matrix, counted batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.data.example import LABEL
from archspec.evaluators.accuracy import MAX_CLASSES, PROBABILITIES
from archspec.evaluators.base import Accumulator, Batch, Evaluator

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example


class PixelClasses(Evaluator):
    """Intersection over union and accuracy of classes at pixels, all pixels of all examples in one confusion matrix.
    Pixels whose true class is none of the data's (void) do not count."""

    figures = {"mean_iou": "max", "frequency_weighted_iou": "max", "pixel_accuracy": "max", "mean_accuracy": "max"}

    def begin(self, features: Example) -> Accumulator:
        names = features.class_names or tuple(str(i) for i in range(features.classes or 0))
        return _PixelCounting(names)


class _PixelCounting:
    def __init__(self, names: Sequence[str]):
        import numpy as np

        self.names, self.examples = tuple(names), 0
        self.confusion = np.zeros((len(names), len(names)), np.int64)

    def update(self, truth: Batch, said: Batch) -> None:
        import numpy as np

        labels = np.asarray(truth[LABEL])[..., 0]
        self.examples += len(labels)
        self.confusion += confusion(labels, np.asarray(said[PROBABILITIES]).argmax(-1), len(self.names))

    def result(self) -> PixelAssessment:
        return PixelAssessment(self.examples, self.names, tuple(map(tuple, self.confusion.tolist())))


def confusion(true: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """How many pixels of each class (rows) were said to be of each (columns); other true values do not count."""
    import numpy as np

    true, said = true.reshape(-1).astype(np.int64), said.reshape(-1).astype(np.int64)
    counts = true < classes
    found: np.ndarray = np.bincount(true[counts] * classes + said[counts], minlength=classes**2)
    return found.reshape(classes, classes)


@dataclass(frozen=True, slots=True)
class PixelAssessment:
    """``confusion[true][said]`` counts pixels."""

    examples: int
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def iou(self) -> tuple[float | None, ...]:
        """Of each class the pixels that are and were said to be it, over those that are or were; None where there are
        none of either."""
        hits, true, said = self._sums()
        return tuple(h / (t + s - h) if t + s else None for h, t, s in zip(hits, true, said, strict=True))

    @property
    def recall(self) -> tuple[float | None, ...]:
        """Of each class the share of its pixels that were said to be it; None where it does not occur."""
        hits, true, _ = self._sums()
        return tuple(h / t if t else None for h, t in zip(hits, true, strict=True))

    @property
    def figures(self) -> Mapping[str, float]:
        hits, true, _ = self._sums()
        total = sum(true)
        if not total:
            return {}
        occurring = [i for i in self.iou if i is not None]
        found = [r for r in self.recall if r is not None]
        return {
            "mean_iou": sum(occurring) / len(occurring),
            "frequency_weighted_iou": sum(t * i for t, i in zip(true, self.iou, strict=True) if i is not None) / total,
            "pixel_accuracy": sum(hits) / total,
            "mean_accuracy": sum(found) / len(found),
        }

    def _sums(self) -> tuple[list[int], list[int], list[int]]:
        """By class, the pixels that are right, that are of it, and that were said to be."""
        hits = [row[i] for i, row in enumerate(self.confusion)]
        return hits, [sum(row) for row in self.confusion], [sum(column) for column in zip(*self.confusion, strict=True)]

    def record(self) -> dict[str, Any]:
        return {
            "examples": self.examples,
            **self.figures,
            "classes": self.classes,
            "iou": self.iou,
            "recall": self.recall,
            "confusion": self.confusion,
        }

    def panels(self) -> Mapping[str, np.ndarray]:
        import numpy as np

        from archspec.evaluators.panels import confusion_picture

        return {"confusion": confusion_picture(np.array(self.confusion), self.classes)}

    def curves(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        return {}

    def text(self) -> str:
        said = {"mean_iou": "mean IoU", "frequency_weighted_iou": "frequency-weighted IoU"}
        words = {name: said.get(name, name.replace("_", " ")) for name in self.figures}
        lines = [f"{'examples':<22} {self.examples:,}"]
        lines += [f"{words[name]:<22} {value:.4f}" for name, value in self.figures.items()]
        width = max(len("class"), *(len(name) for name in self.classes))
        lines += ["", f"{'class':<{width}}  {'pixels':>12}     IoU  recall"]
        for name, row, iou, recall in zip(self.classes, self.confusion, self.iou, self.recall, strict=True):
            shares = "".join(f"{'-':>8}" if v is None else f"{v:>8.4f}" for v in (iou, recall))
            lines.append(f"{name:<{width}}  {sum(row):>12,}{shares}")
        if len(self.classes) <= MAX_CLASSES:
            cell = max(8, *(len(str(n)) + 1 for row in self.confusion for n in row))
            lines += ["", "pixels; rows: true class, columns: taken for"]
            lines.append(f"{'':<{width}} " + "".join(f"{name[: cell - 1]:>{cell}}" for name in self.classes))
            lines += [
                f"{name:<{width}} " + "".join(f"{n:>{cell}}" for n in row)
                for name, row in zip(self.classes, self.confusion, strict=True)
            ]
        return "\n".join(lines)
