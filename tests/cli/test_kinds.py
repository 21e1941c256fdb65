"""``archspec ops`` for whatever has a name besides ops, and the page that is written of the same records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from archspec.cli import main
from archspec.cli._kinds import KINDS, PLACES, kind_of, named, placed
from archspec.frontend.yaml_source import read
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import Source
from archspec.ir.reading import member
from archspec.report.vocabulary import arguments, usage
from archspec.training.document import RunSpec

ROOT = Path(__file__).parents[2]
EVERY = [(word, found) for word, kind in KINDS.items() for found in kind.all()]


def kinds(above: type[Declaration] = Declaration):
    """Kinds of declarations: classes that have a registry of their own."""
    for kind in above.__subclasses__():
        if "registry" in kind.__dict__:
            yield kind.__name__


def test_every_kind_has_a_word():
    """But for ops, which have a listing of their own, and what is an argument of one task."""
    assert {kind.__name__ for kind in KINDS.values()} >= set(kinds()) - {"Op", "Decoding"}
    assert set(PLACES) == set(KINDS)


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
def test_an_example_stands_where_a_run_file_has_it(word, found, tmp_path):
    values = read(Source("example", placed(word, usage(found))))
    assert len(values) == 1
    for path in ("photos", "lines.txt"):
        (tmp_path / path).touch()
    if next(iter(values)) in RunSpec.model_fields:
        RunSpec.model_validate({"archspec_run": 1, "spec": "net", **values}, context={"folder": tmp_path})


def test_a_page_says_arguments_and_an_example(capsys):
    assert main(["ops", "adam"]) == 0
    out = capsys.readouterr().out
    assert "learning_rate: learning rate, default 0.001" in out and "train: {optimizer: adam}" in out


def test_json_is_a_record(capsys):
    assert main(["ops", "random_crop", "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["name"], record["kind"], record["main"]) == ("random_crop", "transform", "size")
    assert [a["name"] for a in record["arguments"]] == ["size", "padding"]


def test_the_word_of_a_kind_lists_its_members(capsys):
    for word in ("optimizer", "optimizers", "losses", "data_sources", "sources"):
        assert main(["ops", word]) == 0
        lines = capsys.readouterr().out.splitlines()[1:]
        assert [line.split()[0].rstrip(":") for line in lines] == list(KINDS[kind_of(word)].names())
    assert list(named("nothing")) == [] and kind_of("nothing") is None


def test_the_page_is_what_the_tool_writes():
    tool = [sys.executable, str(ROOT / "tools" / "declaration_reference.py"), "--check"]
    done = subprocess.run(tool, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, timeout=60)
    assert done.returncode == 0, done.stderr
