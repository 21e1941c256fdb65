"""Objects of pictures as an input of a training graph: boxes follow the picture, rows are filled up, what is ignored is
no object; data that have others are refused."""

from __future__ import annotations

import numpy as np
import pytest

from archspec.cli import main
from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from tests.data.test_objects import BOXES, HEIGHT, NAMES, WIDTH, voc
from tests.wording import refuses

SPEC = """
archspec: 1
name: boxes
params: {classes: 2, most: 5}
inputs: {image: [32, 48, 3]}
body:
  - {conv_bn: {filters: 4, stride: 16}, as: map}
  - {conv: =4 * most, from: map}
  - global_avg_pool
  - {reshape: [=most, 4], as: boxes}
  - {conv: =classes * most, from: map}
  - global_avg_pool
  - {reshape: [=most, =classes], as: scores}
heads: {boxes: {from: boxes}, scores: {from: scores}}
train:
  inputs: {truth: {objects: =classes, most: =most}}
  body:
    - {roll: 0, from: truth.classes, as: kinds}
  minimize:
    - {smooth_l1: [boxes, truth.boxes], where: truth.valid, per: truth.valid}
    - {focal: [scores, kinds], where: truth.valid, per: examples}
"""
RUN = """
archspec_run: 1
spec: boxes.yaml
set: {SET}
data: {voc: set}
train: {epochs: 1, batch: 3, optimizer: sgd}
evaluate: {batch: 3}
"""


def write(folder, settings="{}", spec=SPEC, run=RUN):
    voc(folder / "set", {**BOXES, "d": [], "e": [("cat", 2, 2, 20, 12)]})
    (folder / "boxes.yaml").write_text(spec)
    path = folder / "run.yaml"
    path.write_text(run.replace("{SET}", settings))
    return str(path)


@pytest.mark.tensorflow
def test_boxes_follow_the_picture_and_rows_are_filled_up(tmp_path):
    from archspec.training.updates.sources import given

    plan = Run.open(write(tmp_path)).plan()
    assert plan.task.name == "training_graph"
    training = plan.graph.training
    seen = {}
    pipeline = plan.pipeline
    for split in plan.features.splits:
        count = plan.features.splits[split]
        batch = pipeline.examples_at(range(count), 0, pipeline.eval_transforms, split)
        taken = given(training, {name: tf_tensor(value) for name, value in batch.items()})
        assert set(taken) == {"image", "truth.boxes", "truth.classes", "truth.valid"}
        assert taken["image"].shape[1:] == (32, 48, 3)
        ports = (np.array(taken[f"truth.{port}"]) for port in ("boxes", "classes", "valid"))
        for boxes, classes, valid in zip(*ports, strict=True):
            assert boxes.shape == (5, 4) and classes.dtype == "int32"
            rows = sorted((NAMES[c], *map(float, box)) for c, box in zip(classes, boxes, strict=True) if c >= 0)
            seen[tuple(rows)] = (valid.sum(), boxes[classes < 0].any())
    wanted = {}
    for stem, objects in {**BOXES, "d": [], "e": [("cat", 2, 2, 20, 12)]}.items():
        rows = sorted((name, *(2.0 * side for side in box)) for name, *box in objects)
        # Those of b are difficult.
        wanted[tuple(rows)] = (0 if stem == "b" else len(rows), False)
    assert (32 / HEIGHT, 48 / WIDTH) == (2, 2)
    assert seen == wanted


def tf_tensor(value):
    import tensorflow as tf

    return tf.convert_to_tensor(value)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_network_trains_on_a_folder_of_pictures_and_xml(tmp_path):
    run = tmp_path / "run"
    assert main(["train", write(tmp_path), "--logdir", str(run), "--quiet"]) == 0
    values = (run / "log.csv").read_text().splitlines()[1].split(",")
    assert np.isfinite(np.array(values, float)).all()


CASES = {
    "more objects than there is room for": ("{most: 2}", SPEC),
    "other classes": ("{classes: 3}", SPEC),
    "no objects": ("{}", SPEC),
}


@pytest.mark.parametrize("case", CASES)
def test_objects_that_do_not_fit_are_refused(tmp_path, case):
    settings, spec = CASES[case]
    run = RUN.replace("{voc: set}", "digits") if case == "no objects" else RUN
    with refuses(SpecError):
        Run.open(write(tmp_path, settings, spec, run)).plan()
