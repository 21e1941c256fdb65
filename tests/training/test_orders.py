"""Runs with each sampler, of several heads and of several inputs: killed and resumed they end the same, to the bit."""

import random

import pytest

from tests.training import runs

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow, pytest.mark.long]

TRAIN = (
    "{optimizer: {adam: 0.01}, epochs: 3, batch: 32, seed: 5, steps_per_execution: 1, checkpoint_steps: 17, SAMPLER}"
)
IMAGES = f"archspec_run: 1\nspec: small.yaml\ndata: DATA\naugment: [shift: 0.1, rescale]\ntrain: {TRAIN}\n"
TEXT = f"archspec_run: 1\nspec: small.yaml\ndata: {{text: {{path: lines.txt, holdout: 0.2}}}}\ntrain: {TRAIN}\n"
TOWERS = f"archspec_run: 1\nspec: siamese\ndata: {{pairs: {{of: digits, each: 1}}}}\ntrain: {TRAIN}\n"
WORDS = """
archspec: 1
name: words
inputs: {tokens: {shape: [T], dtype: int32}}
body: [embedding: {vocab: 40, dim: 8, mask_zero: true}, gru: 8, dropout: 0.3]
heads:
  main: {body: [dense: {units: 2, activation: softmax}], loss: sparse_categorical_crossentropy}
"""
HEADS = runs.SPEC.replace(
    "heads:\n",
    "heads:\n  ink: {from: shared, body: [dense: {units: 8, activation: relu}, dropout: 0.3, dense: 1], loss: mse}\n",
).replace("  - flatten\n  - dropout: =rate\n", "  - flatten\n  - {dropout: =rate, as: shared}\n")
CASES = {
    "heads, weighted": (IMAGES.replace("DATA", "{digits: {ink: true}}"), HEADS, "weighted: balanced"),
    "uniform": (IMAGES.replace("DATA", "digits"), runs.SPEC, "uniform: {}"),
    "classes": (IMAGES.replace("DATA", "digits"), runs.SPEC, "classes: {p: 8, k: 4}"),
    "pairs": (IMAGES.replace("DATA", "digits"), runs.SPEC, "pairs: 0.5"),
    "buckets": (TEXT, WORDS, "buckets: 4"),
    "towers": (TOWERS, runs.SPEC, "weighted: balanced"),
}


def lines(seed=0, count=600):
    """Sentences of 2 to 12 words, and a class for each: whether the first word is one of the earlier half."""
    draw = random.Random(seed)
    rows = [[draw.randrange(30) for _ in range(draw.randrange(2, 13))] for _ in range(count)]
    return "".join(f"{int(row[0] < 15)} {' '.join(f'w{word}' for word in row)}\n" for row in rows)


@pytest.mark.parametrize("case", CASES)
def test_a_killed_run_ends_to_the_bit_where_an_uninterrupted_one_ends(case, tmp_path):
    run, spec, sampler = CASES[case]
    run = run.replace("SAMPLER", f"sampler: {{{sampler}}}" if sampler != "uniform: {}" else "sampler: uniform")
    (tmp_path / "lines.txt").write_text(lines())
    path = runs.write(tmp_path, run, spec)
    runs.finished("train", path, "--logdir", tmp_path / "whole", "--quiet")
    assert runs.killed_and_resumed(path, tmp_path / "killed", random.Random(case)) >= 1
    runs.assert_same(tmp_path / "killed", tmp_path / "whole")
