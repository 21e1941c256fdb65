"""Which input and output of a file's model is which of a spec: by their names where these agree, else in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from archspec.backend.archive import Archive, WeightsError
from archspec.ir.diagnostics import listed
from archspec.ir.graph import Graph

T = TypeVar("T")


def in_order_of(graph: Graph, archive: Archive) -> tuple[Archive, list[str]]:
    """An archive with its model's inputs and outputs in the order of the graph's, and a note for those that have no
    names in common. Raises WeightsError where neither names nor order say which is which."""
    calls, wiring = archive.calls, archive.wiring
    if calls is None or wiring is None:
        return archive, []
    ours = [(name,) for name in graph.inputs]
    theirs = list(zip(calls.input_names, (name for name, *_ in calls.inputs), strict=True))
    inputs, by_order = _order(ours, theirs)
    notes = list(_notes("input", ours, calls.input_names, inputs, by_order))
    _compare(graph, archive, inputs, by_order)
    ours_out = [(output.name, output.tensor.node) for output in graph.outputs]
    theirs_out = list(zip(calls.output_names, (end.layer for end in calls.outputs), strict=True))
    outputs, by_order = _order(ours_out, theirs_out)
    notes += _notes("output", ours_out, calls.output_names, outputs, by_order)
    ordered = replace(
        calls,
        inputs=_taken(calls.inputs, inputs),
        outputs=_taken(calls.outputs, outputs),
        input_names=_taken(calls.input_names, inputs),
        output_names=_taken(calls.output_names, outputs),
    )
    rewired = replace(wiring, inputs=_taken(wiring.inputs, inputs), outputs=_taken(wiring.outputs, outputs))
    return replace(archive, calls=ordered, wiring=rewired), notes


def _order(ours: Sequence[Collection[str]], theirs: Sequence[Collection[str]]) -> tuple[list[int], list[int]]:
    """Positions of theirs, first those that ours are, and which of ours have no name in common with any."""
    named: dict[int, int] = {}
    for k, names in enumerate(ours):
        found = [i for i, known in enumerate(theirs) if set(names) & set(known)]
        if len(found) == 1 and found[0] not in named.values():
            named[k] = found[0]
    rest = [i for i in range(len(theirs)) if i not in named.values()]
    by_order = [k for k in range(len(ours)) if k not in named]
    pairs = named | dict(zip(by_order, rest, strict=False))
    return [pairs[k] for k in sorted(pairs)] + rest[len(by_order) :], by_order


def _compare(graph: Graph, archive: Archive, order: Sequence[int], by_order: Sequence[int]) -> None:
    """Raises WeightsError where one of several inputs, told by its place alone, has other axes or channels."""
    assert archive.calls is not None
    if len(by_order) < 2:
        return
    for k, (name, spec) in enumerate(graph.inputs.items()):
        if k not in by_order or k >= len(order):
            continue
        given, shape, _ = archive.calls.inputs[order[k]]
        ours = (None, *spec.shape)
        if shape and (len(shape) != len(ours) or (None not in (shape[-1], ours[-1]) and shape[-1] != ours[-1])):
            raise WeightsError(
                f"neither names nor order tell which input of the file is which of the spec: by their order {given!r} "
                f"{tuple(shape)} would be {name!r} {ours}; give the spec's inputs the names "
                f"{listed(archive.calls.input_names)}"
            )


def _notes(
    what: str, ours: Sequence[Sequence[str]], theirs: Sequence[str], order: Sequence[int], by_order: Sequence[int]
) -> list[str]:
    told = [f"{theirs[order[k]]} is {ours[k][0]}" for k in by_order if k < len(order)]
    return [f"{what}s that have no names in common were taken in their order: {listed(told)}"] if len(told) > 1 else []


def _taken(values: tuple[T, ...], order: Sequence[int]) -> tuple[T, ...]:
    return tuple(values[k] for k in order)
