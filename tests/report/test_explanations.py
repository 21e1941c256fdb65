"""Every code that archspec says has a page, and every example is refused with its code, and passes once put right."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.cli import main
from archspec.report.explanations import codes, explanation

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"[A-Z]\d\d")
DTYPES = {"F16", "F32", "F64", "I16", "I32", "I64"}
"""Number formats of files of weights, which look like codes."""
WITHOUT = {"B03", "F03", "I01", "I02", "I03", "I04", "I05", "I06", "K01", "W25", "W26", "W28"}
"""What shows only in long files, with files beside (64 blocks, nested uses, images, weights, a table, networks of other
programs), or in Keras."""


def said() -> set[str]:
    """Codes in the source."""
    out = set()
    for path in (ROOT / "archspec").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                out.add(node.value)
    return out - DTYPES


def test_every_code_has_a_page_and_every_page_a_code():
    assert set(codes()) == said()


def test_only_what_needs_more_files_has_no_example():
    assert {code for code in codes() if explanation(code).example is None} == WITHOUT


def checked(kind, text, folder, monkeypatch, capsys):
    """Exit code and all that is said about an example."""
    monkeypatch.chdir(folder)
    if kind == "console":
        command = shlex.split(text.removeprefix("$ "))
    else:
        Path("example.yaml").write_text(text, encoding="utf-8")
        command = ["archspec", "lint" if kind == "yaml lint" else "check", "example.yaml"]
    code = main(command[1:])
    return code, "".join(capsys.readouterr())


@pytest.mark.fast(45)
@pytest.mark.parametrize("code", [code for code in codes() if code not in WITHOUT])
def test_an_example_is_refused_and_put_right(code, tmp_path, monkeypatch, capsys):
    example = explanation(code).example
    severity = "warning" if code[0] in "WL" else "error"
    exit, text = checked(example.kind, example.wrong, tmp_path, monkeypatch, capsys)
    assert f"{severity}[{code}]" in text
    assert set(re.findall(r"error\[(...)\]", text)) <= {code}, "one mistake at a time"
    assert exit == (0 if code[0] == "W" else 1)
    exit, text = checked(example.kind, example.right, tmp_path, monkeypatch, capsys)
    assert exit == 0, text
    assert not re.search(r"(error|warning)\[", text), text


def test_the_verb_prints_pages_within_80_columns(capsys):
    for code in codes():
        assert main(["explain", code]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"{code}: {explanation(code).title}\n\n")
        assert "```" not in out
        prose = [line for line in out.splitlines() if not line.startswith("    ")]
        assert max(map(len, prose)) <= 80


@pytest.mark.parametrize("word", ["h01", "[H01]", "error[H01]"])
def test_a_code_may_be_copied_from_a_message(word, capsys):
    assert main(["explain", word]) == 0
    assert capsys.readouterr().out.startswith("H01: ")


def test_an_unknown_code_is_refused(capsys):
    assert main(["explain", "H99"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("archspec explain: there is no code 'H99'\n  help: ")


def test_without_a_code_all_are_listed(capsys):
    assert main(["explain"]) == 0
    assert [line[:3] for line in capsys.readouterr().out.splitlines()] == codes()


def test_the_page_of_the_documentation_is_fresh():
    tool = [sys.executable, str(ROOT / "tools" / "error_reference.py"), "--check"]
    assert subprocess.run(tool, capture_output=True).returncode == 0
