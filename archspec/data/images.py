"""Image files: what their first bytes say, and decoding."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from archspec.data.image_sizes import format_of, jpeg_segments, size_of
from archspec.storage.regular import opened

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm", ".pbm")
MAX_PIXELS = 2**30 // 12
"""Most pixels of one image, where nothing else is said: 256 MiB of three bytes each, above which Pillow, too, warns
of a decompression bomb."""
FIRST, REST = 1 << 16, 1 << 24
"""Bytes of a file in which its size usually stands, and after them those in which it may."""
NAMES = {"jpeg": "jpg", "tif": "tiff", "pgm": "pnm", "ppm": "pnm", "pbm": "pnm"}
"""Endings that mean the same as another."""


class ImageHeader(NamedTuple):
    """What an image file says of itself."""

    format: str
    height: int
    width: int
    notes: tuple[str, ...] = ()
    """What a decoder does with it that a person may not expect."""


class BadImage(Exception):
    """The bytes are not an image that can be decoded; ``is_certain`` where no decoder would take them."""

    def __init__(self, message: str, is_certain: bool = False) -> None:
        super().__init__(message)
        self.is_certain = is_certain


def header(data: bytes, *, name: str = "", max_pixels: int = MAX_PIXELS) -> ImageHeader:
    """Format and size of an image file, checked as far as that goes without decoding. Raises BadImage."""
    if not data:
        raise BadImage("is empty", is_certain=True)
    form = format_of(data)
    if form is None:
        raise BadImage(f"is not an image of a kind that can be read ({_kind(data)})", is_certain=True)
    size = size_of(form, data)
    if size is not None and size.pixels > max_pixels:
        raise BadImage(too_large(size.width, size.height, max_pixels) + size.note, is_certain=True)
    found = (
        _CHECKED[form](data)
        if form in _CHECKED
        else ImageHeader(form, *((size.height, size.width) if size else (0, 0)))
    )
    if not (found.height > 0 and found.width > 0):
        raise BadImage(f"is a {found.format.upper()} file of size {found.width}×{found.height}")
    suffix = name.rpartition(".")[2].lower()
    if f".{suffix}" in SUFFIXES and NAMES.get(suffix, suffix) != NAMES.get(found.format, found.format):
        found = found._replace(notes=(f"is named .{suffix} but is {found.format.upper()}", *found.notes))
    return found


def too_large(width: int, height: int, max_pixels: int) -> str:
    """Why an image of this size is not decoded."""
    return f"has {width}×{height} pixels, more than {max_pixels} (max_pixels)"


def by_pillow(file: str | BinaryIO, formats: tuple[str, ...] | None = None) -> Image.Image:
    """An image as Pillow opens it, whatever its size: Pillow's own limit gives way to ``max_pixels``, to which callers
    hold it before anything is unpacked."""
    from PIL import Image

    with _ONE_AT_A_TIME:
        most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = most


_ONE_AT_A_TIME = Lock()
"""Around a limit that is one for the process."""


def stored_size(path: str) -> tuple[int, int, int]:
    """Width, height and EXIF orientation of an image file, from its first bytes; zeros where these do not say."""
    try:
        with opened(path) as file:
            data = file.read(FIRST)
            form = format_of(data)
            size = size_of(form, data) if form else None
            if size is None and form:
                data += file.read(REST)
                size = size_of(form, data)
    except OSError:
        return 0, 0, 0
    if size is None or form is None:
        return 0, 0, 0
    turned = _orientation(exif) if form == "jpeg" and (exif := _exif(data)) else 1
    return size.width, size.height, turned if 1 <= turned <= 8 else 1


def _exif(data: bytes) -> bytes:
    """EXIF's part of a JPEG file; nothing where it has none."""
    bodies = (data[start:end] for marker, start, end in jpeg_segments(data) if marker == 0xE1)
    return next((body[6:] for body in bodies if body.startswith(b"Exif\0\0")), b"")


def _kind(data: bytes) -> str:
    if not data.strip(b"\0"):
        return "zero bytes only"
    if all(32 <= b < 127 or b in b"\t\r\n" for b in data[:64]):
        return "text"
    return "unknown"


