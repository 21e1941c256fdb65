"""Show the report of a network in a browser, and follow the file while it is edited.

The page is that of 'archspec report', served on 127.0.0.1 to this machine alone. It reloads when the file, or a file
that it uses, is saved; selection, search and folding are kept. While the file has errors, they are shown with their
places above the last valid picture. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import sys

from archspec.cli import FAILED, OK, _arguments

PORT = 8300
PAUSE = 0.25
"""Seconds between two looks at the files."""

EXAMPLES = (
    "archspec view net.yaml",
    "archspec view net.yaml --set width=64 --port 0",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """SPEC, what is counted, and where it is served."""
    _arguments.add_spec(parser)
    _arguments.add_counting(parser)
    help = f"port on 127.0.0.1; 0: any that is free; default: {PORT}"
    parser.add_argument("--port", type=_port, default=PORT, metavar="N", help=help)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    import errno
    import gc
    import signal
    from threading import Event

    from archspec.analysis.hardware import hardware
    from archspec.cli._output import failed, refused, write
    from archspec.report.page.live import LivePage, LocalServer

    # A verb that reads text for a moment does without; this one stays.
    gc.enable()
    try:
        live = LivePage(args.spec, hardware(args.hardware), **_arguments.counting(args))
    except ValueError as error:
        return refused("view", str(error))
    if not live.is_mendable or not any(path.is_file() for path in live.files[:1]):
        print(live.wrong, file=sys.stderr)
        return FAILED
    try:
        server = LocalServer(live, args.port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return failed(f"port {args.port} is in use: --port N takes another, --port 0 any that is free", FAILED)
        if error.errno == errno.EACCES:
            return failed(f"port {args.port} may not be used: --port N takes another, above 1023", FAILED)
        raise
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    try:
        write(f"{server.address} shows {args.spec}; Ctrl-C ends it")
        _flush()
        while not stop.wait(PAUSE):
            live.look()
    finally:
        server.stop()
    return OK


def _flush() -> None:
    import sys

    sys.stdout.flush()


def _port(text: str) -> int:
    port = _arguments.whole(text)
    if port > 65535:
        raise argparse.ArgumentTypeError(f"must be at most 65535, got {text}")
    return port
