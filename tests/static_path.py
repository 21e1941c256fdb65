"""What a process does before it prints a table: what it imports, builds and parses. It runs as a process of its own.

    python tests/static_path.py table resnet152

prints JSON: names of modules, of pydantic models, of dataclasses, and of the files whose text was parsed. These counts
are the same on any machine, as times are not. Of the standard library and of installed packages only what archspec
itself caused is counted by package.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import json
import sys
from contextlib import redirect_stdout


def main(arguments: list[str]) -> None:
    """Run the verb, watched, and print what it did."""
    before = set(sys.modules)
    models: list[str] = []
    classes: list[str] = []
    parsed: list[str] = []

    make, parse = dataclasses._process_class, ast.parse  # type: ignore[attr-defined]

    def made(cls, *rest, **named):  # type: ignore[no-untyped-def]
        classes.append(f"{cls.__module__}.{cls.__qualname__}")
        return make(cls, *rest, **named)

    def read(source, filename="<unknown>", *rest, **named):  # type: ignore[no-untyped-def]
        frame = sys._getframe(1)
        parsed.append(f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}")
        return parse(source, filename, *rest, **named)

    dataclasses._process_class, ast.parse = made, read  # type: ignore[attr-defined]
    from pydantic._internal import _model_construction

    build = _model_construction.ModelMetaclass.__new__

    def built(mcs, name, bases, namespace, /, *rest, **named):  # type: ignore[no-untyped-def]
        models.append(f"{namespace.get('__module__')}.{namespace.get('__qualname__', name)}")
        return build(mcs, name, bases, namespace, *rest, **named)

    _model_construction.ModelMetaclass.__new__ = built  # type: ignore[method-assign]
    from archspec.cli import main as run

    with redirect_stdout(io.StringIO()):
        # As the command is run, with what it leaves out because the process is its own.
        sys.argv[1:] = arguments
        code = run()
    print(
        json.dumps(
            {
                "code": code,
                "modules": sorted(set(sys.modules) - before),
                "models": sorted(models),
                "dataclasses": sorted(classes),
                "parses": sorted(parsed),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
