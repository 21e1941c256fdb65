"""Examples that are made up: something real to learn, of any size, the same on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.source import TRAIN, DataSource
from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import PositiveInt

if TYPE_CHECKING:
    import numpy as np

SHAPES = ("disc", "square", "triangle", "cross", "ring", "frame", "bars", "checker")
GOLDEN = 0x9E3779B97F4A7C15


class Shapes(DataSource, name="shapes", main="classes"):
    """Shapes on noise: one of up to eight, bright on dark, of random place, size and colour, in noisy images. The class
    is the shape."""

    in_memory = True

    classes: Annotated[int, Field(ge=2, le=len(SHAPES))] = 4
    """Number of shapes: the first of disc, square, triangle, cross, ring, frame, bars, checker."""
    size: Annotated[int, Field(ge=8, le=1024)] = 32
    """Height and width in pixels."""
    channels: Literal[1, 3] = 3
    """Grey or colour."""
    train: PositiveInt = 2000
    """Examples to train on."""
    test: PositiveInt = 500
    """Examples to evaluate on."""
    noise: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Largest deviation of a pixel, as a share of white."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the examples; not that of the training."""

    def features(self) -> Example:
        image = Image(TensorSpec((self.size, self.size, self.channels), "uint8"))
        return Example(
            {IMAGE: image, LABEL: Label(self.classes, SHAPES[: self.classes])},
            {TRAIN: self.train, "test": self.test},
        ).within_memory()

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np

        start = self.seed * 2 + (split != TRAIN)
        label = self.class_labels(split)
        count = len(label)
        image = np.empty((count, self.size, self.size, self.channels), np.uint8)
        for first in range(0, count, 256):
            rows = np.arange(first, min(first + 256, count))
            image[rows] = _drawn(self, label[rows], rows.astype(np.uint64) + np.uint64(start << 32))
        return {IMAGE: image, LABEL: label}

    def class_labels(self, split: str) -> Any:
        import numpy as np

        return (np.arange(self.train if split == TRAIN else self.test) % self.classes).astype(np.int32)


def _drawn(source: Shapes, label: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Images of given classes; each follows from its key alone."""
    import numpy as np

    n, size = len(label), source.size
    few = even(keys, 4 + 2 * source.channels)
    radius = size * (0.18 + 0.2 * few[:, 0])
    at = [(radius + few[:, i] * (size - 2 * radius))[:, None, None] for i in (1, 2)]
    grid = np.arange(size) + 0.5
    y, x = (grid[None, :, None] - at[0]) / radius[:, None, None], (grid[None, None, :] - at[1]) / radius[:, None, None]
    mask = covered(label[:, None, None], x, y)[..., None]
    dark, bright = few[:, 4 : 4 + source.channels] * 0.4, 0.6 + few[:, 4 + source.channels :] * 0.4
    value = np.where(mask, bright[:, None, None], dark[:, None, None])
    noise = even(keys ^ np.uint64(0x5555555555555555), size * size * source.channels).reshape(value.shape)
    value = value + source.noise * (2 * noise - 1)
    assert value.shape == (n, size, size, source.channels)
    pixels: np.ndarray = np.rint(np.clip(value, 0, 1) * 255)
    return pixels.astype(np.uint8)


def covered(label: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether the shape of a class covers a point, of which x and y are in radii from the middle of the shape."""
    import numpy as np

    far, edge = np.hypot(x, y), np.maximum(abs(x), abs(y))
    stripe = np.floor((y + 1) * 2.5) % 2 == 0
    masks = {
        "disc": far < 1,
        "square": edge < 0.85,
        "triangle": (y < 0.8) & (y > -0.9) & (abs(x) < (y + 0.9) * 0.55),
        "cross": (edge < 1) & (np.minimum(abs(x), abs(y)) < 0.28),
        "ring": (far < 1) & (far > 0.6),
        "frame": (edge < 0.9) & (edge > 0.55),
        "bars": (edge < 0.95) & stripe,
        "checker": (edge < 0.95) & (stripe ^ (np.floor((x + 1) * 2.5) % 2 == 0)),
    }
    found: np.ndarray = np.choose(label, [masks[name] for name in SHAPES])
    return found


def even(keys: np.ndarray, count: int) -> np.ndarray:
    """``count`` numbers 0 ≤ x < 1 for each key: SplitMix64 as in ``draw``, which no version of NumPy changes."""
    import numpy as np

    x = _mixed(keys)[:, None] + np.arange(1, count + 1, dtype=np.uint64)[None] * np.uint64(GOLDEN)
    return (_mixed(x) >> np.uint64(40)).astype(np.float64) * 2.0**-24


def _mixed(x: np.ndarray) -> np.ndarray:
    import numpy as np

    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x
