"""What is drawn of rows: how many of each kind, evenly, and anew; and which negatives are hard."""

import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(("positives", "wanted"), [(100, (64, 192)), (10, (10, 246)), (0, (0, 256))])
def test_a_sample_is_balanced_as_far_as_there_are_positives(positives, wanted):
    positive, counted = np.arange(1000) < positives, np.ones(1000, bool)
    counted[900:] = False
    layer = Op.find("sample")(count=256, positive=0.25).lower(*(TensorSpec((1000,), "bool"),) * 2)
    drawn, asked = (np.asarray(x)[0] for x in layer(positive[None], counted[None], training=True))
    assert (drawn.sum(), (asked & ~drawn).sum()) == wanted
    assert not (drawn & ~positive).any()
    assert not (asked & ~counted).any()
    assert (asked & positive == drawn).all()


def test_every_row_is_drawn_equally_often():
    import keras

    keras.utils.set_random_seed(0)
    layer = Op.find("sample")(count=20, positive=0.5).lower(*(TensorSpec((60,), "bool"),) * 2)
    positive = np.tile(np.arange(60) < 20, (4000, 1))
    drawn, asked = (np.asarray(x).mean(0) for x in layer(positive, np.ones_like(positive), training=True))
    np.testing.assert_allclose(drawn[:20], 0.5, atol=0.04)
    np.testing.assert_allclose(asked[20:], 0.25, atol=0.04)


@pytest.mark.parametrize("positives", [0, 7, 300])
def test_outside_of_training_rows_are_spread_over_all_that_may_be_drawn(positives):
    counted = np.arange(10_000) % 3 > 0
    positive = np.zeros(10_000, bool)
    positive[np.flatnonzero(counted)[:: 6666 // positives][:positives] if positives else []] = True
    layer = Op.find("sample")(count=256, positive=0.5).lower(*(TensorSpec((10_000,), "bool"),) * 2)
    drawn, asked = (np.asarray(x)[0] for x in layer(positive[None], counted[None], training=False))
    good, bad = min(positives, 128), 256 - min(positives, 128)
    for of, chosen, count in ((positive, drawn, good), (counted & ~positive, asked & ~drawn, bad)):
        places = np.flatnonzero(chosen[of])
        assert chosen.sum() == len(places) == count
        if count:
            gaps = np.diff(places)
            assert np.ptp(gaps) <= 1
            assert abs(places[0] - (of.sum() - 1 - places[-1])) <= 1 + gaps.max() % 2


@pytest.mark.fast(1)
@pytest.mark.parametrize("jit", [False, True])
def test_regions_keep_their_owners(jit):
    import tensorflow as tf

    rows, rng = 300, np.random.default_rng(0)
    owner = rng.choice([-2, -1, -1, -1, 0, 1, 2, 3], (2, rows)).astype("int32")
    boxes = np.arange(2 * rows * 4, dtype="float32").reshape(2, rows, 4)
    given = boxes, owner * 10, boxes + 0.5, owner >= 0, owner != -2, owner
    layer = Op.find("sample_regions")(count=64, positive=0.25).lower(
        *(TensorSpec(x.shape[1:], str(x.dtype)) for x in given)
    )
    layer(*given)
    out = tf.function(lambda *xs: layer(*xs, training=True), jit_compile=jit)(*given)
    found, classes, box, positive, counted, of = map(np.asarray, out)
    assert counted.all()
    assert positive.sum(1).tolist() == [16, 16]
    np.testing.assert_array_equal(classes, of * 10)
    np.testing.assert_array_equal(box, found + 0.5)
    np.testing.assert_array_equal(positive, of >= 0)
    assert (of != -2).all()
    assert all(len(np.unique(f[:, 0])) == 64 for f in found)
