"""How the sections of a run file are written, for who wrote them otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from archspec.ir.diagnostics import plain


def section_form(key: str, value: object) -> str | None:
    """How a section is written that is no map."""
    if key == "train" and isinstance(value, str):
        pairs = dict(re.findall(r"([A-Za-z_]\w*)\s*[=:]\s*([^\s=:,]+)", value[:400]))
        if pairs and len(pairs) == len(re.findall(r"[=:]", value[:400])):
            return f"a colon stands before a value, on lines of their own: train: {plain(pairs)}"
    usual = {"train": {"optimizer": "adam", "epochs": 20}, "evaluate": {"split": "test"}, "log": {"histograms": 5}}[key]
    if key == "evaluate" and isinstance(value, str):
        return f"evaluate: {{split: {value}}}"
    if key == "log" and isinstance(value, str):
        return "archspec train RUN --logdir DIR says where a run goes; log: {histograms: 5} is what is logged besides"
    if value is None:
        return f"leave it out, or give it settings: {as_written({key: usual})}"
    without = " without dashes" if isinstance(value, list) else ""
    return f"its settings are keys{without}: {as_written({key: usual})}"


def as_written(values: Mapping[str, Any]) -> str:
    """A mapping of few keys as a person writes it in a block: ``key: value``, one beside the other in a flow."""
    text = " and ".join(f"{key}: {plain(value, 200)}" for key, value in values.items())
    return text if "…" not in text else " and ".join(f"{key}: " for key in values).strip()
