"""The modules at the end of a model: what boxes, masks, keypoints and classes are made of."""

from __future__ import annotations

from dataclasses import replace

from archspec.importing.formats.ultralytics.pieces import Pieces
from archspec.importing.formats.ultralytics.rows import MOST, ModuleRow, RowReader, net_width
from archspec.importing.maps import MapResult
from archspec.importing.network import refused
from archspec.ir.diagnostics import shown

BINS = 16
"""Distances to a side of a box that a cell may say (Li et al. 2020, Generalized Focal Loss)."""


def classify(net: RowReader, row: ModuleRow) -> MapResult:
    b, x = Pieces(net, row.span), row.x
    row.at_most(3)
    made = b.conv(x, 1280, row.get(1, 1), row.get(2, 1))
    made = b.step({"global_avg_pool": None}, [made], MapResult("", 1, 1, made.channels, is_vector=True))
    made = b.step({"dense": row.count(0)}, [made], replace(made, channels=row.count(0)))
    return b.step({"softmax": None}, [made], made)


def detect(net: RowReader, row: ModuleRow) -> None:
    """What boxes are made of: with anchors one map for each level, else shares of distances, and classes."""
    b = Pieces(net, row.span)
    _boxes_left_out(net, row)
    classes = row.get(0, net.classes)
    if net.is_v5:
        anchors = row.get(1, None, list)
        if not anchors or len(anchors) != len(row.taken):
            raise refused("I03", f"anchors are a list for each of {len(row.taken)} levels", row.span)
        for i, (x, sizes) in enumerate(zip(row.taken, anchors, strict=True), 1):
            count = _anchor_count(sizes, row)
            net.ends.append((f"boxes_{i}", b.plain_conv(x, count * (classes + 5)).name))
        return
    first = row.taken[0].channels
    wide = max(16, first // 4, BINS * 4)
    narrow = max(first, min(classes, 100))
    for i, x in enumerate(row.taken, 1):
        made = b.plain_conv(b.conv(b.conv(x, wide, 3), wide, 3), 4 * BINS)
        net.ends.append((f"boxes_{i}", made.name))
        if net.is_legacy:
            made = b.conv(b.conv(x, narrow, 3), narrow, 3)
        else:
            made = b.conv(b.depthwise(x, x.channels, 3), narrow)
            made = b.conv(b.depthwise(made, narrow, 3), narrow)
        net.ends.append((f"classes_{i}", b.plain_conv(made, classes).name))


def _anchor_count(sizes: object, row: ModuleRow) -> int:
    """How many anchors a level has, of which a file has widths and heights, or the number. Raises SpecError (I03)."""
    if isinstance(sizes, list) and sizes and len(sizes) % 2 == 0:
        return len(sizes) // 2
    if type(sizes) is int and 0 < sizes <= MOST:
        return sizes
    raise refused("I03", f"anchors of a level are widths and heights, or a number, got {shown(sizes)}", row.span)


def segment(net: RowReader, row: ModuleRow) -> None:
    """Boxes, coefficients of masks, and the prototypes that they mix (Bolya et al. 2019, YOLACT)."""
    masks, wide = row.get(1, 32), net_width(net, row.get(2, 256))
    detect(net, replace(row, args=row.args[:1]))
    _beside(net, row, "masks", masks)
    b = Pieces(net, row.span)
    made = b.conv(row.taken[0], wide, 3)
    grown = replace(made, height=2 * made.height, width=2 * made.width)
    made = b.step({"conv_transpose": {"filters": wide, "kernel": 2, "stride": 2}}, [made], grown)
    net.ends.append(("prototypes", b.conv(b.conv(made, wide, 3), masks).name))


def pose(net: RowReader, row: ModuleRow) -> None:
    """Boxes, and keypoints of what is in them."""
    shape = row.get(1, None, (list, str))
    shape = net.model.get("kpt_shape") if isinstance(shape, str) or shape is None else shape
    if not isinstance(shape, list) or len(shape) != 2 or not all(type(n) is int and 0 < n < 9999 for n in shape):
        raise refused("I03", "kpt_shape is [number of keypoints, 2 or 3]", row.span)
    detect(net, replace(row, args=row.args[:1]))
    _beside(net, row, "keypoints", shape[0] * shape[1])


def oriented(net: RowReader, row: ModuleRow) -> None:
    """Boxes that are turned, by angles."""
    angles = row.get(1, 1)
    detect(net, replace(row, args=row.args[:1]))
    _beside(net, row, "angles", angles)


def _beside(net: RowReader, row: ModuleRow, name: str, channels: int) -> None:
    """One more map for each level."""
    b = Pieces(net, row.span)
    wide = max(row.taken[0].channels // 4, channels)
    for i, x in enumerate(row.taken, 1):
        net.ends.append((f"{name}_{i}", b.plain_conv(b.conv(b.conv(x, wide, 3), wide, 3), channels).name))


def _boxes_left_out(net: RowReader, row: ModuleRow) -> None:
    net.network.left_out(f"{row.module} decodes boxes: its inputs become outputs of the spec", row.span)
