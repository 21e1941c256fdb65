"""Choices, and numbers that may be written as expressions: what the generator of specs draws with."""

from __future__ import annotations

import keyword
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from archspec.ir.tensors import TensorSpec

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"


class Unfit(Exception):
    """A step that means nothing where it is tried."""


@dataclass
class State:
    """What is visible to a step: the previous result (a bundle is a dict), the body's input, numbers, results."""

    x: Any
    input: TensorSpec
    values: dict[str, Any]
    names: dict[str, Any]
    weights: list[Any] = field(default_factory=list)
    """Of every op so far, shared by all states of one spec."""
    layers: list[str] = field(default_factory=list)
    """Names of the ops so far, shared likewise."""

    def within(self, x: Any, values: dict[str, Any] | None = None) -> State:
        """The state of a branch or turn on ``x``: names given there stay there."""
        return State(x, self.input, self.values | (values or {}), dict(self.names), self.weights, self.layers)


@dataclass(frozen=True)
class Formula:
    """An expression and what it comes to."""

    text: str
    value: Callable[[State], Any]


def resolved(value: Any, state: State) -> Any:
    """``value`` with its formulas evaluated."""
    if isinstance(value, Formula):
        return value.value(state)
    if isinstance(value, dict):
        return {k: resolved(v, state) for k, v in value.items()}
    if isinstance(value, list):
        return [resolved(v, state) for v in value]
    return value


def written(value: Any) -> Any:
    """``value`` with its formulas as text."""
    if isinstance(value, Formula):
        return f"={value.text}"
    if isinstance(value, dict):
        return {k: written(v) for k, v in value.items()}
    if isinstance(value, list):
        return [written(v) for v in value]
    return value


class Draw:
    """A source of choices over a ``random.Random``."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.visible: dict[str, int] = {}
        self.taken: set[str] = set()

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def integer(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)

    def choice(self, options: Sequence[Any]) -> Any:
        return self.rng.choice(options)

    def shuffled(self, options: Sequence[Any]) -> list[Any]:
        options = list(options)
        self.rng.shuffle(options)
        return options

    def name(self, reserved: Callable[[str], bool]) -> str:
        """A name that nothing has yet."""
        while True:
            name = "".join(self.rng.choices(LETTERS, k=self.integer(1, 6))) + self.choice(("", "", "_2", "7"))
            if name.lower() not in self.taken and not keyword.iskeyword(name) and not reserved(name):
                self.taken.add(name.lower())
                return name

    def number(self, low: int, high: int, x: TensorSpec) -> int | Formula:
        """A whole number from ``low`` to about ``high``, written out or as an expression."""
        n = self.integer(low, high)
        if self.chance(0.7):
            return n
        k = self.integer(1, 2)
        options = [
            Formula(f"{2 * n} / 2", lambda s: n),
            Formula(f"max({n}, {low})", lambda s: n),
            Formula(f"{n} if prev.rank > 0 else 0", lambda s: n),
            Formula(f"min(prev.channels * {k}, {high})", lambda s: min(s.x.channels * k, high)),
            Formula(f"max({low}, prev.channels // {k + 1})", lambda s: max(low, s.x.channels // (k + 1))),
            Formula(f"min(input.channels, {high})", lambda s: min(s.input.channels, high)),
        ]
        for name in self.visible:
            options.append(Formula(f"{name} % {high} + {low}", lambda s, name=name: s.values[name] % high + low))
        return self.choice(options)
