"""What may be written at a place of a run file, and what stands there, by the schema of run files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, reduce
from operator import getitem
from typing import Any

from archspec.frontend.completion import Completion, Nesting, opened

Json = dict[str, Any]
_RUN = re.compile(r"^archspec_run\s*:", re.MULTILINE)
_BEGUN = re.compile(r"[\w.]*\Z")
_WORD = re.compile(r"\w+")
_KEY_ENDS = re.compile(r"[\"']?\s*:(?=\s|$)")


def is_run(text: str) -> bool:
    """Whether a text, which may be broken, is a run file's."""
    return _RUN.search(text) is not None


@cache
def _schema() -> Json:
    from archspec.training.schema import run_schema

    return run_schema()


def completions(text: str, offset: int) -> list[Completion]:
    """Keys or values at ``offset`` characters into the text; none within a comment. Words are whole: what of them is
    written already is for the editor to match."""
    before = text[:offset]
    begun = _BEGUN.search(before)
    open_in, is_value = opened(before[: begun.start()] if begun else before)
    if open_in is None:
        return []
    if is_value or (open_in and open_in[-1].kind in ("[", "item")):
        keys = _keys(open_in)
        if keys == ["spec"]:
            from archspec.frontend import catalogue

            return [Completion(name, "value") for name in catalogue.names()]
        words = dict(_values(_at(keys)))
        if open_in[-1].kind == "item" and not is_value:
            # One with arguments begins the same line: - random_crop: {size: 32}.
            words |= {word: _said(one) for word, one in _properties(_at(keys))}
        return [Completion(word, "value", doc) for word, doc in words.items()]
    keys = _keys(open_in[:-1])
    kind = "argument" if keys else "section"
    return list({word: Completion(word, kind, _said(one)) for word, one in _properties(_at(keys))}.values())


def hover(text: str, offset: int) -> str | None:
    """Markdown about the key or the word at an offset."""
    word = next((m for m in _WORD.finditer(text) if m.start() <= offset <= m.end()), None)
    if word is None:
        return None
    open_in, _ = opened(text[: word.start()].rstrip("\"'"))
    if open_in is None:
        return None
    is_key = _KEY_ENDS.match(text, word.end()) is not None
    keys = _keys(open_in[:-1] if is_key and open_in and open_in[-1].kind in ("map", "{") else open_in)
    found = next((one for name, one in _properties(_at(keys)) if name == word[0]), None)
    if found is None or not (said := _said(found)):
        return None
    default = f" (default `{found['default']}`)" if "default" in found else ""
    return f"**{word[0]}**: {said}{default}"


def _keys(open_in: Sequence[Nesting]) -> list[str | None]:
    """The keys that lead to a place; None for an item of a list."""
    return [None if one.kind in ("[", "item") else one.key for one in open_in]


def _at(keys: Iterable[str | None]) -> list[Json]:
    """All that the schema says of the value at the end of keys."""
    found = [_schema()]
    for key in keys:
        inner: list[Json] = []
        for one in _alternatives(found):
            named = one.get("properties", {}).get(key, one.get("additionalProperties"))
            held = one.get("items") if key is None else named
            inner += [held] if isinstance(held, dict) else []
        found = inner
    return found


def _alternatives(schemas: Iterable[Json]) -> Iterator[Json]:
    """Schemas without references and choices."""
    for one in schemas:
        yield one
        if "$ref" in one:
            yield from _alternatives([reduce(getitem, one["$ref"].split("/")[1:], _schema())])
        for choice in ("anyOf", "oneOf", "allOf"):
            yield from _alternatives(one.get(choice, []))


def _properties(schemas: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    for one in _alternatives(schemas):
        yield from one.get("properties", {}).items()


def _values(schemas: Sequence[Json]) -> Iterator[tuple[str, str]]:
    """Words that a value may be, with what they are."""
    docs = {word: _said(one) for word, one in _properties(schemas)}
    for one in _alternatives(schemas):
        listed = one.get("enum", [one["const"]] if "const" in one else [])
        listed = [*listed, *((True, False) if one.get("type") == "boolean" else ())]
        for value in listed:
            word = str(value).lower() if isinstance(value, bool) else value
            if isinstance(word, str):
                yield word, docs.get(word, "")


def _said(schema: Json) -> str:
    return " ".join(str(schema.get("description", "")).replace("``", "`").split())
