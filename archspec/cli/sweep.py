"""Compare the members of a family: every combination of parameters, one row each.

--vary NAME=VALUES may be repeated: VALUES are FIRST:LAST or FIRST:LAST:STEP, the last included, or a list as in a spec.
--where keeps members of which an expression over columns is true; counts may end in k, M, G or T.
--pareto keeps those that no other beats in all of the columns named, --best the best in one: smaller is better, of
+COLUMN larger. -o writes a file instead of the table; .svg draws all members and, of two --pareto columns, the front.
Members that cannot be built are listed on stderr, with the reason. See 'archspec table --help' for columns.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli import _arguments

if TYPE_CHECKING:
    from archspec.report.sweep import Sweep

EXAMPLES = (
    "archspec sweep net.yaml --vary width=16:64:16",
    "archspec sweep net.yaml --vary width=16:64:8 --vary 'depths=[[2, 2], [3, 4]]' --where 'macs <= 600M'",
    "archspec sweep net.yaml --vary width=16:64 --pareto params,+receptive_field -o front.svg -o front.csv",
)
SUFFIXES = {".csv": "csv", ".html": "html", ".json": "json", ".md": "markdown", ".parquet": "parquet", ".svg": "svg"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC, what is varied, what is kept, and where it is written."""
    from archspec.report.table import formats

    _arguments.add_spec(parser, stdin=True)
    parser.add_argument(
        "--vary",
        action="append",
        required=True,
        type=_varied,
        metavar="NAME=VALUES",
        help="values of a parameter; may be repeated",
    )
    parser.add_argument("--where", metavar="EXPRESSION", help="keep members for which it is true: 'macs < 600M'")
    parser.add_argument(
        "--pareto", metavar="COLUMN,…", help="keep the members that no other beats in all of these columns"
    )
    parser.add_argument("--best", metavar="COLUMN", help="keep the member that is best in this column")
    parser.add_argument("--columns", metavar="NAME,…", help="what to show (params, macs, activations, memory)")
    parser.add_argument("--sort", metavar="COLUMN", help="the largest first")
    parser.add_argument("--batch", type=_arguments.positive, default=1, metavar="N", help="count for N samples")
    parser.add_argument(
        "--processes", type=_arguments.positive, metavar="N", help="work in N processes; default: by members and cores"
    )
    parser.add_argument("--format", choices=formats(), default="text", help="default: text")
    parser.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        type=_file,
        metavar="FILE",
        help=f"write {', '.join(SUFFIXES)}; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    """Measure every member, keep what is asked for, print or write."""
    from archspec.cli._output import for_people, refused, write
    from archspec.ir.diagnostics import SpecError, plain, printable, retyped, typed
    from archspec.report.sweep import USUAL, sweep

    vary = dict(args.vary)
    try:
        found = sweep(
            _arguments.source(args.spec),
            vary,
            variant=args.variant,
            set=dict(args.set),
            where=args.where,
            pareto=_names(args.pareto),
            best=args.best,
            columns=_names(args.columns) or USUAL,
            sort=args.sort,
            batch=args.batch,
            processes=args.processes,
            progress=_progress if sys.stderr.isatty() else None,
        )
        drawn = found.svg() if any(path.suffix == ".svg" for path in args.output) else ""
    except SpecError as error:
        raise retyped(
            error, {key: typed("--vary", f"{key}={plain(values[0])}") for key, values in vary.items()}
        ) from None
    except ValueError as error:
        return refused("sweep", str(error))
    for name, reason in found.unbuilt:
        print(f"archspec sweep: {printable(name)}: {printable(reason)}", file=sys.stderr)
    for path in args.output:
        if code := _write(found, path, drawn):
            return code
    if not args.output:
        write(found.render(args.format, **for_people(args.format)))
    return 0


def _write(found: Sweep, path: Path, drawn: str) -> int:
    """One file; the exit code. Raises OSError."""
    from archspec.cli import FAILED
    from archspec.cli._output import failed
    from archspec.storage.atomic import write_text

    if path.suffix == ".parquet":
        from archspec.report.parquet import write_parquet

        try:
            write_parquet(found.grid, path)
        except ModuleNotFoundError:
            return failed("Parquet needs pyarrow: pip install 'archspec-keras[parquet]'", FAILED)
    else:
        write_text(path, (drawn if path.suffix == ".svg" else found.render(SUFFIXES[path.suffix])) + "\n")
    return 0


def _progress(done: int, total: int) -> None:
    """A line for a person, that is written over, and gone at the end."""
    from archspec.report.members import CHUNK

    if total > CHUNK:
        text = f"archspec sweep: {done:,} of {total:,} members" if done < total else ""
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _varied(text: str) -> tuple[str, list[Any]]:
    """A parameter and its values out of ``NAME=FIRST:LAST:STEP`` or ``NAME=[…]``."""
    from archspec.report.members import MOST

    name, _, values = text.partition("=")
    parts = values.split(":")
    if name.strip() and 2 <= len(parts) <= 3 and all(part.strip().isdigit() for part in parts):
        first, last, step = (*map(int, parts), 1)[:3]
        if step and first <= last and (last - first) // step < MOST:
            return name.strip(), list(range(first, last + 1, step))
        raise argparse.ArgumentTypeError(f"{values} holds no values: FIRST:LAST:STEP, with a step above 0")
    found, value = _arguments.setting(text)
    if isinstance(value, str) and "," in value:
        raise argparse.ArgumentTypeError(f"several values are a list: --vary '{found}=[{', '.join(_names(value))}]'")
    return found, list(value) if isinstance(value, list) and value else [value]


def _file(text: str) -> Path:
    path = Path(text)
    if path.suffix not in SUFFIXES:
        raise argparse.ArgumentTypeError(f"must end in {', '.join(SUFFIXES)}, got {text!r}")
    return path


def _names(text: str | None) -> list[str]:
    return [] if text is None else [name.strip() for name in text.split(",")]
