"""A small dense detector on rectangles that the test draws: it learns, goes on to the bit, and is evaluated."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from archspec.cli import main
from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from tests.wording import refuses

SPEC = """
archspec: 1
name: finder
inputs: {image: [16, 16, 3]}
body:
  - {conv_bn: {filters: 12, stride: 2}}
  - {conv_bn: {filters: 24, stride: 2}, as: map}
  - dropout: 0.1
  - conv: {filters: 5, kernel: 3}
  - {reshape: [-1, 5]}
  - {split: [1, 4], as: part}
  - {sigmoid, from: "part[0]", as: found}
heads:
  found: {from: found}
  boxes: {from: "part[1]"}
train:
  inputs: {label: [80]}
  body:
    - {reshape: [16, 5], from: label}
    - {split: [1, 4], as: given}
    - {reshape: [16], from: "given[0]"}
    - {cast: bool, as: there}
  minimize:
    - {focal: ["part[0]", there], per: there}
    - {smooth_l1: ["part[1]", "given[1]"], where: there, per: there, weight: 5}
"""
RUN = """
archspec_run: 1
spec: finder.yaml
data: {npz: boxes.npz}
train: {optimizer: {adam: 0.005}, epochs: 4, batch: 32, ema: 0.9, monitor: "smooth_l1.part[1]", seed: 2}
"""


def rectangles(rng, count):
    """Pictures of one bright rectangle each, and for each of 4 × 4 cells whether it has its centre, and its box."""
    images = rng.integers(0, 60, (count, 16, 16, 3)).astype("uint8")
    cells = np.zeros((count, 16, 5), "float32")
    for image, row in zip(images, cells, strict=True):
        w, h = rng.integers(4, 9, 2)
        x, y = rng.integers(0, 17 - w), rng.integers(0, 17 - h)
        image[y : y + h, x : x + w] = rng.integers(160, 255, 3)
        cell = int(y + h / 2) // 4 * 4 + int(x + w / 2) // 4
        row[cell] = [1, (x + w / 2) / 16, (y + h / 2) / 16, w / 16, h / 16]
    return images, cells.reshape(count, 80)


def write(folder, run=RUN, spec=SPEC):
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 160), ("test", 40)):
        arrays[f"x_{split}"], arrays[f"y_{split}"] = rectangles(rng, count)
    np.savez(folder / "boxes.npz", **arrays)
    (folder / "finder.yaml").write_text(spec)
    path = folder / "finder_run.yaml"
    path.write_text(run)
    return str(path)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_small_detector_learns_goes_on_and_is_evaluated(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", write(tmp_path), "--logdir", str(run), "--quiet"]) == 0
    rows = (run / "log.csv").read_text().splitlines()
    header, first, last = (row.split(",") for row in (rows[0], rows[1], rows[-1]))
    boxes = header.index("val_smooth_l1.part[1]")
    assert float(last[boxes]) < 0.5 * float(first[boxes])
    assert (run / "best.npz").is_file()
    # From the checkpoint before the last, whose end was never written.
    half = tmp_path / "half"
    shutil.copytree(run, half)
    checkpoints = sorted((half / "checkpoints").iterdir())
    assert len(checkpoints) > 1
    shutil.rmtree(checkpoints[-1])
    for name in ("weights.npz", "model.keras", "result.json", "best.npz", "best.keras"):
        (half / name).unlink()
    assert main(["resume", str(half), "--quiet"]) == 0
    with np.load(run / "weights.npz") as one, np.load(half / "weights.npz") as other:
        assert set(one.files) == set(other.files)
        assert all(np.array_equal(one[name], other[name]) for name in one.files)
    capsys.readouterr()
    assert main(["evaluate", str(run), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["loss"] == pytest.approx(float(last[header.index("val_loss")]), rel=1e-4)


PLAIN = """
archspec: 1
name: plain
inputs: {image: [16, 16, 3]}
body: [flatten, {dense: 80, as: rows}]
heads: {rows: {from: rows}}
train: {inputs: {label: [80]}, minimize: [{mse: [rows, label]}]}
"""
CASES = {
    "a loss": ("loss: mse", PLAIN),
    "another task": ("task: regression", PLAIN),
    "the task of networks": ("task: adversarial", PLAIN),
    "weights of classes": ("class_weight: {0: 2}", PLAIN),
    "an unknown figure": ("monitor: accuracy", PLAIN),
    "a part that the data lack": ("seed: 1", PLAIN.replace("label", "corners")),
    "another shape": ("seed: 1", PLAIN.replace("80", "20")),
    "another type": (
        "seed: 1",
        PLAIN.replace("[80]", "{shape: [], dtype: int32}").replace("mse", "sparse_categorical_crossentropy"),
    ),
    "metrics": ("seed: 1", PLAIN.replace("{from: rows}", "{from: rows, metrics: [mae]}")),
    "no train section": ("task: training_graph", PLAIN.partition("train:")[0]),
    "a head without a target": (
        "seed: 1",
        PLAIN.replace("{from: rows}", "{from: rows, loss: sparse_categorical_crossentropy}"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_it_does_not_take_is_refused(tmp_path, case):
    said, spec = CASES[case]
    run = f"archspec_run: 1\nspec: finder.yaml\ndata: {{npz: boxes.npz}}\ntrain: {{epochs: 1, {said}}}\n"
    with refuses(SpecError):
        Run.open(write(tmp_path, run, spec)).plan()
