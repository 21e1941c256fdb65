"""The roofline, by pencil; and the profiles."""

from __future__ import annotations

import pytest

import archspec
from archspec.analysis.hardware import Hardware, hardware, profiles
from archspec.analysis.roofline import bounds
from archspec.ir.diagnostics import SpecError
from tests.wording import refuses

MACHINE = Hardware(name="slate", source="here", peak={"float32": 10**9, "float16": 2 * 10**9}, bandwidth=10**8)


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "net.yaml"
    body = "body:\n  - conv: {filters: 64, kernel: 3, bias: false}\n  - relu\n  - flatten\n"
    path.write_text(f"archspec: 1\nname: net\ninputs: {{x: [8, 8, 64]}}\n{body}", encoding="utf-8")
    return archspec.load(str(path))


def test_bounds_by_hand(graph):
    conv, relu, view = bounds(graph, MACHINE)
    flops, moved = 2 * 64 * 9 * 64 * 64, (64 * 64 * 2 + 9 * 64 * 64) * 4
    assert (conv.limit, conv.seconds) == ("compute", flops / 1e9)
    assert conv.intensity == flops / moved
    assert (relu.limit, relu.seconds) == ("memory", 2 * 64 * 64 * 4 / 1e8)
    assert (view.limit, view.seconds) == ("", 0)
    assert bounds(graph, MACHINE, dtype="float16")[0].seconds == conv.seconds / 2
    assert bounds(graph, MACHINE, batch=3)[0].seconds == pytest.approx(3 * conv.seconds)
    assert MACHINE.ridge("float32") == 10
    with refuses(ValueError):
        bounds(graph, MACHINE, dtype="int8")


def test_every_profile_says_its_source():
    assert profiles() == ("a100", "cpu_core", "h100", "h200", "phone_npu", "rtx4090", "t4")
    for name in profiles():
        found = hardware(name)
        assert found.source.startswith("https://")
        assert all(found.ridge(dtype) > 1 for dtype in found.peak)
    assert hardware("a100").peak["bfloat16"] == 312 * 10**12


def test_a_profile_of_ones_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nsource: me\npeak: {float32: 1.5T}\nbandwidth: 20GiB\n", encoding="utf-8")
    assert (hardware(str(path)).peak, hardware(str(path)).bandwidth) == ({"float32": 1_500 * 10**9}, 20 * 2**30)
    path.write_text("name: mine\nsource: me\npeak: {float32: fast}\nbandwith: 20GiB\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        hardware(str(path))
    places = [(d.span.line, d.span.column) for d in caught.value.diagnostics]
    assert places == [(1, 1), (3, 17), (4, 1)]
    with refuses(ValueError):
        hardware("h10")
