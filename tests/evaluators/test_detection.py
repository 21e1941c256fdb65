"""Figures of boxes against pycocotools, published rules of VOC, and cases that can be counted by hand."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from archspec.data import objects
from archspec.data.run_lengths import run_lengths
from archspec.evaluators.coco import COCO, Found
from archspec.evaluators.detection import ObjectMatching, assess, average_precision, matched

pytestmark = pytest.mark.tensorflow
VECTORS = json.loads((Path(__file__).parents[1] / "reference" / "vectors_coco.json").read_text())


def found(rows, images, categories, mark):
    """Rows of COCO's files, image by image."""
    out = []
    for image in images:
        own = [row for row in rows if row["image_id"] == image]
        boxes = np.array([row["bbox"] for row in own], float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        marks = np.array([row[mark] for row in own], float if mark == "score" else bool)
        areas = None if mark == "score" else np.array([row["area"] for row in own], float)
        out.append(Found(boxes, np.array([categories.index(row["category_id"]) for row in own], int), marks, areas))
    return out


def test_a_published_set_gives_the_published_numbers():
    categories = [c["id"] for c in VECTORS["gt"]["categories"]]
    images = [i["id"] for i in VECTORS["gt"]["images"]]
    true = found(VECTORS["gt"]["annotations"], images, categories, "iscrowd")
    said = found(VECTORS["dt"], images, categories, "score")
    it = assess(true, said, [c["name"] for c in VECTORS["gt"]["categories"]])
    assert [it.figures[name] for name in COCO] == pytest.approx(VECTORS["stats"], abs=1e-9)
    assert list(zip(it.ap, it.ap50, strict=True)) == [
        pytest.approx(pair, abs=1e-9) for pair in VECTORS["per_class_ap_ap50"].values()
    ]
    assert it.figures["voc_2007"] == pytest.approx(VECTORS["voc07_11_point"], abs=1e-9)
    assert it.figures["voc"] == pytest.approx(VECTORS["voc_area"], abs=1e-9)
    assert it.examples == len(images) and it.objects == sum(not a["iscrowd"] for a in VECTORS["gt"]["annotations"])
    right, scores = it.curves()["IoU 0.5"]
    assert 0 < right.sum() < it.objects and (np.diff(scores) <= 0).all()
    assert "0.1931  IoU .50 to .95" in it.text()


def drawn(draw):
    """A set with crowds, equal scores, images with nothing in them, ids with gaps; and what a detector says of it."""
    images = sorted(draw.choice(500, draw.integers(1, 7), replace=False).tolist())
    categories = sorted(draw.choice(90, draw.integers(1, 4), replace=False).tolist())
    truth, said = [], []
    for image in images:
        for _ in range(draw.integers(0, 6)):
            box = [*draw.uniform(0, 200, 2), *draw.choice([10, 50, 150], 2) * draw.uniform(0.5, 1.5, 2)]
            category = int(draw.choice(categories))
            area = box[2] * box[3] * draw.uniform(0.4, 1)
            crowd = int(draw.random() < 0.15)
            truth.append({"image_id": image, "category_id": category, "bbox": box, "area": area, "iscrowd": crowd})
            for _ in range(draw.integers(0, 3)):
                near = (np.array(box) + draw.normal(0, 0.1, 4) * np.array(box[2:] * 2)).clip(1).tolist()
                kind = category if draw.random() < 0.8 else int(draw.choice(categories))
                score = round(float(draw.random()), 1)
                said.append({"image_id": image, "category_id": kind, "bbox": near, "score": score})
    for number, row in enumerate(truth, 1):
        row["id"] = number
    return images, categories, truth, said


def coco_numbers(images, categories, truth, said):
    """As pycocotools gives them from files."""
    from pycocotools.coco import COCO as Coco
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        gt = Coco()
        gt.dataset = {
            "images": [{"id": i} for i in images],
            "categories": [{"id": c, "name": str(c)} for c in categories],
            "annotations": truth,
        }
        gt.createIndex()
        evaluation = COCOeval(gt, gt.loadRes(said), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("sets", [40, pytest.param(1000, marks=pytest.mark.long)])
def test_random_sets_give_pycocotools_numbers(sets):
    draw, compared = np.random.default_rng(0), 0
    while compared < sets:
        images, categories, truth, said = drawn(draw)
        if not said:
            continue
        compared += 1
        it = assess(
            found(truth, images, categories, "iscrowd"),
            found(said, images, categories, "score"),
            [str(c) for c in categories],
        )
        stats = coco_numbers(images, categories, truth, said)
        assert [it.figures.get(name, -1.0) for name in COCO] == pytest.approx(stats.tolist(), abs=1e-9)


def boxes(*rows):
    return np.array(rows, float).reshape(-1, 4)


def image(rows, classes=None, marks=None):
    return Found(boxes(*rows), np.array(classes or [0] * len(rows), int), np.array(marks or [0] * len(rows)))


def true_image(rows, ignored=None):
    return Found(boxes(*rows), np.zeros(len(rows), int), np.array(ignored or [False] * len(rows), bool))


A, B = (0, 0, 10, 10), (20, 20, 30, 30)


@pytest.mark.parametrize(
    ("true", "said", "area", "eleven"),
    [
        # Both found, the surest first.
        ([A, B], ([A, B], [0.9, 0.8]), 1.0, 1.0),
        # One of two: recall ends at a half, which six of the eleven points reach.
        ([A, B], ([A], [0.9]), 0.5, 6 / 11),
        # A wrong one before the right one: precision is a half.
        ([A], ([B, A], [0.9, 0.8]), 0.5, 0.5),
        # An object found twice: the second is wrong, and behind the last recall.
        ([A], ([A, A], [0.9, 0.8]), 1.0, 1.0),
        # An IoU of exactly a half is no hit.
        ([A], ([(0, 0, 10, 5)], [0.9]), 0.0, 0.0),
        ([A], ([], []), 0.0, 0.0),
        # Three of ten: recalls of 0, .1, .2 and exactly .3 are reached.
        ([(k, 0, k + 1, 1) for k in range(10)], ([(k, 0, k + 1, 1) for k in range(3)], [0.9, 0.8, 0.7]), 0.3, 4 / 11),
    ],
)
def test_average_precision_by_hand(true, said, area, eleven):
    of = matched([true_image(true)], [image(said[0], marks=said[1])], 0)
    assert average_precision(*of, eleven=False) == pytest.approx(area)
    assert average_precision(*of, eleven=True) == pytest.approx(eleven)


def test_ignored_objects_are_neither_missed_nor_wrong():
    true, said = [true_image([A, B], [False, True])], [image([B, B, A], marks=[0.9, 0.8, 0.7])]
    assert average_precision(*matched(true, said, 0), eleven=False) == 1.0
    assert np.isnan(average_precision(*matched([true_image([B], [True])], said, 0), eleven=False))
    assert assess(true, said, ["cell"]).figures["ap"] == pytest.approx(1.0)


def test_rows_behind_the_last_object_and_box_do_not_count():
    truth = objects.arrays([[objects.Kept(A, 1)], []], [(100, 100)] * 2, 3)
    comparison = ObjectMatching(("a", "b"))
    comparison.update(
        truth,
        {
            "boxes": np.array([[A, B], [A, B]], np.float32),
            "classes": np.array([[1, 1], [0, 0]]),
            "scores": np.array([[0.9, 0.8], [0.7, 0.6]], np.float32),
            "count": np.array([1, 0]),
        },
    )
    it = comparison.result()
    assert it.examples == 2 and it.objects == 1 and it.counts == (0, 1)
    assert [it.figures[name] for name in ("ap", "voc", "voc_2007")] == pytest.approx([1.0, 1.0, 1.0])
    told = [(one.row, one.error, one.told) for one in it.worst(1)]
    assert told == [(0, 0, "0 missed, 0 of no object, 0 of another class")]
    assert it.ap[0] is None and it.ap[1] == pytest.approx(1.0)
    assert "ap_large" not in it.figures, "no object is large"
    assert json.loads(json.dumps(it.record()))["class_ap50"][0] is None


def test_what_is_found_is_small_or_large_in_the_file():
    """A wrong box that scores more than the right one, both 40 × 40 in the file and 20 × 20 in what was seen."""
    comparison = ObjectMatching(("a",))
    seen, wrong = [0, 0, 20, 20], [50, 50, 70, 70]
    truth = objects.arrays([[objects.Kept((0, 0, 40, 40), 0, False, 1600.0)]], [(100, 100)], 1)
    said = {"boxes": np.array([[wrong, seen]], np.float32), "classes": np.zeros((1, 2), int)}
    said |= {"scores": np.array([[0.9, 0.8]]), "count": np.array([2]), "in_file": 2 * said["boxes"]}
    comparison.update(truth, said)
    assert comparison.result().figures["ap_medium"] == pytest.approx(0.5)


def test_where_there_is_nothing_there_are_no_figures():
    nothing = ObjectMatching(("a",)).result()
    assert nothing.examples == 0 and not nothing.figures and nothing.curves() == {}
    one = assess([image([], marks=[])._replace(marks=np.zeros(0, bool))], [image([A], marks=[0.5])], ("a",))
    assert one.figures == {} and "images" in one.text()


SIDE = 40


def masks_drawn(draw):
    """As ``drawn``, of few small images, with masks: discs, and what of them a detector finds."""
    images, categories, truth, said = drawn(draw)
    y, x = np.mgrid[:SIDE, :SIDE]

    def mask():
        middle, radius = draw.uniform(5, SIDE - 5, 2), draw.uniform(2, 12)
        return np.hypot(y - middle[0], x - middle[1]) < radius

    owned = {}
    for row in truth:
        one = owned[row["id"]] = mask()
        row["segmentation"] = run_lengths(one)
        row["area"] = float(one.sum())
    for row in said:
        near = [owned[t["id"]] for t in truth if t["image_id"] == row["image_id"]]
        one = near[draw.integers(len(near))] if draw.random() < 0.8 else mask()
        row["segmentation"] = run_lengths(np.roll(one, draw.integers(-2, 3, 2), (0, 1)))
    return images, categories, truth, said


def mask_found(rows, images, categories, mark):
    return [
        one._replace(masks=[r["segmentation"] for r in rows if r["image_id"] == image], size=(SIDE, SIDE))
        for image, one in zip(images, found(rows, images, categories, mark), strict=True)
    ]


def mask_numbers(images, categories, truth, said):
    """As pycocotools gives them of files without boxes, whose areas are those of masks."""
    from pycocotools.coco import COCO as Coco
    from pycocotools.cocoeval import COCOeval

    def written(rows):
        runs = [{"size": [SIDE, SIDE], "counts": row["segmentation"].decode()} for row in rows]
        return [
            {k: v for k, v in row.items() if k != "bbox"} | {"segmentation": r}
            for row, r in zip(rows, runs, strict=True)
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        gt = Coco()
        gt.dataset = {
            "images": [{"id": i, "height": SIDE, "width": SIDE} for i in images],
            "categories": [{"id": c, "name": str(c)} for c in categories],
            "annotations": written(truth),
        }
        gt.createIndex()
        evaluation = COCOeval(gt, gt.loadRes(written(said)), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("sets", [20, pytest.param(500, marks=pytest.mark.long)])
def test_masks_of_random_sets_give_pycocotools_numbers(sets):
    draw, compared = np.random.default_rng(1), 0
    while compared < sets:
        images, categories, truth, said = masks_drawn(draw)
        if not said:
            continue
        compared += 1
        it = assess(
            mask_found(truth, images, categories, "iscrowd"),
            mask_found(said, images, categories, "score"),
            [str(c) for c in categories],
        )
        stats = mask_numbers(images, categories, truth, said)
        assert [it.figures.get(f"mask_{name}", -1.0) for name in COCO] == pytest.approx(stats.tolist(), abs=1e-9)


def test_the_iou_of_masks_is_the_mean_over_the_objects():
    """Two objects: one is found with 6 of 8 pixels besides 2 others (6/10), one by a mask that misses it by half."""
    masks = np.zeros((4, 6, 10), bool)
    masks[0, 0, :8] = masks[1, 0, 2:10] = masks[2, 3, :8] = masks[3, 3, 6:10] = True
    runs = [run_lengths(one) for one in masks]
    box, kinds = boxes([0, 0, 8, 1], [0, 3, 8, 4]), np.array([0, 0])
    true = Found(box, kinds, np.array([False, False]), np.array([8.0, 8.0]), [runs[0], runs[2]], (6, 10))
    said = Found(box, kinds, np.array([0.9, 0.8]), None, [runs[1], runs[3]], (6, 10))
    it = assess([true], [said], ["a"])
    assert it.figures["mask_iou"] == pytest.approx(0.3) and it.figures["ap50"] == 1 and it.figures["mask_ap50"] < 1
