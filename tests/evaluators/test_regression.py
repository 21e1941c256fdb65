"""Errors of numbers against scikit-learn, and panels on constructed cases."""

import numpy as np
import pytest

from archspec.evaluators.regression import SIDE, assess, histogram_panel, scatter_panel

pytestmark = pytest.mark.tensorflow


def test_figures_are_scikit_learns():
    from sklearn import metrics

    draw = np.random.default_rng(0)
    true = draw.normal((3, -2, 40), (1, 5, 20), (50, 3))
    said = true + draw.normal(0, (0.5, 6, 1), (50, 3))
    found = assess(true, said, ("a", "b", "c"))
    np.testing.assert_allclose(found.mae, metrics.mean_absolute_error(true, said, multioutput="raw_values"))
    np.testing.assert_allclose(found.rmse, metrics.root_mean_squared_error(true, said, multioutput="raw_values"))
    np.testing.assert_allclose(found.r2, metrics.r2_score(true, said, multioutput="raw_values"))
    assert found.figures == pytest.approx(
        {
            "mae": metrics.mean_absolute_error(true, said),
            "rmse": metrics.root_mean_squared_error(true, said),
            "r2": metrics.r2_score(true, said),
        }
    )
    assert found.r2[1] < 0 < found.r2[2]
    assert [line.split()[0] for line in found.text().splitlines()] == ["examples", "output", "a", "b", "c", "mean"]
    assert found.record()["outputs"]["b"]["mae"] == found.mae[1]


def test_numbers_that_are_all_the_same_are_hit_or_not():
    same = np.full((4, 1), 2.0)
    assert assess(same, same, ("a",)).r2 == (1.0,) and assess(same, same + 1, ("a",)).r2 == (0.0,)


def test_a_point_stands_where_it_was_said_and_as_high_as_it_is():
    picture = scatter_panel(np.array([0.0, 10.0, 10.0]), np.array([0.0, 0.0, 10.0]))
    dark = (picture == (8, 48, 107)).all(-1)
    assert picture.shape == (SIDE, SIDE, 3)
    # Said 10 and truly 0: at the right, at the bottom; nothing is in the upper left half.
    assert dark[-2, -2] and dark[-2, 1] and dark[1, -2] and not np.triu(dark[::-1], 5).T[: SIDE // 2].any()
    assert dark.sum() == 27


def test_errors_are_counted_from_the_lowest():
    picture = histogram_panel(np.array([-2.0, -2.0, 0.0, 2.0]), bins=5)
    heights = (picture < 250).any(-1).sum(0)[::6]
    assert heights.tolist() == [SIDE - 1, 0, round((SIDE - 1) / 2), 0, round((SIDE - 1) / 2)]
    assert (picture[-1, 12] == (26, 127, 55)).all()


def test_the_worst_are_far_from_the_truth_for_their_output():
    true, said = np.zeros((3, 2)), np.array([[1.0, 0.0], [0.0, 100.0], [2.0, 1.0]])
    found = assess(true, said, ("near", "far"))
    assert [(one.row, one.told) for one in found.worst(2)] == [(1, "far 100, is 0"), (2, "near 2, is 0")]
