"""Who or what an example shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.data.feature import Feature, class_name
from archspec.ir.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class Identity(Feature):
    """The number of a person or thing, int32. It tells the same from others, and is no class of a network's: those that
    a network is evaluated on are not among those that it was trained on."""

    count: int
    names: tuple[str, ...] = ()

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((), "int32")

    def called(self, value: Any) -> str:
        return class_name(self.names, int(value))
