"""The language server over its pipes: a real process, spoken to in JSON-RPC as an editor does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue

import pytest

from archspec.cli._lsp.places import Places

ROOT = Path(__file__).parents[2]
SPEC = """\
archspec: 1
name: net
doc: "𝔸 net"
params: {width: 16}
inputs: {image: [32, 32, 3]}
blocks:
  twice:
    params: {n: int}
    body: [conv: {filters: =n, padding: same}, conv: =n]
body:
  - {twice: =width, as: stem}
  - relu
heads:
  main: {from: stem, body: [global_avg_pool, dense: 10]}
"""


class Editor:
    """One server process, and what it says."""

    def __init__(self, folder: Path):
        self.folder, self.count = folder, 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "archspec", "lsp", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self.said: Queue[dict] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while header := self.process.stdout.readline():
            length = int(header.partition(b":")[2])
            while self.process.stdout.readline().strip():
                pass
            self.said.put(json.loads(self.process.stdout.read(length)))

    def send(self, method, params, id=None):
        message = {"jsonrpc": "2.0", "method": method, "params": params} | ({} if id is None else {"id": id})
        data = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self.process.stdin.flush()

    def reply(self, method, params):
        self.count += 1
        self.send(method, params, self.count)
        return self.wait(lambda m: m.get("id") == self.count and "method" not in m)

    def wait(self, is_wanted):
        while True:
            try:
                message = self.said.get(timeout=30)
            except Empty:
                raise AssertionError("the server said nothing for a minute") from None
            if is_wanted(message):
                return message

    def open(self, text, name="net.yaml"):
        uri = (self.folder / name).as_uri()
        item = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.send("textDocument/didOpen", {"textDocument": item})
        return uri, self.diagnostics(uri)

    def change(self, uri, text, version):
        document = {"uri": uri, "version": version}
        self.send("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def diagnostics(self, uri, version=1):
        name = "textDocument/publishDiagnostics"
        said = self.wait(
            lambda m: m.get("method") == name and (m["params"]["uri"], m["params"].get("version")) == (uri, version)
        )
        return said["params"]["diagnostics"]

    def ask(self, method, uri, text, word, nth=0, **further):
        """At the beginning of a word's nth place in the text, counted in UTF-16."""
        at = -1
        for _ in range(nth + 1):
            at = text.index(word, at + 1)
        row, units = Places(text).position(at)
        params = {"textDocument": {"uri": uri}, "position": {"line": row, "character": units}, **further}
        return self.reply(f"textDocument/{method}", params).get("result")


@pytest.fixture(scope="module")
def editor(tmp_path_factory):
    pytest.importorskip("pygls")
    one = Editor(tmp_path_factory.mktemp("project"))
    one.reply("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    one.send("initialized", {})
    yield one
    one.reply("shutdown", None)
    one.send("exit", None)
    assert one.process.wait(timeout=30) == 0


def edited(text, edits):
    places = Places(text)
    for edit in sorted(edits, key=lambda e: (e["range"]["start"]["line"], e["range"]["start"]["character"]))[::-1]:
        start, end = (
            places.offset_at(edit["range"][k]["line"], edit["range"][k]["character"]) for k in ("start", "end")
        )
        text = text[:start] + edit["newText"] + text[end:]
    return text


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_text_that_was_never_saved_is_asked_about(editor, ends):
    text = SPEC.replace("\n", ends)
    uri, said = editor.open(text, f"unsaved{len(ends)}.yaml")
    assert [d for d in said if d["severity"] == 1] == []
    assert not list(editor.folder.glob("unsaved*"))
    found = editor.ask("hover", uri, text, "twice", 1)["contents"]["value"]
    assert "(32, 32, 16)" in found and "64 parameters" in found and "272 parameters" in found
    assert "Convolution" in editor.ask("hover", uri, text, "conv:")["contents"]["value"]
    assert editor.ask("definition", uri, text, "stem", 1)["range"]["start"] == {"line": 10, "character": 24}
    edit = editor.ask("rename", uri, text, "width", newName="w")
    assert edited(text, edit["changes"][uri]) == text.replace("width", "w")
    edit = editor.ask("rename", uri, text, "twice", newName="pair")
    assert edited(text, edit["changes"][uri]) == text.replace("twice", "pair")
    names = [s["name"] for s in editor.reply("textDocument/documentSymbol", {"textDocument": {"uri": uri}})["result"]]
    assert names == ["width", "image", "twice", "n", "stem"]


def test_a_name_that_is_none_is_refused(editor):
    uri, _ = editor.open(SPEC, "refused.yaml")
    params = {"textDocument": {"uri": uri}, "position": {"line": 3, "character": 10}, "newName": "a b"}
    assert "is no name" in editor.reply("textDocument/rename", params)["error"]["message"]


def test_a_name_that_is_taken_is_refused(editor):
    start = "archspec: 1\nname: n\nparams: {width: 8, depth: 2}\ninputs: {image: [8, 8, 3]}\nbody:\n"
    uri, _ = editor.open(
        f"{start}  - {{conv: =width, as: one}}\n  - {{conv: =depth, as: two}}\n  - add: [one, one]\n", "t.yaml"
    )
    for line, character, name, said in (
        (2, 10, "depth", "'depth' cannot stand here: "),
        (5, 23, "two", "'two' cannot stand here: "),
    ):
        params = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}, "newName": name}
        assert said in editor.reply("textDocument/rename", params)["error"]["message"]


