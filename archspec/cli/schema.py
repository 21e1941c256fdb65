"""Print the JSON Schema of spec files, of one with its own blocks and imports, or of run files, for editors."""

from __future__ import annotations

import argparse
from typing import Any

RUN = "run"
"""What is said in place of a spec for the schema of run files; a spec of this name goes by its path."""

EXAMPLES = (
    "archspec schema > archspec.schema.json",
    "archspec schema net.yaml",
    "archspec schema run > run.schema.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The spec, if one is meant, or the word for run files."""
    help = "path or name of a spec; the word run, or a run file: any run file; without it, any spec file"
    parser.add_argument("spec", nargs="?", metavar="SPEC|run", help=help)


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    from json import dumps

    from archspec.cli._output import write

    write(dumps(_run_files() if args.spec == RUN else _spec_files(args.spec), indent=1, ensure_ascii=False))
    return 0


def _run_files() -> dict[str, Any]:
    from archspec.training.schema import run_schema

    return run_schema()


def _spec_files(spec: str | None) -> dict[str, Any]:
    from archspec.frontend import prelude
    from archspec.frontend.schema import file_schema

    document, used = (None, {}) if spec is None else _read(spec)
    if isinstance(document, dict) and "archspec_run" in document:
        return _run_files()
    return file_schema(document, prelude(), used)


def _read(spec: str) -> tuple[object, dict[str, object]]:
    """The values of a spec file and of the files that it uses."""
    from archspec.frontend import tree, used_trees

    values, path = tree(spec)
    return values, used_trees(values, path)
