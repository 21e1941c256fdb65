"""Ways to choose tokens, on chains whose probabilities are written down."""

import numpy as np
import pytest
from pydantic import ValidationError

from archspec.tasks.decoding import Decoding, Greedy, Limits, Sample, read


class Chain:
    """A decoder whose next token depends on the last two: of what was read before, the state remembers one token."""

    def __init__(self, table):
        self.table = np.asarray(table, float)

    def begin(self, count):
        return {"last": np.zeros(count, np.int64)}

    def step(self, tokens, states):
        with np.errstate(divide="ignore"):
            return np.log(self.table[states["last"], tokens]), {"last": np.asarray(tokens)}


TABLE = np.array(
    [
        [[0.1, 0.6, 0.3], [0.2, 0.2, 0.6], [0.5, 0.4, 0.1]],
        [[0.3, 0.3, 0.4], [0.0, 0.9, 0.1], [0.7, 0.1, 0.2]],
        [[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.3, 0.6, 0.1]],
    ]
)
ONE = [0.5, 0.25, 0.15, 0.1]
"""The same, whatever came before."""


def alone(probabilities):
    n = len(probabilities)
    return Chain(np.broadcast_to(probabilities, (n, n, n)))


def test_they_go_by_their_names():
    assert set(Decoding.names()) >= {"greedy", "sample", "beam"}


def test_greedy_takes_the_most_probable_token_after_what_was_read():
    chain = Chain(TABLE)
    # After 0: 1; after 0, 1: 2; after 1, 2: 0; after 2, 0: 1 …
    out = Greedy().decode(chain, np.array([0, 2]), chain.begin(2), Limits(6))
    assert out.dtype == np.int32
    assert out.tolist() == [[1, 2, 0, 1, 2, 0], [0, 1, 2, 0, 1, 2]]
    states = read(chain, np.array([[1, 1]]))
    assert Greedy().decode(chain, np.array([1]), states, Limits(3)).tolist() == [[1, 1, 1]]


def test_of_equals_greedy_takes_the_first():
    assert Greedy().decode(Chain(TABLE), np.array([0]), {"last": np.array([1])}, Limits(1)).tolist() == [[2]]
    assert Greedy().decode(Chain(TABLE), np.array([1]), {"last": np.array([2])}, Limits(1)).tolist() == [[0]]


def test_what_is_barred_never_comes():
    for decoding in (Greedy(), Sample(), Sample(top_k=1), Sample(top_p=0.4)):
        chain = alone(ONE)
        out = decoding.decode(chain, np.zeros(50, int), chain.begin(50), Limits(20, banned_tokens=[0, 2]))
        assert set(out.ravel()) <= {1, 3}


def test_a_sequence_is_over_after_its_end():
    chain = alone([0.2, 0.3, 0.5])
    out = Sample().decode(chain, np.zeros(500, int), chain.begin(500), Limits(12, end=2), seed=1)
    for row in out.tolist():
        over = row.index(2) if 2 in row else 12
        assert set(row[over:]) <= {2}
    lengths = [(row != 2).sum() for row in out]
    # P(n tokens before the end) = 0.5^(n + 1)
    assert abs(np.mean(np.equal(lengths, 0)) - 0.5) < 0.1 and abs(np.mean(np.equal(lengths, 1)) - 0.25) < 0.08


def test_draws_are_as_frequent_as_they_are_probable():
    count = 40_000
    chain = Chain(TABLE)
    out = Sample().decode(chain, np.zeros(count, int), chain.begin(count), Limits(2), seed=5)
    for first in range(3):
        share = (out[:, 0] == first).mean()
        p = TABLE[0, 0, first]
        assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / count)
        then = np.bincount(out[out[:, 0] == first, 1], minlength=3) / (out[:, 0] == first).sum()
        assert np.abs(then - TABLE[0, first]).max() < 0.02
    # What is impossible never comes.
    states = {"last": np.ones(count, int)}
    assert 0 not in Sample().decode(chain, np.ones(count, int), states, Limits(1))


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({}, ONE),
        ({"temperature": 0.5}, [0.25, 0.0625, 0.0225, 0.01]),
        ({"temperature": 2.0}, np.sqrt(ONE)),
        ({"top_k": 1}, [1, 0, 0, 0]),
        ({"top_k": 3}, [0.5, 0.25, 0.15, 0]),
        ({"top_k": 9}, ONE),
        ({"top_p": 0.49}, [1, 0, 0, 0]),
        ({"top_p": 0.51}, [0.5, 0.25, 0, 0]),
        ({"top_p": 0.74}, [0.5, 0.25, 0, 0]),
        ({"top_p": 0.8}, [0.5, 0.25, 0.15, 0]),
        ({"top_p": 1.0}, ONE),
        # Of the two that are left the first has two thirds.
        ({"top_k": 2, "top_p": 0.6}, [1, 0, 0, 0]),
        ({"top_k": 2, "top_p": 0.7}, [0.5, 0.25, 0, 0]),
        # At half the temperature the first has 0.25 of 0.345.
        ({"temperature": 0.5, "top_p": 0.7}, [1, 0, 0, 0]),
    ],
    ids=str,
)
def test_what_is_drawn_by(arguments, wanted):
    wanted = np.array(wanted) / np.sum(wanted)
    order = [2, 0, 3, 1]
    scores = np.log([ONE, np.array(ONE)[order]]) + np.array([[3.0], [-700.0]])
    found = Sample(**arguments).probabilities(scores)
    np.testing.assert_allclose(found, [wanted, wanted[order]], rtol=1e-12)


def test_of_equals_top_k_keeps_the_first():
    found = Sample(top_k=2).probabilities(np.zeros((1, 4)))
    assert found.tolist() == [[0.5, 0.5, 0, 0]]


def test_draws_are_seeded():
    chain = alone(ONE)

    def drawn(seed):
        return Sample().decode(chain, np.zeros(4, int), chain.begin(4), Limits(30), seed=seed).tolist()

    assert drawn(3) == drawn(3) != drawn(4)
    assert len({tuple(row) for row in drawn(3)}) == 4


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.1}], ids=str)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValidationError):
        Sample(**wrong)
