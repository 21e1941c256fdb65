"""Layers that are solved for: against scikit-learn, and through a run."""

import numpy as np
import pytest

import archspec
from archspec.backend.weights import write
from archspec.training.fits import NORM, NoRows, Ridge, Rows, Svm

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 8)).astype("float32") * [1, 2, 3, 1, 1, 1, 1, 0.5] + 2
TRUE = rng.normal(size=(8, 3))


def batches(y):
    return lambda: (Rows(X[k : k + 70].astype("float32"), y[k : k + 70].astype("float32")) for k in range(0, 300, 70))


def test_ridge_is_that_of_scikit_learn():
    from sklearn.linear_model import Ridge as Known

    y = X @ TRUE + rng.normal(size=(300, 3))
    solved, known = Ridge(alpha=30.0).solve(batches(y)), Known(alpha=30.0).fit(X, y)
    np.testing.assert_allclose(solved.kernel, known.coef_.T, atol=1e-5)
    np.testing.assert_allclose(solved.bias, known.intercept_, atol=1e-5)


def test_an_svm_of_all_rows_is_that_of_scikit_learn():
    from sklearn.svm import LinearSVC

    y = np.sign(X @ TRUE - (X @ TRUE).mean(0) - 4)
    solved = Svm(c=0.01, hard_negatives=False, start=300).solve(batches(y))
    scale = NORM / np.linalg.norm(X, axis=1).mean()
    for k in range(3):
        order = np.argsort(y[:, k] <= 0, kind="stable")
        known = LinearSVC(C=0.01, loss="hinge", class_weight={1: 2.0}, intercept_scaling=10.0, max_iter=20_000)
        known.fit(X[order] * scale, y[order, k] > 0)
        found, wanted = X @ solved.kernel[:, k] + solved.bias[k], known.decision_function(X * scale)
        np.testing.assert_allclose(found, wanted, atol=0.05)


def test_hard_negatives_take_the_false_ones_away():
    """Rows beside the positive ones are rare among those that are drawn."""
    y = np.full((300, 1), -1.0)
    y[:20] = 1
    rows = X.copy()
    rows[:20, 0] += 6
    rows[20:40, 0] += 4.5

    def given():
        return iter([Rows(rows.astype("float32"), y.astype("float32"))])

    def wrong(solved):
        return int((rows[20:] @ solved.kernel + solved.bias > 0).sum())

    few = Svm(c=1.0, start=8, hard_negatives=False).solve(given)
    all_seen = Svm(c=1.0, start=8).solve(given)
    assert wrong(all_seen) < wrong(few)


def test_nothing_to_fit_to_is_told_apart():
    with pytest.raises(NoRows):
        Svm().solve(batches(np.full((300, 1), -1.0)))


def test_hard_negatives_are_looked_up_in_little_memory():
    """Each batch's hard rows are compared with those that are held: as a table of all pairs they would take 10 GB."""
    import tracemalloc

    wide = np.random.default_rng(1).normal(size=(2, 1500, 512)).astype("float32")
    y = np.where(np.arange(1500) < 10, 1, -1)[:, None].astype("float32")
    held = Svm(every=10**7, start=1000)
    tracemalloc.start()
    held.solve(lambda: iter([Rows(x, y) for x in wide]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * wide.nbytes


SPEC = """archspec: 1
name: net
inputs: {image: [8, 8, 1]}
body:
  - flatten
  - {dense: {units: 16, activation: tanh}, as: h}
  - {dense: 10, as: told}
heads: {told: {from: told}}
train:
  inputs: {label: {shape: [], dtype: int32}}
  body:
    - {one_hot: 10, from: label, as: wanted}
  minimize: [mse: [told, wanted]]
"""


@pytest.mark.tensorflow
def test_a_run_solves_for_a_layer_on_what_comes_into_it(tmp_path):
    """With no epochs everything else is what the file of weights has."""
    from sklearn.linear_model import Ridge as Known

    (tmp_path / "net.yaml").write_text(SPEC)
    kernels = {"h/kernel": rng.normal(size=(64, 16)) / 8, "h/bias": np.zeros(16)}
    kernels |= {"told/kernel": np.zeros((16, 10)), "told/bias": np.zeros(10)}
    write(tmp_path / "start.npz", {name: value.astype("float32") for name, value in kernels.items()})
    run = archspec.Run.open(
        tmp_path / "net.yaml",
        data="digits",
        augment=["rescale"],
        epochs=0,
        weights=str(tmp_path / "start.npz"),
        fit={"told": {"ridge": 2.0}},
    )
    run.train(tmp_path / "run", progress=None)
    with np.load(tmp_path / "run" / "weights.npz") as held:
        found = {name: held[name] for name in held.files}
    np.testing.assert_array_equal(found["h/kernel"], kernels["h/kernel"].astype("float32"))
    pictures = run.plan().source.arrays("train")
    x = np.tanh(pictures["image"].reshape(-1, 64) / 255 @ kernels["h/kernel"])
    known = Known(alpha=2.0).fit(x, np.eye(10)[pictures["label"]])
    np.testing.assert_allclose(found["told/kernel"], known.coef_.T, atol=1e-3)
    np.testing.assert_allclose(found["told/bias"], known.intercept_, atol=1e-3)
