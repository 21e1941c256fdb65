"""What boxes, classes and scores say of a detector: COCO's twelve numbers, and the average precision of Pascal VOC.

COCO's are pycocotools' own; VOC's follow the development kits of 2007 (eleven recalls) and of 2010 and later (the area
under the curve), with boxes half-open as everywhere here: no pixel is added to a side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archspec.data.features.labels import Labels
from archspec.data.objects import AREAS, BOXES, CLASSES, IGNORED
from archspec.data.overlap import overlaps
from archspec.evaluators.base import Accumulator, Batch, Better, Evaluator, Mistake, largest
from archspec.evaluators.coco import COCO, COUNT, Found, evaluated, mask_iou, masks_in_files
from archspec.evaluators.coco import matches as coco_matches
from archspec.ir.diagnostics import printable

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example

SCORES = "scores"
"""What a network says of each box, beside ``boxes`` and ``classes``: how sure it is."""
IN_FILE = "in_file"
"""The boxes in pixels of the files, in which they are compared: how a network sees a file changes no figure."""
HEADS = (BOXES, SCORES, CLASSES, COUNT)
"""All of it, but for ``masks``: what a detector that finds masks says of each pixel of each box."""
POINTS = "points"
"""What a network may say besides: places that belong to each box, such as those of a face. They are not compared."""
MEANING = {
    "ap": "IoU .50 to .95, 101 recalls, 100 boxes an image (COCO)",
    "ap50": "IoU .50",
    "ap75": "IoU .75",
    "ap_small": "objects below 32² pixels",
    "ap_medium": "32² to 96²",
    "ap_large": "from 96²",
    "ar_1": "recall, mean over IoU .50 to .95, 1 box an image",
    "ar_10": "10 boxes",
    "ar_100": "100 boxes",
    "ar_small": "100 boxes, objects below 32² pixels",
    "ar_medium": "32² to 96²",
    "ar_large": "from 96²",
    "voc_2007": "IoU above .5, mean over 11 recalls (VOC 2007)",
    "voc": "IoU above .5, area under the curve (VOC 2010)",
}
MEANING |= {f"mask_{name}": MEANING[name].replace("IoU .50", "IoU of masks .50") for name in COCO}
MEANING["mask_iou"] = "IoU of each object's mask with that found, 0 where none reaches .50"
"""What each figure is, in a few words."""


SURE = 0.3
"""Score from which boxes count in the confusion matrix."""
NOTHING = "nothing"
"""What an object that was missed was called, and what a box that was invented is of."""


class Objects(Evaluator):
    """Boxes with classes and scores against those of the data. Objects that the data call ignored (COCO's crowds,
    VOC's difficult ones) are no misses, and who finds them is not wrong.

    Needs pycocotools. Objects are small or large by the pixels that they cover in their files. With ``masks``, these
    are compared as well, in pixels of the files.
    """

    figures: Mapping[str, Better] = dict.fromkeys((*COCO, "voc_2007", "voc"), "max")
    is_logged = True

    def __init__(self, *, masks: bool = False):
        self.masks = masks
        if masks:
            more: dict[str, Better] = dict.fromkeys((*(f"mask_{name}" for name in COCO), "mask_iou"), "max")
            self.figures = {**Objects.figures, **more}

    def begin(self, features: Example) -> Accumulator:
        classes = features.features[CLASSES]
        assert isinstance(classes, Labels)
        return ObjectMatching(classes.class_names, masks=self.masks)


class ObjectMatching:
    """An evaluation under way: boxes of the truth and of the network, image by image."""

    def __init__(self, names: Sequence[str], *, masks: bool = False):
        self.names, self.masks = tuple(names), masks
        self.true: list[Found] = []
        self.said: list[Found] = []

    def update(self, truth: Batch, said: Batch) -> None:
        """Count images. Of the truth ``boxes`` (n, most, 4), ``classes``, ``ignored`` and perhaps ``areas`` (n, most),
        class -1 where no object is; of the network ``in_file``, or else ``boxes`` (n, keep, 4), ``classes`` and
        ``scores`` (n, keep), of which the first ``count`` (n,) are meant. Where masks are compared, of the truth also
        ``masks``, ``places`` and ``corners``, of the network ``masks`` (n, keep, h, w) and ``whole_in_file``."""
        import numpy as np

        drawn = masks_in_files(truth, said) if self.masks else None

        areas = truth.get(AREAS)
        for i, (boxes, classes, ignored) in enumerate(
            zip(*(np.asarray(truth[name]) for name in (BOXES, CLASSES, IGNORED)), strict=True)
        ):
            is_there = classes >= 0
            own = None if areas is None else np.asarray(areas[i])[is_there]
            one = Found(boxes[is_there], classes[is_there], ignored[is_there] > 0, own)
            if drawn is not None:
                one = one._replace(masks=[drawn[0][i][k] for k in np.flatnonzero(is_there)], size=drawn[2][i])
            self.true.append(one)
        rows = said.get(IN_FILE, said[BOXES]), said[CLASSES], said[SCORES], said[COUNT]
        for i, (boxes, classes, scores, count) in enumerate(zip(*map(np.asarray, rows), strict=True)):
            n = int(count)
            found = Found(boxes[:n], classes[:n], scores[:n])
            if drawn is not None:
                found = found._replace(masks=drawn[1][i][:n], size=drawn[2][i])
            self.said.append(found)

    def result(self) -> DetectionAssessment:
        return assess(self.true, self.said, self.names)


@dataclass(frozen=True, slots=True)
class DetectionAssessment:
    """Figures of one evaluation. A figure that no object of the data has is left out."""

    examples: int
    objects: int
    figures: Mapping[str, float]
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    """Objects of each class, ignored ones not counted."""
    ap: tuple[float | None, ...]
    ap50: tuple[float | None, ...]
    matches: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False, compare=False)
    """Of each box, surest first: whether it is an object's at an IoU of .5, and its score."""
    true: Sequence[Found] = field(default=(), repr=False, compare=False)
    said: Sequence[Found] = field(default=(), repr=False, compare=False)
    """What was compared, image by image, in pixels of the files."""

    @property
    def compared(self) -> tuple[Sequence[Found], Sequence[Found], int]:
        """The objects and the boxes of each image, and how many classes there are."""
        return self.true, self.said, len(self.classes)

    def text(self) -> str:
        wide = max(10, *map(len, self.figures)) if self.figures else 10
        lines = [f"{'images':<{wide}} {self.examples:>8,}", f"{'objects':<{wide}} {self.objects:>8,}"]
        lines += [f"{name:<{wide}} {value:>8.4f}  {MEANING[name]}" for name, value in self.figures.items()]
        names = [printable(name) for name in self.classes]
        width = max(len("class"), *map(len, names)) if names else 5
        lines += ["", f"{'class':<{width}}  objects      AP    AP50"]
        for name, count, *values in zip(names, self.counts, self.ap, self.ap50, strict=True):
            lines.append(
                f"{name:<{width}}  {count:>7,}" + "".join("       -" if v is None else f"{v:>8.4f}" for v in values)
            )
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        return {
            "examples": self.examples,
            "objects": self.objects,
            **self.figures,
            "classes": self.classes,
            "counts": self.counts,
            "class_ap": self.ap,
            "class_ap50": self.ap50,
        }

    def panels(self) -> Mapping[str, np.ndarray]:
        from archspec.evaluators.panels import confusion_picture

        counts = confusion(self.true, self.said, len(self.classes))
        return {"confusion": confusion_picture(counts, (*map(printable, self.classes), NOTHING))}

    def worst(self, count: int) -> Sequence[Mistake]:
        """By how many objects of a picture were missed or taken for others, and how many boxes are of none."""
        import numpy as np

        classes, out = len(self.classes), []
        tables = [confusion([true], [said], classes) for true, said in zip(self.true, self.said, strict=True)]
        errors = np.array([table.sum() - np.diag(table).sum() for table in tables], float)
        for row in largest(errors, count):
            table = tables[row]
            missed, invented = int(table[:classes, classes].sum()), int(table[classes].sum())
            told = f"{missed} missed, {invented} of no object, {int(errors[row]) - missed - invented} of another class"
            out.append(Mistake(row, float(errors[row]), told))
        return out

    def curves(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        return {"IoU 0.5": self.matches} if self.matches is not None and len(self.matches[0]) else {}


def assess(true: Sequence[Found], said: Sequence[Found], names: Sequence[str]) -> DetectionAssessment:
    """Compare the boxes of images."""
    import numpy as np

    evaluation = evaluated(true, said, names)
    figures = {name: float(v) for name, v in zip(COCO, evaluation.stats, strict=True) if v >= 0}
    masked = all(image.masks is not None for image in (*true, *said))
    if masked and true:
        of_masks = evaluated(true, said, names, "segm")
        figures |= {f"mask_{name}": float(v) for name, v in zip(COCO, of_masks.stats, strict=True) if v >= 0}
        if (share := mask_iou(of_masks)) is not None:
            figures["mask_iou"] = share
    counts = np.zeros(len(names), np.int64)
    for image in true:
        np.add.at(counts, image.classes[~image.marks], 1)
    if counts.any():
        of = [matched(true, said, k) for k in range(len(names)) if counts[k]]
        for name, eleven in (("voc_2007", True), ("voc", False)):
            figures[name] = float(np.mean([average_precision(*one, eleven=eleven) for one in of]))
    # Thresholds of the IoU, recalls, classes, areas, boxes an image: "all" and 100 are the first and the last.
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    by_class = [precision[:, :, k] for k in range(len(names))]
    return DetectionAssessment(
        examples=len(true),
        objects=int(counts.sum()),
        figures=figures,
        classes=tuple(names),
        counts=tuple(counts.tolist()),
        ap=tuple(_mean(of) for of in by_class),
        ap50=tuple(_mean(of[0]) for of in by_class),
        matches=coco_matches(evaluation),
        true=true,
        said=said,
    )


def confusion(true: Sequence[Found], said: Sequence[Found], count: int, sure: float = SURE) -> np.ndarray:
    """How often an object of a class (row) was called one of another (column), int of shape (classes + 1, classes + 1):
    last are ``nothing``'s row, what was invented, and its column, what was missed.

    Boxes with a score of at least ``sure``, surest first, take the free object that they overlap most, of whatever
    class, from an IoU of .5 on. Ignored objects count nowhere.
    """
    import numpy as np

    out = np.zeros((count + 1, count + 1), np.int64)
    for truth, found in zip(true, said, strict=True):
        owners = np.full(len(truth.classes), count)
        for at in np.argsort(-found.marks, kind="stable"):
            if found.marks[at] < sure:
                break
            shares = overlaps(truth.boxes.astype(np.float64), found.boxes[at : at + 1])[:, 0]
            shares = np.where(owners == count, shares, 0.0)
            best = int(shares.argmax()) if len(shares) else -1
            if best >= 0 and shares[best] >= 0.5:
                owners[best] = found.classes[at]
            else:
                out[count, found.classes[at]] += 1
        counted = ~np.asarray(truth.marks, bool)
        np.add.at(out, (truth.classes[counted], owners[counted]), 1)
    return out


def _mean(precision: np.ndarray) -> float | None:
    """The mean where there are objects, which COCO tells by -1."""
    return float(precision[precision > -1].mean()) if (precision > -1).any() else None


def matched(true: Sequence[Found], said: Sequence[Found], label: int, least: float = 0.5) -> tuple[np.ndarray, int]:
    """What the boxes of a class hit, as Pascal VOC compares them.

    The boxes of all images, surest first, take the object that they overlap most: a hit if their IoU is above
    ``least`` and the object has none yet; neither hit nor miss if the object is ignored.

    Args:
        true: The objects of each image.
        said: The boxes of each image.
        label: The class's number.
        least: The IoU that is no hit yet.

    Returns:
        Of each box that is a hit or a miss, surest first, whether it is a hit; and how many objects there are.
    """
    import numpy as np

    of_class = [image.classes == label for image in true]
    objects = [image.boxes[at].astype(np.float64) for image, at in zip(true, of_class, strict=True)]
    ignored = [image.marks[at] for image, at in zip(true, of_class, strict=True)]
    boxes: list[tuple[float, int, np.ndarray]] = []
    for number, image in enumerate(said):
        at = image.classes == label
        own = zip(image.marks[at].tolist(), image.boxes[at].astype(np.float64), strict=True)
        boxes += [(score, number, box) for score, box in own]
    boxes.sort(key=lambda one: -one[0])
    taken = [np.zeros(len(at), bool) for at in ignored]
    hits = []
    for _, number, box in boxes:
        shares = overlaps(objects[number], box[None])[:, 0]
        best = int(shares.argmax()) if len(shares) else -1
        if best < 0 or shares[best] <= least:
            hits.append(False)
        elif not ignored[number][best]:
            hits.append(not taken[number][best])
            taken[number][best] = True
    return np.array(hits, bool), sum(int((~at).sum()) for at in ignored)


def average_precision(hits: np.ndarray, total: int, *, eleven: bool) -> float:
    """Average precision of what ``matched`` gives.

    Args:
        hits: Of each box, surest first, whether it is a hit.
        total: How many objects there are.
        eleven: The mean of the precision at the recalls 0, 0.1, …, 1 (VOC 2007); else the area under the curve
            (2010 and later). Precision at a recall is the best at that recall or more.

    Returns:
        0 … 1; 0 where there are objects and no boxes. NaN where there is no object.
    """
    import numpy as np

    if not total:
        return float("nan")
    if not len(hits):
        return 0.0
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    if eleven:
        at_recall = [precision[10 * found >= k * total].max(initial=0.0) for k in range(11)]
        return float(np.mean(at_recall))
    best_from = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(found / total, prepend=0.0) * best_from))
