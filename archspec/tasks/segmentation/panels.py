"""Held-out pictures with their true and predicted classes and with what is wrong, for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.data.canvas import Canvas, colour
from archspec.data.errors import DataError
from archspec.data.example import IMAGE
from archspec.evaluators.base import Assessment
from archspec.evaluators.panels import legend
from archspec.evaluators.segmentation import PixelAssessment, middle

if TYPE_CHECKING:
    import numpy as np

    from archspec.training.task import RunContext

TILE = 160
"""Height and width of a picture, in pixels."""
TITLES = ("image", "truth", "prediction", "errors")
WRONG, UNKNOWN = (207, 34, 46), (160, 160, 160)
"""Of pixels whose class is wrong, and of those that have none."""
PALE = 0.35
"""What is left of an image's contrast under its errors."""


def examples(plan: RunContext, assessments: Sequence[Assessment]) -> Mapping[str, Any]:
    """A row for each of a few pictures, as the network saw it: alone, under its true classes, under what was
    predicted, and with the pixels that are wrong in red and those without a class in grey. Class 0 is not coloured."""
    import numpy as np

    found = next((a for a in assessments if isinstance(a, PixelAssessment)), None)
    split, channels = plan.split, plan.features.image.channels
    if found is None or not found.shown or split is None or channels not in (1, 3):
        return {}
    usable = plan.source.usable(split)
    places = [int(row if usable is None else usable[row]) for row in found.shown]
    steps = plan.pipeline.eval_transforms
    try:
        images = [plan.pipeline.examples_at([place], 0, steps, split)[IMAGE][0] for place in places]
    except DataError:
        return {}
    count = len(found.classes)
    pairs = zip(images, found.shown.values(), strict=True)
    body = np.concatenate(
        [_row(middle(image[None], true.shape)[0], true, said, count) for image, (true, said) in pairs]
    )
    inks = {name: colour(k) for k, name in enumerate(found.classes) if k}
    return {"examples": legend(body, TITLES, inks | {"wrong": WRONG, "without a class": UNKNOWN})}


def _row(image: np.ndarray, true: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    import numpy as np

    pictures = [Canvas(image, TILE) for _ in TITLES]
    known = true < classes
    pictures[1].tint(np.where(known, true, 0))
    pictures[2].tint(said)
    errors = pictures[3]
    errors.inside[:] = np.rint(255 * (1 - PALE) + PALE * errors.inside)
    errors.paint(known & (true != said), WRONG)
    errors.paint(~known, UNKNOWN)
    return np.concatenate([canvas.pixels for canvas in pictures], 1)
