"""What a person should know of their text before training on it."""

from __future__ import annotations

from archspec.data.example import LABEL
from archspec.data.feature import class_name
from archspec.data.findings import Finding, Report, duplicate
from archspec.data.source import DataSource


def of_text(source: DataSource) -> Report:
    """Counts, lengths, what the vocabulary does not have, what is empty and what comes twice. Raises DataError."""
    import numpy as np

    features = source.features()
    findings: list[Finding] = []
    classes: dict[str, dict[str, int]] = {}
    values: dict[str, float] = {}
    seen: dict[bytes, tuple[str, int, int]] = {}
    for split, count in features.splits.items():
        arrays = source.arrays(split)
        if LABEL in arrays and features.classes:
            label = np.asarray(arrays[LABEL]).reshape(-1)
            for i, n in enumerate(np.bincount(label[label >= 0], minlength=features.classes)):
                classes.setdefault(class_name(features.class_names, i), {})[split] = int(n)
        for part, vocabulary in features.vocabularies.items():
            rows = arrays[part]
            is_there = rows != vocabulary.pad if vocabulary.pad is not None else np.ones(rows.shape, bool)
            lengths, name = is_there.sum(1), f"{part} of {split}"
            values |= {
                f"vocabulary of {part}": float(vocabulary.size),
                f"longest {name}": float(lengths.max()),
                f"mean length of {name}": round(float(lengths.mean()), 2),
            }
            if vocabulary.unknown is not None:
                share = (rows == vocabulary.unknown).sum() / max(1, is_there.sum())
                values[f"share of {name} that the vocabulary does not have"] = round(float(share), 4)
            findings += [
                Finding("note", "empty", source.describe(split, int(i)), "has no tokens")
                for i in np.flatnonzero(lengths == 0)
            ]
        for i in range(count):
            whole = b"\0".join(np.ascontiguousarray(arrays[part][i]).tobytes() for part in features.vocabularies)
            own = int(arrays[LABEL][i]) if LABEL in arrays and arrays[LABEL].ndim == 1 else 0
            duplicate(whole.rstrip(b"\0"), split, i, own, seen, findings, source.describe, features.class_names)
    return Report(source.name, dict(features.splits), classes, {}, {}, tuple(findings), values)
