"""A detector whose pictures are joined of several, killed, ends resumed to the bit where an uninterrupted run ends."""

from __future__ import annotations

from random import Random

import pytest

from tests.tasks.detection.test_detection import SPEC
from tests.training import runs

RUN = """
archspec_run: 1
spec: squares.yaml
data: {scenes: {classes: 2, most: 2, train: 48, test: 8}}
augment:
  - resize: 48
  - until: {epoch: 5, steps: [mosaic, copy_paste]}
  - scale_jitter: {size: [32, 48], short: [48, 64]}
  - mirror
  - rescale
train: {optimizer: {adam: 0.01}, epochs: 6, batch: 8, seed: 5, steps_per_execution: 1, checkpoint_steps: 4}
"""


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_killed_detector_ends_where_an_uninterrupted_one_ends(tmp_path):
    (tmp_path / "squares.yaml").write_text(SPEC.replace("most: 2", "most: 16"))
    path = tmp_path / "run.yaml"
    path.write_text(RUN)
    runs.finished("train", path, "--logdir", tmp_path / "whole", "--quiet")
    assert runs.killed_and_resumed(path, tmp_path / "run", Random(1)) >= 2
    runs.assert_same(tmp_path / "run", tmp_path / "whole")
