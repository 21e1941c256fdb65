"""Runs in one process: one after the other they end as they would alone; two at once are refused."""

import io
import threading

import numpy as np
import pytest

from archspec.training.errors import InUse
from archspec.training.run import run
from tests.training.test_run import PLAIN

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

DROPPING = PLAIN.replace("relu, flatten", "batch_norm, relu, dropout: 0.3, flatten")


def test_a_run_ends_as_if_no_other_had_been(plan, tmp_path):
    """The run between has another precision, averages, and a seed of its own."""
    between = "{optimizer: adam, precision: mixed_bfloat16, ema: 0.9, epochs: 1, seed: 9}"
    ended = []
    for name, text in (("first", "{epochs: 1, seed: 3}"), ("other", between), ("again", "{epochs: 1, seed: 3}")):
        run(plan(text, spec=DROPPING), tmp_path / name, progress=None)
        ended.append(dict(np.load(tmp_path / name / "weights.npz")))
    first, other, again = ended
    assert list(first) == list(again) and all(np.array_equal(first[k], again[k]) for k in first)
    assert not all(np.array_equal(first[k], other[k]) for k in first)


def test_two_at_once_are_refused(plan, tmp_path):
    made, said = plan("{epochs: 1}", spec=PLAIN), []

    class Second(io.StringIO):
        """Starts another run when the first one says something."""

        def write(self, text: str) -> int:
            def other() -> None:
                try:
                    run(made, tmp_path / "second", progress=None)
                except InUse as error:
                    said.append(str(error))

            if not said:
                thread = threading.Thread(target=other)
                thread.start()
                thread.join()
            return len(text)

    run(made, tmp_path / "first", progress=Second())
    assert said and "a run is under way in this process" in said[0]
    assert not (tmp_path / "second").exists()
    run(made, tmp_path / "second", progress=None)
