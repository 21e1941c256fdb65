"""Write the spec of a Keras model: blocks, loops, skips and branches are found in it.

Functional and sequential models are read, also within each other: a .keras file, of which nothing is run, a function
that returns a model, or a network of keras.applications. What a trained network computes is carried over;
initializers, regularizers and losses are not. archspec weights import brings the weights.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

EXAMPLES = (
    "archspec decompile model.keras -o net.yaml",
    "archspec decompile package.module:function",
    "archspec decompile keras.applications.NAME",
)
_FUNCTION = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)[:.]([A-Za-z_]\w*)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, and where to write."""
    help = "a .keras file, package.module:function, or keras.applications.NAME"
    parser.add_argument("model", metavar="MODEL", help=help)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the spec here instead of to stdout")


def run(args: argparse.Namespace) -> int:
    """Read the model, write its spec."""
    from archspec.cli._output import refused, write

    if args.model.endswith(".keras"):
        from archspec.backend.decompiling import of_file

        text = of_file(Path(args.model))
    elif (match := _FUNCTION.fullmatch(args.model)) and (":" in args.model or args.model.startswith("keras.")):
        found = _model(*match.groups())
        if isinstance(found, str):
            return refused("decompile", found)
        from archspec.backend.decompiling import of_model

        text = of_model(found)
    else:
        return refused(
            "decompile", f"give a .keras file, package.module:function or keras.applications.NAME, got {args.model!r}"
        )
    if args.output:
        from archspec.storage.atomic import write_text

        write_text(args.output, text)
    else:
        write(text.removesuffix("\n"))
    return 0


def _model(module: str, name: str) -> Any:
    """What a function of a person's, or a network of Keras's, returns; text where that is no model."""
    import sys
    from importlib import import_module

    from archspec.backend.installation import quiet_start

    quiet_start()
    import keras

    sys.path.insert(0, "")
    try:
        function = getattr(import_module(module), name, None)
    except ModuleNotFoundError as error:
        return f"there is no module {error.name!r}"
    if not callable(function):
        return f"{module} has no function {name!r}"
    try:
        made = function(weights=None) if module.startswith("keras.applications") else function()
    except Exception as error:
        # What another's code raises is not archspec's, whatever it is.
        return f"{module}:{name}, called without arguments, raised {type(error).__name__}: {error}"
    return made if isinstance(made, keras.Model) else f"{module}:{name} returned no keras.Model"
