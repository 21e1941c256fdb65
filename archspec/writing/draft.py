"""A network of another kind as a list of steps with names for what each takes, and the graph of it.

A reader adds steps in the order of the network and says where each comes from; what an op refuses is told there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Generic, TypeVar

from archspec.ir.diagnostics import Diagnostic, SpecError
from archspec.ir.graph import Graph, reachable
from archspec.writing.text import LITERALS, flow

Origin = TypeVar("Origin")
"""Where a step comes from: a place in a text, a layer of a model."""


class RefusedSteps(Exception, Generic[Origin]):
    """Steps that the language does not take: each with its origin, None for what concerns the whole."""

    def __init__(self, found: list[tuple[Origin | None, Diagnostic]]):
        self.found = found
        super().__init__(found[0][1].message)


@dataclass(frozen=True, slots=True)
class DraftStep(Generic[Origin]):
    """A step, the names of what it takes, and where it comes from."""

    step: dict[str, Any]
    taken: tuple[str, ...]
    origin: Origin


class Draft(Generic[Origin]):
    """A network on its way to a graph. Every result goes by the name that ``input`` or ``add`` gave, with
    ``[port]`` behind it for one of several."""

    def __init__(self, name: str):
        self.name = identifier(name) or identifier(f"model_{name}")
        self.inputs: dict[str, Any] = {}
        self.steps: dict[str, DraftStep[Origin]] = {}
        self.outputs: dict[str, str] = {}

    def input(self, name: str, shape: Sequence[int | str | None], dtype: str = "float32") -> str:
        """Add an input, its ``shape`` without the batch axis; an image goes by that name unless it has a better one."""
        if name in ("input_layer", "input") and len(shape) == 3 and "image" not in self.inputs:
            name = "image"
        own = identifier("x" if name == "input" else name)
        if not own or own in self.inputs or re.match(r"n\d+$", own):
            own = _free("input_", self.inputs)
        self.inputs[own] = {"shape": list(shape), "dtype": dtype}
        return own

    def add(self, step: dict[str, Any], taken: Sequence[str], origin: Origin) -> str:
        """Add a step, without its place among others; what its result goes by."""
        made = f"n{len(self.steps)}"
        self.steps[made] = DraftStep(step, tuple(taken), origin)
        return made

    def origin(self, name: str) -> Origin:
        """Where the step of a node comes from."""
        return self.steps[name.partition(".")[0]].origin

    def output(self, name: str, result: str) -> None:
        """Give a result as an output of the network."""
        own = identifier(name)
        self.outputs[own if own and own not in self.outputs else _free("o", self.outputs)] = result

    def graph(self) -> Graph:
        """The graph, whose nodes go by the names that ``add`` gave; steps that no output needs are left out.

        Raises RefusedSteps.
        """
        from archspec.frontend import loads

        lines = ["archspec: 1", f"name: {flow(self.name)}", f"inputs: {flow(self.inputs)}", "body:"]
        first = len(lines) + 1
        for made, entry in self.steps.items():
            taken = entry.taken[0] if len(entry.taken) == 1 else list(entry.taken)
            lines.append(f"  - {flow({**entry.step, 'from': taken, 'as': made})}")
        lines += ["heads:", *(f"  {flow(name)}: {{from: {flow(result)}}}" for name, result in self.outputs.items())]
        try:
            graph = loads("\n".join(lines) + "\n", "model", neighbours=False)
            return replace(graph, nodes=reachable(graph.nodes, [output.tensor for output in graph.outputs]))
        except SpecError as error:
            origins = [entry.origin for entry in self.steps.values()]
            raise RefusedSteps(
                [
                    (origins[place] if 0 <= (place := said.span.line - first) < len(origins) else None, said)
                    for said in error.diagnostics
                ]
            ) from None

    def weights_of(self, graph: Graph, values: Mapping[str, Mapping[str, Any]], written: Graph) -> dict[str, Any]:
        """Weights that are known by the names of ``graph``'s nodes, by ``layer/weight`` of the spec ``written`` of it.

        Raises ValueError where the two are not the same network.
        """
        from archspec.writing.equality import pairs

        found = pairs(graph, written)
        if found is None:
            raise ValueError("the spec is another network")
        layers = written.by_name
        return {
            f"{layers[found[name]].layer}/{weight}": value
            for name, arrays in values.items()
            if name in found
            for weight, value in arrays.items()
        }


def identifier(name: str) -> str:
    """A name as the language takes it, with ``_1`` behind a word of the language or of YAML; empty where none of it is
    left."""
    from archspec.frontend.document import RESERVED

    own = re.sub(r"\W", "_", name, flags=re.ASCII)
    if not re.match("[A-Za-z]", own):
        return ""
    return f"{own}_1" if own in RESERVED or own.lower() in LITERALS else own


def _free(stem: str, taken: Mapping[str, Any]) -> str:
    """A name that is not taken: the stem and a number."""
    return next(name for k in count(len(taken)) if (name := f"{stem}{k}") not in taken)
