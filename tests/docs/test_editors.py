"""The page about editors: its settings are JSON, and what VS Code looks for in the output of check is there."""

from __future__ import annotations

import json
import re

from archspec.cli import main
from archspec.frontend import load
from tests.docs.blocks import ROOT, shown

PAGE = ROOT / "docs" / "editors.md"


def files() -> dict[str, str]:
    return {block.file: block.text for block in shown("json", "yaml", pages=[PAGE]) if block.file}


def test_the_example_is_a_spec_and_names_the_schema(tmp_path):
    text = files()["net.yaml"]
    assert text.startswith("# yaml-language-server: $schema=archspec.schema.json\n")
    (tmp_path / "net.yaml").write_text(text, encoding="utf-8")
    assert load(str(tmp_path / "net.yaml")).name == "net"


def test_settings_are_json():
    schemas = json.loads(files()[".vscode/settings.json"])["yaml.schemas"]
    assert list(schemas) == ["./archspec.schema.json", "./run.schema.json"]


def test_the_problem_matcher_reads_what_check_prints(tmp_path, capsys):
    (task,) = json.loads(files()[".vscode/tasks.json"])["tasks"]
    pattern = task["problemMatcher"]["pattern"]
    path = tmp_path / "net.yaml"
    path.write_text("archspec: 1\nname: net\ninputs: {image: [8, 8, 3]}\nbody: [conv_nb: 3]\n", encoding="utf-8")
    assert main(["check", str(path)]) == 1
    printed = capsys.readouterr()
    (found,) = re.findall(pattern["regexp"], printed.out + printed.err, re.MULTILINE)
    parts = {name: found[at - 1] for name, at in pattern.items() if name != "regexp"}
    assert parts == {
        "file": str(path),
        "line": "4",
        "column": "8",
        "severity": "error",
        "code": "N00",
        "message": "unknown op or block 'conv_nb'",
    }
