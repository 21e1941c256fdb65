"""Data that a trained network is evaluated on: all of them, by the classes of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data import files
from archspec.data.errors import DataError
from archspec.data.example import LABEL, Example
from archspec.data.features.label import Label
from archspec.data.features.labels import Labels
from archspec.data.features.mask import Mask
from archspec.data.files import Listing
from archspec.data.objects import CLASSES, object_names
from archspec.data.pair import SOURCE
from archspec.data.source import DataSource, Lengths
from archspec.data.text import in_padded_batches
from archspec.ir.diagnostics import did_you_mean, shown

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

ALL = "all"
"""The split that has every example of the others."""


class Given(DataSource):
    """Another source with one more split, ``all``, and its classes numbered as in ``known`` (where the source has names
    for them, too); not all of them need be there. Raises DataError for a class that a run does not know."""

    source: Any
    known: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Each target, and the names of its classes."""

    @property
    def name(self) -> str:  # type: ignore[override]
        """As the source."""
        return str(self.source.name)

    @property
    def in_memory(self) -> bool:  # type: ignore[override]
        """As the source."""
        return bool(self.source.in_memory)

    @property
    def is_encoded(self) -> bool:  # type: ignore[override]
        """As the source."""
        return bool(self.source.is_encoded)

    @property
    def channels(self) -> Any:
        """As the source, where that is in files."""
        return self.source.channels

    @property
    def on_bad(self) -> Any:
        """As the source, where that is in files."""
        return self.source.on_bad

    @property
    def max_pixels(self) -> Any:
        """As the source, where that is in files."""
        return self.source.max_pixels

    def features(self) -> Example:
        found: Example = self.source.features()
        splits = dict(found.splits)
        if self.source.in_memory or self.source.is_encoded:
            splits[ALL] = sum(found.splits.values())
        for target in self._numbers(found):
            label, names = found.features[target], dict(self.known)[target]
            assert isinstance(label, (Label, Labels, Mask))
            found = found.with_features(**{target: replace(label, classes=len(names), class_names=names)})
        return replace(found, splits=splits)

    def _numbers(self, found: Example) -> dict[str, list[int]]:
        """The number in the run of each class, by target, where these are others. Raises DataError."""
        out = {}
        for target, names in class_names(found):
            known = dict(self.known).get(target, ())
            if not known or not names or names == known:
                continue
            number = {name: i for i, name in enumerate(known)}
            if unknown := [name for name in names if name not in number]:
                more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
                raise DataError(
                    f"the run has no class {shown(unknown[0])}{more}",
                    help=did_you_mean(unknown[0], known) or f"its classes are {shown(', '.join(known), 200)[1:-1]}",
                )
            out[target] = [number[name] for name in names]
        return out

    def _parts(self, split: str) -> tuple[str, ...]:
        """The source's own splits that a split consists of."""
        return tuple(self.source.features().splits) if split == ALL else (split,)

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np

        found = [self.source.arrays(part) for part in self._parts(split)]
        # Texts of one split may be longer than those of another.
        example = self.source.features()
        fills = {name: feature.fill for name, feature in example.features.items()}
        out = {name: np.concatenate(_filled([one[name] for one in found], fills[name])) for name in found[0]}
        for target, numbers in self._numbers(example).items():
            out[target] = _renumbered(out[target], numbers)
        return out

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        if self.source.is_encoded:
            return files.decoded(self.encoded(split, order), self.channels)
        if not self.source.in_memory:
            return self.source.open(split, order)
        arrays = self.arrays(split)
        return in_padded_batches(arrays, self._lengths(split, arrays), order)

    def _lengths(self, split: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """The steps of every example, by part, where they vary."""
        import numpy as np

        padded = self.source.features().padded
        if not padded:
            return {}
        if SOURCE in padded or SOURCE in arrays:
            return {name: np.count_nonzero(arrays[name], axis=1).astype(np.int32) for name in padded}
        steps = np.concatenate([self.source.lengths(part).steps for part in self._parts(split)])
        return dict.fromkeys(padded, steps.astype(np.int32))

    def encoded(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        import tensorflow as tf

        examples = files.encoded(self, split, order)
        numbers = self._numbers(self.source.features())
        if LABEL not in self.source.features().parts:
            examples = examples.map(lambda one: {name: value for name, value in one.items() if name != LABEL})
        if not numbers:
            return examples

        def renumbered(value: tf.Tensor, new: list[int]) -> tf.Tensor:
            number = tf.cast(value, tf.int32)
            is_class = (number >= 0) & (number < len(new))
            return tf.where(is_class, tf.gather(tf.constant(new, value.dtype), tf.where(is_class, number, 0)), value)

        return examples.map(lambda one: one | {name: renumbered(one[name], new) for name, new in numbers.items()})

    def ids(self, images: Sequence[str], numbers: Sequence[int]) -> tuple[Sequence[Any], Sequence[int | None]]:
        """What the source calls these images, and the classes of the run: None for those that it does not have."""
        example = self.source.features()
        own = dict(class_names(example)).get(CLASSES, ())
        called, categories = self.source.ids(images, range(1, len(own) + 1) if own else numbers)
        if (new := self._numbers(example).get(CLASSES)) is None:
            return called, categories
        of: dict[int, int] = dict(zip(new, categories, strict=True))
        return called, [of.get(k) for k in range(len(numbers))]

    def listing(self) -> Listing:
        """The source's, with all of its examples as one more split."""
        found: Listing = self.source.listing()
        every = [entry for entries in found.splits.values() for entry in entries]
        return replace(found, splits={**found.splits, ALL: every}, faults=(), is_divided=False)

    def parsed(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        """As the source."""
        found: dict[str, tf.Tensor] = self.source.parsed(data)
        return found

    def labelled(self, entries: object, listing: Listing) -> Any:
        """As the source."""
        return self.source.labelled(entries, listing)

    def unfit(self, entry: object) -> str | None:
        """As the source."""
        found: str | None = self.source.unfit(entry)
        return found

    def lengths(self, split: str) -> Lengths | None:
        return None

    def usable(self, split: str) -> Any:
        return files.usable(self, split) if self.source.is_encoded else self.source.usable(split)

    def fingerprint(self) -> str:
        return f"{self.source.fingerprint()}/given/{self.known!r}"

    def with_vocabularies(self, files: Mapping[str, Path]) -> DataSource:
        return self.model_copy(update={"source": self.source.with_vocabularies(files)})

    def with_columns(self, columns: Mapping[str, Sequence[str]]) -> DataSource:
        return self.model_copy(update={"source": self.source.with_columns(columns)})

    def describe(self, split: str, position: int) -> str:
        for part in self._parts(split):
            count = self.source.features().splits[part]
            if position < count:
                break
            position -= count
        return str(self.source.describe(part, position))


def class_names(example: Example) -> list[tuple[str, tuple[str, ...]]]:
    """What of an example has classes, targets and objects, with their names."""
    targets = [(target, example.telling(target).class_names) for target in example.targets]
    objects = object_names(example)
    return [*targets, (CLASSES, objects)] if objects else targets


def _renumbered(values: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
    """Classes by other numbers; what is none (-1, or a void pixel) stays."""
    import numpy as np

    is_class = (values >= 0) & (values < len(numbers))
    new = np.array(numbers, values.dtype)[np.where(is_class, values, 0)]
    return np.where(is_class, new, values)


def _filled(arrays: list[np.ndarray], fill: float) -> list[np.ndarray]:
    """Arrays of two axes brought to the length of the longest, all others as they are."""
    import numpy as np

    if arrays[0].ndim != 2 or len({array.shape[1] for array in arrays}) == 1:
        return arrays
    wide = max(array.shape[1] for array in arrays)
    return [np.pad(a, ((0, 0), (0, wide - a.shape[1])), constant_values=fill) for a in arrays]
