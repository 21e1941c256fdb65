"""Arrays that a trained network is asked about in Python: a row for each example, as the run's data had them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.data import corners
from archspec.data.errors import DataError
from archspec.data.example import CORNERS, IMAGE, Example
from archspec.data.features.image import Image
from archspec.data.features.points import Points
from archspec.data.features.vector import Vector
from archspec.data.loose import ASKED
from archspec.data.source import DataSource
from archspec.training.prediction import Asked, sized

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.feature import Feature
    from archspec.data.transform import Transform

BATCH = 32
"""Examples that are asked about at once."""


class Arrays(DataSource):
    """Examples without labels, in memory."""

    in_memory = True

    kinds: Any
    """What the parts are, features by name."""
    values: Any
    """The array of each part by name."""

    def features(self) -> Example:
        return Example(self.kinds, {ASKED: len(next(iter(self.values.values())))})

    def arrays(self, split: str) -> dict[str, Any]:
        return dict(self.values)


def is_array(value: object) -> bool:
    """Whether this is an array, of NumPy or of what gives one of it; or a map of them."""
    if isinstance(value, Mapping):
        return bool(value) and all(map(is_array, value.values()))
    return hasattr(value, "__array__") and hasattr(value, "shape")


def arrays(given: object, parts: Sequence[str], features: Example, steps: Sequence[Transform]) -> Asked:
    """Examples of arrays, prepared as the run evaluated: one array for a network of one input, else an array for each
    part by its name. Raises DataError for arrays of another shape or type than the run's data had."""
    import numpy as np

    from archspec.backend.installation import quiet_start
    from archspec.data.pipeline import Pipeline

    if not isinstance(given, Mapping):
        if len(parts) > 1:
            raise DataError(f"the network reads {' and '.join(parts)}", help=f"{{{parts[0]!r}: array, …}}")
        given = {parts[0]: given}
    if set(given) != set(parts):
        raise DataError(f"the network reads {', '.join(parts)}; got arrays for {', '.join(map(str, given))}")
    values = {part: _checked(part, np.asarray(given[part]), features.features[part]) for part in parts}
    counts = {part: len(value) for part, value in values.items()}
    if len(set(counts.values())) > 1:
        raise DataError(f"arrays have different numbers of examples: {counts}")
    if not (count := counts[parts[0]]):
        return Asked("example")
    quiet_start()
    kinds: dict[str, Feature] = {part: _kind(features.features[part], value) for part, value in values.items()}
    if tuple(parts) == (IMAGE,):
        height, width = values[IMAGE].shape[1:3]
        kinds[CORNERS] = Points(corners.COUNT)
        values[CORNERS] = np.tile(corners.corners((width, height)), (count, 1, 1))
    source = Arrays(kinds=kinds, values=values)
    pipeline = Pipeline(source, source.features(), (), sized({p: features.features[p] for p in parts}, steps), BATCH, 0)
    names = iter(range(count))
    items: list[tuple[list[str], dict[str, Any], list[int] | None]] = []
    for batch, _ in pipeline.evaluation(ASKED, lambda batch: (batch, ())):
        items.append(([str(next(names)) for _ in range(len(batch[parts[0]]))], dict(batch), None))
    return Asked("example", items)


def _kind(kind: Feature, value: np.ndarray) -> Feature:
    """The part as the array has it: images may have another size than the run's data."""
    return kind.resized(value.shape[1:3]) if isinstance(kind, Image) else kind


def _checked(part: str, value: np.ndarray, kind: Feature) -> np.ndarray:
    """The array in the part's type. Raises DataError where it is no array of such examples."""
    import numpy as np

    if not isinstance(kind, (Image, Vector)):
        raise DataError(f"'{part}' is {kind.spec}, which is given as a file, not as an array")
    spec = kind.spec
    shape = (None, None, spec.channels) if isinstance(kind, Image) and spec.rank == 3 else spec.shape
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    fits = value.ndim == len(shape) + 1 and all(
        size in (None, found) for size, found in zip(shape, value.shape[1:], strict=True)
    )
    if not fits:
        channels = isinstance(kind, Image) and spec.channels == 1 != value.shape[-1]
        made = "array[..., None] adds the axis of channels" if channels else "array[None] makes a batch of one example"
        raise DataError(
            f"an array for '{part}' has the shape (examples, {wanted}), got {value.shape}",
            help=made if value.ndim == len(shape) else None,
        )
    if value.dtype.kind not in ("iuf" if np.dtype(spec.dtype).kind == "f" else "iu"):
        raise DataError(f"an array for '{part}' has the type {spec.dtype}, as the run's data had; got {value.dtype}")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise DataError(f"the array for '{part}' has numbers that are not finite")
    cast = value.astype(spec.dtype)
    if value.dtype.kind in "iu" and not np.array_equal(cast, value):
        raise DataError(
            f"the array for '{part}' has numbers from {value.min()} to {value.max()}, which {spec.dtype} cannot hold"
        )
    return cast
