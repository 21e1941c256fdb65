"""What is said to a person about their text, and where.

SpecError            what ``load`` raises: one or more diagnostics, in file order
  └ Diagnostic       code, message, span, help, one note per enclosing call
      └ Span         a stretch of one line of a source
          └ Source   a named text
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from archspec.ir.patterns import Pattern

MAX_DIAGNOSTICS = 50
MAX_TEXT = 2048
MAX_NOTES = 12
"""More calls within calls are shown by the innermost and the outermost ``ENDS``."""
ENDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A text with the name it is reported under (a path as the user gave it, or ``prelude.yaml``). Words of a command
    line (``is_typed``) are the text of the option that ``name`` is; they are quoted, for they have no lines."""

    name: str
    text: str = field(repr=False)
    is_typed: bool = False

    @property
    def lines(self) -> list[str]:
        """All lines without their line breaks."""
        return _lines(self)

    def line(self, number: int) -> str:
        """Line ``number`` (1-based) without its line break; empty past the end."""
        lines = self.lines
        return lines[number - 1] if 0 < number <= len(lines) else ""


@lru_cache(maxsize=16)
def _lines(source: Source) -> list[str]:
    return source.text.splitlines()


@dataclass(frozen=True, slots=True)
class Span:
    """``length`` characters from a 1-based line and column of a source."""

    source: Source
    line: int
    column: int
    length: int = 1
    given: Span | None = field(default=None, compare=False)
    """Where the value was given, if a name of it stands here."""

    def __str__(self) -> str:
        if self.source.is_typed:
            return printable(f"{self.source.name} {self.source.text}".rstrip())
        return f"{self.source.name}:{self.line}:{self.column}"

    @property
    def order(self) -> tuple[str, int, int]:
        """Sort key: file, line, column."""
        return (self.source.name, self.line, self.column)


def typed(option: str, text: str) -> Span:
    """The words of a command line: an option and its value; no option where a verb's own argument is meant."""
    return Span(Source(option, text, is_typed=True), 1, 1, max(1, len(text)))


def retyped(error: SpecError, words: Mapping[str, Span]) -> SpecError:
    """The same mistakes, at other words: ``--variant``, or the names of parameters that ``--set`` stands for."""

    def span(said: Diagnostic) -> Span:
        source = said.span.source
        name = source.text.partition("=")[0] if source.name == "--set" else source.name
        return words.get(name, said.span) if source.is_typed else said.span

    return SpecError(replace(said, span=span(said)) for said in error.diagnostics)


@dataclass(frozen=True, slots=True)
class Note:
    """A place that led to the error, such as the call of the block that it is in."""

    message: str
    span: Span

    def __str__(self) -> str:
        return f"{self.message} at {self.span}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: a stable code, what was wrong with what was received, where, and how to mend it."""

    code: str
    message: str
    span: Span
    help: str | None = None
    notes: tuple[Note, ...] = ()
    severity: str = "error"

    @property
    def order(self) -> tuple[str, int, int]:
        """Sort key: where the mistake is; one in another file stands where the person's own file calls it."""
        outer = self.notes[-1].span if self.notes else self.span
        return (self.span if outer.source is self.span.source else outer).order

    def render(self, *, source_line: bool = True) -> str:
        """``file:line:col: error[CODE]: message``, then the line with carets, the help and the call notes; of words of
        the command line, ``archspec: error[CODE]: --option value: message``."""
        source, mark, message = self.span.source, f"{self.severity}[{self.code}]", printable(self.message)
        if source.is_typed:
            quoted = f"{self.span}: " if source.name else ""
            out = [f"archspec: {mark}: {quoted}{message}"]
        else:
            out = [f"{self.span}: {mark}: {message}"]
        if source_line and not source.is_typed and (text := self.span.source.line(self.span.line)):
            out += _underlined(text, self.span)
        if self.help:
            out.append(f"  help: {printable(self.help)}")
        notes = [f"  {printable(str(note))}" for note in self.notes]
        if len(notes) > MAX_NOTES:
            notes[ENDS:-ENDS] = [f"  … {len(notes) - 2 * ENDS} calls between …"]
        out += notes
        return "\n".join(out)

    def record(self) -> dict[str, Any]:
        """The same as plain data, for ``--format json``. Words of the command line are the ``argument``; they have no
        place, so ``file`` and the numbers are null."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": printable(self.message),
            **_place(self.span),
            "length": None if self.span.source.is_typed else self.span.length,
            "help": self.help,
            "notes": [{"message": n.message, **_place(n.span)} for n in self.notes],
        }


def _place(span: Span) -> dict[str, Any]:
    if span.source.is_typed:
        return {"file": None, "line": None, "column": None, "argument": str(span).strip()}
    return {"file": span.source.name, "line": span.line, "column": span.column}


class SpecError(Exception):
    """A spec (or run file) that cannot be used: ``diagnostics`` holds every independent error, in file order."""

    def __init__(self, diagnostics: Iterable[Diagnostic]):
        self.diagnostics = in_order(diagnostics)[:MAX_DIAGNOSTICS]
        super().__init__("\n".join(d.render() for d in self.diagnostics))


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Diagnostics in the order of the text."""
    return tuple(sorted(diagnostics, key=lambda d: (d.order, d.span.order)))


