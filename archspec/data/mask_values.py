"""Which classes values of the pixels of a mask stand for: numbers, places in a palette, or colours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from archspec.data.images import by_pillow, too_large
from archspec.ir.validation import refuse

if TYPE_CHECKING:
    import numpy as np

VOID = 255
"""The number of a pixel that has no class, whatever stands for that in a file."""
MOST = 255
"""Most classes: numbers of classes travel as 8 bits, of which one is ``VOID``."""
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


class MaskError(Exception):
    """A mask that cannot be read, or values that are no classes."""

    def __init__(self, message: str, help: str | None = None):
        super().__init__(message)
        self.help = help


def _colour(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 65536:
        return value
    text = str(value).strip()
    if COLOUR.fullmatch(text):
        return text.lower()
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise refuse("must be a whole number from 0, or a colour such as '#ff8000' (in quotes)")


Colour = Annotated[
    Any,
    BeforeValidator(_colour),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0, "maximum": 65535}, {"type": "string"}]}),
]
"""A pixel's value: a whole number, or ``#rrggbb``."""


def _named(value: object) -> tuple[tuple[int | str, str], ...]:
    if isinstance(value, Mapping):
        pairs = [(_colour(key), str(name)) for key, name in value.items()]
    elif isinstance(value, (list, tuple)) and all(isinstance(v, (list, tuple)) and len(v) == 2 for v in value):
        pairs = [(_colour(key), str(name)) for key, name in value]
    elif isinstance(value, (list, tuple)):
        pairs = [(i, str(name)) for i, name in enumerate(value)]
    else:
        raise refuse("must be a list of names, or a map from values to names: {0: background, 255: cell}")
    keys = [key for key, _ in pairs]
    if len({isinstance(key, str) for key in keys}) > 1:
        raise refuse("must be numbers or colours, not both")
    if len(set(keys)) < len(keys):
        raise refuse("must not have a value twice")
    if len(dict.fromkeys(name for _, name in pairs)) == 1 or len({name for _, name in pairs}) > MOST:
        raise refuse(f"must name 2 to {MOST} classes")
    return tuple(pairs)


Values = Annotated[
    Any,
    BeforeValidator(_named),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}},
                {"type": "object", "additionalProperties": {"type": "string"}},
            ]
        }
    ),
]
"""Names of classes by what stands for them: a list, or a map. Two values of one name are one class."""


@dataclass(frozen=True, slots=True)
class MaskValues:
    """The number of the class, or ``VOID``, that each value stands for, and the classes' names."""

    names: tuple[str, ...]
    numbers: Mapping[int | str, int]

    @property
    def are_colours(self) -> bool:
        """Whether masks are read as colours."""
        return any(isinstance(value, str) for value in self.numbers)

    @classmethod
    def of(cls, values: tuple[tuple[int | str, str], ...], void: Iterable[int | str]) -> MaskValues:
        """As a run file says."""
        names = tuple(dict.fromkeys(name for _, name in values))
        at = {name: i for i, name in enumerate(names)}
        return cls(names, {value: at[name] for value, name in values} | dict.fromkeys(void, VOID))

    @classmethod
    def seen(cls, found: Iterable[int | str], void: Iterable[int | str]) -> MaskValues:
        """Every value a class of its own. Raises MaskError."""
        left = [value for value in found if value not in set(void)]
        if not void and len(left) > 2 and VOID in left:
            left.remove(VOID)
            void = (VOID,)
        if len(left) < 2:
            raise MaskError(f"all pixels of the masks have the value {', '.join(map(str, left)) or 'of void'}")
        if len(left) > MOST:
            raise MaskError(
                f"the masks have {len(left)} values, more than {MOST}",
                "values: says which are classes; masks are saved without loss, as PNG",
            )
        return cls.of(tuple((v, str(v)) for v in left), void)


def _opened(path: str, max_pixels: int) -> Any:
    try:
        image = by_pillow(path)
        if image.width * image.height > max_pixels:
            raise MaskError(too_large(image.width, image.height, max_pixels))
        if image.format == "JPEG":
            raise MaskError("is a JPEG file, which keeps no values: masks are PNG, TIFF, BMP or GIF")
        image.load()
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise MaskError(f"cannot be read ({getattr(error, 'strerror', None) or 'not an image'})") from None
    return image


