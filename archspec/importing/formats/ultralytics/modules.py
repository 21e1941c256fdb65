"""The modules of rows as steps, by name."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import gcd
from typing import Any

from archspec.importing.formats.ultralytics import heads
from archspec.importing.formats.ultralytics.pieces import EPSILON, MOMENTUM, PAIR, Pieces
from archspec.importing.formats.ultralytics.rows import ACTIVATIONS, ModuleRow, RowReader, Rule
from archspec.importing.maps import MapResult
from archspec.importing.network import refused


def _pieces(net: RowReader, row: ModuleRow) -> tuple[Pieces, MapResult]:
    return Pieces(net, row.span), row.x


def _conv(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    row.at_most(7)
    return b.conv(
        x,
        row.count(0),
        row.get(1, 1),
        row.get(2, 1),
        _padding(row, 3),
        groups=row.get(4, 1),
        dilation=row.get(5, 1),
        has_activation=row.get(6, True, bool),
    )


def _padding(row: ModuleRow, place: int) -> int | None:
    """An argument that may be None or zero."""
    value = row.args[place] if place < len(row.args) else None
    return None if value is None else 0 if value == 0 and type(value) is int else row.get(place, None)


def _depthwise(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    row.at_most(3)
    filters = row.count(0)
    return b.conv(x, filters, row.get(1, 1), row.get(2, 1), groups=gcd(x.channels, filters))


def _focus(net: RowReader, row: ModuleRow) -> MapResult:
    """Every second row and column: (even, even), (odd, even), (even, odd), (odd, odd)."""
    b, x = _pieces(net, row)
    row.at_most(3)
    parts = []
    half = replace(x, height=x.height // 2, width=x.width // 2)
    for down, right in ((0, 0), (1, 0), (0, 1), (1, 1)):
        cut = x
        if down or right:
            crop = [[down, 0], [right, 0]]
            cut = b.step({"crop": {"margins": crop}}, [x], replace(x, height=x.height - down, width=x.width - right))
        parts.append(b.step({"subsample": 2}, [cut], half))
    return b.conv(b.concat(parts), row.count(0), row.get(1, 1), row.get(2, 1))


def _bottleneck(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    row.at_most(3)
    kernels = (1, 3) if net.is_v5 else PAIR
    return b.bottleneck(x, row.count(0), row.get(1, True, bool), row.get(2, 1), kernels)


def _c3(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    row.at_most(4)
    return _partial(b, x, row.count(0), row.number, row.get(1, True, bool), row.get(2, 1), row.get(3, 0.5, float))


def _partial(
    b: Pieces,
    x: MapResult,
    filters: int,
    number: int,
    has_shortcut: bool,
    groups: int,
    expansion: float = 0.5,
    kernels: tuple[int, int] = (1, 3),
) -> MapResult:
    width = int(filters * expansion)

    def inner(y: MapResult) -> MapResult:
        for _ in range(number):
            y = b.bottleneck(y, width, has_shortcut, groups, kernels, 1.0)
        return y

    return b.partial(x, filters, width, inner)


def _c2f(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    row.at_most(4)
    filters, has_shortcut, groups = row.count(0), row.get(1, False, bool), row.get(2, 1)
    width = int(filters * row.get(3, 0.5, float))
    one = partial(b.bottleneck, filters=width, has_shortcut=has_shortcut, groups=groups, expansion=1.0)
    return b.stages(x, filters, width, [one] * row.number)


def _c3k2(net: RowReader, row: ModuleRow) -> MapResult:
    """C2f whose stages are C3 of two bottlenecks; of the smaller scales, bottlenecks."""
    b, x = _pieces(net, row)
    row.at_most(5)
    filters, is_deep = row.count(0), row.get(1, False, bool) or net.scale.name in ("m", "l", "x")
    width = int(filters * row.get(2, 0.5, float))
    groups, has_shortcut = row.get(3, 1), row.get(4, True, bool)

    def inner(y: MapResult) -> MapResult:
        if is_deep:
            return _partial(b, y, width, 2, has_shortcut, groups, kernels=PAIR)
        return b.bottleneck(y, width, has_shortcut, groups)

    return b.stages(x, filters, width, [inner] * row.number)


def _spp(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    row.at_most(2)
    sizes = row.get(1, [5, 9, 13], list)
    if not sizes or not all(type(size) is int and 0 < size < 999 and size % 2 for size in sizes):
        raise refused("I03", "sizes of pools are odd numbers", row.span)
    first = b.conv(x, x.channels // 2)
    return b.conv(b.concat([first, *(b.max_pool(first, size, 1, size // 2) for size in sizes)]), row.count(0))


def _sppf(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    row.at_most(2)
    size = row.get(1, 5)
    parts = [b.conv(x, x.channels // 2)]
    for _ in range(3):
        parts.append(b.max_pool(parts[-1], size, 1, size // 2))
    return b.conv(b.concat(parts), row.count(0))


def _c2psa(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    row.at_most(2)
    if x.channels != row.count(0):
        raise refused("I03", f"{row.module} gives as many channels as it takes, which are {x.channels}", row.span)
    width = int(x.channels * row.get(1, 0.5, float))
    both = b.conv(x, 2 * width)
    rest, made = b.channels(both, 0, width), b.channels(both, width, 2 * width)
    for _ in range(row.number):
        made = b.attending(made)
    return b.conv(b.concat([rest, made]), x.channels)


def _concat(net: RowReader, row: ModuleRow) -> MapResult:
    if row.args not in ([1], []):
        raise refused("I02", "results are concatenated by their channels, axis 1", row.span)
    return Pieces(net, row.span).concat(row.taken)


def _upsample(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    factor = row.get(1, None, (int, float))
    if row.get(0, None, list) is not None or row.get(2, "nearest", str) != "nearest" or factor != int(factor or 0.5):
        raise refused("I02", "maps grow by a whole factor, to the nearest", row.span)
    factor = int(factor)
    return b.step({"upsample": factor}, [x], replace(x, height=factor * x.height, width=factor * x.width))


def _max_pool(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    row.at_most(3)
    size = row.count(0)
    return b.max_pool(x, size, row.get(1, size), _padding(row, 2) or 0)


def _zero_pad(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    sides = row.get(0, None, list)
    if not sides or len(sides) != 4 or not all(type(side) is int and 0 <= side < 9999 for side in sides):
        raise refused("I03", "margins are [left, right, top, bottom]", row.span)
    left, right, top, bottom = sides
    out = replace(x, height=x.height + top + bottom, width=x.width + left + right)
    return b.step({"pad": {"padding": [[top, bottom], [left, right]]}}, [x], out)


def _norm(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    return b.step({"batch_norm": {"epsilon": EPSILON, "momentum": MOMENTUM}}, [x], x)


def _identity(net: RowReader, row: ModuleRow) -> MapResult:
    return row.x


def _activation(step: dict[str, Any], net: RowReader, row: ModuleRow) -> MapResult:
    b, x = _pieces(net, row)
    row.at_most(0)
    return b.step(step, [x], x)


MODULES: dict[str, Rule] = {
    "Conv": Rule(_conv, scales=True),
    "DWConv": Rule(_depthwise, scales=True),
    "Focus": Rule(_focus, scales=True),
    "Bottleneck": Rule(_bottleneck, scales=True),
    "C3": Rule(_c3, scales=True, repeats=True),
    "C2f": Rule(_c2f, scales=True, repeats=True),
    "C3k2": Rule(_c3k2, scales=True, repeats=True, is_later=True),
    "C2PSA": Rule(_c2psa, scales=True, repeats=True),
    "SPP": Rule(_spp, scales=True),
    "SPPF": Rule(_sppf, scales=True),
    "Classify": Rule(heads.classify, scales=True),
    "Concat": Rule(_concat),
    "Detect": Rule(heads.detect),
    "Segment": Rule(heads.segment),
    "Pose": Rule(heads.pose),
    "OBB": Rule(heads.oriented),
    "nn.Upsample": Rule(_upsample),
    "nn.MaxPool2d": Rule(_max_pool),
    "nn.ZeroPad2d": Rule(_zero_pad),
    "nn.BatchNorm2d": Rule(_norm),
    "nn.Identity": Rule(_identity),
    **{f"nn.{name}": Rule(partial(_activation, step)) for name, step in ACTIVATIONS.items() if step is not None},
}
