"""What probabilities and true classes say of a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from archspec.data.example import LABEL
from archspec.data.source import IGNORED
from archspec.evaluators.averages import averages, roc_auc
from archspec.evaluators.base import Accumulator, Batch, Evaluator, Mistake, largest
from archspec.evaluators.calibration import calibration_error
from archspec.ir.diagnostics import printable

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example

PROBABILITIES = "probabilities"
"""What a network says: a probability of each class, for every example, or every step of one."""
MAX_CLASSES = 20
"""Most classes of which a person is shown the whole confusion matrix."""
CURVES = 20
"""With more classes than this there is one curve, of all decisions together."""


class ClassAccuracy(Evaluator):
    """Classes against those that are most probable: top-1, top-5, calibration, averages over classes, every class, what
    it is taken for.

    Each example counts, or each step of one; those of the label ``IGNORED`` do not.
    """

    figures = {
        "top_1": "max",
        "top_5": "max",
        "ece": "min",
        "macro_precision": "max",
        "macro_recall": "max",
        "macro_f1": "max",
        "macro_auc": "max",
        "micro_f1": "max",
        "micro_auc": "max",
    }

    def begin(self, features: Example) -> Accumulator:
        return _Counting(features.class_names)


class _Counting:
    def __init__(self, names: Sequence[str]):
        self.names = names
        self.said: list[np.ndarray] = []
        self.labels: list[np.ndarray] = []

    def update(self, truth: Batch, said: Batch) -> None:
        import numpy as np

        shares, labels = np.asarray(said[PROBABILITIES]), np.asarray(truth[LABEL])
        if labels.ndim == shares.ndim:
            # Examples that are mixed have a share of each class.
            labels = labels.argmax(-1)
        labels = labels.reshape(-1)
        counts = labels != IGNORED
        self.said.append(shares.reshape(-1, shares.shape[-1])[counts])
        self.labels.append(labels[counts])

    def result(self) -> AccuracyAssessment:
        import numpy as np

        return assess(np.concatenate(self.said), np.concatenate(self.labels), self.names)


@dataclass(frozen=True, slots=True)
class AccuracyAssessment:
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
    f1: tuple[float | None, ...]
    auc: tuple[float | None, ...]
    """Area under the ROC curve of each class against all others."""
    averages: Mapping[str, float]
    """Figures over all classes: ``macro_f1``, ``micro_auc``, …"""
    confusion: tuple[tuple[int, ...], ...]
    scores: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False, compare=False)
    """Probabilities (examples, classes) and labels (examples,), which curves are drawn of."""

    @property
    def figures(self) -> Mapping[str, float]:
        found = {"top_1": self.top_1, "top_5": self.top_5, "ece": self.ece, **self.averages}
        return {name: value for name, value in found.items() if value is not None}

    def record(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("scores", "averages")}
        return plain | dict(self.averages)

    def panels(self) -> Mapping[str, np.ndarray]:
        import numpy as np

        from archspec.evaluators.panels import confusion_picture

        return {"confusion": confusion_picture(np.array(self.confusion), self.classes)}

    def curves(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        return curves(*self.scores, self.classes) if self.scores else {}

    def worst(self, count: int) -> Sequence[Mistake]:
        """By the loss, the negative logarithm of what the true class was given."""
        import numpy as np

        if self.scores is None:
            return ()
        shares, labels = self.scores
        own = shares[np.arange(len(labels)), labels]
        out = []
        for row in largest(-np.log(np.maximum(own, 1e-7)), count):
            best, true = int(shares[row].argmax()), int(labels[row])
            told = f"{self.classes[best]} {shares[row, best]:.2f}"
            told += f", is {self.classes[true]} {own[row]:.2f}" if best != true else ", which it is"
            out.append(Mistake(row, float(-np.log(max(own[row], 1e-7))), told))
        return out

    @property
    def _names(self) -> tuple[str, ...]:
        """The classes as a terminal may show them."""
        return tuple(map(printable, self.classes))

    def text(self, *, per_class: bool = True) -> str:
        """For a person."""
        lines = [f"examples {self.examples:,}", f"top-1    {self.top_1:.4f}"]
        if self.top_5 is not None:
            lines.append(f"top-5    {self.top_5:.4f}")
        lines += [f"loss     {self.loss:.4f}", f"ECE      {self.ece:.4f}"]
        if per_class:
            width = max(len("macro average"), *(len(name) for name in self._names))
            lines += ["", f"{'class':<{width}}  examples  recall  precision      F1     AUC  taken for"]
            for i, name in enumerate(self._names):
                values = (self.recall[i], self.precision[i], self.f1[i], self.auc[i])
                lines.append(_row(name, width, sum(self.confusion[i]), values) + self._taken_for(i))
            for kind in ("macro", "micro"):
                of = {name.removeprefix(f"{kind}_"): v for name, v in self.averages.items() if name.startswith(kind)}
                # Of all decisions together, one class each, precision and recall are F1.
                values = (of.get("recall", of["f1"]), of.get("precision", of["f1"]), of["f1"], of.get("auc"))
                lines.append(_row(f"{kind} average", width, self.examples, values))
            if len(self._names) <= MAX_CLASSES:
                lines += ["", "rows: true class, columns: taken for", *self._matrix()]
        return "\n".join(line.rstrip() for line in lines)

    def _matrix(self) -> list[str]:
        """The confusion matrix, its columns named by the beginnings of the classes' names."""
        width = max(5, *(len(name) for name in self._names))
        cell = max(5, *(len(str(n)) for row in self.confusion for n in row)) + 1
        lines = [f"{'':<{width}} " + "".join(f"{name[: cell - 1]:>{cell}}" for name in self._names)]
        return lines + [
            f"{name:<{width}} " + "".join(f"{n:>{cell}}" for n in row)
            for name, row in zip(self._names, self.confusion, strict=True)
        ]

    def _taken_for(self, i: int) -> str:
        wrong = sorted(((n, j) for j, n in enumerate(self.confusion[i]) if n and j != i), reverse=True)[:3]
        return "  " + ", ".join(f"{self._names[j]} {n}" for n, j in wrong)


