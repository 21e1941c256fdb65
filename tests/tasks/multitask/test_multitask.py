"""Several heads, each with a task and a target of its own; one head is the case of one."""

import json

import numpy as np
import pytest
import yaml

import archspec
from archspec.cli import main
from archspec.runs import Run
from archspec.runs.evaluation import evaluate
from archspec.training.errors import RunError
from archspec.training.looking import PLAIN
from archspec.training.record import write_plan
from tests.wording import refuses

SPEC = """
archspec: 1
name: two
inputs: {image: [8, 8, 1]}
body: [{flatten: {}, as: flat}]
heads:
  kind: {from: flat, body: [dense: 10], loss: sparse_categorical_crossentropy, weight: 2}
  ink: {from: flat, body: [dense: 1], loss: mse}
  aux: {from: flat, body: [{dense: {units: 10, activation: softmax}}], loss: categorical_crossentropy, train_only: true}
"""
RUN = """
archspec_run: 1
spec: net.yaml
data: {digits: {ink: true}}
train: {epochs: 2, batch: 32, optimizer: {adam: 0.01}, seed: 3, monitor: ink_r2}
"""
ONE = """
archspec: 1
name: one
inputs: {image: [8, 8, 1]}
body: [flatten]
heads:
  kind: {body: [dense: 10], loss: sparse_categorical_crossentropy, weight: 2}
"""
APART = """
archspec: 1
name: apart
inputs: {vector: [2]}
body: [{dropout: 0.0, as: same}]
heads:
  far: {from: same, body: [dense: 1], loss: mse}
  near: {from: same, body: [dense: 1], loss: mae}
"""
TABLE = "a,b,near,far\n" + "".join(f"{k},{-k},{k % 3},{1000 * k}\n" for k in range(20))


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def opened(folder, run=RUN, spec=SPEC, **changes):
    (folder / "net.yaml").write_text(spec)
    (folder / "run.yaml").write_text(run)
    return Run.open(folder / "run.yaml", **changes)


def test_tasks_and_targets_follow_from_losses_and_names(folder):
    plan = opened(folder).plan()
    assert plan.document("net.yaml")["train"]["task"] == {
        "multitask": {
            "heads": {"kind": "classification", "ink": "regression", "aux": "classification"},
            "targets": {"kind": "label", "ink": "ink", "aux": "label"},
        }
    }
    assert plan.pipeline.augment[0].name == "rescale"
    figures = plan.figures()
    assert {"kind_accuracy", "kind_top_1", "kind_ece", "ink_mae", "ink_r2", "aux_loss", "loss"} <= set(figures)
    assert not any(name.startswith(("aux_acc", "aux_top")) for name in figures)
    assert figures["kind_accuracy"] == figures["ink_r2"] == "max" and figures["ink_rmse"] == "min"


def test_each_number_of_a_row_can_have_a_head(folder):
    (folder / "table.csv").write_text(TABLE)
    run = RUN.replace("{digits: {ink: true}}", "{csv: {path: table.csv, target: [near, far]}}").replace(
        "ink_r2", "far_r2"
    )
    plan = opened(folder, run, APART).plan().fitted()
    (split,) = [rows for name, rows in plan.source.features().splits.items() if name == "train"]
    heads = plan.task.heads
    told = plan.source.arrays("train")["label"]
    assert len(told) == split
    assert heads["near"].mean == pytest.approx([told[:, 0].mean()]) and heads["far"].mean == pytest.approx(
        [told[:, 1].mean()]
    )
    assert heads["far"].deviation == pytest.approx([told[:, 1].std()])


@pytest.fixture
def recorded(folder):
    """``recorded("name", …)``: a run directory, as a training leaves it but for its weights."""

    def make(name, *args):
        (folder / name).mkdir()
        write_plan(opened(folder, *args).plan(), folder / name)
        (folder / name / "weights.npz").touch()
        return folder / name

    return make


def test_networks_that_tell_other_things_have_no_mean(folder, recorded):
    one, other = recorded("one"), recorded("other", RUN, SPEC.replace("kind:", "sort:"))
    with refuses(RunError):
        evaluate([one, other], PLAIN)
    (folder / "table.csv").write_text(TABLE)
    run = RUN.replace("{digits: {ink: true}}", "{csv: {path: table.csv, target: [near, far]}}").replace(
        "ink_r2", "far_r2"
    )
    swapped = run.replace("monitor:", "task: {multitask: {targets: {near: far, far: near}}}, monitor:")
    with refuses(RunError):
        evaluate([recorded("as_named", run, APART), recorded("swapped", swapped, APART)], PLAIN)


