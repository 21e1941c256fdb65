"""The figures that are asked for: symbols said backwards, in sequences that were not trained on, without being told."""

from __future__ import annotations

import pytest

from archspec.runs import Run


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["seq2seq_reverse", "transformer_reverse"])
def test_sequences_are_said_exactly(name, seed, tmp_path):
    from archspec.training.run import run

    plan = Run.open(name, seed=seed).plan()
    assert plan.features.splits["test"] == plan.task.decoded == 1000
    result = run(plan, tmp_path / "run", progress=None)
    assert result.metrics["exact_match"] >= 0.99, result.metrics


def test_the_data_are_those_that_are_asked_for():
    for name in ("seq2seq_reverse", "transformer_reverse"):
        plan = Run.open(name).plan()
        source = plan.source
        assert (source.shortest, source.longest, source.symbols, source.test) == (3, 12, 10, 1000)
        assert plan.task.decoding.name == "greedy"
