"""Equal parts of a chain as calls of one block, and equal steps in a row as a loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from archspec.writing.step import WrittenStep

LONGEST = 12
"""Steps of one chain that a block may be."""
MOST_BLOCKS = 24
LONGEST_TURN = 6
"""Steps of one turn of a loop."""
WIDTHS = frozenset(("filters", "units"))
"""Arguments that say a number of channels."""


@dataclass(slots=True)
class WrittenBlock:
    """A block: its parameters with their defaults (None for a required one), and its body."""

    name: str
    params: dict[str, int | None]
    body: list[WrittenStep] = field(default_factory=list)


def with_blocks(chains: list[list[WrittenStep]]) -> list[WrittenBlock]:
    """The blocks that make chains shortest, taken out one by one; the chains are changed to call them."""
    blocks: list[WrittenBlock] = []
    bodies = list(chains)
    while len(blocks) < MOST_BLOCKS and (found := _best(bodies)):
        length, places = found
        block = _taken_out(f"unit{len(blocks) + 1}", length, places)
        blocks.append(block)
        bodies.append(block.body)
    return blocks


def chains_of(steps: list[WrittenStep]) -> Iterator[list[WrittenStep]]:
    yield steps
    for step in steps:
        for body in step.bodies:
            yield from chains_of(body)


def _best(bodies: list[list[WrittenStep]]) -> tuple[int, list[tuple[list[WrittenStep], int]]] | None:
    """The length of the part that saves most lines as a block, and where it is; None where none saves any."""
    chains = [chain for body in bodies for chain in chains_of(body)]
    keys = {id(step): repr(_skeleton(step)) for chain in chains for step in chain}
    windows: dict[tuple[str, ...], list[tuple[list[WrittenStep], int]]] = {}
    for chain in chains:
        for start in range(len(chain)):
            for end in range(start + 1, min(start + LONGEST, len(chain)) + 1):
                part = chain[start:end]
                if (part[-1].taken is not None and len(part) > 1) or _has_name(part[:-1]) or _takes(part[-1]):
                    break
                if len(part) == 1 and (part[0].taken is not None and len(part[0].taken) > 1):
                    break
                windows.setdefault(tuple(keys[id(step)] for step in part), []).append((chain, start))
    best, most = None, 1
    for key, places in windows.items():
        length = len(key)
        apart = _apart(places, length)
        chain, start = apart[0]
        size = sum(step.size for step in chain[start : start + length])
        saved = (size - 1) * len(apart) - size - 3
        if len(apart) > 1 and size > 1 and saved > most:
            best, most = (length, apart), saved
    return best


def _has_name(part: list[WrittenStep]) -> bool:
    return any(step.name is not None for step in part)


def _takes(step: WrittenStep) -> bool:
    """Whether anything within a structure goes by a name."""
    return any(s.name is not None or s.taken is not None or _takes(s) for body in step.bodies for s in body)


def _apart(places: list[tuple[list[WrittenStep], int]], length: int) -> list[tuple[list[WrittenStep], int]]:
    """Those of the places that do not overlap."""
    out: list[tuple[list[WrittenStep], int]] = []
    for chain, start in places:
        if not (out and out[-1][0] is chain and start < out[-1][1] + length):
            out.append((chain, start))
    return out


def _skeleton(step: WrittenStep) -> Any:
    """A step without what a parameter could say."""
    args = sorted((k, "#" if _is_count(v) else repr(v)) for k, v in step.args.items())
    merge = None if step.merge is None else _skeleton(step.merge)
    bodies = [[_skeleton(s) for s in body] for body in step.bodies]
    return step.op, args, bodies, merge, step.repeat, step.is_each


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _slots(part: list[WrittenStep]) -> Iterator[tuple[WrittenStep, str]]:
    """Every count of the part, in the order of the text."""
    for step in part:
        for name, value in step.args.items():
            if _is_count(value):
                yield step, name
        for body in step.bodies:
            yield from _slots(body)
        if step.merge is not None:
            yield from _slots([step.merge])


def _taken_out(name: str, length: int, places: list[tuple[list[WrittenStep], int]]) -> WrittenBlock:
    """The block of equal parts, each of which becomes a call."""
    parts = [chain[start : start + length] for chain, start in places]
    slots = [list(_slots(part)) for part in parts]
    inputs = [part[0].channels for part in parts]
    values: dict[str, tuple[int, ...]] = {}
    names: dict[int, str] = {}
    written: list[str | None] = []
    for k, (_, argument) in enumerate(slots[0]):
        vector = tuple(slot[k][0].args[slot[k][1]] for slot in slots)
        if len(set(vector)) == 1:
            written.append(None)
            continue
        said = _of_input(vector, inputs) if argument in WIDTHS else None
        said = said or _of_parameters(vector, values, argument)
        if said is None:
            own, number = argument, 2
            while own in values:
                own, number = f"{argument}_{number}", number + 1
            values[own], names[k] = vector, own
            said = f"={own}"
        written.append(said)
    defaults = {own: _default(slots[0][k][0], slots[0][k][1], values[own]) for k, own in names.items()}
    params = dict(sorted(defaults.items(), key=lambda item: item[1] is not None))
    main = next(iter(params), None)
    calls = []
    for at, part in enumerate(parts):
        args = {own: values[own][at] for own in params}
        call = WrittenStep(name, args, channels=part[0].channels, taken=part[0].taken, name=part[-1].name, main=main)
        call.defaults = {own: value for own, value in params.items() if value is not None}
        calls.append(call)
    body = parts[0]
    for (step, argument), said in zip(slots[0], written, strict=True):
        if said is not None:
            step.args = {**step.args, argument: said}
    body[0].taken = body[-1].name = None
    for (chain, start), call in reversed(list(zip(places, calls, strict=True))):
        chain[start : start + length] = [call]
    return WrittenBlock(name, params, body)


def _default(step: WrittenStep, argument: str, vector: tuple[int, ...]) -> int | None:
    """The default of a parameter: that of the argument, where a call has it."""
    usual = step.defaults.get(argument)
    return usual if _is_count(usual) and usual in vector else None


def _of_input(vector: tuple[int, ...], inputs: list[int | None]) -> str | None:
    """A width as an expression of the input's channels."""
    if any(not channels for channels in inputs) or len({*inputs}) == 1:
        return None
    pairs = [(v, c) for v, c in zip(vector, inputs, strict=True) if c]
    return _multiple(pairs, "input.channels")


