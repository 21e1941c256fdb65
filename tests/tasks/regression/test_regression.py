"""Numbers to predict: of rows of a table, of images; in the units of the data, whatever is learnt."""

import json

import numpy as np
import pytest
import yaml

import archspec
from archspec.cli import main
from archspec.ir.diagnostics import SpecError
from archspec.runs import Run

SPEC = """
archspec: 1
name: line
inputs: {vector: [2]}
body: [dropout: 0.0]
heads:
  main: {body: [dense: 2], loss: mse}
"""
RUN = """
archspec_run: 1
spec: line.yaml
data: {csv: {path: table.csv, target: [far, near], inputs: [a, b]}}
train: {task: regression, optimizer: {adam: 0.1}, epochs: 30, batch: 20}
"""


def table(count=200, seed=0):
    """Two numbers that follow from two others, one in the thousands and one below 1."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(count, 2))
    far, near = 5000 + 900 * rows[:, 0] - 300 * rows[:, 1], 0.2 + 0.03 * rows[:, 1]
    lines = [
        f"{a!r},{f!r},{b!r},{n!r}" for (a, b), f, n in zip(rows.tolist(), far.tolist(), near.tolist(), strict=True)
    ]
    return "\n".join(["a,far,b,near", *lines]) + "\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "table.csv").write_text(table())
    (tmp_path / "line.yaml").write_text(SPEC)
    (tmp_path / "run.yaml").write_text(RUN)
    return tmp_path


def plan(folder, run=RUN, spec=SPEC):
    (folder / "run.yaml").write_text(run)
    (folder / "line.yaml").write_text(spec)
    return Run.open(str(folder / "run.yaml")).plan()


REFUSED = [
    (RUN.replace("[far, near]", "far"), SPEC, "the data have 1 numbers to predict (far), head 'main' has 2"),
    (RUN, SPEC.replace("loss: mse", "loss: categorical_crossentropy"), "regression compares numbers"),
    (RUN, SPEC.replace("loss: mse", "loss: mse, metrics: [cosine_similarity]"), "regression reports mae, rmse, r2"),
    (RUN, SPEC.replace("vector: [2]", "vector: [3]"), "the network takes (3,), the data give vector of (2,)"),
    (
        RUN.replace("task: regression", "task: {regression: {weights: [1]}}"),
        SPEC,
        "weights has 1 numbers, the data have 2",
    ),
    (
        RUN.replace("task: regression", "task: {regression: {weights: [0, 0.0]}}"),
        SPEC,
        "all outputs have the weight 0",
    ),
    (RUN.replace("task: regression", "task: {regression: {deviation: [1, 0]}}"), SPEC, "deviation must be above 0"),
    (
        RUN.replace("{csv: {path: table.csv, target: [far, near], inputs: [a, b]}}", "digits"),
        SPEC,
        "regression needs data",
    ),
]


@pytest.mark.parametrize(("run", "spec", "message"), REFUSED, ids=[message[:30] for *_, message in REFUSED])
def test_what_cannot_work_is_refused_before_keras(folder, run, spec, message):
    with pytest.raises(SpecError) as caught:
        plan(folder, run, spec)
    assert any(message in d.message for d in caught.value.diagnostics), [d.message for d in caught.value.diagnostics]


def test_figures_are_known_before_keras(folder):
    assert plan(folder).figures() == {"loss": "min", "mae": "min", "rmse": "min", "r2": "max"}


def test_targets_are_fitted_to_the_training_examples(folder):
    made = plan(folder).fitted()
    label = made.source.arrays("train")["label"].astype("float64")
    np.testing.assert_allclose(made.task.mean, label.mean(0))
    np.testing.assert_allclose(made.task.deviation, label.std(0))
    given = plan(folder, RUN.replace("task: regression", "task: {regression: {mean: [1, 2]}}")).fitted()
    assert given.task.mean == (1.0, 2.0) and given.task.deviation == made.task.deviation
    plain = plan(folder, RUN.replace("task: regression", "task: {regression: {standardize: false}}"))
    assert plain.fitted() is plain


@pytest.mark.tensorflow
def test_what_is_predicted_is_in_the_units_of_the_data():
    import keras

    from archspec.tasks.regression.targets import NumberPredictor

    x = keras.Input((2,))
    model = keras.Model(x, {"main": keras.layers.Identity()(x)})
    predictor = NumberPredictor(model, "main", lambda batch: batch["vector"], (10.0, -3.0), (2.0, 0.5))
    said = predictor({"vector": np.array([[0.0, 0.0], [1.0, -2.0]], "float32")})
    np.testing.assert_allclose(next(iter(said.values())), [[10.0, -3.0], [12.0, -4.0]])


@pytest.mark.tensorflow
@pytest.mark.parametrize("loss", ["mse", "mae", "{huber: 0.4}", "log_cosh"])
def test_weights_of_outputs_weigh_their_part_of_the_loss(folder, loss):
    train = f"task: {{regression: {{weights: [3, 0.5]}}}}, loss: {loss}"
    made = plan(folder, RUN.replace("task: regression", train)).fitted()
    model = archspec.compile(made.graph, training=True)
    objective = made.task.trainer(made.graph, model, made.spec.train, made.features)
    plain = made.task.model_copy(update={"weights": None}).trainer(made.graph, model, made.spec.train, made.features)
    draw = np.random.default_rng(1)
    true, said = draw.normal(size=(2, 6, 2)).astype("float32")
    (weighted,), (usual,) = objective.losses.values(), plain.losses.values()
    parts = [float(usual(true[:, k : k + 1], said[:, k : k + 1])) for k in range(2)]
    assert float(weighted(true, said)) == pytest.approx((3 * parts[0] + 0.5 * parts[1]) / 2, rel=1e-5)
    assert float(usual(true, said)) == pytest.approx(sum(parts) / 2, rel=1e-5)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_network_learns_numbers_of_any_size_and_tells_them_in_their_units(folder, capsys):
    logdir = folder / "out"
    assert main(["train", str(folder / "run.yaml"), "--logdir", str(logdir), "--quiet", "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["metrics"]) == {"loss", "mae", "rmse", "r2"}
    assert result["metrics"]["r2"] > 0.999 and result["metrics"]["mae"] < 10
    # What was fitted stands in the run's record, so that whatever reads it means the same.
    said = yaml.safe_load((logdir / "run.yaml").read_text())["train"]["task"]["regression"]
    assert said["mean"][0] == pytest.approx(5000, rel=0.05) and said["deviation"][1] == pytest.approx(0.03, rel=0.2)
    assert main(["evaluate", str(logdir), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: found[name] for name in ("mae", "rmse", "r2")} == pytest.approx(
        {name: result["metrics"][name] for name in ("mae", "rmse", "r2")}, rel=1e-4
    )
    assert set(found["outputs"]) == {"far", "near"} and found["outputs"]["near"]["mae"] < 0.01
    (folder / "new.csv").write_text("a,b\n1,0\n0,-1\n")
    assert main(["predict", str(logdir), str(folder / "new.csv"), "--format", "json"]) == 0
    first, second = (record["numbers"] for record in json.loads(capsys.readouterr().out))
    assert first == pytest.approx({"far": 5900, "near": 0.2}, rel=0.02)
    assert second == pytest.approx({"far": 5300, "near": 0.17}, rel=0.02)
    (folder / "new.csv").write_text("a\n1\n")
    assert main(["predict", str(logdir), str(folder / "new.csv")]) == 1
    assert "new.csv has no column 'b'; it has a" in capsys.readouterr().err


@pytest.mark.tensorflow
@pytest.mark.slow
def test_numbers_of_images_are_told(tmp_path, capsys):
    """How light an image is, of labels of floats in an archive of arrays."""
    draw = np.random.default_rng(0)
    light = draw.uniform(0, 255, 120)
    images = np.clip(light[:, None, None, None] + draw.normal(0, 5, (120, 4, 4, 1)), 0, 255).astype("uint8")
    np.savez(tmp_path / "light.npz", x=images, y=light.astype("float32"))
    (tmp_path / "line.yaml").write_text(
        "archspec: 1\nname: light\ninputs: {image: [8, 8, 1]}\nbody: [global_avg_pool]\n"
        "heads: {main: {body: [dense: 1]}}\n"
    )
    (tmp_path / "run.yaml").write_text(
        "archspec_run: 1\nspec: line.yaml\ndata: {npz: light.npz}\n"
        "train: {task: regression, optimizer: {adam: 0.1}, epochs: 20, batch: 16, monitor: r2}\n"
    )
    code = main(["train", str(tmp_path / "run.yaml"), "--logdir", str(tmp_path / "out"), "--quiet", "--format", "json"])
    result = json.loads(capsys.readouterr().out)
    assert code == 0 and result["metrics"]["r2"] > 0.95
    assert result["best"]["value"] >= result["metrics"]["r2"]
