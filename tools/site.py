"""Hooks of the documentation site (``mkdocs build``): the README is its first page, specs and cited code go with it.

The pages link to files of the repository (``../specs/lenet/lenet5.yaml``), as a reader on a code host expects; on the
site those files lie beside the pages.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
TOP = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}
"""Pages that lie beside ``docs``, and their names on the site."""
OUT_OF_DOCS = re.compile(
    r"\]\(((?:\.\./)*)\.\./((?:specs|archspec|tests|tools)/[^)#\s]+|LICENSE|CONTRIBUTING\.md|CHANGELOG\.md)"
)
README = re.compile(r"\]\(((?:\.\./)*)\.\./README\.md")
NAMED_FENCE = re.compile(r"^```(\w+) \S+$", re.MULTILINE)
"""A code block that says which file it is, to the tests that write it; the site's Markdown takes it for no block."""
INTO_DOCS = re.compile(r"\]\(docs/([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages beside ``docs``, and every other file outside it that a page links to."""
    linked = {name for page in files.documentation_pages() for _, name in OUT_OF_DOCS.findall(page.content_string)}
    for name, target in TOP.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, target, content=INTO_DOCS.sub(r"](\1)", text)))
    for name in sorted((linked | {"LICENSE"}) - {*TOP}):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, **kwargs: Any) -> str:
    """Point links that leave ``docs`` to where those files lie on the site, one folder nearer. Code blocks lose
    their names."""
    markdown = NAMED_FENCE.sub(r"```\1", markdown)
    return README.sub(r"](\1index.md", OUT_OF_DOCS.sub(r"](\1\2", markdown))
