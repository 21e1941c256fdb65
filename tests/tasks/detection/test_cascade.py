"""MTCNN with the weights of facenet, through a run that trains nothing, on a photo that scikit-image brings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.backend.weights import write
from archspec.cli import main

LAYERS = {
    "P": ("det1", "conv_prelu.conv conv_prelu.prelu conv_prelu_2.conv conv_prelu_2.prelu h.conv h.prelu face box"),
    "R": (
        "det2",
        "conv_prelu.conv conv_prelu.prelu conv_prelu_2.conv conv_prelu_2.prelu conv_prelu_3.conv conv_prelu_3.prelu "
        "dense h face box",
    ),
    "O": (
        "det3",
        "conv_prelu.conv conv_prelu.prelu conv_prelu_2.conv conv_prelu_2.prelu conv_prelu_3.conv conv_prelu_3.prelu "
        "conv_prelu_4.conv conv_prelu_4.prelu dense h face box points",
    ),
}
"""Layers of the spec in the order of those of facenet's files, whose names count: conv1, prelu1, conv4-1, …"""
FACE = [181.05, 62.16, 267.75, 172.05]
PLACES = [(205.0, 101.7), (246.8, 103.7), (224.7, 129.0), (201.7, 139.2), (245.3, 141.9)]
"""Eyes, nose and the mouth's corners, by an independent program with the same weights."""


def by_number(name: str) -> tuple[str, int]:
    """Of conv4-1 and prelu4: the fourth layer, its convolution and what is behind it, part by part."""
    kind = "prelu" if "relu" in name.lower() else "conv"
    number, _, part = name.lower().removeprefix(kind).partition("-")
    return number + kind, int(part or 0)


def facenet(folder: Path) -> dict[str, np.ndarray]:
    """The weights under the names of the spec. Facenet's networks see pictures with rows and columns exchanged."""
    out = {}
    for network, (file, layers) in LAYERS.items():
        held = np.load(folder / f"{file}.npy", allow_pickle=True, encoding="latin1").item()
        for theirs, ours in zip(sorted(held, key=by_number), layers.split(), strict=True):
            for kind, values in held[theirs].items():
                if values.ndim == 4:
                    values = values.transpose(1, 0, 2, 3)
                elif ours == "dense" and values.ndim == 2:
                    values = values.reshape(3, 3, -1, values.shape[1]).transpose(1, 0, 2, 3).reshape(values.shape)
                elif kind == "alpha" and ours != "h":
                    values = values.reshape(1, 1, -1)
                names = {"weights": "kernel", "biases": "bias"}
                out[f"{network}.net.{ours}/{names.get(kind, kind)}"] = values
    return out


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_astronauts_face_is_found_in_pixels_of_the_file(tmp_path, capsys):
    folder = Path(os.environ.get("ARCHSPEC_DATA", "")) / "w_mtcnn_facenet" / "src" / "align"
    if not (folder / "det1.npy").is_file():
        pytest.skip("needs facenet's weights: ARCHSPEC_DATA")
    from PIL import Image
    from skimage.data import astronaut

    box = [180, 61, 88, 111]
    one = {"id": 1, "image_id": 1, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
    said = {
        "images": [{"id": 1, "file_name": "astronaut.png", "width": 512, "height": 512}],
        "categories": [{"id": 1, "name": "face"}],
        "annotations": [one],
    }
    for split in ("train", "test"):
        (tmp_path / "faces" / split).mkdir(parents=True)
        (tmp_path / "faces" / split / "_annotations.coco.json").write_text(json.dumps(said))
        Image.fromarray(astronaut()).save(tmp_path / "faces" / split / "astronaut.png")
    photo = str(tmp_path / "faces" / "test" / "astronaut.png")
    write(tmp_path / "facenet.npz", facenet(folder))
    (tmp_path / "run.yaml").write_text(
        "archspec_run: 1\nspec: mtcnn\ndata: {coco: faces}\ntrain: {weights: facenet.npz, epochs: 0, batch: 1}\n"
    )
    logdir = tmp_path / "run"
    assert main(["train", str(tmp_path / "run.yaml"), "--logdir", str(logdir), "--quiet"]) == 0
    assert f"archspec evaluate {logdir}" in capsys.readouterr().out
    said = archspec.Run.open(logdir).predict([photo])
    ((found,),) = (record["objects"] for record in said)
    np.testing.assert_allclose(found["box"], FACE, atol=0.02)
    np.testing.assert_allclose(found["points"], PLACES, atol=0.06)
    assert found["class"] == "face" and found["score"] >= 0.99999
    assert str(said).endswith("face 1.00 at 181 62 268 172, points 205 102, 247 104, 225 129, 202 139, 245 142")
