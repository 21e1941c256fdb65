"""What classes at pixels say of a segmenter: one confusion matrix, counted batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archspec.data.example import LABEL
from archspec.evaluators.accuracy import MAX_CLASSES, PROBABILITIES
from archspec.evaluators.base import Accumulator, Batch, Evaluator, Mistake, largest

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example


KEPT = 8
"""Most pictures whose masks are kept to be shown, spread over all."""


class PixelClasses(Evaluator):
    """Intersection over union and accuracy of classes at pixels, all pixels of all examples in one confusion matrix.
    Pixels whose true class is none of the data's (void) do not count. Beside it the F1 of boundaries
    (``boundary_scores``), class by class and picture by picture."""

    figures = {
        "mean_iou": "max",
        "frequency_weighted_iou": "max",
        "pixel_accuracy": "max",
        "mean_accuracy": "max",
        "boundary_f1": "max",
    }

    def begin(self, features: Example) -> Accumulator:
        names = features.class_names or tuple(str(i) for i in range(features.classes or 0))
        return _PixelCounting(names)


class _PixelCounting:
    def __init__(self, names: Sequence[str]):
        import numpy as np

        self.names, self.examples = tuple(names), 0
        self.confusion = np.zeros((len(names), len(names)), np.int64)
        # Of each class the sum of its boundary's F1 over pictures, and their number.
        self.boundaries = np.zeros((len(names), 2))
        # Every picture whose number the step divides: of any number of pictures, few are held at a time.
        self.step, self.shown = 1, dict[int, tuple[np.ndarray, np.ndarray]]()
        self.right: list[float] = []

    def update(self, truth: Batch, said: Batch) -> None:
        import numpy as np

        found = np.asarray(said[PROBABILITIES]).argmax(-1)
        labels = np.asarray(middle(truth[LABEL], found.shape[1:]))[..., 0]
        self.confusion += confusion(labels, found, len(self.names))
        for row, (one, other) in enumerate(zip(labels, found, strict=True), self.examples):
            if row % self.step == 0:
                self.shown[row] = one.astype(np.uint8), other.astype(np.uint8)
            if len(self.shown) > KEPT:
                self.step *= 2
                self.shown = {k: masks for k, masks in self.shown.items() if k % self.step == 0}
            counts = one < len(self.names)
            self.right.append(float((one == other)[counts].mean()) if counts.any() else 1.0)
            for k, score in boundary_scores(one, other, len(self.names)).items():
                self.boundaries[k] += score, 1
        self.examples += len(labels)

    def result(self) -> PixelAssessment:
        boundaries = tuple(total / count if count else None for total, count in self.boundaries.tolist())
        counts = tuple(map(tuple, self.confusion.tolist()))
        return PixelAssessment(self.examples, self.names, counts, boundaries, tuple(self.right), dict(self.shown))


def middle(masks: Any, size: Sequence[int | None]) -> Any:
    """What masks (batch, height, width, 1) have where scores of a height and width lie, which may lack a margin."""
    (top, rows), (left, columns) = (
        (0, have) if want is None else ((have - want) // 2, want)
        for have, want in zip(masks.shape[1:3], size, strict=True)
    )
    whole = (top, left, rows, columns) == (0, 0, *masks.shape[1:3])
    return masks if whole else masks[:, top : top + rows, left : left + columns]


def confusion(true: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """How many pixels of each class (rows) were said to be of each (columns); other true values do not count."""
    import numpy as np

    true, said = true.reshape(-1).astype(np.int64), said.reshape(-1).astype(np.int64)
    counts = true < classes
    found: np.ndarray = np.bincount(true[counts] * classes + said[counts], minlength=classes**2)
    return found.reshape(classes, classes)


TOLERANCE = 0.0075
"""How far from a boundary counts as on it, as a share of the picture's diagonal (Csurka et al. 2013)."""


