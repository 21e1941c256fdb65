"""What to write for a learning rate that is no number: how a rate changes is a schedule, beside the optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from archspec.ir.aliases import same
from archspec.ir.diagnostics import plain
from archspec.training.schedules import Schedule

NEEDED: dict[str, Any] = {"step": 30, "milestones": [30, 60], "cosine_restarts": 10}
"""Arguments that are shown of schedules which need one."""
FIRSTS = frozenset(("start", "initial", "initial_learning_rate", "from", "max", "peak"))
PARTS = frozenset(("gamma", "factor", "by", "decay", "decay_rate", "alpha", "momentum"))
"""Numbers beside a rate that are none."""
LASTS = frozenset(("end", "final", "end_learning_rate", "to", "min"))


def rate_help(value: object, optimizer: str) -> str | None:
    """How the rate of an optimizer and its schedule are written; None where the value may be meant as a number."""
    if not isinstance(value, (dict, str)) or (isinstance(value, str) and value[:1].isdigit()):
        return None
    schedule = _by_epochs(value) or _between(value) or _named(value)
    rate = f"optimizer: {{{optimizer}: {next(_numbers(value), 0.001):g}}}"
    if schedule is None:
        return None if isinstance(value, str) else f"one number: {rate}; how it changes is schedule: cosine beside it"
    return f"a rate that changes is a schedule: {rate} and schedule: {schedule}"


def _numbers(value: object) -> Iterator[float]:
    """The rates in a value, which are no more than 1."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in PARTS:
                yield from _numbers(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1:
        yield float(value)


def _named(value: Any) -> str | None:
    """The schedule that a word of it names."""
    words = [value] if isinstance(value, str) else [*value, *(v for v in value.values() if isinstance(v, str))]
    found = next(filter(None, (same("schedule", word, Schedule.names()) for word in words)), None)
    if found is None:
        return None
    return plain({found: NEEDED[found]}) if found in NEEDED else found


def _between(value: object) -> str | None:
    """A line from one rate to another."""
    if not isinstance(value, dict):
        return None
    ends = [next((v for k, v in value.items() if k in names), None) for names in (FIRSTS, LASTS)]
    if not all(isinstance(end, (int, float)) and end > 0 for end in ends) or _named(value):
        return None
    share = round(ends[1] / ends[0], 6)  # type: ignore[operator]
    return plain({"polynomial": {"final": share}}) if share < 1 else None


def _by_epochs(value: object) -> str | None:
    """Rates from epochs on, each the same part of the one before."""
    if not isinstance(value, dict) or len(value) < 2 or not all(str(key).isdigit() for key in value):
        return None
    rates = sorted((int(key), rate) for key, rate in value.items())
    if not all(isinstance(rate, (int, float)) and rate > 0 for _, rate in rates):
        return None
    parts = {round(after / before, 6) for (_, before), (_, after) in pairwise(rates)}
    by = min(parts)
    return plain({"milestones": {"at": [epoch for epoch, _ in rates[1:]], "by": by}}) if by < 1 else None
