"""What one of several heads is to tell of an example, as a label of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from archspec.data.example import LABEL, Example
from archspec.data.features.numbers import Numbers

T = TypeVar("T")
TARGET = "target"
"""The feature of numbers to predict beside a class."""


@dataclass(frozen=True, slots=True)
class Target:
    """A feature of the data, or (``number``) one of the numbers that it is; ``others`` are features that are told by
    other heads."""

    feature: str
    number: int | None = None
    others: tuple[str, ...] = ()

    def example(self, features: Example) -> Example:
        """An example whose one label this is."""
        found = features.telling(self.feature)
        if self.number is None:
            return found
        return found.with_features(**{LABEL: Numbers((found.numbers[self.number],))})

    def batch(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The same of a batch, whose targets may be missing where a network is asked about examples of no label."""
        hidden = (self.feature, *self.others)
        rest = {name: value for name, value in batch.items() if name not in hidden}
        if self.feature not in batch:
            return rest
        label, k = batch[self.feature], self.number
        return {**rest, LABEL: label if k is None else label[:, k : k + 1]}


def target_of(features: Example, name: str) -> Target | None:
    """The target of this name or, where there is none, the one of a target's numbers."""
    known = features.targets
    if name in known:
        return Target(name, None, tuple(other for other in known if other != name))
    for feature in known:
        kind = features.features[feature]
        if isinstance(kind, Numbers) and name in kind.names:
            return Target(feature, kind.names.index(name), tuple(other for other in known if other != feature))
    return None


def target_names(features: Example) -> tuple[str, ...]:
    """All that heads can tell: features, and single numbers of those that have several."""
    kinds = {name: features.features[name] for name in features.targets}
    numbers = [n for kind in kinds.values() if isinstance(kind, Numbers) and len(kind.names) > 1 for n in kind.names]
    return (*kinds, *(name for name in numbers if name not in kinds))


def told(label: T | None, numbers: T | None) -> dict[str, T]:
    """A class and numbers of an example, features or arrays, by name: what stands alone is the label, and numbers
    beside a class are ``target``."""
    if label is None:
        return {} if numbers is None else {LABEL: numbers}
    return {LABEL: label} if numbers is None else {LABEL: label, TARGET: numbers}
