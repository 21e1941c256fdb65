"""Print the JSON Schema of spec files, or of one file with its own blocks and imports, for editors."""

from __future__ import annotations

import argparse

EXAMPLES = (
    "archspec schema > archspec.schema.json",
    "archspec schema net.yaml",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The spec, if one is meant."""
    parser.add_argument("spec", nargs="?", metavar="SPEC", help="path or name of a spec; without it, any spec file")


def run(args: argparse.Namespace) -> int:
    """Print the schema."""
    from json import dumps

    from archspec.cli._output import write
    from archspec.frontend import prelude
    from archspec.frontend.schema import file_schema

    document, used = (None, {}) if args.spec is None else _read(args.spec)
    write(dumps(file_schema(document, prelude(), used), indent=1, ensure_ascii=False))
    return 0


def _read(spec: str) -> tuple[object, dict[str, object]]:
    """The values of a spec file and of the files that it uses."""
    from archspec.frontend import tree, used_trees

    values, path = tree(spec)
    return values, used_trees(values, path)
