"""The ``train`` section: what a person writes is what the graph says. Mistakes are in ``invalid/train_*.yaml``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import archspec
from archspec.frontend import load
from archspec.ir.diagnostics import SpecError
from archspec.ir.tensors import TensorSpec
from archspec.ir.training import Drawn, GradientPenalty, ValueSchedule, WeightConstraint
from tests.wording import refuses

SPECS = Path(__file__).parents[2] / "specs"

CRITIC = """
archspec: 1
name: critic
params: {noise: 8, late: 3}
networks:
  G:
    inputs: {z: [=noise], label: {shape: [], dtype: int32}}
    body: [{one_hot: 4, from: label, as: hot}, {concat: [z, hot]}, dense: 4]
  D: {inputs: {x: [4]}, body: [dense: 1]}
train:
  inputs:
    real: [4]
    z: {normal: [=noise]}
    at: {uniform: [1]}
    angle: {uniform: [2, 2], low: -1, high: =late}
    label: {label: 4}
  average: {G: 0.999}
  body:
    - {G, from: {z: z, label: label}, as: fake}
    - {image_pool: 20, from: fake, as: pooled}
    - {interpolate, from: [real, pooled, at], as: between}
    - {D, from: real, as: real_score}
    - {D, from: pooled, as: pooled_score}
    - {D, from: fake, as: score}
    - {D, from: between, as: between_score}
  steps:
    - update: [D]
      turns: "=100 if rounds < 25 or rounds % 500 == 0 else 5"
      constraint: {clip: 0.01}
      minimize:
        - {wasserstein: [real_score, 1]}
        - {wasserstein: [pooled_score, -1]}
        - {wasserstein: [pooled_score, -1], weight: "=min(1, rounds / 10)"}
        - {gradient_penalty: [between_score, between, 0], weight: 10}
    - update: [G]
      minimize: [{wasserstein: [score, 1], weight: =late}]
    - {update: [G], turns: 2, constraint: {max_norm: 3}, minimize: [{mse: [score, =late]}]}
"""


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    path = tmp_path_factory.mktemp("critic") / "critic.yaml"
    path.write_text(CRITIC, encoding="utf-8")
    return load(str(path)).training


def test_inputs_are_arrays_or_drawn(training):
    assert list(training.body.inputs) == ["real", "z", "at", "angle", "label"]
    assert training.body.inputs["z"] == TensorSpec((8,))
    assert training.body.inputs["label"] == TensorSpec((), "int32")
    assert training.drawn == {
        "z": Drawn("normal"),
        "at": Drawn("uniform", 0.0, 1.0),
        "angle": Drawn("uniform", -1.0, 3.0),
        "label": Drawn("label", classes=4),
    }


def test_steps_have_names_turns_and_constraints(training):
    assert [step.name for step in training.steps] == ["D", "G", "G_2"]
    assert [step.constraint for step in training.steps] == [
        WeightConstraint(clip=0.01),
        None,
        WeightConstraint(max_norm=3.0),
    ]
    turns = training.steps[0].turns
    assert isinstance(turns, ValueSchedule)
    assert [turns.at(n) for n in (0, 24, 25, 499, 500, 501, 1000)] == [100, 100, 5, 5, 100, 5, 100]
    assert [step.turns for step in training.steps[1:]] == [1, 2]
    assert training.averages == {"G": 0.999}
    assert not training.together


def test_terms_have_names_weights_and_operands(training):
    terms = training.steps[0].minimize
    assert [t.name for t in terms] == [
        "wasserstein.real_score",
        "wasserstein.pooled_score",
        "wasserstein.pooled_score_2",
        "gradient_penalty.between_score",
    ]
    assert [t.operands for t in terms] == [
        ("real_score", 1.0),
        ("pooled_score", -1.0),
        ("pooled_score", -1.0),
        ("between_score", "between"),
    ]
    assert terms[3].loss == GradientPenalty(0.0)
    assert [t.weight for t in terms[:2]] == [1.0, 1.0]
    assert [terms[2].weight.at(n) for n in (0, 5, 20)] == [0.0, 0.5, 1.0]
    assert training.steps[1].minimize[0].weight == 3.0
    assert training.steps[2].minimize[0].operands == ("score", 3.0)


def test_terms_say_which_entries_count(tmp_path):
    path = tmp_path / "counted.yaml"
    path.write_text(COUNTED, encoding="utf-8")
    training = load(str(path)).training
    assert [(t.where, t.per, t.coding) for t in training.steps[0].minimize] == [
        (None, "examples", "given"),
        ("there", "part[0]", "classes"),
        (None, None, "channel"),
    ]
    assert training.steps[0].minimize[1].results == ("made.a", "own", "there", "part[0]")
    assert {"there", "part[0]"} <= set(training.results)


COUNTED = """
archspec: 1
name: counted
networks:
  G: {inputs: {x: [6, 3]}, body: [{dense: 4, as: a}, {dense: 1, from: a, as: b}, {softmax, from: a}]}
