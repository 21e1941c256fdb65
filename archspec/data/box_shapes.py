"""Shapes that stand for the objects of a set: what anchors are made of, and how much of the set anchors reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data.errors import DataError
from archspec.data.overlap import overlaps
from archspec.data.source import TRAIN
from archspec.data.sources.object_files import ObjectFiles

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.source import DataSource
    from archspec.data.transform import Transform

ROUNDS = 300
"""Most rounds of clustering."""
CHUNK = 1 << 22
"""Overlaps that are worked out at once."""


class BoxShapes(NamedTuple):
    """Widths and heights (count, 2), smallest area first, and the IoU of each object's shape with its nearest."""

    sizes: np.ndarray
    overlaps: np.ndarray


def seen_boxes(source: DataSource, transforms: Sequence[Transform], split: str = TRAIN) -> list[np.ndarray]:
    """The boxes (n, 4) of each picture as a network sees them: after the steps that move pixels, without reading any,
    and without objects that are ignored. Raises DataError where the data have no objects."""
    import numpy as np
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.objects import BOXES, arrays, features
    from archspec.data.transforms.geometric import Geometric, moved

    if not isinstance(source, ObjectFiles):
        raise DataError(f"{source.name}: the data have no objects", help="voc, coco and yolo have")
    listing = source.listing()
    assert listing.most is not None
    kinds = {name: kind for name, kind in features(listing.class_names, listing.most).items() if kind.rows}
    steps = [step for step in transforms if isinstance(step, Geometric)]
    out = []
    for entry in listing.splits[split]:
        counted = [one for one in entry.objects if not one.is_ignored]
        batch: Any = {k: tf.constant(v) for k, v in arrays([counted], [entry.size], listing.most).items() if k in kinds}
        size: Any = entry.size[::-1]
        for k, step in enumerate(steps):
            motion = step.motion(size, Draw(0, str(k), tf.zeros((1,), tf.int64), tf.zeros((1,), tf.int64)))
            batch, size = moved(batch, kinds, motion), motion.size
        boxes = np.asarray(batch[BOXES])[0]
        out.append(boxes[boxes[:, 2] > boxes[:, 0]])
    return out


def clustered(sizes: np.ndarray, count: int, seed: int = 0) -> BoxShapes:
    """``count`` shapes for widths and heights (n, 2), by k-means whose distance is 1 - IoU of boxes about one centre
    (Redmon and Farhadi 2017); the first ones are chosen far apart, as by k-means++. Raises DataError where there are
    fewer objects."""
    import numpy as np

    if len(np.unique(sizes, axis=0)) < count:
        raise DataError(f"{len(np.unique(sizes, axis=0))} different sizes of objects are too few for {count} anchors")
    random = np.random.default_rng(seed)
    means = sizes[random.integers(len(sizes))][None]
    while len(means) < count:
        far = (1 - _about_one_centre(sizes, means).max(1)) ** 2
        means = np.concatenate([means, sizes[random.choice(len(sizes), p=far / far.sum())][None]])
    nearest = np.full(len(sizes), -1)
    for _ in range(ROUNDS):
        now = _about_one_centre(sizes, means).argmax(1)
        if (now == nearest).all():
            break
        nearest = now
        means = np.stack([sizes[now == k].mean(0) if (now == k).any() else means[k] for k in range(count)])
    means = means[np.argsort(means.prod(1), kind="stable")]
    return BoxShapes(means, _about_one_centre(sizes, means).max(1))


def reached(boxes: Sequence[np.ndarray], anchors: np.ndarray) -> np.ndarray:
    """The largest IoU of every object, of all pictures, with one of the anchors (count, 4): (objects,)."""
    import numpy as np

    flat = np.concatenate([np.zeros((0, 4)), *boxes]).astype(np.float64)
    out, step = np.zeros(len(flat)), max(1, CHUNK // max(1, len(anchors)))
    for first in range(0, len(flat), step):
        out[first : first + step] = overlaps(flat[first : first + step], anchors).max(1, initial=0.0)
    return out


def _about_one_centre(sizes: np.ndarray, means: np.ndarray) -> np.ndarray:
    """IoU of boxes of given widths and heights about one centre, (n, count)."""
    import numpy as np

    both: np.ndarray = np.minimum(sizes[:, None], means[None]).prod(-1)
    shares: np.ndarray = both / (sizes.prod(1)[:, None] + means.prod(1)[None] - both)
    return shares
