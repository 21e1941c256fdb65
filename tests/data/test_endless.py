"""Paths of data that lead to devices and pipes: told at their place in the run file, before anything is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archspec.data.errors import DataError
from archspec.data.source import DataSource
from archspec.data.sources.csv import Csv
from archspec.data.text import read_text
from archspec.data.vocabulary import read_vocabulary
from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from archspec.runs.other_data import is_path
from tests.wording import refuses

SOURCES = [
    (kind.name, field)
    for kind in DataSource.all()
    for field, said in kind.model_fields.items()
    if kind.name and is_path(said.annotation)
]


def test_sources_have_paths():
    assert len(SOURCES) > 8
    assert ("csv", "path") in SOURCES and ("npz", "path") in SOURCES


@pytest.mark.parametrize("end", ["/dev/zero", "/dev/full", "pipe"])
@pytest.mark.parametrize(("name", "field"), SOURCES)
def test_a_source_of_what_never_ends_is_refused_in_its_place(tmp_path, name, field, end):
    os.mkfifo(tmp_path / "pipe")
    line = f"data: {{{name}: {{{field}: {end}}}}}"
    (tmp_path / "run.yaml").write_text(f"archspec_run: 1\nspec: lenet5\n{line}\n")
    with pytest.raises(SpecError) as caught:
        Run.open(tmp_path / "run.yaml")
    found = next(
        d for d in caught.value.diagnostics if "must be a file or folder, not a pipe or device, got" in d.message
    )
    assert (found.span.line, found.span.column) == (3, line.index(end) + 1)
    assert found.help is not None


@pytest.mark.parametrize("setting", ["weights", "vectors"])
def test_a_setting_that_is_a_path_is_refused_alike(tmp_path, setting):
    (tmp_path / "run.yaml").write_text(
        f"archspec_run: 1\nspec: lenet5\ndata: digits\ntrain: {{{setting}: /dev/zero}}\n"
    )
    with refuses(SpecError):
        Run.open(tmp_path / "run.yaml")


def test_what_becomes_a_device_after_it_was_named_is_not_read():
    for read in (
        lambda: read_text(Path("/dev/zero"), "utf-8"),
        lambda: read_vocabulary(Path("/dev/zero")),
        lambda: Csv(path=Path("/dev/zero"), label="label").features(),
    ):
        with refuses(DataError):
            read()


def test_a_device_in_a_folder_of_texts_is_not_read(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.txt").write_text("words\n")
    (tmp_path / "a" / "2.txt").symlink_to("/dev/zero")
    (tmp_path / "run.yaml").write_text("archspec_run: 1\nspec: lenet5\ndata: {text: .}\n")
    with refuses(SpecError):
        Run.open(tmp_path / "run.yaml").plan()
