"""Names of nodes: where a node stands in the text, as a path (docs/language.md, "Names of nodes").

A component is a step's ``as``, else its op or block, numbered ``_2``, ``_3`` … among its siblings; loop values follow
(``c.3.0``). ``do`` and an unlooped ``residual`` have no component of their own: what is in them stands among the steps
around them, and a loop over ``do`` puts its values behind the names within.
"""

from __future__ import annotations

from typing import Any

from archspec.frontend.document import NAME


class Names:
    """Names of one list of steps. ``given`` are those that ``as`` takes anywhere in it: numbering keeps off them."""

    __slots__ = ("_counts", "_given", "_prefix", "_suffix")

    def __init__(self, prefix: str, given: frozenset[str], suffix: str = "", counts: dict[str, int] | None = None):
        self._prefix, self._given, self._suffix = prefix, given, suffix
        self._counts = counts if counts is not None else {}

    def auto(self, base: str) -> str:
        """The path of the next step without a name whose op is ``base``."""
        counts = self._counts
        number = counts.get(base, 0) + 1
        name = base if number == 1 else f"{base}_{number}"
        while name in self._given or (number > 1 and name in counts):
            number += 1
            name = f"{base}_{number}"
        counts[base] = number
        if number > 1:
            counts.setdefault(name, 1)
        return f"{self._prefix}{name}{self._suffix}"

    def named(self, name: str, index: object = None) -> str:
        """The path of a step that ``as`` names; with ``name[index]`` the index stands for the loop values."""
        if index is None:
            return f"{self._prefix}{name}{self._suffix}"
        return f"{self._prefix}{name}.{index}"

    def turn(self, key: str) -> Names:
        """The names of one turn of a loop over these steps; ``key`` is the turn's part of the path."""
        return Names(self._prefix, self._given, f"{self._suffix}.{key}", dict(self._counts))

    def after(self, turns: list[Names]) -> None:
        """Go on behind all that the turns of a loop have taken."""
        for turn in turns:
            for name, count in turn._counts.items():
                self._counts[name] = max(count, self._counts.get(name, 0))


def key_texts(keys: list[Any]) -> list[str]:
    """How loop values stand in a path: themselves where they are words or whole numbers, else their positions."""
    plain = all((type(k) is int and k >= 0) or (isinstance(k, str) and NAME.match(k)) for k in keys)
    return [str(k) for k in keys] if plain else [str(i) for i in range(len(keys))]
