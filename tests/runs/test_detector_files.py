"""A detector's file contains its suppression, and gives what ``predict`` says of raw photos: boxes in their pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from tests.tasks.detection import test_detection as squares

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SPEC = squares.SPEC.replace("image: [32, 48, 3]", "image: [48, 48, 3]")
RUN = squares.RUN.replace("epochs: 16", "epochs: 6").replace(", monitor: ap50", "")
# Of 96 × 64 pixels the middle 90 × 60, and of that what fits 48 × 48, with margins above and below.
RUN += """
augment: [letterbox: 48, rescale]
evaluate: {transforms: [resize: [64, 96], center_crop: [60, 90], letterbox: 48, rescale]}
"""
HELD_OUT = 8


def by_tensorflow(path):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda image: loaded.serve(image)


def by_onnxruntime(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda image: dict(zip(names, session.run(None, {"image": image}), strict=True))


def by_litert(path):
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(path))
    given = interpreter.get_input_details()[0]["index"]

    def said(image):
        interpreter.resize_tensor_input(given, image.shape)
        interpreter.allocate_tensors()
        return interpreter.get_signature_runner()(image=image)

    return said


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """A trained one, held-out photos, and the records of ``predict``."""
    from archspec.runs import Run

    folder = tmp_path_factory.mktemp("detector")
    run = folder / "run"
    assert main(["train", squares.write(folder, RUN, SPEC), "--logdir", str(run), "--quiet"]) == 0
    photos = sorted((folder / "set" / "val").iterdir())[:HELD_OUT]
    records = Run.open(run).predict(photos).records
    assert sum(len(record["objects"]) for record in records) >= HELD_OUT
    return run, photos, records


@pytest.mark.parametrize(
    ("name", "asked"), [("saved", by_tensorflow), ("net.onnx", by_onnxruntime), ("net.tflite", by_litert)]
)
def test_a_file_of_a_detector_gives_the_objects_that_predict_tells(detector, tmp_path, capsys, name, asked):
    if name == "net.onnx":
        pytest.importorskip("tf2onnx")
    run, photos, records = detector
    assert main(["export", str(run), "-o", str(tmp_path / name), "--with-preprocessing"]) == 0
    assert "boxes are in pixels of the image given" in capsys.readouterr().err
    classes = json.loads(next(tmp_path.glob("*.preprocessing.json")).read_text())["classes"]
    assert classes == ["red", "blue"]
    network = asked(tmp_path / name)
    for photo, record in zip(photos, records, strict=True):
        said = {head: np.asarray(value)[0] for head, value in network(np.asarray(Image.open(photo))[None]).items()}
        count = int(said["count"])
        assert [classes[k] for k in said["classes"][:count]] == [one["class"] for one in record["objects"]]
        # Of 8-bit images that are scaled, a pixel may be rounded to the next step; boxes of records have two decimals.
        np.testing.assert_allclose(said["scores"][:count], [one["score"] for one in record["objects"]], atol=5e-4)
        boxes = np.reshape([one["box"] for one in record["objects"]], (-1, 4))
        np.testing.assert_allclose(said["boxes"][:count], boxes, atol=0.05)
        assert not said["boxes"][count:].any() and (said["classes"][count:] == -1).all()


def test_objects_are_found_by_several_looks(detector, capsys):
    """Nothing is lost by the mirror image, nor by another scale; boxes are in pixels of the photos."""
    from archspec.runs import Run

    run, photos, _ = detector
    figures = {}
    for looks in ((), ("--views", "flip"), ("--views", "flip", "--scales", "32,40")):
        assert main(["evaluate", str(run), *looks, "--format", "json"]) == 0
        figures[looks] = json.loads(capsys.readouterr().out)["ap50"]
    assert figures[("--views", "flip")] >= figures[()] - 0.1
    assert figures[("--views", "flip", "--scales", "32,40")] >= figures[()] - 0.2, figures
    merged = Run.open(run).predict(photos, views="flip", scales=(32, 64)).records
    assert all(0 <= x1 < x2 <= 96 and 0 <= y1 < y2 <= 64 for r in merged for x1, y1, x2, y2 in boxes_of(r))
    assert main(["evaluate", str(run), "--dense"]) == 1 and "--scales looks at all" in capsys.readouterr().err


def boxes_of(record):
    return [one["box"] for one in record["objects"]]


def test_the_frames_of_a_video_say_what_photos_of_them_say(detector, tmp_path, capsys):
    """A line for each frame as it comes; a drawn video; and in Python records as of images."""
    pytest.importorskip("cv2")
    from archspec.data.video import Video, written_video
    from archspec.runs import Run

    run, photos, _ = detector
    video = tmp_path / "street.mp4"
    with written_video(video, 5.0) as out:
        for photo in photos:
            out.write(np.asarray(Image.open(photo)))
    # MPEG-4 is lossy: what is compared with are its own frames.
    stills = [tmp_path / f"{k}.png" for k in range(HELD_OUT)]
    for still, frame in zip(stills, Video(video).frames(), strict=True):
        Image.fromarray(frame).save(still)
    wanted = Run.open(run).predict(stills).records
    assert main(["predict", str(run), str(video), "--draw", str(tmp_path / "drawn"), "--format", "json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["frame"] for one in found] == list(range(HELD_OUT)) and found[5]["seconds"] == 1.0
    for one, other in zip(found, wanted, strict=True):
        assert one["video"] == str(video) and len(one["objects"]) == len(other["objects"])
        np.testing.assert_allclose(np.ravel(boxes_of(one)), np.ravel(boxes_of(other)), atol=0.2)
    drawn = list(Video(tmp_path / "drawn" / "street.mp4").frames())
    assert [frame.shape for frame in drawn] == [(64, 96, 3)] * HELD_OUT
    assert any(np.abs(a.astype(int) - b).max() > 90 for a, b in zip(drawn, Video(video).frames(), strict=True))
    assert main(["predict", str(run), str(video)]) == 0 and "street.mp4, frame 7: " in capsys.readouterr().out
    assert len(Run.open(run).predict(video).records) == HELD_OUT
    assert main(["predict", str(run), str(video), str(stills[0])]) == 1
    assert "is asked about by itself" in capsys.readouterr().err
