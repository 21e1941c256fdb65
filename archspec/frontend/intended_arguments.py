"""Arguments of an op that are written without their names, or with equals signs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from archspec.ir.patterns import Pattern

if TYPE_CHECKING:
    from archspec.ops.base import Op


NUMBER = Pattern(r"-?\d+(?:\.\d+)?(?:[eE]-?\d+)?", re.ASCII)


LIST = Pattern(r"\[(.*)\]")


TIMES = Pattern(r"(\d{1,4})(?:\s*[xX*;]\s*|\s+)(\d{1,4})(?:(?:\s*[xX*;]\s*|\s+)(\d{1,4}))?", re.ASCII)


PAIR = Pattern(r"\s*([A-Za-z_]\w*)\s*[=:]\s*([^,=:]+?)\s*", re.ASCII)


TOP_COMMA = r",(?![^\[]*\])"
"""Commas outside of brackets."""


def assigned(text: str) -> str | None:
    """``a=1, b=2`` as the inside of a map, if all of the text is such."""
    pairs = [PAIR.fullmatch(part) for part in text.split(",")]
    if not all(pairs):
        return None
    return ", ".join(f"{pair[1]}: {pair[2]}" for pair in pairs if pair)


def arguments(op_name: str, text: str) -> str | None:
    """``200, relu`` or ``units=200, activation=relu`` as the arguments of an op; None if that cannot be told."""
    if (pairs := assigned(text)) is not None:
        return f"{{{pairs}}}"
    from archspec.ops.base import Op

    op = Op.find(op_name)
    parts = [per_axis(part.strip()) for part in re.split(TOP_COMMA, text)]
    if op is None or op.main is None or not 1 < len(parts) <= 6:
        return None
    fields = [op.main, *(field for field in op.model_fields if field != op.main)]
    out: list[str] = []
    values: dict[str, str] = {}
    for i, part in enumerate(parts):
        if (pair := PAIR.fullmatch(part)) is not None:
            field, part = pair.groups()
        elif part in ("same", "valid"):
            field = "padding"
        elif not NUMBER.fullmatch(part) and part[:1] not in ("=", "["):
            field = "activation"
        else:
            field = fields[i] if i < len(fields) else ""
        if field not in op.model_fields or any(given.startswith(f"{field}:") for given in out):
            return None
        out.append(f"{field}: {part}")
        values[field] = part
    return f"{{{', '.join(out)}}}" if are_taken(op, values) else None


def of_torch(op_name: str, argument: str, text: str) -> str | None:
    """``conv: [3, 64, 3]``: the channels of both sides, and the kernel, as PyTorch's layers have them."""
    numbers = [part.strip() for part in text.split(",")]
    from archspec.ops.base import Op

    op = Op.find(op_name)
    if op is None or "kernel" not in op.model_fields or argument != op.main or len(numbers) not in (3, 4):
        return None
    if not all(n.isdigit() for n in numbers) or int(numbers[2]) > LARGEST_KERNEL:
        return None
    found = arguments(op_name, ", ".join(numbers[1:]))
    return f"channels of inputs are not written, as PyTorch does: {op_name}: {found}" if found else None


LARGEST_KERNEL = 15
"""Of kernels; a larger number is none."""


def are_taken(op: type[Op], values: dict[str, str]) -> bool:
    """Whether an op takes values as they are written; of expressions that cannot be told."""
    from pydantic import ValidationError

    from archspec.ir.reading import scalar

    def value(text: str) -> Any:
        listed = LIST.fullmatch(text)
        return scalar(text) if listed is None else [scalar(item.strip()) for item in listed[1].split(",")]

    known = {field: value(text) for field, text in values.items() if text[:1] != "="}
    try:
        op.model_validate(known)
    except ValidationError as error:
        return not any(e["loc"] and e["loc"][0] in known for e in error.errors(include_url=False))
    return True


def per_axis(text: str) -> str:
    """``3x3`` as the list that it means."""
    found = TIMES.fullmatch(text) if "x" in text.lower() else None
    return text if found is None else f"[{', '.join(n for n in found.groups() if n)}]"
