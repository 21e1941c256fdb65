"""Steps and blocks → YAML in canonical form."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from archspec.ir.graph import Graph
from archspec.writing.folding import WrittenBlock, chains_of
from archspec.writing.step import STRUCTURES, WrittenStep

WIDTH = 110
"""Characters of a line that is written in one."""


@dataclass(frozen=True, slots=True)
class WrittenNetwork:
    """A network: its inputs, where it has several, and its body."""

    name: str
    inputs: list[str]
    body: list[WrittenStep]


def written(
    graph: Graph,
    steps: list[WrittenStep],
    ends: list[str],
    blocks: list[WrittenBlock],
    networks: list[WrittenNetwork],
    doc: str,
) -> str:
    """The text of a spec."""
    from archspec.frontend.layout import formatted
    from archspec.ir.diagnostics import Source

    bodies = [steps, *(block.body for block in blocks), *(network.body for network in networks)]
    defaults = _defaults(bodies, {block.name for block in blocks} | {network.name for network in networks})
    lines = ["archspec: 1", f"name: {flow(graph.name)}"]
    if doc:
        lines.append(f"doc: {json.dumps(doc)}")
    lines.append(f"inputs: {flow({name: _input(spec) for name, spec in graph.inputs.items()})}")
    if defaults:
        lines += _section("defaults", defaults)
    if blocks:
        lines += ["", "blocks:"]
        for block in blocks:
            lines.append(f"  {block.name}:")
            if block.params:
                params = {name: "int" if value is None else value for name, value in block.params.items()}
                lines.append(f"    params: {flow(params)}")
            lines += _chain("    body", [step.value() for step in block.body])
    if networks:
        lines += ["", "networks:"]
        for network in networks:
            lines.append(f"  {network.name}:")
            if network.inputs:
                lines.append(f"    inputs: {flow(network.inputs)}")
            lines += _chain("    body", [step.value() for step in network.body])
    lines += ["", *_chain("body", [step.value() for step in steps])]
    if ends:
        lines += ["", "heads:"]
        names = [re.sub(r"\W", "_", output.name) for output in graph.outputs]
        lines += [f"  {flow(name)}: {{from: {flow(end)}}}" for name, end in zip(names, ends, strict=True)]
    return formatted(Source(graph.name, "\n".join(lines) + "\n"))


def _input(spec: Any) -> Any:
    shape = [size if isinstance(size, int) else None if size is None else str(size) for size in spec.shape]
    return shape if spec.dtype == "float32" else {"shape": shape, "dtype": spec.dtype}


def _defaults(bodies: list[list[WrittenStep]], blocks: set[str]) -> dict[str, dict[str, Any]]:
    """Arguments that all steps of an op have alike become its defaults, and leave the steps."""
    calls: dict[str, list[WrittenStep]] = {}
    for body in bodies:
        for chain in chains_of(body):
            for step in chain:
                if step.op not in STRUCTURES and step.op not in blocks:
                    calls.setdefault(step.op, []).append(step)
    out: dict[str, dict[str, Any]] = {}
    for op, steps in calls.items():
        for name in [name for name in steps[0].args if name != steps[0].main and name in steps[0].defaults]:
            usual = steps[0].defaults[name]
            values = [json.dumps(step.args.get(name, usual)) for step in steps]
            if usual is None and "null" in values:
                # What is a default can be changed by a step, not taken away.
                continue
            (most, count), *_ = Counter(values).most_common(1)
            common = json.loads(most)
            if (
                count < 3
                or '"=' in most
                or most == json.dumps(usual)
                or count <= len(values) - count + values.count(json.dumps(usual))
            ):
                continue
            out.setdefault(op, {})[name] = common
            for step in steps:
                step.args = {name: usual, **step.args}
                step.defaults = {**step.defaults, name: common}
    return out


def _section(key: str, values: dict[str, Any]) -> list[str]:
    line = f"{key}: {flow(values)}"
    return (
        [line] if len(line) <= WIDTH else [f"{key}:", *(f"  {name}: {flow(value)}" for name, value in values.items())]
    )


def _chain(key: str, steps: list[Any]) -> list[str]:
    """``key`` with a chain, on one line where it is short."""
    line = f"{key}: {flow(steps)}"
    if len(line) <= WIDTH and len(steps) < 4:
        return [line]
    depth = len(key) - len(key.lstrip()) + 2
    return [f"{key}:", *(line for step in steps for line in _step(step, depth))]


def _step(step: Any, depth: int) -> list[str]:
    """One entry of a list of steps."""
    pad = " " * depth
    line = f"{pad}- {flow(step)}"
    if isinstance(step, list):
        first, *rest = [line for inner in step for line in _step(inner, depth + 2)]
        return [line] if len(line) <= WIDTH else [f"{pad}- {first.lstrip()}", *rest]
    kind = next(iter(step)) if isinstance(step, dict) else ""
    if kind not in STRUCTURES or len(line) <= WIDTH:
        return [line]
    out: list[str] = []
    for number, (key, value) in enumerate(step.items()):
        start = f"{pad}{'  ' if number else '- '}{key}"
        if key == "branches":
            out.append(f"{start}:")
            for chain in value:
                short = flow(chain)
                out += [f"{pad}    - {short}"] if len(short) < 90 else _step(chain, depth + 4)
        elif key == "residual" and isinstance(value, dict):
            out.append(f"{start}:")
            for part, chain in value.items():
                out += _chain(f"{pad}    {part}", chain)
        elif number == 0:
            out.append(f"{start}:")
            out += [line for inner in value for line in _step(inner, depth + 4)]
        else:
            out.append(f"{start}: {flow(value)}")
    return out


def flow(value: object) -> str:
    """A value on one line."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            is_plain = re.fullmatch(r"[A-Za-z_][A-Za-z_0-9.-]*", value) and value.lower() not in WORDS
            return value if is_plain else json.dumps(value)
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case dict():
            # A step without arguments: {unit, repeat: 3}.
            bare = next(iter(value), None) if len(value) > 1 else None
            pairs = (flow(k) if v is None and k == bare else f"{flow(k)}: {flow(v)}" for k, v in value.items())
            return "{" + ", ".join(pairs) + "}"
    raise TypeError(f"nothing that a spec may hold: {value!r}")


LITERALS = frozenset(("true", "false", "null"))
WORDS = LITERALS | {"yes", "no", "on", "off", "y", "n"}
"""What some reader of YAML takes for no text, however it is capitalised."""