def boundary_scores(true: np.ndarray, said: np.ndarray, classes: int) -> dict[int, float]:
    """F1 of the boundary of each class that has one, in truth or prediction, of a picture (Csurka, Larlus and Perronnin
    2013, BF score): 2·P·R / (P + R), where P is the share of what is said to be its boundary that is near to the true
    one, and R the other way round; 0 where one of them has none.

    A pixel is on the boundary of its class where one of the four beside it has another. Void (``true`` beyond the
    classes) has no class and ends none.
    """
    import numpy as np

    height, width = true.shape
    radius = TOLERANCE * float(np.hypot(height, width))
    is_void = true >= classes
    own, other = (_edges(mask, is_void) for mask in (true, said))
    out: dict[int, float] = {}
    for k in np.union1d(true[own], said[other]).tolist():
        real, found = own & (true == k), other & (said == k)
        hit, met = (found & _near(real, radius)).sum(), (real & _near(found, radius)).sum()
        precision, recall = hit / max(found.sum(), 1), met / max(real.sum(), 1)
        out[k] = float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0
    return out


def _edges(mask: np.ndarray, is_void: np.ndarray) -> np.ndarray:
    """Where a pixel with a class has one of another class beside it."""
    import numpy as np

    out = np.zeros(mask.shape, bool)
    for axis in (0, 1):
        low = (slice(None),) * axis + (slice(None, -1),)
        high = (slice(None),) * axis + (slice(1, None),)
        differs = (mask[low] != mask[high]) & ~is_void[low] & ~is_void[high]
        out[low] |= differs
        out[high] |= differs
    return out


def _near(edges: np.ndarray, radius: float) -> np.ndarray:
    """Where some edge lies no farther than the radius, between centres of pixels."""
    import numpy as np
    from scipy import ndimage

    out: np.ndarray = ndimage.distance_transform_edt(~edges) <= radius if edges.any() else np.zeros_like(edges)
    return out


@dataclass(frozen=True, slots=True)
class PixelAssessment:
    """``confusion[true][said]`` counts pixels; ``boundaries`` has the F1 of each class's boundary, the mean over the
    pictures in which it has one, None where there is none; ``right`` is the share of each picture's pixels that are.
    ``shown`` has the true and the predicted mask of a few pictures, by their place in the order of the evaluation."""

    examples: int
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    boundaries: tuple[float | None, ...]
    right: tuple[float, ...] = ()
    shown: Mapping[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, compare=False, repr=False)

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
        edged = [b for b in self.boundaries if b is not None]
        return {
            "mean_iou": sum(occurring) / len(occurring),
            "frequency_weighted_iou": sum(t * i for t, i in zip(true, self.iou, strict=True) if i is not None) / total,
            "pixel_accuracy": sum(hits) / total,
            "mean_accuracy": sum(found) / len(found),
            **({"boundary_f1": sum(edged) / len(edged)} if edged else {}),
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
            "boundaries": self.boundaries,
            "confusion": self.confusion,
        }

    def panels(self) -> Mapping[str, np.ndarray]:
        import numpy as np

        from archspec.evaluators.panels import confusion_picture

        return {"confusion": confusion_picture(np.array(self.confusion), self.classes)}

    def worst(self, count: int) -> Sequence[Mistake]:
        """By the share of a picture's pixels that are wrong."""
        import numpy as np

        rows = largest(1 - np.array(self.right), count)
        return [Mistake(row, 1 - self.right[row], f"{100 * self.right[row]:.1f} % of pixels right") for row in rows]

    def curves(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        return {}

    def text(self) -> str:
        said = {
            "mean_iou": "mean IoU",
            "frequency_weighted_iou": "frequency-weighted IoU",
            "boundary_f1": f"boundary F1 ({100 * TOLERANCE:g} %)",
        }
        words = {name: said.get(name, name.replace("_", " ")) for name in self.figures}
        lines = [f"{'examples':<22} {self.examples:,}"]
        lines += [f"{words[name]:<22} {value:.4f}" for name, value in self.figures.items()]
        width = max(len("class"), *(len(name) for name in self.classes))
        lines += ["", f"{'class':<{width}}  {'pixels':>12}     IoU  recall  boundary"]
        columns = zip(self.classes, self.confusion, self.iou, self.recall, self.boundaries, strict=True)
        for name, row, *figures in columns:
            shares = "".join(
                f"{'-':>{w}}" if v is None else f"{v:>{w}.4f}" for v, w in zip(figures, (8, 8, 10), strict=True)
            )
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
