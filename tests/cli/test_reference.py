"""``archspec reference`` and the page that is generated from the same records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.cli import main
from archspec.ops.base import Op
from archspec.report.vocabulary import entry, example, types

ROOT = Path(__file__).parents[2]


def test_the_list_has_every_op_once(capsys):
    assert main(["reference"]) == 0
    lines = [line.split()[0].rstrip(":") for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert sorted(lines) == sorted(Op.names())


def test_a_page_says_arguments_defaults_costs_and_an_example(capsys):
    assert main(["reference", "conv"]) == 0
    out = capsys.readouterr().out
    assert "filters: width, required" in out and "kernel: sizes, default 1" in out
    assert "bias: bool, default true" in out
    assert "macs = output positions · size of the kernel" in out
    assert "- conv: 64" in out and "(32, 32, 16) → (32, 32, 64), 1,088 parameters" in out


def test_json_is_a_record(capsys):
    assert main(["reference", "dense", "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["name"], record["main"], record["family"], record["inputs"]) == ("dense", "units", "dense", ["x"])
    own, shared = ["units", "kernel_constraint"], ["kernel_initializer", "kernel_regularizer"]
    assert [a["name"] for a in record["arguments"]] == [*own, *shared, "bias", "activation", "bias_initializer"]


@pytest.mark.parametrize("op", Op.all(), ids=lambda op: op.name)
def test_every_op_is_documented(op):
    e = entry(op)
    assert e.summary and e.doc
    assert [a.name for a in e.arguments if not a.doc] == []
    assert "tuple[" not in "".join(a.type for a in e.arguments)


@pytest.mark.parametrize("op", Op.all(), ids=lambda op: op.name)
def test_every_op_has_an_example_that_its_rules_accept(op):
    assert example(op) is not None


def test_shared_types_are_explained():
    assert "same" in types()["padding"] and "per axis" in types()["sizes"]


@pytest.mark.slow
def test_the_page_is_what_the_tool_writes():
    tool = [sys.executable, str(ROOT / "tools" / "op_reference.py"), "--check"]
    done = subprocess.run(tool, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, timeout=60)
    assert done.returncode == 0, done.stderr
