"""A small detector learns squares that the test draws, is evaluated by COCO's rules, and finds them in photos."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from tests.wording import refuses

SPEC = """
archspec: 1
name: squares
inputs: {image: [32, 48, 3]}
body:
  - {conv_bn: {filters: 12, stride: 2}}
  - {conv_bn: {filters: 24, stride: 2}}
  - {conv_bn: {filters: 24, stride: 2}, as: map}
  - {anchors: {sizes: 12, stride: 8}, from: map, as: anchors}
  - {conv: {filters: 2, kernel: 3}, from: map}
  - {reshape: [-1, 2], as: logits}
  - {conv: {filters: 4, kernel: 3}, from: map}
  - {reshape: [-1, 4], as: deltas}
  - {decode_boxes, from: [deltas, anchors], as: boxes}
  - {sigmoid, from: logits, as: scores}
  - {nms: {score: 0.1, keep: 10}, from: [boxes, scores], as: found}
heads:
  boxes: {from: found.boxes}
  scores: {from: found.scores}
  classes: {from: found.classes}
  count: {from: found.count}
train:
  inputs: {truth: {objects: 2, most: 2}}
  body:
    - {match: {low: 0.4, high: 0.5, force: best}, from: [anchors, truth], as: owner}
    - {one_hot: 2, from: owner.classes, as: kinds}
    - {encode_boxes, from: [owner.box, anchors], as: goals}
  minimize:
    - {focal: [logits, kinds], where: owner.counted, per: owner.positive}
    - {smooth_l1: [deltas, goals], where: owner.positive, per: owner.positive}
