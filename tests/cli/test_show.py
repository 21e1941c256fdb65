"""What the catalogue shows of itself: texts, ports, and families by the name of their folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import archspec
from archspec.cli import main
from archspec.frontend import loads

SPECS = Path(__file__).parents[2] / "specs"


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["vae"], "vae/vae.yaml"),
        (["resnet18"], "resnet/resnet.yaml"),
        (["lenet5"], "lenet/lenet5.yaml"),
        (["lenet5", "--run"], "runs/classification/lenet5.yaml"),
        (["vae_digits"], "runs/adversarial/vae_digits.yaml"),
        ([str(SPECS / "gan" / "gan.yaml")], "gan/gan.yaml"),
    ],
)
def test_a_text_is_shown_as_it_is(arguments, file, capsys):
    assert main(["show", *arguments]) == 0
    assert capsys.readouterr().out == (SPECS / file).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet19"], "there is no spec or variant 'resnet19'"),
        (["lenett", "--run"], "there is no run file 'lenett'\n  help: did you mean 'lenet5'?"),
        (["mobilenet"], "help: 'mobilenet' is a family of the catalogue: mobilenet_v1, mobilenet_v1_050, mobilenet_v2"),
    ],
)
def test_what_is_not_there_is_said(arguments, message, capsys):
    assert main(["show", *arguments]) != 0
    assert message in capsys.readouterr().err


def test_ports_are_what_a_spec_that_uses_a_member_can_take(capsys):
    assert main(["list", "resnet18", "--ports", "--format", "json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert first["ports"] == {"c[2]": "56x56x64", "c[3]": "28x28x128", "c[4]": "14x14x256", "c[5]": "7x7x512"}
    for port, shape in first["ports"].items():
        graph = loads(
            "archspec: 1\nname: a\nuse: {net: resnet18}\ninputs: {image: [224, 224, 3]}\n"
            f'body: [{{net, as: bb}}, {{relu, from: "bb.{port}"}}]'
        )
        assert "x".join(map(str, graph.spec(graph.outputs[0].tensor).shape)) == shape
    assert main(["list", "resnet18", "--ports"]) == 0
    assert "      c[2] 56×56×64, c[3] 28×28×128, c[4] 14×14×256, c[5] 7×7×512\n" in capsys.readouterr().out


@pytest.mark.slow
def test_a_family_goes_by_the_name_of_its_folder(capsys):
    assert main(["table", "mobilenet", "--format", "csv"]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    members = [e["name"] for e in archspec.frontend.catalogue.entries() if e["family"] == "mobilenet"]
    assert [row.partition(",")[0] for row in rows] == members and len(members) > 5
    assert main(["check", "mobilenet"]) == 0
    assert [Path(line.partition(":")[0]).stem for line in capsys.readouterr().out.splitlines()] == [
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilenet_v3",
    ]


def test_a_name_that_is_a_spec_and_a_folder_is_the_spec(capsys):
    assert main(["table", "gan", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("name,op,")
