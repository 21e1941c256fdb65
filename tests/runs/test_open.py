"""``archspec.Run`` before TensorFlow: what is opened, changed, refused and planned."""

import subprocess
import sys

import pytest

import archspec
from archspec.ir.diagnostics import SpecError
from tests.training import runs


def said(error):
    return [d.render(source_line=False) for d in error.value.diagnostics]


def test_a_spec_with_changes_is_a_run():
    run = archspec.Run.open(
        "lenet5", data="digits", epochs=3, optimizer={"sgd": {"learning_rate": 0.5, "momentum": 0.9}}
    )
    plan = run.plan()
    assert (run.name, plan.source.name, plan.train.epochs) == ("lenet5", "digits", 3)
    assert (plan.train.optimizer.name, plan.train.optimizer.momentum) == ("sgd", 0.9)
    assert run.graph.name == "lenet5" and run.logdir is None and "lenet5" in repr(run)


def test_changes_stand_over_the_file_and_none_changes_nothing(tmp_path):
    path = runs.write(tmp_path)
    before, same = archspec.Run.open(path).plan(), archspec.Run.open(path, epochs=None, data=None).plan()
    assert before.spec == same.spec
    run = archspec.Run.open(
        path, set={"rate": 0.5}, evaluate={"batch": 7}, augment=["rescale", {"shift": 0.1}], log={"pictures": 0}, seed=9
    )
    plan = run.plan()
    assert plan.graph.params["rate"] == 0.5 and plan.spec.evaluate.batch == 7 and plan.train.seed == 9
    assert [step.name for step in plan.spec.augment] == ["rescale", "shift"] and plan.log.pictures == 0
    assert plan.train.epochs == before.train.epochs


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"epochs": 0}, "archspec: error[R03]: epochs = 0: epochs must be greater than 0, got 0"),
        ({"epoch": 3}, "archspec: error[R01]: epoch = 3: a run has no key 'epoch'\n  help: did you mean 'epochs'?"),
        ({"spec": "other"}, "a run has no key 'spec'"),
        ({"data": "digitz"}, "archspec: error[R05]: data = 'digitz': there is no data source, file or folder 'digitz'"),
        ({"monitor": "acuracy"}, "monitor = 'acuracy': 'acuracy' is no figure of this run's evaluations"),
        ({"set": {"clases": 3}}, "clases"),
        ({"variant": "nothing"}, "nothing"),
        ({"optimizer": {"adamm": 1.0}}, "optimizer = {'adamm': 1.0}"),
    ],
)
def test_a_change_that_is_wrong_is_named(tmp_path, changes, text):
    with pytest.raises(SpecError) as error:
        archspec.Run.open(runs.write(tmp_path), **changes).plan()
    assert any(text in one for one in said(error)), said(error)


def test_what_is_wrong_in_the_file_has_its_place(tmp_path):
    path = runs.write(tmp_path, "archspec_run: 1\nspec: small.yaml\ndata: digits\ntrain: {warmup: 30}\n")
    with pytest.raises(SpecError) as error:
        archspec.Run.open(path).plan()
    assert said(error)[0].startswith(f"{path}:4:17: error[R05]: the warm-up takes 30 epochs")


def test_what_has_no_directory_yet_is_said(tmp_path):
    run = archspec.Run.open(runs.write(tmp_path))
    for use in (run.resume, run.model, lambda: run.export("x.keras")):
        with pytest.raises(archspec.RunError, match="has no directory yet"):
            use()


def test_a_directory_takes_no_changes_and_none_is_written_over(tmp_path):
    from archspec.training.record import write_plan

    run = archspec.Run.open(runs.write(tmp_path))
    (tmp_path / "run").mkdir()
    write_plan(run.plan(), tmp_path / "run")
    with pytest.raises(TypeError, match="run directory"):
        archspec.Run.open(tmp_path / "run", epochs=3)
    opened = archspec.Run.open(tmp_path / "run")
    assert opened.name == run.name and opened.logdir == tmp_path / "run"
    for one, where in ((run, tmp_path / "run"), (opened, None)):
        with pytest.raises(archspec.RunError, match="holds a run already"):
            one.train(where)
    with pytest.raises(archspec.RunError, match="holds no finished run"):
        opened.model()
    (tmp_path / "run/run.yaml").write_text("archspec_run: 1\nspec: spec/small.yaml\ntrain: {epochs: many}\n")
    with pytest.raises(SpecError, match="epochs"):
        archspec.Run.open(tmp_path / "run")
    (tmp_path / "run/run.yaml").write_text("[]\n")
    with pytest.raises(SpecError, match="a run file is a map"):
        archspec.Run.open(tmp_path / "run")


def test_importing_and_opening_load_no_framework():
    program = (
        "import sys, archspec\nassert 'archspec.runs' not in sys.modules\n"
        "archspec.Run.open('lenet5', data='digits')\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
