"""Draw from a trained network: a grid of images, an array of other samples, or text.

WHAT is a run directory, or a run file or spec with --weights. For several networks with a 'train' section, the result
must depend only on random inputs (noise, labels); labels cycle through the classes, one column each. A language model
continues a prompt. Weights are a .npz file: 'weights.npz' of a run, or the output of 'archspec weights import'.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli import _arguments

if TYPE_CHECKING:
    from archspec.ir.tensors import TensorSpec
    from archspec.training.task import Samples, Task

OPTIONS = ("result", "label", "interpolate", "prompt")
"""What tasks have words for, besides ``decoding``."""
DRAWN = ("temperature", "top_k", "top_p")
"""Arguments of the decoding ``sample``."""


EXAMPLES = (
    "archspec sample runs/net/1 -n 64 -o grid.png",
    "archspec sample runs/net/1 --interpolate 8 -o between.png",
    'archspec sample runs/text/1 --prompt "To be"',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """WHAT, the weights, how many, where to write, and what tasks have words for."""
    parser.add_argument("what", metavar="WHAT", help="a run directory, a run file, or a spec")
    _arguments.add_settings(parser)
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights (.npz); default: those of the run")
    parser.add_argument(
        "-n",
        "--count",
        type=_arguments.positive,
        metavar="N",
        help="number of samples, or of tokens of text; default: 64 or 400",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="a .png, .npy for numbers, .txt for text")
    parser.add_argument("--seed", type=_arguments.whole, default=0, metavar="N", help="of the draws; default: 0")
    images = parser.add_argument_group("images and other arrays")
    images.add_argument(
        "--result",
        metavar="NAME",
        help="result to draw, for several networks; default: the first that needs no data",
    )
    images.add_argument("--label", type=_arguments.whole, metavar="CLASS", help="this class only")
    images.add_argument(
        "--interpolate",
        type=_arguments.positive,
        metavar="STEPS",
        help="rows of STEPS samples, from one draw to another",
    )
    text = parser.add_argument_group("text")
    text.add_argument("--prompt", metavar="TEXT", help="what the text begins with; default: the run's")
    text.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="divides the logits; below 1, probable tokens become more probable",
    )
    text.add_argument("--top-k", type=int, metavar="K", help="draw from the K most probable tokens")
    text.add_argument(
        "--top-p", type=float, metavar="P", help="draw from the most probable tokens whose probabilities add up to P"
    )
    text.add_argument(
        "--decoding", metavar="HOW", help="another way to choose: greedy, '{beam: 4}'; default: the run's"
    )


def run(args: argparse.Namespace) -> int:
    """Load, refuse what cannot be drawn, draw, write."""
    from archspec.cli._output import refused
    from archspec.data.errors import DataError
    from archspec.ir.diagnostics import advised
    from archspec.training.errors import NotTrained
    from archspec.training.task import TaskError

    try:
        return _run(args)
    except (TaskError, DataError) as error:
        return refused("sample", advised(error.message, error.help), 1)
    except NotTrained as error:
        return refused("sample", str(error), 1)


def _run(args: argparse.Namespace) -> int:
    from archspec.cli.train import flags
    from archspec.runs.directory import without_data
    from archspec.runs.request import changed, requested
    from archspec.runs.sampling import SampleSource

    logdir = Path(args.what) if (Path(args.what) / "run.yaml").is_file() else None
    found = without_data(logdir) if logdir else requested(args.what)
    source = SampleSource.of(changed(found, {"variant": args.variant, "set": dict(args.set) or None}, flags), logdir)
    options = {name: value for name in OPTIONS if (value := getattr(args, name)) is not None}
    if (decoding := _decoding(args, source.task)) is not None:
        options["decoding"] = decoding
    drawing = source.drawing(args.weights, args.count, args.seed, options)
    _check_output(args.output, drawing.spec)
    samples = drawing.draw()
    if isinstance(samples, str):
        _write_text(args.output, samples)
    else:
        _write(args.output, samples)
        shape = samples.values.shape
        print(f"archspec: wrote {args.output}: {shape[0]} samples of {shape[1:]}", file=sys.stderr)
    return 0


def _check_output(path: Path | None, spec: TensorSpec | None) -> None:
    """Refuse a file that what is drawn cannot be written to. Raises TaskError."""
    from archspec.training.task import TaskError

    if spec is None:
        if path is not None and path.suffix != ".txt":
            raise TaskError("-o FILE must end in .txt for text", at=())
    elif path is None or path.suffix not in (".png", ".npy"):
        raise TaskError("-o FILE is needed, which ends in .png, or .npy for numbers", at=())
    elif path.suffix == ".png" and (spec.rank != 3 or spec.channels not in (1, 3)):
        raise TaskError(f"samples of {spec} are no images: give a name that ends in .npy", at=())


def _decoding(args: argparse.Namespace, task: Task) -> Any:
    """The way to choose tokens that was asked for, None for the run's. Raises SpecError, TaskError."""
    from archspec.frontend.yaml_source import read
    from archspec.ir.diagnostics import Source, typed
    from archspec.training.document import read_section
    from archspec.training.task import TaskError

    drawn = {name: value for name in DRAWN if (value := getattr(args, name)) is not None}
    if args.decoding is None and not drawn:
        return None
    if "decoding" not in task.sample_options:
        raise TaskError(f"{task.name} takes no --{next(iter(drawn), 'decoding').replace('_', '-')}", at=())
    if args.decoding is None:
        text = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in drawn.items())
        option, _, rest = text.partition(" ")
        given: Any = read_section(type(task), {"decoding": {"sample": drawn}}, typed(option, rest))
        return given.decoding
    if drawn:
        raise TaskError(f"--decoding says how: leave out --{next(iter(drawn)).replace('_', '-')}", at=())
    value = read(Source("--decoding", args.decoding, is_typed=True))
    given = read_section(type(task), {"decoding": value}, typed("--decoding", args.decoding))
    return given.decoding


def _write_text(path: Path | None, text: str) -> None:
    """To a file, or to stdout. Raises OSError."""
    from archspec.cli._output import write

    if path is None:
        write(text)
        return
    from archspec.storage.atomic import write_text

    write_text(path, f"{text}\n")
    print(f"archspec: wrote {path}", file=sys.stderr)


def _write(path: Path, samples: Samples) -> None:
    """A grid of 0 … 255, a row for every so many columns, or a square. Raises OSError."""
    import numpy as np

    from archspec.data.grid import grid, png
    from archspec.storage.atomic import write_atomically, write_bytes

    values = samples.values
    if path.suffix == ".npy":
        write_atomically(path, lambda beside: np.save(beside, values))
        return
    data = png(grid(values, samples.columns, samples.low))

    write_bytes(path, data)
