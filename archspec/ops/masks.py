"""How ops treat a mask of steps (``embedding: {mask_zero: true}``, ``mask``): rules that several share.

A rule gets, for each input, how many of its leading axes a mask covers (0 without one), and gives that of the output.
It refuses where steps that the mask leaves out would be read like all others.
"""

from __future__ import annotations

from typing import Any

from archspec.ir.declaration import shared
from archspec.ir.tensors import TensorSpec
from archspec.ops.errors import OpError


@shared
def refused(self: Any, covered: tuple[int, ...], *inputs: TensorSpec) -> int:
    """No mask: it would be lost, and padding would count from here on."""
    if any(covered):
        raise OpError(
            f"{self.name} would read the padding that a mask leaves out",
            help="leave mask_zero or mask out if padding may count; recurrent ops, attention, global pools skip it",
        )
    return 0


@shared
def of_first(self: Any, covered: tuple[int, ...], *inputs: TensorSpec) -> int:
    """The mask of the first input, which goes on."""
    return covered[0]


@shared
def consumed(self: Any, covered: tuple[int, ...], *inputs: TensorSpec) -> int:
    """A mask of the steps of (time, channels), which the output has no more."""
    return refused(self, covered, *inputs) if inputs[0].rank != 2 else 0


@shared
def of_steps(self: Any, covered: tuple[int, ...], *inputs: TensorSpec) -> int:
    """A mask of the steps of (time, channels), which goes on."""
    return refused(self, covered, *inputs) if inputs[0].rank != 2 else covered[0]


@shared
def of_sequences(self: Any, covered: tuple[int, ...], *inputs: TensorSpec) -> int:
    """That of the steps, where there is an output for each."""
    return covered[0] if self.within.sequences else 0


@shared
def marked(self: Any, covered: tuple[int, ...], x: TensorSpec) -> int:
    """Every integer but 0 counts, where ``mask_zero`` says so."""
    if "int" not in x.dtype:
        return covered[0]
    return x.rank if self.mask_zero else 0
