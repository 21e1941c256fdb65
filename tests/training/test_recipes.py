"""The run files of the catalogue: each is a run that can start, given data of its kind."""

import os
from pathlib import Path

import numpy as np
import pytest

from archspec.frontend import catalogue
from archspec.runs import Run
from archspec.runs.request import changed, requested
from archspec.training.inputs import named_inputs

RECIPES = sorted(
    path for task in ("classification", "multitask") for path in catalogue.folder().glob(f"runs/{task}/*.yaml")
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Six photographs in three classes, and as many for validation."""
    from PIL import Image

    folder, draw = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("cat", "dog", "owl"):
            (folder / split / name).mkdir(parents=True)
            for i in range(2):
                pixels = draw.integers(0, 256, (300, 400, 3)).astype("uint8")
                Image.fromarray(pixels).save(folder / split / name / f"{i}.jpg")
    return folder


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_a_recipe_can_start(path, photos):
    if "text_sentences/" in path.read_text() and "ARCHSPEC_DATA" not in os.environ:
        pytest.skip("ARCHSPEC_DATA names no folder of real data")
    found = requested(path.stem)
    if found.run.data is None:
        settings, data = {"classes": 3}, str(photos)
        if found.run.spec == "lenet5" or found.run.set.get("channels") == 1:
            data = str(_small(photos, 1, found.run.set.get("size", 32)))
        found = changed(found, {"data": data, "set": settings})
    plan = found.plan()
    training, evaluation = plan.pipeline.features()
    read = [name for name in training.parts if name not in training.targets]
    for name, part in named_inputs(plan.graph, read).items():
        assert training.parts[part].shape == evaluation.parts[part].shape == plan.graph.inputs[name].shape
    assert plan.steps > 0


def _small(photos: Path, channels: int, size: int) -> Path:
    path = photos / f"small{size}.npz"
    np.savez(path, x=np.zeros((30, size, size, channels), "uint8"), y=np.arange(30) % 3)
    return path


def test_googlenet_trains_its_auxiliary_heads(photos):
    plan = Run.open("googlenet", data=str(photos), set={"classes": 3}).plan()
    assert [(o.name, o.weight, o.train_only) for o in plan.graph.outputs][1:] == [
        ("aux1", 0.3, True),
        ("aux2", 0.3, True),
    ]


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.filterwarnings("error:.*ran out of data")
def test_googlenet_takes_a_step_and_saves_without_them(photos, tmp_path):
    import keras

    of = Run.open("googlenet", data=str(photos), set={"classes": 3}, epochs=1, batch=2)
    result = of.train(tmp_path / "run", progress=None)
    assert set(result.training) >= {"loss", "main_loss", "aux1_loss", "aux2_loss", "main_accuracy"}
    t = result.training
    assert t["loss"] == pytest.approx(t["main_loss"] + 0.3 * (t["aux1_loss"] + t["aux2_loss"]), rel=1e-3)
    assert keras.saving.load_model(tmp_path / "run" / "model.keras").output.shape == (None, 3)


@pytest.mark.long
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["lenet_bn", "resnet8_digits"])
def test_a_network_with_batch_normalisation_reads_99_of_100_digits(name, tmp_path):
    """The first of the three seeds whose figures the run file gives."""
    from archspec.training.run import run

    result = run(Run.open(name).plan(), tmp_path / "run", progress=None)
    assert result.metrics["accuracy"] >= 0.99
