"""The catalogue: names without opening specs, scanning, staleness, the listing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.cli import list as listing
from archspec.cli import main
from archspec.frontend import catalogue

ROOT = Path(__file__).parents[2]

TINY = "archspec: 1\nname: {name}\ninputs: {{image: [8, 8, 3]}}\nbody: [conv: 4]\n"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder in place of the catalogue."""
    monkeypatch.setattr(catalogue, "folder", lambda: tmp_path)
    for cached in (catalogue._files, catalogue._entries):
        cached.cache_clear()
    yield tmp_path
    for cached in (catalogue._files, catalogue._entries):
        cached.cache_clear()


def test_a_name_is_a_file_or_a_variant_of_one():
    assert catalogue.find("densenet") == (ROOT / "specs/densenet/densenet.yaml", None)
    assert catalogue.find("densenet121") == (ROOT / "specs/densenet/densenet.yaml", "densenet121")
    assert catalogue.find("alexnet") == (ROOT / "specs/alexnet/alexnet.yaml", None)
    assert catalogue.find("densenet122") is None


@pytest.mark.parametrize("path", ["./densenet.yaml", "a/b", "densenet.yaml", "", "../resnet"])
def test_a_path_does_not_open_the_index(path, monkeypatch):
    monkeypatch.setattr(catalogue, "_entries", lambda: pytest.fail("opened"))
    assert catalogue.find(path) is None


def test_names_are_all_that_find_finds():
    names = catalogue.names()
    assert {"resnet", "resnet50", "lenet5", "vit_b16"} <= set(names)
    assert len(names) == len(set(names)) and all(catalogue.find(name) for name in names)


def test_entries_carry_paper_and_counts():
    entry = next(e for e in catalogue.entries() if e["name"] == "resnet50")
    assert entry == {
        "family": "resnet",
        "name": "resnet50",
        "spec": "resnet",
        "variant": "resnet50",
        "title": "Deep Residual Learning for Image Recognition",
        "year": 2015,
        "authors": "He, Zhang, Ren, Sun",
        "input": "224x224x3",
        "output": "1000",
        "params": 25_610_152,
        "trainable_params": 25_557_032,
        "macs": 4_089_184_256,
    }


@pytest.mark.fast(1)
@pytest.mark.parametrize("tool", ["tools/catalogue.py", "tools/zoo.py"])
def test_what_is_generated_is_fresh(tool):
    done = subprocess.run([sys.executable, tool, "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_folder_without_an_index_is_scanned(elsewhere):
    for family, name, more in (
        ("a", "one", ""),
        ("a", "two", "params: {n: 1}\nvariants: {two_x: {n: 2}}\n"),
        ("b", "three", ""),
    ):
        (elsewhere / family).mkdir(exist_ok=True)
        (elsewhere / family / f"{name}.yaml").write_text(TINY.format(name=name) + more)
    (elsewhere / "b" / "broken.yaml").write_text("archspec: 1\nname: broken\nbody: [")
    (elsewhere / "b" / "run.yaml").write_text("archspec_run: 1\nname: run\n")
    assert catalogue.names() == ["one", "two", "two_x", "three"]
    assert catalogue.find("two_x") == (elsewhere / "a" / "two.yaml", "two_x")
    assert [e["name"] for e in catalogue.entries()] == ["one", "two_x", "three"]
    assert all(e["params"] is None for e in catalogue.entries())


def test_a_folder_with_an_index_is_not_scanned(elsewhere):
    (elsewhere / "a").mkdir()
    (elsewhere / "a" / "one.yaml").write_text(TINY.format(name="one"))
    (elsewhere / catalogue.INDEX).write_text("[]")
    assert catalogue.names() == []


def test_list_groups_families_within_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    at = lines.index("resnet")
    assert lines[at + 1] == "  2015 He et al.: Deep Residual Learning for Image Recognition"
    row = next(line for line in lines if line.startswith("    resnet50 "))
    assert row.split() == ["resnet50", "224×224×3", "25.61", "M", "4.089", "G"]
    assert lines[-1] == f"{len(catalogue.entries())} networks"


def test_list_takes_a_word_and_json(capsys):
    assert main(["list", "resnext", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == [e for e in catalogue.entries() if "resnext" in e["name"]] and len(found) > 3


def test_list_of_an_unknown_word_proposes_another(capsys):
    assert main(["list", "denzenet"]) == 1
    assert capsys.readouterr().err == ("archspec list: error: no name contains 'denzenet'; did you mean 'densenet'?\n")


def test_members_without_counts_or_paper_are_listed(elsewhere):
    (elsewhere / "mine").mkdir()
    (elsewhere / "mine" / "one.yaml").write_text(TINY.format(name="one"))
    assert listing.text(catalogue.entries()).splitlines()[2:] == [
        "",
        "mine",
        "  no paper",
        "    one                   ?           ?     ?",
        "",
        "1 network",
    ]


def test_the_picture_has_a_dot_for_every_large_classifier():
    from xml.etree import ElementTree

    root = ElementTree.parse(ROOT / "docs" / "zoo.svg").getroot()
    titles = [t.text.partition(",")[0] for t in root.iterfind(".//{*}circle/{*}title")]
    assert len(titles) == len(set(titles))
    assert {"alexnet", "resnet50", "vit_h14"} <= set(titles)
    assert not {"lenet5", "unet", "yolov3", "captioner", "resnet20_cifar"} & set(titles)
