"""``archspec diff``: what changed, what only moved, and where a spec is from."""

from __future__ import annotations

import json
import subprocess

import pytest

import archspec
from archspec.analysis.difference import difference
from archspec.cli import main
from archspec.frontend import load, loads

HEAD = "archspec: 1\nname: net\nparams: {width: 8}\ninputs: {image: [8, 8, 4]}\n"
BODY = """body:
  - {conv: {filters: =width, kernel: 3}, as: a}
  - {relu: , as: b}
  - {conv: {filters: =width, kernel: 3}, as: c}
  - {add: [c, a], as: d}
  - {conv: 4, as: e}
"""


def changed(before, after):
    found = difference(loads(HEAD + before), loads(HEAD + after))
    changes = [(c.kind, (c.after or c.before).name, c.arguments, c.inputs) for c in found.changes]
    return changes, found.renamed


def test_nothing_differs_from_itself():
    assert changed(BODY, BODY) == ([], ())


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("{relu: , as: b}", "{relu: , as: b}\n  - {tanh: , as: x}", [("added", "x", {}, ())]),
        ("  - {relu: , as: b}\n", "", [("removed", "b", {}, ())]),
        ("{conv: 4, as", "{conv: {filters: 4, bias: false}, as", [("changed", "e", {"bias": (True, False)}, ())]),
        # Wired otherwise, with equal shapes.
        ("[c, a]", "[c, b]", [("changed", "d", {}, (("a", "b"),))]),
        ("{conv: 4, as: e}", "{conv: 4, as: e, from: c}", [("removed", "d", {}, ())]),
    ],
)  # fmt: skip
def test_what_changed_is_told(old, new, changes):
    assert changed(BODY, BODY.replace(old, new))[0] == changes


def test_a_step_that_reads_the_input_instead():
    """Its channels are the input's then, and so are those of the next."""
    found, _ = changed(BODY, BODY.replace("as: b}", "as: b, from: image}"))
    assert [(kind, name, inputs) for kind, name, _, inputs in found] == [
        ("changed", "b", (("a", "image"),)),
        ("changed", "c", ()),
    ]


def test_another_name_is_no_change():
    renamed = BODY.replace("as: c}", "as: middle}").replace("[c, a]", "[middle, a]")
    assert changed(BODY, renamed) == ([], (("c", "middle"),))
    nested = "blocks: {pair: {body: [{conv: 4}, relu]}}\nbody: [pair, {conv: 4, as: z}]\n"
    assert changed("body: [conv: 4, relu, {conv: 4, as: z}]\n", nested)[0] == []


