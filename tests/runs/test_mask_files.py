"""Files of networks with masks give what ``predict`` says of raw photos, pixel by pixel."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from archspec.data.pasting import pasted
from archspec.data.run_lengths import pixels
from tests.data.test_panoptic_files import panoptic
from tests.runs.test_detector_files import by_litert, by_onnxruntime, by_tensorflow
from tests.tasks.detection import test_masks as blobs

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SIZES = ((40, 27), (31, 60), (24, 24))
CHANGES = {
    "score: 0.1,": "score: 0,",
    "score: 0.3, stuff: [0, 1]": "score: 0, stuff: [1, 3]",
    "most: 2, masks": "most: 3, masks",
    "from: label}\n    - {cast: int32, as: true_kinds}": (
        "from: label, as: pixels}\n    - scale: {factor: -1, offset: 255}\n    - {clip: {min: 0, max: 1}, as: known}\n"
        "    - {cast: int32, from: pixels, as: true_kinds}"
    ),
    "[said_kinds, true_kinds]": "[said_kinds, true_kinds], where: known",
}
STEPS = "augment: [letterbox: 48, rescale]"


def photos_in(folder):
    """Photos of other sizes than those that were learnt, of pixels that are alike where they are near."""
    draw = np.random.default_rng(5)
    folder.mkdir()
    for i, (height, width) in enumerate(SIZES):
        small = Image.fromarray(draw.integers(0, 255, (7, 6, 3), np.uint8))
        small.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return sorted(folder.iterdir())


def predicted(run, photos, folder, capsys):
    """The records, and the PNG files by the photos' names."""
    capsys.readouterr()
    options = ["--masks", str(folder), "--format", "json"]
    assert main(["predict", str(run), *map(str, photos), *options]) == 0
    return json.loads(capsys.readouterr().out), {photo: np.asarray(Image.open(folder / photo.name)) for photo in photos}


def test_files_of_a_network_with_masks_and_segments_give_the_pixels_that_predict_tells(tmp_path, capsys):
    pytest.importorskip("tf2onnx")
    panoptic(tmp_path / "set")
    spec = blobs.SPEC
    for before, after in CHANGES.items():
        assert before in spec
        spec = spec.replace(before, after)
    (tmp_path / "blobs.yaml").write_text(spec)
    train = "train: {optimizer: {adam: 0.01}, epochs: 2, batch: 2, seed: 0, monitor: mask_ap50}"
    text = f"archspec_run: 1\nspec: blobs.yaml\ndata: {{panoptic: set}}\n{train}\n{STEPS}\n"
    (tmp_path / "run.yaml").write_text(text + "evaluate: {split: train}\n")
    run = tmp_path / "run"
    assert main(["train", str(tmp_path / "run.yaml"), "--logdir", str(run), "--quiet"]) == 0
    photos = photos_in(tmp_path / "photos")
    records, pngs = predicted(run, photos, tmp_path / "segments", capsys)
    for name, asked in (("saved", by_tensorflow), ("net.onnx", by_onnxruntime)):
        assert main(["export", str(run), "-o", str(tmp_path / name), "--with-preprocessing"]) == 0
        network = asked(tmp_path / name)
        for photo, record in zip(photos, records, strict=True):
            image = np.asarray(Image.open(photo))
            said = {head: np.asarray(value)[0] for head, value in network(image[None]).items()}
            assert int(said["count"]) == len(record["objects"]) > 0
            for one, drawn, box in zip(record["objects"], said["masks"], said["boxes"], strict=False):
                wanted = pixels(one["segmentation"]["counts"].encode(), one["segmentation"]["size"]) > 0
                assert (pasted(drawn, box.tolist(), image.shape[:2]) != wanted).sum() <= 2
            numbers = pngs[photo].astype(int) @ [1, 256, 65536]
            assert said["panoptic"].shape == numbers.shape and (said["panoptic"] != numbers).mean() < 0.01
            assert len(np.unique(numbers)) > 1
    # ROI align is an operation that LiteRT has not; that is told when the file is written.
    capsys.readouterr()
    assert main(["export", str(run), "-o", str(tmp_path / "net.tflite"), "--with-preprocessing"]) == 0
    assert "CropAndResize" in capsys.readouterr().err


SEGMENTER = """
archspec: 1
name: small
inputs: {image: [48, 40, 3]}
body:
  - {conv: {filters: 8, kernel: 3, activation: relu, padding: valid}}
  - {conv: {filters: 8, kernel: 5, activation: relu, padding: valid}}
heads:
  main: {body: [conv: 3], loss: categorical_crossentropy}
"""


def test_files_of_a_segmenter_give_the_mask_that_predict_writes(tmp_path, capsys):
    pytest.importorskip("tf2onnx")
    draw = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / "set" / name).mkdir(parents=True)
    for i in range(4):
        classes = np.asarray(Image.fromarray(draw.integers(0, 3, (6, 5), np.uint8)).resize((50, 60), 0))
        photo = np.uint8(60 * classes[..., None] + draw.integers(0, 60, (60, 50, 3)))
        Image.fromarray(photo).save(tmp_path / "set" / "images" / f"{i}.png")
        Image.fromarray(classes).save(tmp_path / "set" / "masks" / f"{i}.png")
    (tmp_path / "small.yaml").write_text(SEGMENTER)
    train = "train: {optimizer: {adam: 0.01}, epochs: 4, batch: 2, seed: 0}"
    steps = "augment: [letterbox: [48, 40], rescale]"
    text = f"archspec_run: 1\nspec: small.yaml\ndata: {{masks: {{path: set, values: [a, b, c]}}}}\n{train}\n{steps}\n"
    (tmp_path / "run.yaml").write_text(text)
    run = tmp_path / "run"
    assert main(["train", str(tmp_path / "run.yaml"), "--logdir", str(run), "--quiet"]) == 0
    photos = photos_in(tmp_path / "photos")
    _, pngs = predicted(run, photos, tmp_path / "found", capsys)
    for name, asked in (("saved", by_tensorflow), ("net.onnx", by_onnxruntime), ("net.tflite", by_litert)):
        assert main(["export", str(run), "-o", str(tmp_path / name), "--with-preprocessing"]) == 0
        network = asked(tmp_path / name)
        for photo in photos:
            said = network(np.asarray(Image.open(photo))[None])
            mask = np.asarray(said["classes"])[0]
            assert np.asarray(said["main"]).sum(-1) == pytest.approx(1, abs=1e-5)
            # What is scaled to 8 bits may be a step apart: of a few pixels two classes are as likely.
            assert mask.shape == pngs[photo].shape and (mask != pngs[photo]).mean() < 0.005
            assert len(np.unique(mask)) > 1
