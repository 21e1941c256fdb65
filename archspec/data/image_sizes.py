"""How large an image is, by the first bytes of its file: known before anything is unpacked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple


class Size(NamedTuple):
    """Height and width that a file states, and the pixels that a decoder makes room for."""

    height: int
    width: int
    pixels: int
    note: str = ""


def format_of(data: bytes) -> str | None:
    """The format that the first bytes say; None for what is no image that can be read."""
    if data[:2] == b"\xff\xd8":
        return "jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if data[:2] == b"BM" and len(data) >= 26:
        return "bmp"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "pnm"
    return None


def size_of(form: str, data: bytes) -> Size | None:
    """What a file of this format says of its size; None where it is cut off before."""
    if form == "gif":
        return _gif_size(data)
    found = _SIZES[form](data)
    return None if found is None else Size(*found, found[0] * found[1])


def _png_size(data: bytes) -> tuple[int, int] | None:
    return (int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")) if len(data) >= 24 else None


def _bmp_size(data: bytes) -> tuple[int, int] | None:
    if int.from_bytes(data[14:18], "little") == 12:
        return int.from_bytes(data[20:22], "little"), int.from_bytes(data[18:20], "little")
    width, height = (int.from_bytes(data[i : i + 4], "little", signed=True) for i in (18, 22))
    return abs(height), width


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Of each segment of a JPEG file before the picture's data its marker, and where its body begins and ends."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        if data[at + 1] == 0xFF:
            at += 1  # Segments may be filled up before their marker.
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield data[at + 1], at + 4, end
        at = end


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Of the largest frame header before the picture's data."""
    found = None
    for marker, start, _ in jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and start + 5 <= len(data):
            size = (
                int.from_bytes(data[start + 1 : start + 3], "big"),
                int.from_bytes(data[start + 3 : start + 5], "big"),
            )
            found = size if found is None or size[0] * size[1] > found[0] * found[1] else found
    return found


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Of the canvas, or of the one picture (developers.google.com/speed/webp/docs/riff_container, RFC 6386)."""
    kind, body = data[12:16], data[20:]
    if kind == b"VP8X" and len(body) >= 10:
        return 1 + int.from_bytes(body[7:10], "little"), 1 + int.from_bytes(body[4:7], "little")
    if kind == b"VP8L" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)
    if kind == b"VP8 " and len(body) >= 10:
        return int.from_bytes(body[8:10], "little") & 0x3FFF, int.from_bytes(body[6:8], "little") & 0x3FFF
    return None


def _gif_size(data: bytes) -> Size | None:
    """The screen's size; what is decoded is every picture of an animation, a byte for each pixel."""
    if len(data) < 13:
        return None
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    at, total, pictures = 13 + _colors(data[10]), 0, 0
    while at < len(data):
        if data[at] == 0x21:
            at = _after_blocks(data, at + 2)
        elif data[at] == 0x2C and at + 10 <= len(data):
            total += int.from_bytes(data[at + 5 : at + 7], "little") * int.from_bytes(data[at + 7 : at + 9], "little")
            pictures += 1
            at = _after_blocks(data, at + 11 + _colors(data[at + 9]))
        else:
            break
    # The first picture becomes three bytes for each pixel.
    held = max(height * width, -(-total // 3))
    return Size(height, width, held, f" (in its {pictures} pictures)" if held > height * width else "")


def _colors(packed: int) -> int:
    """Bytes of a table of colours."""
    return 3 * 2 ** (1 + (packed & 7)) if packed & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """Where a row of blocks, each behind its length, has ended."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    """Of the first picture (TIFF 6.0, section 2)."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    found = {}
    start = int.from_bytes(data[4:8], order)
    for k in range(int.from_bytes(data[start : start + 2], order)):
        entry = data[start + 2 + 12 * k : start + 14 + 12 * k]
        tag, kind = int.from_bytes(entry[:2], order), int.from_bytes(entry[2:4], order)
        if tag in (256, 257):
            found[tag] = int.from_bytes(entry[8:10] if kind == 3 else entry[8:12], order)
    return (found[257], found[256]) if len(found) == 2 else None


def _pnm_size(data: bytes) -> tuple[int, int] | None:
    """Numbers behind the two letters, with comments between (netpbm.sourceforge.net/doc/pgm.html)."""
    found = re.match(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})\s", data[:4096])
    return (int(found[2]), int(found[1])) if found else None


_SIZES: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "jpeg": _jpeg_size,
    "png": _png_size,
    "bmp": _bmp_size,
    "webp": _webp_size,
    "tiff": _tiff_size,
    "pnm": _pnm_size,
}


def is_within(data: bytes, max_pixels: int) -> bool:
    """Whether an image, if it is one, has no more pixels; only what stands first in its bytes is read."""
    form = format_of(data)
    size = size_of(form, data) if form else None
    return size is None or size.pixels <= max_pixels
