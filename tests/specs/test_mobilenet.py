"""MobileNetV3 in other widths: what Keras, timm and torchvision build."""

from __future__ import annotations

import pytest

import archspec

KERAS = {
    ("large", 0.5): (2702512, 2689904),
    ("large", 0.75): (4012616, 3993528),
    ("large", 1.0): (5507432, 5483032),
    ("large", 1.25): (8286760, 8255784),
    ("large", 1.5): (11364760, 11327816),
    ("small", 0.5): (1599720, 1593224),
    ("small", 0.75): (2051552, 2041872),
    ("small", 1.0): (2554968, 2542856),
    ("small", 1.25): (3660640, 3645312),
    ("small", 1.5): (4950432, 4931888),
}
"""``count_params`` and trainable weights of keras.applications.MobileNetV3Large and -Small of Keras 3.15, by ``alpha``.

Those of 0.75 and of small at 0.5 are timm's, to the digits that it publishes: 3.99 M, 2.04 M, 1.59 M.
"""

# Input, kernel, expansion, output, excitation, by torchvision's mobilenetv3.py.
LARGE = [
    (16, 3, 16, 16, False),
    (16, 3, 64, 24, False),
    (24, 3, 72, 24, False),
    (24, 5, 72, 40, True),
    *[(40, 5, 120, 40, True)] * 2,
    (40, 3, 240, 80, False),
    (80, 3, 200, 80, False),
    *[(80, 3, 184, 80, False)] * 2,
    (80, 3, 480, 112, True),
    (112, 3, 672, 112, True),
    (112, 5, 672, 160, True),
    *[(160, 5, 960, 160, True)] * 2,
]
SMALL = [
    (16, 3, 16, 16, True),
    (16, 3, 72, 24, False),
    (24, 3, 88, 24, False),
    (24, 5, 96, 40, True),
    *[(40, 5, 240, 40, True)] * 2,
    (40, 5, 120, 48, True),
    (48, 5, 144, 48, True),
    (48, 5, 288, 96, True),
    *[(96, 5, 576, 96, True)] * 2,
]


def rounded(channels):
    found = max(8, int(channels + 4) // 8 * 8)
    return found + 8 if found < 0.9 * channels else found


def torchvision(rows, last, width):
    """Parameters, running means and variances left out: kernels, and a factor and an offset for each normalised one."""
    scaled = lambda channels: rounded(channels * width)  # noqa: E731
    count = 3 * 9 * scaled(16) + 2 * scaled(16)
    for given, kernel, expansion, out, excited in rows:
        c, e, o = scaled(given), scaled(expansion), scaled(out)
        count += (c * e + 2 * e) * (c != e) + kernel * kernel * e + 2 * e + e * o + 2 * o
        if excited:
            count += e * rounded(e // 4) * 2 + e + rounded(e // 4)
    top, last = 6 * o, scaled(last)
    return count + o * top + 2 * top + top * last + last + last * 1000 + 1000


@pytest.mark.parametrize(("trunk", "width"), KERAS)
def test_widths_by_ratios_are_kerass(trunk, width):
    totals = archspec.table(archspec.load(f"mobilenet_v3_{trunk}", width=width)).totals
    assert (totals.params, totals.trainable_params) == KERAS[trunk, width]


@pytest.mark.parametrize("width", [0.35, 0.5, 0.75, 1.0, 1.3])
@pytest.mark.parametrize(("trunk", "rows", "last"), [("large", LARGE, 1280), ("small", SMALL, 1024)])
def test_widths_by_sizes_are_torchvisions(trunk, rows, last, width):
    graph = archspec.load(f"mobilenet_v3_{trunk}", width=width, scaling="sizes")
    assert archspec.table(graph).totals.trainable_params == torchvision(rows, last, width)


def test_the_networks_of_three_quarters_have_names():
    names = [f"mobilenet_v3_{trunk}_075{rule}" for trunk in ("large", "small") for rule in ("", "_sizes")]
    found = [archspec.table(archspec.load(name)).totals.trainable_params for name in names]
    assert found == [3993528, torchvision(LARGE, 1280, 0.75), 2041872, torchvision(SMALL, 1024, 0.75)]
    assert len(set(found)) == 4
