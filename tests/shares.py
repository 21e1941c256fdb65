"""Which cases of a slow test CI runs. The others are for ``make long``: more of what one case shows already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def few(cases: Iterable[Any], *kept: Any) -> list[Any]:
    """The cases of a test, of which all but those ``kept`` are long. A case of several values goes by its first."""
    cases = list(cases)
    names = [case[0] if isinstance(case, tuple) else case for case in cases]
    if missing := [name for name in kept if name not in names]:
        raise ValueError(f"no case is called {missing}")
    return [
        case if name in kept else pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.long)
        for name, case in zip(names, cases, strict=True)
    ]


SEEDS = few(range(3), 0)
"""Seeds of trainings whose figures are claimed."""
