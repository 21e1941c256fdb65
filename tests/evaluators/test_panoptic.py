"""Panoptic quality against panopticapi's rule, written out again with its dictionaries, and cases counted by hand."""

import numpy as np
import pytest

from archspec.data.canvas import colour
from archspec.data.features.object_masks import bits
from archspec.data.segments import Segment, SegmentClasses, true_segments
from archspec.evaluators.panoptic import NOTHING, TILE, PanopticAssessment, _painted, counts

CLASSES = SegmentClasses(("cat", "dog"), ("sky", "sea"), (1, 3))


def by_panopticapi(images, classes):
    """cocodataset/panopticapi, evaluation.py, pq_compute_single_core and PQStat.pq_average, void being 0."""
    stat = {k: {"iou": 0.0, "tp": 0, "fp": 0, "fn": 0} for k in range(classes)}
    for pan_gt, gt_list, pan_pred, pred_list in images:
        gt_segms = {s.number: {"category_id": s.kind, "iscrowd": int(s.is_ignored)} for s in gt_list}
        pred_segms = {s.number: {"category_id": s.kind} for s in pred_list}
        for segms, pan in ((gt_segms, pan_gt), (pred_segms, pan_pred)):
            for number, area in zip(*np.unique(pan, return_counts=True), strict=True):
                if number in segms:
                    segms[number]["area"] = int(area)
        offset = 256**3
        gt_pred_map = {}
        labels, areas = np.unique(pan_gt.astype(np.uint64) * offset + pan_pred.astype(np.uint64), return_counts=True)
        for label, intersection in zip(labels, areas, strict=True):
            gt_pred_map[int(label) // offset, int(label) % offset] = int(intersection)
        gt_matched, pred_matched = set(), set()
        for (gt_label, pred_label), intersection in gt_pred_map.items():
            if gt_label not in gt_segms or pred_label not in pred_segms or gt_segms[gt_label]["iscrowd"] == 1:
                continue
            if gt_segms[gt_label]["category_id"] != pred_segms[pred_label]["category_id"]:
                continue
            union = pred_segms[pred_label]["area"] + gt_segms[gt_label]["area"] - intersection
            union -= gt_pred_map.get((0, pred_label), 0)
            iou = intersection / union
            if iou > 0.5:
                stat[gt_segms[gt_label]["category_id"]]["tp"] += 1
                stat[gt_segms[gt_label]["category_id"]]["iou"] += iou
                gt_matched.add(gt_label)
                pred_matched.add(pred_label)
        crowd_labels_dict = {}
        for gt_label, gt_info in gt_segms.items():
            if gt_label in gt_matched:
                continue
            if gt_info["iscrowd"] == 1:
                crowd_labels_dict[gt_info["category_id"]] = gt_label
                continue
            stat[gt_info["category_id"]]["fn"] += 1
        for pred_label, pred_info in pred_segms.items():
            if pred_label in pred_matched:
                continue
            intersection = gt_pred_map.get((0, pred_label), 0)
            if pred_info["category_id"] in crowd_labels_dict:
                intersection += gt_pred_map.get((crowd_labels_dict[pred_info["category_id"]], pred_label), 0)
            if intersection / pred_info["area"] > 0.5:
                continue
            stat[pred_info["category_id"]]["fp"] += 1
    pq = sq = rq = n = 0
    for one in stat.values():
        iou, tp, fp, fn = (one[name] for name in ("iou", "tp", "fp", "fn"))
        if tp + fp + fn == 0:
            continue
        n += 1
        pq += iou / (tp + 0.5 * fp + 0.5 * fn)
        sq += iou / tp if tp != 0 else 0
        rq += tp / (tp + 0.5 * fp + 0.5 * fn)
    return {"pq": pq / n, "sq": sq / n, "rq": rq / n} if n else {}


def drawn(draw):
    """A picture of rectangles over each other, some of them crowds and holes of void, and one like it."""
    true = np.zeros((24, 30), np.int32)
    segments = []
    for number in range(1, draw.integers(1, 8)):
        y, x = draw.integers(0, 20, 2)
        true[y : y + draw.integers(3, 15), x : x + draw.integers(3, 15)] = number
        segments.append(Segment(number, int(draw.integers(0, 4)), bool(draw.random() < 0.2)))
    said = np.roll(true, draw.integers(-2, 3, 2), (0, 1))
    said = np.where(said > 0, 40 - said, 0)
    found = [Segment(40 - s.number, s.kind if draw.random() < 0.8 else int(draw.integers(0, 4))) for s in segments]
    if draw.random() < 0.7:
        y, x = draw.integers(0, 20, 2)
        said[y : y + 7, x : x + 9] = 7
        found.append(Segment(7, int(draw.integers(0, 4))))
    true[draw.random(true.shape) < 0.05] = 0

    def there(of, picture):
        return [one for one in of if (picture == one.number).any()]

    return true, there(segments, true), said, there(found, said)


def test_500_random_sets_give_panopticapis_numbers():
    draw = np.random.default_rng(0)
    for _ in range(500):
        images = [drawn(draw) for _ in range(draw.integers(1, 4))]
        totals = sum(counts(*one, 4) for one in images)
        got = PanopticAssessment(len(images), CLASSES, tuple(map(tuple, totals.tolist())))
        want = by_panopticapi(images, 4)
        assert {name: got.figures[name] for name in want} == pytest.approx(want, abs=1e-12)
        assert bool(want) == ("pq" in got.figures)


def test_a_case_that_can_be_counted_by_hand():
    """One object is found with 7 of 10 pixels, another one taken for one of another class, and stuff is missed."""
    true, said = np.zeros((3, 10), np.int32), np.zeros((3, 10), np.int32)
    true[0], true[1], true[2] = 1, 2, 3
    said[0, :7], said[1, :4] = 5, 6
    segments = [Segment(1, 0), Segment(2, 0), Segment(3, 2)]
    found = [Segment(5, 0), Segment(6, 1)]
    totals = counts(true, segments, said, found, 4)
    assert totals.tolist() == [[0.7, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    it = PanopticAssessment(1, CLASSES, tuple(map(tuple, totals.tolist())))
    assert it.by_class[0] == pytest.approx((0.7 / 1.5, 0.7, 1 / 1.5)) and it.by_class[3] is None
    assert it.figures["pq"] == pytest.approx(0.7 / 1.5 / 3) and it.figures["pq_stuff"] == 0
    assert "cat" in it.text() and it.record()["segments"]["sea"] is None


def test_the_truth_finds_itself():
    rng = np.random.default_rng(0)
    label = rng.choice(np.uint8([0, 1, 2, 3, 255]), (12, 16))
    masks = [np.zeros((12, 16), bool) for _ in range(3)]
    masks[0][:6, :8] = masks[1][2:4, 2:4] = masks[2][8:, 4:] = True
    packed = bits(masks, 1, label.shape)
    numbers, segments = true_segments(CLASSES, packed, [0, 1, 2, -1], [0, 1, 1, -1], [0, 0, 1, -1], label)
    # The smaller lies on the larger, all on what is no object, and the rest of the label is nothing.
    by_kind = {(s.kind, s.is_ignored): numbers == s.number for s in segments}
    assert np.array_equal(by_kind[1, False], masks[1]) and np.array_equal(by_kind[0, False], masks[0] & ~masks[1])
    assert np.array_equal(by_kind[1, True], masks[2])
    free = ~(masks[0] | masks[2])
    assert np.array_equal(by_kind[2, False], free & (label == 1)) and np.array_equal(
        by_kind[3, False], free & (label == 3)
    )
    assert np.array_equal(numbers == 0, free & ~np.isin(label, [1, 3]))
    # As a network would say it: rows of objects, then classes of the label.
    rows = [0, 1]
    said = np.where(numbers > 0, 0, 0)
    said[by_kind[0, False]], said[by_kind[1, False]] = 1, 2
    said[by_kind[2, False]], said[by_kind[3, False]] = 3 + 1, 3 + 3
    found = [Segment(int(n), CLASSES.predicted(int(n), rows)) for n in np.unique(said) if n]
    totals = counts(numbers, segments, said, found, 4)
    assert PanopticAssessment(1, CLASSES, tuple(map(tuple, totals.tolist()))).figures["pq"] == 1
    assert CLASSES.predicted(3 + 2, rows) is None and CLASSES.predicted(0, rows) is None


def test_a_few_pictures_are_kept_with_their_segments():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 4, (5, 7)).repeat(60, 0).repeat(60, 1)
    picture = _painted(numbers, [Segment(1, 0), Segment(2, 2), Segment(3, 0)])
    assert max(picture.shape) <= TILE
    # Of five by seven squares most pixels are no edge, and have the colour of their class.
    small = numbers[1::3, 1::3]
    for number, ink in ((0, NOTHING), (1, colour(0)), (2, colour(2)), (3, colour(0))):
        here = picture[small == number]
        assert ((here == ink).all(-1) | (here == 255).all(-1)).all() and (here == ink).all(-1).mean() > 0.8
    said = PanopticAssessment(1, CLASSES, ((1, 1, 0, 0),) * 4, [(picture, picture)]).panels()["segments"]
    assert said.shape[1] == 2 * TILE and said.dtype == np.uint8
