"""What ``use`` reaches: files of the project that the outermost file is part of, wherever they stand in it."""

from __future__ import annotations

import pytest

from archspec import load
from archspec.cli import main
from archspec.ir.diagnostics import SpecError
from tests.wording import refuses

HEAD = "archspec: 1\nname: {}\ninputs: {{image: [8, 8, 1]}}\n"


def written(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD.format(path.stem) + text, encoding="utf-8")
    return folder


@pytest.fixture
def project(tmp_path):
    """A network that uses a stage that uses a block, each in a folder of its own; something outside."""
    files = {
        "project/models/small/net.yaml": "use: {s: ../../stages/stage.yaml}\nbody: [s, flatten, dense: 10, softmax]",
        "project/stages/stage.yaml": "use: {unit: ../blocks/unit.yaml}\nbody: [unit, unit]",
        "project/blocks/unit.yaml": "body: [conv: {filters: 4, kernel: 3}]",
        "project/models/small/astray.yaml": "use: {it: ../../../outside.yaml}\nbody: [it]",
        "outside.yaml": "body: [relu]",
    }
    return written(tmp_path, files) / "project"


@pytest.mark.parametrize("mark", [".git", "pyproject.toml", ".archspec"])
def test_use_reaches_the_folders_of_a_project(project, mark):
    net = project / "models" / "small" / "net.yaml"
    with refuses(SpecError):
        load(net)
    (project / mark).mkdir()
    graph = load(net)
    assert [n.op.name for n in graph.nodes] == ["conv", "conv", "flatten", "dense", "softmax"]
    assert graph.nodes[0].span.source.name == str(project / "blocks" / "unit.yaml")
    with refuses(SpecError):
        load(project / "models" / "small" / "astray.yaml")


def test_the_nearest_mark_is_the_projects(project):
    (project / ".git").mkdir()
    (project / "models" / ".archspec").mkdir()
    with refuses(SpecError):
        load(project / "models" / "small" / "net.yaml")


def test_a_link_out_of_a_project_is_refused(project):
    (project / ".git").mkdir()
    (project / "stages" / "stage.yaml").unlink()
    (project / "stages" / "stage.yaml").symlink_to(project.parent / "outside.yaml")
    with refuses(SpecError):
        load(project / "models" / "small" / "net.yaml")


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_run_is_whole_without_its_project(project, tmp_path, monkeypatch):
    """The run directory has every file where the others look for it."""
    (project / ".git").mkdir()
    net = project / "models" / "small" / "net.yaml"
    net.write_text(net.read_text() + "\nheads: {main: {body: [linear], loss: sparse_categorical_crossentropy}}\n")
    monkeypatch.chdir(project / "models")
    out = tmp_path / "elsewhere" / "run"
    flags = ["--data", "digits", "--epochs", "1", "--batch", "512", "--quiet", "--logdir", str(out)]
    assert main(["train", "small/net.yaml", *flags]) == 0
    found = sorted(str(path.relative_to(out / "spec")) for path in (out / "spec").rglob("*.yaml"))
    assert found == ["blocks/unit.yaml", "models/small/net.yaml", "stages/stage.yaml"]
    monkeypatch.chdir(tmp_path)
    (project.rename(tmp_path / "gone"))
    assert main(["evaluate", str(out)]) == 0
