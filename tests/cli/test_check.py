"""``archspec check``: warnings, and what they do to the exit code."""

from __future__ import annotations

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
