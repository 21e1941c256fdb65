"""Seeds of trainings whose figures are claimed: the first is trained in CI, the others by ``make long``."""

import pytest

SEEDS = (0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2)))