def _row(name: str, width: int, count: int, values: Sequence[float | None]) -> str:
    recall, precision, f1, auc = values
    return f"{name:<{width}}  {count:>8}  {_share(recall)}  {_share(precision, 9)}  {_share(f1)}  {_share(auc)}"


def _share(value: float | None, width: int = 6) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:>{width}.4f}"


def assess(probabilities: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> AccuracyAssessment:
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
    right = labels[:, None] == np.arange(classes)
    auc = tuple(roc_auc(right[:, i], probabilities[:, i]) for i in range(classes))
    together = roc_auc(right.ravel(), probabilities.ravel())
    return AccuracyAssessment(
        examples=count,
        top_1=float((said == labels).mean()),
        top_5=float((order[:, :5] == labels[:, None]).any(1).mean()) if classes > 5 else None,
        loss=float(-np.log(np.maximum(own, 1e-7)).mean()),
        ece=calibration_error(probabilities[rows, said], said == labels),
        classes=tuple(names) or tuple(str(i) for i in range(classes)),
        recall=tuple(float(h / n) if n else None for h, n in zip(hits, true, strict=True)),
        precision=tuple(float(h / n) if n else None for h, n in zip(hits, taken, strict=True)),
        f1=tuple(float(2 * h / (n + m)) if n + m else None for h, n, m in zip(hits, true, taken, strict=True)),
        auc=auc,
        averages=averages(confusion, auc) | ({} if together is None else {"micro_auc": together}),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        scores=(probabilities, labels),
    )


def curves(said: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Truth and score of what each curve is drawn of: every class by itself, and all decisions together."""
    import numpy as np

    count = said.shape[1]
    right = labels[:, None] == np.arange(count)
    together = {"all classes": (right.ravel(), said.ravel())}
    if count > CURVES:
        return together
    return together | {names[i]: (right[:, i], said[:, i]) for i in range(count)}