def _of_parameters(vector: tuple[int, ...], values: dict[str, tuple[int, ...]], argument: str) -> str | None:
    """A count as an expression of a parameter that there is; only widths follow from widths."""
    for own, known in values.items():
        if vector == known and own.rpartition("_")[0] in ("", argument) and own.startswith(argument):
            return f"={own}"
        is_width = argument in WIDTHS and any(own.startswith(word) for word in WIDTHS)
        if is_width and (said := _multiple(list(zip(vector, known, strict=True)), own)):
            return said
    return None


def _multiple(pairs: list[tuple[int, int]], name: str) -> str | None:
    if all(v == c for v, c in pairs):
        return f"={name}"
    if len({(v // c, v % c) for v, c in pairs}) == 1 and pairs[0][0] % pairs[0][1] == 0:
        return f"={pairs[0][0] // pairs[0][1]} * {name}"
    if all(c % v == 0 for v, c in pairs) and len({c // v for v, c in pairs}) == 1:
        return f"={name} // {pairs[0][1] // pairs[0][0]}"
    return None


def with_repeats(steps: list[WrittenStep]) -> None:
    """Equal steps, or groups of steps, that follow each other become loops."""
    for step in steps:
        for body in step.bodies:
            with_repeats(body)
    for length in range(1, LONGEST_TURN + 1):
        at = 0
        while at + 2 * length <= len(steps):
            turns = _turns(steps, at, length)
            if turns > 1:
                steps[at : at + turns * length] = [
                    _loop(steps[at : at + length], turns, steps[at + turns * length - 1])
                ]
            at += 1


def _turns(steps: list[WrittenStep], at: int, length: int) -> int:
    """How often the part at a place is there in a row."""
    part = steps[at : at + length]
    if any(s.repeat > 1 and length == 1 for s in part) or _has_name(part) or any(s.taken for s in part[1:]):
        return 1
    if any(map(_takes, part)) or (part[0].taken and len(part[0].taken) > 1):
        return 1
    first = [step.bare().value() for step in part]
    turns = 1
    while (following := steps[at + turns * length : at + (turns + 1) * length]) and len(following) == length:
        if any(s.taken for s in following) or _has_name(following[:-1]):
            break
        if [step.bare().value() for step in following] != first:
            break
        turns += 1
        if following[-1].name is not None:
            break
    return turns


def _loop(part: list[WrittenStep], turns: int, last: WrittenStep) -> WrittenStep:
    first = part[0]
    taken, first.taken = first.taken, None
    loop = first if len(part) == 1 and not first.is_each else WrittenStep("do", {}, [part], channels=first.channels)
    loop.repeat, loop.taken, loop.name = turns, taken, last.name
    return loop