def _jpeg(data: bytes) -> ImageHeader:
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
    return ImageHeader("jpeg", *size, tuple(notes))


def _orientation(tiff: bytes) -> int:
    """EXIF's orientation, 0 if there is none."""
    order = "little" if tiff[:2] == b"II" else "big"
    start = int.from_bytes(tiff[4:8], order)  # type: ignore[arg-type]
    for k in range(min(64, int.from_bytes(tiff[start : start + 2], order))):  # type: ignore[arg-type]
        entry = tiff[start + 2 + 12 * k : start + 14 + 12 * k]
        if int.from_bytes(entry[:2], order) == 0x0112:  # type: ignore[arg-type]
            return int.from_bytes(entry[8:10], order)  # type: ignore[arg-type]
    return 0


def _png(data: bytes) -> ImageHeader:
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
            return ImageHeader("png", height, width, tuple(notes))
        at += 12 + length
    raise BadImage("is a truncated PNG file")


def _gif(data: bytes) -> ImageHeader:
    if len(data) < 14 or data.rstrip(b"\0")[-1:] != b";":
        raise BadImage("is a truncated GIF file")
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    many = data.count(b"\x21\xf9\x04") > 1
    return ImageHeader("gif", height, width, ("is animated, of which the first picture is taken",) if many else ())


_CHECKED: dict[str, Callable[[bytes], ImageHeader]] = {"jpeg": _jpeg, "png": _png, "gif": _gif}


OTHERS = (b"II", b"MM", *(b"P%d" % n for n in range(1, 7)))
"""First two bytes of the files that TensorFlow has no decoder for: TIFF, PBM, PGM and PPM."""


def _decoded_by_pillow(data: bytes) -> np.ndarray:
    """The first picture of a file, uint8 of three channels; of 16 bits the upper 8 are kept. Raises BadImage."""
    import io

    import numpy as np

    try:
        with by_pillow(io.BytesIO(data), formats=("TIFF", "PPM")) as image:
            if image.mode.startswith("I"):
                values = np.asarray(image).astype(np.int64)
                return np.repeat(np.clip(values >> 8, 0, 255).astype(np.uint8)[..., None], 3, -1)
            if image.mode == "F":
                raise BadImage("holds floating-point numbers, which have no range of their own")
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, EOFError):
        raise BadImage(f"is a broken {(format_of(data) or 'unknown').upper()} file") from None


def decode(data: tf.Tensor, channels: int) -> tf.Tensor:
    """The image of one file, uint8; of an animation the first picture. The slow and accurate way."""
    import tensorflow as tf

    data = tf.convert_to_tensor(data)

    def pillow() -> tf.Tensor:
        if tf.executing_eagerly():
            return tf.convert_to_tensor(_decoded_by_pillow(data.numpy()))
        return tf.numpy_function(_decoded_by_pillow, [data], tf.uint8, stateful=False)

    def tensorflow() -> tf.Tensor:
        # Of WebP only the decoder of its own takes one channel or an animation's first picture; grey is made of colour.
        return tf.io.decode_image(data, 3, expand_animations=False)

    is_other = tf.reduce_any(tf.equal(tf.strings.substr(data, 0, 2), tf.constant(OTHERS)))
    image = tf.ensure_shape(tf.cond(is_other, pillow, tensorflow), (None, None, 3))
    if channels == 3:
        return image
    return tf.cast(tf.round(tf.image.rgb_to_grayscale(tf.cast(image, tf.float32))), tf.uint8)


def decode_window(data: tf.Tensor, channels: int, window: tf.Tensor) -> tf.Tensor:
    """A part (top, left, height, width) of a JPEG file, of which no more is decoded than that takes."""
    import tensorflow as tf

    # INTEGER_FAST differs from the accurate transform by a grey level or two, far below what augmentation does.
    image = tf.image.decode_and_crop_jpeg(data, window, channels=channels, dct_method="INTEGER_FAST")
    return tf.ensure_shape(image, (None, None, channels))
