"""What one example is: named features of known kinds."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archspec.data.errors import DataError
from archspec.data.feature import Feature
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.features.labels import Labels
from archspec.data.features.mask import Mask
from archspec.data.features.numbers import Numbers
from archspec.data.features.tokens import Tokens
from archspec.data.features.vector import Vector
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    from archspec.data.vocabulary import Vocabulary

IMAGE, TOKENS, VECTOR, LABEL = "image", "tokens", "vector", "label"
"""Names that features usually have."""
POSITION = ("epoch", "index")
"""What stands in a batch besides its features: where its examples come from."""
CORNERS = "corners"
"""Points of an image's file, which tell its size and where its pixels are in what the network sees (``data.corners``);
no input of a network."""
COLOURS = "colours"
"""An image as its file has it, in 0 … 255, moved as what the network sees of it; no input of a network, either."""
HELD_OUT = ("val", "test")
"""Names of splits that are not trained on, in order of preference for evaluation."""


@dataclass(frozen=True, slots=True)
class Example:
    """What one example is, known before any is read.

    ``features`` are its tensors by name, ``splits`` the number of examples by split. ``is_divided`` where the data have
    no splits of their own, and a share of them was held out.
    """

    features: Mapping[str, Feature]
    splits: Mapping[str, int] = field(default_factory=dict)
    is_divided: bool = False

    @property
    def parts(self) -> Mapping[str, TensorSpec]:
        """The tensors (no batch axis; None for a size that varies)."""
        return {name: feature.spec for name, feature in self.features.items()}

    @property
    def image(self) -> TensorSpec:
        """The image. Raises DataError if there is none."""
        if IMAGE not in self.features:
            raise DataError(f"the data have no image, only {', '.join(self.features)}")
        return self.features[IMAGE].spec

    @property
    def placed(self) -> Mapping[str, Feature]:
        """The image, and the features that follow it when it moves."""
        return {name: f for name, f in self.features.items() if name == IMAGE or f.is_placed}

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the features to predict of an example, not of its objects: classes and numbers, and what is
        called ``label``."""
        kinds = (Label, Labels, Numbers)
        told = (name for name, f in self.features.items() if isinstance(f, kinds) and f.rows is None)
        return tuple(dict.fromkeys([*told, *(name for name in self.features if name == LABEL)]))

    def telling(self, target: str) -> Example:
        """The same with one of its targets for a label, and no other."""
        hidden = self.targets
        rest = {name: feature for name, feature in self.features.items() if name not in hidden}
        return replace(self, features={**rest, LABEL: self.features[target]})

    @property
    def classes(self) -> int | None:
        """Number of the classes that a label is one of; None where it is not a class."""
        label = self.features.get(LABEL)
        return label.classes if isinstance(label, (Label, Labels, Mask)) else None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of these classes; empty where the data give none."""
        label = self.features.get(LABEL)
        return label.class_names if isinstance(label, (Label, Labels, Mask)) else ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of a label that is numbers."""
        label = self.features.get(LABEL)
        return label.names if isinstance(label, Numbers) else ()

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Headings of the columns of a table that vectors are made of and images are named in, by feature."""
        return {name: f.columns for name, f in self.features.items() if isinstance(f, (Image, Vector)) and f.columns}

    @property
    def vocabularies(self) -> Mapping[str, Vocabulary]:
        """What the numbers of tokens stand for, by feature."""
        found = {name: f.vocabulary for name, f in self.features.items() if isinstance(f, Tokens)}
        return {name: vocabulary for name, vocabulary in found.items() if vocabulary is not None}

    @property
    def padded(self) -> tuple[str, ...]:
        """Names of features that differ in length, and still stand in one batch: each is filled up to the longest."""
        return tuple(name for name, f in self.features.items() if f.is_padded)

    @property
    def has_open_sizes(self) -> bool:
        """True where examples differ in size, so that they cannot stand in one batch."""
        return any(None in f.spec.shape for f in self.features.values() if not f.is_padded)

    @property
    def num_bytes(self) -> int:
        """What all examples take as arrays, in bytes; a size that varies counts as 1."""
        one = sum(
            math.prod(size or 1 for size in part.shape) * _BYTES.get(part.dtype, 4) for part in self.parts.values()
        )
        return one * sum(self.splits.values())

    def within_memory(self) -> Example:
        """The same, where the machine has room for all examples at once. Raises DataError."""
        have = _memory()
        if have is not None and self.num_bytes > have:
            count, need = sum(self.splits.values()), self.num_bytes / 1e9
            message = f"the {count:,} examples take {need:,.1f} GB of memory, this machine has {have / 1e9:,.1f}"
            raise DataError(message, help="fewer or smaller examples")
        return self

    @property
    def held_out(self) -> str | None:
        """The split to evaluate on, if there is one."""
        return next((name for name in HELD_OUT if name in self.splits), None)

    def called(self, label: object) -> str:
        """What a person calls a label."""
        return self.features[LABEL].called(label)

    def with_features(self, **features: Feature) -> Example:
        """The same with other features, or more."""
        return replace(self, features={**self.features, **features})

    def with_image(self, image: TensorSpec) -> Example:
        """The same with another image; what lies in it has its size."""
        own = self.features.get(IMAGE)
        made: dict[str, Feature] = {
            IMAGE: replace(own, spec=image) if isinstance(own, (Mask, Vector)) else feature_of(IMAGE, image)
        }
        if image.rank == 3:
            made |= {name: f.resized(image.spatial) for name, f in self.placed.items() if name != IMAGE}
        return self.with_features(**made)


def input_of(parts: Iterable[str]) -> str:
    """The one part of an example, or of a batch, that is no label: what a network gets of it. Raises DataError."""
    found = [name for name in parts if name not in (LABEL, *POSITION, CORNERS, COLOURS)]
    if len(found) != 1:
        raise DataError(f"one input beside the label is needed, the data have {', '.join(found) or 'none'}")
    return found[0]


def from_specs(
    parts: Mapping[str, TensorSpec],
    splits: Mapping[str, int] = {},
    classes: int | None = None,
    class_names: tuple[str, ...] = (),
    numbers: tuple[str, ...] = (),
    vocabularies: Mapping[str, Vocabulary] = {},
    padded: tuple[str, ...] = (),
    columns: Mapping[str, Sequence[str]] = {},
) -> Example:
    """An example of tensors of which no more is known: as a run's record and a cache have them."""
    features = {
        name: feature_of(name, spec, classes, class_names, numbers, vocabularies.get(name), name in padded)
        for name, spec in parts.items()
    }
    for name, feature in features.items():
        if isinstance(feature, (Image, Vector)) and name in columns:
            features[name] = replace(feature, columns=tuple(columns[name]))
    return Example(features, splits)


