"""What a detector found in data, as COCO's evaluation and its leaderboards take it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.evaluators.coco import Found
    from archspec.training.plan import Plan


def write_results(path: Path, plan: Plan, found: Sequence[Found]) -> int:
    """Write a JSON list with ``image_id``, ``category_id``, ``bbox`` (x, y, width, height in pixels of the file) and
    ``score`` of every box, and its mask as ``segmentation`` (run lengths) where masks are found. Ids are those of the
    data's own file where it is COCO's; else images are numbered from 1 in the order in which they are evaluated,
    categories in that of the classes. Returns how many boxes. Raises OSError.
    """
    import json

    from archspec.storage.atomic import write_bytes

    assert plan.split is not None
    images, categories = _ids(plan, plan.split, len(found))
    rows: list[dict[str, Any]] = []
    for image, one in zip(images, found, strict=True):
        for k, ((x1, y1, x2, y2), label, score) in enumerate(
            zip(one.boxes.tolist(), one.classes.tolist(), one.marks.tolist(), strict=True)
        ):
            if categories[label] is None:
                continue
            row = {"image_id": image, "category_id": categories[label], "bbox": [x1, y1, x2 - x1, y2 - y1]}
            if one.masks is not None:
                row["segmentation"] = {"size": list(one.size), "counts": one.masks[k].decode()}
            rows.append(row | {"score": score})
    write_bytes(path, json.dumps(rows).encode())
    return len(rows)


def _ids(plan: Plan, split: str, count: int) -> tuple[Sequence[Any], Sequence[int | None]]:
    """Ids of the images that were evaluated, in order, and of the classes, None for one that the set lacks."""
    from archspec.data.given import Given
    from archspec.data.objects import object_names
    from archspec.data.sources.object_files import ObjectFiles

    source: Any = plan.source
    numbers = range(1, len(object_names(plan.features)) + 1)
    if not isinstance(source.source if isinstance(source, Given) else source, ObjectFiles):
        return range(1, count + 1), numbers
    usable = source.usable(split)
    entries = source.listing().splits[split]
    read = entries if usable is None else [entries[i] for i in usable]
    found: tuple[Sequence[Any], Sequence[int | None]] = source.ids([entry.path for entry in read], numbers)
    return found
