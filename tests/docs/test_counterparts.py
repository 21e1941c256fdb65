"""The pages for those who have Keras or PyTorch code: specs have the other library's parameters."""

from __future__ import annotations

import re

import pytest

from archspec.analysis.cost import totals
from archspec.frontend import loads
from tests.docs.blocks import ROOT, shown

KERAS, PYTORCH = ROOT / "docs" / "keras.md", ROOT / "docs" / "pytorch.md"
NETWORKS = ("cnn", "encoder", "residual", "text", "unet")
SECOND_BIASES = {"text": 2 * 4 * 64 + 2 * 4 * 32}
"""PyTorch's recurrent layers have two biases for each gate."""


def written(page, language: str) -> dict[str, str]:
    return {block.file.removesuffix(".yaml"): block.text for block in shown(language, pages=[page])}


@pytest.mark.parametrize("page", [KERAS, PYTORCH], ids=lambda p: p.stem)
def test_five_networks_stand_side_by_side(page):
    assert sorted(written(page, "python")) == sorted(written(page, "yaml")) == sorted(NETWORKS)
    for name, text in written(page, "yaml").items():
        assert loads(text).name == name


def test_counts_of_pytorch():
    """Those on the page were printed by PyTorch."""
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\d,]+) \|$", PYTORCH.read_text("utf-8"), re.MULTILINE)
    assert sorted(name for name, *_ in rows) == sorted(NETWORKS)
    specs = written(PYTORCH, "yaml")
    for name, *counts in rows:
        theirs, ours = (int(count.replace(",", "")) for count in counts)
        assert totals(loads(specs[name])).trainable_params == ours == theirs - SECOND_BIASES.get(name, 0)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NETWORKS)
def test_counts_of_keras(name):
    """The page's code is run."""
    held: dict[str, object] = {}
    exec(written(KERAS, "python")[name], held)
    found = totals(loads(written(KERAS, "yaml")[name]))
    model = held["model"]
    assert found.params == model.count_params()
    assert found.trainable_params == sum(w.size for w in (v.numpy() for v in model.trainable_variables))


@pytest.mark.tensorflow
def test_names_are_those_of_keras():
    from importlib import import_module

    names = (ROOT / "tests" / "frontend" / "keras_names.txt").read_text("utf-8").splitlines()[1:]
    lost = [n for n in names if not hasattr(import_module("keras." + n.rpartition(".")[0]), n.rpartition(".")[2])]
    assert len(names) > 200 and lost == []