MOST_KNOWN = 8
FEW_KNOWN = 6
FAIR = 0.7
"""How alike two words must be (``difflib``'s ratio) for one to be proposed for the other."""


def did_you_mean(word: object, known: Iterable[object]) -> str | None:
    """``did you mean 'x'?`` for the nearest known word, or None when nothing is near."""
    return _nearest(str(word)[:64], tuple([str(k) for k in known]))


_MEANT = Pattern(r"did you mean '([^']+)'")


def meant_by(help: str | None) -> str | None:
    """The word that ``did_you_mean`` proposes in a help."""
    found = _MEANT.search(help or "")
    return found[1] if found is not None else None


@lru_cache(maxsize=256)
def _nearest(written: str, words: tuple[str, ...]) -> str | None:
    from difflib import get_close_matches

    # The first words of a name are its short form, whatever else is spelled nearly so: resnet8 is no resnet18.
    begun = [w for w in words if w.lower().startswith(f"{written.lower()}_")]
    if begun and written.lower() not in (w.lower() for w in words):
        return f"did you mean '{min(begun, key=len)}'?"
    # A short form of a word, or what it is one of, comes before words that only look somewhat alike.
    short = [w for w in words if len(w) > 2 and len(written) > 2 and (written.startswith(w) or w.startswith(written))]
    for text in dict.fromkeys((written, written.lower())):
        near = get_close_matches(text, words, n=1, cutoff=0.85) or get_close_matches(text, short, n=1, cutoff=0)
        if near := near or get_close_matches(text, words, n=1, cutoff=FAIR):
            return f"did you mean '{near[0]}'?"
    letters = sorted(written.lower())
    swapped = next((w for w in words if len(w) == len(written) and sorted(w) == letters), None)
    return f"did you mean '{swapped}'?" if swapped else None


def known_are(words: Iterable[object], near: object = "") -> str:
    """``known are a, b, c``: all of a few words, of many those that are most like ``near``, and how many there are."""
    known = [str(word) for word in words]
    if len(known) > MOST_KNOWN:
        from difflib import SequenceMatcher

        alike = sorted(known, key=lambda word: -SequenceMatcher(None, str(near).lower(), word.lower()).ratio())
        return f"known are {', '.join(alike[:FEW_KNOWN])} and {len(known) - FEW_KNOWN} more"
    return f"known are {', '.join(known)}"


def listed(words: Iterable[object], limit: int = 8) -> str:
    """The first of several words, with commas: a list that can be read in a line."""
    found = [str(word) for word in words]
    return ", ".join(found if len(found) <= limit else [*found[:limit], "…"])


def amount(count: int, thing: str) -> str:
    """So many of a thing: ``1 layer``, ``2,000 layers``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def shown(value: object, limit: int = 80) -> str:
    """``value`` as an error message quotes it: YAML's words, strings in quotes, never longer than ``limit``."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{k}: {shown(v, 24)}" for k, v in list(value.items())[:8]) + "}"
    elif isinstance(value, (list, tuple)):
        text = "[" + ", ".join(shown(v, 24) for v in list(value)[:12]) + (", …]" if len(value) > 12 else "]")
    else:
        text = repr(value[: limit + 1]) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def plain(value: object, limit: int = 80) -> str:
    """``value`` as a person would write it in a spec: in one line, words without quotes where they need none."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        text = "{" + ", ".join(k if v is None else f"{k}: {plain(v)}" for k, v in value.items()) + "}"
    elif isinstance(value, (list, tuple)):
        text = "[" + ", ".join(plain(v) for v in value) + "]"
    elif isinstance(value, str):
        text = f'"{value}"' if not value or any(c in value for c in ",[]{}#:") else value
    else:
        text = shown(value)
    return text if len(text) <= limit else "…"


def advised(message: str, help: str | None) -> str:
    """A message in one line with what would do, if that is known."""
    return f"{message}; {help}" if help else message


def printable(text: str) -> str:
    """``text`` with control and bidirectional characters escaped, so that a name cannot drive a terminal."""
    text = text[:MAX_TEXT]
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == " " else f"\\x{ord(c):02x}" for c in text)


def _underlined(text: str, span: Span, width: int = 100) -> list[str]:
    """The source line and a line of carets below the span, both cut to a window around the span."""
    start = max(0, span.column - 1 - width // 2) if len(text) > width else 0
    window = text[start : start + width].replace("\t", " ")
    left = span.column - 1 - start
    carets = "^" * max(1, min(span.length, len(window) - left))
    return [f"    {printable(window)}", f"    {' ' * left}{carets}"]
