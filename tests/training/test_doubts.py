"""What can be done and is hardly meant is warned of (``invalid/`` has the words); what is meant is not."""

from __future__ import annotations

import numpy as np
import pytest

from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from tests.training import runs
from tests.wording import refuses


def said(tmp_path, train: str) -> list[tuple[str, int, int, str]]:
    """Code, line, column and message of every warning of a small run (digits: 1,437 examples in training)."""
    text = f"\narchspec_run: 1\nspec: small.yaml\ndata: digits\naugment: [rescale]\ntrain: {train}\n"
    found = Run.open(runs.write(tmp_path, text)).warnings()
    assert {d.severity for d in found} <= {"warning"}
    return [(d.code, d.span.line, d.span.column, d.message) for d in found]


@pytest.mark.parametrize(
    "train",
    [
        "{}",
        "{batch: 1437}",
        "{schedule: {milestones: [10, 15]}}",
        "{schedule: {step: 8}}",
        "{optimizer: {sgd: 20}}",
        "{optimizer: {adadelta: 1.0}}",
        "{optimizer: {adam: 0.1}}",
        "{monitor: loss, patience: 19}",
    ],
)
def test_what_people_mean_is_no_doubt(tmp_path, train):
    assert said(tmp_path, train) == []


@pytest.mark.parametrize(
    "augment",
    [
        "[normalize: {mean: [0.485], std: [0.229]}]",
        "[normalize: {mean: 0.5, std: 0.5}]",
        "[normalize: {mean: 0.1307, std: 0.3081}]",
        "[mirror, normalize: {std: 0.25}]",
        "[rescale, normalize: {mean: [123.68]}]",
        "[rescale, normalize: {std: 255}]",
        "[rescale: {low: -1}, normalize: {mean: 127.5, std: 127.5}]",
    ],
)
def test_a_mean_of_another_scale_is_a_doubt(tmp_path, augment):
    assert doubts_of(tmp_path, augment) == ["W24"]


@pytest.mark.parametrize(
    "augment",
    [
        "[rescale, normalize: {mean: [0.485], std: [0.229]}]",
        "[rescale, normalize: {mean: -3, std: 2}]",
        "[normalize: {mean: 123.68}]",
        "[normalize: {mean: 33.3, std: 78.6}]",
        "[normalize: {std: 255}]",
        "[normalize]",
        "[normalize: {mean: data, std: data}]",
        "[standardize, normalize: {mean: 0.5, std: 0.5}]",
    ],
)
def test_a_mean_of_the_scale_of_the_values_is_no_doubt(tmp_path, augment):
    assert doubts_of(tmp_path, augment) == []


def doubts_of(tmp_path, augment: str) -> list[str]:
    text = f"\narchspec_run: 1\nspec: small.yaml\ndata: digits\naugment: {augment}\n"
    return [d.code for d in Run.open(runs.write(tmp_path, text)).warnings()]


def test_a_run_of_a_spec_that_cannot_learn_says_so_in_a_line(tmp_path):
    spec = runs.SPEC.replace("activation: softmax", "activation: relu")
    line = Run.open(runs.write(tmp_path, runs.RUN, spec)).spec_warnings()
    assert line is not None and ": 1 warning; 'archspec check " in line and "small.yaml" in line
    assert Run.open(runs.write(tmp_path)).spec_warnings() is None


# digits: 1,437 examples in training, 44 batches of 32 an epoch.
@pytest.mark.parametrize(
    ("train", "found"),
    [
        ("{epochs: 1, accumulate: 44}", []),
        ("{epochs: 3, accumulate: 7}", []),
        ("{epochs: 1, accumulate: 42}", []),
        ("{epochs: 1, accumulate: 41}", ["W27"]),
        ("{epochs: 2, accumulate: 45}", ["W27"]),
        ("{epochs: 2, accumulate: 44}", []),
    ],
)
def test_gradients_that_are_kept_past_the_last_step_are_a_doubt(tmp_path, train, found):
    assert [code for code, *_ in said(tmp_path, train)] == found


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("{epochs: 1, accumulate: 45}", "accumulate is 45 steps, the run has 44: no weight would ever change"),
        ("{class_weight: {0: 0, 1: 0}}", None),
        ("{class_weight: [" + "0, " * 9 + "0.0]}", "all training examples have the weight 0"),
        ("{rates: {'*': 0, second: 1}}", None),
        ("{rates: {'*': 0}}", "every layer has the rate 0"),
    ],
)
def test_a_run_that_changes_no_weight_is_refused(tmp_path, train, message):
    if message is None:
        assert said(tmp_path, train) == []
    else:
        with pytest.raises(SpecError, match=message):
            said(tmp_path, train)


def test_class_weights_of_0_for_every_class_that_occurs_are_refused(tmp_path):
    images = np.zeros((64, 8, 8, 1), "uint8")
    np.savez(tmp_path / "two.npz", x_train=images, y_train=np.arange(64) % 2 * 9)
    text = "\narchspec_run: 1\nspec: small.yaml\ndata: two.npz\naugment: [rescale]\ntrain: {class_weight: [%s]}\n"
    text = text.replace("two.npz", "{npz: two.npz}")
    with refuses(SpecError):
        Run.open(runs.write(tmp_path, text % "0, 1, 1, 1, 1, 1, 1, 1, 1, 0")).plan()
    assert Run.open(runs.write(tmp_path, text % "0, 1, 1, 1, 1, 1, 1, 1, 1, 2")).plan().name


NORMALIZED = "normalize: {mean: data, std: data}"


@pytest.mark.parametrize(
    ("rows", "augment", "body", "codes"),
    [
        ("120,3,40\n60,1,80\n200,5,5\n90,2,9", "[]", "dense: 4", ["W28"]),
        ("0.1,300,1\n0.2,301,1\n0.3,305,1\n0.2,302,1", "[]", "dense: 4", ["W28"]),
        ("0.001,3,1\n0.002,-3,1\n0.001,5,1\n0.003,4,1", "[]", "dense: 4", ["W28"]),
        ("1.5,0.3,1\n-2,-0.3,1\n0.1,0.5,1\n0.3,0.4,1", "[]", "dense: 4", []),
        ("120,3,40\n60,1,80\n200,5,5\n90,2,9", f"[{NORMALIZED}]", "dense: 4", []),
        ("120,3,40\n60,1,80\n200,5,5\n90,2,9", f"[apply: {{to: vector, steps: [{NORMALIZED}]}}]", "dense: 4", []),
        ("120,3,40\n60,1,80\n200,5,5\n90,2,9", "[]", "batch_norm, dense: 4", []),
    ],
)
def test_columns_that_nothing_brings_to_one_scale_are_a_doubt(tmp_path, rows, augment, body, codes):
    lines = [f"{line},{k}" for k, line in enumerate(rows.split("\n"))]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,c,y", *lines]) + "\n")
    (tmp_path / "net.yaml").write_text(
        f"archspec: 1\nname: net\ninputs: {{x: [3]}}\nbody: [{body}]\nheads: {{main: {{body: [dense: 1]}}}}\n"
    )
    (tmp_path / "run.yaml").write_text(
        f"archspec_run: 1\nspec: net.yaml\ndata: {{csv: {{path: table.csv, target: y}}}}\naugment: {augment}\n"
        "train: {task: regression, batch: 2}\n"
    )
    assert [d.code for d in Run.open(str(tmp_path / "run.yaml")).warnings()] == codes
