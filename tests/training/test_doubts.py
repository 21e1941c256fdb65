"""What can be done and is hardly meant is warned of (``invalid/`` has the words); what is meant is not."""

from __future__ import annotations

import pytest

from archspec.runs import Run
from tests.training import runs


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
