"""Steps on their way into text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from archspec.ir.declaration import Declaration

STRUCTURES = ("residual", "branches", "do")
RESIDUAL_MERGE = "add"
"""How a residual's skip and body meet unless it says otherwise."""


@dataclass(slots=True)
class WrittenStep:
    """One step. ``args`` has every count, also where it is the default; ``bodies`` are the chains of a structure.

    ``channels`` are those of the first input, None where there are none. ``taken`` are names of results, None where
    the step takes the one before. ``defaults`` are what arguments are when they are left out. ``is_each`` says that it
    is done for every item.
    """

    op: str
    args: dict[str, Any] = field(default_factory=dict)
    bodies: list[list[WrittenStep]] = field(default_factory=list)
    merge: WrittenStep | None = None
    channels: int | None = None
    taken: list[str] | None = None
    name: str | None = None
    repeat: int = 1
    main: str | None = None
    defaults: dict[str, Any] = field(default_factory=dict)
    is_each: bool = False

    @property
    def size(self) -> int:
        """About how many lines it takes."""
        return 1 + sum(step.size for body in self.bodies for step in body) if self.bodies else 1

    def value(self) -> Any:
        """The step as YAML has it."""
        out: dict[str, Any] = {self.op: self._arguments()}
        if self.merge is not None and not (self.op == "residual" and self.merge.value() == RESIDUAL_MERGE):
            out["merge"] = self.merge.value()
        if self.taken is not None:
            out["from"] = self.taken[0] if len(self.taken) == 1 else list(self.taken)
        if self.name is not None:
            out["as"] = self.name
        if self.repeat > 1:
            out["repeat"] = self.repeat
        if self.is_each:
            out["each"] = "items"
        return self.op if list(out.values()) == [None] else out

    def _arguments(self) -> Any:
        if self.op == "residual":
            skip, body = ([step.value() for step in chain] for chain in self.bodies)
            return {"body": body, "project": skip} if skip else body
        if self.op == "branches":
            return [[step.value() for step in chain] for chain in self.bodies]
        if self.op == "do":
            return [step.value() for step in self.bodies[0]]
        args = {k: v for k, v in self.args.items() if k not in self.defaults or not _equal(v, self.defaults[k])}
        if list(args) == [self.main] and not isinstance(value := next(iter(args.values())), dict) and value is not None:
            return value
        return args or None

    def bare(self) -> WrittenStep:
        """The same without its place among others."""
        return replace(self, taken=None, name=None)


def of_op(op: Declaration, channels: int | None = None) -> WrittenStep:
    """The step of an op: its arguments that differ from the defaults, and all counts."""
    args, defaults = {}, {}
    for name, info in type(op).model_fields.items():
        value = plain(getattr(op, name))
        if not info.is_required():
            defaults[name] = plain(info.get_default(call_default_factory=True))
        is_count = isinstance(value, int) and not isinstance(value, bool)
        if name not in defaults or is_count or not _equal(value, defaults[name]):
            args[name] = value
    # Arguments that an op has beside its own, as a layer of Keras's has.
    args |= {name: plain(value) for name, value in (op.model_extra or {}).items()}
    return WrittenStep(op.name, args, channels=channels, main=type(op).main, defaults=defaults)


def plain(value: object) -> Any:
    """An argument as YAML has it."""
    if isinstance(value, Declaration):
        said = {
            name: plain(getattr(value, name))
            for name, info in type(value).model_fields.items()
            if info.is_required() or getattr(value, name) != info.get_default(call_default_factory=True)
        }
        return {value.name: said} if said else value.name
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def _equal(one: object, other: object) -> bool:
    return type(one) is type(other) and bool(one == other)
