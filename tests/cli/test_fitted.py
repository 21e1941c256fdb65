"""What was fitted to the training data goes with the run: predicted, evaluated and exported networks see by it."""

import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from tests.training import runs

pytestmark = pytest.mark.tensorflow

SPEC = """
archspec: 1
name: small
inputs: {image: [8, 8, 3]}
body: [conv: {filters: 4, kernel: 3}, relu, flatten]
heads:
  main: {body: [dense: {units: 2, activation: softmax}], loss: categorical_crossentropy}
"""
RUN = """
archspec_run: 1
spec: small.yaml
data: {folder: pictures}
augment: [resize: 8, pca_noise: 0.1, STEP]
train: {optimizer: {adam: 0.01}, epochs: 2, batch: 8, seed: 5}
"""
STEPS = {
    "normalize": "normalize: {mean: data, std: data}",
    "subtract_mean_image": "subtract_mean_image",
}


@pytest.fixture(scope="module", params=list(STEPS))
def trained(request, tmp_path_factory):
    """A run on pictures around two colours, whose pictures to train on are gone, and those that it held out."""
    folder, random = tmp_path_factory.mktemp("runs"), np.random.default_rng(3)
    train = []
    for split, count in (("train", 12), ("val", 5)):
        for name, middle in (("dark", 60), ("light", 150)):
            (folder / "pictures" / split / name).mkdir(parents=True)
            for i in range(count):
                image = np.uint8(np.clip(random.normal((middle, middle + 20, 90), 30, (8, 8, 3)), 0, 255))
                Image.fromarray(image).save(folder / "pictures" / split / name / f"{i}.png")
                train += [image] if split == "train" else []
    run = runs.write(folder, RUN.replace("STEP", STEPS[request.param]), SPEC)
    assert main(["train", str(run), "--logdir", str(folder / "run"), "--quiet"]) == 0
    shutil.rmtree(folder / "pictures" / "train")
    images = np.float64(train)
    # By NumPy, of what the run was trained on.
    mean, std = images.mean((0, 1, 2)), images.std((0, 1, 2))
    if request.param == "subtract_mean_image":
        mean, std = images.mean(0), np.ones(3)
    return folder, mean, std


def output(capsys, *arguments):
    capsys.readouterr()
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert "defect" not in err
    return code, out, err


def wanted(folder, paths, mean, std):
    """The network's own probabilities of images that NumPy prepares."""
    images = np.stack([np.asarray(Image.open(path)) for path in paths])
    model = keras.saving.load_model(folder / "run" / "model.keras")
    return model.predict(np.float32((images - mean) / std), verbose=0)


@pytest.mark.slow
def test_predict_sees_by_what_was_fitted(trained, capsys):
    folder, mean, std = trained
    paths = sorted((folder / "pictures" / "val").rglob("*.png"))
    code, out, err = output(capsys, "predict", folder / "run", *paths, "--format", "json")
    assert code == 0, err
    for record, row in zip(json.loads(out), wanted(folder, paths, mean, std), strict=True):
        said = {c["class"]: c["probability"] for c in record["classes"]}
        assert [said["dark"], said["light"]] == pytest.approx(row, abs=2e-5)


@pytest.mark.slow
def test_other_data_are_evaluated_by_what_was_fitted_to_those_of_the_run(trained, capsys):
    folder, mean, std = trained
    paths = sorted((folder / "pictures" / "val").rglob("*.png"))
    code, out, err = output(
        capsys, "evaluate", folder / "run", "--data", folder / "pictures" / "val", "--format", "json"
    )
    assert code == 0, err
    rows = wanted(folder, paths, mean, std)
    own = [row[int(path.parent.name == "light")] for row, path in zip(rows, paths, strict=True)]
    assert json.loads(out)["examples"] == len(paths) == 10
    assert json.loads(out)["loss"] == pytest.approx(-np.log(own).mean(), rel=1e-4)


@pytest.mark.slow
def test_a_run_that_is_moved_and_gone_on_with_keeps_it(trained, tmp_path, capsys):
    folder, *_ = trained
    shutil.copytree(folder / "run", tmp_path / "moved")
    kept = (tmp_path / "moved" / "run.yaml").read_text()
    assert "data," not in kept and "mean: data" not in kept and "deviations" in kept
    paths = sorted((folder / "pictures" / "val").rglob("*.png"))[:3]
    before = output(capsys, "predict", folder / "run", *paths)[1]
    assert output(capsys, "predict", tmp_path / "moved", *paths)[:2] == (0, before)


@pytest.mark.slow
def test_an_export_says_what_belongs_before_it(trained, tmp_path, capsys):
    folder, mean, std = trained
    code, _, err = output(capsys, "export", folder / "run", "-o", tmp_path / "net.keras")
    assert code == 0 and "net.preprocessing.json" in err
    said = json.loads((tmp_path / "net.preprocessing.json").read_text())
    assert said["classes"] == ["dark", "light"] and said["image"] == [None, None, 3] and said["dtype"] == "uint8"
    resize, step = said["transforms"]
    assert resize == {"resize": [8, 8]}
    if "normalize" in step:
        assert step["normalize"]["mean"] == pytest.approx(mean) and step["normalize"]["std"] == pytest.approx(std)
    else:
        np.testing.assert_allclose(np.load(tmp_path / step["subtract_mean_image"]), mean, rtol=1e-6)
