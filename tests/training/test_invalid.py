"""What a person is told about a run file that is wrong: every file of ``invalid/`` gives exactly the text beside it.

A new case is a .yaml file there; ``python -m tests.training.test_invalid`` writes the .txt of each (read what it wrote:
it is what people will see). Most are mistakes that people made, out of a collection of run files tried as new users
would.
"""

import contextlib
import os
import re
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from archspec.cli._run_check import faults, source_of
from archspec.data.source import DataSource
from archspec.data.transform import Transform
from archspec.frontend.yaml_source import read
from archspec.ir.diagnostics import Source
from archspec.ir.reading import member
from archspec.ops.loss import Loss
from archspec.training.document import Clip, Evaluate, Log, RunSpec, Train
from archspec.training.fits import Fit
from archspec.training.optimizers import Optimizer
from archspec.training.schedules import Schedule
from archspec.training.task import Task
from tests.wording import told

INVALID = Path(__file__).parent / "invalid"
CASES = sorted(path.stem for path in INVALID.glob("*.yaml"))


def said(case):
    """What ``check`` says of a case, from its folder; real data, wherever a machine has them, are not looked for."""
    with contextlib.chdir(INVALID), patch.dict(os.environ):
        os.environ.pop("ARCHSPEC_DATA", None)
        source = source_of(f"{case}.yaml")
        assert source is not None
        return "\n".join(d.render() for d in faults(source, Path())) + "\n"


@pytest.mark.fast(60)
@pytest.mark.parametrize("case", CASES)
def test_mistake(case):
    text = said(case)
    assert text == (INVALID / f"{case}.txt").read_text("utf-8")
    assert f"{case}.yaml:" in text
    assert str(Path.cwd()) not in text


SHOWN = re.compile(r"(?<![\w/])(?:([a-z_]+): )?([{\[]|(?<=: )(?![\w.*/-]+:)[\w.*/-]+)")
SECTIONS = (RunSpec, Train, Evaluate, Log, Clip)
KINDS = {DataSource: "a", Transform: "a", Optimizer: "an", Schedule: "a", Fit: "a", Loss: "a", Task: "a"}


def shown(text):
    """Keys and values that a help line shows: ``epochs: 5``, ``train: {…}``, ``write {adam: 1}`` (without a key)."""
    at = 0
    while found := SHOWN.search(text, at):
        start, end = found.span(2)
        depth = 0
        for end in range(start + 1, len(text) + 1) if text[start] in "{[" else ():
            depth = sum(text[start:end].count(c) for c in "{[") - sum(text[start:end].count(c) for c in "}]")
            if not depth:
                break
        assert not depth, f"{text}: brackets do not close"
        at = end
        yield found[1], text[start:end]


def is_read(key, text, folder):
    """Whether run files take what is shown; None where it is prose that has a colon."""
    values = read(Source("help", f"key: {text}"))["key"]
    context = {"folder": folder}
    models = [model for model in SECTIONS if key in model.model_fields]
    for model in models:
        header = {"archspec_run": 1, "spec": "net"} if model is RunSpec else {}
        with contextlib.suppress(ValidationError):
            return bool(model.model_validate({**header, key: values}, context=context))
    if key is not None and models:
        return False
    names = [values] if key is None and isinstance(values, dict) else [{key: values}] if text[0] in "{[" else []
    for kind, article in KINDS.items():
        for value in names:
            with contextlib.suppress(ValidationError, PydanticCustomError):
                member(kind, value, f"{article} member", SimpleNamespace(context=context))
                return True
    return False if names else None


HELPS = sorted(
    {
        line[8:]
        for case in CASES
        for line in (INVALID / f"{case}.txt").read_text("utf-8").split("\n")
        if line.startswith("  help: ")
    }
)


@pytest.mark.parametrize("text", [text for text in HELPS if any(shown(text))])
def test_what_a_help_shows_can_be_copied(text, tmp_path):
    for path in (
        "PATH",
        "photos",
        "path/to/photos",
        "path/to/mnist",
        "houses/kinds.csv",
        "pets",
        "reviews",
        "weights.npz",
        "weights.pth",
        "images.npz",
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / path).touch()
    for key, value in shown(text):
        assert is_read(key, value, tmp_path) is not False, f"{key}: {value}"


def test_helps_are_tried():
    """Most show something, so that the test above is of something; and it tells what cannot be read."""
    assert sum(any(shown(text)) for text in HELPS) > 60
    assert is_read("epochs", "'5'", INVALID) is is_read("train", "{epochs: five}", INVALID) is False
    assert is_read(None, "{adam: {rate: 1}}", INVALID) is False
    assert list(shown("write {sgd: {momentum: 0.9}}, or train: {epochs: 5}; batch: 32")) == [
        (None, "{sgd: {momentum: 0.9}}"),
        ("train", "{epochs: 5}"),
        ("batch", "32"),
    ]


def test_nothing_is_said_of_a_run_that_can_start(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "archspec_run: 1\nspec: lenet5\ndata: digits\naugment: [resize: 32, rescale]\n"
        "train: {optimizer: {adam: 0.003}, epochs: 5}\n"
    )
    assert faults(source_of(str(path)), tmp_path) == []


@pytest.mark.parametrize("kind", ["folder", "pipe", "picture", "large"])
def test_what_is_no_spec_is_told_where_the_run_names_it(kind, tmp_path):
    """Whatever a path may lead to: nothing of it could be shown."""
    spec = tmp_path / "net.yaml"
    match kind:
        case "folder":
            spec.mkdir()
        case "pipe":
            os.mkfifo(spec)
        case "picture":
            spec.write_bytes(b"\x89PNG\r\n")
        case "large":
            spec.write_bytes(b"a" * (2 << 20))
    path = tmp_path / "run.yaml"
    path.write_text("archspec_run: 1\nspec: net.yaml\ndata: digits\n")
    (found,) = faults(source_of(str(path)), tmp_path)
    assert (found.span.source.name, found.span.line, found.span.column) == (str(path), 2, 7)


def test_data_check_does_not_pass_a_run_that_cannot_start(tmp_path, capsys):
    from archspec.cli import main

    path = tmp_path / "run.yaml"
    path.write_text("archspec_run: 1\nspec: lenet5\ndata: digits\naugment: [rescale]\ntrain: {epochs: 5}\n")
    assert main(["data", "check", str(path)]) == 1
    told(capsys.readouterr().err)
    assert main(["check", str(path)]) == 1


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for case in CASES:
        (INVALID / f"{case}.txt").write_text(said(case), "utf-8")
