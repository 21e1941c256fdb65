"""The run files of the adversarial systems: each is a run that can start, given data of its kind."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tasks.adversarial.recipes import FOLDER, data_for, plan_of

NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two folders of three pictures."""
    from PIL import Image

    found = tmp_path_factory.mktemp("pictures")
    for kind in ("one", "other"):
        (found / kind).mkdir()
        for i in range(3):
            Image.fromarray(np.full((32, 64, 3), 40 * i, "uint8")).save(found / kind / f"{i}.png")
    return found / "one", found / "other"


@pytest.mark.parametrize("name", NAMES)
def test_a_run_file_can_start(name, folders, tmp_path):
    plan = plan_of(name, tmp_path, data=data_for(name, *folders))
    body = plan.graph.training.body.inputs
    for parts in (features.parts for features in plan.pipeline.features()):
        for part, spec in parts.items():
            if part in body and spec.rank:
                assert spec == body[part]
    assert plan.task.name == "adversarial"
    assert plan.steps > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_run_file_says_what_it_shows(name):
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    assert "TBD" not in text and "doc:" in text
