"""The verbs around a run, from the command line: train, evaluate, predict, export."""

import argparse
import json
import re

import keras
import numpy as np
import pytest

from archspec.cli import main
from tests.shares import SEEDS
from tests.training import runs

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two runs of the small network from different seeds, and images of test digits."""
    from PIL import Image
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("runs")
    run = runs.write(folder, runs.RUN.replace("epochs: 4", "epochs: 12").replace(", ema: 0.99", ""))
    for seed in (1, 2):
        assert main(["train", str(run), "--logdir", str(folder / f"run{seed}"), "--seed", str(seed), "--quiet"]) == 0
    digits = load_digits()
    for i in range(5):
        Image.fromarray(np.rint(digits.images[i] * 255 / 16).astype("uint8")).save(folder / f"{digits.target[i]}.png")
    return folder


def output(capsys, *arguments):
    capsys.readouterr()
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.slow
def test_evaluate_says_what_training_said(trained, capsys):
    code, out, _ = output(capsys, "evaluate", trained / "run1", "--format", "json")
    result = json.loads((trained / "run1" / "result.json").read_text())
    found = json.loads(out)
    assert code == 0
    assert found["top_1"] == pytest.approx(result["metrics"]["accuracy"])
    assert found["loss"] == pytest.approx(result["metrics"]["loss"], rel=1e-4)
    assert sum(map(sum, found["confusion"])) == found["examples"] == 360


@pytest.mark.slow
def test_the_page_of_a_run_has_the_confusion_and_the_worst_examples(trained, tmp_path, capsys):
    code, _, err = output(capsys, "report", trained / "run1", "-o", tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    result = json.loads((trained / "run1" / "result.json").read_text())
    assert (code, err) == (0, "") and f"top-1    {result['metrics']['accuracy']:.4f}" in text
    assert 'alt="confusion"' in text
    told = re.findall(r"<span>(\d) ([\d.]+), (?:is (\d) ([\d.]+)|which it is)</span>", text)
    own = [float(is_share or share) for _, share, _, is_share in told]
    assert len(told) == 12 and own == sorted(own), "the least probable true class comes first"


@pytest.mark.slow
def test_an_ensemble_is_the_mean_of_probabilities(trained, capsys):
    from archspec.data.example import IMAGE, LABEL
    from archspec.runs import Run

    code, out, _ = output(capsys, "evaluate", trained / "run1", trained / "run2", "--format", "json")
    plan, total = Run.open(trained / "run1").plan(), 0
    (images, labels), *_ = plan.pipeline.__class__(
        plan.source, plan.features, (), plan.pipeline.eval_transforms, 360, 0
    ).evaluation("test", lambda batch: (batch[IMAGE], batch[LABEL]))
    for seed in (1, 2):
        total = total + keras.saving.load_model(trained / f"run{seed}" / "model.keras").predict(images, verbose=0) / 2
    found = json.loads(out)
    assert code == 0
    assert found["top_1"] == pytest.approx((total.argmax(-1) == np.asarray(labels)).mean())
    assert found["loss"] == pytest.approx(-np.log(total[np.arange(360), np.asarray(labels)]).mean(), rel=1e-4)


@pytest.mark.slow
def test_predict_names_the_classes_of_images(trained, capsys):
    images = [trained / f"{i}.png" for i in range(5)]
    code, out, _ = output(capsys, "predict", trained / "run1", *images, "--top", "3", "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert [record["image"] for record in found] == [str(path) for path in images]
    assert sum(record["classes"][0]["class"] == path.stem for record, path in zip(found, images, strict=True)) >= 4
    for record in found:
        shares = [c["probability"] for c in record["classes"]]
        assert len(shares) == 3 and shares == sorted(shares, reverse=True) and sum(shares) <= 1.00001


@pytest.mark.slow
def test_a_folder_stands_for_its_images(trained, tmp_path, capsys):
    (tmp_path / "photos" / "more").mkdir(parents=True)
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    wanted = [tmp_path / "photos" / "1.png", tmp_path / "photos" / "more" / "2.PNG"]
    for i, path in enumerate(wanted):
        path.write_bytes((trained / f"{i}.png").read_bytes())
    code, out, _ = output(capsys, "predict", trained / "run1", tmp_path / "photos", "--format", "json")
    assert code == 0 and [record["image"] for record in json.loads(out)] == [str(path) for path in wanted]
    (tmp_path / "none").mkdir()
    code, _, err = output(capsys, "predict", trained / "run1", tmp_path / "none")
    assert code == 1 and "none has no images; they end in .jpg" in err


@pytest.mark.parametrize("name", ["saved", "net.tflite", "net.keras"])
@pytest.mark.slow
def test_exported_networks_say_what_the_network_says(trained, tmp_path, capsys, name):
    code, _, err = output(capsys, "export", trained / "run1", "-o", tmp_path / name)
    assert code == 0, err
    x = np.random.default_rng(0).random((3, 8, 8, 1), np.float32)
    expected = keras.saving.load_model(trained / "run1" / "model.keras").predict(x, verbose=0)
    if name == "saved":
        import tensorflow as tf

        loaded = tf.saved_model.load(str(tmp_path / name))
        found = np.asarray(loaded.serve(x))
    elif name == "net.keras":
        found = keras.saving.load_model(tmp_path / name).predict(x, verbose=0)
    else:
        import tensorflow as tf

        interpreter = tf.lite.Interpreter(str(tmp_path / name))
        given = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(given, x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given, x)
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_onnx_says_what_is_missing_or_agrees(trained, tmp_path, capsys):
    from importlib.util import find_spec

    code, _, err = output(capsys, "export", trained / "run1", "-o", tmp_path / "net.onnx")
    if find_spec("tf2onnx") is None:
        assert (code, "ONNX needs tf2onnx" in err) == (1, True)
    else:
        assert (code, (tmp_path / "net.onnx").is_file()) == (0, True)
        assert "onnxruntime's outputs are within" in err


@pytest.mark.slow
def test_onnx_without_its_packages_is_told_before_anything_else(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = output(capsys, "export", trained / "run1", "-o", tmp_path / "net.onnx", "--format", "onnx")
    assert code == 1
    assert "ONNX needs tf2onnx and onnx, not installed here: pip install 'archspec-keras[onnx]'" in err
    code, _, err = output(capsys, "export", trained / "run1", "-o", tmp_path / "net.onnx", "--format", "litert")
    assert (code, "net.onnx must end in .tflite to be of the format litert" in err) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize(("body", "needs"), [("lstm: {units: 5}", True), ("flatten", False)])
def test_what_a_litert_file_needs_is_told(tmp_path, body, needs):
    from archspec import compile, load
    from archspec.backend.export import export
    from archspec.runs.export import _needed

    (tmp_path / "net.yaml").write_text(f"archspec: 1\nname: net\ninputs: {{x: [7, 4]}}\nbody: [{body}, dense: 3]\n")
    export(compile(load(tmp_path / "net.yaml")), tmp_path / "net.tflite", "litert")
    assert ("Flex" in _needed(tmp_path / "net.tflite")) == needs


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["evaluate", "{}"], 1, "holds no finished run"),
        (["predict", "{}", "x.png"], 1, "holds no finished run"),
        (["export", "{}", "-o", "x.onxx"], 2, "must end in .onnx, .tflite, .keras, or in nothing"),
        (["train", "lenet5", "--epochs", "0"], 2, "must be at least 1"),
        (["train", "lenett5", "--data", "digits"], 1, "did you mean 'lenet5'?"),
        (["train", "lenet5", "--data", "digit"], 1, "did you mean 'digits'?"),
        (["train", "lenet5", "--set", "actvation=relu"], 1, "did you mean 'activation'?"),
        (["train", "lenet5", "--from", "c1=a=b.npz"], 1, "--from c1=a=b.npz: weights must be an existing file"),
        (["train", "lenet5", "--from", "./c1=a.npz"], 1, "got './c1=a.npz'"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, capsys, arguments, code, message):
    found, out, err = output(capsys, *(a.format(tmp_path) for a in arguments))
    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_files_of_weights_go_to_the_layers_that_they_are_for(tmp_path, capsys):
    """A path that exists is a file, whatever it is called."""
    from archspec.cli.train import add_arguments

    def weights(*given):
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        return parser.parse_args(["lenet5", *(a for path in given for a in ("--from", path))]).weights

    (tmp_path / "c1=a.npz").touch()
    assert weights(str(tmp_path / "c1=a.npz")) == str(tmp_path / "c1=a.npz")
    assert weights("G=a.npz", "D.features.0=b=c.npz") == {"G": "a.npz", "D.features.0": "b=c.npz"}
    for given, message in ((("a.npz", "G=b.npz"), "several files need"), (("G=a", "G=b"), "G has two files")):
        with pytest.raises(SystemExit):
            weights(*given)
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_best_weights_that_were_not_kept(trained, capsys):
    code, _, err = output(capsys, "evaluate", trained / "run1", "--best")
    assert (code, "has no 'monitor'" in err) == (1, True)


@pytest.mark.slow
def test_an_image_that_is_none(trained, tmp_path, capsys):
    (tmp_path / "note.png").write_text("not an image")
    code, _, err = output(capsys, "predict", trained / "run1", tmp_path / "note.png")
    assert code == 1
    assert "is not an image of a kind that can be read" in err


@pytest.mark.slow
def test_other_data_with_other_classes_are_refused(trained, tmp_path, capsys):
    np.savez(tmp_path / "other.npz", x=np.zeros((20, 8, 8, 1), "uint8"), y=np.arange(20) % 3)
    code, _, err = output(capsys, "evaluate", trained / "run1", "--data", tmp_path / "other.npz")
    assert code == 1
    assert "the data have 3 classes, head 'main' has 10" in err


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_lenet_5_learns_digits_within_two_cpu_minutes(tmp_path, capsys, seed):
    code, out, err = output(
        capsys, "train", "lenet5", "--seed", seed, "--logdir", tmp_path / "run", "--quiet", "--format", "json"
    )
    assert code == 0, err
    result = json.loads(out)
    assert result["examples"] == 360
    assert result["params"] == 61706
    assert result["metrics"]["accuracy"] >= 0.975
    assert result["cpu_seconds"] < 120


@pytest.mark.slow
def test_dense_and_scales_look_at_more_of_an_image(trained, capsys):
    """All of an 8 × 8 image of a network of that size is one place: dense is what a single look says."""
    run = trained / "run1"
    _, single, _ = output(capsys, "evaluate", run, "--format", "json")
    code, dense, _ = output(capsys, "evaluate", run, "--dense", "--format", "json")
    single, dense = json.loads(single), json.loads(dense)
    assert code == 0 and dense["dense"] and not single["dense"]
    assert dense["loss"] == pytest.approx(single["loss"], abs=1e-5)
    assert dense["confusion"] == single["confusion"]
    code, out, _ = output(capsys, "evaluate", run, "--scales", "8,10", "--dense", "--format", "json")
    scaled = json.loads(out)
    assert code == 0 and scaled["scales"] == [8, 10] and scaled["loss"] != dense["loss"]
    code, out, _ = output(capsys, "evaluate", run, "--scales", "10", "--views", "ten_crop")
    assert code == 0 and "rows: true class, columns: taken for" in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--scales", "4"], "a short side of 4 is less than the network's 8"),
        (["--dense", "--views", "ten_crop"], "--dense looks at all crops"),
    ],
)
@pytest.mark.slow
def test_looks_that_cannot_be_are_refused(trained, capsys, flags, message):
    code, _, err = output(capsys, "evaluate", trained / "run1", *flags)
    assert code == 1 and message in err and "Traceback" not in err


@pytest.mark.slow
def test_images_one_by_one_say_what_they_say_in_batches(tmp_path, capsys):
    """Files may differ in size and go one by one; arrays of the same images, of one size, go in batches."""
    from PIL import Image

    draw = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 20), ("val", 7)):
        labels = np.arange(count) % 2
        images = (draw.integers(0, 256, (count, 12, 10, 1)) // (1 + labels[:, None, None, None])).astype("uint8")
        arrays |= {f"x_{split}": images, f"y_{split}": labels}
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = tmp_path / "files" / split / f"class{label}" / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[:, :, 0]).save(path)
    np.savez(tmp_path / "arrays.npz", class_names=["class0", "class1"], **arrays)
    text = f"""
