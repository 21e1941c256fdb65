"""``archspec check``: warnings, and what they do to the exit code."""

from __future__ import annotations

import io
import json

import pytest

from archspec.cli import main

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
    assert main(["check", "--strict", "lenet5"]) == 0


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
    assert "stdin:5:8: error[N00]: unknown op or block 'cnv'" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"archspec: \xff")))
    assert main(["check", "-"]) == 1
    assert "stdin:1:11: error[Y01]: not valid UTF-8" in capsys.readouterr().err


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
