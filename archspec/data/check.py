"""What a person should know of their data before training on it."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import cast

from archspec.data import files
from archspec.data.example import CORNERS, LABEL
from archspec.data.feature import class_name
from archspec.data.features.label import Label
from archspec.data.files import FileEntry, InFiles, Listing
from archspec.data.findings import Finding, Report, duplicate, merged
from archspec.data.images import BadImage, header
from archspec.data.source import ENCODED, TRAIN, DataSource


def check(source: DataSource) -> Report:
    """Read and decode everything. Raises DataError where there is nothing to read."""
    features = source.features()
    if parts := source.made_of:
        return merged(source.name, features.splits, {name: check(part) for name, part in parts.items()})
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
    order = [*features.targets, *(name for name in features.features if name not in (*features.targets, CORNERS))]
    kinds = {name: features.features[name] for name in order}
    # Where examples have no target, what is to be learnt are their objects.
    told = features.targets or tuple(name for name, kind in kinds.items() if kind.rows is not None)
    given = [name for name, kind in kinds.items() if name not in features.targets and kind.rows is None]
    for split in features.splits:
        arrays = source.arrays(split)
        for name, feature in kinds.items():
            before = "" if name == LABEL or name in given else f"{name} "
            behind = "" if name not in given or len(given) == 1 else f" in {name}"
            for severity, of, where, message in feature.check(arrays[name], is_training=split == TRAIN):
                place = f"{before}{where}" if isinstance(where, str) else source.describe(split, where)
                findings.append(Finding(severity, of, place, message + behind))
            for called, count in feature.tally(arrays[name]).items() if name in told else ():
                classes.setdefault(before + called, {})[split] = count
        read = [arrays[name].reshape(len(arrays[name]), -1) for name in given]
        if split == TRAIN and len(read) == 1:
            (flat,) = read
            values = {
                "least": float(np.min(flat)),
                "largest": float(np.max(flat)),
                "mean": round(float(np.mean(flat, dtype=np.float64)), 4),
                "std": round(float(np.std(flat, dtype=np.float64)), 4),
            }
        kind = kinds.get(LABEL)
        label = arrays[LABEL] if isinstance(kind, Label) and not kind.is_mixed else None
        for i, rows in enumerate(zip(*read, strict=True)):
            number = 0 if label is None else int(label[i])
            whole = b"".join(row.tobytes() for row in rows)
            duplicate(whole, split, i, number, seen, findings, source.describe, features.class_names)
    return Report(source.name, dict(features.splits), classes, {}, {}, tuple(findings), values)


LOOKED_AT = 32
"""Images of each split that ``glance`` looks at, evenly spread over it."""
READ = 1 << 24
"""Most bytes of a file that it reads."""


def glance(source: DataSource) -> list[Finding]:
    """What can be seen of some image files without a decoder: ``error`` for what none takes, ``note`` for what looks
    broken. Nothing where the source leaves broken files out. Raises DataError."""
    if parts := source.made_of:
        return [finding for part in parts.values() for finding in glance(part)]
    listed = cast(InFiles, source)
    if not source.is_encoded or listed.on_bad != "fail":
        return []
    found = []
    for entries in listed.listing().splits.values():
        for i in range(min(LOOKED_AT, len(entries))):
            entry = entries[i * len(entries) // min(LOOKED_AT, len(entries))]
            found += _seen(entry, listed.max_pixels)
    return found


def _seen(entry: FileEntry, max_pixels: int) -> list[Finding]:
    """What the first bytes of one image file say against it."""
    try:
        data = files.content(entry, READ)
    except OSError as error:
        return [Finding("error", "cannot be read", entry.name, f"cannot be read ({error.strerror})")]
    except ValueError as error:
        return [Finding("error", "cannot be read", entry.name, str(error))]
    if entry.length >= 0 and data[:1] == b"\n":
        # A record, of which the image is a part.
        return []
    try:
        header(data, max_pixels=max_pixels)
    except BadImage as error:
        if error.is_certain or len(data) < READ:
            return [Finding("error" if error.is_certain else "note", "cannot be decoded", entry.name, str(error))]
    return []


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
            for number in _classes(listing, entry):
                by_split = classes.setdefault(class_name(listing.class_names, number), {})
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
    noun = "examples" if listing.most is None else "objects"
    return Report(source.name, counts, classes, sizes, dict(formats.most_common()), tuple(findings), noun=noun)


def _classes(listing: Listing, entry: FileEntry) -> tuple[int, ...]:
    """The classes that an entry is an example of, or has objects of."""
    if listing.most is not None:
        return tuple(one.label for one in entry.objects)
    return (entry.label,) if listing.class_names else ()


def _look(
    source: InFiles,
    listing: Listing,
    entry: FileEntry,
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
