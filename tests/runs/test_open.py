"""``archspec.Run`` before TensorFlow: what is opened, changed, refused and planned."""

import subprocess
import sys

import pytest

import archspec
from archspec.ir.diagnostics import SpecError
from tests.training import runs
from tests.wording import refuses


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
        ({"epochs": -1}, "archspec: error[R03]: epochs = -1: epochs must be at least 0, got -1"),
        ({"epoch": 3}, "archspec: error[R01]: epoch = 3: a run has no key 'epoch'\n  help: write epochs=3"),
        ({"spec": "other"}, "a run has no key 'spec'"),
        ({"learning_rate": 0.1}, "'learning_rate'\n  help: write optimizer={'adam': {'learning_rate': 0.1}}"),
        ({"batch_size": 8}, "a run has no key 'batch_size'\n  help: write batch=8"),
        ({"split": "test"}, "a run has no key 'split'\n  help: write evaluate={'split': 'test'}"),
        ({"data": "digitz"}, "archspec: error[R05]: data = 'digitz': there is no data source, file or folder 'digitz'"),
        ({"monitor": "acuracy"}, "monitor = 'acuracy': 'acuracy' is no figure of this run's evaluations"),
        ({"set": {"clases": 3}}, "archspec: error[P01]: set: clases=3: small has no parameter 'clases'"),
        ({"variant": "nothing"}, "archspec: error[V01]: variant = 'nothing': small has no variant 'nothing'"),
        ({"optimizer": {"adamm": 1.0}}, "optimizer = {'adamm': 1.0}"),
    ],
)
def test_a_change_that_is_wrong_is_named(tmp_path, changes, text):
    with pytest.raises(SpecError) as error:
        archspec.Run.open(runs.write(tmp_path), **changes).plan()
    assert any(text in one for one in said(error)), said(error)


def test_a_spec_beside_the_run_file_is_named_with_its_suffix(tmp_path, monkeypatch):
    """A name alone is one of the catalogue, whatever files lie there."""
    path = runs.write(tmp_path, "archspec_run: 1\nspec: small\ndata: digits\n")
    for _ in range(2):
        with pytest.raises(SpecError) as error:
            _ = archspec.Run.open(path).graph
        assert said(error) == [
            f"{path}:2:7: error[F01]: there is no spec or variant 'small'\n"
            "  help: for the file write small.yaml; a name alone is one of the catalogue"
        ]
        # The folder that counts is the run file's.
        (tmp_path / "else").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "else")
    path.with_name("lenet5.yaml").write_text("no spec")
    path.write_text("archspec_run: 1\nspec: lenet5\ndata: digits\n")
    monkeypatch.chdir(tmp_path)
    assert archspec.Run.open(path).graph.name == archspec.load("lenet5").name == "lenet5"
    with refuses(SpecError):
        archspec.load("small")


def test_a_split_that_was_asked_for_is_told_as_asked(tmp_path):
    from archspec.runs.directory import recorded
    from archspec.training.record import write_plan

    (tmp_path / "run").mkdir()
    write_plan(archspec.Run.open(runs.write(tmp_path)).plan(), tmp_path / "run")
    with pytest.raises(SpecError) as error:
        recorded(tmp_path / "run", split="tset").plan()
    assert said(error) == [
        "archspec: error[R05]: --split tset: the data have no split 'tset'\n  help: did you mean 'test'?"
    ]


@pytest.mark.parametrize("open", [archspec.load, archspec.Run.open])
def test_a_file_that_is_not_there_is_pythons_own_error(tmp_path, open):
    with pytest.raises(FileNotFoundError):
        open(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"clases": 3}, "error[P01]: clases = 3: lenet5 has no parameter 'clases'\n  help: did you mean 'classes'?"),
        ({"classes": "a"}, "error[T01]: classes = 'a': lenet5.classes must be an integer, got 'a'"),
        ({"variant": "x"}, "error[V01]: variant = 'x': lenet5 has no variant 'x'"),
    ],
)
def test_keywords_of_load_are_told_as_keywords(keywords, text):
    with pytest.raises(SpecError) as error:
        archspec.load("lenet5", **keywords)
    assert said(error)[0].startswith(f"archspec: {text}")
    with refuses(SpecError):
        archspec.loads("archspec: 1\nname: n\ninputs: {x: [2]}\nbody: [relu]\n", **keywords)


@pytest.mark.parametrize("verb", ["table", "compile"])
@pytest.mark.parametrize("spec", ["net.yaml", {}])
def test_what_takes_a_graph_says_how_to_make_one(verb, spec):
    with refuses(TypeError):
        getattr(archspec, verb)(spec)


def test_what_is_wrong_in_the_file_has_its_place(tmp_path):
    path = runs.write(tmp_path, "archspec_run: 1\nspec: small.yaml\ndata: digits\ntrain: {warmup: 30}\n")
    with pytest.raises(SpecError) as error:
        archspec.Run.open(path).plan()
    assert said(error)[0].startswith(f"{path}:4:17: error[R05]: the warm-up takes 30 epochs")


def test_what_has_no_directory_yet_is_said(tmp_path):
    run = archspec.Run.open(runs.write(tmp_path))
    for use in (run.resume, run.model, lambda: run.export("x.keras")):
        with refuses(archspec.RunError):
            use()


def test_a_directory_takes_no_changes_and_none_is_written_over(tmp_path):
    from archspec.training.record import write_plan

    run = archspec.Run.open(runs.write(tmp_path))
    (tmp_path / "run").mkdir()
    write_plan(run.plan(), tmp_path / "run")
    with refuses(TypeError):
        archspec.Run.open(tmp_path / "run", epochs=3)
    opened = archspec.Run.open(tmp_path / "run")
    assert opened.name == run.name and opened.logdir == tmp_path / "run"
    for one, where in ((run, tmp_path / "run"), (opened, None)):
        with refuses(archspec.RunError):
            one.train(where)
    with refuses(archspec.RunError):
        opened.model()
    (tmp_path / "run/run.yaml").write_text("archspec_run: 1\nspec: spec/small.yaml\ntrain: {epochs: many}\n")
    with refuses(SpecError):
        archspec.Run.open(tmp_path / "run")
    (tmp_path / "run/run.yaml").write_text("[]\n")
    with refuses(SpecError):
        archspec.Run.open(tmp_path / "run")


def test_importing_and_opening_load_no_framework():
    program = (
        "import sys, archspec\nassert 'archspec.runs' not in sys.modules\n"
        "archspec.Run.open('lenet5', data='digits')\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
