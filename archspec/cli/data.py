"""Inspect data before training: check all of it, show examples beside their augmented versions, or find anchors.

  check SOURCE    read and decode everything; report broken or unusual files,
                  and statistics
  show SOURCE     write a contact sheet (PNG) of originals beside augmented
                  images
  anchors SOURCE  shapes for a detector's anchors, by k-means over the objects
                  with IoU for distance; of a run file also what share of the
                  objects its spec's anchors reach

A SOURCE is a run file (its data and augmentation), a folder, a file, or a source's name where that is all (digits).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli._output import print_diagnostics, write

if TYPE_CHECKING:
    from archspec.data.source import DataSource
    from archspec.data.transform import Transform
    from archspec.ir.diagnostics import Diagnostic


EXAMPLES = (
    "archspec data check run.yaml",
    "archspec data show photos/ --out sheet.png",
    "archspec data anchors run.yaml --count 5",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from archspec.cli import _arguments

    parser.add_argument("action", choices=("check", "show", "anchors"), help="what to do")
    parser.add_argument("source", metavar="SOURCE", help="a run file, a path, or a source's name")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="format of check's report, and of anchors"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, default=Path("contact-sheet.png"), help="where show writes")
    parser.add_argument("--examples", metavar="N", type=_arguments.positive, default=8, help="rows that show writes")
    parser.add_argument("--draws", metavar="N", type=_arguments.whole, default=5, help="augmented images in each row")
    parser.add_argument("--tile", metavar="N", type=_arguments.positive, default=128, help="pixels of each image")
    parser.add_argument("--seed", metavar="N", type=_arguments.whole, help="seed of the augmentation")
    parser.add_argument("--count", metavar="N", type=_arguments.positive, default=9, help="shapes that anchors finds")
    parser.add_argument(
        "--size",
        metavar="H,W",
        type=_size,
        help="size that pictures are scaled to fit, for anchors; default: as the run file does, else none",
    )


def run(args: argparse.Namespace) -> int:
    from archspec.cli import FAILED, OK, _say
    from archspec.data.errors import DataError
    from archspec.ir.diagnostics import printable

    try:
        source, transforms, seed = _found(args.source)
        if args.action == "check":
            faults = _faults(args.source)
            is_well = _check(source, args.format, starts=not faults)
            print_diagnostics(faults)
            return OK if is_well and not faults else FAILED
        if args.action == "anchors":
            _print_anchors(source, args)
            return OK
        if args.tile > 2048 or args.examples * (args.draws + 1) > 2000:
            return _say("the sheet would be too large; at most 2048 pixels and 2000 images", FAILED)
        _show(source, transforms, seed if args.seed is None else args.seed, args)
        return OK
    except DataError as error:
        _say(error.message, FAILED)
        if error.help:
            print(f"  help: {printable(error.help)}", file=sys.stderr)
        return FAILED


def _size(text: str) -> tuple[int, int]:
    from archspec.cli._arguments import positive

    sides = [positive(part) for part in text.split(",")]
    if len(sides) > 2:
        raise argparse.ArgumentTypeError(f"must be a size in pixels, or HEIGHT,WIDTH, got {text!r}")
    return sides[0], sides[-1]


def _print_anchors(source: DataSource, args: argparse.Namespace) -> None:
    import json

    from archspec.backend.installation import quiet
    from archspec.runs.anchor_report import anchors

    with quiet():
        report = anchors(args.source, args.count, args.size, source)
    write(json.dumps(report.record(), indent=2) if args.format == "json" else report.text())


def _check(source: DataSource, form: str, *, starts: bool) -> bool:
    from archspec.backend.installation import quiet
    from archspec.data.check import check

    with quiet():  # what decoders have to say of an image, the report says
        report = check(source)
    if form == "json":
        import json

        write(json.dumps(report.record(), indent=2, ensure_ascii=False))
    else:
        write(report.text(praised=starts))
    return report.is_well


def _faults(text: str) -> list[Diagnostic]:
    """What keeps a run file from starting; nothing where what is looked at is none."""
    from archspec.cli import _run_check

    source = _run_check.source_of(text)
    found = _run_check.faults(source, Path(text).parent) if source is not None else []
    return [d for d in found if d.severity == "error"]


def _show(source: DataSource, transforms: tuple[Transform, ...], seed: int, args: argparse.Namespace) -> None:
    from archspec.backend.installation import quiet
    from archspec.data.pipeline import Pipeline
    from archspec.data.sheet import contact_sheet
    from archspec.data.sheet import write as write_sheet

    with quiet():
        pipeline = Pipeline(source, source.features(), transforms, (), 2, seed)
        pipeline.features()
        sheet = contact_sheet(pipeline, examples=args.examples, draws=args.draws, tile=args.tile)
    write_sheet(sheet, args.out)
    for row in sheet.rows:
        write(row)
    print(f"wrote {args.out}: a row for each, the original first", file=sys.stderr)


def _found(text: str) -> tuple[DataSource, tuple[Transform, ...], int]:
    """The source, its augmentation and seed. Raises DataError, SpecError."""
    from pydantic import ValidationError

    from archspec.data.errors import DataError
    from archspec.data.source import DataSource, source_for

    path = Path(text).expanduser()
    if path.suffix.lower() in (".yaml", ".yml") and path.is_file():
        return _of_run(path)
    name, arguments = source_for(text)
    kind = DataSource.find(name)
    assert kind is not None
    try:
        return kind.model_validate(arguments), (), 0
    except ValidationError as error:
        from archspec.ir.validation import translate_errors

        first: Any = translate_errors(error, kind, name)[0]["type"]
        raise DataError(first.context["message"], help="set it in a run file, under data") from None


def _of_run(path: Path) -> tuple[DataSource, tuple[Transform, ...], int]:
    from archspec.data.errors import DataError
    from archspec.frontend.reading import read_source
    from archspec.training.document import read_run

    spec, _ = read_run(read_source(path, str(path)), path.parent)
    if spec.data is None:
        raise DataError(f"{path} names no data", help="data: folder/of/class/folders")
    return spec.data, spec.augment or (), spec.train.seed
