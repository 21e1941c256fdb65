"""Examples that are made up, of any number: what is known of them takes no drawing."""

import pytest

from archspec.data.errors import DataError
from archspec.data.sources.inverted import Inverted
from archspec.data.sources.plane import Gaussians
from archspec.data.sources.symbols import SymbolPairs
from archspec.data.sources.synthetic import Shapes
from tests.wording import refuses


@pytest.mark.parametrize(
    "source",
    [
        SymbolPairs(train=2**31),
        SymbolPairs(symbols=36, longest=256, test=2**31),
        Shapes(train=2**31),
        Gaussians(train=2**31, test=2**31),
        Inverted(test=2**31),
    ],
    ids=lambda source: source.name,
)
def test_what_a_machine_cannot_hold_is_refused_without_drawing_any(source, monkeypatch):
    monkeypatch.setattr("archspec.data.example._memory", lambda: 8 * 10**9)
    with refuses(DataError):
        source.features()


def test_labels_of_made_up_images_need_no_images():
    source = Shapes(train=7, test=5, size=8)
    for split in ("train", "test"):
        assert source.class_labels(split).tolist() == source.arrays(split)["label"].tolist()
    assert len(Shapes(train=10**6, size=1024).class_labels("train")) == 10**6
