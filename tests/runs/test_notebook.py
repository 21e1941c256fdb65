"""What a notebook does: train, evaluate, predict, go on, export; the verbs say the same of the directory."""

import json

import numpy as np
import pytest

import archspec
from tests.training import runs
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    run = archspec.Run.open(runs.write(folder), epochs=2, ema=None)
    run.result = run.train(folder / "first", progress=None)
    return run


@pytest.mark.slow
def test_it_trains_and_evaluates_as_the_verbs_do(run, capsys):
    from archspec.cli import main

    assert run.result.epochs == 2 and run.result.logdir == str(run.logdir)
    found = run.evaluate()
    assert found.figures["top_1"] == pytest.approx(run.result.metrics["accuracy"], abs=1e-6)
    assert found.split == run.result.split and "top-1" in str(found)
    assert main(["evaluate", str(run.logdir), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.record()))
    again = archspec.Run.open(run.logdir).evaluate(split="train")
    assert again.split == "train" and again.record() != found.record()


@pytest.mark.slow
def test_its_model_is_what_it_predicts_with(run, tmp_path):
    from PIL import Image

    image = np.random.default_rng(0).integers(0, 255, (8, 8)).astype("uint8")
    Image.fromarray(image).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("none")
    found = run.predict([tmp_path / "a.png", tmp_path / "b.png"], top=3)
    scores = np.asarray(run.model()(image[None, :, :, None] / 255.0))[0]
    (record,) = found
    assert [c["class"] for c in record["classes"]] == [str(i) for i in np.argsort(-scores)[:3]]
    assert record["classes"][0]["probability"] == pytest.approx(scores.max(), abs=1e-5)
    assert len(found.unreadable) == 1 and "b.png" in found.unreadable[0]
    assert str(found) == found.lines[0] and found.lines[0].startswith(str(tmp_path / "a.png"))
    # An array of the same pixels, of integers of another type.
    (same,) = run.predict(image[None, :, :, None].astype(int), top=3)
    assert same == {"example": "0", "classes": record["classes"]}
    assert len(run.predict({"image": np.zeros((40, 5, 9, 1), "uint8")})) == 40
    assert not len(run.predict(np.zeros((0, 8, 8, 1), "uint8")))


@pytest.mark.slow
def test_it_is_evaluated_on_other_data(run, tmp_path):
    """Grey pictures in a folder: as many channels are read as the run's images had."""
    from PIL import Image

    draw = np.random.default_rng(1)
    pictures = draw.integers(0, 255, (12, 8, 8)).astype("uint8")
    for k, picture in enumerate(pictures):
        (tmp_path / "others" / str(k % 3)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "others" / str(k % 3) / f"{k}.png")
    said = [int(record["classes"][0]["class"]) for record in run.predict(pictures[..., None], top=1)]
    right = np.mean([one == k % 3 for k, one in enumerate(said)])
    for data in (tmp_path / "others", {"folder": str(tmp_path / "others")}):
        found = run.evaluate(data=data)
        assert found.figures["top_1"] == pytest.approx(right) and found.data.startswith("all of folder")
    with refuses(archspec.SpecError):
        run.evaluate(data={"folders": "others"})
    with refuses(archspec.SpecError):
        run.evaluate(split="tset")


@pytest.mark.slow
def test_it_goes_on_and_is_exported(run, tmp_path):
    done = run.export(tmp_path / "net.keras")
    assert done.path.is_file() and json.loads(done.preprocessing.read_bytes())["image"] == [8, 8, 1]
    with refuses(archspec.RunError):
        run.export(tmp_path / "net.h5")
    with refuses(archspec.RunError):
        run.resume(epochs=2, progress=None)
    with refuses(archspec.RunError):
        run.sample(3)
