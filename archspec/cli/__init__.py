"""The command line: ``archspec VERB …``.

A verb is a module here without a leading underscore: its docstring's first line is the help, ``EXAMPLES``
are command lines, ``add_arguments(parser)`` says what it takes, ``run(args) -> int`` does it. Only the verb that is
asked for is imported.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

OK, FAILED, USAGE, NOT_A_NUMBER, DEFECT, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 4, 70, 130, 141

EPILOG = """\
A SPEC is the path of a spec file, or the name of a spec or variant of the
catalogue (see 'archspec list'): net.yaml is a file, net the catalogue's.
Data goes to stdout, everything else to stderr.

exit codes: 0 success; 1 an invalid spec, or a failed run; 2 invalid usage;
4 training diverged to NaN; 70 a bug in archspec; 130 interrupted (Ctrl-C);
143 terminated (SIGTERM). ARCHSPEC_TRACEBACK=1 shows where a bug arose."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code. Nothing is raised: what goes wrong is said on stderr."""
    # Not list(…): once that verb is imported, ``list`` here is its module.
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    is_process = argv is None
    if is_process:
        _start_quickly()
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else (OK if stop.code is None else USAGE)
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read stdout has left; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except Exception as error:
        return _explain(error)
    finally:
        if is_process:
            _end_quickly()


def _end_quickly() -> None:
    """Leave out what the interpreter does before it exits where the verb was short: it would look through all objects
    for cycles, several times. Where Keras ran, which started the collector, cycles may hold what must be closed."""
    if not gc.isenabled():
        gc.freeze()


def _start_quickly() -> None:
    """Leave out what a verb that reads text for a moment does not need.

    The collector of garbage has nothing to collect until Keras is there (backend.installation.quiet_start starts it).
    pydantic would read the metadata of every installed distribution to find plug-ins. Told not to, it still takes
    ``entry_points`` from the library for that, which with what it imports is a tenth of the time that a table may take.
    """
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if "importlib.metadata" not in sys.modules:
        # NumPy asks the package for it, as an import would have it there.
        importlib.metadata = sys.modules["importlib.metadata"] = _DeferredMetadata()


class _DeferredMetadata(ModuleType):
    """``importlib.metadata``, imported when ``entry_points`` is called, or anything else of it is asked for."""

    def __init__(self) -> None:
        super().__init__("importlib.metadata")
        self.__path__ = [str(Path(folder, "metadata")) for folder in importlib.__path__]

    def __getattr__(self, name: str) -> Any:
        if name == "entry_points":
            return lambda **selected: self._module().entry_points(**selected)
        return getattr(self._module(), name)

    def _module(self) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return import_module(self.__name__)


def verbs() -> dict[str, str]:
    """Names of all verbs with their help, read from the text of the modules."""
    out = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        with path.open(encoding="utf-8") as file:
            out[path.stem] = file.readline().strip().strip('"')
    return out


def _run(arguments: list[str]) -> int:
    from archspec.cli._arguments import Parser

    if not arguments or arguments[0].startswith("-"):
        from textwrap import fill

        parser = Parser(prog="archspec", usage="archspec VERB [argument ...]", epilog=EPILOG)
        parser.add_argument("--version", action="store_true", help="print the version and stop")
        rows = "\n".join(fill(f"  {name:<10} {text}", 80, subsequent_indent=" " * 13) for name, text in verbs().items())
        parser.description = (
            "Neural network architectures as text: check, tabulate, compile to Keras, train.\n\n"
            "examples:\n"
            "  archspec list                             what the catalogue has\n"
            "  archspec table net.yaml                   shapes, parameters, MACs\n"
            "  archspec check net.yaml                   mistakes with their places\n"
            "  archspec train net.yaml --data digits     train, log, keep the weights\n\n"
            f"verbs ('archspec VERB --help' says more):\n{rows}"
        )
        if parser.parse(arguments).version:
            from archspec import __version__

            print(f"archspec {__version__}")
            return OK
        parser.print_help(sys.stderr)
        return USAGE
    verb, *rest = arguments
    if verb == "help":
        return _run([*rest, "--help"])
    if not verb.isidentifier() or not (Path(__file__).parent / f"{verb}.py").is_file() or verb.startswith("_"):
        from archspec.ir.diagnostics import did_you_mean, shown

        hint = did_you_mean(verb, verbs()) or "archspec help lists the verbs"
        return _say(f"there is no verb {shown(verb)}; {hint}", USAGE)
    module = import_module(f"archspec.cli.{verb}")
    examples = "".join(f"  {line}\n" for line in module.EXAMPLES)
    parser = Parser(prog=f"archspec {verb}", description=f"examples:\n{examples}\n{(module.__doc__ or '').strip()}")
    module.add_arguments(parser)
    code: int = module.run(parser.parse(rest))
    return code


def _explain(error: Exception) -> int:
    """Say what went wrong, without a traceback; the exit code."""
    from archspec.backend.wiring import WeightsError
    from archspec.cli._output import print_diagnostics
    from archspec.ir.diagnostics import SpecError, printable

    if os.environ.get("ARCHSPEC_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, SpecError):
        print_diagnostics(error.diagnostics)
        return FAILED
    if isinstance(error, WeightsError):
        first, *rules = str(error).split("\n")
        _say(first, FAILED)
        for line in rules:
            print(printable(line), file=sys.stderr)
        return FAILED
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("archspec"):
        return _say(
            f"this needs {error.name}, which is not installed: pip install 'archspec-keras[tensorflow]'", FAILED
        )
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return _say(f"{place}{error.strerror or error}", FAILED)
    if isinstance(error, MemoryError):
        return _say("out of memory", FAILED)
    return _say(f"a defect of archspec, please report it: {type(error).__name__}: {error}", DEFECT)


def _say(message: str, code: int) -> int:
    from archspec.ir.diagnostics import printable

    print(f"archspec: error: {printable(message)}", file=sys.stderr)
    return code
