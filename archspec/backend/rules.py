"""Rules that a person writes where names and shapes leave a choice: which layer of a file is which of the spec.

A file of YAML::

    ignore: ['aux\\..*']                    # layers of the file that the spec has no place for
    names:                                  # layer of the file: layer of the spec
      'layer(\\d+)\\.0\\.conv1': 'stage\\1.unit.conv'
    axes: {reshape: first}                  # step of the spec: where its channels are in the file, first or last
    unchecked: [scale_.*]                   # layers of the file that are taken for what the spec has there

Both sides of ``names`` are whole names; the left one is a regular expression, the right one may refer to its groups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archspec.backend.archive import StoredLayer
from archspec.backend.wiring import WeightsError
from archspec.ir.counterpart import Side
from archspec.ir.diagnostics import advised, did_you_mean, printable, shown
from archspec.ir.graph import Node

KEYS = ("names", "ignore", "axes", "unchecked")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a file of rules says."""

    names: tuple[tuple[re.Pattern[str], str], ...] = ()
    sides: Mapping[str, Side] = field(default_factory=dict)
    ignore: tuple[re.Pattern[str], ...] = ()
    unchecked: tuple[re.Pattern[str], ...] = ()

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
    def of(cls, tree: Any) -> Rules:
        """Rules out of the values of such a file. Raises WeightsError."""
        if not isinstance(tree, dict) or not tree:
            raise WeightsError("rules are a mapping with 'names', 'ignore', 'axes' or 'unchecked'")
        for key in tree:
            if key not in KEYS:
                hint = did_you_mean(str(key), KEYS) or "the keys are 'names', 'ignore', 'axes' and 'unchecked'"
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
        return cls(
            tuple((_pattern(k), v) for k, v in names.items()),
            {str(step): side for step, side in sides.items()},
            tuple(_pattern(p) for p in ignore),
            tuple(_pattern(p) for p in unchecked),
        )

    def apply(
        self, nodes: Sequence[Node], layers: Sequence[StoredLayer]
    ) -> tuple[Sequence[StoredLayer], dict[str, StoredLayer]]:
        """The layers that are not ignored, and the pairs that the names make. Raises WeightsError."""
        layers = [stored for stored in layers if not any(p.fullmatch(stored.name) for p in self.ignore)]
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


def _pattern(text: Any) -> re.Pattern[str]:
    try:
        return re.compile(str(text))
    except (re.error, RecursionError, OverflowError) as error:
        raise WeightsError(f"{shown(text)} of the rules is no regular expression: {error}") from None


def _expanded(found: re.Match[str], template: str) -> str:
    try:
        return found.expand(template)
    except (re.error, IndexError) as error:
        raise WeightsError(f"{template!r} of the rules: {error}") from None
