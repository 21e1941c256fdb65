"""The frame of every page: its policy, style and script, and the data that the script works on."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from json import dumps

POLICY = "default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy: nothing is loaded, and of styles and scripts only those of the page are taken."""
NEWS = '<div id="news" role="alert" hidden></div>'
"""Where a live page says what is wrong."""
_IN_JSON = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def document(title: str, body: str, data: object, *, live: str | None = None, has_images: bool = False) -> str:
    """A page of ``body``, which is HTML, and ``data``, which is anything that JSON has. A ``live`` one is that version,
    and may ask its own server for news; one that ``has_images`` holds them itself."""
    style, script = asset("page.css"), asset("page.js")
    policy, of = POLICY.format(style=_source(style), script=_source(script)), ""
    if has_images:
        policy = f"{policy}; img-src data:"
    if live is not None:
        policy, of = f"{policy}; connect-src 'self'", f' data-live="{escape(live)}"'
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body{of}>\n"
        f'{body}\n<script type="application/json" id="data">{in_script(data)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>"
    )


def header(caption: str, doc: str = "") -> str:
    """The head of a page that can be searched, and the place of its news."""
    said = f'<p class="doc">{escape(doc.strip())}</p>' if doc.strip() else ""
    return (
        f"<header><h1>{escape(caption)}</h1>{said}"
        '<div class="tools"><input type="search" id="search" placeholder="search layers ( / )" aria-label="search '
        'layers"><output id="found" aria-live="polite"></output><details><summary>keys</summary><p><kbd>/</kbd> search '
        "<kbd>Esc</kbd> clear <kbd>[</kbd> fold <kbd>]</kbd> unfold <kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd> zoom "
        "<kbd>↑</kbd> <kbd>↓</kbd> the layer before and behind <kbd>Enter</kbd> open a folded block. A double click "
        f"opens a block, and folds it again at its frame.</p></details></div></header>{NEWS}"
    )


def in_script(data: object) -> str:
    """JSON that no text in it can leave a ``<script>`` by."""
    return dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_IN_JSON)


@cache
def asset(name: str) -> str:
    """A file beside this one."""
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
