"""What a person should know of their data before training on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from statistics import median
from typing import Any, cast

from archspec.data import files
from archspec.data.files import Entry, InFiles, Listing
from archspec.data.images import BadImage, header
from archspec.data.source import ENCODED, IMAGE, LABEL, TRAIN, DataSource
from archspec.ir.diagnostics import printable

SHOWN = 10
"""Most examples of one kind of finding that the text names."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one example (or class). ``error`` is what training would stop at, ``note`` what to know."""

    severity: str
    kind: str
    """What findings are counted by."""
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """Numbers of a source by split, and what was found."""

    source: str
    splits: dict[str, int]
    classes: dict[str, dict[str, int]]
    """Examples by class name and split."""
    sizes: dict[str, tuple[int, int, int, int]]
    """Least, median and largest number of pixels along the shorter side, and how many sizes there are, by split."""
    formats: dict[str, int]
    findings: tuple[Finding, ...] = ()
    values: dict[str, float] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        """True where training would not stop."""
        return not any(f.severity == "error" for f in self.findings)

    def record(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "source": self.source,
            "splits": self.splits,
            "classes": self.classes,
            "sizes": {
                s: dict(zip(("least", "median", "largest", "distinct"), n, strict=True)) for s, n in self.sizes.items()
            },
            "formats": self.formats,
            "values": self.values,
            "findings": [
                {"severity": f.severity, "kind": f.kind, "where": printable(f.where), "message": printable(f.message)}
                for f in self.findings
            ],
        }

    def text(self) -> str:
        """For a person: the numbers, then findings by kind, the worst first."""
        out = [f"{self.source}: " + ", ".join(f"{n} in {s}" for s, n in self.splits.items())]
        if self.classes:
            counts = [c.get(TRAIN, 0) for c in self.classes.values()]
            least = min(self.classes, key=lambda name: self.classes[name].get(TRAIN, 0))
            most = max(self.classes, key=lambda name: self.classes[name].get(TRAIN, 0))
            out.append(
                f"{len(self.classes)} classes of {min(counts)} ({printable(least)}) to {max(counts)} "
                f"({printable(most)}) examples in {TRAIN}"
            )
        for split, (low, middle, high, distinct) in self.sizes.items():
            out.append(f"{split}: shorter sides of {low} to {high} pixels, median {middle}, {distinct} sizes")
        if self.formats:
            out.append("formats: " + ", ".join(f"{n} {name}" for name, n in self.formats.items()))
        if self.values:
            out.append("values: " + ", ".join(f"{name} {value:g}" for name, value in self.values.items()))
        kinds: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.findings:
            kinds.setdefault((finding.severity, finding.kind), []).append(finding)
        for (severity, kind), found in sorted(kinds.items(), key=lambda item: (item[0][0] != "error", -len(item[1]))):
            out.append(f"{severity}: {kind}: {len(found)}")
            out += [f"  {printable(f.where)} {printable(f.message)}" for f in found[:SHOWN]]
            if len(found) > SHOWN:
                out.append(f"  … and {len(found) - SHOWN} more")
        if not self.findings:
            out.append("nothing to object to")
        return "\n".join(out)


def check(source: DataSource) -> Report:
    """Read and decode everything. Raises DataError where there is nothing to read."""
    features = source.features()
    if source.is_encoded:
        return _of_files(source, cast(InFiles, source))
    if features.vocabularies:
        from archspec.data.check_text import of_text

        return of_text(source)
    import numpy as np

    findings: list[Finding] = []
    classes: dict[str, dict[str, int]] = {}
    values: dict[str, float] = {}
    seen: dict[bytes, tuple[str, int, int]] = {}
    for split in features.splits:
        arrays = source.arrays(split)
        image, label = arrays[IMAGE], arrays[LABEL]
        counts = np.bincount(label, minlength=features.classes or 1)
        for i, n in enumerate(counts):
            classes.setdefault(class_name(features.class_names, i), {})[split] = int(n)
            if split == TRAIN and not n:
                findings.append(
                    Finding("error", "class without examples", class_name(features.class_names, i), "is empty")
                )
        if image.dtype.kind == "f":
            bad = ~np.isfinite(image).reshape(len(image), -1).all(1)
            findings += [
                Finding("error", "not a number", source.describe(split, int(i)), "holds NaN or infinity")
                for i in np.flatnonzero(bad)
            ]
        flat = image.reshape(len(image), -1)
        findings += [
            Finding("note", "one value only", source.describe(split, int(i)), f"is {flat[i, 0]} everywhere")
            for i in np.flatnonzero(flat.min(1) == flat.max(1))
        ]
        if split == TRAIN:
            values = {
                "least": float(np.min(flat)),
                "largest": float(np.max(flat)),
                "mean": round(float(np.mean(flat, dtype=np.float64)), 4),
                "std": round(float(np.std(flat, dtype=np.float64)), 4),
            }
        for i, row in enumerate(flat):
            duplicate(row.tobytes(), split, i, int(label[i]), seen, findings, source.describe, features.class_names)
    return Report(source.name, dict(features.splits), classes, {}, {}, tuple(findings), values)


