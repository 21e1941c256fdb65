"""Errors of reconstructions by hand, batch by batch, and the panel of constructed images."""

import numpy as np
import pytest

from archspec.evaluators.reconstruction import GIVEN, MADE, MAX_IMAGES, Reconstruction

pytestmark = pytest.mark.tensorflow


def test_errors_are_those_of_all_numbers_whatever_the_batches():
    draw = np.random.default_rng(0)
    true, made = draw.normal(size=(2, 11, 3, 3, 1))
    for size in (11, 4, 3):
        counting = Reconstruction("image").begin(None)
        for i in range(0, 11, size):
            counting.update({"image": true[i : i + size]}, {GIVEN: true[i : i + size], MADE: made[i : i + size]})
        found = counting.result()
        assert found.figures["mse"] == pytest.approx(((made - true) ** 2).mean())
        assert found.figures["mae"] == pytest.approx(np.abs(made - true).mean())
        assert found.examples == 11 and len(found.shown) == MAX_IMAGES
        errors = ((made - true) ** 2).mean((1, 2, 3))
        assert [one.row for one in found.worst(3)] == np.argsort(-errors)[:3].tolist()
        assert found.panels()["reconstructions"].shape == (9, 3 * MAX_IMAGES, 1)


def test_a_panel_has_what_was_read_above_what_was_made_above_what_was_wanted():
    ones = np.ones((2, 2, 2, 1))
    counting = Reconstruction("image").begin(None)
    counting.update({"image": ones * np.array([2.0, 4.0])[:, None, None, None]}, {GIVEN: 0 * ones, MADE: 3 * ones})
    panel = counting.result().panels()["reconstructions"][..., 0]
    assert panel[::2, ::2].tolist() == [[0, 0], [128, 128], [0, 255]]


def test_vectors_have_no_panel():
    counting = Reconstruction("vector").begin(None)
    counting.update({"vector": np.zeros((2, 5))}, {GIVEN: np.zeros((2, 5)), MADE: np.ones((2, 5))})
    assert counting.result().panels() == {} and counting.result().figures == {"mse": 1.0, "mae": 1.0}
