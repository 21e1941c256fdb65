"""The command line itself: what it says, where, and with which exit code."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import archspec
from archspec.cli import main, verbs
from archspec.cli._arguments import Parser
from tests.wording import refuses

ROOT = Path(__file__).parents[2]


def process(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    command = [sys.executable, "-m", "archspec", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, **options)


def test_help_lists_every_verb_and_the_exit_codes(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert {"check", "list", "ops", "reference", "schema", "table"} <= set(verbs())
    told = " ".join(out.split())
    assert all(f" {verb} {help}" in told for verb, help in verbs().items())
    assert all(len(line) <= 80 for line in out.splitlines())
    for code in (
        "0 success;",
        "1 an invalid spec, or a failed run;",
        "2 invalid usage;",
        "4 training diverged to NaN;",
    ):
        assert code in " ".join(out.split())


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_every_verb_explains_itself_by_examples_first(verb, capsys):
    assert main([verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.index("examples:\n  ") < out.index(verbs()[verb][:40]) and "exit codes" not in out
    prose = out[out.index(verbs()[verb][:40]) : out.index("\noptions:")]
    assert max(map(len, prose.splitlines())) <= 80
    assert main(["help", verb]) == 0
    assert capsys.readouterr().out == out


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_every_example_is_taken(verb):
    """By the verb's parser: words of the shell (pipes, redirections) end what it is given."""
    module = import_module(f"archspec.cli.{verb}")
    for example in module.EXAMPLES:
        parser = Parser(prog=verb)
        module.add_arguments(parser)
        words = shlex.split(example.removeprefix('eval "$(').removesuffix(')"').split(" > ")[0].split(" < ")[0])
        assert words[:2] == ["archspec", verb]
        parser.parse(words[2:])


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_no_option_loses_a_value(verb):
    """Given twice, an option keeps both or is refused."""
    top = Parser(prog=verb)
    import_module(f"archspec.cli.{verb}").add_arguments(top)
    for parser in (top, *(p for a in top._actions if isinstance(a.choices, dict) for p in a.choices.values())):
        for action in parser.options():
            if action.nargs == 0:
                continue
            said = argparse.Namespace(**{action.dest: action.default})
            action(parser, said, "one", action.option_strings[0])
            try:
                action(parser, said, "two", action.option_strings[-1])
            except argparse.ArgumentError:
                continue
            assert getattr(said, action.dest) == ["one", "two"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tabel", "x"], "there is no verb 'tabel'; did you mean 'table'?"),
        (["../table"], "there is no verb"),
        (["_arguments"], "there is no verb '_arguments'"),
        (["--verion"], "unexpected argument '--verion'; did you mean '--version'?"),
        (["table"], "required: SPEC"),
        (["table", "x", "--fromat", "json"], "unexpected argument '--fromat'; did you mean '--format'?"),
        (["schema", "x", "y"], "unexpected argument 'y'"),
        (["table", "x", "--batch", "2", "--batch", "2"], "argument --batch: is given twice, and takes one value"),
        (["solve", "x", "--for", "w", "--target", "params=5M", "--target=macs=1G"], "--target: is given twice"),
        (["weights", "import", "x", "y", "-o", "a.npz", "--output", "b.npz"], "-o/--output: is given twice"),
        (["table", "x", "--set", "width=1", "--set", "width=2"], "argument --set: width is given twice"),
        (["sweep", "x", "--vary", "w=1:3", "--vary", "w=[4]"], "argument --vary: w is given twice"),
        (["table", "x", "--batch", "0"], "argument --batch: must be at least 1"),
        (["table", "x", "--batch", "two"], "argument --batch: must be an integer, got 'two'"),
        (["table", "x", "--depth", "-1"], "--depth"),
        (["table", "x", "--format", "xml"], "invalid choice: 'xml'"),
        (["reference", "cnv"], "there is no op 'cnv'; did you mean 'conv'?"),
    ],
)
def test_bad_usage_is_2_and_says_what_was_meant(arguments, said, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert said in err and out == ""


def test_no_verb_shows_the_help_as_bad_usage(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "verbs" in err


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"archspec {archspec.__version__}\n"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (FileNotFoundError(2, "No such file or directory", "x.yaml"), 1, "x.yaml: No such file or directory"),
        (ModuleNotFoundError("No module named 'keras'", name="keras"), 1, "pip install 'archspec-keras[tensorflow]'"),
        (MemoryError(), 1, "out of memory"),
        (ZeroDivisionError("division by zero"), 70, "a defect of archspec, please report it: ZeroDivisionError"),
        (RecursionError("deep"), 70, "RecursionError"),
    ],
)
def test_nothing_that_goes_wrong_is_a_traceback(error, code, said, capsys, monkeypatch):
    import archspec.cli.reference

    def fail(_):
        raise error

    monkeypatch.setattr(archspec.cli.reference, "run", fail)
    assert main(["reference"]) == code
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err


def test_a_reader_that_leaves_early_gets_no_complaint():
    command = f"{sys.executable} -m archspec reference conv | head -c 1"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60
    )
    assert done.stderr == "" and len(done.stdout) == 1


def test_a_terminal_without_unicode_gets_plain_characters():
    done = process("reference", "relu", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and "->" in done.stdout and done.stderr == ""


def test_only_the_module_of_the_verb_is_imported():
    code = (
        "import sys; from archspec.cli import main; main(['reference', 'relu']);"
        "print(sorted(m for m in sys.modules if m.startswith('archspec.cli.')), file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stderr.strip() == "['archspec.cli._arguments', 'archspec.cli._output', 'archspec.cli.reference']"


def test_checking_a_spec_imports_nothing_that_a_run_file_can_name():
    code = (
        "import sys; from archspec.cli import main; main(['check', 'specs/lenet/lenet5.yaml']);"
        "print([m for m in sys.modules if m.startswith(('archspec.training', 'archspec.data', 'archspec.tasks'))])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60
    )
    assert done.stdout.splitlines() == ["specs/lenet/lenet5.yaml: ok", "[]"]


def test_importing_archspec_imports_nothing_that_it_may_not_need():
    code = (
        "import sys, archspec; print([m for m in ('pydantic', 'yaml', 'keras', 'rich', 'numpy') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.strip() == "[]"


def test_public_names_are_there_and_no_others():
    import ast

    tree = ast.parse(Path(archspec.__file__).read_text(encoding="utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom) and "archspec" in node.module]
    typed = {alias.name for node in imports for alias in node.names}
    assert typed | {"load", "loads"} == set(archspec.__all__) == set(dir(archspec)) - {"__version__"}
    with refuses(AttributeError):
        _ = archspec.tabel


def test_data_that_cannot_be_read_are_no_defect_of_an_evaluation(capsys, monkeypatch):
    from archspec.data.errors import DataError

    def broken(*args, **options):
        raise DataError("2 images of 16 in all cannot be read")

    monkeypatch.setattr("archspec.runs.evaluation.evaluate", broken)
    assert main(["evaluate", "runs/1", "--data", "photos"]) == 1
    assert capsys.readouterr().err == "archspec: 2 images of 16 in all cannot be read\n"


def test_a_spec_that_is_not_there_may_have_another_ending(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text("archspec: 1\nname: net\ninputs: {x: [4]}\nbody: [dense: 3]\n")
    Path("nets.yaml").write_text("archspec_run: 1\nspec: net.yml\ndata: digits\n")
    assert main(["check", "nets.yaml"]) == 1
    assert "did you mean 'net.yaml'?" in capsys.readouterr().err
