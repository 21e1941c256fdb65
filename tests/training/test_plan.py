"""What is refused before TensorFlow is imported, with its place; and what a plan fills in."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from archspec.data.class_weights import class_factors
from archspec.data.errors import DataError
from archspec.data.sources.folder import Folder
from archspec.ir.diagnostics import SpecError
from archspec.training.document import Train
from archspec.training.freezing import matches
from archspec.training.identity import fingerprint
from archspec.training.record import run_text
from tests.data.conftest import picture, save
from tests.shares import few
from tests.training import runs
from tests.wording import refuses

REFUSED = [
    ({"train": "{optimizer: adm}"}, 5, 20, "there is no optimizer 'adm'", "did you mean 'adam'?"),
    ({"train": "{epochs: two}"}, 5, 17, "train.epochs must be an integer, got 'two'", None),
    ({"train": "{eppochs: 2}"}, 5, 9, "train has no key 'eppochs'", "did you mean 'epochs'?"),
    ({"train": "{warmup: 30}"}, 5, 17, "the warm-up takes 30 epochs, the run has 20", None),
    ({"train": "{freeze: [secnd]}"}, 5, 17, "'secnd' matches no layer with weights", "did you mean 'second'?"),
    (
        {"train": "{freeze: {layers: second, until: 1, untill: 2}}"},
        5,
        44,
        "freeze has no parameter 'untill'",
        "did you mean 'until'?",
    ),
    ({"train": "{freeze: ['*']}"}, 5, 17, "every layer is frozen", None),
    ({"train": "{class_weight: [1, 2]}"}, 5, 23, "class_weight has 2 values, the data have 10 classes", None),
    ({"train": "{class_weight: {'3': 2, '11': 1}}"}, 5, 38, "the data have no class '11'", None),
    ({"train": "{class_weight: balancd}"}, 5, 23, "train.class_weight must be 'balanced', or factors from 0", None),
    ({"train": "{class_weight: {'3': -1}}"}, 5, 23, "train.class_weight must be 'balanced', or factors from 0", None),
    (
        {"train": "{steps_per_execution: 5}"},
        5,
        30,
        "an epoch has 44 steps, steps_per_execution of 5 does not divide them",
        "1, 2, 4, 11, 22, 44 do",
    ),
    ({"train": "{clip: {norm: 1, value: 1}}"}, 5, 15, "clip takes one of value, norm, global_norm", None),
    (
        {"train": "{schedule: plateau, warmup: 1}"},
        5,
        36,
        "plateau watches the loss from the start: it takes no warm-up",
        None,
    ),
    (
        {"train": "{patience: 3}"},
        5,
        19,
        "patience waits for a better value of what is monitored, and nothing is",
        "monitor: loss or monitor: accuracy",
    ),
    ({"train": "{schedule: {milestones: [20, 10]}}"}, 5, 32, "milestones.at must rise, got [20, 10]", "[10, 20]"),
    ({"train": "{schedule: {milestones: [10, 10]}}"}, 5, 32, "milestones.at must rise, got [10, 10]", "[10]"),
    ({"train": "{monitor: acuracy}"}, 5, 18, "'acuracy' is no figure of this run's", "did you mean 'accuracy'?"),
    (
        {"train": "{monitor: f1}"},
        5,
        18,
        "'f1' is no figure of this run's",
        "monitor takes loss, accuracy, top_1, top_5, ece, macro_precision, macro_recall, macro_f1, macro_auc, "
        "micro_f1, micro_auc",
    ),
    ({"rest": "log: {embedding: secnd}"}, 6, 18, "'secnd' is no layer with one output", "did you mean 'second'?"),
    ({"rest": "log: {picture: 1}"}, 6, 7, "log has no key 'picture'", "did you mean 'pictures'?"),
    ({"rest": "log: {histograms: 0}"}, 6, 19, "log.histograms must be", None),
    ({"train": "{weights: none.npz}"}, 5, 18, "train.weights must be an existing file or folder, got 'none.npz'", None),
    ({"train": "{loss: mse}"}, 5, 15, "mse compares numbers, classification has a class for each example", None),
    ({"train": "{loss: dice, epochs: 1}", "spec": "linear"}, 5, 15, "head 'main': dice takes probabilities", None),
    (
        {"augment": "[resize: 32, rescale]"},
        4,
        11,
        "the network takes images (8, 8, 1), the data give (32, 32, 1)",
        "change it to {resize: 8}",
    ),
    ({"augment": "[shift: 0.1]"}, 4, 10, "the network takes float32, the data give uint8", None),
    ({"data": "digit"}, 3, 7, "there is no data source 'digit'", "did you mean 'digits'?"),
    (
        {"rest": "set: {classes: 3}"},
        3,
        7,
        "the data have 10 classes (0, 1, 2, 3, …), head 'main' has 3",
        "--set classes=10",
    ),
    ({"rest": "evaluate: {split: tset}"}, 6, 19, "the data have no split 'tset'", "did you mean 'test'?"),
]


@pytest.mark.parametrize(("text", "line", "column", "message", "help"), REFUSED, ids=lambda v: str(v)[:40])
def test_a_wrong_run_is_refused_where_it_is_wrong(plan, text, line, column, message, help):
    if text.get("spec") == "linear":
        text = {
            **text,
            "spec": runs.SPEC.replace(", activation: softmax", "").replace(", loss: categorical_crossentropy", ""),
        }
    with pytest.raises(SpecError) as caught:
        plan(**text)
    (found,) = caught.value.diagnostics
    assert found.message.startswith(message)
    assert (found.span.line, found.span.column) == (line, column)
    assert help is None or found.help == help


def test_class_weights_by_name_and_balanced(plan):
    """Balanced ones are scikit-learn's."""
    from sklearn.utils.class_weight import compute_class_weight

    from archspec.training.class_weights import class_weights

    assert class_weights(plan("{class_weight: {'3': 2.5}}")) == {k: 2.5 if k == 3 else 1.0 for k in range(10)}
    assert class_weights(plan("{class_weight: [0, 1, 1, 1, 1, 1, 1, 1, 1, 4]}"))[9] == 4
    made = plan("{class_weight: balanced}")
    labels = made.source.arrays("train")["label"]
    wanted = compute_class_weight("balanced", classes=np.arange(10), y=labels)
    assert class_weights(made) == pytest.approx(dict(enumerate(wanted)))


