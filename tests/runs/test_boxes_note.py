"""Where the boxes of a file lie is said when it is written."""

from __future__ import annotations

import pytest

import archspec
from archspec.runs.export import boxes_note
from archspec.tasks.detection import Detection
from archspec.tasks.segmentation import Segmentation


@pytest.mark.parametrize(("size", "said"), [("[48, 64, 3]", "48×64"), ("[null, 64, 3]", "?×64")])
def test_boxes_are_said_to_lie_in_the_prepared_image_or_in_the_one_given(tmp_path, size, said):
    spec = tmp_path / "net.yaml"
    spec.write_text(f"archspec: 1\nname: net\ninputs: {{image: {size}}}\nbody: [{{conv: 4}}]\n", encoding="utf-8")
    graph = archspec.load(spec)
    note = boxes_note(Detection(), graph, is_prepared=False)
    assert note.startswith(f"boxes are in pixels of the prepared image of {said}; ")
    assert boxes_note(Detection(), graph, is_prepared=True) == "boxes are in pixels of the image given"
    assert boxes_note(Segmentation(), graph, is_prepared=False) == ""
