"""Networks written with their preprocessing: from raw images they give the run's own probabilities."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from archspec.data.loose import ASKED, Loose
from archspec.data.pipeline import Pipeline
from archspec.data.transform import Transform, TransformError
from archspec.training.document import RunSpec
from tests.training import runs
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow

SIZES = ((40, 53), (31, 28), (90, 64))


def picture(draw, size, middle):
    """A smooth image, as photographs are: coarse noise, enlarged."""
    coarse = np.uint8(np.clip(draw.normal((middle, middle + 20, 90), 40, (6, 7, 3)), 0, 255))
    return Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder, draw = tmp_path_factory.mktemp("pictures"), np.random.default_rng(3)
    for i, size in enumerate(SIZES):
        picture(draw, size, 100).save(folder / f"{i}.png")
    return sorted(folder.glob("*.png"))


def steps_of(written):
    made = RunSpec.model_validate({"archspec_run": 1, "spec": "x", "augment": written}, context={"folder": None})
    return tuple(made.augment)


@pytest.mark.fast(2)
@pytest.mark.parametrize(
    "written",
    [
        [{"resize": 16}],
        [{"resize": {"size": [64, 20], "antialias": False}}, "rescale"],
        [{"resize": {"size": [16, 20], "method": "nearest"}}],
        [{"resize": {"size": [16, 80], "method": "bicubic"}}, {"normalize": {"mean": [120, 110, 100], "std": 50}}],
        [{"resize": {"size": 21, "method": "lanczos3"}}],
        [{"resize": [30, 26]}, {"center_crop": 20}, "standardize"],
        [{"resized_center_crop": 24}],
        [{"resized_center_crop": {"size": [24, 16], "short": 28}}, {"rescale": {"low": -1}}],
    ],
    ids=str,
)
def test_each_step_gives_what_evaluation_sees(written, pictures):
    steps = steps_of(written)
    source = Loose(paths=tuple(map(str, pictures)))
    pipeline = Pipeline(source, source.features(), (), steps, 1, 0)
    seen = [np.asarray(image)[0] for image, _ in pipeline.evaluation(ASKED, lambda batch: (batch["image"], ()))]
    for path, expected in zip(pictures, seen, strict=True):
        made = np.asarray(Image.open(path))[None]
        import tensorflow as tf

        made = tf.constant(made)
        for step in steps:
            made = step.exported(made)
        found = np.asarray(made)[0]
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        # Where 8-bit images are scaled, sums in another order may round one step apart.
        one_step = 1.0 if expected.dtype == np.uint8 else 1 / 40
        difference = np.abs(found.astype("float64") - expected)
        assert difference.max() <= one_step + 1e-4 and (difference > 1e-4).mean() < 0.002


@pytest.mark.parametrize(
    "written",
    [
        [{"resize": [16, 40]}, "rescale"],
        [{"resize": [30, 26]}, {"center_crop": [20, 11]}],
        [{"resized_center_crop": {"size": [24, 16], "short": 28}}],
        [{"letterbox": [20, 32]}],
        [{"letterbox": {"size": 128, "enlarge": False}}, {"center_crop": [60, 100]}, {"resize": 48}],
    ],
    ids=str,
)
def test_boxes_of_what_is_seen_come_back_to_the_image_given_as_predictions_do(written, pictures):
    import keras

    from archspec.data.corners import file_sizes
    from archspec.runs.serving import Lying, with_preprocessing
    from archspec.tasks.detection.predictor import in_file

    steps, draw = steps_of(written), np.random.default_rng(0)
    source = Loose(paths=tuple(map(str, pictures)))
    pipeline = Pipeline(source, source.features(), (), steps, 1, 0)
    seen = [batch for batch, _ in pipeline.evaluation(ASKED, lambda batch: (batch, ()))]
    height, width = seen[0]["image"].shape[1:3]
    boxes = draw.uniform(-0.2, 1.2, (1, 9, 2, 2)) * [width, height]
    boxes = np.sort(boxes, 2).reshape(1, 9, 4).astype("float32")
    boxes[:, -2:] = 0
    image = keras.Input((height, width, 3))
    model = keras.Model(image, {"boxes": keras.layers.Lambda(lambda x: keras.ops.convert_to_tensor(boxes))(image)})
    network = with_preprocessing(model, source.features().image, steps, {}, {}, Lying(("boxes",)))
    for path, batch in zip(pictures, seen, strict=True):
        corners = np.asarray(batch["corners"])
        inside = in_file(np.clip(boxes, 0, [width, height, width, height]), corners)
        wanted = np.clip(inside, 0, np.tile(file_sizes(corners), 2)[:, None])
        wanted[:, -2:] = 0
        said = network(np.asarray(Image.open(path))[None])["boxes"]
        np.testing.assert_allclose(said, wanted, atol=1e-3)


@pytest.mark.parametrize(
    ("written", "margin"),
    [
        ([{"resize": [16, 40]}, "rescale"], 0),
        ([{"resize": [30, 26]}, {"center_crop": [20, 11]}], 3),
        ([{"letterbox": [20, 32]}], 0),
        ([{"letterbox": {"size": 128, "enlarge": False}}, {"center_crop": [60, 100]}, {"resize": 48}], 0),
    ],
    ids=str,
)
def test_masks_and_segments_of_what_is_seen_come_back_to_the_image_given_as_predictions_do(written, margin, pictures):
    import keras

    from archspec.data.corners import placement
    from archspec.data.pasting import sampled
    from archspec.runs.serving import Lying, with_preprocessing
    from archspec.tasks.segmentation.predictor import MaskPredictor

    steps, draw = steps_of(written), np.random.default_rng(0)
    source = Loose(paths=tuple(map(str, pictures)))
    pipeline = Pipeline(source, source.features(), (), steps, 1, 0)
    seen = [batch for batch, _ in pipeline.evaluation(ASKED, lambda batch: (batch, ()))]
    height, width = seen[0]["image"].shape[1:3]
    # Of coarse noise, so that classes have areas; a network without padding tells of the middle alone.
    coarse = draw.random((1, 4, 5, 6), np.float32)
    scores = np.asarray(keras.ops.image.resize(coarse, (height - 2 * margin, width - 2 * margin)))
    numbers = draw.integers(0, 300, (1, height, width)).astype("int32")
    image = keras.Input((height, width, 3))
    made = {"scores": scores, "panoptic": numbers}
    lambdas = {n: keras.layers.Lambda(lambda x, v=v: keras.ops.convert_to_tensor(v))(image) for n, v in made.items()}
    lying = Lying(numbered=("panoptic",), scored=("scores",))
    network = with_preprocessing(keras.Model(image, lambdas), source.features().image, steps, {}, {}, lying)
    predictor = MaskPredictor.__new__(MaskPredictor)
    for path, batch in zip(pictures, seen, strict=True):
        there, raw = placement(np.asarray(batch["corners"]))[0], np.asarray(Image.open(path))
        said = {name: np.asarray(value)[0] for name, value in network(raw[None]).items()}
        assert (said["classes"].dtype, said["panoptic"].dtype) == (np.uint8, np.int32)
        wanted = predictor.mask({"probabilities": scores}, there, (height, width), raw.shape[:2])
        # Where two scores cross, or a pixel lies on an edge, the last digit decides.
        assert (said["classes"] != wanted).mean() < 1e-3 and (said["classes"] == 255).any() == (wanted == 255).any()
        assert (said["panoptic"] != sampled(numbers[0], there, raw.shape[:2])).mean() < 1e-3
        assert said["scores"].shape == scores.shape[1:]


def test_boxes_that_masks_fill_are_not_cut(pictures):
    import keras

    from archspec.data.corners import placement
    from archspec.runs.serving import Lying, with_preprocessing

    boxes = np.float32([[[-4, 2, 9, 30], [3, -8, 40, 12], [0, 0, 0, 0]]])
    steps = steps_of([{"letterbox": [20, 32]}])
    image = keras.Input((20, 32, 3))
    made = {"boxes": boxes, "masks": np.zeros((1, 3, 7, 7), np.float32)}
    lambdas = {n: keras.layers.Lambda(lambda x, v=v: keras.ops.convert_to_tensor(v))(image) for n, v in made.items()}
    source = Loose(paths=tuple(map(str, pictures)))
    lying = Lying(boxes=("boxes",), filling=("masks",))
    network = with_preprocessing(keras.Model(image, lambdas), source.features().image, steps, {}, {}, lying)
    pipeline = Pipeline(source, source.features(), (), steps, 1, 0)
    for path, (batch, _) in zip(pictures, pipeline.evaluation(ASKED, lambda batch: (batch, ())), strict=True):
        there = placement(np.asarray(batch["corners"]))[0]
        wanted = (boxes[0].reshape(-1, 2) - there[:, 2]) / np.diag(there[:, :2])
        wanted = wanted.reshape(3, 4)
        wanted[2] = 0
        said = network(np.asarray(Image.open(path))[None])["boxes"]
        np.testing.assert_allclose(said[0], wanted, atol=1e-3)


@pytest.mark.parametrize("written", [[{"resize": {"size": 8, "method": "area"}}], [{"halves": {}}]])
def test_what_other_programs_have_not_is_refused(written):
    import tensorflow as tf

    (step,) = steps_of(written) if "resize" in written[0] else (Transform.find("halves")(left="a", right="b"),)
    with refuses(TransformError):
        step.exported(tf.zeros((1, 16, 16, 3), tf.uint8))


SPEC = """
archspec: 1
name: small
inputs: {image: [16, 20, 3]}
body: [conv: {filters: 4, kernel: 3}, relu, global_avg_pool]
heads:
  main: {body: [dense: 2], loss: categorical_crossentropy}
