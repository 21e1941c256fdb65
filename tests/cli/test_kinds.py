"""``archspec reference`` for whatever has a name besides ops, and the pages that are written of the same records."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from archspec.cli import main
from archspec.cli._kinds import ABOUT, KINDS, PLACES, kind_of, named, placed, plural
from archspec.frontend import loads, prelude
from archspec.frontend.schema import file_schema
from archspec.frontend.yaml_source import read
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import Source
from archspec.ir.reading import member
from archspec.report.vocabulary import arguments, usage
from archspec.training.document import RunSpec
from tests.docs.blocks import shown

ROOT = Path(__file__).parents[2]
HEAD = "archspec: 1\nname: net\ninputs: {x: [4]}\n"
NET = {"archspec": 1, "name": "net", "inputs": {"x": [4]}, "body": ["relu"]}
EVERY = [(word, found) for word, kind in KINDS.items() for found in kind.all()]


@cache
def schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(file_schema(None, prelude(), {}))


def kinds(above: type[Declaration] = Declaration):
    """Kinds of declarations: classes that have a registry of their own."""
    for kind in above.__subclasses__():
        if "registry" in kind.__dict__:
            yield kind.__name__


def test_every_kind_has_a_word():
    """But for ops, which have a listing of their own, and what is an argument of one task."""
    assert {kind.__name__ for kind in KINDS.values()} >= set(kinds()) - {"Op", "Decoding"}
    assert set(PLACES) == set(ABOUT) == set(KINDS)


@pytest.mark.parametrize(("word", "found"), EVERY, ids=lambda v: v if isinstance(v, str) else v.name)
def test_all_is_said_of_everything(word, found, tmp_path):
    assert found.summary() and [a.name for a in arguments(found) if not a.doc] == []
    assert not any("tuple" in a.type or "Annotated" in a.type or "declared" in a.type for a in arguments(found))
    text = usage(found)
    assert text is not None
    (tmp_path / "photos").mkdir()
    values = read(Source("example", f"key: {text}"))["key"]
    assert isinstance(member(KINDS[word], values, f"a {word}", SimpleNamespace(context={"folder": tmp_path})), found)


@pytest.mark.parametrize(("word", "found"), EVERY, ids=lambda v: v if isinstance(v, str) else v.name)
def test_an_example_stands_where_a_file_has_it(word, found, tmp_path):
    values = read(Source("example", placed(word, usage(found))))
    assert len(values) == 1
    for path in ("photos", "lines.txt"):
        (tmp_path / path).touch()
    if next(iter(values)) in RunSpec.model_fields:
        RunSpec.model_validate({"archspec_run": 1, "spec": "net", **values}, context={"folder": tmp_path})
    elif "heads" in values:
        assert schema().is_valid({**NET, **values})
    else:
        assert loads(f"{HEAD}body: [{placed(word, usage(found))}]\n").nodes


def test_a_page_says_arguments_and_an_example(capsys):
    assert main(["reference", "adam"]) == 0
    out = capsys.readouterr().out
    assert "learning_rate: learning rate, default 0.001" in out and "train: {optimizer: adam}" in out


@pytest.mark.parametrize(
    ("name", "told", "page"),
    [
        ("Adam", "the optimizer adam", "adam: optimizer"),
        ("HeNormal", "the initializer he_normal", "he_normal: initializer"),
        ("MeanSquaredError", "the loss mse and the metric mse", "mse: loss"),
        ("torch.optim.lr_scheduler.ReduceLROnPlateau", "the schedule plateau", "plateau: schedule"),
        ("nn.Conv2d", "conv", "conv"),
        ("ReLU", "relu", "relu"),
    ],
)
def test_names_of_keras_and_pytorch_are_told_with_the_page_of_ours(name, told, page, capsys):
    assert main(["reference", name]) == 0
    out, err = capsys.readouterr()
    assert err == f"archspec reference: '{name}' is {told} in archspec\n" and out.startswith(f"{page}\n")


def test_json_is_a_record(capsys):
    assert main(["reference", "random_crop", "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["name"], record["kind"], record["main"]) == ("random_crop", "transform", "size")
    assert [a["name"] for a in record["arguments"]] == ["size", "padding"]


def test_the_word_of_a_kind_lists_its_members(capsys):
    for word in ("optimizer", "optimizers", "losses", "data_sources", "sources"):
        assert main(["reference", word]) == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
        assert [line.split()[0].rstrip(":") for line in lines] == list(KINDS[kind_of(word)].names())
    assert list(named("nothing")) == [] and kind_of("nothing") is None


@pytest.mark.slow
def test_the_pages_are_what_the_tool_writes():
    tool = [sys.executable, str(ROOT / "tools" / "declaration_reference.py"), "--check"]
    done = subprocess.run(tool, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_example_of_the_pages_is_one_that_is_checked():
    blocks = shown("yaml", pages=sorted((ROOT / "docs" / "reference").glob("*.md")))
    assert sorted(b.text.strip() for b in blocks) == sorted(placed(word, usage(found)) for word, found in EVERY)


def test_the_list_without_a_name_has_every_kind(capsys):
    """And the verb goes by its earlier name."""
    assert main(["ops"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert all(plural(word).replace(" ", "_") in out for word in KINDS)
