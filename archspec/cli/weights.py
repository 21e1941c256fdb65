"""Convert weights of other programs to a spec's weights, or show the layers of a weights file.

import reads .npz, .safetensors, .h5, .weights.h5, .keras, PyTorch's .pth and .th (state dicts), Caffe's .caffemodel,
.tflite, and Darknet's .weights; it writes a .npz that 'archspec compile SPEC --weights FILE' takes. The layers of a
Keras model are matched by its wiring; the numbers of Darknet, which have neither names nor shapes, in the order of the
spec's layers; others by shape, and by name if shapes are equal. If the match is ambiguous, or a Keras model computes
something else than the spec, nothing is written. A file of rules (YAML) can then state

  ignore: ['aux\\..*']     layers of the file that the spec has no place for
  names: {'layer(\\d)\\.conv': 'c.\\1.conv'}
                          layer of the file (a regular expression): layer of
                          the spec; also with sums of groups, 'c.{\\1 - 1}.conv'
  axes: {reshape: first}  step of the spec: where its channels are in the file,
                          first or last
  unchecked: [scale_.*]   layers of the file that are not compared with the spec
  rotary: halves          channels of a head that are rotated together: halves
                          or pairs (the spec's)
  fused: heads            query_key_value holds the three of a head together, or
                          parts, of all

Rules need not name all layers: what they do not name is matched as always.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cli import _arguments

if TYPE_CHECKING:
    from archspec.backend.archive import Archive


SHOW = "archspec weights show net.pth"
IMPORT = "archspec weights import net.yaml net.pth -o net.npz"
EXAMPLES = (SHOW, IMPORT)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``import SPEC FILE -o OUT`` and ``show FILE``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser(
        "import",
        help="weights of a file as weights of a spec",
        description=f"examples:\n  {IMPORT}\n  {IMPORT} --rules rules.yaml\n\n"
        "Convert weights of another program to a spec's weights. 'archspec weights --help' lists the files that are\n"
        "read, and what a file of rules can state.",
    )
    _arguments.add_spec(add)
    add.add_argument("file", metavar="FILE", type=Path, help="where the weights are")
    add.add_argument(
        "-o", "--output", metavar="OUT", type=_arguments.npz, required=True, help="what to write; ends in .npz"
    )
    add.add_argument("--rules", metavar="FILE", type=Path, help="rules that say which layer is which")
    add.add_argument("--training", action="store_true", help="include the heads that only training needs")
    add.add_argument("--quiet", action="store_true", help="do not list which layer of the file each layer is")
    show = actions.add_parser(
        "show",
        help="layers and shapes of a file of weights",
        description=f"examples:\n  {SHOW}\n  {SHOW} --format json\n\n"
        "List the layers of a file of weights, with their shapes.",
    )
    show.add_argument("file", metavar="FILE", type=Path, help="where the weights are")
    show.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Import or show; what does not fit is said, and nothing is written."""
    return _show(args) if args.action == "show" else _import(args)


def _import(args: argparse.Namespace) -> int:
    from archspec.backend import weights
    from archspec.backend.rules import Rules
    from archspec.cli._output import write
    from archspec.importing import ordered_weights

    graph = _arguments.load(args)
    graph = graph if args.training else graph.inference()
    ordered = ordered_weights(args.file, graph)
    if ordered is not None:
        weights.write(args.output, ordered)
        count = sum(v.size for v in ordered.values())
        print(
            f"archspec: wrote {args.output}: {count:,} parameters, in the order of the spec's layers", file=sys.stderr
        )
        return 0
    found = weights.imported(args.file, graph, Rules.read(args.rules) if args.rules else None)
    values, names = found.values, found.names
    weights.write(args.output, values)
    if not args.quiet:
        width = max((len(layer) for layer in names), default=0)
        write("\n".join(f"{layer:<{width}}  {name}" for layer, name in names.items()))
    count = sum(v.size for v in values.values())
    for note in found.notes:
        print(f"archspec: note: {note}", file=sys.stderr)
    from archspec.ir.diagnostics import amount

    layers = amount(len(names), "layer")
    print(f"archspec: wrote {args.output}: {layers}, {count:,} parameters", file=sys.stderr)
    return 0


def _show(args: argparse.Namespace) -> int:
    from archspec.backend.importers import opened
    from archspec.cli._output import write

    archive = opened(args.file)
    write(_json(archive) if args.format == "json" else _text(archive))
    return 0


def _text(archive: Archive) -> str:
    from math import prod

    from archspec.ir.diagnostics import printable

    rows = [
        (printable(layer.name), printable(role), str(array.shape))
        for layer in archive.layers
        for role, array in layer.arrays.items()
    ]
    widths = [max((len(row[k]) for row in rows), default=0) for k in range(2)]
    lines = [f"{name:<{widths[0]}}  {role:<{widths[1]}}  {shape}" for name, role, shape in rows]
    count = sum(prod(array.shape) for layer in archive.layers for array in layer.arrays.values())
    known = "wiring" if archive.wiring else "order of the network" if archive.is_ordered else "no order"
    return "\n".join([*lines, "", f"{len(archive.layers)} layers, {count:,} parameters, {known} known"])


def _json(archive: Archive) -> str:
    from json import dumps

    layers = [
        {"name": layer.name, "arrays": {role: list(array.shape) for role, array in layer.arrays.items()}}
        for layer in archive.layers
    ]
    return dumps({"layout": archive.layout, "is_ordered": archive.is_ordered, "layers": layers}, indent=1)
