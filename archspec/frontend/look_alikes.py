"""Characters that look like those of the language and are others: typographic quotes, wide colons, hard spaces."""

from __future__ import annotations

_LOOK_ALIKES = {
    **dict.fromkeys("“”„‟«»", ('"', "a typographic quote")),
    **dict.fromkeys("‘’‚", ("'", "a typographic quote")),
    **dict.fromkeys("\u00a0\u2007\u202f\u2002\u2003\u3000", (" ", "a no-break space")),
    **dict.fromkeys("\u200b\ufeff\u2060", ("", "a space of no width")),
    "：": (":", "a full-width colon"),
    "，": (",", "a full-width comma"),
    "＝": ("=", "a full-width ="),
    "（": ("(", "a full-width bracket"),
    "）": (")", "a full-width bracket"),
    "［": ("[", "a full-width bracket"),
    "］": ("]", "a full-width bracket"),
    **dict.fromkeys("−–—‐‑", ("-", "a typographic minus")),
    "×": ("x", "a typographic x"),
}
"""Characters that look like those of the language, what they are taken for, and their names."""


def look_alike(text: str) -> tuple[str, str] | None:
    """The name of the first character that only looks like one of the language, and the text without such."""
    found = next((c for c in text if c in _LOOK_ALIKES), None)
    if found is None:
        return None
    plain = "".join(_LOOK_ALIKES.get(c, (c, ""))[0] for c in text)
    return _LOOK_ALIKES[found][1], " ".join(plain.split())
