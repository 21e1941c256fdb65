"""A run's own data, which may have become others since it was trained."""

import json

import archspec
from archspec.runs.evaluation import _compare_classes
from archspec.runs.notation import FLAGS
from archspec.training.errors import RunError
from archspec.training.record import environment
from tests.data.conftest import picture, save
from tests.wording import refuses

SPEC = """archspec: 1
name: net
inputs: {image: [9, 9, 3]}
body: [flatten]
heads: {main: {body: [{dense: {units: 2, activation: softmax}}], loss: sparse_categorical_crossentropy}}
"""


def test_classes_that_have_other_names_now_are_not_compared_by_their_numbers(tmp_path, monkeypatch):
    """A folder whose classes were renamed was evaluated in the order of its new names."""
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))
    for name in ("cat", "dog"):
        for i in range(4):
            save(tmp_path / "pets" / name / f"{i}.png", picture(9, 9, i))
    (tmp_path / "net.yaml").write_text(SPEC)

    def plan():
        data = {"folder": str(tmp_path / "pets")}
        return archspec.Run.open(tmp_path / "net.yaml", data=data, augment=[{"resize": 9}, "rescale"]).plan()

    trained = plan()
    (tmp_path / "environment.json").write_text(json.dumps(environment(trained)))
    _compare_classes(trained, tmp_path, FLAGS)
    (tmp_path / "pets" / "dog").rename(tmp_path / "pets" / "ape")
    changed = plan()
    assert changed.features.class_names == ("ape", "cat")
    monkeypatch.chdir(tmp_path)
    with refuses(RunError):
        _compare_classes(changed, tmp_path.relative_to(tmp_path), FLAGS)
