"""Arguments that several verbs take, and how they become a graph."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from archspec.ir.diagnostics import Source
    from archspec.ir.graph import Graph
    from archspec.training.looking import Crf


PATH_OR_NAME = "path of a spec, or name of a spec or variant"


class _Once(argparse.Action):
    """Takes a value; given again, an option is refused, as one of the two would be lost without a word."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        if option is not None and isinstance(parser, Parser):
            if self.dest in parser.given:
                raise argparse.ArgumentError(self, "is given twice, and takes one value")
            parser.given.add(self.dest)
        setattr(namespace, self.dest, values)


class _Each(argparse.Action):
    """Gathers a value each time; of ``NAME=VALUE`` every name once."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        held = [*(getattr(namespace, self.dest) or ()), values]
        if isinstance(values, tuple) and [name for name, _ in held].count(values[0]) > 1:
            raise argparse.ArgumentError(self, f"{values[0]} is given twice")
        setattr(namespace, self.dest, held)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """argparse makes one for each argument that is added, only to look at its METAVAR; it would ask how wide the
    terminal is each time, by a module that imports every kind of archive."""

    def __init__(self, prog: str):
        super().__init__(prog, width=_width() - 2)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Prose is wrapped to the terminal; a paragraph with lines that are set in (examples, lists) stays as it is."""
        from textwrap import fill

        paragraphs = text.strip().split("\n\n")
        return "\n\n".join(
            p if any(line[:1] == " " for line in p.split("\n")) else fill(p, width, break_on_hyphens=False)
            for p in paragraphs
        )


@cache
def _width() -> int:
    """Columns of the terminal that help goes to, as ``shutil.get_terminal_size`` finds them."""
    try:
        columns = int(os.environ.get("COLUMNS", "0"))
    except ValueError:
        columns = 0
    with suppress(OSError, ValueError, AttributeError):
        columns = columns if columns > 0 else os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]
    return columns if columns > 0 else 80


class Parser(argparse.ArgumentParser):
    """Keeps line breaks of texts, takes no abbreviations, and proposes the option that was meant."""

    def __init__(self, **kwargs: Any):
        super().__init__(formatter_class=_Formatter, allow_abbrev=False, **kwargs)
        self.given: set[str] = set()
        """Options of one value that were met."""
        for name, action in ((None, _Once), ("store", _Once), ("append", _Each)):
            self.register("action", name, action)

    def parse(self, args: list[str]) -> argparse.Namespace:
        """As ``parse_args``, with a did-you-mean for an unknown option."""
        known, rest = self.parse_known_args(args)
        if rest:
            from archspec.ir.diagnostics import advised, did_you_mean, shown

            options = [option for action in self._actions for option in action.option_strings]
            hint = did_you_mean(rest[0].split("=")[0], options) if rest[0].startswith("-") else None
            self.error(advised(f"unexpected argument {shown(rest[0])}", hint))
        return known

    def options(self) -> list[argparse.Action]:
        """What may be given by name."""
        return [action for action in self._actions if action.option_strings]

    def error(self, message: str) -> NoReturn:
        """Say it with the usage, and exit 2."""
        self.exit(2, f"{self.format_usage()}{self.prog}: error: {message}\n")


def add_spec(parser: argparse.ArgumentParser, *, stdin: bool = False) -> None:
    """``SPEC [--variant NAME] [--set NAME=VALUE]…``. ``stdin``: the spec may be ``-``."""
    names = "path of a spec, name of a spec or variant, or - for stdin" if stdin else PATH_OR_NAME
    parser.add_argument("spec", metavar="SPEC", help=names)
    add_settings(parser)


def add_findings_format(parser: argparse.ArgumentParser) -> None:
    """How diagnostics are said."""
    parser.add_argument("--format", choices=("text", "json", "github", "sarif"), default="text", help="default: text")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """``[--variant NAME] [--set NAME=VALUE]…``."""
    parser.add_argument("--variant", metavar="NAME", help="a variant of the spec")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
        metavar="NAME=VALUE",
        help="give a parameter of the spec a value, written as in the file; may be repeated",
    )


def add_training(parser: argparse.ArgumentParser) -> None:
    """``[--training]``: whether a description is of the graph that trains."""
    help = "include what only training needs: its heads, and the chain of the train section"
    parser.add_argument("--training", action="store_true", help=help)


