"""Figures of each class against all others, and their averages over classes, as scikit-learn defines them.

They are computed here: importing scikit-learn's takes ten times as long as computing them. Tests hold one to the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def roc_auc(right: np.ndarray, score: np.ndarray) -> float | None:
    """Area under the curve of true over false positives: how often a score of an example that is right is above that of
    one that is not, equal ones counted half (Mann and Whitney). None where there are no two kinds of examples."""
    import numpy as np

    positive = int(right.sum())
    negative = len(right) - positive
    if not positive or not negative:
        return None
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((ranks[right].sum() - positive * (positive + 1) / 2) / (positive * negative))


def averages(confusion: np.ndarray, auc: tuple[float | None, ...]) -> dict[str, float]:
    """``macro_precision``, ``macro_recall``, ``macro_f1``, ``macro_auc``: means over classes, each counting the same;
    and ``micro_f1``, of all decisions together, which is accuracy where each example has one class.

    Means are over classes that occur or are said; of one that is never said, precision counts as 0, as does the recall
    of one that never occurs. Those of AUC are over classes that have one.
    """
    import numpy as np

    hits, true, said = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    counts = (true + said) > 0
    hits, true, said = hits[counts], true[counts], said[counts]
    found = {
        "macro_precision": float((hits / np.maximum(1, said)).mean()),
        "macro_recall": float((hits / np.maximum(1, true)).mean()),
        "macro_f1": float((2 * hits / (true + said)).mean()),
        "micro_f1": float(hits.sum() / true.sum()),
    }
    areas = [area for area in auc if area is not None]
    return found | ({"macro_auc": sum(areas) / len(areas)} if areas else {})
