"""The image pool, against what Shrivastava et al. say of it, example by example."""

from collections import Counter
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from archspec.ir.tensors import TensorSpec
from archspec.training.updates.pool import Pool

pytestmark = pytest.mark.tensorflow
SIZE = 20


@pytest.fixture
def pool():
    class Model(keras.Model):
        pass

    return Pool(Model(), SimpleNamespace(name="a.b", output=TensorSpec((2,))), SIZE)


def numbered(first, count):
    """Examples that are known by their number."""
    return np.arange(first, first + count, dtype="float32")[:, None].repeat(2, 1)


def exchanged(pool, batches):
    """What is given for each batch, by number."""
    exchange = tf.function(pool.exchange, reduce_retracing=True)
    out = []
    for n, batch in enumerate(batches):
        given = exchange(tf.constant(batch), tf.constant(1), tf.constant(n)).numpy()
        assert (given[:, 0] == given[:, 1]).all()
        out.append(given[:, 0].astype(int).tolist())
    return out


def test_it_fills_first_and_gives_what_it_gets(pool):
    assert exchanged(pool, [numbered(0, 12), numbered(12, 8)]) == [[*range(12)], [*range(12, 20)]]
    assert sorted(pool.members.numpy()[:, 0]) == [*range(20)]
    assert int(pool.count.numpy()) == SIZE


def test_an_example_is_given_or_put_in_the_place_of_an_earlier_one_that_is(pool):
    """Nothing is lost and nothing given twice: beyond the first, which fill it, what came is what is given and what is
    left, and an example that is given later than it came is given once."""
    batches = [numbered(100 * n, 100) for n in range(8)]
    given = exchanged(pool, batches)
    came = Counter(int(n) for batch in batches for n in batch[:, 0])
    left = Counter(int(n) for n in pool.members.numpy()[:, 0])
    assert Counter(n for batch in given for n in batch) + left == came + Counter(range(SIZE))
    earlier = [g < 100 * n + k for n, batch in enumerate(given) for k, g in enumerate(batch)]
    assert not any(earlier[:SIZE])
    # A chance of 1/2 each: 780 of them are 390 ± 14.
    assert sum(earlier) == pytest.approx(390, abs=56)
    # The places are drawn evenly: a member is replaced by every fortieth example, whatever its place.
    stay = [100 * n + k - g for n, batch in enumerate(given) for k, g in enumerate(batch) if g < 100 * n + k]
    assert np.mean(stay) == pytest.approx(40, rel=0.2)


def test_what_is_drawn_follows_from_the_two_numbers(pool):
    batch, exchange = tf.constant(numbered(0, 60)), tf.function(pool.exchange)

    def found(*numbers):
        pool.members.assign(np.zeros((SIZE, 2)))
        pool.count.assign(0)
        given = exchange(batch, *map(tf.constant, numbers)).numpy()
        return given.tolist(), pool.members.numpy().tolist()

    first = found(1, 2)
    for again, same in (((1, 2), True), ((1, 3), False), ((4, 2), False)):
        assert [one == other for one, other in zip(found(*again), first, strict=True)] == [same, same]


def test_the_pool_is_what_a_checkpoint_has(pool):
    names = {variable.name for variable in (pool.members, pool.count)}
    assert names == {"pool_a_b", "pool_a_b_count"}
    assert not pool.members.trainable and not pool.count.trainable