"""
RUN = """
archspec_run: 1
spec: small.yaml
data: {folder: pictures}
augment: [resize: 24, center_crop: [16, 20], normalize: {mean: data, std: data}]
train: {optimizer: {adam: 0.01}, epochs: 1, batch: 8, seed: 5}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder, draw = tmp_path_factory.mktemp("runs"), np.random.default_rng(3)
    for split, count in (("train", 6), ("val", 2)):
        for name, middle in (("dark", 60), ("light", 150)):
            (folder / "pictures" / split / name).mkdir(parents=True)
            for i in range(count):
                picture(draw, SIZES[i % 3], middle).save(folder / "pictures" / split / name / f"{i}.png")
    run = runs.write(folder, RUN, SPEC)
    assert main(["train", str(run), "--logdir", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


def by_tensorflow(path, image):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return np.asarray(loaded.serve(image))


def by_onnxruntime(path, image):
    session = pytest.importorskip("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})[0]


def by_litert(path, image):
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(path))
    given = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(given, image.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given, image)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "asked"), [("saved", by_tensorflow), ("net.onnx", by_onnxruntime), ("net.tflite", by_litert)]
)
def test_an_exported_file_gives_the_runs_probabilities_of_raw_images(trained, pictures, tmp_path, capsys, name, asked):
    if name == "net.onnx":
        pytest.importorskip("tf2onnx")
    capsys.readouterr()
    assert main(["predict", str(trained), *map(str, pictures), "--format", "json"]) == 0
    records = json.loads(capsys.readouterr().out)
    code = main(["export", str(trained), "-o", str(tmp_path / name), "--with-preprocessing"])
    err = capsys.readouterr().err
    assert code == 0, err
    assert "what it does to an example itself (resize, center_crop, normalize)" in err
    said = json.loads(next(tmp_path.glob("*.preprocessing.json")).read_text())
    assert said["transforms"] == [] and said["within"][0] == {"resize": [24, 24]} and said["image"] == [None, None, 3]
    for path, record in zip(pictures, records, strict=True):
        shares = {c["class"]: c["probability"] for c in record["classes"]}
        found = asked(tmp_path / name, np.asarray(Image.open(path))[None])
        np.testing.assert_allclose(found[0], [shares["dark"], shares["light"]], atol=1e-4)
    if name == "net.onnx":
        import onnx

        properties = {p.key: json.loads(p.value) for p in onnx.load(str(tmp_path / name)).metadata_props}
        assert properties["classes"] == ["dark", "light"] and properties["within"] == said["within"]


