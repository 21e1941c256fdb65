"""Small pictures to read, and a cache of results for each test."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def shared_data():
    """The folder of real data."""
    folder = os.environ.get("ARCHSPEC_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ARCHSPEC_DATA names no folder of real data")
    return Path(folder)


def picture(height=12, width=16, seed=0):
    """A smooth image, which JPEG keeps to a few grey levels."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    phase = seed * 0.7
    planes = [np.sin(3 * x + phase), np.cos(2 * y + phase), np.sin(x + 2 * y + phase)]
    return np.uint8(np.stack(planes, -1) * 100 + 128)


def save(path, image=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture() if image is None else image).save(path, **options)
    return path


@pytest.fixture
def class_folders(tmp_path):
    """Two classes of five and seven pictures, in all the formats."""
    root = tmp_path / "pets"
    suffixes = ("jpg", "png", "bmp", "gif", "webp")
    for name, count in (("cat", 5), ("dog", 7)):
        for i in range(count):
            save(root / name / f"{i} ü.{suffixes[i % 5]}", picture(12 + i, 16, i))
    return root
