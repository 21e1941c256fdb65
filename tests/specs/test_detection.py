"""Small members of the catalogue's detectors learn made-up pictures by heart, and find the shapes of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archspec.cli import main

RUNS = Path(__file__).parents[2] / "specs" / "runs" / "detection"
LEAST = {
    "ssd_shapes": (0.99, 0.95),
    "dssd_shapes": (0.99, 0.95),
    "ssd_scenes": (0.85, 0.7),
    "overfeat_shapes": (0.9, 0.2),
    "retinanet_shapes": (0.9, 0.9),
    "yolov1_shapes": (0.99, 0.5),
    "yolov2_shapes": (0.99, 0.7),
    "yolov3_shapes": (0.99, 0.7),
    "yolov4_shapes": (0.98, 0.8),
}
"""AP50 and AP75 on the pictures that were trained on (``scenes``: on others), below those of the run files."""


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", LEAST)
def test_what_a_run_file_says_of_its_detector_holds(name, tmp_path):
    assert main(["train", str(RUNS / f"{name}.yaml"), "--logdir", str(tmp_path / "run"), "--quiet"]) == 0
    found = json.loads((tmp_path / "run" / "result.json").read_text())["metrics"]
    assert (found["ap50"], found["ap75"]) >= LEAST[name] and found["ap75"] >= LEAST[name][1]


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.long
def test_what_run_files_say_of_stages_holds(tmp_path, capsys):
    first, last = tmp_path / "first", tmp_path / "last"
    assert main(["train", str(RUNS / "rcnn_shapes.yaml"), "--logdir", str(first), "--quiet"]) == 0
    found = json.loads((first / "result.json").read_text())["metrics"]
    assert found["ap50"] >= 0.95 and found["ap75"] >= 0.8
    weights = str(first / "weights.npz")
    run = ["train", str(RUNS / "rcnn_svm_shapes.yaml"), "--from", weights, "--logdir", str(last), "--quiet"]
    assert main(run) == 0
    capsys.readouterr()
    assert main(["evaluate", str(last), "--split", "train", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ap50"] >= 0.9 and found["ap75"] >= 0.75


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.long
def test_what_a_run_file_says_of_windows_holds(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", str(RUNS / "hog_svm_shapes.yaml"), "--logdir", str(run), "--quiet"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--split", "train", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["ap50"] >= 0.95


MASKS = {
    "mask_rcnn_shapes": {"ap50": 0.95, "mask_ap50": 0.95, "mask_iou": 0.8},
    "panoptic_fpn_shapes": {"pq": 0.7, "mask_ap50": 0.8},
}
"""Figures of masks on the pictures that were trained on, below those of the run files."""


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", MASKS)
def test_what_a_run_file_says_of_its_masks_holds(name, seed, tmp_path):
    run = ["train", str(RUNS / f"{name}.yaml"), "--seed", str(seed), "--logdir", str(tmp_path / "run"), "--quiet"]
    assert main(run) == 0
    found = json.loads((tmp_path / "run" / "result.json").read_text())["metrics"]
    assert {figure: found[figure] for figure, least in MASKS[name].items() if found[figure] < least} == {}