archspec_run: 1
spec: small.yaml
set: {{classes: 2}}
data: {{folder: {{path: {tmp_path / "files"}, channels: 1}}}}
augment: [resize: 8, rescale]
train: {{epochs: 1, batch: 4}}
"""
    assert main(["train", str(runs.write(tmp_path, text)), "--logdir", str(tmp_path / "run"), "--quiet"]) == 0
    said = []
    for data in ("files", "arrays.npz"):
        flags = ["--data", tmp_path / data] if data != "files" else []
        code, out, err = output(
            capsys, "evaluate", tmp_path / "run", *flags, "--dense", "--scales", "9,12", "--format", "json"
        )
        assert code == 0, err
        said.append(json.loads(out))
    assert said[0]["examples"] == said[1]["examples"] == 7
    # Batches of another size are summed in another order; two of 7 images that were mixed up would show in 1e-2.
    assert said[0]["loss"] == pytest.approx(said[1]["loss"], rel=1e-4)
    assert said[0]["confusion"] == said[1]["confusion"]


COLOURS = """
archspec: 1
name: small
inputs: {image: [8, 8, 3]}
body: [conv: {filters: 4, kernel: 3}, relu, flatten]
heads:
  main: {body: [dense: {units: 3, activation: softmax}], loss: categorical_crossentropy}