def feature_of(
    name: str,
    spec: TensorSpec,
    classes: int | None = None,
    class_names: tuple[str, ...] = (),
    numbers: tuple[str, ...] = (),
    vocabulary: Vocabulary | None = None,
    is_padded: bool = False,
) -> Feature:
    """The kind that a tensor of this name and shape is."""
    is_label, is_whole = name == LABEL, "int" in spec.dtype
    if spec.rank == 3 and (holds_classes(spec.dtype) or (is_label and is_whole)):
        return Mask(spec, classes, class_names) if is_label else Mask(spec)
    if spec.rank == 3:
        return Image(spec)
    if is_label and spec.rank == 1 and not is_whole and spec.shape[0] == len(numbers):
        return Numbers(numbers)
    if is_label and is_whole and spec.rank == 0:
        return Label(classes, class_names)
    if is_label and spec.rank == 1 and not is_whole and classes == spec.shape[0]:
        return Label(classes, class_names, is_mixed=True)
    if is_label and is_whole and spec.rank == 1:
        return Labels(spec.shape[0], classes, class_names, is_padded)
    if is_whole and spec.rank == 1:
        return Tokens(vocabulary, spec.shape[0], is_padded)
    return Vector(spec)


def holds_classes(dtype: str) -> bool:
    """Whether what has this type is no image, whose pixels are 8-bit or floats, but the number of a class at each
    pixel: between two of those there is nothing."""
    return dtype in ("int32", "int64")


_BYTES = {"uint8": 1, "bool": 1, "float16": 2, "bfloat16": 2, "int64": 8, "float64": 8}
"""Of an element, where it has not four."""


def _memory() -> int | None:
    """Bytes of memory that the machine has, where it says."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
