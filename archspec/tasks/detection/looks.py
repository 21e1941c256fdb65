"""Found of an image by several looks at it, merged. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops

from archspec.data.objects import BOXES, CLASSES
from archspec.data.overlap import overlaps
from archspec.evaluators.coco import COUNT, Found
from archspec.evaluators.detection import SCORES
from archspec.training.views import starts

OVERLAP = 0.5
"""Least share of a window that the next one sees as well: what is no longer than that is whole in one of them."""
TOGETHER = 8
"""Windows that are asked about at a time."""
SAME = 0.5
"""IoU from which boxes of one class are of one object."""
MOST = 2000
"""Boxes of an image that are merged: the surest of all looks."""

Detector = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""What a network finds in images (n, height, width, channels): boxes, scores, classes and counts."""


@dataclass(frozen=True, slots=True)
class MergedLooks:
    """Asks a network about images at several scales, and about their mirror images.

    At a scale, ``scales`` being lengths of the short side in pixels, windows of the height and width ``seen`` cover all
    of the image; what they see beyond it is its border continued, and boxes that the edge of a window cuts off within
    the image are left out. Without scales images have the size that the network takes. Boxes of one class that
    overlap are one: it has the highest of their scores, and lies where the mean of them does, weighted by their scores
    (box voting, Gidaris and Komodakis 2015).
    """

    found: Detector
    seen: tuple[int, int]
    scales: tuple[int, ...] = ()
    is_mirrored: bool = False

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """As ``found``, with as many rows as it has, in pixels of the images."""
        rows = [self._merged(image) for image in np.asarray(images)]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _merged(self, image: np.ndarray) -> dict[str, np.ndarray]:
        every: list[Found] = []
        keep = 0
        width = image.shape[1]
        for short in self.scales or (None,):
            for mirrored in (False, True)[: 1 + self.is_mirrored]:
                seen = image[:, ::-1] if mirrored else image
                for objects, rows in self._of_whole(seen) if short is None else self._at(seen, short):
                    boxes, keep = objects.boxes, rows
                    if mirrored:
                        boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)
                    every.append(objects._replace(boxes=boxes))
        one = merged(joined(every))
        count = min(keep, len(one.marks))
        boxes, scores, classes = np.zeros((keep, 4), np.float32), np.zeros(keep, np.float32), np.full(keep, -1)
        boxes[:count], scores[:count], classes[:count] = (one.boxes[:count], one.marks[:count], one.classes[:count])
        return {BOXES: boxes, SCORES: scores, CLASSES: classes, COUNT: np.array(count)}

    def _of_whole(self, image: np.ndarray) -> Iterator[tuple[Found, int]]:
        said = self.found(image[None])
        yield _objects(said, 0), said[SCORES].shape[1]

    def _at(self, image: np.ndarray, short: int) -> Iterator[tuple[Found, int]]:
        """Of each window at a scale, what it sees whole, in pixels of the image."""
        have = np.array(image.shape[:2])
        size = np.maximum(1, np.round(have * short / have.min())).astype(int)
        scaled = image
        if tuple(size) != image.shape[:2]:
            out = ops.image.resize(image[None].astype(np.float32), tuple(size), "bilinear", antialias=True)
            scaled = ops.convert_to_numpy(out)[0]
        lacking = np.maximum(np.array(self.seen) - size, 0)
        wide = np.pad(scaled, [*((0, n) for n in lacking), (0, 0)], "edge")
        (height, width), (factor_y, factor_x) = self.seen, have / size
        rows, columns = (starts(max(n, seen), seen, OVERLAP) for n, seen in zip(size, self.seen, strict=True))
        places = [(top, left) for top in rows for left in columns]
        for first in range(0, len(places), TOGETHER):
            some = places[first : first + TOGETHER]
            said = self.found(np.stack([wide[top : top + height, left : left + width] for top, left in some]))
            for k, (top, left) in enumerate(some):
                objects = _objects(said, k)
                x1, y1, x2, y2 = objects.boxes.T
                is_cut = ((x1 < 1) & (left > 0)) | ((y1 < 1) & (top > 0))
                is_cut |= ((x2 > width - 1) & (left + width < size[1])) | ((y2 > height - 1) & (top + height < size[0]))
                # An object at the border is continued beyond it as well.
                there = np.clip(objects.boxes + np.tile((left, top), 2), 0, np.tile(size[::-1], 2))
                is_left = ~is_cut & (there[:, 2:] > there[:, :2]).all(1)
                moved = there[is_left] * np.tile((factor_x, factor_y), 2)
                yield Found(moved, objects.classes[is_left], objects.marks[is_left]), said[SCORES].shape[1]


def merged(found: Found) -> Found:
    """Each object once, the surest first."""
    order = np.argsort(-found.marks, kind="stable")[:MOST]
    boxes, scores, classes = found.boxes[order].astype(np.float64), found.marks[order], found.classes[order]
    kept: list[int] = []
    voted: list[np.ndarray] = []
    left = np.arange(len(order))
    while len(left):
        best = left[0]
        near = (overlaps(boxes[best : best + 1], boxes[left])[0] >= SAME) & (classes[left] == classes[best])
        near[0] = True
        kept.append(int(best))
        voted.append(np.average(boxes[left[near]], axis=0, weights=np.maximum(scores[left[near]], 1e-12)))
        left = left[~near]
    return Found(np.reshape(voted, (-1, 4)), classes[kept], scores[kept])


def joined(every: Sequence[Found]) -> Found:
    """The boxes of all."""
    boxes, classes, marks = ([getattr(one, name) for one in every] for name in ("boxes", "classes", "marks"))
    return Found(np.concatenate(boxes), np.concatenate(classes), np.concatenate(marks))


def _objects(said: Mapping[str, np.ndarray], row: int) -> Found:
    count = int(said[COUNT][row])
    boxes, scores, classes = (np.asarray(said[name][row][:count]) for name in (BOXES, SCORES, CLASSES))
    return Found(boxes, classes, scores)
