"""Owners of anchors by Python's arithmetic, pair by pair."""

import numpy as np

from tests.ops.rows import Row
from tests.ops.rows.suppression import overlap


def candidates(rng, shape):
    """Boxes of whole sides near one another, so that overlaps are often equal."""
    low, size = rng.integers(0, 8, (*shape[:-1], 2)), rng.integers(1, 6, (*shape[:-1], 2))
    return np.concatenate([low, low + size], axis=-1).astype("float32")


def some_empty(rng, shape):
    """The same, of which every fourth has no area, as rows beyond the last box."""
    found = candidates(rng, shape)
    found[:, ::4] = 0
    return found


def classes(rng, shape):
    return rng.integers(0, 7, shape).astype("int32")


def some(rng, shape):
    """Truth values, of which the first of each example is true."""
    drawn = rng.uniform(size=shape) < 0.6
    drawn[:, 0] = True
    return drawn


def overlaps(anchors, boxes, valid):
    found = [[overlap(a, b, "plain") if v else -1.0 for b, v in zip(boxes, valid, strict=True)] for a in anchors]
    return np.array(found, "float32")


def owners(table, low, high, force):
    out = []
    for row in table:
        best = int(np.argmax(row))
        out.append(best if row[best] >= high else -2 if row[best] >= low else -1)
    if force == "ties":
        for g in range(table.shape[1]):
            top = table[:, g].max()
            for a in np.flatnonzero(table[:, g] == top):
                if top > 0:
                    out[a] = int(np.argmax(table[a]))
    if force == "best":
        for g in range(table.shape[1]):
            if table[:, g].max() > 0:
                out[int(np.argmax(table[:, g]))] = g
    if force == "one_to_one":
        left = table.copy()
        for _ in range(table.shape[1]):
            g, a = np.unravel_index(np.argmax(left.T), left.T.shape)
            if left[a, g] <= 0:
                break
            out[a] = int(g)
            left[a], left[:, g] = -1, -1
    return out


def spare(owner, anchors, boxes, ignored, share):
    """Background that lies within an ignored object counts as neither."""
    for i, a in enumerate(anchors):
        for b, is_ignored in zip(boxes, ignored, strict=True):
            inner = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
            if owner[i] == -1 and is_ignored and inner > share * (a[2:] - a[:2]).prod():
                owner[i] = -2


def matched(low=0.5, high=0.5, force="none", first=False, share=None):
    def oracle(weights, anchors, boxes, kinds, valid, ignored=None):
        made = []
        for n, (a, b, k, v) in enumerate(zip(anchors, boxes, kinds, valid, strict=True)):
            owner = owners(overlaps(a.astype("float64"), b.astype("float64"), v), low, high, force)
            owner = [-2 if o == -1 and (a[i, 2:] <= a[i, :2]).any() else o for i, o in enumerate(owner)]
            if ignored is not None:
                spare(owner, a.astype("float64"), b.astype("float64"), ignored[n], share)
            none = 0 if first else -1
            made.append(
                (
                    np.array([k[o] + first if o >= 0 else none for o in owner], "int32"),
                    np.array([b[o] if o >= 0 else a[i] for i, o in enumerate(owner)], "float32"),
                    np.array([o >= 0 for o in owner]),
                    np.array([o != -2 for o in owner]),
                    np.array(owner, "int32"),
                )
            )
        return tuple(map(np.stack, zip(*made, strict=True)))

    return oracle


def spared(iou):
    def oracle(weights, predicted, positive, counted, boxes, valid, ignored=None):
        valid = valid if ignored is None else valid | ignored
        out = counted.copy()
        for n in range(len(predicted)):
            best = overlaps(predicted[n].astype("float64"), boxes[n].astype("float64"), valid[n]).max(1)
            out[n] &= positive[n] | (best <= iou)
        return out

    return oracle


DRAW = (some_empty, candidates, classes, some)
DTYPES = ("float32", "float32", "int32", "bool")
SHAPES = ((40, 4), (5, 4), (5,), (5,))
ROWS = (
    [
        Row("match", args, SHAPES, oracle, dtypes=DTYPES, draw=DRAW)
        for args, oracle in (
            ({}, matched()),
            ({"low": 0.2, "high": 0.4}, matched(0.2, 0.4)),
            ({"low": 0.3, "high": 0.7, "force": "ties"}, matched(0.3, 0.7, "ties")),
            ({"high": 0.5, "force": "best", "background": "first"}, matched(force="best", first=True)),
            ({"high": 0.5, "force": "one_to_one"}, matched(force="one_to_one")),
        )
    ]
    + [
        Row(
            "match",
            args,
            (*SHAPES, (5,)),
            matched(force=args.get("force", "none"), share=share),
            dtypes=(*DTYPES, "bool"),
            draw=(*DRAW, some),
        )
        for args, share in (({}, 0.5), ({"ignored_share": 0.2, "force": "best"}, 0.2))
    ]
    + [
        Row(
            "ignore_overlaps",
            {"iou": 0.3},
            ((40, 4), (40,), (40,), (5, 4), (5,)),
            spared(0.3),
            dtypes=("float32", "bool", "bool", "float32", "bool"),
            draw=(candidates, some, some, candidates, some),
        ),
        Row(
            "ignore_overlaps",
            {"iou": 0.3},
            ((40, 4), (40,), (40,), (5, 4), (5,), (5,)),
            spared(0.3),
            dtypes=("float32", "bool", "bool", "float32", "bool", "bool"),
            draw=(candidates, some, some, candidates, some, some),
        ),
    ]
)
