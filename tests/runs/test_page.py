"""The page of a run directory that is written here: what its files say is there, and nothing of it leaves its place."""

from __future__ import annotations

import json
import re

import pytest

from archspec.cli import main
from archspec.report.page.document import POLICY
from archspec.report.page.trained import Evaluated, WorstExample, sections
from archspec.runs.page import ReportedRun, compare

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror='alert(1)'>"
SPEC = """archspec: 1
name: net
params: {width: 4}
inputs: {image: [8, 8, 1]}
body: [flatten, dense: =width]
"""
RUN = """archspec_run: 1
doc: "</pre><script>alert(1)</script><img src=x onerror='alert(1)'>"
spec: spec/net.yaml
set: {width: 10}
data: {images: /there/is/no/such/folder}
train: {epochs: 4}
"""


@pytest.fixture
def run(tmp_path):
    """A run under way, whose data are gone."""
    path = tmp_path / "run"
    (path / "spec").mkdir(parents=True)
    (path / "checkpoints").mkdir()
    (path / "run.yaml").write_text(RUN, encoding="utf-8")
    (path / "spec" / "net.yaml").write_text(SPEC, encoding="utf-8")
    said = {"run": "net", "seed": 3, "packages": {"keras": "3.15"}, "command": ["archspec", "train", HOSTILE]}
    (path / "environment.json").write_text(json.dumps(said), encoding="utf-8")
    rows = [{"epoch": e, "loss": 2 / e, "val_loss": 3 / e, "val_accuracy": e / 10} for e in (1, 2)]
    (path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def made(run, *options):
    out = run.parent / "out.html"
    assert main(["report", str(run), "-o", str(out), *options]) == 0
    return out.read_text(encoding="utf-8")


def test_what_the_files_of_a_run_say(run):
    text = made(run, "--no-evaluate")
    assert "<title>net</title>" in text and "net, a run of net" in text
    # The network is that of the run, whose set gives it ten outputs.
    assert "<dt>parameters</dt><dd>650</dd>" in text.replace("<dt>params</dt>", "<dt>parameters</dt>")
    assert "last epoch (2)" in text and "<td>accuracy</td><td>0.2000</td>" in text
    assert text.count("<polyline") == 3, "loss and accuracy of the evaluated split, and the loss in training"
    assert '<th scope="row">packages.keras</th><td>3.15</td>' in text and '<th scope="row">seed</th><td>3</td>' in text
    assert re.search(r"img-src data:.{0,3}$", POLICY) is None and "; img-src data:" in text


def test_texts_of_a_run_stay_texts(run):
    text = made(run, "--no-evaluate")
    assert "<script>alert" not in text and "<img src=x" not in text and text.count("&lt;/pre&gt;") > 1


def test_why_a_network_was_not_evaluated_stands_in_the_place_of_what_it_would_say(run):
    assert "the network was not evaluated: " in (text := made(run)) and "holds no finished run" in text
    (run / "weights.npz").write_bytes(b"")
    assert "/there/is/no/such/folder" in re.findall(r"the network was not evaluated: [^<]*", made(run))[0]


def test_what_an_evaluation_says(run):
    (trained,) = compare([run]).runs
    worst = [WorstExample("a.png", HOSTILE, b"png"), WorstExample("b.txt", "x", None)]
    found = sections(ReportedRun("net", trained, Evaluated("d", HOSTILE, {"confusion": b"p"}, worst), "text", {}))
    html = "".join(found.values())
    assert "<script" not in html and "<img src=x" not in html
    assert found["Worst examples"].count('<img src="data:image/png;base64,cG5n"') == 1
    assert found["Worst examples"].count("<li>") == 2 and 'alt="confusion"' in found["Pictures"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{run}", "resnet18"], "is a run directory, which has a page by itself"),
        (["{run}", "--set", "width=3"], "which says --set and --variant itself"),
        (["resnet18", "--no-evaluate"], "--no-evaluate is of a run directory"),
    ],
)
def test_what_does_not_go_together(run, arguments, said, capsys):
    assert main(["report", *(a.replace("{run}", str(run)) for a in arguments), "-o", "out.html"]) == 2
    assert said in capsys.readouterr().err
