"""Rules that a person writes where names and shapes leave a choice: which layer of a file is which of the spec.

A file of YAML::

    ignore: ['aux\\..*']                    # layers of the file that the spec has no place for
    names:                                  # layer of the file: layer of the spec
      'layer(\\d+)\\.0\\.conv1': 'stage\\1.unit.conv'
    axes: {reshape: first}                  # step of the spec: where its channels are in the file, first or last
    unchecked: [scale_.*]                   # layers of the file that are taken for what the spec has there
    rotary: halves                          # which channels of a head are turned as a pair: halves, or pairs, as here
    fused: heads                            # how query_key_value lies: the three of a head together, or parts, of all

Both sides of ``names`` are whole names; the left one is a regular expression, the right one may refer to its groups,
also in sums: ``stage\\1.unit.{\\2 - 1}``, an expression as specs have them. What they do not name is matched as always.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from archspec.backend.archive import StoredLayer
from archspec.backend.wiring import WeightsError
from archspec.ir.counterpart import Side
from archspec.ir.diagnostics import advised, did_you_mean, printable, shown
from archspec.ir.graph import Node

KEYS = ("names", "ignore", "axes", "unchecked", "rotary", "fused")
SAID = "'names', 'ignore', 'axes', 'unchecked', 'rotary'"
Rotary = Literal["halves", "pairs"]
"""Which channels of a head a rotary embedding turns together: those half a head apart, or neighbours."""

Fused = Literal["heads", "parts"]
"""How queries, keys and values lie in one matrix: those of a head (or of a group that shares keys) together, or all
queries, then all keys, then all values."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a file of rules says."""

    names: tuple[tuple[re.Pattern[str], str], ...] = ()
    sides: Mapping[str, Side] = field(default_factory=dict)
    ignore: tuple[re.Pattern[str], ...] = ()
    unchecked: tuple[re.Pattern[str], ...] = ()
    rotary: Rotary | None = None
    fused: Fused | None = None

    @property
    def are_of_layers(self) -> bool:
        """Whether they say of any layer which it is, or that it is none."""
        return bool(self.names or self.ignore)

    def is_unchecked(self, layer: str) -> bool:
        """Whether a layer of the file is taken for what the spec has there."""
        return any(p.fullmatch(layer) for p in self.unchecked)

    def leaves_out(self, layer: str) -> bool:
        """Whether what a layer of the file computes is not compared."""
        return self.is_unchecked(layer) or any(p.fullmatch(layer) for p in self.ignore)

    @classmethod
    def read(cls, path: Path) -> Rules:
        """Raises WeightsError, SpecError, OSError."""
        from archspec.frontend.yaml_source import read
        from archspec.ir.diagnostics import Source

        try:
            return cls.of(read(Source(str(path), path.read_text(encoding="utf-8"))))
        except (WeightsError, UnicodeDecodeError) as error:
            raise WeightsError(f"{path}: {error}") from None

    @classmethod
    def of(cls, tree: object) -> Rules:
        """Rules out of the values of such a file. Raises WeightsError."""
        if not isinstance(tree, dict) or not tree:
            raise WeightsError(f"rules are a mapping with {SAID} or 'fused'")
        for key in tree:
            if key not in KEYS:
                hint = did_you_mean(str(key), KEYS) or f"the keys are {SAID} and 'fused'"
                raise WeightsError(f"rules have no {shown(key)}; {hint}")
        names, ignore = tree.get("names", {}), tree.get("ignore", [])
        if not isinstance(names, dict) or not all(isinstance(v, str) for v in names.values()):
            raise WeightsError("'names' of the rules must map a pattern to a name")
        unchecked = tree.get("unchecked", [])
        for key, value in (("ignore", ignore), ("unchecked", unchecked)):
            if not isinstance(value, list):
                raise WeightsError(f"{key!r} of the rules must be a list of patterns")
        sides = tree.get("axes", {})
        if not isinstance(sides, dict) or not all(side in ("first", "last") for side in sides.values()):
            raise WeightsError("'axes' of the rules must map a step of the spec to 'first' or 'last'")
        rotary = tree.get("rotary")
        if rotary not in (None, "halves", "pairs"):
            raise WeightsError(f"'rotary' of the rules must be 'halves' or 'pairs', got {shown(rotary)}")
        fused = tree.get("fused")
        if fused not in (None, "heads", "parts"):
            raise WeightsError(f"'fused' of the rules must be 'heads' or 'parts', got {shown(fused)}")
        return cls(
            tuple((_pattern(k), v) for k, v in names.items()),
            {str(step): side for step, side in sides.items()},
            tuple(_pattern(p) for p in ignore),
            tuple(_pattern(p) for p in unchecked),
            rotary,
            fused,
        )

    def kept(self, layers: Sequence[StoredLayer]) -> Sequence[StoredLayer]:
        """The layers that are not ignored."""
        return [stored for stored in layers if not any(p.fullmatch(stored.name) for p in self.ignore)]

    def apply(
        self, nodes: Sequence[Node], layers: Sequence[StoredLayer]
    ) -> tuple[Sequence[StoredLayer], dict[str, StoredLayer]]:
        """The layers that are not ignored, and the pairs that the names make. Raises WeightsError."""
        layers = self.kept(layers)
        known = {node.layer for node in nodes}
        pairs: dict[str, StoredLayer] = {}
        for stored in layers:
            for whole, template in self.names:
                if found := whole.fullmatch(stored.name):
                    name = _expanded(found, template)
                    if name not in known:
                        hint = did_you_mean(name, known)
                        said = f"the rules make {name!r} of {stored.name!r}, which the spec has not"
                        raise WeightsError(advised(said, hint))
                    if name in pairs:
                        raise WeightsError(f"the rules make {name!r} of both {pairs[name].name!r} and {stored.name!r}")
                    pairs[name] = stored
                    break
        return layers, pairs


def pattern(name: str) -> str:
    """A name of a file as the pattern that it alone matches, in YAML."""
    text = printable(re.escape(name))
    return text if re.fullmatch(r"[A-Za-z_]\w*", text) else "'" + text.replace("'", "''") + "'"


def _pattern(text: object) -> re.Pattern[str]:
    try:
        return re.compile(str(text))
    except (re.error, RecursionError, OverflowError) as error:
        raise WeightsError(f"{shown(text)} of the rules is no regular expression: {error}") from None


def _expanded(found: re.Match[str], template: str) -> str:
    """A template with the groups of what was found, and the values of what stands in braces. Raises WeightsError."""
    if not re.fullmatch(r"[^{}]*(\{[^{}]+\}[^{}]*)*", template):
        raise WeightsError(f"{template!r} of the rules: braces hold an expression, as in {{\\1 + 1}}")
    try:
        # By turns what stands outside of braces and within.
        pieces = [found.expand(piece) for piece in re.split(r"[{}]", template)]
    except (re.error, IndexError) as error:
        raise WeightsError(f"{template!r} of the rules: {error}") from None
    return "".join(_sum(piece, template) if i % 2 else piece for i, piece in enumerate(pieces))


def _sum(text: str, template: str) -> str:
    from archspec.frontend.arithmetic import ExpressionError
    from archspec.frontend.expressions import UnknownName, evaluate

    def unknown(name: str) -> Any:
        raise UnknownName(name, [])

    try:
        value = evaluate(re.sub(r"\b0+(?=\d)", "", text), unknown)
    except ExpressionError as error:
        raise WeightsError(f"{template!r} of the rules: {error.message}") from None
    if type(value) is not int or value < 0:
        raise WeightsError(f"{template!r} of the rules: {text} is {shown(value)}, no number of a layer")
    return str(value)
