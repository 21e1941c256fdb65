"""Held-out examples with what is said of them, for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.data.errors import DataError
from archspec.data.example import IMAGE
from archspec.evaluators import accuracy
from archspec.evaluators.base import Assessment
from archspec.evaluators.panels import grid
from archspec.training.board.projector import spread

if TYPE_CHECKING:
    import numpy as np

    from archspec.training.task import RunContext

EXAMPLES = 16
"""Held-out examples that are shown, the same ones each time."""
TILE = 96


def examples(plan: RunContext, assessments: Sequence[Assessment]) -> Mapping[str, np.ndarray]:
    """A grid of images, each with the most probable class; none where the data are no images."""
    from archspec.data.sheet import tiles

    found = next((a for a in assessments if isinstance(a, accuracy.AccuracyAssessment)), None)
    if found is None or found.scores is None or IMAGE not in plan.features.parts:
        return {}
    split = plan.split
    assert split is not None
    rows, positions = spread(plan, split, EXAMPLES)
    try:
        images = tiles(plan.pipeline, positions.tolist(), split, TILE)
    except DataError:
        return {}
    said, labels = found.scores
    return {"examples": grid(images, said[rows], labels[rows], found.classes)}
