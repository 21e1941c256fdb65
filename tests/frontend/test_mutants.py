"""Files that are wrong in ways nobody thought of: each ends in a graph or in errors with their places, and soon.

``python tools/soak.py bytes|trees|faults --n 1000000 --seed 7`` runs any number.
"""

from __future__ import annotations

import gc
import random
from collections import Counter

import pytest

from tests.frontend.mutation import corpus, faulty, mutated_bytes, mutated_tree, outcome, verdict, written_and_read

BYTES = (4_000, pytest.param(20_000, marks=pytest.mark.long))
TREES = (1_500, pytest.param(6_000, marks=pytest.mark.long))
FAULTS = (150, pytest.param(500, marks=pytest.mark.long))
SECONDS = 1.0
"""CPU time of one answer; a hundred milliseconds on a quiet machine."""


@pytest.fixture(autouse=True)
def what_other_tests_left_is_not_searched():
    """A collection of all that TensorFlow and other tests hold takes longer than an answer may."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.slow
@pytest.mark.parametrize("count", BYTES)
def test_changed_bytes(tmp_path, count):
    texts, scratch, stages, slowest = corpus(), tmp_path / "spec.yaml", Counter(), 0.0
    for i in range(count):
        stage, seconds, _, _ = outcome(mutated_bytes(random.Random(f"bytes:{i}"), texts), scratch)
        stages[stage] += 1
        slowest = max(slowest, seconds)
    print(dict(stages), f"slowest {slowest * 1000:.1f} ms")
    assert slowest < SECONDS
    assert 1 - stages["yaml"] / count >= 0.2
    assert (stages["steps"] + stages["graph"]) / count >= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("count", TREES)
def test_changed_trees_and_their_tables(tmp_path, count):
    texts, scratch, stages, slowest = corpus(), tmp_path / "spec.yaml", Counter(), 0.0
    for i in range(count):
        stage, seconds, graph, _ = outcome(mutated_tree(random.Random(f"trees:{i}"), texts).encode(), scratch)
        stages[stage] += 1
        slowest = max(slowest, seconds)
        if graph is not None:
            written_and_read(graph)
    print(dict(stages), f"slowest {slowest * 1000:.1f} ms")
    assert slowest < SECONDS
    assert stages["graph"] > count / 10
    assert stages["steps"] > count / 4


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("count", FAULTS)
def test_what_passes_with_one_fault_is_what_keras_builds(count):
    import keras

    stages: Counter[str] = Counter()
    for i in range(count):
        text = faulty(random.Random(f"faults:{i}"))
        stage, wrong = verdict(text)
        assert wrong is None, f"{text}\n{wrong}"
        stages[stage] += 1
        if i % 50 == 49:
            keras.backend.clear_session()
    assert stages["refused"] > count / 4
    assert stages["built"] > count / 4


def test_catalogue_and_generated_specs_are_written_and_read(tmp_path):
    read = 0
    for data in corpus(20):
        graph = outcome(data, tmp_path / "spec.yaml").graph
        if graph is not None:
            written_and_read(graph)
            read += 1
    assert read >= 20