ROWS = """
archspec: 1
name: small
inputs: {vector: [2]}
body: [linear]
heads:
  main: {body: [dense: 2], loss: mse}
"""
TABLE = "a,b,rooms,price\n" + "".join(f"{k},{k % 7},{k % 5},{1000 * k}\n" for k in range(40))


@pytest.mark.slow
def test_an_exported_file_gives_numbers_in_the_units_of_the_data(tmp_path, capsys):
    """What is learnt has mean 0 and deviation 1; a file without what is done before it says which they were."""
    (tmp_path / "table.csv").write_text(TABLE)
    data = "data: {csv: {path: table.csv, target: [rooms, price]}}\naugment: [normalize: {mean: data, std: data}]"
    path = runs.write(
        tmp_path,
        f"archspec_run: 1\nspec: small.yaml\n{data}\ntrain: {{task: regression, epochs: 2, batch: 8}}",
        ROWS,
    )
    run = str(tmp_path / "run")
    assert main(["train", str(path), "--logdir", run, "--quiet"]) == 0
    (tmp_path / "asked.csv").write_text("a,b\n3,5\n30,2\n")
    capsys.readouterr()
    assert main(["predict", run, str(tmp_path / "asked.csv"), "--format", "json"]) == 0
    wanted = [list(record["numbers"].values()) for record in json.loads(capsys.readouterr().out)]
    for name, *how in (("plain",), ("whole", "--with-preprocessing")):
        assert main(["export", run, "-o", str(tmp_path / name), *how]) == 0
    rows = np.array([[3, 5], [30, 2]], "float32")
    np.testing.assert_allclose(by_tensorflow(tmp_path / "whole", rows), wanted, rtol=1e-4)
    said = json.loads((tmp_path / "plain.preprocessing.json").read_text())
    (step,), units = said["transforms"], said["units"]["main"]
    assert "units" not in json.loads((tmp_path / "whole.preprocessing.json").read_text())
    seen = (rows - step["normalize"]["mean"]) / step["normalize"]["std"]
    learnt = by_tensorflow(tmp_path / "plain", seen.astype("float32"))
    np.testing.assert_allclose(learnt * units["deviation"] + units["mean"], wanted, rtol=1e-4)