ENDS = """archspec: 1
name: net
inputs: {left: [8], right: [8]}
networks:
  n: {body: [dense: 8]}
  m: {body: [dense: 8]}
body:
  - {n: , from: left, as: a}
  - {n: , from: right, as: b}
heads:
  p: {from: a, loss: mse}
  q: {from: b, loss: mse, weight: 0.5}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("p: {from: a, loss: mse}", "p: {from: a, loss: mae}", "~ output p: loss "),
        ("weight: 0.5", "weight: 2", "~ output q: weight 0.5 → 2"),
        ("weight: 0.5", "weight: 0.5, train_only: true", "~ output q: train_only false → true"),
        ("weight: 0.5", "weight: 0.5, metrics: [mae]", "~ output q: metrics none → "),
        ("a, loss: mse}\n  q: {from: b", "b, loss: mse}\n  q: {from: a", "~ output p: from a.dense → b.dense"),
        ("  p: {from: a, loss: mse}\n", "", "- output p"),
        ("right: [8]", "right: {shape: [8], dtype: float16}", "~ input right: dtype float32 → float16"),
        ("right: [8]", "right: [8], third: [8]", "+ input third"),
        ("{n: , from: right", "{m: , from: right", "~ b.dense: weights: those of a.dense → its own"),
    ],
)
def test_a_change_of_what_goes_in_and_comes_out_or_of_whose_weights(old, new, said, tmp_path, capsys):
    """No node is another then, yet the network is."""
    before, after = tmp_path / "before.yaml", tmp_path / "after.yaml"
    before.write_text(ENDS)
    after.write_text(ENDS.replace(old, new))
    assert main(["diff", "--training", "--exit-code", str(before), str(after)]) == 1
    assert said in capsys.readouterr().out
    after.write_text(ENDS.replace("p: {", "first: {").replace("left", "query"))
    assert main(["diff", "--exit-code", str(before), str(after)]) == 0


def test_published_relatives():
    found = difference(load("resnet18"), load("resnet34"))
    assert {change.kind for change in found.changes} == {"added"}
    # Eight more units of two convolutions, with normalisation, two activations and a sum.
    assert len(found.changes) == 8 * 7


def test_a_difference_goes_both_ways():
    there, back = (difference(load(a), load(b)) for a, b in (("vgg16", "vgg19"), ("vgg19", "vgg16")))
    assert sorted(c.after.op.name for c in there.changes if c.before is None) == sorted(
        c.before.op.name for c in back.changes if c.after is None
    )


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "net.yaml").write_text(HEAD + BODY, encoding="utf-8")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"],
    ):
        subprocess.run(["git", *command], check=True, cwd=tmp_path, capture_output=True)
    (tmp_path / "specs" / "net.yaml").write_text(HEAD + BODY.replace("kernel: 3}, as: c", "kernel: 5}, as: c"))
    return tmp_path


def run(capsys, *args):
    code = main(["diff", *args])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_revision_of_git(repository, capsys):
    before = sum(node.params for node in loads(HEAD + BODY).nodes)
    code, out, err = run(capsys, "HEAD:specs/net.yaml", "specs/net.yaml", "--exit-code")
    assert (code, err) == (1, "") and "~ c: kernel 3 → 5, params 584 → 1,608, MACs 36.86 k → 102.4 k" in out
    (figures,) = (line.split() for line in out.splitlines() if line.startswith("params"))
    assert figures[1:] == [f"{before:,}", f"{before + 1024:,}", "+1,024", f"(+{102400 / before:.1f}", "%)"]
    code, out, _ = run(capsys, "HEAD:specs/net.yaml", "specs/net.yaml", "--format", "markdown")
    assert code == 0 and "! c: kernel 3 → 5" in out and "| --- | ---: | ---: | ---: |" in out
    code, _, err = run(capsys, "HEAD~7:specs/net.yaml", "specs/net.yaml")
    assert code == 1 and "git has no HEAD~7:specs/net.yaml" in err and "Traceback" not in err
    code, _, err = run(capsys, "HEAD:nowhere/net.yaml", "specs/net.yaml")
    assert code == 1 and "there is no folder nowhere" in err


def test_one_spec_under_two_settings(repository, capsys):
    code, out, _ = run(capsys, "specs/net.yaml", "--new-set", "width=16", "--format", "json")
    found = json.loads(out)
    assert code == 0 and found["after"] == "specs/net.yaml width=16"
    assert {change["kind"] for change in found["changes"]} == {"changed"}
    assert found["changes"][0]["arguments"] == {"filters": ["8", "16"]}
    assert found["figures"]["params"][0] < found["figures"]["params"][1]
    code, out, _ = run(capsys, "specs/net.yaml", "--exit-code")
    assert code == 0 and "no layer differs" in out


def test_long_differences_are_cut_unless_all_is_asked_for(capsys):
    _, cut, _ = run(capsys, "resnet50", "--new-set", "width=32")
    _, whole, _ = run(capsys, "resnet50", "--new-set", "width=32", "--all")
    assert "more: --all shows them" in cut and len(whole.splitlines()) > len(cut.splitlines())


def test_an_argument_of_an_op_around_items():
    text = "archspec: 1\nname: n\ninputs: {parts: [5, 8, 8, 3]}\nbody: [{do: [conv: 4], each: items}]\n"
    before, after = (loads(one) for one in (text, text.replace("conv: 4", "conv: {filters: 4, bias: false}")))
    assert [change.arguments for change in difference(before, after).changes] == [{"bias": (True, False)}]


def test_what_training_compares_is_compared(tmp_path, capsys):
    from archspec.cli.init import TEMPLATES

    text = (TEMPLATES / "detector.yaml").read_text("utf-8").replace("NAME", "net")
    other = text.replace("smooth_l1: [deltas, goals]", "huber: [deltas, goals]").replace("low: 0.4", "low: 0.3")
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(other)
    files = [str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]
    assert main(["diff", *files, "--exit-code"]) == 1
    out = capsys.readouterr().out
    assert "~ train.owner: low 0.4 → 0.3" in out and "focal" not in out
    assert "~ train step: minimizes smooth_l1 [deltas, goals] where owner.positive per owner.positive → huber" in out
    assert main(["diff", files[0], files[0], "--exit-code"]) == 0


def test_activations_are_told_by_their_names():
    a = loads("archspec: 1\nname: a\ninputs: {x: [8]}\nbody: [dense: {units: 4, activation: relu}, dense: 4]")
    b = loads(
        "archspec: 1\nname: a\ninputs: {x: [8]}\n"
        "body: [dense: {units: 4, activation: {leaky_relu: 0.3}}, dense: {units: 4, activation: tanh}]"
    )
    said = str(archspec.diff(a, b))
    assert "~ dense: activation relu → {leaky_relu: {slope: 0.3}}" in said
    assert "~ dense_2: activation null → tanh" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("between], weight", "between, 0], weight", "minimizes {gradient_penalty: {norm: 1.0}} [between_score"),
        ("else 2", "else 3", "turns 3 if rounds % 5 == 0 else 2 → 3 if rounds % 5 == 0 else 3"),
        ("[shown_score, -1]", "[shown_score, -2]", "minimizes wasserstein [shown_score, -1.0] → wasserstein"),
        ("name: points", "name: others", ""),
    ],
)  # fmt: skip
def test_a_step_of_several_networks_is_compared_as_it_is(old, new, said):
    from tests.tasks.adversarial.runs import POINTS

    told = str(archspec.diff(loads(POINTS), loads(POINTS.replace(old, new, 1))))
    assert (f"~ train step D: {said}" in told) == bool(said) == ("train step" in told)


def test_the_name_of_a_detector_is_no_change_of_its_training():
    from archspec.cli.init import TEMPLATES

    text = (TEMPLATES / "detector.yaml").read_text("utf-8")
    found = difference(loads(text.replace("NAME", "a")), loads(text.replace("NAME", "b")))
    assert (found.changes, found.ends) == ((), ())
