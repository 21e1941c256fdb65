"""What the catalogue's YOLOs learn is what Darknet learns: gradients of their terms by what the network says are the
deltas of detection_layer.c, region_layer.c and yolo_layer.c, written out here cell by cell."""

from __future__ import annotations

import math

import numpy as np
import pytest

import archspec
from tests.ops.rows import boxes as definitions
from tests.ops.rows.cells import predictor, shape_overlap
from tests.ops.rows.suppression import overlap

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SIZE, CLASSES, MOST = 64, 3, 4
OBJECTS = [
    [([6, 5, 20, 19], 2), ([30, 33, 58, 60], 0), ([44, 2, 60, 16], 1)],
    [([12.5, 20, 41, 52], 1)],
]
"""Of two pictures; no two are in one cell, and each reaches over cells."""
SHAPES = [[12, 12], [16, 20], [20, 14], [24, 24], [30, 28], [40, 32]]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def of(pixels):
    """What truth holds of a picture: rows are filled up by boxes that count for nothing."""
    boxes = np.tile(np.array([0, 0, SIZE, SIZE], "float32"), (len(pixels), MOST, 1))
    classes, valid = np.zeros((len(pixels), MOST), "int32"), np.zeros((len(pixels), MOST), bool)
    for n, objects in enumerate(pixels):
        for k, (box, kind) in enumerate(objects):
            boxes[n, k], classes[n, k], valid[n, k] = box, kind, True
    ignored = np.zeros_like(valid)
    return {"truth.boxes": boxes, "truth.classes": classes, "truth.valid": valid, "truth.ignored": ignored}


def gradients(spec, settings, held):
    """Of all terms by results that are held at given numbers, and what each term came to."""
    import tensorflow as tf

    from archspec.backend.build import compile
    from archspec.ir.graph import Tensor
    from archspec.training.updates.single_update import SingleUpdate

    graph = archspec.load(spec, size=SIZE, classes=CLASSES, most=MOST, **settings)
    model = SingleUpdate(graph, compile(graph, training=True))
    image = np.zeros((len(OBJECTS), SIZE, SIZE, 3), "float32")
    inputs = {Tensor(name): tf.constant(value) for name, value in {"image": image, **of(OBJECTS)}.items()}
    values = {Tensor(name): tf.constant(value) for name, value in held.items()}
    with tf.GradientTape() as tape:
        tape.watch(list(values.values()))
        _, report = model.objective(model.plan.steps[0], inputs, values, 0, state=[])
        total = model.loss_of([report])
    found = tape.gradient(total, list(values.values()))
    return {name: np.array(g) for name, g in zip(held, found, strict=True)}, report


def said(seed, *shape):
    return np.random.default_rng(seed).normal(0, 0.8, (len(OBJECTS), *shape)).astype("float32")


def centre(box):
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def sides(box):
    return box[2] - box[0], box[3] - box[1]


def about(x, y, wide, high):
    return [x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]


def shifted(shape, box):
    """Overlap of a shape with a box, both moved to 0."""
    return shape_overlap([0, 0, *shape], box)


