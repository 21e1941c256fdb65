"""A class at each pixel, for a person and as a picture. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from archspec.data.example import COLOURS, Example
from archspec.data.mask_values import VOID
from archspec.data.pasting import EDGE
from archspec.evaluators.accuracy import PROBABILITIES
from archspec.evaluators.base import Batch
from archspec.evaluators.segmentation import middle
from archspec.layers.tensor import Tensor
from archspec.ops.base import Op
from archspec.tasks.segmentation.crf import dense_crf
from archspec.tasks.segmentation.windows import Looks
from archspec.training.forward import HeadPredictor
from archspec.training.looking import Crf
from archspec.training.probabilities import probabilities


class MaskPredictor(HeadPredictor):
    """Probabilities of each class at each pixel; ``activation`` turns scores into such, None where they are. Of what a
    network sees its scores lie in the middle; ``looks`` gives them for all of it. A ``crf`` is done with them in the
    end, by the image's own colours (``COLOURS``)."""

    def __init__(
        self,
        model: keras.Model,
        head: str,
        inputs: Callable[[Mapping[str, Any]], Any],
        activation: Op | None,
        looks: Looks | None = None,
        crf: Crf | None = None,
    ):
        super().__init__(model, head, inputs)
        self.activation, self.looks, self.crf = activation, looks, crf

    def __call__(self, batch: Batch) -> dict[str, Any]:
        if self.looks is None:
            said = super().__call__(batch)
        else:
            # Images of a batch have one size; their scores together may be large, and are not copied of one alone.
            images = np.asarray(self.inputs(batch))
            each = [self.looks(self._probabilities, image) for image in images]
            said = {PROBABILITIES: np.stack(each) if len(each) > 1 else each[0][None]}
        if self.crf is None:
            return said
        found = np.asarray(said[PROBABILITIES])
        colours = middle(np.asarray(batch[COLOURS]), found.shape[1:3])
        pairs = zip(found, colours, strict=True)
        return said | {PROBABILITIES: np.stack([dense_crf(one, seen, self.crf) for one, seen in pairs])}

    def _probabilities(self, images: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.said(self.outputs(images)[self.head])[PROBABILITIES]
        return found

    def said(self, given: np.ndarray) -> dict[str, Any]:
        return {PROBABILITIES: probabilities(given, self.activation)}

    def records(
        self, said: Batch, features: Example, top: int, lengths: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        names = features.class_names or tuple(str(i) for i in range(features.classes or 0))
        out = []
        for mask in np.asarray(said[PROBABILITIES]).argmax(-1):
            counts = np.bincount(mask.reshape(-1), minlength=len(names))
            order = sorted((i for i in range(len(names)) if counts[i]), key=lambda i: -counts[i])[:top]
            out.append({"pixels": {names[i]: round(float(counts[i]) / mask.size, 6) for i in order}})
        return out

    def line(self, example: str, record: Mapping[str, Any]) -> str:
        said = "  ".join(f"{name} {100 * share:.1f} %" for name, share in record["pixels"].items())
        written = ", ".join(record[name] for name in ("mask", "drawing") if name in record)
        return f"{example}: {said}" + (f"  → {written}" if written else "")

    def mask(self, said: Batch, there: Tensor, seen: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        scores, there = np.asarray(said[PROBABILITIES])[0], np.array(there, np.float64)
        top, left = ((n - told) // 2 for n, told in zip(seen, scores.shape[:2], strict=True))
        there[:, 2] -= left, top
        return resampled(scores, there, size)


ROWS = 1 << 20
"""Most numbers of a class that are resampled at once: memory does not grow with a picture."""


def resampled(scores: np.ndarray, there: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The class of the highest of bilinear means of scores (height, width, classes) at each pixel of a file, as
    ``Predictor.mask`` has it."""
    height, width, _ = scores.shape
    out = np.full(size, VOID, np.uint8)
    x = np.arange(size[1]) + 0.5
    step = max(1, ROWS // size[1])
    for top in range(0, size[0], step):
        y = np.arange(top, min(top + step, size[0]))[:, None] + 0.5
        u, v = (row[0] * x[None] + row[1] * y + row[2] for row in there)
        is_seen = (u > -EDGE) & (u < width + EDGE) & (v > -EDGE) & (v < height + EDGE)
        u, v = np.clip(u - 0.5, 0, width - 1), np.clip(v - 0.5, 0, height - 1)
        left, above = np.minimum(u.astype(int), max(width - 2, 0)), np.minimum(v.astype(int), max(height - 2, 0))
        right, below = np.minimum(left + 1, width - 1), np.minimum(above + 1, height - 1)
        across, down = (u - left).astype(np.float32), (v - above).astype(np.float32)
        best, said = np.full(u.shape, -np.inf, np.float32), np.zeros(u.shape, np.uint8)
        for k in range(scores.shape[-1]):
            plane = scores[..., k].astype(np.float32)
            upper = plane[above, left] * (1 - across) + plane[above, right] * across
            lower = plane[below, left] * (1 - across) + plane[below, right] * across
            value = upper * (1 - down) + lower * down
            said = np.where(value > best, np.uint8(k), said)
            best = np.maximum(best, value)
        out[top : top + len(y)] = np.where(is_seen, said, VOID)
    return out