@pytest.mark.slow
def test_keras_files_take_no_preprocessing(trained, tmp_path, capsys):
    assert main(["export", str(trained), "-o", str(tmp_path / "net.keras"), "--with-preprocessing"]) == 2
    assert "a .keras file cannot hold preprocessing" in capsys.readouterr().err and not list(tmp_path.iterdir())


TWO_HEADS = """
archspec: 1
name: net
inputs: {image: [4, 4, 1]}
body: [flatten, dense: 4]
heads:
  main: {body: [dense: 3], loss: sparse_categorical_crossentropy}
  aside: {body: [dense: 2], loss: LOSS}
"""


@pytest.mark.parametrize(
    ("task", "loss", "target", "shared"),
    [
        ("classification", "sparse_categorical_crossentropy", {}, {"main"}),
        ("multitask", "sparse_categorical_crossentropy", {"aside": "label"}, {"main", "aside"}),
        ("multitask", "mse", {}, {"main"}),
    ],
)
def test_of_several_heads_each_that_has_classes_gives_their_probabilities(task, loss, target, shared):
    """Keras has outputs in the order of their names, a spec in that in which they are written."""
    import archspec
    from archspec.data.example import Example
    from archspec.data.features.image import Image as Pixels
    from archspec.data.features.label import Label
    from archspec.data.features.numbers import Numbers
    from archspec.ir.tensors import TensorSpec
    from archspec.runs.serving import with_preprocessing
    from archspec.training.settings import TrainSettings
    from archspec.training.task import Task

    graph = archspec.loads(TWO_HEADS.replace("LOSS", loss))
    raw = TensorSpec((4, 4, 1), "uint8")
    features = Example({"image": Pixels(raw), "label": Label(3, ("a", "b", "c")), "aside": Numbers(("x", "y"))})
    made = Task.find(task)()
    if task == "multitask":
        made = made.model_copy(update={"targets": target}).resolved(graph, features)
    model = archspec.compile(graph)
    activations = made.shared_by(graph.inference(), TrainSettings(), features)
    assert set(activations) == shared
    image = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 1)).astype("uint8")
    found, scores = with_preprocessing(model, raw, steps_of(["rescale"]), activations, {})(image), model(image / 255)
    for head, values in found.items():
        expected = np.asarray(scores[head])
        if head in shared:
            expected = np.exp(expected) / np.exp(expected).sum(-1, keepdims=True)
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize("count", [1, 2, 5])
def test_grey_images_of_a_batch_are_resized_as_each_of_them(count):
    import tensorflow as tf

    from archspec.data.pixels import framed, scaled

    images = np.random.default_rng(count).integers(0, 256, (count, 8, 8, 1)).astype("uint8")
    wanted = tf.image.resize(images, (32, 24), antialias=True)
    np.testing.assert_allclose(scaled(images, (32, 24), "bilinear", antialias=True), wanted, atol=1e-3)
    found = framed(images, (32, 40), (tf.constant(32), tf.constant(24)), 114.0, antialias=True)
    np.testing.assert_allclose(found[:, :, 8:32], wanted, atol=1e-3)