def _of_files(source: DataSource, listed: InFiles) -> Report:
    listing = listed.listing()
    findings: list[Finding] = []
    formats: Counter[str] = Counter()
    classes: dict[str, dict[str, int]] = {}
    sizes: dict[str, tuple[int, int, int, int]] = {}
    seen: dict[bytes, tuple[str, int, int]] = {}
    for split, entries in listing.splits.items():
        bad = files.broken(listed, split)
        found: list[tuple[int, int]] = []
        for i, entry in enumerate(entries):
            if listing.class_names:
                by_split = classes.setdefault(class_name(listing.class_names, entry.label), {})
                by_split[split] = by_split.get(split, 0) + 1
            if i in bad:
                findings.append(Finding("error", "cannot be decoded", entry.name, bad[i]))
                continue
            _look(listed, listing, entry, split, i, formats, found, seen, findings, source)
        if found:
            short = [min(size) for size in found]
            sizes[split] = min(short), int(median(short)), max(short), len(set(found))
    findings += [Finding("note", "not an example", stray, "is left out") for stray in listing.strays]
    findings += [Finding("note", *fault) for fault in listing.faults]
    counts = {split: len(entries) for split, entries in listing.splits.items()}
    return Report(source.name, counts, classes, sizes, dict(formats.most_common()), tuple(findings))


def _look(
    source: InFiles,
    listing: Listing,
    entry: Entry,
    split: str,
    position: int,
    formats: Counter[str],
    sizes: list[tuple[int, int]],
    seen: dict[bytes, tuple[str, int, int]],
    findings: list[Finding],
    described: DataSource,
) -> None:
    """Note what one sound file is."""
    data = files.content(entry)
    if entry.length >= 0 and not entry.packed and data[:1] == b"\n":
        import tensorflow as tf

        data = source.parsed(tf.constant(data))[ENCODED].numpy()
    try:
        head = header(data, name=entry.name, max_pixels=source.max_pixels)
    except BadImage as error:
        # The decoder took it, which is what counts.
        findings.append(Finding("note", "odd file", entry.name, str(error)))
        return
    formats[head.format] += 1
    if head.height:
        sizes.append((head.height, head.width))
        if min(head.height, head.width) < 8:
            findings.append(Finding("note", "tiny", entry.name, f"is {head.width}×{head.height}"))
        elif max(head.height, head.width) > 20 * min(head.height, head.width):
            findings.append(Finding("note", "very long", entry.name, f"is {head.width}×{head.height}"))
    for note in head.notes:
        kind = "named otherwise" if note.startswith("is named") else note.split(",")[0]
        findings.append(Finding("note", kind, entry.name, note))
    names = listing.class_names
    duplicate(data, split, position, entry.label, seen, findings, described.describe, names)


def duplicate(
    data: bytes,
    split: str,
    position: int,
    label: int,
    seen: dict[bytes, tuple[str, int, int]],
    findings: list[Finding],
    describe: Any,
    names: tuple[str, ...] = (),
) -> None:
    """Note an example that was there before: in another split it makes figures better than they are, and under another
    label one of the two is wrong."""
    key = blake2b(data, digest_size=16).digest()
    if key not in seen:
        seen[key] = (split, position, label)
        return
    other, where, called = seen[key]
    if called != label:
        kind = "under two labels"
        said = f"has the label {class_name(names, label)} and is the same as {describe(other, where)}, which has "
        findings.append(Finding("note", kind, describe(split, position), said + class_name(names, called)))
        if other == split:
            return
    kind = "twice" if other == split else f"in {other} and in {split}"
    findings.append(Finding("note", kind, describe(split, position), f"is the same as {describe(other, where)}"))


def class_name(names: tuple[str, ...], label: int) -> str:
    return names[label] if label < len(names) else str(label)
