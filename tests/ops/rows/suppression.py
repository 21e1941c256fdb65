"""Greedy suppression, and greedy merging, box by box, with Python's arithmetic."""

import numpy as np

from tests.ops.rows import Row


def drawn(rng, shape):
    """Boxes near one another; scores from 0 to 1, of which many are equal."""
    if shape[-1] != 4:
        return (rng.integers(0, 20, shape) / 20).astype("float32")
    low, size = rng.integers(0, 12, (*shape[:-1], 2)), rng.integers(0, 9, (*shape[:-1], 2))
    return np.concatenate([low, low + size], axis=-1).astype("float32")


def overlap(a, b, kind):
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inner = wide * high if wide > 0 and high > 0 else 0.0
    of_a, of_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    whole = min(of_a, of_b) if kind == "smaller" else of_a + of_b - inner
    found = inner / whole if whole > 0 else 0.0
    if kind == "distance":
        apart = ((a[0] + a[2] - b[0] - b[2]) / 2) ** 2 + ((a[1] + a[3] - b[1] - b[3]) / 2) ** 2
        across = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
        found -= apart / across if across else 0.0
    return found


def greedy(iou=0.5, score=0.0, before=1000, keep=100, apart="class", kind="plain", background=None, indices=False):
    def one(boxes, scores):
        found = []
        for row, of_row in enumerate(scores):
            for c, value in enumerate(of_row):
                if c != background and (score is None or value > score):
                    label = c - 1 if background == 0 else c
                    found.append((float(value), boxes[row, c] if boxes.ndim == 3 else boxes[row], label, row))
        found = sorted(found, key=lambda f: -f[0])[:before]
        kept = []
        for each in found:
            if all(overlap(k[1], each[1], kind) <= iou or (apart == "class" and k[2] != each[2]) for k in kept):
                kept.append(each)
        kept = kept[:keep]
        out = np.zeros((keep, 4), "float32"), np.zeros(keep, "float32"), np.full(keep, -1, "int32")
        rows = np.zeros(keep, "int32")
        for i, (value, box, label, row) in enumerate(kept):
            out[0][i], out[1][i], out[2][i], rows[i] = box, value, label, row
        return (*out, np.int32(len(kept)), *((rows,) if indices else ()))

    def oracle(weights, boxes, scores):
        scores = scores if scores.ndim == 3 else scores[..., None]
        made = [one(b.astype("float64"), s) for b, s in zip(boxes, scores, strict=True)]
        return tuple(map(np.stack, zip(*made, strict=True)))

    return oracle


def scattered(rng, shape):
    """As ``drawn``, without pairs of boxes that are equally near."""
    if shape[-1] != 4:
        return rng.random(shape).astype("float32")
    low, size = 30 * rng.random((*shape[:-1], 2)), 5 + 15 * rng.random((*shape[:-1], 2))
    return np.concatenate([low, low + size], axis=-1).astype("float32")


def apart(a, b):
    middles = [((x[0] + x[2]) / 2, (x[1] + x[3]) / 2, (x[2] - x[0]) * (x[3] - x[1])) for x in (a, b)]
    (ax, ay, of_a), (bx, by, of_b) = middles
    return np.hypot(ax - bx, ay - by) / ((of_a + of_b) / 2) ** 0.5 + 1 - overlap(a, b, "plain")


def merging(distance=0.75, score=0.0, before=100, keep=100, background=None):
    def one(boxes, scores):
        found = []
        for row, of_row in enumerate(scores):
            for c, value in enumerate(of_row):
                if c != background and (score is None or value > score):
                    box = boxes[row, c] if boxes.ndim == 3 else boxes[row]
                    found.append((float(value), box, c - (background == 0)))
        found = sorted(found, key=lambda f: -f[0])[:before]
        while True:
            pairs = [
                (apart(a[1], b[1]), i, i + 1 + j)
                for i, a in enumerate(found)
                for j, b in enumerate(found[i + 1 :])
                if a[2] == b[2]
            ]
            if not pairs or min(pairs)[0] > distance:
                break
            _, i, j = min(pairs)
            a, b = found[i], found.pop(j)
            found[i] = (a[0] + b[0], (a[1] + b[1]) / 2, a[2])
        found = sorted(found, key=lambda f: -f[0])[:keep]
        out = np.zeros((keep, 4), "float32"), np.zeros(keep, "float32"), np.full(keep, -1, "int32")
        for i, (value, box, label) in enumerate(found):
            out[0][i], out[1][i], out[2][i] = box, value, label
        return (*out, np.int32(len(found)))

    def oracle(weights, boxes, scores):
        scores = scores if scores.ndim == 3 else scores[..., None]
        made = [one(b.astype("float64"), s) for b, s in zip(boxes, scores, strict=True)]
        return tuple(map(np.stack, zip(*made, strict=True)))

    return oracle


ROWS = [
    Row("merge_boxes", {"keep": 9}, ((20, 4), (20, 2)), merging(keep=9), draw=scattered),
    Row(
        "merge_boxes",
        {"distance": 1.0, "score": 0.2, "before": 12, "keep": 15, "background": "first"},
        ((9, 3, 4), (9, 3)),
        merging(1.0, 0.2, 12, 15, 0),
        draw=scattered,
    ),
    Row(
        "merge_boxes",
        {"distance": 0.1, "score": None, "keep": 6, "background": "last"},
        ((12, 4), (12, 2)),
        merging(0.1, None, 100, 6, 1),
        draw=scattered,
    ),
    Row("merge_boxes", {"distance": 0.5, "keep": 30}, ((25, 4), (25,)), merging(0.5, keep=30), draw=scattered),
    Row("nms", {"keep": 12}, ((30, 4), (30, 3)), greedy(keep=12), draw=drawn),
    Row("nms", {"iou": 0.3, "keep": 50, "score": None}, ((30, 4), (30,)), greedy(0.3, None, keep=50), draw=drawn),
    Row(
        "nms",
        {"keep": 20, "before": 15, "apart": "none", "background": "first"},
        ((10, 3, 4), (10, 3)),
        greedy(keep=20, before=15, apart="none", background=0),
        draw=drawn,
    ),
    Row(
        "nms",
        {"iou": 0.2, "keep": 8, "overlap": "distance", "background": "last"},
        ((20, 4), (20, 3)),
        greedy(0.2, keep=8, kind="distance", background=2),
        draw=drawn,
    ),
    Row(
        "nms",
        {"iou": 0.6, "keep": 8, "overlap": "smaller"},
        ((20, 4), (20, 2)),
        greedy(0.6, keep=8, kind="smaller"),
        draw=drawn,
    ),
    *(
        Row("nms", {"indices": True, "keep": keep}, shapes, greedy(keep=keep, indices=True), draw=drawn)
        for keep, shapes in ((9, ((30, 4), (30, 3))), (40, ((12, 4), (12,))))
    ),
    Row("nms", {"iou": 1.0, "score": 0.4, "keep": 9}, ((20, 4), (20, 2)), greedy(1, 0.4, keep=9), draw=drawn),
]