@pytest.mark.parametrize(
    ("names", "said", "factors"),
    [
        ("ab", {0: 1, 1: 3}, {0: 1, 1: 3}),  # Keras's map
        ("ab", {1: 3}, {0: 1, 1: 3}),
        ("12", {1: 3}, {0: 3, 1: 1}),  # of classes called by numbers, the names
        ("12", {0: 3, 1: 2}, None),
        ("ab", {"b": 2, 0: 3}, None),
        ("ab", {2: 3}, None),
    ],
)
def test_class_weights_by_number(tmp_path, names, said, factors):
    for name in names:
        for i in range(2):
            save(tmp_path / name / f"{i}.png", picture(8, 8, i))
    read, features = Train(class_weight=said).class_weight, Folder(path=tmp_path).features()
    if factors is None:
        with refuses(DataError):
            class_factors(read, features, Counter, "class_weight")
    else:
        assert class_factors(read, features, Counter, "class_weight") == factors


TWO = runs.SPEC.replace(
    "heads:",
    "heads:\n  side: {from: second, body: [flatten, dense: {units: =classes, activation: softmax}], "
    "loss: categorical_crossentropy%s}",
)


def test_of_several_heads_the_one_that_is_monitored_is_named(plan):
    from archspec.training.planning import monitored

    with refuses(SpecError):
        plan("{monitor: accuracy}", spec=TWO % "")
    assert monitored(plan("{monitor: main_accuracy}", spec=TWO % "")) == "main_accuracy"
    assert monitored(plan("{monitor: loss}", spec=TWO % "")) == "loss"
    # A head that is for training alone has no accuracy, but the name of the other's is as of several.
    assert monitored(plan("{monitor: accuracy}", spec=TWO % ", train_only: true")) == "main_accuracy"


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", few(["loss", "main_accuracy"], "main_accuracy"))
def test_the_best_epoch_is_best_in_what_is_monitored_and_not_in_the_first_head(plan, tmp_path, name):
    from archspec.training.run import run

    made = plan(f"{{epochs: 3, monitor: {name}, batch: 128}}", spec=TWO % "")
    result = run(made, tmp_path / "run", progress=None)
    rows = [line.split(",") for line in (tmp_path / "run" / "log.csv").read_text().splitlines()]
    values = [float(row[rows[0].index(f"val_{name}")]) for row in rows[1:]]
    assert result.best["value"] == (min if name == "loss" else max)(values)


