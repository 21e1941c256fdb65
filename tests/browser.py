"""A headless Chromium, driven through its DevTools protocol over a pipe: no driver, no port, no package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
"""The program, where there is one."""
MISSING = "needs Chromium: chromium, chromium-browser, google-chrome or chrome on PATH"


class Tab:
    """A page that is open, with all that it said and asked for."""

    def __init__(self, reads: int, writes: int):
        self._reads, self._writes = os.fdopen(reads, "rb"), os.fdopen(writes, "wb")
        self._count, self._session = 0, None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command; what happens meanwhile is kept."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._writes.write(json.dumps(message).encode() + b"\0")
        self._writes.flush()
        while True:
            said = self._message()
            if said.get("id") == self._count:
                assert "error" not in said, said
                return said["result"]

    def _message(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._reads.read(1)) != b"\0":
            assert byte, "the browser has ended"
            text += byte
        said = json.loads(text)
        if "id" not in said:
            self.events.append(said)
        return said

    def wait(self, method: str) -> dict[str, Any]:
        """The next event of this kind from now on."""
        while (said := self._message()).get("method") != method:
            pass
        return said

    def open(self, url: str) -> None:
        """Go there, and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        if not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.wait("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def complaints(self) -> list[Any]:
        """What the page wrote to its console, threw, or violated."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [event["params"] for event in self.events if event["method"] in kinds]

    def requests(self) -> list[str]:
        """Addresses that were asked for."""
        sent = (event for event in self.events if event["method"] == "Network.requestWillBeSent")
        return [event["params"]["request"]["url"] for event in sent]


@contextmanager
def tab(folder: Path, *options: str) -> Iterator[Tab]:
    """A tab of a browser of its own, which keeps what it keeps in ``folder``."""
    assert CHROMIUM is not None
    (their_end, to_browser), (from_browser, its_end) = os.pipe(), os.pipe()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}", *options]
    # The browser reads commands from 3 and answers on 4.
    start = f'exec "$0" "$@" 3<&{their_end} 4>&{its_end}'
    process = subprocess.Popen(
        ["bash", "-c", start, CHROMIUM, *flags, "--remote-debugging-pipe"],
        pass_fds=(their_end, its_end),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_end)
    os.close(its_end)
    try:
        yield Tab(from_browser, to_browser)
    finally:
        process.terminate()
        process.wait(30)
