"""Shapes and weights, as they are known from the text alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

Size = int | None
"""Extent of one axis; None where the text leaves it open (``[null, 3]``, ``[T]``)."""


POLICIES = ("float32", "float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16")
"""Types of numbers, by Keras's names: the mixed ones keep weights, gradients and optimisers in float32."""


class UnknownSize(Exception):
    """A count was asked for that depends on a size which the text leaves open."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Shape (channels last, no batch axis) and dtype of a tensor."""

    shape: tuple[Size, ...]
    dtype: str = "float32"

    @property
    def rank(self) -> int:
        """Number of axes, the batch axis not counted."""
        return len(self.shape)

    @property
    def channels(self) -> Size:
        """Extent of the last axis."""
        return self.shape[-1] if self.shape else None

    @property
    def spatial(self) -> tuple[Size, ...]:
        """All axes but the last."""
        return self.shape[:-1]

    @property
    def size(self) -> int:
        """Number of elements per sample. Raises UnknownSize if an axis is open."""
        if None in self.shape:
            raise UnknownSize
        return prod(self.shape)  # type: ignore[arg-type]

    def __str__(self) -> str:
        sizes = ", ".join("?" if s is None else str(s) for s in self.shape)
        return f"({sizes}{',' if len(self.shape) == 1 else ''})"


Outputs = TensorSpec | tuple[TensorSpec, ...]
"""What an op gives: one tensor, or several in order."""


def bytes_each(dtype: str) -> int:
    """Bytes of one number of a type: ``float32`` 4, ``bfloat16`` 2, ``bool`` 1."""
    digits = "".join(c for c in dtype if c.isdigit())
    return max(int(digits) // 8, 1) if digits else 1


def elements(sizes: tuple[Size, ...]) -> int:
    """Product of the given sizes. Raises UnknownSize if one is open."""
    if None in sizes:
        raise UnknownSize
    return prod(sizes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class WeightSpec:
    """One weight array of a node.

    ``name`` is its Keras path below the layer (``kernel``, ``lstm_cell/bias``); ``shape`` is Keras's, too. ``reads`` is
    the axis that runs over the channels of the first input, ``writes`` the one over those of the output; None where
    there is none such, or another library's weights do not follow it.
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool = True
    reads: int | None = field(default=None, repr=False, compare=False)
    writes: int | None = field(default=None, repr=False, compare=False)

    @property
    def size(self) -> int:
        """Number of scalars."""
        return prod(self.shape)
