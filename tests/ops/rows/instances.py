"""Parts of classes by indexing, and masks pixel by pixel."""

import numpy as np

from tests.ops.rows import Row
from tests.ops.rows.regions import at


def numbers(rng, shape):
    return rng.normal(size=shape).astype("float32")


def masks(rng, shape):
    return (rng.uniform(size=shape) < 0.5).astype("float32")


def boxes(rng, shape):
    low, size = rng.uniform(-3, 9, (*shape[:-1], 2)), rng.uniform(1, 9, (*shape[:-1], 2))
    return np.concatenate([low, low + size], axis=-1).astype("float32")


def classes(rng, shape):
    drawn = rng.integers(0, 3, shape).astype("int32")
    drawn[:, 0] = -1
    return drawn


def of_class(axis, first=0):
    def oracle(weights, x, kinds):
        return np.stack(
            [
                np.stack([np.take(row, max(k, 0) + first, axis=axis) for row, k in zip(xs, ks, strict=True)])
                for xs, ks in zip(x, kinds, strict=True)
            ]
        )

    return oracle


def bits(rng, shape):
    return rng.integers(0, 256, shape).astype("uint8")


def owners(rng, shape):
    """Of an object each; what owns nothing stands for the first."""
    drawn = rng.integers(0, 3, shape).astype("int32")
    drawn[:, 0] = -1
    return drawn


def in_order(rng, shape):
    """Places of masks of objects, some of which have none."""
    return np.stack([rng.permutation(np.r_[0 : shape[1] - 1, -1]) for _ in range(shape[0])]).astype("int32")


def cropped(size, samples=2):
    """RoIAlign's places by hand, in pixels of the image from the middle of its first."""

    def one(mask, box, i, j):
        wide, high = (box[2] - box[0]) / size[1], (box[3] - box[1]) / size[0]
        looked = [
            at(
                mask[..., None],
                box[1] + (i + (k + 0.5) / samples) * high - 0.5,
                box[0] + (j + (m + 0.5) / samples) * wide - 0.5,
            )[0]
            for k in range(samples)
            for m in range(samples)
        ]
        return float(np.mean(looked) >= 0.5)

    def oracle(weights, drawn, places, regions, owner):
        made = np.zeros((*owner.shape, *size), "float32")
        for n, r in np.ndindex(owner.shape):
            place = places[n, max(owner[n, r], 0)]
            if place >= 0:
                mask = (drawn[n][..., place // 8] >> (place % 8) & 1).astype("f8")
                box = regions[n, r].astype("f8")
                made[n, r] = [[one(mask, box, i, j) for j in range(size[1])] for i in range(size[0])]
        return made

    return oracle


def pasted(size):
    """Between the pixels of a mask that has a border of zeros."""

    def at_pixel(mask, box, i, j):
        height, width = mask.shape
        y = (i + 0.5 - box[1]) / (box[3] - box[1]) * height - 0.5
        x = (j + 0.5 - box[0]) / (box[2] - box[0]) * width - 0.5
        if not (-1 <= y <= height and -1 <= x <= width):
            return 0.0
        around = np.pad(mask, 1)
        return at(around[..., None], y + 1, x + 1)[0]

    def oracle(weights, drawn, where):
        rows = [
            [
                [[at_pixel(m, b, i, j) for j in range(size[1])] for i in range(size[0])]
                for m, b in zip(ms, bs.astype("f8"), strict=True)
            ]
            for ms, bs in zip(drawn, where, strict=True)
        ]
        return np.array(rows, "float32")

    return oracle


def some(rng, shape):
    """Masks of which about half overlap, and some of which have no pixel."""
    y, x = np.mgrid[: shape[2], : shape[3]]
    middle, radius = rng.uniform(0, shape[2], (*shape[:2], 2, 1, 1)), rng.uniform(-1, 5, (*shape[:2], 1, 1))
    inside = np.hypot(y - middle[:, :, 0], x - middle[:, :, 1]) < radius
    return np.where(inside, rng.uniform(0.5, 1, shape), rng.uniform(0, 0.49, shape)).astype("float32")


def sureness(rng, shape):
    return rng.permuted(np.tile(np.linspace(0.1, 1, shape[1]), (shape[0], 1)), axis=1).astype("float32")


def merged(overlap, least, area, stuff):
    """Detectron2's combine_semantic_and_instance_outputs, pixel by pixel."""

    def one(masks, scores, semantic):
        rows = len(masks)
        out = np.zeros(semantic.shape[:2], "int32")
        for k in sorted(range(rows), key=lambda k: -scores[k]):
            mine = {tuple(place) for place in np.argwhere(masks[k] >= 0.5)}
            taken = {place for place in mine if out[place]}
            if scores[k] < least or not mine or len(taken) / len(mine) > overlap:
                continue
            for place in mine - taken:
                out[place] = k + 1
        free = [place for place in np.ndindex(out.shape) if not out[place]]
        for kind in range(*stuff):
            own = [place for place in free if semantic[place].argmax() == kind]
            if len(own) >= area:
                for there in own:
                    out[there] = rows + 1 + kind
        return out

    return lambda weights, masks, scores, semantic: np.stack(
        [one(*each) for each in zip(masks, scores, semantic, strict=True)]
    )


OWNED = {"dtypes": ("uint8", "int32", "float32", "int32"), "draw": (bits, in_order, boxes, owners)}
OF = {"dtypes": ("float32", "int32"), "draw": (numbers, classes)}
ROWS = [
    Row("of_class", {}, ((5, 4, 4, 3), (5,)), of_class(-1), **OF),
    Row("of_class", {"axis": 1, "background": "first"}, ((5, 4, 4), (5,)), of_class(0, 1), **OF),
    Row("of_class", {"axis": 1}, ((5, 3), (5,)), of_class(0), **OF),
    Row("crop_masks", {"size": 6}, ((11, 9, 1), (3,), (7, 4), (7,)), cropped((6, 6)), **OWNED),
    Row("crop_masks", {"size": [3, 5], "samples": 3}, ((9, 13, 2), (11,), (7, 4), (7,)), cropped((3, 5), 3), **OWNED),
    Row("paste_masks", {"size": [10, 14]}, ((4, 7, 7), (4, 4)), pasted((10, 14)), draw=(masks, boxes)),
    Row(
        "merge_panoptic",
        {"area": 12},
        ((6, 10, 12), (6,), (10, 12, 3)),
        merged(0.5, 0.5, 12, (0, 3)),
        draw=(some, sureness, numbers),
    ),
    Row(
        "merge_panoptic",
        {"area": 30, "overlap": 0.2, "score": 0.3, "stuff": [1, 3]},
        ((9, 10, 12), (9,), (10, 12, 4)),
        merged(0.2, 0.3, 30, (1, 3)),
        draw=(some, sureness, numbers),
    ),
]
