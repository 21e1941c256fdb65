"""``archspec view``: what is served, to whom, and what a browser is told when files change."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from html import unescape
from http.client import HTTPConnection

import pytest

from archspec.analysis.hardware import hardware
from archspec.cli import main
from archspec.report.page.live import LivePage, LocalServer
from tests.browser import CHROMIUM, MISSING, tab

NET = "archspec: 1\nname: net\ninputs: {x: [8]}\nbody:\n  - {dense: 5, as: first}\n  - relu\n"


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(NET, encoding="utf-8")
    return path


@contextmanager
def served(path):
    server = LocalServer(LivePage(str(path), hardware("h100")), 0)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def got(server, path="/", host=None):
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers


def version(text):
    return re.search(r'data-live="([^"]+)"', text)[1]


class News:
    """What a browser that has a version is told."""

    def __init__(self, server, have):
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        connection.request("GET", f"/news?have={have}")
        self.lines = connection.getresponse()

    def next(self):
        """The next event and its text; None at the end."""
        while line := self.lines.readline().decode():
            if line.startswith("event: "):
                return line[7:-1], json.loads(self.lines.readline().decode().removeprefix("data: "))
        return None


def test_what_no_edit_could_mend_is_told_and_nothing_is_served(net, capsys):
    assert main(["view", str(net), "--set", "wdth=3"]) == 1
    assert "--set wdth=3: net has no parameter 'wdth'" in capsys.readouterr().err
    net.write_text("archspec_run: 1\nspec: net.yaml\n", encoding="utf-8")
    assert main(["view", str(net)]) == 1
    assert "this is a run file, not a spec" in capsys.readouterr().err


def test_the_page_is_served_to_this_machine_alone(net):
    with served(net) as server:
        status, text, headers = got(server)
        assert status == 200 and "first" in text and "connect-src 'self'" in unescape(text)
        assert headers["Cache-Control"] == "no-store" and "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert server.socket.getsockname()[0] == "127.0.0.1"
        assert got(server, host=f"localhost:{server.server_port}")[0] == 200
        for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1", "127.0.0.1:1"):
            assert got(server, host=host)[0] == 403
        assert got(server, "/../../etc/passwd")[0] == got(server, "/net.yaml")[0] == 404


def test_an_edit_is_told_and_a_mistake_leaves_the_last_picture(net):
    with served(net) as server:
        first = got(server)[1]
        news = News(server, version(first))
        assert news.next() == ("wrong", "")
        net.write_text(NET.replace("relu", "rleu"), encoding="utf-8")
        server.live.look()
        kind, said = news.next()
        assert kind == "wrong" and "net.yaml:6:5: error[" in said and "did you mean 'relu'?" in said
        assert got(server)[1] == first
        net.write_text(NET.replace("first", "second"), encoding="utf-8")
        server.live.look()
        kind, new = news.next()
        assert kind == "changed" and news.next() is None
        assert version(got(server)[1]) == new != version(first) and "second" in got(server)[1]
        # A browser that comes later, with an old page, hears of it at once.
        assert News(server, version(first)).next() == ("changed", new)


def test_files_that_are_used_are_followed(net, tmp_path):
    net.write_text(
        "archspec: 1\nname: net\nuse: {part: part.yaml}\ninputs: {x: [8]}\nbody: [part, {dense: 2}]\n", encoding="utf-8"
    )
    live = LivePage(str(net), hardware("h100"))
    assert "there is no file 'part.yaml'" in live.wrong and "<main" not in live.html()
    part = tmp_path / "part.yaml"
    part.write_text(NET, encoding="utf-8")
    live.look()
    assert live.wrong == "" and "part.first" in live.html()
    before = live.version
    live.look()
    assert live.version == before
    beside = tmp_path / "beside.yaml"
    beside.write_text(NET.replace("first", "other"), encoding="utf-8")
    os.replace(beside, part)
    live.look()
    assert live.version != before and "part.other" in live.html()


@pytest.mark.fast(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(net, number, capsys):
    """And a port is one server's."""
    command = [sys.executable, "-m", "archspec", "view", str(net), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = process.stdout.readline()
    port = int(re.match(r"http://127\.0\.0\.1:(\d+)/ shows ", said)[1])
    waiting = HTTPConnection("127.0.0.1", port, timeout=20)
    waiting.request("GET", "/news?have=x")
    waiting.getresponse()
    if number == signal.SIGINT:
        assert main(["view", str(net), "--port", str(port)]) == 1
        said = capsys.readouterr().err
        assert said == f"archspec: port {port} is in use: --port N takes another, --port 0 any that is free\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def test_what_cannot_be_shown_is_refused(tmp_path, capsys):
    assert main(["view", str(tmp_path / "nowhere.yaml"), "--port", "0"]) == 1
    assert "nowhere.yaml" in capsys.readouterr().err
    assert main(["view", "net", "--port", "70000"]) == 2
    assert main(["view", "net", "--hardware", "h10"]) == 2


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
def test_a_browser_follows(net, tmp_path):
    def until(script):
        return browser.run(
            "new Promise((yes) => {const start = Date.now(), again = setInterval(() => {"
            f"const is = Boolean({script}); if (is || Date.now() - start > 20000) {{clearInterval(again); yes(is)}}"
            "}, 50)})"
        )

    with served(net) as server, tab(tmp_path / "profile") as browser:
        browser.open(server.address)
        browser.run(
            "document.querySelector('#search').value = 'relu';"
            "document.querySelector('#search').dispatchEvent(new Event('input')); 0"
        )
        net.write_text(NET.replace("relu", "rleu"), encoding="utf-8")
        server.live.look()
        assert until("document.querySelector('#news').textContent.includes(\"did you mean 'relu'?\")")
        assert browser.run("document.querySelectorAll('.layers tbody tr').length") == 2
        net.write_text(NET + "  - {dense: 3, as: third}\n", encoding="utf-8")
        server.live.look()
        browser.wait("Page.loadEventFired")
        assert browser.run("document.querySelectorAll('.layers tbody tr').length") == 3
        assert (
            browser.run("document.querySelector('#news').hidden && document.querySelector('#search').value") == "relu"
        )
        assert browser.complaints() == []
        assert {url.partition("?")[0] for url in browser.requests()} == {server.address, f"{server.address}news"}
