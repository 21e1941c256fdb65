"""Draw from a trained generator: a grid of images, or an array of any other samples.

SPEC is one of several networks with a 'train' section whose drawn inputs (noise, labels) suffice for a result. Labels
count through the classes, one column each. Weights are a .npz: 'weights.npz' of a run, or what 'archspec weights
import' wrote.
"""

from __future__ import annotations

import argparse
import sys
from math import ceil, sqrt
from pathlib import Path
from typing import Any

from archspec.cli import _arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC, the weights, how many, where to write."""
    _arguments.add_spec(parser)
    parser.add_argument("--weights", type=Path, metavar="FILE", required=True, help="weights of the networks (.npz)")
    parser.add_argument("-n", "--count", type=_arguments.positive, default=64, metavar="N", help="default: 64")
    parser.add_argument("-o", "--output", type=_file, metavar="FILE", required=True, help="a .png, or .npy for numbers")
    parser.add_argument("--result", metavar="NAME", help="a named result; default: the first that needs no data")
    parser.add_argument("--label", type=_arguments.whole, metavar="CLASS", help="this class only")
    parser.add_argument("--seed", type=_arguments.whole, default=0, metavar="N", help="of the draws; default: 0")


def run(args: argparse.Namespace) -> int:
    """Load, draw, write."""
    graph = _arguments.load(args)
    if refusal := _refusal(graph, args):
        print(f"archspec sample: error: {refusal}", file=sys.stderr)
        return 1
    from archspec.backend.build import compile
    from archspec.backend.installation import quiet_start
    from archspec.backend.weights import assign, read

    values, _ = read(args.weights, graph)
    quiet_start()
    networks = compile(graph)
    assign(networks, values)
    import numpy as np

    from archspec.tasks.adversarial.rounds import Rounds

    given: dict[str, Any] = {
        name: np.full(args.count, args.label, "int32")
        if args.label is not None
        else np.arange(args.count, dtype="int32") % drawn.classes
        for name, drawn in graph.training.drawn.items()  # type: ignore[union-attr]
        if drawn.kind == "label"
    }
    samples = Rounds(graph, networks).sample(args.count, seed=args.seed, result=args.result, given=given)
    _write(args.output, samples, next((d.classes for d in graph.training.drawn.values() if d.classes), None))  # type: ignore[union-attr]
    print(f"archspec: wrote {args.output}: {args.count} samples of {samples.shape[1:]}", file=sys.stderr)
    return 0


def _refusal(graph: Any, args: argparse.Namespace) -> str | None:
    """Why nothing can be drawn, told before Keras is imported."""
    from archspec.ir.diagnostics import did_you_mean
    from archspec.ir.training import drawable

    if graph.training is None:
        return f"'{graph.name}' has no 'train' section, which says what is drawn"
    found = drawable(graph.training)
    if not found:
        return f"no result of '{graph.name}' needs only what is drawn"
    name = args.result or found[0]
    if name not in found:
        return f"'{name}' is no result that needs only what is drawn; {did_you_mean(name, found) or ', '.join(found)}"
    shape = graph.training.body.spec(graph.training.results[name]).shape
    if args.output.suffix == ".png" and (len(shape) != 3 or shape[-1] not in (1, 3)):
        return f"'{name}' of {shape} is no image: give a name that ends in .npy"
    classes = [d.classes for d in graph.training.drawn.values() if d.classes]
    if args.label is not None and (not classes or args.label >= min(classes)):
        known = f"the classes are 0 to {min(classes) - 1}" if classes else "it draws no labels"
        return f"there is no class {args.label}: {known}"
    return None


def _write(path: Path, samples: Any, columns: int | None) -> None:
    """A grid, values of -1 … 1 as 0 … 255; a row for every so many columns, or a square. Raises OSError."""
    import numpy as np

    from archspec.backend.export import write_atomically

    if path.suffix == ".npy":
        write_atomically(path, lambda beside: np.save(beside, samples))
        return
    import tensorflow as tf

    columns = min(columns or ceil(sqrt(len(samples))), len(samples))
    rows = ceil(len(samples) / columns)
    height, width, channels = samples.shape[1:]
    grid = np.zeros((rows * columns, height, width, channels), "uint8")
    grid[: len(samples)] = np.clip(np.round((samples + 1) * 127.5), 0, 255)
    grid = grid.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    encoded = tf.io.encode_png(grid.reshape(rows * height, columns * width, channels)).numpy()

    def write(beside: Path) -> None:
        beside.write_bytes(encoded)

    write_atomically(path, write)


def _file(text: str) -> Path:
    if not text.endswith((".png", ".npy")):
        raise argparse.ArgumentTypeError(f"must end in .png or .npy, got {text!r}")
    return Path(text)