"""
COLOURED = """
archspec_run: 1
spec: small.yaml
data: {folder: {path: colours, on_bad: skip}}
augment: [resize: 8, rescale]
train: {optimizer: {adam: 0.03}, epochs: 12, batch: 8, seed: 5}
"""
LOOKS = {"blue": (20, 30, 220), "green": (20, 220, 30), "red": (220, 30, 20)}


def painted(root, *names, count=10):
    from PIL import Image

    random = np.random.default_rng(len(names))
    for name in names:
        (root / name).mkdir(parents=True)
        for i in range(count):
            image = np.uint8(np.clip(random.normal(LOOKS[name], 15, (9, 11, 3)), 0, 255))
            Image.fromarray(image).save(root / name / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def coloured(tmp_path_factory):
    """A run that knows three colours, one of whose pictures is broken."""
    folder = tmp_path_factory.mktemp("colours")
    (painted(folder / "colours", *LOOKS) / "red" / "bad.png").write_bytes(b"not an image")
    run = runs.write(folder, COLOURED, COLOURS)
    assert main(["train", str(run), "--logdir", str(folder / "run"), "--quiet"]) == 0
    return folder


@pytest.mark.slow
def test_what_is_left_out_is_told_at_the_end(coloured, capsys):
    result = json.loads((coloured / "run" / "result.json").read_text())
    assert sum(result["left_out"].values()) == 1
    code, out, err = output(capsys, "evaluate", coloured / "run", "--split", "all", "--format", "text")
    assert code == 0 and "1 of 31 cannot be read and are left out" in err and "examples 30" in out


@pytest.mark.slow
def test_other_data_are_evaluated_whole_and_by_the_names_of_classes(coloured, tmp_path, capsys):
    """Its two classes would be 0 and 1 by themselves; in the run they are 1 and 2."""
    other = painted(tmp_path / "other", "green", "red", count=7)
    code, out, err = output(capsys, "evaluate", coloured / "run", "--data", other, "--format", "json")
    found = json.loads(out)
    assert code == 0, err
    assert found["examples"] == 14 and found["split"] == "all" and found["top_1"] == 1.0
    assert found["classes"] == ["blue", "green", "red"] and found["confusion"] == [[0, 0, 0], [0, 7, 0], [0, 0, 7]]
    _, out, _ = output(capsys, "predict", coloured / "run", other / "red" / "0.png", "--format", "json")
    assert json.loads(out)[0]["classes"][0]["class"] == "red"


@pytest.mark.slow
def test_one_picture_is_evaluated(coloured, tmp_path, capsys):
    other = painted(tmp_path / "other", "green", count=1)
    code, out, err = output(capsys, "evaluate", coloured / "run", "--data", other, "--format", "json")
    assert code == 0 and json.loads(out)["examples"] == 1 and json.loads(out)["top_1"] == 1.0, err


@pytest.mark.slow
def test_splits_of_other_data_are_used_as_they_are_called(coloured, tmp_path, capsys):
    painted(tmp_path / "other" / "training", "green", "red", count=4)
    painted(tmp_path / "other" / "Test", "red", count=3)
    counts = {}
    for flags in ((), ("--split", "train"), ("--split", "all")):
        code, out, err = output(
            capsys, "evaluate", coloured / "run", "--data", tmp_path / "other", *flags, "--format", "json"
        )
        assert code == 0, err
        counts[json.loads(out)["split"]] = json.loads(out)["examples"]
    assert counts == {"test": 3, "train": 8, "all": 11}


@pytest.mark.slow
def test_classes_that_the_run_does_not_know_are_refused(coloured, tmp_path, capsys):
    other = painted(tmp_path / "other", "green", "red", count=3)
    (other / "green").rename(other / "reds")
    code, out, err = output(capsys, "evaluate", coloured / "run", "--data", other)
    assert (code, out) == (1, "") and "the run has no class 'reds'" in err and "did you mean 'red'?" in err


@pytest.mark.slow
def test_other_data_keep_the_arguments_of_the_runs_source(coloured, tmp_path, capsys):
    """``on_bad: skip`` is the run's: without it the broken file would end the evaluation."""
    other = painted(tmp_path / "other", "green", "red", count=3)
    (other / "red" / "bad.png").write_bytes(b"no")
    code, out, err = output(capsys, "evaluate", coloured / "run", "--data", other, "--format", "json")
    assert code == 0 and json.loads(out)["examples"] == 6, err


