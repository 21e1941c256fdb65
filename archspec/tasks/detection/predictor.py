"""The objects that a network finds in an image. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from archspec.data.corners import file_sizes, placement
from archspec.data.example import CORNERS, IMAGE, Example
from archspec.data.feature import class_name
from archspec.data.features.labels import Labels
from archspec.data.objects import BOXES, CLASSES, MASKS
from archspec.data.pasting import pasted, sampled
from archspec.data.run_lengths import run_lengths
from archspec.data.segments import SegmentClasses
from archspec.evaluators.base import Batch
from archspec.evaluators.coco import COUNT, WHOLE
from archspec.evaluators.detection import IN_FILE, POINTS, SCORES
from archspec.evaluators.panoptic import PANOPTIC, SEGMENTS
from archspec.training.forward import forward
from archspec.training.task import Predictor

SHOWN = 5
"""Objects of an image that stand on its line."""
SIZES = "sizes"
"""Height and width of the files, where a network finds masks: of what it saw where they are not known."""


class BoxPredictor(Predictor):
    """What the heads of a detector give, and the same boxes, cut at the image's border, in pixels of the files. Records
    have masks as COCO's run lengths, in the size of the file."""

    together = 1
    cuts = True

    def __init__(self, model: keras.Model, heads: Sequence[str], inputs: Callable[[Mapping[str, Any]], Any]):
        self.inputs, self.outputs = inputs, forward(model, heads)

    def __call__(self, batch: Batch) -> dict[str, Any]:
        said: dict[str, Any] = self.outputs(self.inputs(batch))
        height, width = np.asarray(batch[IMAGE]).shape[1:3]
        seen = np.clip(said[BOXES], 0, [width, height, width, height])
        corners = np.asarray(batch[CORNERS])
        # Beside the file there is nothing, though the network may see a frame about it.
        known = file_sizes(corners)
        sizes = np.tile(known, 2)[:, None]
        said |= {IN_FILE: np.clip(in_file(seen, corners), 0.0, np.where(sizes > 0, sizes, np.inf))}
        if MASKS in said or PANOPTIC in said:
            whole = np.where((known > 0).all(1, keepdims=True), known[:, ::-1], [[height, width]])
            said |= {WHOLE: in_file(said[BOXES], corners), SIZES: whole.astype(int)}
        if POINTS in said:
            said |= {POINTS: _back(said[POINTS].astype(np.float64), placement(corners))}
        if PANOPTIC in said:
            rows = zip(np.asarray(said[PANOPTIC]), placement(corners), said[SIZES].tolist(), strict=True)
            said |= {SEGMENTS: [sampled(numbers, there, size) for numbers, there, size in rows]}
        return said

    def records(
        self, said: Batch, features: Example, top: int, lengths: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        classes = features.features[CLASSES]
        assert isinstance(classes, Labels)
        names = classes.class_names
        boxes = said[IN_FILE]
        out = []
        for i, count in enumerate(np.asarray(said[COUNT]).tolist()):
            rows = zip(said[CLASSES][i].tolist(), said[SCORES][i].tolist(), boxes[i].tolist(), strict=True)
            found: list[dict[str, Any]] = [
                {"class": class_name(names, k), "score": round(score, 6), "box": [round(n, 2) for n in box]}
                for k, score, box in list(rows)[: int(count)]
            ]
            if MASKS in said:
                for one, drawn, box in zip(found, said[MASKS][i], said[WHOLE][i].tolist(), strict=False):
                    size = said[SIZES][i].tolist()
                    counts = run_lengths(pasted(drawn, box, size))
                    one["segmentation"] = {"size": size, "counts": counts.decode()}
            if POINTS in said:
                for one, points in zip(found, said[POINTS][i].tolist(), strict=False):
                    one["points"] = [[round(n, 2) for n in point] for point in points]
            out.append({"objects": found})
            if SEGMENTS in said:
                out[-1]["segments"] = _segments(said, i, features)
        return out

    def line(self, example: str, record: Mapping[str, Any]) -> str:
        found = record["objects"]
        said = [f"{o['class']} {o['score']:.2f} at {' '.join(f'{n:.0f}' for n in o['box'])}{_told(o)}" for o in found]
        said = said[:SHOWN]
        said += [f"{len(found) - SHOWN} more"] if len(found) > SHOWN else []
        return f"{example}: {'; '.join(said) or 'nothing'}"


def _told(one: Mapping[str, Any]) -> str:
    """The points of an object, if it has some."""
    points = one.get(POINTS)
    return f", points {', '.join(' '.join(f'{n:.0f}' for n in point) for point in points)}" if points else ""


def _segments(said: Batch, row: int, features: Example) -> list[dict[str, Any]]:
    """The segments of a picture, by their numbers in it."""
    classes, kinds = SegmentClasses.of(features), said[CLASSES][row].tolist()
    out: list[dict[str, Any]] = []
    for number, area in zip(*np.unique(said[SEGMENTS][row], return_counts=True), strict=True):
        kind = classes.predicted(int(number), kinds)
        if kind is not None:
            found = {"id": int(number), "class": classes.names[kind], "area": int(area)}
            out.append(found | {"is_thing": kind < len(classes.things)})
    return out


def in_file(boxes: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Boxes (batch, keep, 4) of what a network saw, in pixels of the files: the least upright boxes about their moved
    corners. ``corners`` (batch, 4, 2) are those of ``placement``."""
    there = placement(corners)
    x1, y1, x2, y2 = np.moveaxis(boxes.astype(np.float64), -1, 0)
    points = np.stack([np.stack([x, y], -1) for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))], -2)
    back = _back(points, there)
    return np.concatenate([back.min(-2), back.max(-2)], -1)


def _back(points: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Points (batch, keep, n, 2) of what a network saw, to which ``there`` (batch, 2, 3) leads, in pixels of the
    files."""
    matrix, origin = there[:, None, None, :, :2], there[:, None, None, :, 2]
    return np.linalg.solve(matrix, (points - origin)[..., None])[..., 0]