def test_mistakes_are_said_while_typing_with_what_would_mend_them(editor):
    text = SPEC.replace("- relu", "- {dropout: 0.1}  # 𝔸\n  - reul")
    uri, said = editor.open(text, "typed.yaml")
    (one,) = said
    assert one["code"] == "N00" and one["range"]["start"] == {"line": 12, "character": 4}
    params = {"textDocument": {"uri": uri}, "range": one["range"], "context": {"diagnostics": [one]}}
    (action,) = editor.reply("textDocument/codeAction", params)["result"]
    mended = edited(text, action["edit"]["changes"][uri])
    assert mended == text.replace("reul", "relu")
    # Many changes in a breath: the last is what is spoken of.
    for version in range(2, 12):
        editor.change(uri, text + "#" * version, version)
    editor.change(uri, mended, 12)
    assert [d for d in editor.diagnostics(uri, 12) if d["severity"] == 1] == []
    editor.change(uri, "body: [", 13)
    assert [d["severity"] for d in editor.diagnostics(uri, 13)] == [1]


def test_a_place_behind_a_character_of_two_units(editor):
    text = 'archspec: 1\nname: net\ninputs: {x: [4]}\nbody: [{dense: 4, as: a, when: \'="𝔸𝔸" != "a"\'}, dens: 3]\n'
    _, said = editor.open(text, "wide.yaml")
    one = next(d for d in said if d["code"] == "N00")
    line = text.splitlines()[3]
    assert one["range"]["start"] == {"line": 3, "character": line.index("dens:") + 2}


def test_words_are_completed(editor):
    uri, _ = editor.open(SPEC, "words.yaml")

    def words(text, version):
        editor.change(uri, text, version)
        at = Places(text).position(len(text))
        params = {"textDocument": {"uri": uri}, "position": {"line": at[0], "character": at[1]}}
        return {item["label"] for item in editor.reply("textDocument/completion", params)["result"]}

    start = SPEC.partition("  - relu")[0]
    assert {"conv", "conv_bn", "twice"} <= words(start + "  - con", 2)
    assert {"filters", "padding"} <= words(start + "  - conv: {fil", 3)
    assert {"stem", "width"} <= words(start + "  - dense: =w", 5)


def test_files_that_are_used_count_from_the_folder(editor):
    (editor.folder / "part.yaml").write_text(SPEC, encoding="utf-8")
    text = "archspec: 1\nname: two\nuse: {part: part.yaml}\ninputs: {image: [32, 32, 3]}\nbody: [part]\n"
    uri, said = editor.open(text, "two.yaml")
    assert not [d for d in said if d["severity"] == 1]
    target = editor.ask("definition", uri, text, "part", 2)["uri"]
    assert target == (editor.folder / "part.yaml").as_uri()


RUN = """\
archspec_run: 1
spec: lenet5
data: digits
augment:
  - resize: 32
  - rescale
  - mirror
train:
  optimizer: {adam: {beta_1: 0.8}}
  schedule: cosine
evaluate: {}
"""


def test_a_run_file_is_completed_and_explained(editor):
    uri, said = editor.open(RUN, "words.yaml")
    assert said == []

    def words(word, nth=0):
        return [item["label"] for item in editor.ask("completion", uri, RUN, word, nth)]

    assert {"data", "train", "evaluate"} < set(words("spec", 1))
    assert {"resnet50", "lenet5"} < set(words("lenet5"))
    assert {"digits", "shapes"} < set(words("digits")) and "csv" not in words("digits")
    assert {"mirror", "random_crop"} < set(words("mirror"))
    assert {"epochs", "batch", "optimizer"} < set(words("schedule"))
    assert {"adam", "sgd"} < set(words("adam"))
    assert words("beta_1")[0] == "learning_rate" and {"beta_1", "amsgrad"} < set(words("beta_1"))
    assert "constant" in words("cosine")
    shown = {word: editor.ask("hover", uri, RUN, word) for word in ("adam", "beta_1", "schedule", "mirror", "0.8")}
    assert "Kingma" in shown["adam"]["contents"]["value"]
    assert shown["beta_1"]["contents"]["value"] == "**beta_1**: Decay of the mean of gradients. (default `0.9`)"
    assert "learning rate" in shown["schedule"]["contents"]["value"] and shown["mirror"] and shown["0.8"] is None


def test_a_run_file_has_diagnostics_and_a_form(editor):
    uri, said = editor.open("archspec_run: 1\nspec:   lenet5\ndata: digits\ntrain: {epochz: 2}\n", "run.yaml")
    assert "epochz" in said[0]["message"] and said[0]["range"]["start"] == {"line": 3, "character": 8}
    options = {"tabSize": 2, "insertSpaces": True}
    (edit,) = editor.reply("textDocument/formatting", {"textDocument": {"uri": uri}, "options": options})["result"]
    assert "spec: lenet5\n" in edit["newText"]


@pytest.mark.slow
def test_without_the_extra_the_install_is_named(monkeypatch, capsys):
    from archspec.cli import main

    monkeypatch.setitem(sys.modules, "pygls", None)
    assert main(["lsp"]) == 1
    assert "pip install 'archspec-keras[lsp]'" in capsys.readouterr().err
