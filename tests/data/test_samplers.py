"""Which examples stand together in a batch: by the number of a step alone, so that any step can be the first."""

from collections import Counter

import numpy as np
import pytest

from archspec.data.class_weights import class_factors
from archspec.data.errors import DataError
from archspec.data.example import Example
from archspec.data.features.label import Label
from archspec.data.features.vector import Vector
from archspec.data.pipeline import Pipeline
from archspec.data.sampler import Sampler
from archspec.data.source import TRAIN, DataSource, Lengths
from archspec.ir.tensors import TensorSpec
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
NAMES = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu")
COUNTS = (40, 25, 16, 9, 3, 30, 77)


class Classed(DataSource):
    """Examples of seven classes, of which there are as many as ``counts`` says; those of a class are all over."""

    in_memory = True
    counts: tuple[int, ...] = COUNTS

    def features(self):
        kinds = {"vector": Vector(TensorSpec((1,))), "label": Label(7, NAMES)}
        return Example(kinds, {TRAIN: sum(self.counts)})

    def arrays(self, split):
        label = np.random.default_rng(0).permutation(np.repeat(np.arange(7, dtype=np.int32), self.counts))
        return {"vector": np.arange(len(label), dtype=np.float32)[:, None], "label": label}


class Varied(Classed):
    """The same, of different lengths."""

    def lengths(self, split):
        return Lengths(np.random.default_rng(1).integers(1, 30, sum(self.counts)), 16)


def made(name, arguments):
    return Sampler.find(name).model_validate(arguments)


def pipeline(name, batch, arguments=None, seed=3, counts=COUNTS, kind=Classed):
    source = kind(counts=counts)
    return Pipeline(source, source.features(), (), (), batch, seed, made(name, arguments or {}))


def drawn(p, steps, **options):
    """Positions and classes of so many batches."""
    batches = p.training(lambda batch: ((batch["index"], batch["label"], batch["epoch"]), ()), **options)
    return [tuple(n.numpy() for n in one) for one, _ in batches.take(steps)]


def test_balanced_weights_are_scikit_learns_and_a_class_without_examples_shares_in_none():
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.repeat([0, 1, 3, 6], [40, 25, 9, 2])
    found = class_factors("balanced", Classed().features(), lambda: Counter(labels.tolist()), "class_weight")
    wanted = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    assert [found[k] for k in (0, 1, 3, 6)] == pytest.approx(wanted)


SOME = [
    ("uniform", 24, {}),
    ("classes", 12, {"p": 3, "k": 4}),
    ("weighted", 24, {"weights": "balanced"}),
    ("pairs", 24, {"same": 0.5}),
    ("repeat_factor", 24, {"threshold": 0.3}),
]


RESUMED = [*SOME, ("buckets", 24, {"batches": 3}), ("buckets", 24, {"batches": 1})]


@pytest.mark.fast(3)
@pytest.mark.parametrize(
    ("name", "batch", "arguments"), RESUMED, ids=[f"{n} {' '.join(map(str, a.values()))}" for n, _, a in RESUMED]
)
def test_a_run_that_begins_at_any_step_draws_what_it_would_have_drawn(name, batch, arguments):
    """Another order of the same sampler, as a resumed process makes one, and asked backwards: nothing is carried from
    one step to the next."""
    import tensorflow as tf

    assert {one for one, *_ in RESUMED} == set(Sampler.names())
    kind = Varied if name == "buckets" else Classed
    p = pipeline(name, batch, arguments, kind=kind)
    sampler, keys = p.order(), p.keys()
    sampler.check(keys, batch)
    steps = sampler.steps(keys, batch)
    order = tf.function(sampler.order(keys, batch, 3))
    whole = [order(tf.constant(step, tf.int64)).numpy() for step in range(3 * steps)]
    again = tf.function(made(name, arguments).order(pipeline(name, batch, arguments, kind=kind).keys(), batch, 3))
    for step in reversed(range(steps - 2, 3 * steps)):
        assert np.array_equal(again(tf.constant(step, tf.int64)).numpy(), whole[step])
    assert all(one.shape == (batch,) and one.min() >= 0 and one.max() < 200 for one in whole)
    epochs = [np.concatenate(whole[k * steps : (k + 1) * steps]) for k in range(3)]
    assert not np.array_equal(epochs[0], epochs[1]) and not np.array_equal(epochs[1], epochs[2])
    if name in ("uniform", "buckets"):
        assert all(len(set(epoch.tolist())) == len(epoch) == steps * batch for epoch in epochs)


