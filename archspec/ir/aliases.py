"""What other libraries and papers call things: ``aliases.toml``, read when a name is met that is no one's here.

A name is told as ours (``'bn' is batch_norm in archspec``), or with what to write instead; only then is the nearest
known word guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from archspec.ir.diagnostics import did_you_mean

FAMILIES = {"op": ("op", "activation"), "op or block": ("op", "activation"), "merge": ("merge", "op")}
"""Sections of the table that are read for a kind, where they are not the kind's own."""


class Alias(NamedTuple):
    """A name from elsewhere: our names for it, or what to write instead."""

    name: str
    ours: tuple[str, ...]
    instead: str


def alias(kind: str, name: object, known: Iterable[str] = ()) -> str | None:
    """What to write in place of a name that is not known, if another library or the literature calls something so.

    ``kind`` is the word for what was asked for (``op``, ``loss``, ``parameter`` …); of several names of ours, the first
    that is ``known`` counts.
    """
    known = tuple(map(str, known))
    written, _, called = str(name)[:64].partition("(")
    # What a module calls otherwise than everybody is listed with it: F.linear is dense, and a linear activation linear.
    within = written.rpartition(".")[0].rpartition(".")[2]
    written = written.rpartition(".")[2] or written
    dotted, plain = f"{within}.{written}", _plain(written)
    for section in FAMILIES.get(kind, (kind,)) if within else ():
        if (listed := _table().get(section, {}).get(_plain(dotted))) is not None and listed.name == dotted:
            if ours := next((o for o in listed.ours if o in known), None):
                return f"did you mean '{ours}'? ('{dotted}' is {ours} in archspec)"
            return listed.instead
    if (whole := f"{written}{called.strip(') ')}") in known and called:
        return f"did you mean '{whole}'?"
    if called.strip(") ") and (bare := alias(kind, written, known)) is not None:
        return f"{bare} Its arguments stand after a colon, by name" if bare[-1] == "?" else bare
    own = next((k for k in known if _plain(k) == plain), None) if plain else None
    for section in FAMILIES.get(kind, (kind,)) if own is not None else ():
        # A class of another library that is spelled as ours is, but for its case, and means another thing.
        other = _table().get(section, {}).get(plain)
        if other is not None and other.name == written:
            if ours := next((o for o in other.ours if o in known), None):
                return f"did you mean '{ours}'? ('{written}' is {ours} in archspec)"
            if other.instead:
                return other.instead
    if own is not None:
        return f"did you mean '{own}'?"
    for section in FAMILIES.get(kind, (kind,)):
        found = _table().get(section, {}).get(plain)
        if found is None:
            continue
        if ours := next((o for o in found.ours if o in known), None):
            near = did_you_mean(written, [ours])
            return near or f"did you mean '{ours}'? ('{found.name}' is {ours} in archspec)"
        if found.instead:
            return found.instead
    return None


def same(kind: str, name: object, known: Iterable[str]) -> str | None:
    """The known name that means the same: what a name differs from in case and signs alone, or what the table says."""
    written, known = _plain(str(name)[:64]), tuple(known)
    entry = _table().get(kind, {}).get(written)
    found = (k for k in known if _plain(k) == written) if written else ()
    return next(iter((*found, *(o for o in (entry.ours if entry else ()) if o in known))), None)


def homonym(kind: str, name: str) -> str | None:
    """What a name of ours is elsewhere, if it is our name for something else there: linear is dense in PyTorch."""
    found = _table().get(kind, {}).get(_plain(name))
    return next((ours for ours in found.ours if ours != name), None) if found is not None else None


def suggested(kind: str, name: object, known: Iterable[str], otherwise: str | None = None) -> str | None:
    """What to write in place of an unknown name: as ``alias``, else the nearest known word, else ``otherwise``."""
    known = tuple(known)
    return alias(kind, name, known) or did_you_mean(name, known) or otherwise


def meanings(name: str) -> list[tuple[str, Alias]]:
    """What a name may be, of whatever kind: kinds and entries, in the order of the table."""
    plain = _plain(name)
    return [(kind, entries[plain]) for kind, entries in _table().items() if plain in entries]


def rows() -> Iterator[tuple[str, Alias]]:
    """Every name of the table with its kind."""
    for kind, entries in _table().items():
        for entry in entries.values():
            yield kind, entry


@cache
def _table() -> dict[str, dict[str, Alias]]:
    """By kind and plain name."""
    import tomllib

    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    out: dict[str, dict[str, Alias]] = {}
    for kind, parts in tomllib.loads(text).items():
        entries = out.setdefault(kind, {})
        for ours, theirs in parts.get("same", {}).items():
            for name in theirs:
                before = entries.get(_plain(name), Alias(name, (), ""))
                entries[_plain(name)] = before._replace(ours=tuple(dict.fromkeys((*before.ours, ours))))
        for names, instead in parts.get("instead", {}).items():
            for name in names.split(","):
                before = entries.get(_plain(name), Alias(name.strip(), (), ""))
                entries[_plain(name)] = before._replace(instead=instead)
    return out


def _plain(name: str) -> str:
    """A name without case and what divides its words."""
    return "".join(c for c in name.lower() if c.isalnum())
