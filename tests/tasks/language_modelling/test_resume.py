"""A language model whose run is killed and resumed ends to the bit where an uninterrupted run ends."""

import random

import pytest

from tests.training import runs

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow, pytest.mark.long]

TEXT = "".join(random.Random(0).choices("abcdefghijklmnopqrst .\n", k=9000))
RUN = """
archspec_run: 1
spec: char_rnn
set: {vocab: 23, units: 16, length: 16, dropout: 0.3, cell: CELL}
data: {corpus: {path: text.txt, window: 16, windows: 320}}
train:
  task: {language_modelling: {length: 20, prompt: "a"}}
  optimizer: {adam: 0.01}
  epochs: 4
  batch: 8
  seed: 5
  ema: 0.9
  steps_per_execution: 1
  checkpoint_steps: 17
"""


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_killed_language_model_ends_where_an_uninterrupted_one_ends(tmp_path, monkeypatch, cell):
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text(TEXT)
    path = tmp_path / "characters.yaml"
    path.write_text(RUN.replace("CELL", cell))
    runs.finished("train", path, "--logdir", tmp_path / "whole", "--quiet")
    assert runs.killed_and_resumed(path, tmp_path / "run", random.Random(cell)) >= 2
    runs.assert_same(tmp_path / "run", tmp_path / "whole")
    names = [name for name in runs.state(tmp_path / "run") if "seed" in name]
    assert names, "dropout has a generator, whose state is part of what is kept"
