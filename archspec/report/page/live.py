"""A network's page that follows its files, and the server that shows it on this machine alone."""

from __future__ import annotations

import os
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from pathlib import Path
from socketserver import TCPServer
from threading import Condition, Thread
from time import time_ns
from typing import Any
from urllib.parse import parse_qs, urlsplit

from archspec.analysis.hardware import Hardware
from archspec.frontend import analyse
from archspec.ir.diagnostics import Diagnostic, SpecError, printable
from archspec.report.page.document import NEWS, document
from archspec.report.page.network import page, reported

HOST = "127.0.0.1"
"""The only address that is served."""
PAUSE = 10.0
"""Seconds after which a browser that waits for news hears that there are none: so one that has left is noticed."""

Stamp = tuple[int, int, int] | None


class LivePage:
    """The page of what ``called`` names as it was when it last could be made, and what is wrong with it now.

    ``is_mendable`` is False where no edit could help: the mistake is in the command, or the file is a run's.
    ``version`` is another for every page, of every process: a browser says which it has. What waits for news waits for
    ``changed``.
    """

    def __init__(self, called: str, machine: Hardware, **how: Any):
        self.called, self.machine, self.how = called, machine, how
        self.changed = Condition()
        self.has_ended = False
        self.wrong, self.is_mendable = "", True
        self._stamps: dict[Path, Stamp] = {}
        self._start, self._count = time_ns(), 0
        self._page = document(called, NEWS, {}, live=self.version)
        self._read()

    @property
    def version(self) -> str:
        return f"{self._start}.{self._count}"

    def html(self) -> str:
        """The page; without a network as long as none could be made."""
        with self.changed:
            return self._page

    def look(self) -> None:
        """Read anew if one of the files is another than before."""
        if any(_stamp(path) != stamp for path, stamp in self._stamps.items()):
            self._read()

    @property
    def files(self) -> tuple[Path, ...]:
        """What is followed, the network's own file first."""
        return tuple(self._stamps)

    def has_news(self, have: str, told: str | None) -> bool:
        """Whether there is more to say to a browser that has a version and was told what is wrong."""
        return self.has_ended or self.version != have or self.wrong != told

    def end(self) -> None:
        """Nobody needs to wait any longer."""
        with self.changed:
            self.has_ended = True
            self.changed.notify_all()

    def _read(self) -> None:
        before = {path: _stamp(path) for path in self._stamps}
        made, wrong = None, ""
        try:
            # Files that cannot be read yet are waited for, too.
            files = analyse(self.called, variant=self.how.get("variant"), set=self.how.get("set")).files
            before = {path: before.get(path, _stamp(path)) for path in (*before, *files)}
            made = page(reported(self.called, self.machine, **self.how), live=f"{self._start}.{self._count + 1}")
        except OSError as error:
            wrong = f"{error.filename or self.called}: {error.strerror or error}"
        except (SpecError, ValueError) as error:
            wrong = str(error)
            found = error.diagnostics if isinstance(error, SpecError) else ()
            self.is_mendable = not any(d.span.source.is_typed or _is_of_a_run(d) for d in found)
        except Exception as error:
            # A page that stands still without a word would be taken for the truth.
            wrong = f"a defect of archspec, please report it: {type(error).__name__}: {error}"
        self._stamps = before
        with self.changed:
            if made is not None:
                self._page = made
                self._count += 1
            self.wrong = wrong
            self.changed.notify_all()


def _is_of_a_run(said: Diagnostic) -> bool:
    return said.code == "S02" and any(line.startswith("archspec_run:") for line in said.span.source.lines)


def _stamp(path: Path) -> Stamp:
    """What differs when a file was written, or put in another's place."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class LocalServer(ThreadingHTTPServer):
    """Serves a live page to browsers on this machine, in threads of its own. Raises OSError for a port in use."""

    daemon_threads = True
    block_on_close = False
    # Elsewhere it lets two listen to one port.
    allow_reuse_address = os.name == "posix"

    def __init__(self, live: LivePage, port: int):
        self.live = live
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Without a question to the network for what this machine is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.socket.getsockname()[1]

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.server_port}/"

    def start(self) -> None:
        """Serve from now on, until ``stop``."""
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def stop(self) -> None:
        """Let go of the port."""
        self.live.end()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: LocalServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """``/`` is the page, ``/news`` what changes."""
        address = urlsplit(self.path)
        # A site elsewhere could be given a name that leads here, and would then be let read what is served.
        if self.headers.get("Host") not in {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}:
            self._answer(HTTPStatus.FORBIDDEN, "this is served to browsers on its own machine alone")
        elif address.path == "/":
            self._answer(HTTPStatus.OK, self.server.live.html(), "text/html")
        elif address.path == "/news":
            self._tell(parse_qs(address.query).get("have", [""])[0])
        else:
            self._answer(HTTPStatus.NOT_FOUND, "there is nothing here; the page is at /")

    def _answer(self, status: HTTPStatus, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self._begin(status, kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _begin(self, status: HTTPStatus, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        for name, value in {
            "Cache-Control": "no-store",
            "Content-Security-Policy": "frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
        }.items():
            self.send_header(name, value)

    def _tell(self, have: str) -> None:
        """Server-sent events: ``wrong`` with what is wrong, empty when nothing is; ``changed`` when there is a page
        that the browser does not have, which ends it."""
        live = self.server.live
        self.close_connection = True
        self._begin(HTTPStatus.OK, "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        told: str | None = None
        while True:
            with live.changed:
                live.changed.wait_for(partial(live.has_news, have, told), PAUSE)
                has_ended, version, wrong = live.has_ended, live.version, live.wrong
            if has_ended:
                return
            try:
                if version != have:
                    self._event("changed", version)
                    return
                if wrong != told:
                    self._event("wrong", wrong)
                    told = wrong
                else:
                    self.wfile.write(b": nothing new\n\n")
                self.wfile.flush()
            except OSError:
                return  # The browser has left.

    def _event(self, name: str, text: str) -> None:
        self.wfile.write(f"event: {name}\ndata: {dumps(printable_lines(text))}\n\n".encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are no news to a person."""


def printable_lines(text: str) -> str:
    """``text`` with control and bidirectional characters escaped, but for its line breaks."""
    return "\n".join(map(printable, text.split("\n")))