def _is_coloured(image: Any) -> bool:
    """Whether pixels are colours. Grey that is saved as colour is not."""
    return image.mode in ("RGB", "RGBA", "CMYK", "YCbCr")


def found_values(paths: Iterable[str], max_pixels: int) -> list[int | str]:
    """All values that occur in files, in order: numbers, or colours where a file has colours. Raises MaskError."""
    import numpy as np

    numbers: set[int] = set()
    colours: set[int] = set()
    for path in paths:
        image = _opened(path, max_pixels)
        if _is_coloured(image):
            colours |= set(np.unique(_packed(image)).tolist())
        else:
            numbers |= set(np.unique(_indices(image)).tolist())
        if len(numbers) + len(colours) > 4096:
            break
    if colours and (numbers or any(not _is_grey(c) for c in colours)):
        if numbers:
            raise MaskError("some masks are colours and some are numbers", "values: says what stands for each class")
        return [f"#{c:06x}" for c in sorted(colours)]
    return [c & 255 for c in sorted(colours)] or sorted(numbers)


def _is_grey(colour: int) -> bool:
    return colour & 255 == colour >> 8 & 255 == colour >> 16


def _packed(image: Any) -> np.ndarray:
    import numpy as np

    rgb = np.asarray(image.convert("RGB")).astype(np.int32)
    packed: np.ndarray = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
    return packed


def _indices(image: Any) -> np.ndarray:
    """Numbers as the file has them: of a palette, its places."""
    import numpy as np

    if image.mode == "1":
        image = image.convert("L")
    if image.mode in ("LA", "PA", "La"):
        image = image.getchannel(0)
    if image.mode == "F":
        raise MaskError("holds floating-point numbers")
    found: np.ndarray = np.asarray(image).astype(np.int32)
    if found.size and (found.min() < 0 or found.max() > 65535):
        raise MaskError("holds numbers beyond 0 … 65535")
    return found


def read_mask(path: str, values: MaskValues, max_pixels: int) -> tuple[np.ndarray, dict[int | str, int]]:
    """The number of the class of each pixel, uint8 of shape (height, width), and how many pixels have what value that
    is no class. Raises MaskError."""
    import numpy as np

    image = _opened(path, max_pixels)
    if values.are_colours or _is_coloured(image):
        given = _packed(image)
        if not values.are_colours:
            odd = given[(given & 255 != given >> 8 & 255) | (given & 255 != given >> 16)]
            if odd.size:
                raise MaskError(f"holds colours (such as #{int(odd[0]):06x}), where numbers are expected")
            given = given & 255
    else:
        given = _indices(image)
    by_key = {_key(value, values.are_colours): number for value, number in values.numbers.items()}
    keys = np.array(sorted(by_key))
    classes = np.array([by_key[key] for key in keys.tolist()], np.uint8)
    at = np.searchsorted(keys, given).clip(0, len(keys) - 1)
    known = keys[at] == given
    unknown: dict[int | str, int] = {}
    if not known.all():
        for value, count in zip(*np.unique(given[~known], return_counts=True), strict=True):
            unknown[f"#{int(value):06x}" if values.are_colours else int(value)] = int(count)
    numbers: np.ndarray = np.where(known, classes[at], np.uint8(VOID))
    return numbers, unknown


def _key(value: int | str, is_colour: bool) -> int:
    """A value as pixels have it; of colours a number is a grey."""
    if isinstance(value, str):
        return int(value[1:], 16)
    return value * 0x10101 if is_colour else value


def shares(unknown: Mapping[int | str, int], pixels: int, most: int = 5) -> str:
    """Values with their share of the pixels, the most frequent first."""
    order = sorted(unknown, key=lambda value: -unknown[value])
    said = ", ".join(f"{value} ({100 * unknown[value] / pixels:.2g} %)" for value in order[:most])
    return said + (f" and {len(order) - most} more" if len(order) > most else "")
