"""A network with real weights and small photographs for it: what a test and a tool of transfer learning start from."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

import archspec
from archspec.backend import weights
from tests.backend.caffe import caffemodel
from tests.backend.test_real_weights import decompressed

ZIPS = {"train": "cifar10/train_10k_jpg.zip", "test": "cifar10/test_2k_jpg.zip"}


def write_photos(archives: dict[str, Path], path: Path, *, each: int) -> Path:
    """The first ``each`` images of every class, of both splits, as an .npz file."""
    out: dict[str, np.ndarray] = {}
    for split, archive in archives.items():
        with zipfile.ZipFile(archive) as file:
            by_class: dict[str, list[str]] = {}
            for name in sorted(n for n in file.namelist() if n.endswith((".jpg", ".jpeg", ".png"))):
                by_class.setdefault(name.split("/")[-2], []).append(name)
            members = [(name, k) for k, c in enumerate(sorted(by_class)) for name in by_class[c][:each]]
            images = [np.asarray(Image.open(io.BytesIO(file.read(name))).convert("RGB")) for name, _ in members]
        out |= {f"x_{split}": np.stack(images), f"y_{split}": np.array([k for _, k in members])}
    np.savez(path, class_names=np.array(sorted(by_class)), **out)
    return path


def write_weights(compressed: Path, path: Path) -> Path:
    """SqueezeNet's weights out of Han's file, as the catalogue names them, for images of red, green and blue."""
    graph = archspec.load("squeezenet1_0_caffe")
    kernels = [node.weights[0].shape for node in graph.owners() if node.weights]
    blobs = decompressed(compressed, [(k[3], k[2], k[0], k[1]) for k in kernels])
    model = path.with_suffix(".caffemodel")
    model.write_bytes(caffemodel((f"conv{k}", "Convolution", list(pair)) for k, pair in enumerate(blobs)))
    values, _ = weights.read(model, graph)
    values["conv/kernel"] = values["conv/kernel"][:, :, ::-1]
    weights.write(path, values)
    return path
