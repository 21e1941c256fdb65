"""A call of a layer of Keras's, and what rules of several families read of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archspec.ir.diagnostics import shown
from archspec.ir.tensors import Size, TensorSpec, WeightSpec
from archspec.ops.errors import OpError
from archspec.ops.shapes import window


@dataclass(frozen=True, slots=True)
class Call:
    """A layer, its arguments with Keras's defaults in place of those that are not given, and what it is applied to."""

    layer: str
    given: Mapping[str, Any]
    x: TensorSpec

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    def sizes(self, name: str, rank: int) -> tuple[Any, ...]:
        """One value for each of ``rank`` axes. Raises OpError."""
        value = self.given[name]
        values = value if isinstance(value, tuple) else (value,) * rank
        if len(values) != rank:
            raise OpError(f"{self.layer}: {name} has {len(values)} values for {rank} axes", argument=name)
        return values

    def positive(self, name: str, rank: int) -> tuple[int, ...]:
        """The same where sizes are 1 or more. Raises OpError."""
        values = self.sizes(name, rank)
        if any(not isinstance(n, int) or n < 1 for n in values):
            raise OpError(f"{self.layer}: {name} must be 1 or more, got {shown(self.given[name])}", argument=name)
        return values

    def axes(self, name: str = "axis") -> tuple[int, ...]:
        """Axes as Keras counts them, the batch first, as those of ``x``. Raises OpError."""
        value, rank = self.given[name], self.x.rank + 1
        found = value if isinstance(value, tuple) else (value,)
        for axis in found:
            if not isinstance(axis, int) or not -rank <= axis < rank or axis % rank == 0:
                help = f"Keras counts the batch as axis 0: 1 to {rank - 1}, or from -1 back"
                raise OpError(f"{self.layer}: {self.x} has no axis {axis}", argument=name, help=help)
        axes = tuple(axis % rank - 1 for axis in found)
        if len(set(axes)) != len(axes):
            raise OpError(f"{self.layer}: {list(found)} names an axis of {self.x} twice", argument=name)
        return axes

    def known(self, axis: int) -> int:
        """The extent of an axis on which weights depend. Raises OpError where it is open."""
        size = self.x.shape[axis]
        if size is None:
            raise OpError(f"{self.layer} needs a known size of axis {axis % self.x.rank} of {self.x}")
        return size

    def ranked(self) -> int:
        """How many spatial axes the layer's name says. Raises OpError where the input has others."""
        found = re.search(r"([123])D", self.layer)
        assert found is not None
        rank = int(found[1]) + self.layer.startswith("ConvLSTM")
        if self.x.rank != rank + 1:
            axes = (
                "time, " * self.layer.startswith("ConvLSTM")
                + f"{found[1]} spatial ax{'is' if found[1] == '1' else 'es'} and channels"
            )
            raise OpError(f"{self.layer} needs an input of {axes}, got {self.x}")
        return int(found[1])


def same_shape(call: Call) -> TensorSpec:
    return TensorSpec(call.x.shape)


def spatial(call: Call, sizes: tuple[Size, ...]) -> TensorSpec:
    return TensorSpec((*sizes, call.x.channels), call.x.dtype)


def window_sizes(call: Call, kernel: str, rank: int, spatial: tuple[Size, ...]) -> tuple[Size, ...]:
    strides = "strides" if call["strides"] is not None else kernel
    dilations = call.positive("dilation_rate", rank) if "dilation_rate" in call.given else (1,) * rank
    padding = "same" if call["padding"] == "causal" else call["padding"]
    axes = zip(spatial, call.positive(kernel, rank), call.positive(strides, rank), dilations, strict=True)
    try:
        return tuple(window(n, k, s, padding, d) for n, k, s, d in axes)
    except OpError as error:
        raise OpError(f"{call.layer}: {error.message} (input {call.x})", argument=kernel, help=error.help) from None


def one_size(call: Call, name: str) -> int:
    (value,) = call.positive(name, 1)
    return value


def with_bias(call: Call, size: tuple[int, ...], *kernels: WeightSpec) -> tuple[WeightSpec, ...]:
    return (*kernels, WeightSpec("bias", size)) if call["use_bias"] else kernels