train:
  inputs: {x: [6, 3], y: [6, 4], there: {shape: [6], dtype: bool}, classes: {shape: [6], dtype: int32}}
  body:
    - {G, from: x, as: made}
    - {split: 2, from: y, as: part}
    - {roll: 1, from: classes, as: own}
  steps:
    - update: [G]
      minimize:
        - {mse: [made.a, y], per: examples}
        - {binary_crossentropy: [made.a, own], where: there, per: "part[0]"}
        - {binary_crossentropy: [made.b, there]}
"""


def test_calls_of_a_network_share_its_weights(training):
    owners = {n.layer for n in training.body.nodes if n.weights}
    assert owners == {"G.dense", "D.dense"}


def test_simultaneous_updates(tmp_path):
    text = (SPECS / "cyclegan" / "cyclegan.yaml").read_text("utf-8")
    path = tmp_path / "cyclegan.yaml"
    path.write_text(text.replace("\n  steps:\n", "\n  together: true\n  steps:\n"), encoding="utf-8")
    assert load(str(path)).training.together
    assert not load("cyclegan").training.together


def test_a_term_is_left_out_where_it_is_not_wanted(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    names = [[t.name for t in archspec.load(str(path), penalty=p).training.steps[0].minimize] for p in (0.5, 0.0)]
    assert names == [["mse.score", "gradient_penalty.score"], ["mse.score"]]
    path.write_text(SMALL.replace("=penalty > 0", "yes"), encoding="utf-8")
    with refuses(SpecError):
        load(str(path))


SMALL = """
archspec: 1
name: small
params: {penalty: 0.0}
networks:
  D: {inputs: {x: [2]}, body: [dense: 1]}
train:
  inputs: {real: [2]}
  body: [{D, from: real, as: score}]
  steps:
    - update: [D]
      minimize:
        - {mse: [score, 1]}
        - {gradient_penalty: [score, real, 0], weight: =penalty, when: =penalty > 0}
"""


def test_mistakes_are_told_without_tensorflow():
    case = Path(__file__).parent / "invalid" / "train_terms.yaml"
    code = (
        "import sys; from archspec.cli import main; code = main(['check', sys.argv[1]]);"
        "print(code, [m for m in ('tensorflow', 'keras', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(case)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1 []"
    assert "error[H09]" in done.stdout + done.stderr


def test_every_error_of_a_file_is_told_in_its_order(tmp_path):
    with pytest.raises(SpecError) as caught:
        load(str(Path(__file__).parent / "invalid" / "train_steps.yaml"))
    lines = [d.span.line for d in caught.value.diagnostics]
    assert lines == sorted(lines)
    assert len(lines) >= 8


CASCADE = """
archspec: 1
name: cascade
networks:
  P:
    inputs: {x: [12, 12, 3]}
    results: [face, box]
    body:
      - {conv: {filters: 10, kernel: 3}, as: h}
      - {conv: {filters: 2, activation: softmax}, from: h, as: face}
      - {conv: 4, from: h, as: box}
train:
  inputs: {x: [12, 12, 3], wanted: [12, 12, 4], there: {shape: [12, 12], dtype: int32}}
  body: [{P, from: x, as: found}]
  minimize:
    - {sparse_categorical_crossentropy: [found.face, there]}
    - {mse: [found.box, wanted]}
