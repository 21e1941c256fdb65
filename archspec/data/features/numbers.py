"""Numbers to predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.data.feature import Feature
from archspec.ir.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class Numbers(Feature):
    """One or several numbers, each with a name: float32 of shape (numbers,)."""

    names: tuple[str, ...]

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((len(self.names),))

    def called(self, value: Any) -> str:
        return ", ".join(f"{name} {number:g}" for name, number in zip(self.names, value, strict=True))
