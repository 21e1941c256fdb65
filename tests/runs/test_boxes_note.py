"""A file that prepares images itself has boxes in pixels of the prepared ones, and its writing says so."""

from __future__ import annotations

import pytest

import archspec
from archspec.runs.export import boxes_note
from archspec.tasks.detection import Detection
from archspec.tasks.segmentation import Segmentation


@pytest.mark.parametrize(("size", "said"), [("[48, 64, 3]", "48×64"), ("[null, 64, 3]", "?×64")])
def test_boxes_are_said_to_lie_in_the_prepared_image(tmp_path, size, said):
    spec = tmp_path / "net.yaml"
    spec.write_text(f"archspec: 1\nname: net\ninputs: {{image: {size}}}\nbody: [{{conv: 4}}]\n", encoding="utf-8")
    graph = archspec.load(spec)
    note = boxes_note(Detection(), graph)
    assert note == f"boxes are in pixels of the prepared image of {said}, not of the image given"
    assert boxes_note(Segmentation(), graph) == ""
