"""Files that mean harm: each is refused, or bounded, within a second and in little memory.

The whole corpus also runs in a process of its own that watches what is opened, connected and imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archspec.frontend import load, loads
from archspec.ir.diagnostics import SpecError
from tests.wording import refuses

HEAD = "archspec: 1\nname: net\ninputs: {image: [32, 32, 3]}\n"

SECONDS = 5.0
"""CPU time of one answer. The budget of 200,000 steps, spent on calls, takes the longest: two seconds."""


def bomb(entry: str, levels: int) -> str:
    lines = [f"a0: &a0 {entry}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int) -> str:
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, levels)]
    return "\n".join(lines)


def body(*steps: str) -> str:
    return HEAD + "body:\n" + "".join(f"  - {step}\n" for step in steps)


YAML = {
    "alias bomb of lists": bomb("[x, x]", 20),
    "alias bomb of maps": bomb("{x: y}", 9),
    "alias bomb in a body": HEAD + "body: &b [relu, *b]",
    "node bomb": HEAD + "body: [" + "relu, " * 250_000 + "relu]",
    "merge bomb": merges(9),
    "deep flow": "[" * 100_000,
    "deep blocks": "".join(" " * n + "-\n" for n in range(1000)),
    "deep dashes": "- " * 100_000,
    "flow of a megabyte that does not end": "[" + "a, " * 340_000,
    "flow of braces": "{a: " * 50_000,
    "alias of itself": "&a [*a]",
    "alias before its anchor": "[*a, &a b]",
    "tag of python": "!!python/object/apply:os.system ['echo harm']",
    "tag of an integer": "a: !!int ''",
    "tag of a timestamp": "a: !!timestamp foo",
    "tag of our own": "a: !harm b",
    "NUL": HEAD + "body: [re\0lu]",
    "lone surrogate": HEAD + "body: [re\udc80lu]",
    "duplicate key": HEAD + HEAD,
    "key that is a list": HEAD + "body: [{[a]: b}]",
    "key that is a map": HEAD + "? {a: b}\n: c\n",
    "integer of 10,000 digits": body("conv: " + "9" * 10_000),
    "exponent": body("dropout: 1e999"),
    "sexagesimal": body("conv: 1" + ":59" * 20_000),
    "two documents": HEAD + "body: [relu]\n---\n" * 1000,
    "200,000 anchors": "".join(f"k{n}: &a{n} b\n" for n in range(60_000)),
    "90,000 keys": HEAD + "params: {" + ", ".join(f"k{n}: 1" for n in range(90_000)) + "}\nbody: [relu]",
    "name that turns the text": HEAD + 'body: ["\u202euler", "re\u200blu"]',
    "value of a megabyte": HEAD + "doc: " + "a" * 1_000_000,
    "tabs": "\t" * 100_000,
    "comments": "#\n" * 500_000,
    "long line": HEAD + "body: [conv: " + "x" * 60_000 + "]",
    "many documents of nothing": "---\n" * 100_000,
}
VALUES = {
    "count of a milliard": body("{relu, repeat: 1000000000}"),
    "loops in loops": body("{do: [{do: [{do: [{relu, repeat: 1000}], repeat: 1000}], repeat: 1000}], repeat: 1000}"),
    "loops in loops that skip": body(
        "{do: [{do: [{do: [{relu, when: false}], repeat: 999}], repeat: 999}], repeat: 999}"
    ),
    "loops of nothing": body("{do: [{do: [{do: [], repeat: 99999}], repeat: 99999}], repeat: 99999}"),
    "blocks that double": HEAD
    + "blocks:\n  b0: {body: [relu]}\n"
    + "".join(f"  b{n}: {{body: [b{n - 1}, b{n - 1}]}}\n" for n in range(1, 60))
    + "body: [b59]\n",
    "blocks that double nothing": HEAD
    + "blocks:\n  b0: {body: []}\n"
    + "".join(f"  b{n}: {{body: [b{n - 1}, b{n - 1}]}}\n" for n in range(1, 60))
    + "body: [b59]\n",
    "branches in branches": body("branches: [" * 20 + "[relu]" + "]" * 20),
    "each in each": body("{do: [{do: [{conv: 8, each: 1000}], each: 1000}], each: 1000, merge: concat}"),
    "filters": body("conv: 1152921504606846976", "conv: 9223372036854775808", "conv: -1", "conv: 0", "conv: true"),
    "filters as text": body('conv: "32"'),
    "kernel": body("conv: {filters: 8, kernel: 4294967297}"),
    "padding": body("pad: 1048576", "pad: 1048576", "pad: 1048576"),
    "upsampling": body(*["upsample: 1024"] * 12),
    "input": "archspec: 1\nname: n\ninputs: {x: [1000000000, 1000000000, 3]}\nbody: [relu]\n",
    "input of many axes": f"archspec: 1\nname: n\ninputs: {{x: [{', '.join(['9'] * 5000)}]}}\nbody: [relu]\n",
    "open sizes": "archspec: 1\nname: n\ninputs: {x: [null, null, null]}\nbody: [conv: 8, flatten, dense: 3]\n",
    "widths": body("flatten", *["dense: 16777216"] * 3),
    "concatenation that doubles": body(*["{concat: [prev, prev]}"] * 300),
    "split in a million": body("flatten", "split: 3072", "concat"),
    "name of a megabyte": HEAD + f"body: [{{relu, as: {'a' * 60_000}}}, {{relu, as: {'a' * 60_000}}}]",
    "names of many": body(*[f"{{relu, as: a{n}}}" for n in range(15_000)]),
    "residuals of open size": "archspec: 1\nname: n\ninputs: {x: [null, null, 8]}\nbody: ["
    + "residual: [" * 25
    + "relu"
    + "]" * 25
    + "]\n",
    "params of a list": HEAD + f"params: {{a: [{', '.join(['1'] * 50_000)}]}}\nbody: [{{relu, repeat: {{i: =a}}}}]\n",
}
EXPRESSIONS = {
    "power": "=9**9**9",
    "powers": "=((((9**64)**64)**64)**64)",
    "width of a format": "=f'{1:>1000000000}'",
    "walk over attributes": "=().__class__.__base__.__subclasses__()",
    "walk over a result": "=prev.__class__.__init__.__globals__",
    "comprehension": "=[x for x in range(10**9)]",
    "long sum": "=" + "+".join(["1"] * 20_000),
    "deep brackets": "=" + "(" * 90 + "1" + ")" * 90,
    "deep signs": "=" + "-" * 190 + "1",
    "import": "=__import__('os').system('echo harm')",
    "division by zero": "=1 // 0",
    "division of a list": "=[1, 2] // 2",
    "shift": "=1 << 1000000",
    "text times number": "='a' * 1000000000",
    "text that doubles": "=" + "+".join(["'aaaaaaaaaaaaaaaa'"] * 9),
    "list times number": "=[0] * 1000000000",
    "range": "=len(range(1000000000))",
    "range of floats": "=range(0.5)",
    "range by zero": "=range(1, 2, 0)",
    "lambda": "=(lambda: (yield))()",
    "walrus": "=(x := 5)",
    "await": "=await x",
    "complex": "=1j",
    "bytes": "=b'a'",
    "ellipsis": "=...",
    "star": "=max(*[1, 2])",
    "percent format": "='%1000000000d' % 1",
    "NUL": "=1\\0",
    "unicode name": "=ｐrev.channels",
    "float overflow": "=1e308 * 10",
    "rounding": "=round(1.5, 10000000000)",
    "huge int text": "=int('9' * 10)",
}
TEXTS = {**YAML, **VALUES, **{f"={k}": body(f'conv: "{v}"') for k, v in EXPRESSIONS.items()}}
FINE = {
    "open sizes",
    "names of many",
    "comments",
    "residuals of open size",
    "branches in branches",
    "90,000 keys",
    "=deep brackets",
}
"""What may well give a graph."""


@pytest.mark.parametrize("name", TEXTS)
def test_text(name):
    start = time.process_time()
    try:
        graph = loads(TEXTS[name], neighbours=True)
    except SpecError as error:
        assert all(d.span.line >= 1 and d.span.column >= 1 for d in error.diagnostics)
        assert len(str(error)) < 200_000
    else:
        assert name in FINE and len(graph.nodes) <= 20_000
    assert time.process_time() - start < SECONDS


def files(folder: Path) -> dict[str, str]:
    """Specs whose ``use`` reaches for what it must not, written beside what they reach for."""
    outside = folder / "outside.yaml"
    outside.write_text(HEAD + "body: [relu]\n")
    inside = folder / "inside"
    (inside / "folder.yaml").mkdir(parents=True)
    (inside / "link.yaml").symlink_to(outside)
    (inside / "loop.yaml").symlink_to(inside / "loop.yaml")
    (inside / "zero.yaml").symlink_to("/dev/zero")
    (inside / "environ.yaml").symlink_to("/proc/self/environ")
    os.mkfifo(inside / "pipe.yaml")
    with (inside / "sparse.yaml").open("wb") as file:
        file.truncate(2 << 30)
    (inside / "me.yaml").write_text(HEAD + "use: {a: me.yaml}\nbody: [a]\n")
    (inside / "one.yaml").write_text(HEAD + "use: {a: two.yaml}\nbody: [a]\n")
    (inside / "two.yaml").write_text(HEAD + "use: {a: one.yaml}\nbody: [a]\n")
    for n in range(40):
        (inside / f"deep{n}.yaml").write_text(HEAD + f"use: {{a: deep{n + 1}.yaml}}\nbody: [a]\n")
    (inside / "deep40.yaml").write_text(HEAD + "body: [relu]\n")
    use = {f"u{n}": f"wide{n}.yaml" for n in range(300)}
    for target in use.values():
        (inside / target).write_text(HEAD + "body: [relu]\n")
    targets = {
        "above": "../outside.yaml",
        "absolute": str(outside),
        "link": "link.yaml",
        "loop": "loop.yaml",
        "zero": "zero.yaml",
        "environ": "environ.yaml",
        "folder": "folder.yaml",
        "pipe": "pipe.yaml",
        "sparse": "sparse.yaml",
        "me": "me.yaml",
        "mutual": "one.yaml",
        "deep": "deep0.yaml",
        "newline": "a\\nb.yaml",
        "escape": "\\x1b[31m.yaml",
        "nul": "a\\0b.yaml",
        "long": "a/" * 3000 + "b.yaml",
        "device": "/dev/stdin.yaml",
        "home": "~/b.yaml",
        "url": "https://example.com/b.yaml",
    }
    out = {}
    for name, target in targets.items():
        out[name] = HEAD + f'use: {{it: "{target}"}}\nbody: [it]\n'
    out["wide"] = HEAD + "use:\n" + "".join(f"  {k}: {v}\n" for k, v in use.items()) + f"body: [{', '.join(use)}]\n"
    for name, text in out.items():
        (inside / f"case_{name}.yaml").write_text(text)
    return {name: str(inside / f"case_{name}.yaml") for name in out}


def test_files(tmp_path):
    for name, path in files(tmp_path).items():
        start = time.process_time()
        with pytest.raises(SpecError) as error:
            load(path)
        assert {d.code[0] for d in error.value.diagnostics} <= set("FNYS"), name
        assert "\x1b" not in str(error.value)
        assert time.process_time() - start < SECONDS, name


def test_what_a_person_names_must_be_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", tmp_path, "/dev/zero"):
        with refuses(SpecError):
            load(str(path))


WATCH = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (768 << 20, 768 << 20))
from archspec.frontend import loads, load
from archspec.ir.diagnostics import SpecError
import archspec.frontend.open, archspec.frontend.neighbours, archspec.report.table
from archspec.ops.base import Op
list(Op.all())
from tests.frontend.test_malicious import TEXTS, files
import pathlib
paths = files(pathlib.Path(sys.argv[1]))
seen = []
def hook(event, args):
    if event == "open" and (args[1] or "r") not in ("r", "rb", "rt") and not isinstance(args[0], int):
        seen.append([event, repr(args)])
    elif event.startswith(("socket", "subprocess", "os.system", "os.exec", "os.posix_spawn", "ctypes", "shutil")):
        seen.append([event, repr(args)])
    elif event in ("exec", "compile") and not str(args[0]).startswith("<code") and event == "exec":
        seen.append([event, repr(args)[:200]])
    elif event == "import":
        seen.append([event, args[0]])
sys.addaudithook(hook)
for make, cases in ((loads, TEXTS), (load, paths)):
    for name, text in cases.items():
        try:
            make(text)
        except SpecError as error:
            str(error)
# Not ru_maxrss, which begins with the memory of the process that forked this one.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([seen, int(peak.split()[1]) / 1024]))
"""


@pytest.mark.slow
def test_nothing_is_opened_run_or_fetched_and_memory_is_bounded(tmp_path):
    import json

    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(tmp_path)], cwd=root, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen, megabytes = json.loads(done.stdout)
    assert [s for s in seen if s[0] != "import"] == []
    assert {s[1].partition(".")[0] for s in seen} <= {*sys.stdlib_module_names, "archspec", "pydantic", "pydantic_core"}
    assert not {"os.system", "harm"} & {s[1] for s in seen}
    assert megabytes < 256