def test_several_mistakes_are_told_at_once(plan):
    with pytest.raises(SpecError) as caught:
        plan("{optimizer: adm, epochs: -1, bach: 3}", augment="[rescal]")
    assert [d.span.line for d in caught.value.diagnostics] == [4, 5, 5, 5]


def test_refusing_imports_no_framework(tmp_path):
    run = runs.write(tmp_path, runs.RUN.replace("adam: 0.01", "adm: 0.01"))
    program = (
        "import sys\nfrom archspec.cli import main\n"
        f"code = main(['train', {str(run)!r}])\n"
        "assert code == 1, code\n"
        "loaded = {'tensorflow', 'keras'} & set(sys.modules)\nassert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "did you mean 'adam'?" in done.stderr


def test_a_plan_of_a_good_run_imports_no_framework_either(tmp_path):
    run = runs.write(tmp_path)
    program = (
        "import sys\nfrom archspec.runs import Run\n"
        f"plan = Run.open({str(run)!r}).plan()\nassert plan.steps == 44\n"
        "loaded = {'tensorflow', 'keras'} & set(sys.modules)\nassert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_data_are_brought_to_the_network(plan):
    made = plan(augment="null", spec=runs.SPEC.replace("[8, 8, 1]", "[12, 12, 1]"))
    assert [t.name for t in made.pipeline.augment] == ["resize", "rescale"]
    assert [t.name for t in made.pipeline.eval_transforms] == ["resize", "rescale"]
    assert made.split == "test"


def test_small_networks_take_many_steps_at_once_that_divide_the_epoch(plan):
    small = plan()
    assert small.steps == 44
    assert small.steps_per_execution() == 22
    large = plan(spec=runs.SPEC.replace("conv: {filters: 8, kernel: 3}", "conv: {filters: 4096, kernel: 15}"))
    assert large.steps_per_execution() == 1


def test_on_pytorch_a_step_is_an_execution(plan, monkeypatch):
    for module in ("plan", "planning"):
        monkeypatch.setattr(f"archspec.training.{module}.backend", lambda: "torch")
    assert plan().steps_per_execution() == 1
    with refuses(SpecError):
        plan("{steps_per_execution: 4}")


def test_the_record_of_a_run_is_a_run(plan, tmp_path):
    from archspec.runs import Run

    first = plan(
        "{optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}, clip: {norm: 1}, rates: {second: 0.5}, epochs: 3}"
    )
    again = tmp_path / "again.yaml"
    again.write_text(run_text(first, "small.yaml"))
    second = Run.open(str(again)).plan()
    assert run_text(second, "small.yaml") == run_text(first, "small.yaml")
    assert second.spec.train.model_copy(update={"task": None}) == first.spec.train
    assert second.pipeline.augment == first.pipeline.augment


@pytest.mark.parametrize(
    ("pattern", "layer", "meant"),
    [
        ("stem", "stem", True),
        ("stem", "stem.conv", True),
        ("stem", "stem2.conv", False),
        ("c.*.conv", "c.3.conv", True),
        ("conv", "c.3.conv", False),
    ],
)
def test_patterns_of_layers(pattern, layer, meant):
    assert matches(pattern, layer) is meant


def test_a_run_from_a_folder_above_keeps_a_spec_that_it_finds(tmp_path, monkeypatch):
    from archspec.runs import Run
    from archspec.training.record import write_plan

    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    runs.write(tmp_path / "there")
    monkeypatch.chdir(tmp_path / "here")
    first = Run.open("../there/small_run.yaml").plan()
    (tmp_path / "run").mkdir()
    write_plan(first, tmp_path / "run")
    assert (tmp_path / "run" / "spec" / "small.yaml").read_text() == runs.SPEC
    assert fingerprint(Run.open(tmp_path / "run").plan().graph) == fingerprint(first.graph)


def test_a_run_of_a_variant_by_its_name_is_recorded_with_it(tmp_path):
    """The record holds the family's file, in which the variant must be named."""
    from archspec.runs import Run

    path = tmp_path / "run.yaml"
    path.write_text(
        "archspec_run: 1\nspec: squeezenet1_1\nset: {size: 32, classes: 4}\ndata: {shapes: {train: 8, test: 4}}\n"
    )
    made = Run.open(str(path)).plan()
    assert made.document("spec/squeezenet.yaml")["variant"] == "squeezenet1_1"


def test_a_task_tells_all_that_is_wrong_with_a_network(plan):
    """A loss of numbers, a head of other classes, and images of another size: one by one they would take three runs."""
    spec = runs.SPEC.replace("loss: categorical_crossentropy", "loss: mse").replace("[8, 8, 1]", "[8, 8, 3]")
    with pytest.raises(SpecError) as caught:
        plan(rest="set: {classes: 3}", spec=spec)
    said = "\n".join(d.message for d in caught.value.diagnostics)
    assert len(caught.value.diagnostics) == 3
    assert "the network takes images (8, 8, 3), the data give (8, 8, 1)" in said
    assert "head 'main' has 3" in said and "mse compares numbers" in said


def test_figures_of_evaluators_are_monitored_by_what_is_better(plan):
    """Known before TensorFlow is: which there are, and whether more is better."""
    from archspec.training.planning import monitored

    made = plan("{monitor: ece}", spec=runs.SPEC.replace("loss: cat", "metrics: [f1, top_k: 3], loss: cat"))
    assert monitored(made) == "ece"
    better = {"loss": "min", "accuracy": "max", "f1": "max", "top_3": "max", "top_1": "max", "top_5": "max"}
    averages = ("macro_precision", "macro_recall", "macro_f1", "macro_auc", "micro_f1", "micro_auc")
    assert made.figures() == better | {"ece": "min"} | dict.fromkeys(averages, "max")


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_best_checkpoint_is_best_in_the_figure_of_an_evaluator(plan, tmp_path):
    """The error of calibration: the lowest is best, and logs have it; the network is trained as without."""
    import json

    from archspec.training.evaluation import evaluate
    from archspec.training.run import run

    made = plan("{epochs: 3, monitor: ece, batch: 128, optimizer: {adam: 0.01}}", rest="log: {pictures: 0}")
    result = run(made, tmp_path / "run", progress=None)
    rows = [line.split(",") for line in (tmp_path / "run" / "log.csv").read_text().splitlines()]
    values = [float(row[rows[0].index("val_ece")]) for row in rows[1:]]
    assert result.best["value"] == min(values) and result.metrics["ece"] == values[-1]
    (found,) = evaluate([made], [tmp_path / "run" / "best.npz"])
    assert found.figures["ece"] == pytest.approx(min(values), abs=1e-6)
    assert json.loads(json.dumps(found.record()))["ece"] == found.ece
    assert found.panels()["confusion"].shape[-1] == 3 and "ECE" in found.text()
