"""Held-out pictures with their objects, and beside them what was found, for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.data.annotated import DrawnBox, on_array
from archspec.data.canvas import colour, tinted
from archspec.data.corners import placement
from archspec.data.errors import DataError
from archspec.data.example import CORNERS, IMAGE
from archspec.data.feature import class_name
from archspec.data.pasting import sampled
from archspec.data.run_lengths import pixels
from archspec.data.transforms.letterboxes import Letterbox
from archspec.evaluators.base import Assessment
from archspec.evaluators.coco import Found
from archspec.evaluators.detection import SURE, DetectionAssessment
from archspec.training.board.projector import spread

if TYPE_CHECKING:
    import numpy as np

    from archspec.training.task import RunContext

EXAMPLES = 8
"""Held-out pictures that are shown, the same ones each time."""
TILE = 288
"""Height and width of each, in pixels."""


def examples(plan: RunContext, assessments: Sequence[Assessment]) -> Mapping[str, Any]:
    """Two columns of pairs: the picture with its objects to the left, with what was found to the right, masks too."""
    import numpy as np

    found = next((a for a in assessments if isinstance(a, DetectionAssessment)), None)
    image = plan.features.image
    if found is None or image.dtype != "uint8" or plan.pipeline.raw.image.channels not in (1, 3):
        return {}
    split = plan.split
    assert split is not None
    rows, positions = spread(plan, split, EXAMPLES)
    try:
        seen = plan.pipeline.examples_at(positions.tolist(), 0, (Letterbox(size=(TILE, TILE), value=255.0),), split)
    except DataError:
        return {}
    tiles = []
    for image_of, corners, row in zip(seen[IMAGE], seen[CORNERS], rows.tolist(), strict=True):
        picture, there = np.broadcast_to(image_of, (TILE, TILE, 3)).copy(), placement(corners)
        true, said = found.true[row], found.said[row]
        sure = np.argsort(said.marks, kind="stable")[np.sort(said.marks) >= SURE]
        told = [f"{class_name(found.classes, said.classes[k])} {said.marks[k]:.2f}" for k in sure]
        names = [class_name(found.classes, k) for k in true.classes]
        tiles.append(
            np.concatenate(
                [
                    on_array(
                        _tinted(picture, true, range(len(names)), there), _drawn(true, range(len(names)), names, there)
                    ),
                    on_array(_tinted(picture, said, sure.tolist(), there), _drawn(said, sure.tolist(), told, there)),
                ],
                1,
            )
        )
    tiles += [np.full_like(tiles[0], 255)] * (len(tiles) % 2)
    return {"examples": np.concatenate([np.concatenate(tiles[k : k + 2], 1) for k in range(0, len(tiles), 2)])}


def _tinted(picture: np.ndarray, of: Found, which: Sequence[int], there: np.ndarray) -> np.ndarray:
    """A tile with the masks of some of the objects of a file, to which ``there`` (2, 3) leads, where there are such."""
    import numpy as np

    if of.masks is None:
        return picture
    out, back = picture.astype(np.float32), np.linalg.inv(np.vstack([there, [0, 0, 1]]))[:2]
    for k in which:
        seen = sampled(pixels(of.masks[k], of.size), back, picture.shape[:2])
        tinted(out, seen > 0, colour(int(of.classes[k])))
    return np.rint(out).astype(np.uint8)


def _drawn(of: Found, which: Sequence[int], texts: Sequence[str], there: np.ndarray) -> list[DrawnBox]:
    """Some of the boxes of a file as they lie in a tile, to which ``there`` (2, 3) leads."""
    corners = of.boxes.reshape(-1, 2, 2) @ there[:, :2].T + there[:, 2]
    boxes = corners.reshape(-1, 4)
    return [DrawnBox(boxes[k].tolist(), int(of.classes[k]), text) for k, text in zip(which, texts, strict=True)]
