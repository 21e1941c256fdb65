"""A small detector with masks learns made-up shapes, says which pixels are whose, and writes that in files' sizes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from archspec.data.run_lengths import pixels
from archspec.data.source import DataSource
from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from tests.wording import refuses

SPEC = """
archspec: 1
name: blobs
inputs: {image: [48, 48, 3]}
networks:
  mask_head:
    body:
      - {do: [{conv: {filters: 16, kernel: 3, activation: relu}, each: items}], repeat: 2}
      - {conv: 2, each: items}
body:
  - {conv_bn: {filters: 16, stride: 2}}
  - {conv_bn: {filters: 24, stride: 2}, as: fine}
  - {conv_bn: {filters: 32, stride: 2}, as: map}
  - {anchors: {sizes: [14, 20], stride: 8}, from: map, as: anchors}
  - {conv: {filters: 4, kernel: 3}, from: map}
  - {reshape: [-1, 2], as: logits}
  - {conv: {filters: 8, kernel: 3}, from: map}
  - {reshape: [-1, 4], as: deltas}
  - {decode_boxes, from: [deltas, anchors], as: boxes}
  - {sigmoid, from: logits, as: scores}
  - {nms: {score: 0.1, keep: 6}, from: [boxes, scores], as: found}
  - {roi_align: {size: 14, stride: 4}, from: [fine, found.boxes]}
  - mask_head
  - {of_class: , from: [prev, found.classes]}
  - {sigmoid, as: masks}
  - {conv: {filters: 3, kernel: 3}, from: fine}
  - {upsample: {factor: 4, mode: bilinear}, as: kinds}
  - {paste_masks: 48, from: [masks, found.boxes]}
  - {merge_panoptic: {area: 16, score: 0.3, stuff: [0, 1]}, from: [prev, found.scores, kinds], as: segments}
heads:
  boxes: {from: found.boxes}
  scores: {from: found.scores}
  classes: {from: found.classes}
  count: {from: found.count}
  masks: {from: masks}
  panoptic: {from: segments}
train:
  inputs: {truth: {objects: 2, most: 2, masks: 48}, label: {shape: [48, 48, 1], dtype: uint8}}
  body:
    - {match: {low: 0.4, high: 0.5, force: best}, from: [anchors, truth], as: owner}
    - {one_hot: 2, from: owner.classes, as: wanted}
    - {encode_boxes, from: [owner.box, anchors], as: goals}
    - {concat: {axis: 0}, from: [boxes, truth.boxes]}
    - {detach, as: candidates}
    - {match: {high: 0.5}, from: [candidates, truth], as: kept}
    - {sample_regions: {count: 8, positive: 1}, from: [candidates, kept], as: region}
    - {roi_align: {size: 14, stride: 4}, from: [fine, region.boxes]}
    - mask_head
    - {of_class: , from: [prev, region.classes], as: drawn}
    - {crop_masks: 14, from: [truth.masks, region], as: shape}
    - {reshape: [48, 48], from: label}
    - {cast: int32, as: true_kinds}
    - {from: kinds, as: said_kinds}
    - {from: region.positive, as: is_object}
  minimize:
    - {focal: [logits, wanted], where: owner.counted, per: owner.positive}
    - {smooth_l1: [deltas, goals], where: owner.positive, per: owner.positive}
    - {binary_crossentropy: [drawn, shape], where: is_object}
    - {sparse_categorical_crossentropy: [said_kinds, true_kinds]}
"""
RUN = """
archspec_run: 1
spec: blobs.yaml
data:
  scenes: {classes: 2, size: 48, most: 2, smallest: 0.15, largest: 0.25, noise: 0.05, train: 32, test: 8, masks: true}
train: {optimizer: {adam: 0.01}, epochs: 40, batch: 8, seed: 0, monitor: mask_ap50}
evaluate: {split: train}
"""


def write(folder, run=RUN, spec=SPEC):
    (folder / "blobs.yaml").write_text(spec)
    path = folder / "run.yaml"
    path.write_text(run)
    return str(path)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_masks_and_segments_of_shapes_are_found(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", write(tmp_path), "--logdir", str(run), "--quiet"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--format", "json", "--results", str(tmp_path / "found.json")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mask_ap50"] >= 0.8 and found["mask_iou"] >= 0.6 and found["pq"] >= 0.6
    (first, *_) = json.loads((tmp_path / "found.json").read_text())
    assert first["segmentation"]["size"] == [48, 48]
    # Photos of another size: boxes, masks and segments are in theirs, and the record and the pictures say the same.
    told = {"classes": 2, "size": 48, "most": 2, "smallest": 0.15, "largest": 0.25, "noise": 0.05, "train": 4}
    data = DataSource.find("scenes").model_validate(told)
    photo, folder = tmp_path / "photo.png", tmp_path / "segments"
    label = data.arrays("train")["label"][0, ..., 0]
    Image.fromarray(data.arrays("train")["image"][0]).resize((96, 144), Image.Resampling.BILINEAR).save(photo)
    drawn = tmp_path / "drawn"
    options = ["--masks", str(folder), "--draw", str(drawn), "--format", "json"]
    assert main(["predict", str(run), str(photo), *options]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    best = record["objects"][0]
    mask = pixels(best["segmentation"]["counts"].encode(), best["segmentation"]["size"])
    there = np.asarray(Image.fromarray((label > 0).astype(np.uint8)).resize((96, 144), Image.Resampling.NEAREST))
    assert mask.shape == (144, 96) and (mask & there).sum() >= 0.8 * mask.sum() > 0
    colours = np.asarray(Image.open(folder / "photo.png")).astype(int)
    numbers = colours @ [1, 256, 65536]
    assert numbers.shape == (144, 96)
    assert {s["id"]: s["area"] for s in record["segments"]} == {
        int(n): int((numbers == n).sum()) for n in np.unique(numbers) if n
    }
    assert {"background"} < {s["class"] for s in record["segments"]}
    assert Image.open(drawn / "photo.png").size == (96, 144)


REFUSED = {
    "data without masks": (", masks: true}", "}", "run"),
    "masks of another size": ("masks: 48}", "masks: 32}", "spec"),
    "masks without rows": ("masks: {from: masks}", "masks: {from: found.scores}", "spec"),
    "segments that are no numbers": ("panoptic: {from: segments}", "panoptic: {from: kinds}", "spec"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_masks_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, after, where = REFUSED[name]
    spec, run = SPEC, RUN
    if where == "run":
        run = run.replace(before, after)
    else:
        spec = spec.replace(before, after)
    assert (spec, run) != (SPEC, RUN)
    write(tmp_path, run, spec)
    with refuses(SpecError):
        Run.open("run.yaml").plan()
