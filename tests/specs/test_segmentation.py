"""Small members of the catalogue's segmenters learn made-up pictures, as their run files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec import Run
from tests.shares import SEEDS

RUNS = Path(__file__).parents[2] / "specs" / "runs" / "segmentation"
LEAST = {
    "deeplabv3_shapes": {"train": 0.95},
    "segnet_shapes": {"test": 0.95},
    "unet_shapes": {"train": 0.99, "test": 0.95},
}
"""Mean IoU on splits, below those of the run files."""


def learnt(name, folder, seed, **changes):
    """The run of a file, trained, and what the file asks for is evaluated."""
    run = Run.open(RUNS / f"{name}.yaml", seed=seed, **changes)
    run.train(folder / name)
    return Run.open(folder / name)


def mean_iou(run, split):
    return run.evaluate(split=split).figures["mean_iou"]


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", LEAST)
def test_what_a_run_file_says_of_its_segmenter_holds(name, seed, tmp_path):
    run = learnt(name, tmp_path, seed)
    for split, least in LEAST[name].items():
        assert mean_iou(run, split) >= least, split


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_third_of_the_epochs_make_a_unet_that_tells_shapes(seed, tmp_path):
    """What CI has time for."""
    assert mean_iou(learnt("unet_shapes", tmp_path, seed, epochs=45), "train") >= 0.8


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_each_finer_map_that_is_scored_makes_an_fcn_better(seed, tmp_path):
    """Each from the weights of the one before."""
    first = learnt("fcn32s_shapes", tmp_path, seed)
    middle = learnt("fcn16s_shapes", tmp_path, seed, weights=str(tmp_path / "fcn32s_shapes" / "weights.npz"))
    last = learnt("fcn8s_shapes", tmp_path, seed, weights=str(tmp_path / "fcn16s_shapes" / "weights.npz"))
    figures = [mean_iou(run, "train") for run in (first, middle, last)]
    assert figures == sorted(figures) and len(set(figures)) == 3 and figures[-1] >= 0.85