@pytest.mark.tensorflow
def test_losses_are_added_by_their_weights_and_each_head_has_its_target(folder):
    made = opened(folder).plan().fitted()
    model = archspec.compile(made.graph, training=True)
    objective = made.task.trainer(made.graph, model, made.train, made.features)
    model.compile("sgd", **objective.compiled())
    arrays = {name: values[:40] for name, values in made.source.arrays("test").items()}
    x, y = objective.pairs({**arrays, "image": arrays["image"] / np.float32(255)})
    found = model.evaluate(x, y, batch_size=40, return_dict=True, verbose=0)
    outputs = {name: np.asarray(value, np.float64) for name, value in model(x).items()}
    rows, label = np.arange(40), arrays["label"]
    logits = outputs["kind"] - outputs["kind"].max(1, keepdims=True)
    kind = -(logits[rows, label] - np.log(np.exp(logits).sum(1))).mean()
    aux = -np.log(outputs["aux"][rows, label]).mean()
    ink = made.source.arrays("train")["ink"]
    wanted = (arrays["ink"] - ink.mean()) / ink.std()
    assert found["loss"] == pytest.approx(2 * kind + ((outputs["ink"] - wanted) ** 2).mean() + aux, rel=1e-5)
    assert found["kind_accuracy"] == pytest.approx((outputs["kind"].argmax(1) == label).mean())
    assert "aux_accuracy" not in found


@pytest.mark.tensorflow
def test_one_head_is_the_case_of_one(folder):
    """The same network with the same data, once by its task and once as the only one of several."""
    data = RUN.replace("{digits: {ink: true}}", "digits").replace("monitor: ink_r2", "task: TASK")
    plain = opened(folder, data.replace("TASK", "classification"), ONE).plan()
    alone = opened(folder, data.replace("TASK", "multitask"), ONE).plan()
    assert dict(plain.figures()) == dict(alone.figures())
    model = archspec.compile(plain.graph)
    batch = {name: values[:8] for name, values in plain.source.arrays("test").items()}
    batch["image"] = batch["image"] / np.float32(255)
    said = []
    for plan in (plain, alone):
        objective = plan.task.trainer(plan.graph, model, plan.train, plan.features)
        predictor = plan.task.predictor(plan.graph, model, plan.train, plan.features)
        (evaluator,) = plan.task.evaluators(plan.graph, plan.features)
        counting, answers = evaluator.begin(plan.features), predictor(batch)
        counting.update(plan.task.truth(batch, plan.features), answers)
        found = counting.result()
        records = predictor.records(answers, plan.features, 3)
        said.append(
            (
                objective.compiled()["loss_weights"],
                [np.asarray(one).tolist() for one in objective.pairs(batch)],
                found.text(),
                json.dumps(found.record()),
                sorted(found.panels()),
                [predictor.line("x", record) for record in records],
            )
        )
    assert said[0] == said[1]


@pytest.mark.tensorflow
def test_the_network_is_computed_once_for_all_heads(folder, monkeypatch):
    plan = opened(folder).plan().fitted()
    model = archspec.compile(plan.graph, training=True)
    predictor = plan.task.predictor(plan.graph, model, plan.train, plan.features)
    batch = {name: values[:8] for name, values in plan.source.arrays("test").items()}
    batch["image"] = batch["image"] / np.float32(255)
    computed, call = [], model.call
    monkeypatch.setattr(model, "call", lambda *args, **named: computed.append(1) or call(*args, **named))
    said = predictor(batch)
    assert len(computed) == 1
    assert set(said) == {"kind/probabilities", "ink/numbers"}
    outputs = model(batch["image"])
    ink = plan.source.arrays("train")["ink"]
    assert said["kind/probabilities"].argmax(1).tolist() == np.asarray(outputs["kind"]).argmax(1).tolist()
    assert said["ink/numbers"] == pytest.approx(np.asarray(outputs["ink"]) * ink.std() + ink.mean(), rel=1e-5)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_run_from_training_to_predictions(folder, capsys):
    """Figures of each head in the log, in evaluations, for ``monitor``; predictions by head, with the data gone."""
    from PIL import Image

    result = opened(folder).train(folder / "run", progress=None)
    logged = (folder / "run" / "log.csv").read_text().split("\n")[0].split(",")
    assert {"val_kind_accuracy", "val_ink_r2", "val_ink_mae"} <= set(logged)
    rows = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    assert result.best["value"] == max(row["val_ink_r2"] for row in rows if "val_ink_r2" in row)
    found = Run.open(folder / "run").evaluate(split="test")
    assert found.figures["kind_top_1"] == pytest.approx(result.metrics["kind_accuracy"])
    assert found.figures["ink_r2"] == pytest.approx(result.metrics["ink_r2"], abs=1e-5)
    assert found.record()["ink"]["outputs"]["ink"]["r2"] == found.figures["ink_r2"]
    assert found.text().startswith("kind\nexamples 360") and "\n\nink\nexamples 360" in found.text()
    kept = yaml.safe_load((folder / "run" / "run.yaml").read_text())["train"]["task"]["multitask"]["heads"]
    assert kept["ink"]["regression"]["mean"][0] == pytest.approx(19.54, abs=0.01)
    Image.fromarray(np.full((8, 8), 200, "uint8")).save(folder / "grey.png")
    assert main(["predict", str(folder / "run"), str(folder / "grey.png"), "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert len(record["kind"]["classes"]) == 5 and set(record["ink"]["numbers"]) == {"ink"}
