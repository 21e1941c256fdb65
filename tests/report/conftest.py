"""Graphs that tests of the report write down node by node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archspec.ir.diagnostics import Source, Span
from archspec.ir.graph import Graph, Node, Output, Tensor
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op


def build(
    inputs: dict[str, tuple[int | None, ...]],
    steps: list[tuple[Any, ...]],
    *,
    outputs: dict[str, str] | None = None,
    train_only: tuple[str, ...] = (),
    variant: str | None = None,
) -> Graph:
    """``steps`` are (name, op, arguments[, names of inputs or None for the step before[, layer]]), one a line."""
    source = Source("net.yaml", "\n" * len(steps))
    specs = {name: (TensorSpec(shape),) for name, shape in inputs.items()}
    nodes: list[Node] = []
    for line, (name, op_name, args, *rest) in enumerate(steps, 1):
        taken = (rest[0] if rest else None) or [nodes[-1].name if nodes else next(iter(inputs))]
        op = Op.find(op_name).model_validate(args)
        given = tuple(specs[t][0] for t in taken)
        out = op.infer(*given)
        specs[name] = out if isinstance(out, tuple) else (out,)
        layer = rest[1] if len(rest) > 1 else name
        tensors = tuple(Tensor(t) for t in taken)
        nodes.append(Node(name, op, tensors, given, specs[name], op.weights(*given), layer, Span(source, line, 5)))
    heads = outputs or {"main": nodes[-1].name}
    return Graph(
        "net",
        {name: specs[name][0] for name in inputs},
        tuple(nodes),
        tuple(Output(h, Tensor(t), head=h, train_only=h in train_only) for h, t in heads.items()),
        variant=variant,
    )


@pytest.fixture(name="build")
def _build() -> Callable[..., Graph]:
    return build


@pytest.fixture
def stages() -> Graph:
    """Three stages of three units of three convolutions with ReLU, and a dense head: 58 nodes."""
    steps: list[tuple[Any, ...]] = [("stem.conv", "conv", {"filters": 8, "kernel": 3}), ("stem.relu", "relu", {})]
    for stage in (2, 3, 4):
        for unit in range(3):
            for k in ("conv_bn", "conv_bn_2", "conv_bn_3"):
                steps.append((f"c.{stage}.{unit}.{k}.conv", "conv", {"filters": 2**stage, "kernel": 3}))
                steps.append((f"c.{stage}.{unit}.{k}.relu", "relu", {}))
    steps += [("head.dense", "dense", {"units": 10}), ("head.relu", "relu", {})]
    return build({"image": (32, 32, 3)}, steps)