def add_counting(parser: argparse.ArgumentParser) -> None:
    """``[--training] [--batch N] [--hardware NAME]``: how a page counts."""
    add_training(parser)
    parser.add_argument("--batch", type=positive, default=1, metavar="N", help="count for N samples")
    help = "whose roofline is drawn: a profile, or a YAML file; default: h100"
    parser.add_argument("--hardware", default="h100", metavar="NAME", help=help)


def counting(args: argparse.Namespace) -> dict[str, Any]:
    """What a page is of: the settings of the spec, and how it is counted."""
    return {"variant": args.variant, "set": dict(args.set), "training": args.training, "batch": args.batch}


def setting(text: str) -> tuple[str, Any]:
    """A name and a value out of ``NAME=VALUE``."""
    from archspec.frontend import parse_setting
    from archspec.ir.diagnostics import SpecError

    try:
        return parse_setting(text)
    except SpecError as error:
        raise argparse.ArgumentTypeError("; ".join(d.message for d in error.diagnostics)) from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def load(args: argparse.Namespace, spec: str | None = None, set: dict[str, Any] | None = None) -> Graph:
    """The graph that the arguments of ``add_spec`` name, or that of ``spec``, with their settings and those in ``set``.
    Raises SpecError."""
    from archspec.frontend import load, loads

    given, settings = source(args.spec if spec is None else spec), {**dict(args.set), **(set or {})}
    if isinstance(given, str):
        return load(given, variant=args.variant, set=settings)
    return loads(given.text, given.name, variant=args.variant, set=settings)


def source(spec: str) -> str | Source:
    """What ``load`` takes, or the text that came on stdin for ``-``. Raises SpecError."""
    return _typed() if spec == "-" else spec


@cache
def _typed() -> Source:
    from archspec.cli._files import typed
    from archspec.frontend.reading import decoded

    return decoded(typed(), "stdin")


def size(text: str) -> int:
    """Bytes: ``24GiB``. A number alone is refused: those who write 8 mean gigabytes."""
    from archspec.ir.quantities import byte_size

    try:
        if text.strip().isdigit():
            raise ValueError(f"must be a size with its unit, such as {text.strip()}GiB, got {text!r}")
        return byte_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(text: str) -> int:
    """An integer above 0."""
    value = whole(text)
    if value == 0:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def whole(text: str) -> int:
    """An integer, 0 or above."""
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}")
    return int(text)


def share(text: str) -> float:
    """A number 0 … 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, got {text!r}")
    return number


def npz(text: str) -> Path:
    """A path for weights. Raises ArgumentTypeError for another suffix."""
    if not text.endswith(".npz"):
        raise argparse.ArgumentTypeError(f"must end in .npz, got {text!r}")
    return Path(text)


def add_looks(parser: argparse.ArgumentParser) -> None:
    """How a trained network looks at an image: ``views``, ``scales``, ``dense`` and ``crf``."""
    from archspec.training.looking import Crf

    parser.add_argument(
        "--views",
        choices=("single", "flip", "ten_crop"),
        default="single",
        help="test-time augmentation: views of an image whose probabilities are averaged, or whose objects are "
        "merged; default: single",
    )
    parser.add_argument(
        "--scales",
        type=_scales,
        default=(),
        metavar="N,N,…",
        help="lengths of the short side, in pixels; the probabilities at each are averaged, too, or the objects "
        "merged, which are looked for window by window",
    )
    parser.add_argument(
        "--dense",
        action="store_true",
        help="all of the image in place of its middle: fully connected layers as convolutions, the class map averaged; "
        "of classes of pixels, window by window",
    )
    parser.add_argument(
        "--crf",
        nargs="?",
        type=_crf,
        const=Crf(),
        metavar="NAME=N,…",
        help="classes of pixels by a fully connected CRF on top, whose numbers are "
        + ", ".join(f"{name}={number:g}" for name, number in Crf().numbers.items()),
    )


def _crf(text: str) -> Crf:
    from archspec.training.looking import Crf

    given: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals:
            message = (
                f"must be NAME=N,NAME=N,…, got {text!r}; without numbers it stands last: archspec evaluate DIR --crf"
            )
            raise argparse.ArgumentTypeError(message)
        if name in given:
            raise argparse.ArgumentTypeError(f"{name} is given twice")
        try:
            given[name] = int(number) if number.isdecimal() else float(number)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{name} must be a number, got {number!r}") from None
    try:
        return Crf.of(given)
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _scales(text: str) -> tuple[int, ...]:
    return tuple(positive(part) for part in text.split(","))
