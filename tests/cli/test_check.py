"""``archspec check``: warnings, and what they do to the exit code."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from archspec.cli import main
from tests.wording import told

TEXT = "archspec: 1\nname: net\nparams: {unread: 1}\ninputs: {image: [8, 8, 3]}\nbody: [conv: 4]\n"


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def test_warnings_are_printed_and_let_pass(spec, capsys):
    assert main(["check", spec]) == 0
    out, err = capsys.readouterr()
    assert out == f"{spec}: ok, 1 warning\n"
    assert err.startswith(f"{spec}:3:10: warning[W10]: parameter 'unread' is read by nothing\n")


def test_strict_lets_none_pass(spec, capsys):
    assert main(["check", "--strict", spec]) == 1
    assert capsys.readouterr().out == f"{spec}: fails by --strict, 1 warning\n"
    assert main(["check", "--strict", "lenet5"]) == 0


def test_a_folder_without_specs(tmp_path, capsys):
    (tmp_path / "notes.yaml").write_text("a: 1\n", encoding="utf-8")
    assert main(["check", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("archspec: error[F01]: no spec or run file is in the folder")


def test_a_typed_value_is_not_answered_as_text_of_a_spec(capsys):
    assert main(["check", "lenet5", "--set", "classes=a"]) == 1
    assert "help" not in capsys.readouterr().err


def test_records_carry_the_severity(spec, capsys):
    assert main(["check", "--format", "json", spec]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert (record["code"], record["severity"], record["line"]) == ("W10", "warning", 3)


@pytest.mark.parametrize("verb", ["table"])
def test_other_verbs_are_quiet(spec, verb, capsys):
    assert main([verb, spec]) == 0
    assert capsys.readouterr().err == ""


def test_a_file_that_is_not_there_does_not_end_the_rest(spec, tmp_path, capsys):
    assert main(["check", str(tmp_path / "gone.yaml"), spec]) == 1
    out, err = capsys.readouterr()
    assert f"{spec}: ok" in out and "gone.yaml:1:1: error[F01]: No such file or directory" in err


def test_a_dash_is_stdin(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.replace("conv: 4", "cnv: 4").encode())))
    assert main(["check", "-"]) == 1
    told(capsys.readouterr().err)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"archspec: \xff")))
    assert main(["check", "-"]) == 1
    told(capsys.readouterr().err)


RUN = b"archspec_run: 1\nspec: lenet5\ndata: digits\naugment: [resize: 32, rescale]\ntrain: {epochs: 3}\n"


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (RUN, 0, ""),
        (RUN.replace(b"epochs", b"epoch"), 1, "stdin:5:9: error[R01]"),
        (RUN.replace(b"archspec_run: 1\n", b""), 1, "stdin:1:1: error[R02]"),
    ],
    ids=["sound", "wrong", "without a header"],
)
def test_a_dash_may_be_a_run_file(data, code, said, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["check", "-"]) == code
    told(capsys.readouterr().err)


def test_folders_and_patterns_stand_for_the_specs_in_them(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets" / "deep").mkdir(parents=True)
    for name in ("nets/b.yaml", "nets/a.yml", "nets/deep/c.yaml"):
        (tmp_path / name).write_text(TEXT)
    (tmp_path / "nets" / "compose.yaml").write_text("services: {}\n")
    assert main(["check", "nets"]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "nets/a.yml",
        "nets/b.yaml",
        "nets/deep/c.yaml",
    ]
    assert main(["check", "nets/**/*.yaml", "--strict"]) == 1
    assert main(["check", "nets/deep/*.yaml"]) == 0
    assert main(["check", "none/*.yaml"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["table", "lenett5"], "archspec: error[F01]: there is no spec or variant 'lenett5'\n"),
        (["table", "lenet5", "--variant", "x"], "archspec: error[V01]: --variant x: lenet5 has no variant 'x'\n"),
        (["check", "lenet5", "--set", "actvation=relu"], "archspec: error[P01]: --set actvation=relu: lenet5 has no"),
        (["train", "lenet5", "--set", "actvation=relu"], "archspec: error[P01]: --set actvation=relu: lenet5 has no"),
        (["train", "lenet5", "--data", "digitz"], "archspec: error[R05]: --data digitz: there is no data source"),
        (["train", "lenet5", "--seed", "2147483648"], "archspec: error[R03]: --seed 2147483648: seed must be at most"),
        (["train", "lenet5", "--from", "no.npz"], "archspec: error[R03]: --from no.npz: weights must be an"),
        (["train", "net.yaml"], "archspec: error[R05]: the run does not say what data to use\n"),
    ],
    ids=" ".join,
)
def test_words_of_the_command_line_are_quoted_and_have_no_place(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(TEXT)
    assert main(words) == 1
    err = capsys.readouterr().err
    assert err.startswith(said)
    assert ":1:" not in err and "^" not in err


def test_the_record_of_words_has_an_argument_and_no_place(capsys):
    assert main(["check", "lenet5", "--variant", "x", "--format", "json"]) == 1
    (record,) = json.loads(capsys.readouterr().out)
    assert (record["file"], record["line"], record["column"]) == (None, None, None)
    assert record["argument"] == "--variant x"


RUN = "archspec_run: 1\nspec: lenet5\ndata: digits\naugment: [resize: 32, rescale]\ntrain: {warmup: 3, epochs: 5}\n"


def test_a_run_is_checked_with_what_is_set(tmp_path, capsys):
    run = tmp_path / "run.yaml"
    run.write_text(RUN)
    assert main(["check", str(run)]) == 0
    assert main(["check", str(run), "--variant", "x"]) == 1
    told(capsys.readouterr().err)
    assert main(["check", str(run), "--set", "activation=3"]) == 1
    told(capsys.readouterr().err)


def test_what_is_typed_over_a_run_file_is_quoted_where_it_is_at_fault(tmp_path, capsys):
    run = tmp_path / "run.yaml"
    run.write_text(RUN.replace("epochs: 5", "epochs: 5, average_last: 4"))
    assert main(["train", str(run), "--epochs", "2"]) == 1
    assert capsys.readouterr().err.startswith(f"{run}:5:17: error[R05]: the warm-up takes 3 epochs, the run has 2")
    run.write_text(RUN.replace("lenet5\n", "lenet5\nvariant: y\n"))
    assert main(["train", str(run), "--variant", "x"]) == 1
    assert capsys.readouterr().err.startswith("archspec: error[V01]: --variant x: lenet5 has no variant 'x'")
    assert main(["train", str(run)]) == 1
    assert capsys.readouterr().err.startswith(f"{run}:3:10: error[V01]: lenet5 has no variant 'y'")


def test_a_name_of_the_catalogue_stands_for_its_spec_and_its_run(capsys, monkeypatch):
    monkeypatch.delenv("ARCHSPEC_DATA", raising=False)
    assert main(["check", "--strict", "lenet5"]) == 0
    run = "specs/runs/classification/lenet5.yaml: ok\n"
    assert capsys.readouterr().out == f"lenet5: ok\n{run}"
    assert main(["check", "lenet5_mnist", "srresnet"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "specs/runs/classification/lenet5_mnist.yaml: ok, but for its data, which are not here",
        "srresnet: ok",
        "specs/runs/adversarial/srresnet.yaml: ok, but for its data, which are not here",
    ]


def test_a_fault_of_a_recipe_is_said_though_its_data_are_not_here(tmp_path, capsys, monkeypatch):
    (tmp_path / "runs" / "any").mkdir(parents=True)
    text = RUN.replace("digits", "{pictures: photos}").replace("epochs: 5", "epochs: none")
    (tmp_path / "runs" / "any" / "recipe.yaml").write_text(text)
    monkeypatch.setattr("archspec.frontend.catalogue.folder", lambda: tmp_path)
    assert main(["check", "recipe"]) == 1
    err = capsys.readouterr().err
    assert "specs/runs/any/recipe.yaml:5:28: error[R03]" in err and "photos" not in err


BUDGET = """archspec: 1
name: net
inputs: {image: [32, 32, 3]}
body: [{conv: 8}]
expect: {params: {max: 5M}, macs: {min: 20k, max: 600M}, memory: {max: 44KiB}, receptive_field: 1, source: budget}
"""


@pytest.fixture
def budget(tmp_path):
    def write(text=BUDGET):
        path = tmp_path / "net, 100%.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_a_budget_is_a_gate(budget, capsys):
    assert main(["check", budget()]) == 0
    assert main(["check", budget(BUDGET.replace("5M", "31"))]) == 1
    told(capsys.readouterr().err)
    assert main(["check", budget(BUDGET.replace("44KiB", "43KiB"))]) == 1
    told(capsys.readouterr().err)
    assert main(["check", budget(BUDGET.replace("20k", "25k"))]) == 1
    told(capsys.readouterr().err)


def test_commands_for_github(budget, capsys):
    path = budget(BUDGET.replace("5M", "31"))
    assert main(["check", "--format", "github", path]) == 1
    line = capsys.readouterr().out.rstrip("\n")
    place = path.replace("%", "%25").replace(",", "%2C")
    assert line.startswith(f"::error file={place},line=5,endLine=5,col=18,endColumn=19,title=archspec E01::net has ")
    assert line.endswith("(budget)%0Ahelp: the difference is +1")
    assert main(["check", "--format", "github", "lenet5"]) == 0
    assert capsys.readouterr().out.strip() == ""


def test_sarif_has_a_result_for_each(budget, capsys):
    path = budget("archspec: 1\nname: n\ninputs: {x: [8, 8, 3]}\nbody: [cov, {conv: {filters: 8, strides: 2}}]\n")
    assert main(["check", "--format", "sarif", path]) == 1
    log = json.loads(capsys.readouterr().out)
    (run,) = log["runs"]
    assert log["version"] == "2.1.0" and run["tool"]["driver"]["name"] == "archspec"
    codes = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert run["results"] and {result["ruleId"] for result in run["results"]} == codes
    first = run["results"][0]
    region = first["locations"][0]["physicalLocation"]["region"]
    assert first["level"] == "error" and region["startLine"] == 4 and region["endColumn"] > region["startColumn"]
    uri = first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.endswith("net%2C%20100%25.yaml")


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["archspec-check", "archspec-fmt"])
def test_the_hooks_of_pre_commit(name, budget):
    """What one names is run as pre-commit runs it: its entry, then the files."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    (hook,) = (hook for hook in hooks if hook["id"] == name)
    assert hook["language"] == "python" and "yaml" in hook["types"]
    assert re.search(hook["files"], "specs/resnet/resnet.yaml") and not re.search(hook["files"], "mkdocs.yml")
    command, *words = shlex.split(hook["entry"])
    ran = subprocess.run([*PROGRAM, *words, budget()], capture_output=True, text=True, check=False)
    assert command == "archspec" and (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(("strict", "code"), [("false", 0), ("true", 1)])
def test_the_action_of_github(spec, strict, code, tmp_path):
    """Its step is run as the runner does: by bash, with the inputs in the environment."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert action["runs"]["using"] == "composite" and set(action["inputs"]) == {"specs", "strict", "python-version"}
    step = next(step for step in action["runs"]["steps"] if step.get("name") == "Check")
    assert step["env"] == {"SPECS": "${{ inputs.specs }}", "STRICT": "${{ inputs.strict }}"}
    (tmp_path / "archspec").write_text(f'#!/bin/bash\nexec {shlex.join(PROGRAM)} "$@"\n', encoding="utf-8")
    (tmp_path / "archspec").chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "SPECS": f"{spec} lenet5", "STRICT": strict}
    ran = subprocess.run(["bash", "-e", "-c", step["run"]], capture_output=True, text=True, env=env, check=False)
    assert ran.returncode == code and ran.stdout.startswith("::warning file=")


PROGRAM = [sys.executable, "-m", "archspec"]
