"""``archspec init``: what it writes checks, whatever it starts from, and nothing of a person's is overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import archspec
from archspec.cli import main
from archspec.cli.init import templates
from archspec.frontend import catalogue


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(*files, capsys):
    code = main(["check", "--strict", *files])
    assert code == 0, capsys.readouterr().err


@pytest.mark.fast(2)
@pytest.mark.parametrize("origin", templates())
def test_a_template_checks_and_so_does_its_run_file(origin, here, capsys):
    assert main(["init", "mine", "--from", origin]) == 0
    checked("mine.yaml", "mine.run.yaml", capsys=capsys)
    assert archspec.load("mine.yaml").name == "mine"
    assert Path("mine.yaml").read_text().count("\n#") >= 1, "a template says what is what"


@pytest.mark.fast(2)
@pytest.mark.parametrize("origin", ["lenet5", "resnet18", "densenet121", "transformer_base", "gan", "unet", "yolov3"])
def test_a_copy_of_the_catalogue_is_that_network(origin, here, capsys):
    assert main(["init", "mine", "--from", origin]) == 0
    entry = catalogue.find(origin)
    copy, original = archspec.load("mine.yaml", variant=entry.variant), archspec.load(origin)
    assert (copy.name, copy.inputs) == ("mine", original.inputs)
    assert [(n.name, n.op, n.inputs, n.weights) for n in copy.nodes] == [
        (n.name, n.op, n.inputs, n.weights) for n in original.nodes
    ]
    assert "expect:" not in Path("mine.yaml").read_text()
    checked(*[file for file in ("mine.yaml", "mine.run.yaml") if Path(file).exists()], capsys=capsys)


def test_a_run_file_is_the_catalogue_s_where_its_data_come_with_archspec(here):
    assert main(["init", "mine", "--from", "lstm"]) == 0
    assert "data: digits\n" in Path("mine.run.yaml").read_text()
    assert main(["init", "other", "--from", "resnet18"]) == 0
    text = Path("other.run.yaml").read_text()
    assert "data: {shapes: {classes: 4, size: 224, channels: 3}}" in text
    assert "variant: resnet18\n" in text


def test_no_run_file_is_written_where_no_data_can_be_made_up(here, capsys):
    assert main(["init", "mine", "--from", "captioner"]) == 0
    assert not Path("mine.run.yaml").exists()
    assert "none of archspec's own data fit it" in capsys.readouterr().out


@pytest.mark.slow
def test_editors_are_told_of_the_schemas(here):
    from jsonschema import Draft202012Validator

    assert main(["init", "mine"]) == 0
    for file in ("mine.yaml", "mine.run.yaml"):
        first = Path(file).read_text().splitlines()[0]
        schema = json.loads(Path(first.removeprefix("# yaml-language-server: $schema=")).read_text())
        Draft202012Validator.check_schema(schema)


def test_what_is_there_is_not_overwritten(here, capsys):
    Path("mine.run.yaml").write_text("a person's\n")
    assert main(["init", "mine"]) == 1
    assert Path("mine.run.yaml").read_text() == "a person's\n"
    assert not Path("mine.yaml").exists()
    assert capsys.readouterr().err == "archspec init: error: mine.run.yaml is there already\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["1x"], "a name is letters, digits and _, not starting with a digit, got '1x'"),
        (["../up"], "a name is letters, digits and _, not starting with a digit, got '../up'"),
        (["mine", "--from", "resnet5O"], "there is no template and no spec 'resnet5O': did you mean 'resnet50'?"),
        (["mine", "--from", "clasifier"], "there is no template and no spec 'clasifier': did you mean 'classifier'?"),
    ],
)
def test_what_is_not_there_is_refused(arguments, message, here, capsys):
    assert main(["init", *arguments]) == 2
    assert capsys.readouterr().err == f"archspec init: error: {message}\n"
    assert list(here.iterdir()) == []


def test_a_folder_that_takes_no_files_is_told(here, capsys, monkeypatch):
    Path(".archspec").write_text("a file, where the schemas' folder would be")
    assert main(["init", "mine"]) == 1
    assert capsys.readouterr().err.startswith("archspec: .archspec: ")
    assert not Path("mine.yaml").exists()
