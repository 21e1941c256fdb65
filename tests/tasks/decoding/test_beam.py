"""Beam search against all sequences there are."""

import itertools

import numpy as np
import pytest

from archspec.tasks.decoding import Greedy, Limits
from archspec.tasks.decoding.beam import Beam

END = 0


class Table:
    """Scores of what comes next out of a dict by all that came before; what it remembers is that."""

    def __init__(self, scores):
        self.scores, self.steps = scores, 0

    def begin(self, count):
        return {"read": np.full((count, 16), -1), "at": np.zeros(count, int), "row": np.arange(count)}

    def step(self, tokens, states):
        self.steps += 1
        read, at = states["read"].copy(), states["at"]
        out = []
        for i, token in enumerate(tokens):
            read[i, at[i]] = token
            # The first token tells sequences apart; the row must travel with them.
            assert read[i, 0] == 100 + states["row"][i]
            out.append(self.scores(states["row"][i], tuple(read[i, 1 : at[i] + 1])))
        return np.log(np.array(out)), {**states, "read": read, "at": at + 1}


def first(count):
    return np.arange(100, 100 + count)


# Greedy takes 1 (0.6), after which nothing is probable; 2 (0.4) is followed by 1 and the end for certain.
TRAP = {
    (): [0.0, 0.6, 0.4],
    (1,): [0.3, 0.35, 0.35],
    (2,): [0.0, 1.0, 0.0],
    (2, 1): [1.0, 0.0, 0.0],
}


def trap(row, read):
    return TRAP.get(read, [0.4, 0.3, 0.3])


def test_what_greedy_misses():
    table = Table(trap)
    limits = Limits(3, end=END)
    with np.errstate(divide="ignore"):
        greedy = Greedy().decode(table, first(1), table.begin(1), limits)
        found, scores = Beam(width=2, alpha=0.0).search(table, first(1), table.begin(1), limits)
    assert greedy[0].tolist()[:2] == [1, 1] and found[0, 0].tolist() == [2, 1, 0]
    # What begins as greedy does and ends at once, 0.6 · 0.3, was not among the two best.
    np.testing.assert_allclose(np.exp(scores[0]), [0.4, 0.6 * 0.35 * 0.4])


VOCABULARY, LENGTH = 4, 5


def random_table(seed):
    rng, known = np.random.default_rng(seed), {}

    def scores(row, read):
        if (row, read) not in known:
            known[row, read] = rng.dirichlet(np.full(VOCABULARY, 0.7))
        return known[row, read]

    return scores


def every_sequence(scores, row, alpha):
    """Sequences that end within the length, the best first, with their scores."""
    found = []
    for length in range(1, LENGTH + 1):
        for words in itertools.product(range(1, VOCABULARY), repeat=length - 1):
            read = (*words, END)
            total = sum(np.log(scores(row, read[:i])[token]) for i, token in enumerate(read))
            # Wu et al. 2016, equation 14.
            penalty = (5 + length) ** alpha / (5 + 1) ** alpha
            found.append((total / penalty, read))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_beam_as_wide_as_all_prefixes_finds_the_best_of_all_sequences(seed, alpha):
    scores, count = random_table(seed), 3
    # Prefixes of the greatest length are 3⁴ of 3 words, each with 4 continuations.
    beam, table = Beam(width=4 * 81, alpha=alpha), Table(scores)
    found, values = beam.search(table, first(count), table.begin(count), Limits(LENGTH, end=END))
    greedy = Greedy().decode(table, first(count), table.begin(count), Limits(LENGTH, end=END))
    for row in range(count):
        known = every_sequence(scores, row, alpha)
        for place, (value, read) in enumerate(known[:1]):
            assert found[row, place].tolist() == [*read, *[END] * (LENGTH - len(read))]
            assert values[row, place] == pytest.approx(value)
        of = {tuple(read): value for value, read in known}
        said = tuple(greedy[row][: greedy[row].tolist().index(END) + 1]) if END in greedy[row] else None
        assert said is None or of[said] <= values[row, 0] + 1e-12


def test_greedy_is_a_beam_of_one_and_misses_what_wider_ones_find():
    missed = 0
    for seed in range(12):
        table, count, limits = Table(random_table(seed)), 4, Limits(LENGTH, end=END)
        greedy = Greedy().decode(table, first(count), table.begin(count), limits)
        one = Beam(width=1, alpha=0.0).decode(table, first(count), table.begin(count), limits)
        np.testing.assert_array_equal(greedy, one)
        wide = Beam(width=8, alpha=0.0).decode(table, first(count), table.begin(count), limits)
        missed += int((wide != greedy).any(-1).sum())
    assert missed > 10


def test_sequences_of_a_batch_are_searched_as_alone():
    scores, limits, beam = random_table(7), Limits(LENGTH, end=END), Beam(width=3)
    table = Table(scores)
    together, values = beam.search(table, first(4), table.begin(4), limits)
    for row in range(4):
        alone = Table(lambda _, read, row=row: scores(row, read))
        found, value = beam.search(alone, first(1), alone.begin(1), limits)
        np.testing.assert_array_equal(found[0], together[row])
        np.testing.assert_allclose(value[0], values[row])


def test_alpha_favours_longer_sequences():
    def scores(row, read):
        # The end at once has probability 0.5; after one word it comes with 0.9.
        return [0.5, 0.5] if not read else [0.9, 0.1]

    table, limits = Table(scores), Limits(4, end=END)
    short = Beam(width=4, alpha=0.0).decode(table, first(1), table.begin(1), limits)
    long = Beam(width=4, alpha=2.0).decode(table, first(1), table.begin(1), limits)
    assert short[0].tolist() == [0, 0, 0, 0] and long[0].tolist() == [1, 0, 0, 0]


def test_the_search_stops_when_nothing_can_be_better():
    def scores(row, read):
        return [0.9, 0.05, 0.05]

    table = Table(scores)
    found = Beam(width=2, alpha=0.6).decode(table, first(2), table.begin(2), Limits(12, end=END))
    assert (found == END).all() and table.steps == 1


def test_what_never_ends_is_given_at_the_greatest_length():
    with np.errstate(divide="ignore"):
        table = Table(lambda row, read: [0.0, 0.6, 0.4])
        found, values = Beam(width=2, alpha=0.0).search(table, first(1), table.begin(1), Limits(3, end=END))
        assert found[0, 0].tolist() == [1, 1, 1] and values[0, 0] == pytest.approx(3 * np.log(0.6))
        # Without a token for the end all sequences are of that length.
        found = Beam(width=2, alpha=0.0).decode(table, first(1), table.begin(1), Limits(3))
    assert found[0].tolist() == [1, 1, 1]


def test_barred_tokens_are_never_said():
    table = Table(random_table(3))
    found, _ = Beam(width=9).search(table, first(5), table.begin(5), Limits(LENGTH, end=END, banned_tokens=[2]))
    assert not (found == 2).any() and (found == 1).any()


def test_a_beam_wider_than_there_are_sequences_says_so():
    table = Table(lambda row, read: [0.5, 0.5])
    found, values = Beam(width=8).search(table, first(1), table.begin(1), Limits(2, end=END))
    assert np.isfinite(values[0]).sum() == 2 and found[0, 0].tolist() == [0, 0]
