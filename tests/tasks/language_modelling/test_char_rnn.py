"""The run file of char_rnn on the characters of tiny Shakespeare: nats per character of the last tenth of the text."""

import numpy as np
import pytest

from archspec.runs import Run

TEXT = "tinyshakespeare/data/tinyshakespeare/input.txt"


def plan(variant, seed):
    return Run.open("char_rnn", variant=variant, seed=seed).plan()


@pytest.mark.slow
def test_the_run_is_600_steps_of_32_windows_of_64_characters(data):
    data(TEXT)
    made = plan("char_lstm", 0)
    assert made.steps * made.spec.train.epochs == 600 and made.pipeline.batch_size() == 32
    assert made.features.parts["tokens"].shape == (65,)
    assert (made.split, made.features.splits["val"]) == ("val", 111_538 // 64)


@pytest.mark.slow
def test_characters_alone_leave_much_doubt(data):
    """3.31 nats is what the frequencies of the characters come to: the bar is far below."""
    data(TEXT)
    train = plan("char_lstm", 0).source.arrays("train")["tokens"]
    frequencies = np.bincount(train.ravel(), minlength=65) / train.size
    assert round(float(-(frequencies * np.log(frequencies)).sum()), 2) == 3.31


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("variant", ["char_lstm", "char_gru"])
def test_600_steps_bring_it_below_2_1_nats(data, tmp_path, variant, seed):
    from archspec.training.run import run

    data(TEXT)
    result = run(plan(variant, seed), tmp_path / "run", progress=None)
    assert (result.steps, result.finished) == (600, True)
    assert result.metrics["nats"] <= 2.1
    assert result.metrics["perplexity"] == pytest.approx(np.exp(result.metrics["nats"]), rel=1e-4)