@pytest.mark.parametrize(("name", "batch", "arguments"), SOME, ids=[name for name, *_ in SOME])
@pytest.mark.slow
def test_any_step_can_be_the_first_and_shards_are_parts(name, batch, arguments):
    p = pipeline(name, batch, arguments)
    p.sampler.check(p.keys(), batch)
    whole = drawn(p, 50)
    for first in (1, 8, 41):
        for one, other in zip(whole[first:], drawn(p, 5, first_step=first), strict=False):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    halves = [drawn(p, 5, shard=(k, 2)) for k in (0, 1)]
    for one, a, b in zip(whole, *halves, strict=False):
        assert np.array_equal(one[0], np.concatenate([a[0], b[0]]))
    labels = Classed().arrays(TRAIN)["label"]
    assert all(np.array_equal(labels[index], label) for index, label, _ in whole)
    assert [int(e[0]) for *_, e in whole] == [k // (200 // batch) for k in range(50)] == [int(e[-1]) for *_, e in whole]
    other = drawn(pipeline(name, batch, arguments, seed=4), 3)
    assert not any(np.array_equal(a[0], b[0]) for a, b in zip(whole, other, strict=False))


def test_uniform_is_what_a_run_has_that_says_nothing():
    p = pipeline("uniform", 24)
    source = Classed()
    usual = Pipeline(source, source.features(), (), (), 24, 3)
    for one, other in zip(drawn(p, 12), drawn(usual, 12), strict=True):
        assert np.array_equal(one[0], other[0])
    epoch = np.concatenate([index for index, *_ in drawn(p, p.steps_per_epoch())])
    assert len(set(epoch.tolist())) == len(epoch) == 192


@pytest.mark.fast(1)
@pytest.mark.parametrize(("p", "k"), [(3, 4), (7, 2), (2, 9), (5, 5)])
def test_classes_and_examples_of_each(p, k):
    line = pipeline("classes", p * k, {"p": p, "k": k})
    counts = COUNTS
    batches = drawn(line, 7 * 60)
    met, seen = Counter(), Counter()
    for index, label, _ in batches:
        groups = label.reshape(p, k)
        assert (groups == groups[:, :1]).all() and len(set(groups[:, 0].tolist())) == p
        for own, number in zip(index.reshape(p, k), groups[:, 0], strict=True):
            # No example twice in a batch, but where a class has too few.
            assert len(set(own.tolist())) == min(k, counts[number])
            met[int(number)] += 1
        seen.update(index.tolist())
    # Every class comes about as often as any other, whatever its size, and so does every example of a class.
    assert max(met.values()) < 1.25 * min(met.values())
    assert set(seen) == set(range(200))
    labels = Classed().arrays(TRAIN)["label"]
    for number, count in enumerate(counts):
        of = [seen[int(i)] for i in np.flatnonzero(labels == number)]
        assert sum(of) == met[number] * k and len(of) == count
        assert max(of) <= 2.2 * min(of) + 3


def test_a_class_gives_all_its_examples_before_one_comes_again():
    """Twelve of each: three groups of four in three turns, then anew."""
    line = pipeline("classes", 28, {"p": 7, "k": 4}, counts=(12,) * 7)
    batches = drawn(line, 9)
    for first in (0, 3, 6):
        some = np.concatenate([index for index, *_ in batches[first : first + 3]])
        assert sorted(some.tolist()) == list(range(84))
    assert not np.array_equal(np.sort(batches[0][0]), np.sort(batches[3][0]))


@pytest.mark.parametrize(
    ("weights", "want"),
    [
        ("balanced", [1 / 7] * 7),
        ({"cat": 4.0, "dog": 0.0}, [40, 25, 64, 0, 3, 30, 77]),
        ([0.0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0, 0]),
    ],
    ids=["balanced", "map", "list"],
)
def test_classes_are_drawn_by_their_weights(weights, want):
    line = pipeline("weighted", 200, {"weights": weights})
    batches = drawn(line, 100)
    label = np.concatenate([label for _, label, _ in batches])
    share, want = np.bincount(label, minlength=7) / len(label), np.array(want, float) / np.sum(want)
    # Five standard deviations of 20,000 draws.
    assert (np.abs(share - want) <= 5 * np.sqrt(want * (1 - want) / len(label)) + 1e-12).all()
    seen = Counter(np.concatenate([index for index, *_ in batches]).tolist())
    labels = Classed().arrays(TRAIN)["label"]
    for number in np.flatnonzero(want):
        of = np.array([seen[int(i)] for i in np.flatnonzero(labels == number)])
        assert of.sum() == (label == number).sum() and (np.abs(of - of.mean()) <= 6 * np.sqrt(of.mean())).all()


@pytest.mark.parametrize("same", [0.0, 0.25, 1.0])
def test_pairs_are_of_one_class_or_of_two(same):
    line = pipeline("pairs", 40, {"same": same})
    firsts, partners = [], set()
    for index, label, _ in drawn(line, 60):
        first, second = index.reshape(20, 2).T
        a, b = label.reshape(20, 2).T
        assert (a == b).tolist() == [k < round(20 * same) for k in range(20)]
        assert (first != second).all()
        firsts.append(first)
        partners |= set(second.tolist())
    # The first of the pairs are all examples before one comes again.
    assert sorted(np.concatenate(firsts[:10]).tolist()) == list(range(200))
    assert len(partners) > 190


REFUSED = [
    ("classes", 32, {"p": 8, "k": 4}),
    ("classes", 32, {"p": 3, "k": 4}),
    ("weighted", 32, {"weights": {"cow": 2.0}}),
    ("weighted", 32, {"weights": [1.0, 2]}),
    ("weighted", 32, {"weights": [0.0] * 7}),
    ("pairs", 33, {}),
    ("buckets", 32, {}),
]


@pytest.mark.parametrize(("name", "batch", "arguments"), REFUSED)
def test_what_the_data_do_not_allow_is_refused(name, batch, arguments):
    line = pipeline(name, batch, arguments)
    with refuses(DataError):
        line.sampler.check(line.keys(), batch)


def test_a_class_of_one_has_no_pair():
    line = pipeline("pairs", 8, {}, counts=(5, 5, 5, 5, 5, 1, 5))
    with refuses(DataError):
        line.sampler.check(line.keys(), 8)


class Unlabelled(Classed):
    """Examples without labels."""

    def arrays(self, split):
        return {"vector": super().arrays(split)["vector"]}


def test_labels_have_to_be_known_before_examples_are_read():
    source = Unlabelled()
    line = Pipeline(source, source.features(), (), (), 8, 0, made("classes", {"p": 2, "k": 4}))
    with refuses(DataError):
        line.sampler.check(line.keys(), 8)


def test_one_example_of_half_a_million_is_drawn_as_often_as_its_weight_says():
    counts = (100000, 1, 99999, 50000, 50000, 100000, 100000)
    line = pipeline("weighted", 64, {"weights": "balanced"}, counts=counts)
    labels = np.concatenate([label for _, label, _ in drawn(line, 50)])
    assert np.bincount(labels, minlength=7).min() > 300
