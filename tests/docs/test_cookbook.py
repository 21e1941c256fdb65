"""Every recipe of the cookbook checks without a warning, and the first batch of each of its runs is tried."""

from __future__ import annotations

import csv
import random

import pytest

from archspec.frontend import analyse
from archspec.runs import Run
from tests.docs.blocks import ROOT, shown

RECIPES = shown("yaml", pages=[ROOT / "docs" / "cookbook.md"])
RUNS = [block for block in RECIPES if block.text.startswith("archspec_run:")]


@pytest.fixture
def folder(tmp_path):
    """The recipes, and the data that they name."""
    from PIL import Image

    drawn = random.Random(0)
    for block in RECIPES:
        (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    for split, count in (("train", 8), ("val", 4)):
        for kind, color in (("cat", 90), ("dog", 160)):
            (tmp_path / "photos" / split / kind).mkdir(parents=True)
            for i in range(count):
                values = bytes(drawn.randrange(color, color + 90) for _ in range(3 * 72 * 72))
                Image.frombytes("RGB", (72, 72), values).save(tmp_path / "photos" / split / kind / f"{i}.png")
    words = [f"word{i}" for i in range(200)]
    lines = [f"{i % 2} {' '.join(drawn.choices(words, k=12))}" for i in range(80)]
    (tmp_path / "reviews.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (tmp_path / "houses.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["area", "rooms", "age", "price"])
        for _ in range(100):
            area, rooms, age = drawn.uniform(30, 200), drawn.randrange(1, 7), drawn.uniform(0, 90)
            writer.writerow([round(area, 1), rooms, round(age, 1), round(2 * area + 9 * rooms - age, 1)])
    return tmp_path


@pytest.mark.parametrize("block", [b for b in RECIPES if b not in RUNS], ids=lambda b: b.file)
def test_a_network_checks(block, folder):
    found = analyse(str(folder / block.file))
    assert found.graphs and not found.diagnostics


@pytest.mark.parametrize("block", RUNS, ids=lambda b: b.file)
def test_a_run_is_planned(block, folder):
    assert Run.open(folder / block.file).plan().steps > 0


LONG = ("freezing.yaml", "images_run.yaml", "detector_run.yaml")


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "block", [pytest.param(b, id=b.file, marks=[pytest.mark.long] if b.file in LONG else []) for b in RUNS]
)
def test_the_first_batch_of_a_run(block, folder):
    Run.open(folder / block.file).rehearse(progress=None)