@pytest.mark.slow
def test_every_bad_file_is_told_and_the_good_ones_are_predicted(coloured, tmp_path, capsys):
    good = coloured / "colours" / "red" / "0.png"
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:100])
    files = [tmp_path / "text.png", good, tmp_path / "cut.png", tmp_path / "none.png"]
    code, out, err = output(capsys, "predict", coloured / "run", *files, "--top", "1")
    assert code == 1 and out.startswith(f"{good}: red")
    assert len(out.splitlines()) == 1 and [line for line in err.splitlines() if line.count(".png")] == [
        f"archspec: {tmp_path / 'text.png'} is not an image of a kind that can be read (text)",
        f"archspec: {tmp_path / 'cut.png'} is a truncated PNG file",
        f"archspec: {tmp_path / 'none.png'} cannot be read (No such file or directory)",
    ]


@pytest.mark.slow
def test_a_run_whose_data_are_gone_says_what_they_were(coloured, tmp_path, capsys):
    import shutil

    shutil.copytree(coloured / "run", tmp_path / "run")
    text = (tmp_path / "run" / "run.yaml").read_text()
    gone = str(coloured / "colours")
    (tmp_path / "run" / "run.yaml").write_text(text.replace(gone, gone + "-gone"))
    (tmp_path / "run" / "model.keras").unlink()
    for verb in ("evaluate", "resume"):
        code, out, err = output(capsys, verb, tmp_path / "run")
        assert (code, out) == (1, "")
        assert "the data of the run are gone" in err and "colours-gone" in err and "3 classes" in err
        assert "run.yaml:6:11: error[R03]" in err and "write here where they are" in err
    good = coloured / "colours" / "red" / "0.png"
    assert output(capsys, "predict", tmp_path / "run", good)[0] == 0
    assert output(capsys, "evaluate", tmp_path / "run", "--data", coloured / "colours")[0] == 0
