"""Image files: what their first bytes say, and decoding."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
MAX_PIXELS = 2**28
"""Most pixels of one image: more is a decompression bomb."""


class Header(NamedTuple):
    """What an image file says of itself. Sizes are 0 where they are not looked up (WebP)."""

    format: str
    height: int = 0
    width: int = 0
    notes: tuple[str, ...] = ()
    """What a decoder does with it that a person may not expect."""


class BadImage(Exception):
    """The bytes are not an image that can be decoded."""


def header(data: bytes, *, name: str = "") -> Header:
    """Format and size of an image file, checked as far as that goes without decoding. Raises BadImage."""
    if not data:
        raise BadImage("is empty")
    if data[:2] == b"\xff\xd8":
        found = _jpeg(data)
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        found = _png(data)
    elif data[:6] in (b"GIF87a", b"GIF89a"):
        found = _gif(data)
    elif data[:2] == b"BM" and len(data) >= 26:
        width, height = (int.from_bytes(data[i : i + 4], "little", signed=True) for i in (18, 22))
        found = Header("bmp", abs(height), width)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        found = Header("webp")
    else:
        raise BadImage(f"is not an image of a kind that can be read ({_kind(data)})")
    if found.format != "webp" and not (found.height > 0 and found.width > 0):
        raise BadImage(f"is a {found.format.upper()} file of size {found.width}×{found.height}")
    if found.height * found.width > MAX_PIXELS:
        raise BadImage(f"has {found.width}×{found.height} pixels, more than {MAX_PIXELS}")
    suffix = name.rpartition(".")[2].lower().replace("jpeg", "jpg")
    if suffix in ("jpg", "png", "gif", "bmp", "webp") and suffix != found.format.replace("jpeg", "jpg"):
        found = found._replace(notes=(f"is named .{suffix} but is {found.format.upper()}", *found.notes))
    return found


def _kind(data: bytes) -> str:
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "TIFF"
    if not data.strip(b"\0"):
        return "zero bytes only"
    if all(32 <= b < 127 or b in b"\t\r\n" for b in data[:64]):
        return "text"
    return "unknown"


def _jpeg(data: bytes) -> Header:
    at, notes, size = 2, [], None
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise BadImage("is a broken JPEG file")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            break
        body = data[at + 4 : at + 2 + length]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(body) >= 6:
            size = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            if body[5] == 4:
                notes.append("is CMYK")
        if marker == 0xE1 and body[:6] == b"Exif\0\0" and _orientation(body[6:]) not in (0, 1):
            notes.append("asks to be turned (EXIF orientation), which is not done")
        at += 2 + length
    if size is None:
        raise BadImage("is a truncated JPEG file")
    # Bytes after the end marker are common and harmless; without one, the picture was cut off.
    if b"\xff\xd9" not in data[at:]:
        raise BadImage("is a truncated JPEG file")
    return Header("jpeg", *size, tuple(notes))


def _orientation(tiff: bytes) -> int:
    """EXIF's orientation, 0 if there is none."""
    order = "little" if tiff[:2] == b"II" else "big"
    start = int.from_bytes(tiff[4:8], order)  # type: ignore[arg-type]
    for k in range(min(64, int.from_bytes(tiff[start : start + 2], order))):  # type: ignore[arg-type]
        entry = tiff[start + 2 + 12 * k : start + 14 + 12 * k]
        if int.from_bytes(entry[:2], order) == 0x0112:  # type: ignore[arg-type]
            return int.from_bytes(entry[8:10], order)  # type: ignore[arg-type]
    return 0


def _png(data: bytes) -> Header:
    if len(data) < 33:
        raise BadImage("is a truncated PNG file")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    depth, color, notes = data[24], data[25], []
    if depth == 16:
        notes.append("has 16 bits, of which 8 are kept")
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        chunk = data[at + 4 : at + 8 + length]
        if at + 12 + length > len(data):
            break
        if zlib.crc32(chunk) != int.from_bytes(data[at + 8 + length : at + 12 + length], "big"):
            raise BadImage("is a PNG file with a wrong checksum")
        if (color in (4, 6) and kind == b"IHDR") or kind == b"tRNS":
            notes.append("has transparency, which is dropped")
        if kind == b"IEND":
            return Header("png", height, width, tuple(notes))
        at += 12 + length
    raise BadImage("is a truncated PNG file")


def _gif(data: bytes) -> Header:
    if len(data) < 14 or data.rstrip(b"\0")[-1:] != b";":
        raise BadImage("is a truncated GIF file")
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    many = data.count(b"\x21\xf9\x04") > 1
    return Header("gif", height, width, ("is animated, of which the first picture is taken",) if many else ())


def decode(data: tf.Tensor, channels: int) -> tf.Tensor:
    """The image of one file, uint8; of an animation the first picture. The slow and accurate way."""
    import tensorflow as tf

    # Of WebP only the decoder of its own takes one channel or an animation's first picture; grey is made of colour.
    image = tf.io.decode_image(data, 3, expand_animations=False)
    image = tf.ensure_shape(image, (None, None, 3))
    if channels == 3:
        return image
    return tf.cast(tf.round(tf.image.rgb_to_grayscale(tf.cast(image, tf.float32))), tf.uint8)


def decode_window(data: tf.Tensor, channels: int, window: tf.Tensor) -> tf.Tensor:
    """A part (top, left, height, width) of a JPEG file, of which no more is decoded than that takes."""
    import tensorflow as tf

    # INTEGER_FAST differs from the accurate transform by a grey level or two, far below what augmentation does.
    image = tf.image.decode_and_crop_jpeg(data, window, channels=channels, dct_method="INTEGER_FAST")
    return tf.ensure_shape(image, (None, None, channels))