"""


def test_a_network_has_the_results_that_it_names(tmp_path):
    path = tmp_path / "cascade.yaml"
    path.write_text(CASCADE, encoding="utf-8")
    graph = load(str(path))
    assert [(o.name, graph.networks["P"].spec(o.tensor).shape) for o in graph.networks["P"].outputs] == [
        ("face", (12, 12, 2)),
        ("box", (12, 12, 4)),
    ]
    # By hand: 3 · 3 · 3 · 10 + 10, 10 · 2 + 2, 10 · 4 + 4.
    assert sum(n.params for n in graph.networks["P"].owners()) == 280 + 22 + 44
    assert [term.operands[0] for term in graph.training.steps[0].minimize] == ["found.face", "found.box"]
    assert graph.training.steps[0].update == ("P",)


def test_a_block_has_the_results_that_it_names_at_every_call(tmp_path):
    path = tmp_path / "pairs.yaml"
    path.write_text(PAIRS, encoding="utf-8")
    graph = load(str(path))
    assert [(o.name, graph.spec(o.tensor).shape) for o in graph.outputs] == [
        ("all", (10,)),
        ("both.a", (2,)),
        ("both.b", (3,)),
    ]


PAIRS = """
archspec: 1
name: pairs
inputs: {x: [8]}
blocks:
  pair:
    results: [a, b]
    body: [{dense: 3, as: b}, {dense: 2, from: input, as: a}]
body:
  - {pair, from: x, as: one}
  - {pair, from: x, as: two}
  - {concat: [one, two.b, one.a], as: all_}
heads:
  all: {from: all_}
  both: {from: two}
"""


COMPUTED = """
archspec: 1
name: net
networks:
  G: {inputs: {x: [6]}, body: [{dense: 4, as: hidden}, {dense: 4, as: out}]}
train:
  inputs: {x: [6], y: [4]}
  body:
    - {G, from: x, as: made}
    STEP
  steps: [{update: [G], minimize: [TERM]}]
"""


@pytest.mark.parametrize(
    ("step", "term", "operand", "loss"),
    [
        (
            "- {subtract: [made.hidden, y], as: apart}",
            "{huber: [apart, 0], delta: 0.5}",
            "{subtract: [made.hidden, y]}",
            "huber.subtract",
        ),
        (
            "- {square, from: made}\n    - {reduce: {reduction: sum, keep: true}, as: apart}",
            "{huber: [apart, 0], delta: 0.5}",
            "[{square, from: made}, {reduce: {reduction: sum, keep: true}}]",
            "huber.reduce",
        ),
        ("- {scale: 2, from: y, as: apart}", "{mae: [made, apart]}", "{scale: 2, from: y, as: twice}", "mae.made"),
    ],
)
def test_an_operand_may_be_a_step_of_the_body(step, term, operand, loss):
    """A chain there is the body's, behind all else."""
    before = archspec.loads(COMPUTED.replace("STEP", step).replace("TERM", term)).training
    after = archspec.loads(COMPUTED.replace("    STEP\n", "").replace("TERM", term.replace("apart", operand))).training
    assert [(n.op, n.output, n.input_specs) for n in after.body.nodes] == [
        (n.op, n.output, n.input_specs) for n in before.body.nodes
    ]
    (ours,), (theirs,) = after.steps[0].minimize, before.steps[0].minimize
    assert (ours.name, ours.loss, ours.from_logits) == (loss, theirs.loss, theirs.from_logits)
    for one, other in zip(ours.operands, theirs.operands, strict=True):
        if isinstance(one, str):
            assert after.results[one] == replaced(before.results[other], before, after)
        else:
            assert one == other


def replaced(tensor, before, after):
    """The tensor that stands at the same place of another body."""
    at = {node.name: i for i, node in enumerate(before.body.nodes)}
    return tensor if tensor.node not in at else type(tensor)(after.body.nodes[at[tensor.node]].name, tensor.port)


def test_operands_of_one_op_have_names_of_their_own():
    terms = "{mae: [{scale: 2, from: made}, y]}, {mae: [{scale: 3, from: made}, {scale: 4, from: y}]}"
    training = archspec.loads(COMPUTED.replace("    STEP\n", "").replace("TERM", terms)).training
    assert [t.name for t in training.steps[0].minimize] == ["mae.scale", "mae.scale_2"]
    assert [node.op.factor for node in training.body.nodes if node.op.name == "scale"] == [2, 3, 4]
    assert len({training.results[n] for n in ("scale", "scale_2", "scale_3")}) == 3