"""
RUN = """
archspec_run: 1
spec: squares.yaml
data: {coco: set}
train: {optimizer: {adam: 0.01}, epochs: 16, batch: 8, seed: 0, monitor: ap50}
"""
# Numbers of classes in files are anything.
NUMBERS = (7, 90)


def write(folder, run=RUN, spec=SPEC):
    """Photos of 96 × 64 with up to two squares, red or blue; twice the size that the network sees."""
    draw = np.random.default_rng(0)
    (folder / "set" / "annotations").mkdir(parents=True)
    for split, count in (("train", 64), ("val", 16)):
        images, objects = [], []
        (folder / "set" / split).mkdir()
        for i in range(count):
            pixels = draw.integers(60, 120, (64, 96, 3)).astype(np.uint8)
            for half in range(draw.integers(1, 3)):
                side, kind = int(draw.integers(20, 30)), int(draw.integers(2))
                x, y = 48 * half + int(draw.integers(48 - side)), int(draw.integers(64 - side))
                pixels[y : y + side, x : x + side] = (230, 20, 20) if kind == 0 else (20, 20, 230)
                objects.append(
                    {"id": len(objects) + 1, "image_id": i + 5, "category_id": NUMBERS[kind], "iscrowd": 0}
                    | {"bbox": [x, y, side, side], "area": side * side}
                )
            Image.fromarray(pixels).save(folder / "set" / split / f"{i}.png")
            images.append({"id": i + 5, "file_name": f"{i}.png", "width": 96, "height": 64})
        names = [{"id": n, "name": name} for n, name in zip(NUMBERS, ("red", "blue"), strict=True)]
        document = {"images": images, "annotations": objects, "categories": names}
        (folder / "set" / "annotations" / f"instances_{split}.json").write_text(json.dumps(document))
    (folder / "squares.yaml").write_text(spec)
    path = folder / "run.yaml"
    path.write_text(run)
    return str(path)


def coco_figures(truth, results):
    """What pycocotools says of two files."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    known = COCO(str(truth))
    evaluation = COCOeval(known, known.loadRes(str(results)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


@pytest.mark.tensorflow
@pytest.mark.slow
def test_squares_are_found_in_photos_of_another_size(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", write(tmp_path), "--logdir", str(run), "--quiet"]) == 0
    logged = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    capsys.readouterr()
    assert main(["evaluate", str(run), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "ap50" in json.dumps(logged) and "voc_2007" in json.dumps(found)
    result = json.loads((run / "result.json").read_text())["metrics"]
    # In 128 steps; one that guesses has 0.0.
    assert result["ap50"] >= 0.6 and result["voc"] >= 0.6
    photo = tmp_path / "set" / "val" / "0.png"
    truth = json.loads((tmp_path / "set" / "annotations" / "instances_val.json").read_text())
    assert main(["predict", str(run), str(photo), "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    wanted = [row for row in truth["annotations"] if row["image_id"] == 5]
    for row in wanted:
        x, y, w, h = row["bbox"]
        near = [o for o in record["objects"] if np.abs(np.array(o["box"]) - [x, y, x + w, y + h]).max() < 6]
        assert near and near[0]["class"] == ("red", "blue")[NUMBERS.index(row["category_id"])]
    # What is written for COCO reads the same figures there, and other tools' figures say whose they are.
    results = tmp_path / "results.json"
    assert main(["evaluate", str(run), "--results", str(results), "--as", "ultralytics"]) == 0
    assert "mAP50 " in (said := capsys.readouterr().out) and "(Ultralytics)" in said
    stats = coco_figures(tmp_path / "set" / "annotations" / "instances_val.json", results)
    assert [found["ap"], found["ap50"], found["ar_100"]] == pytest.approx([stats[0], stats[1], stats[8]], abs=1e-6)
    assert main(["predict", str(run), str(photo.parent), "--draw", str(tmp_path / "drawn")]) == 0
    capsys.readouterr()
    assert len(list((tmp_path / "drawn").iterdir())) == 16
    assert main(["predict", str(run), str(photo)]) == 0
    assert record["objects"][0]["class"] in capsys.readouterr().out


def test_boxes_go_back_to_the_file_they_were_seen_in():
    from archspec.data import corners
    from archspec.tasks.detection.predictor import in_file

    # The network sees the file at half its width and a quarter of its height, 3 pixels to the right, mirrored.
    place = lambda x, y: (20 - x / 2 + 3, y / 4)  # noqa: E731
    moved = np.stack(place(*np.moveaxis(corners.corners([(40, 24)]), -1, 0)), -1)
    (x1, y1), (x2, y2) = place(4, 8), place(30, 20)
    seen = np.array([[[min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)]]])
    np.testing.assert_allclose(in_file(seen, moved), [[[4, 8, 30, 20]]])
    assert corners.file_sizes(moved).tolist() == [[40, 24]]


def test_boxes_end_where_their_file_does_in_a_letterbox():
    """A file of 40 × 20 in the middle of 64 × 64: what reaches into the margins is cut at each side of the file."""
    from archspec.data import corners
    from archspec.tasks.detection.predictor import BoxPredictor

    predictor = BoxPredictor.__new__(BoxPredictor)
    found = {"boxes": np.array([[[-5.0, 0.0, 70.0, 64.0], [16.0, 24.0, 32.0, 60.0]]])}
    predictor.inputs, predictor.outputs = (lambda batch: batch), (lambda batch: dict(found))
    moved = corners.corners([(40, 20)]) * 1.6 + [0, 16]
    said = predictor({"image": np.zeros((1, 64, 64, 3)), "corners": moved})
    np.testing.assert_allclose(said["in_file"], [[[0, 0, 40, 20], [10, 5, 20, 20]]], atol=1e-4)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("a head is missing", ("  count: {from", "  found: {from")),
        ("a head is something else", ("boxes: {from: found.boxes}", "boxes: {from: logits}")),
    ],
)
@pytest.mark.parametrize("says", [True, False], ids=["said", "not said"])
def test_a_network_that_is_no_detector_is_refused(what, change, says, tmp_path):
    named = RUN.replace("train: {", "train: {task: detection, ") if says else RUN
    path = write(tmp_path, named, SPEC.replace(*change))
    with refuses(SpecError):
        Run.open(path).plan()


def test_data_without_objects_are_refused(tmp_path):
    named = RUN.replace("train: {", "train: {task: detection, ").replace("{coco: set}", "digits")
    path = write(tmp_path, named)
    with refuses(SpecError):
        Run.open(path).plan()


def test_other_classes_than_those_of_the_data_are_refused_with_what_to_set(tmp_path):
    spec = SPEC.replace("inputs: {image", "params: {labels: 3}\ninputs: {image").replace(
        "objects: 2", "objects: =labels"
    )
    path = write(
        tmp_path,
        spec=spec.replace("one_hot: 2", "one_hot: =labels")
        .replace("filters: 2,", "filters: =labels,")
        .replace("[-1, 2]", "[-1, =labels]"),
    )
    with refuses(SpecError):
        Run.open(path).plan()


def test_a_detector_on_data_with_objects_is_one(tmp_path):
    assert Run.open(write(tmp_path)).plan().task.name == "detection"


@pytest.mark.tensorflow
def test_a_monitored_figure_that_no_object_gives_ends_the_run_in_words(tmp_path):
    from archspec.evaluators.base import Figures
    from archspec.training.assessing import Assessing
    from archspec.training.errors import RunError

    plan = Run.open(write(tmp_path, RUN.replace("ap50", "ap_large"))).plan()
    watching = Assessing(plan, None)
    watching._found = (Figures(16, {"ap": 0.5, "ap50": 0.75}),)
    with refuses(RunError):
        watching.on_epoch_end(0, {})


def test_labels_that_a_term_has_no_score_for_are_refused(tmp_path):
    spec = """
archspec: 1
name: five
inputs: {image: [8, 8, 1]}
body: [flatten, {dense: 5, as: scores}]
heads: {main: {from: scores}}
train:
  inputs: {label: {shape: [], dtype: int32}}
  minimize: [{sparse_categorical_crossentropy: [scores, label]}]
"""
    path = write(tmp_path, "archspec_run: 1\nspec: squares.yaml\ndata: digits\n", spec)
    with refuses(SpecError):
        Run.open(path).plan()
