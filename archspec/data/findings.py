"""What a check of data finds: numbers of a source, and one thing after another about its examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from archspec.data.feature import class_name
from archspec.data.source import TRAIN
from archspec.ir.diagnostics import printable

MAX_EXAMPLES = 10
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
    """Examples, or what ``noun`` says, by class name and split."""
    sizes: dict[str, tuple[int, int, int, int]]
    """Least, median and largest number of pixels along the shorter side, and how many sizes there are, by split."""
    formats: dict[str, int]
    findings: tuple[Finding, ...] = ()
    values: dict[str, float] = field(default_factory=dict)
    noun: str = "examples"
    """What is counted by class: ``objects`` where these have the classes."""

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

    def text(self, *, praised: bool = True) -> str:
        """For a person: the numbers, then findings by kind, the worst first; where there are none that is said, if
        ``praised``."""
        out = [f"{self.source}: " + ", ".join(f"{n} in {s}" for s, n in self.splits.items())]
        if self.classes:
            counts = [c.get(TRAIN, 0) for c in self.classes.values()]
            least = min(self.classes, key=lambda name: self.classes[name].get(TRAIN, 0))
            most = max(self.classes, key=lambda name: self.classes[name].get(TRAIN, 0))
            range_ = f"{min(counts)} ({printable(least)}) to {max(counts)} ({printable(most)}) {self.noun}"
            each = f"{max(counts)} {self.noun} each"
            if len(counts) == 1:
                out.append(f"1 class, {printable(least)}, of {max(counts)} {self.noun} in {TRAIN}")
            else:
                out.append(f"{len(counts)} classes of {each if len(set(counts)) == 1 else range_} in {TRAIN}")
        for split, (low, middle, high, distinct) in self.sizes.items():
            sizes = "one size" if distinct == 1 else f"{distinct} sizes"
            span = f"{low} pixels" if low == high else f"{low} to {high} pixels, median {middle}"
            out.append(f"{split}: shorter sides of {span}, {sizes}")
        if self.formats:
            out.append("formats: " + ", ".join(f"{n} {name}" for name, n in self.formats.items()))
        if self.values:
            out.append("values: " + ", ".join(f"{name} {value:g}" for name, value in self.values.items()))
        kinds: dict[tuple[str, str], list[Finding]] = {}
        for finding in self.findings:
            kinds.setdefault((finding.severity, finding.kind), []).append(finding)
        for (severity, kind), found in sorted(kinds.items(), key=lambda item: (item[0][0] != "error", -len(item[1]))):
            out.append(f"{severity}: {kind}: {len(found)}")
            out += [f"  {printable(f.where)} {printable(f.message)}" for f in found[:MAX_EXAMPLES]]
            if len(found) > MAX_EXAMPLES:
                out.append(f"  … and {len(found) - MAX_EXAMPLES} more")
        if praised and not self.findings:
            out.append("no problems found")
        return "\n".join(out)


def merged(source: str, splits: Mapping[str, int], parts: Mapping[str, Report]) -> Report:
    """One report of data that are put together from others, of which each has its own; of several each is named."""

    def of(kind: Callable[[Report], dict[str, Any]]) -> dict[str, Any]:
        alone = len(parts) == 1
        return {
            key if alone else f"{name}, {key}": value
            for name, report in parts.items()
            for key, value in kind(report).items()
        }

    formats: Counter[str] = Counter()
    for report in parts.values():
        formats.update(report.formats)
    findings = tuple(finding for report in parts.values() for finding in report.findings)
    classes, sizes, values = of(lambda r: r.classes), of(lambda r: r.sizes), of(lambda r: r.values)
    return Report(source, dict(splits), classes, sizes, dict(formats), findings, values)


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
