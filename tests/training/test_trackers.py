"""Callbacks of a package that is installed: found by entry points, told of epochs, and no danger to the run."""

import json
import sys

import pytest

from archspec.training.errors import Misused
from archspec.training.run import run
from tests.docs.blocks import ROOT, shown
from tests.wording import refuses

PACKAGE = """
import json
import keras

class Tracker(keras.callbacks.Callback):
    def __init__(self, run, logdir, project):
        super().__init__()
        self.file = logdir / "tracked.jsonl"
        self.said = {"project": project, "spec": run.graph.name, "rate": run.train.optimizer.learning_rate}

    def note(self, what):
        with self.file.with_name("ends.txt").open("a") as file:
            print(what, file=file)

    def on_train_begin(self, logs=None):
        self.note("begin")

    def on_train_end(self, logs=None):
        self.note(f"end {sorted(logs)}")

    def on_epoch_end(self, epoch, logs=None):
        with self.file.open("a") as file:
            file.write(json.dumps({**self.said, "epoch": epoch + 1, **logs}) + "\\n")

class Broken(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise ConnectionError("the service does not answer")

class Unset(keras.callbacks.Callback):
    def set_model(self, model):
        raise ConnectionError("it has no graph of this model")

    def on_epoch_end(self, epoch, logs=None):
        raise AssertionError("it was told to be left alone")

def unset(run, logdir):
    return Unset()

def forgetful(run, logdir):
    Broken()

def tracker(run, logdir, project="default"):
    return Tracker(run, logdir, project)

def broken(run, logdir):
    return Broken()
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that names two callbacks, as pip leaves it."""
    folder = tmp_path / "site"
    (folder / "tracking-1.0.dist-info").mkdir(parents=True)
    (folder / "tracking_test_package.py").write_text(PACKAGE)
    (folder / "tracking-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: tracking\nVersion: 1.0\n")
    (folder / "tracking-1.0.dist-info" / "entry_points.txt").write_text(
        "[archspec.callbacks]\n"
        + "".join(f"{name} = tracking_test_package:{name}\n" for name in ("tracker", "broken", "unset", "forgetful"))
    )
    monkeypatch.syspath_prepend(str(folder))


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_package_follows_a_run_and_one_that_fails_does_not_end_it(plan, tmp_path, package, capsys):
    made = plan("{epochs: 2, batch: 64}", rest="log: {pictures: 0, callbacks: {tracker: {project: digits}, broken: }}")
    result = run(made, tmp_path / "run", progress=sys.stderr)
    told = [json.loads(line) for line in (tmp_path / "run" / "tracked.jsonl").read_text().splitlines()]
    said = [(row["epoch"], row["project"], row["spec"]) for row in told]
    assert said == [(1, "digits", "small"), (2, "digits", "small")]
    assert told[-1]["val_accuracy"] == pytest.approx(result.metrics["accuracy"])
    failed = [line for line in capsys.readouterr().err.splitlines() if "broken" in line]
    assert failed == [
        "archspec: the callback 'broken' failed: ConnectionError: the service does not answer; training goes on without"
    ]
    assert "tracker" in (tmp_path / "run" / "run.yaml").read_text()


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_run_of_several_fits_begins_and_ends_once(plan, tmp_path, package):
    first = next(node.layer for node in plan("{epochs: 1}").graph.owners() if node.weights)
    made = plan(
        f"{{epochs: 2, batch: 512, freeze: {{layers: {first}, until: 1}}}}",
        rest="log: {pictures: 0, callbacks: {tracker: }}",
    )
    run(made, tmp_path / "run", progress=None)
    begin, end = (tmp_path / "run" / "ends.txt").read_text().splitlines()
    assert begin == "begin"
    assert end.startswith("end ['accuracy', 'loss', 'val_accuracy'")


@pytest.mark.tensorflow
@pytest.mark.slow
def test_what_is_no_callback_or_fails_before_the_first_epoch_does_not_end_the_run_either(
    plan, tmp_path, package, capsys
):
    made = plan("{epochs: 1, batch: 512}", rest="log: {pictures: 0, callbacks: {forgetful: , unset: }}")
    run(made, tmp_path / "run", progress=sys.stderr)
    failed = [line.removeprefix("archspec: the callback ") for line in capsys.readouterr().err.splitlines()]
    assert [line for line in failed if line.startswith("'")] == [
        "'forgetful' failed: TypeError: its function returned NoneType, not a Keras callback; training goes on without",
        "'unset' failed: ConnectionError: it has no graph of this model; training goes on without",
    ]


def test_what_is_not_installed_is_refused_before_anything_is_written(plan, tmp_path):
    made = plan("{epochs: 1}", rest="log: {callbacks: {nowhere: {}}}")
    with refuses(Misused):
        run(made, tmp_path / "run", progress=None)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments", ["{projct: digits}", "{project: digits, logdir: there}"])
def test_arguments_that_a_function_does_not_take_are_told_by_a_dry_run(plan, package, arguments):
    from archspec.training.rehearsal import rehearse

    made = plan("{epochs: 1}", rest=f"log: {{callbacks: {{tracker: {arguments}}}}}")
    with refuses(Misused):
        rehearse(made, print)


def test_arguments_are_a_map(plan, tmp_path, package):
    with refuses(Misused):
        run(plan("{epochs: 1}", rest="log: {callbacks: {tracker: digits}}"), tmp_path / "run", progress=None)


@pytest.mark.parametrize(("function", "arguments"), [("mlflow", {"experiment": "e"}), ("wandb", {"project": "p"})])
def test_the_functions_of_the_page_ask_a_service_for_its_callback(plan, tmp_path, monkeypatch, function, arguments):
    """As the documentation has them, in front of a package that keeps what it is asked for."""
    from unittest.mock import MagicMock

    service = MagicMock()
    for name in ("mlflow", "mlflow.keras", "wandb", "wandb.integration", "wandb.integration.keras"):
        monkeypatch.setitem(sys.modules, name, service)
    service.keras = service
    [page] = shown("python", pages=[ROOT / "docs" / "reference" / "callbacks.md"])
    names = {}
    exec(compile(page.text, page.file, "exec"), names)
    made = names[f"{function}_callback"](plan("{epochs: 1}"), tmp_path / "seventh", **arguments)
    assert made in (service.MlflowCallback.return_value, service.WandbMetricsLogger.return_value)
    asked = repr(service.mock_calls)
    assert repr("seventh") in asked and repr(next(iter(arguments.values()))) in asked and "small" in asked
