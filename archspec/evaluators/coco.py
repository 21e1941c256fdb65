"""COCO's evaluation of boxes or masks, by pycocotools, and the masks that are compared, in pixels of the files."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data.corners import file_sizes, placement
from archspec.data.example import CORNERS
from archspec.data.objects import MASKS, PLACES
from archspec.evaluators.base import Batch

if TYPE_CHECKING:
    import numpy as np

COUNT = "count"
"""How many of the boxes of an image count."""
WHOLE = "whole_in_file"
"""The boxes in pixels of the files where they are not cut at the file's border: what the masks of a network fill."""
COCO = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip
"""COCO's numbers in its order (cocodataset.org, "Detection Evaluation")."""


class Found(NamedTuple):
    """Boxes of one image: (n, 4) corners, (n,) classes, and (n,) scores, or what is ignored of the truth."""

    boxes: np.ndarray
    classes: np.ndarray
    marks: np.ndarray
    areas: np.ndarray | None = None
    """How many pixels of the file each covers (n,); None where these are its box's."""
    masks: Sequence[bytes] | None = None
    """Run lengths of each one's mask in pixels of the file; None where masks are not compared."""
    size: tuple[int, int] = (0, 0)
    """Height and width of the file, where they are."""


def masks_in_files(truth: Batch, said: Batch) -> tuple[list[list[bytes]], list[list[bytes]], list[tuple[int, int]]]:
    """Run lengths of the masks of the truth and of the network, image by image, and the sizes of these."""
    import numpy as np

    from archspec.data.pasting import in_file, pasted
    from archspec.data.run_lengths import run_lengths

    corners, masks = np.asarray(truth[CORNERS]), np.asarray(truth[MASKS])
    there, known = placement(corners), file_sizes(corners)[:, ::-1].astype(int)
    sizes = [tuple(size) if all(size) else masks.shape[1:3] for size in known.tolist()]
    true, found = [], []
    for i, size in enumerate(sizes):
        places = np.asarray(truth[PLACES][i]).tolist()
        true.append([run_lengths(one) for one in in_file(masks[i], places, there[i], size)])
        rows = zip(np.asarray(said[MASKS][i]), np.asarray(said[WHOLE][i]).tolist(), strict=True)
        found.append([run_lengths(pasted(one, box, size)) for one, box in list(rows)[: int(said[COUNT][i])]])
    return true, found, sizes


def evaluated(true: Sequence[Found], said: Sequence[Found], names: Sequence[str], kind: str = "bbox") -> Any:
    """COCO's evaluation of the boxes, or of the masks (``segm``)."""
    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO as Coco
    from pycocotools.cocoeval import COCOeval

    def rows(images: Sequence[Found], mark: str) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        for number, image in enumerate(images, 1):
            sides = image.boxes[:, 2:] - image.boxes[:, :2]
            areas = sides.prod(1) if image.areas is None else image.areas
            masks = [{"size": list(image.size), "counts": one} for one in image.masks or ()]
            if kind == "segm" and image.areas is None:
                areas = np.array([float(coco_mask.area(one)) for one in masks])
            for (left, top), (width, height), label, value, area in zip(
                image.boxes[:, :2].tolist(),
                sides.tolist(),
                image.classes.tolist(),
                image.marks.tolist(),
                areas.tolist(),
                strict=True,
            ):
                out.append(
                    {
                        "id": len(out) + 1,
                        "image_id": number,
                        "category_id": label + 1,
                        "bbox": [left, top, width, height],
                        "area": area,
                        "iscrowd": 0,
                        mark: value,
                    }
                )
            if kind == "segm":
                for row, one in zip(out[len(out) - len(masks) :], masks, strict=True):
                    row["segmentation"] = one
        return out

    import numpy as np

    dataset = {
        "images": [
            {"id": number, "height": image.size[0], "width": image.size[1]} for number, image in enumerate(true, 1)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, 1)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth, found = Coco(), Coco()
        truth.dataset = {**dataset, "annotations": rows(true, "iscrowd")}
        found.dataset = {**dataset, "annotations": rows(said, "score")}
        truth.createIndex()
        found.createIndex()
        evaluation = COCOeval(truth, found, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def mask_iou(evaluation: Any) -> float | None:
    """The mean over the objects of the IoU of their masks with those that COCO matches at .50; None without objects."""
    import numpy as np

    shares: list[float] = []
    for one in evaluation.evalImgs:
        if one is None or one["aRng"] != evaluation.params.areaRng[0]:
            continue
        image, category = one["image_id"], one["category_id"]
        overlaps = np.asarray(evaluation.ious[image, category], float)
        # Rows of overlaps are detections by score, as dtIds are; columns are objects in the order of the set.
        columns = [row["id"] for row in evaluation._gts[image, category]]
        for number, ignored, owner in zip(one["gtIds"], one["gtIgnore"], one["gtMatches"][0].tolist(), strict=True):
            if not ignored:
                shares.append(float(overlaps[one["dtIds"].index(int(owner)), columns.index(number)]) if owner else 0.0)
    return float(np.mean(shares)) if shares else None


def matches(evaluation: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of each box, surest first: whether it is an object's at an IoU of .5, and its score."""
    import numpy as np

    # Objects of every size come first: those of all images, class by class.
    images = len(evaluation.params.imgIds)
    areas = len(evaluation.params.areaRng)
    of_all = [
        evaluation.evalImgs[(k * areas) * images + i]
        for k in range(len(evaluation.params.catIds))
        for i in range(images)
    ]
    hits = [(e["dtMatches"][0] > 0)[~e["dtIgnore"][0].astype(bool)] for e in of_all if e is not None]
    scores = [np.asarray(e["dtScores"])[~e["dtIgnore"][0].astype(bool)] for e in of_all if e is not None]
    if not hits:
        return np.zeros(0, bool), np.zeros(0)
    right, sure = np.concatenate(hits), np.concatenate(scores)
    order = np.argsort(-sure, kind="stable")
    return right[order], sure[order]
