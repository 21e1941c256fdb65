"""``archspec fmt``: which files it writes, and what it says; the form itself is in tests/frontend/test_layout.py."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from archspec.cli import main

UGLY = "archspec:   1\nname: net\ninputs: {image: [8,8,1]}\nbody:\n- {conv: {filters: 8}}   # eight\n"
FORM = "archspec: 1\nname: net\ninputs: {image: [8, 8, 1]}\nbody:\n  - conv: 8   # eight\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("specs").mkdir()
    Path("specs/ugly.yaml").write_text(UGLY)
    Path("specs/good.yaml").write_text(FORM)
    Path("specs/other.yaml").write_text("nothing:   of ours\n")


def test_files_of_a_folder_are_rewritten_where_they_change(capsys):
    os.chmod("specs/ugly.yaml", 0o640)
    before = os.stat("specs/good.yaml").st_mtime_ns
    assert main(["fmt", "specs"]) == 0
    assert capsys.readouterr().out == "specs/ugly.yaml: formatted\n"
    assert Path("specs/ugly.yaml").read_text() == FORM
    assert stat.S_IMODE(os.stat("specs/ugly.yaml").st_mode) == 0o640
    assert os.stat("specs/good.yaml").st_mtime_ns == before
    assert Path("specs/other.yaml").read_text() == "nothing:   of ours\n"
    assert main(["fmt", "specs"]) == 0
    assert capsys.readouterr().out == ""


def test_a_link_stays_one():
    Path("link.yaml").symlink_to("specs/ugly.yaml")
    assert main(["fmt", "link.yaml"]) == 0
    assert Path("link.yaml").is_symlink()
    assert Path("specs/ugly.yaml").read_text() == FORM


def test_check_names_what_would_change_and_writes_nothing(capsys):
    assert main(["fmt", "--check", "specs"]) == 1
    assert capsys.readouterr().out == "specs/ugly.yaml: would change\n"
    assert Path("specs/ugly.yaml").read_text() == UGLY
    assert main(["fmt", "--check", "specs/good.yaml"]) == 0


def test_a_difference_is_shown(capsys):
    assert main(["fmt", "--diff", "specs/ugly.yaml"]) == 0
    out = capsys.readouterr().out
    assert "-- {conv: {filters: 8}}   # eight\n+  - conv: 8   # eight\n" in out
    assert Path("specs/ugly.yaml").read_text() == UGLY


def test_stdin_goes_to_stdout(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(UGLY.encode())))
    assert main(["fmt", "-"]) == 0
    assert capsys.readouterr().out == FORM


def test_a_file_that_cannot_be_read_stays_and_the_others_go_on(capsys):
    Path("bad.yaml").write_text("archspec: 1\nbody: [conv: 8\n")
    assert main(["fmt", "bad.yaml", "none.yaml", "specs/ugly.yaml"]) == 1
    out, err = capsys.readouterr()
    assert out == "specs/ugly.yaml: formatted\n"
    assert "bad.yaml:2:" in err and "error[Y01]" in err and "archspec: none.yaml: No such file or directory" in err
    assert Path("bad.yaml").read_text() == "archspec: 1\nbody: [conv: 8\n"
