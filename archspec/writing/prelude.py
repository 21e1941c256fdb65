"""Steps that are a block of the prelude become its call."""

from __future__ import annotations

from functools import cache
from typing import Any

from archspec.frontend import prelude
from archspec.writing.step import STRUCTURES, WrittenStep

NORM = frozenset(("epsilon", "momentum"))
"""Arguments of ``conv_bn`` that its normalisation takes."""


@cache
def _defaults() -> dict[str, Any]:
    """What arguments of the prelude's ``conv_bn`` are when they are left out."""
    params = prelude()["blocks"]["conv_bn"]["params"]
    said = {name: param.get("default") if isinstance(param, dict) else param for name, param in params.items()}
    return {name: value for name, value in said.items() if name != "filters"}


def with_conv_bn(steps: list[WrittenStep]) -> list[WrittenStep]:
    """A chain with convolution, normalisation and activation as one step."""
    out: list[WrittenStep] = []
    at = 0
    while at < len(steps):
        conv, *rest = steps[at : at + 3]
        if not (rest and _is_conv_bn(conv, rest[0])):
            out.append(conv)
            at += 1
            continue
        norm, args = rest[0], dict(conv.args)
        act: Any = "linear"
        end = norm
        if norm.name is None and len(rest) == 2 and rest[1].taken is None and _is_activation(rest[1]):
            end = rest[1]
            said = end.bare().value()
            act = said if isinstance(said, str) else {end.op: end.args}
        bias = args.pop("bias", True)
        args |= {"bias": bias, "act": act, **norm.args}
        merged = WrittenStep("conv_bn", args, channels=conv.channels, taken=conv.taken, name=end.name, main="filters")
        merged.defaults = _defaults()
        out.append(merged)
        at += 2 if end is norm else 3
    return out


def _is_conv_bn(conv: WrittenStep, norm: WrittenStep) -> bool:
    return (
        (conv.op, norm.op) == ("conv", "batch_norm")
        and conv.name is None
        and norm.taken is None
        and not (conv.is_each or norm.is_each)
        and set(conv.args) <= {"filters", *_defaults()} - NORM - {"act"}
        and set(norm.args) <= NORM
    )


def _is_activation(step: WrittenStep) -> bool:
    from archspec.ops.base import Op

    op = None if step.op in STRUCTURES or step.is_each else Op.find(step.op)
    return op is not None and op.is_activation and hasattr(op, "function") and step.op != "linear"
