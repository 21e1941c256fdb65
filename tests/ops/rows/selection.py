"""Which rows count, by Python's sorting; what is drawn in training is spread evenly otherwise."""

import numpy as np

from tests.ops.rows import Row
from tests.ops.rows.matching import candidates, classes, some


def few(rng, shape):
    return rng.uniform(size=shape) < 0.3


def halves(rng, shape):
    """Numbers of which many are equal."""
    return (rng.integers(-3, 4, shape) / 2).astype("float32")


def spread(rows, count):
    """``count`` of the rows, the first half as far from the start as they are from each other."""
    most, half = min(count, len(rows)), len(rows) // 2
    return [rows[-((half - (i + 1) * len(rows)) // most) - 1] for i in range(most)]


def taken(positive, counted, count, share):
    """The rows that are taken: positive ones, then background."""
    good = spread([i for i in range(len(counted)) if counted[i] and positive[i]], int(count * share))
    bad = spread([i for i in range(len(counted)) if counted[i] and not positive[i]], count - len(good))
    return good, bad


def sampled(count, share):
    def oracle(weights, positive, counted):
        out = np.zeros_like(positive), np.zeros_like(counted)
        for n in range(len(positive)):
            good, bad = taken(positive[n], counted[n], count, share)
            out[0][n, good] = True
            out[1][n, good + bad] = True
        return out

    return oracle


def gathered(count, share):
    """Rows that do not count are whatever they are: they are compared as zeros."""

    def oracle(weights, *given):
        made = []
        for row in zip(*given, strict=True):
            good, bad = taken(row[3], row[4], count, share)
            rest = [i for i in range(len(row[0])) if i not in good + bad]
            order = (good + bad + rest)[:count]
            out = [np.zeros((count, *x.shape[1:]), x.dtype) for x in row]
            for x, y in zip(row, out, strict=True):
                y[: len(order)] = x[order]
            out[3][:] = np.arange(count) < len(good)
            out[4][:] = np.arange(count) < len(good) + len(bad)
            made.append(out)
        return tuple(map(np.stack, zip(*made, strict=True)))

    return oracle


def hardest(ratio, least=0):
    def oracle(weights, hardness, positive, counted):
        out = positive & counted
        for n in range(len(out)):
            most = max(int(ratio * out[n].sum()), least)
            bad = [i for i in range(len(out[n])) if counted[n, i] and not positive[n, i]]
            out[n, sorted(bad, key=lambda i: -hardness[n, i])[:most]] = True
        return out

    return oracle


FLAGS = {"dtype": "bool", "draw": (few, some)}
MATCHED = {
    "dtypes": ("float32", "int32", "float32", "bool", "bool", "int32"),
    "draw": (candidates, classes, candidates, few, some, classes),
}
SHAPES = ((30, 4), (30,), (30, 4), (30,), (30,), (30,))
HARD = {"dtypes": ("float32", "bool", "bool"), "draw": (halves, few, some)}
ROWS = [
    Row("sample", {"count": 8}, ((40,), (40,)), sampled(8, 0.5), **FLAGS),
    Row("sample", {"count": 12, "positive": 0.25}, ((40,), (40,)), sampled(12, 0.25), **FLAGS),
    Row("sample_regions", {"count": 10}, SHAPES, gathered(10, 0.25), **MATCHED),
    Row("sample_regions", {"count": 40, "positive": 0.5}, SHAPES, gathered(40, 0.5), **MATCHED),
    Row("hard_negatives", {}, ((40,),) * 3, hardest(3), **HARD),
    Row("hard_negatives", {"ratio": 0.5, "least": 7}, ((40,),) * 3, hardest(0.5, 7), **HARD),
]
