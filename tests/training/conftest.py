"""Plans out of texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.runs.request import requested
from tests.training import runs


@pytest.fixture
def plan(tmp_path):
    """``plan("{optimizer: sgd, …}")``: the plan of the small run with these settings of ``train``."""

    def make(train="{}", *, spec=runs.SPEC, augment="[rescale]", data="digits", rest=""):
        text = f"archspec_run: 1\nspec: small.yaml\ndata: {data}\naugment: {augment}\ntrain: {train}\n{rest}"
        return requested(str(runs.write(Path(tmp_path), text, spec))).plan()

    return make
