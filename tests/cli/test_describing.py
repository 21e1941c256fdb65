"""What ``--training`` includes is one thing in every verb that describes a network."""

from __future__ import annotations

import json

import pytest

import archspec
from archspec.analysis.hardware import hardware
from archspec.cli import main
from archspec.report.drawing import diagram
from archspec.report.page.network import reported
from archspec.report.table import table

SPEC = """archspec: 1
name: net
inputs: {x: [4]}
body:
  - {dense: 3, as: code}
heads:
  main: {from: code}
  aux: {from: code, body: [dense: 2], train_only: true}
train:
  inputs: {goal: [3]}
  body:
    - {add, from: [code, goal], as: sum}
    - {tanh, as: bent}
  minimize:
    - {mse: [bent, goal]}
"""
NODES = {False: ["code"], True: ["code", "aux.dense", "train.sum", "train.bent"]}


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return str(path)


@pytest.mark.parametrize("training", [False, True])
def test_all_descriptions_are_of_the_same_nodes(net, capsys, training):
    graph, option = archspec.load(net), ["--training"] * training
    assert [row.name for row in table(graph, training=training).rows] == NODES[training]
    assert list(diagram(graph, training=training).box_of) == NODES[training]
    measured = reported(net, hardware("h100"), training=training).measured
    assert [node.name for node in measured.graph.nodes] == NODES[training]
    totals = []
    for columns in [], ["--columns", "params,flops,activations"]:
        assert main(["table", net, "--format", "json", *columns, *option]) == 0
        totals.append(json.loads(capsys.readouterr().out)["totals"])
    assert {name: totals[0][name] for name in totals[1]} == totals[1]


@pytest.mark.parametrize("option", [[], ["--training"]])
def test_a_change_of_the_chain_alone_is_a_difference(net, tmp_path, capsys, option):
    other = tmp_path / "other.yaml"
    other.write_text(SPEC.replace("tanh", "sigmoid"))
    assert main(["diff", net, str(other), "--exit-code", *option]) == 1
    assert capsys.readouterr().out.count("train.bent") == 2, "taken away and added"


def test_another_tools_number_counts_the_chain(net, tmp_path, capsys):
    alone = tmp_path / "alone.yaml"
    alone.write_text(SPEC.partition("train:\n")[0])
    counts = []
    for spec in str(alone), net:
        assert main(["table", spec, "--as", "tfprof", "--format", "json", "--training"]) == 0
        counts.append(json.loads(capsys.readouterr().out)["number"])
    assert counts[0] < counts[1]
