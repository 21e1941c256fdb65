"""The page about tasks: its tables say what the code does; each pair of files is a run of its task, and of no other."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from archspec.training.task import Task
from tests.docs.blocks import ROOT, shown

PAGE = ROOT / "docs" / "tasks.md"
TEXT = PAGE.read_text(encoding="utf-8")
NAMES = Task.names()
ABLE = {"predict": "predicts", "sample": "sample_options", "several devices on TensorFlow": "is_divisible"} | {
    "cache_features": "takes_features",
    "ensembles, --views": "is_averaged",
}


@pytest.fixture
def folder(tmp_path):
    """The page's files, and the data that they name."""
    for block in shown("yaml", pages=[PAGE]):
        (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    sentences = [f"word{i} NAME\nruns OTHER\n" for i in range(40)]
    (tmp_path / "words.txt").write_text("\n".join(sentences), encoding="utf-8")
    for name, mode in (("images", "RGB"), ("masks", "L")):
        (tmp_path / "cells" / name).mkdir(parents=True)
        for i in range(5):
            Image.new(mode, (40, 36)).save(tmp_path / "cells" / name / f"{i}.png")
    for name in ("JPEGImages", "Annotations"):
        (tmp_path / "blood" / name).mkdir(parents=True)
    for i in range(5):
        Image.new("RGB", (40, 36)).save(tmp_path / "blood" / "JPEGImages" / f"{i}.jpg")
        objects = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{k}</xmin><ymin>2</ymin><xmax>20</xmax><ymax>30</ymax></bndbox></object>"
            for k, name in enumerate(("platelet", "red", "white"), 1)
        )
        (tmp_path / "blood" / "Annotations" / f"{i}.xml").write_text(f"<annotation>{objects}</annotation>")
    book = "the quick brown fox jumps over the lazy dog, does it?\nit does!\nwell. " * 60
    (tmp_path / "book.txt").write_text(book, encoding="utf-8")
    return tmp_path


def rows(width: int) -> list[list[str]]:
    found = [line.strip("|").split("|") for line in TEXT.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in row] for row in found if len(row) == width]


def test_every_task_has_a_row_and_files():
    assert sorted(re.findall(r"^\| \[`(\w+)`\]\(#\1\) \|", TEXT, re.MULTILINE)) == sorted(NAMES)
    files = [block.file for block in shown("yaml", pages=[PAGE])]
    assert {*files} >= {f"{name}{end}.yaml" for name in NAMES for end in ("", "_run")}


def test_what_a_task_can_do_is_what_the_code_says():
    head, _, *body = [[cell.strip() for cell in row] for row in rows(6) if "[" not in row[0]][2:]
    assert head[1:] == [*ABLE]
    said = {row[0]: [cell.startswith("yes") for cell in row[1:]] for row in body}
    assert said == {task.name: [bool(getattr(task, name)) for name in ABLE.values()] for task in Task.all()}


def test_two_towers_are_of_a_task(folder):
    assert Run.open(folder / "towers_run.yaml").plan().task.name == "classification"


@pytest.mark.parametrize("name", NAMES)
def test_the_files_of_a_task_plan_a_run_of_it_and_of_no_other(name, folder):
    """But for ``multitask``, which is of whatever tasks the heads are."""
    path = folder / f"{name}_run.yaml"
    assert Run.open(path).plan().task.name == name
    for other in {*NAMES} - {name, "multitask"}:
        with pytest.raises(SpecError):
            Run.open(path, task=other).plan()
