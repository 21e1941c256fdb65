"""Average precision as Ultralytics' YOLO prints it, beside COCO's: the same boxes read a few points higher.

After ``match_predictions`` and ``ap_per_class`` of ultralytics 8.3: a box takes the object that it overlaps most and no
other, if that is taken by a surer box; precision is interpolated linearly between the points of the curve, at 101
recalls, and integrated. Crowds are no objects there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.data.overlap import overlaps

if TYPE_CHECKING:
    import numpy as np

    from archspec.evaluators.coco import Found

MEANING = {
    "mAP50": "IoU .50, linear between points of the curve (Ultralytics)",
    "mAP50-95": "IoU .50 to .95, linear between points of the curve (Ultralytics)",
}
"""What each figure is."""


def figures(true: Sequence[Found], said: Sequence[Found], count: int) -> Mapping[str, float]:
    """Both of them, of ``count`` classes; none where there is no object."""
    import numpy as np

    least = np.linspace(0.5, 0.95, 10)
    hits = [_hits(truth, found, least) for truth, found in zip(true, said, strict=True)]
    labels = [found.classes for found in said]
    scores = [found.marks for found in said]
    right, label, score = (np.concatenate(rows) if rows else np.zeros(0) for rows in (hits, labels, scores))
    order = np.argsort(-score)
    right, label = right[order], label[order]
    totals = sum((np.bincount(_counted(truth)[1], minlength=count) for truth in true), np.zeros(count, np.int64))
    by_class = [_areas(right[label == k], int(totals[k])) for k in range(count) if totals[k]]
    if not by_class:
        return {}
    means = np.mean(by_class, 0)
    return {"mAP50": float(means[0]), "mAP50-95": float(means.mean())}


def _counted(truth: Found) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and classes of what is no crowd."""
    import numpy as np

    counted = ~np.asarray(truth.marks, bool)
    return truth.boxes[counted].astype(np.float64), truth.classes[counted]


def _hits(truth: Found, found: Found, least: np.ndarray) -> np.ndarray:
    """Whether each box is an object's at each threshold, bool of shape (boxes, thresholds)."""
    import numpy as np

    boxes, classes = _counted(truth)
    order = np.argsort(-found.marks, kind="stable")
    out = np.zeros((len(found.classes), len(least)), bool)
    if not len(boxes) or not len(out):
        return out
    iou = overlaps(boxes, found.boxes[order].astype(np.float64))
    iou = iou * (classes[:, None] == found.classes[order][None])
    for k, threshold in enumerate(least):
        own, box = np.nonzero(iou >= threshold)
        pairs = np.stack([own, box], 1)[np.argsort(-iou[own, box])]
        # The best object of each box, and then the first box of each object: the surest.
        pairs = pairs[np.unique(pairs[:, 1], return_index=True)[1]]
        pairs = pairs[np.unique(pairs[:, 0], return_index=True)[1]]
        out[order[pairs[:, 1]], k] = True
    return out


def _areas(right: np.ndarray, total: int) -> np.ndarray:
    """The area under the curve at each threshold."""
    import numpy as np

    if not len(right):
        return np.zeros(10)
    hits = right.cumsum(0)
    recall = hits / (total + 1e-16)
    precision = hits / np.arange(1, len(right) + 1)[:, None]
    at = np.linspace(0, 1, 101)
    out = []
    for k in range(right.shape[1]):
        curve = np.concatenate([[1.0], precision[:, k], [0.0]])
        best_from = np.maximum.accumulate(curve[::-1])[::-1]
        out.append(np.trapezoid(np.interp(at, np.concatenate([[0.0], recall[:, k], [1.0]]), best_from), at))
    return np.array(out)
