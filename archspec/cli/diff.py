"""Show what changed between two specs: figures before and after, and every layer, input and output
that differs.

OLD and NEW are paths, names of specs or variants, or REVISION:PATH of git, such as HEAD~1:specs/net.yaml (files that it
uses are then not read). Without NEW it is OLD once more, for --new-set. Layers at one path are the same; a layer that
only has another name is no change. --set holds for both.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from archspec.cli import _arguments

if TYPE_CHECKING:
    from archspec.ir.graph import Graph

EXAMPLES = (
    "archspec diff old.yaml new.yaml",
    "archspec diff HEAD~1:specs/net.yaml specs/net.yaml --format markdown",
    "archspec diff net.yaml --new-set width=96",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """OLD, NEW, and the form."""
    parser.add_argument("old", metavar="OLD", help="a spec as it was")
    parser.add_argument("new", metavar="NEW", nargs="?", help="a spec as it is")
    _arguments.add_settings(parser)
    for which in ("old", "new"):
        parser.add_argument(
            f"--{which}-set",
            action="append",
            default=[],
            type=_arguments.setting,
            metavar="NAME=VALUE",
            help=f"give a parameter of {which.upper()} alone a value",
        )
    _arguments.add_training(parser)
    parser.add_argument("--all", action="store_true", help="show every change, however many there are")
    parser.add_argument("--exit-code", action="store_true", help="exit 1 if anything differs")
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Load both, compare, print."""
    from archspec.cli._output import write
    from archspec.report.difference import MAX_LINES, Diff

    new = args.old if args.new is None else args.new
    before = _graph(args.old, args, dict(args.old_set))
    after = _graph(new, args, dict(args.new_set))
    names = (_called(args.old, args.old_set), _called(new, args.new_set))
    found = Diff(before, after, names)
    write(found.render(args.format, most=None if args.all else MAX_LINES))
    return int(args.exit_code and found.differs)


def _graph(spec: str, args: argparse.Namespace, own: dict[str, Any]) -> Graph:
    """Raises SpecError, OSError."""
    from archspec.frontend import analyse, load

    settings = {**dict(args.set), **own}
    revision, colon, path = spec.partition(":")
    if colon and path and not os.path.exists(spec):
        found = analyse(spec, variant=args.variant, set=settings, data=_at(revision, path))
        graph = found.accepted()[0]
    else:
        graph = load(spec, variant=args.variant, set=settings)
    return graph.described(args.training)


def _at(revision: str, path: str) -> bytes:
    """A file as it was in a revision. Raises OSError with what git says."""
    import subprocess

    folder, name = os.path.split(path)
    if revision.startswith("-"):
        raise OSError(f"{revision} is no revision of git")
    # Not git show: this one runs no filter that a repository names.
    command = ["git", "cat-file", "blob", f"{revision}:./{name}"]
    try:
        done = subprocess.run(command, cwd=folder or ".", capture_output=True, check=False, timeout=60)
    except FileNotFoundError as error:
        message = f"there is no folder {folder}" if folder and not os.path.isdir(folder) else "git is not installed"
        raise OSError(message) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise OSError(f"git has no {revision}:{path}: {said[-1] if said else 'it says nothing'}")
    return done.stdout


def _called(spec: str, settings: list[tuple[str, Any]]) -> str:
    from archspec.ir.diagnostics import plain

    return " ".join([spec, *(f"{name}={plain(value)}" for name, value in settings)])