def test_v1_learns_what_detection_layer_learns():
    side, count = 8, 2
    cell = SIZE / side
    x = said(1, side * side * (CLASSES + 5 * count))
    kinds = side * side * CLASSES
    coordinates = kinds + side * side * count
    delta = np.zeros_like(x)
    for n, objects in enumerate(OBJECTS):
        delta[n, kinds:coordinates] = 0.5 * (0 - x[n, kinds:coordinates])
        for box, kind in objects:
            column, row = (int(c // cell) for c in centre(box))
            place = row * side + column
            for c in range(CLASSES):
                delta[n, place * CLASSES + c] = (c == kind) - x[n, place * CLASSES + c]
            rows = []
            for j in range(count):
                tx, ty, tw, th = x[n, coordinates + 4 * (place * count + j) :][:4]
                rows.append(about((column + tx) * cell, (row + ty) * cell, tw**2 * SIZE, th**2 * SIZE))
            (best,) = predictor(range(count), rows, box)
            p = kinds + place * count + best
            delta[n, p] = overlap(rows[best], box, "plain") - x[n, p]
            at = coordinates + 4 * (place * count + best)
            wanted = [c / cell - k for c, k in zip(centre(box), (column, row), strict=True)]
            wanted += [math.sqrt(s / SIZE) for s in sides(box)]
            delta[n, at : at + 4] = 5 * (np.array(wanted) - x[n, at : at + 4])
    settings = {
        "top": "direct",
        "side": side,
        "count": count,
        "stages": [[[4, 3, 1]], [[4, 3, 1]], [[4, 3, 1]], [[4, 3, 1]]],
    }
    found, _ = gradients("yolov1", settings, {"said": x})
    # Darknet takes half of the squares of equation 3.
    np.testing.assert_allclose(found["said"], -2 * delta / len(OBJECTS), rtol=1e-3, atol=2e-5)


def grid(x, columns, shapes, stride, to_box):
    """Each prediction of a map (rows, columns, shapes · (5 + classes)): its place, its shape, and its box."""
    rows = x.reshape(*x.shape[:2], len(shapes), 5 + CLASSES)
    for i in range(rows.shape[0]):
        for j in range(columns):
            for k, shape in enumerate(shapes):
                yield (i, j, k), rows[i, j, k], to_box(rows[i, j, k], i, j, stride, shape)


def decoded(raw, i, j, stride, shape, sensitivity=1.0):
    x, y = (sensitivity * (sigmoid(v) - 0.5) + 0.5 for v in raw[:2])
    return about((j + x) * stride, (i + y) * stride, shape[0] * math.exp(raw[2]), shape[1] * math.exp(raw[3]))


def test_v2_learns_what_region_layer_learns():
    shapes, stride = SHAPES[:5], 8
    side = SIZE // stride
    x = said(2, side, side, len(shapes) * (5 + CLASSES))
    delta = np.zeros_like(x).reshape(len(OBJECTS), side, side, len(shapes), 5 + CLASSES)
    spared = 0
    for n, objects in enumerate(OBJECTS):
        boxes = {}
        for at, raw, box in grid(x[n], side, shapes, stride, decoded):
            o = sigmoid(raw[4])
            boxes[at] = raw, box
            close = max(overlap(box, b, "plain") for b, _ in objects) > 0.6
            spared += close
            delta[n][at][4] = 0 if close else (0 - o) * o * (1 - o)
        for box, kind in objects:
            j, i = (int(c // stride) for c in centre(box))
            k = int(np.argmax([shifted(shape, box) for shape in shapes]))
            raw, own = boxes[i, j, k]
            wide, high = sides(box)
            scale = 2 - wide * high / SIZE**2
            d = delta[n][i, j, k]
            for m, place in enumerate((j, i)):
                s = sigmoid(raw[m])
                d[m] = scale * (centre(box)[m] / stride - place - s) * s * (1 - s)
                d[2 + m] = scale * (math.log(sides(box)[m] / shapes[k][m]) - raw[2 + m])
            o = sigmoid(raw[4])
            d[4] = 5 * (overlap(own, box, "plain") - o) * o * (1 - o)
            shares = np.exp(raw[5:] - raw[5:].max())
            d[5:] = np.eye(CLASSES)[kind] - shares / shares.sum()
    settings = {"backbone": "pooled_stages", "width": 4, "pools": 3, "shapes": shapes}
    found, _ = gradients("yolov2", settings, {"map": x})
    assert spared, "no prediction overlaps an object by more than 0.6: another seed"
    np.testing.assert_allclose(found["map"], -delta.reshape(x.shape) / len(OBJECTS), rtol=1e-3, atol=2e-5)


def scales(maps, levels, shapes, sensitivity):
    """Predictions of all maps of each picture, by level, place and shape."""
    out = []
    for n in range(len(OBJECTS)):
        found = {}
        for level, own, s in zip(levels, shapes, sensitivity, strict=True):
            x, stride = maps[level][n], 2**level
            for at, raw, box in grid(x, SIZE // stride, own, stride, lambda *a, s=s: decoded(*a, sensitivity=s)):
                found[level, *at] = raw, box
        out.append(found)
    return out


def two_maps(seed):
    return {level: said(seed + level, SIZE // 2**level, SIZE // 2**level, 3 * (5 + CLASSES)) for level in (4, 3)}


def test_v3_learns_what_yolo_layer_learns():
    levels, shapes = (4, 3), (SHAPES[3:], SHAPES[:3])
    maps = two_maps(3)
    delta = {level: np.zeros_like(x).reshape(*x.shape[:3], 3, 5 + CLASSES) for level, x in maps.items()}
    for n, (objects, found) in enumerate(zip(OBJECTS, scales(maps, levels, shapes, (1, 1)), strict=True)):
        for (level, *at), (raw, box) in found.items():
            close = max(overlap(box, b, "plain") for b, _ in objects) > 0.7
            delta[level][n][tuple(at)][4] = 0 if close else 0 - sigmoid(raw[4])
        for box, kind in objects:
            best = int(np.argmax([shifted(shape, box) for shape in SHAPES]))
            level, k = (3, best) if best < 3 else (4, best - 3)
            stride = 2**level
            j, i = (int(c // stride) for c in centre(box))
            raw, _ = found[level, i, j, k]
            wide, high = sides(box)
            scale = 2 - wide * high / SIZE**2
            d = delta[level][n][i, j, k]
            for m, place in enumerate((j, i)):
                d[m] = scale * (centre(box)[m] / stride - place - sigmoid(raw[m]))
                d[2 + m] = scale * (math.log(sides(box)[m] / SHAPES[best][m]) - raw[2 + m])
            d[4] = 1 - sigmoid(raw[4])
            d[5:] = [(c == kind) - sigmoid(raw[5 + c]) for c in range(CLASSES)]
    settings = {"depths": [1, 1, 1, 1], "width": 4, "base": 1, "levels": [4, 3], "shapes": SHAPES}
    found, _ = gradients("yolov3", settings, {f"map.{level}": x for level, x in maps.items()})
    for level, x in maps.items():
        wanted = -delta[level].reshape(x.shape) / len(OBJECTS)
        np.testing.assert_allclose(found[f"map.{level}"], wanted, rtol=1e-3, atol=2e-5)


def test_v4_learns_complete_overlap_on_all_anchors_that_are_alike():
    """yolo_layer.c of AlexeyAB's Darknet; its gradient of complete IoU is an approximation, so values are compared."""
    levels, shapes, sensitivity, above = (4, 3), (SHAPES[3:], SHAPES[:3]), (1.2, 1.1), 0.4
    maps = two_maps(4)
    delta = {level: np.zeros_like(x).reshape(*x.shape[:3], 3, 5 + CLASSES) for level, x in maps.items()}
    complete, lost, taught = definitions.overlap("complete"), 0.0, 0
    for n, (objects, found) in enumerate(zip(OBJECTS, scales(maps, levels, shapes, sensitivity), strict=True)):
        for (level, *at), (raw, box) in found.items():
            close = max(overlap(box, b, "plain") for b, _ in objects) > 0.7
            delta[level][n][tuple(at)][4] = 0 if close else 0 - sigmoid(raw[4])
        for box, kind in objects:
            alike = [shifted(shape, box) for shape in SHAPES]
            for b, likeness in enumerate(alike):
                if likeness < above and likeness < max(alike):
                    continue
                level, k = (3, b) if b < 3 else (4, b - 3)
                j, i = (int(c // 2**level) for c in centre(box))
                raw, own = found[level, i, j, k]
                lost += 1 - complete(None, np.array([[own]]), np.array([[box]])).item()
                taught += 1
                d = delta[level][n][i, j, k]
                d[4] = 1 - sigmoid(raw[4])
                d[5:] = [(c == kind) - sigmoid(raw[5 + c]) for c in range(CLASSES)]
    settings = {
        "trunk": "halved",
        "join": "up",
        "width": 8,
        "base": 1,
        "levels": [4, 3],
        "shapes": [SHAPES[3:], SHAPES[:3]],
        "sensitivity": list(sensitivity),
        "above": above,
    }
    found, report = gradients("yolov4", settings, {f"last.{level}": x for level, x in maps.items()})
    assert taught > sum(map(len, OBJECTS))
    assert float(report["iou.decoded"]) == pytest.approx(lost / len(OBJECTS), rel=1e-4)
    for level, x in maps.items():
        shape = (*x.shape[:3], 3, 5 + CLASSES)
        gradient = found[f"last.{level}"].reshape(shape)
        np.testing.assert_allclose(gradient[..., 4:], -delta[level][..., 4:] / len(OBJECTS), rtol=1e-3, atol=2e-5)
        moved = np.abs(gradient[..., :4]).max(-1) > 0
        np.testing.assert_array_equal(moved, np.abs(delta[level][..., 5:]).max(-1) > 0)
