"""Which part of an example goes into each input of a training graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.data.example import IMAGE, LABEL, POSITION, Example
from archspec.ir.graph import Training
from archspec.ir.tensors import TensorSpec
from archspec.training.errors import TaskError


def arrays(plan: Training) -> dict[str, TensorSpec]:
    """The inputs that are arrays of the data."""
    return {name: spec for name, spec in plan.body.inputs.items() if name not in plan.drawn}


def named(plan: Training, parts: Mapping[str, Any]) -> dict[str, str]:
    """The part of the data, or of a batch, for every input of the step that the data give."""
    wanted = [name for name in arrays(plan) if name not in plan.targets]
    found = {name: name for name in wanted if name in parts}
    free = [name for name in parts if name not in (LABEL, *POSITION) and name not in found]
    rest = [name for name in wanted if name not in found]
    if len(rest) == 1 and (len(wanted) == 1 or plan.is_of_one) and (IMAGE in free or len(free) == 1):
        found[rest[0]] = IMAGE if IMAGE in free else free[0]
    for name, drawn in plan.drawn.items():
        if drawn.kind == "label" and LABEL in parts:
            found[name] = LABEL
    for name, head in plan.targets.items():
        if head in parts or LABEL in parts:
            found[name] = head if head in parts else LABEL
    return found


def sources(plan: Training, features: Example) -> dict[str, str]:
    """The same, all there. Raises TaskError."""
    found = named(plan, features.parts)
    labels = {name for name, drawn in plan.drawn.items() if drawn.kind == "label"}
    for name in (*arrays(plan), *labels):
        if name not in found:
            who = f"head '{plan.targets[name]}' is compared with a label" if name in plan.targets else None
            who = who or f"the {'network is' if plan.is_of_one else 'networks are'} trained on '{name}'"
            raise TaskError(f"{who}, the data have {', '.join(features.parts)}", at=("data",))
    return found


def check_part(name: str, wanted: TensorSpec, given: TensorSpec, at: tuple[str, ...]) -> None:
    """Refuse a part of the data that is not what an input takes."""
    fits = given.rank == wanted.rank and all(
        w is None or w == g for w, g in zip(wanted.shape, given.shape, strict=True)
    )
    if not fits or None in given.shape:
        help = None
        if wanted.rank == given.rank == 3 and None not in wanted.spatial and wanted.channels == given.channels:
            help = f"put {{resize: [{wanted.spatial[0]}, {wanted.spatial[1]}]}} first in augment"
        raise TaskError(f"'{name}' is to be {wanted}, it would get {given}", at=at, help=help)
    if ("float" in wanted.dtype) != ("float" in given.dtype):
        mend = "rescale: {low: -1} in augment: 0 … 255 becomes -1 … 1" if "float" in wanted.dtype else None
        raise TaskError(f"'{name}' is {wanted.dtype}, it would get {given.dtype}", at=at, help=mend)
