"""What recurrent classifiers, TextCNN and DCNN reach, from their run files; the values are in those."""

import os
from pathlib import Path

import numpy as np
import pytest

from archspec.runs import Run
from tests.shares import SEEDS

pytestmark = [pytest.mark.long, pytest.mark.tensorflow]


def accuracy(name, seed, logdir):
    """Of the held-out part, after the last epoch."""
    return Run.open(name, seed=seed).train(logdir, progress=None).metrics["accuracy"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_digits_read_row_by_row(cell, seed, tmp_path):
    assert accuracy(f"{cell}_digits", seed, tmp_path / "run") >= 0.96


@pytest.fixture(scope="module")
def reviews():
    """The movie reviews are there."""
    folder = os.environ.get("ARCHSPEC_DATA")
    if not folder or not (Path(folder) / "text_sentences").is_dir():
        pytest.skip("ARCHSPEC_DATA names no folder of real data")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["textcnn", "dcnn"])
def test_movie_reviews(reviews, name, seed, tmp_path):
    assert accuracy(f"{name}_mr", seed, tmp_path / "run") >= 0.74
    if name == "textcnn":
        with np.load(tmp_path / "run" / "weights.npz") as weights:
            assert np.linalg.norm(weights["label.dense/kernel"], axis=0).max() <= 3 + 1e-5
