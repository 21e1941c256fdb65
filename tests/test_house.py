"""The house itself: its floors, what it never imports, what it never does, and what lies where."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from archspec.data.source import DataSource
from archspec.ops.base import Op
from archspec.ops.loss import Loss
from tests.wording import sections

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "archspec"
MODULES = sorted(PACKAGE.rglob("*.py"))
SPECS = sorted(p for p in (ROOT / "specs").rglob("*.yaml") if "runs" not in p.relative_to(ROOT / "specs").parts)
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
HEAVY = ("keras", "tensorflow", "numpy", "h5py", "scipy", "sklearn", "jax", "torch", "PIL", "safetensors", "tokenizers")


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """One reading of a module for all that is asked of it: its nodes, in the order of ``ast.walk``."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.fixture(autouse=True, scope="module")
def forgotten():
    """Millions of nodes would be walked through by each collection of garbage of the tests that follow."""
    yield
    nodes.cache_clear()


def python(code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment, cwd=cwd, timeout=120
    )


def test_floors():
    """The contract of pyproject.toml: every folder has a floor, and no floor imports one above."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout


def test_floors_are_those_of_the_tree():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (contract for contract in contracts if contract["type"] == "layers")
    floors = {room for floor in contract["layers"] for room in floor.split(" | ")}
    assert contract["exhaustive"] and floors >= {p.parent.name for p in PACKAGE.glob("*/__init__.py")}


STATIC = [
    ["--help"],
    ["check", "lenet5"],
    ["table", "resnet50"],
    ["table", "densenet121", "--format", "json"],
    ["table", "googlenet", "--training", "--format", "markdown"],
    ["table", "lenet5", "--columns", "bytes,memory,saved,training_memory,receptive_field"],
    ["table", "lenet5", "--memory", "1GiB"],
    ["table", "lenet5", "--format", "csv"],
    ["sweep", "lenet5", "--vary", "classes=10:12"],
    ["diff", "lenet5", "--new-set", "classes=12"],
    ["list"],
    ["ops"],
    ["reference"],
    ["reference", "conv", "--format", "json"],
    ["schema"],
    ["schema", "lenet5"],
]


def test_the_static_path_imports_no_framework(tmp_path):
    """Not even behind a try: importing one stops the process. One process, in a folder of its own, for all commands:
    what is there already would be told at the first that imports it."""
    code = (
        "import json, sys\n"
        "from importlib.machinery import ModuleSpec\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        return ModuleSpec(name, self) if name.partition('.')[0] in {HEAVY} else None\n"
        "    def create_module(self, spec): sys.exit(f'{spec.name} was imported')\n"
        "    def exec_module(self, module): pass\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import archspec\n"
        "from archspec.cli import main\n"
        "for command in json.loads(sys.argv[1]):\n"
        "    print(command, file=sys.stderr)\n"
        "    try:\n"
        "        code = main(command)\n"
        "    except SystemExit as stop:\n"
        "        code = stop.code\n"
        "    print(code, file=sys.stderr)\n"
        f"print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)\n"
    )
    done = python(code, json.dumps(STATIC), cwd=tmp_path)
    wanted = [line for command in STATIC for line in (str(command), "0")]
    assert done.returncode == 0 and done.stderr.splitlines() == [*wanted, "[]"], done.stderr


FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.load_all",
    "yaml.full_load",
    "yaml.unsafe_load",
    "yaml.safe_load",
    "load_model",
    "deserialize_keras_object",
    "model_from_json",
    "extractall",
    "get_file",
}
FORBIDDEN_MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "joblib",
    "cloudpickle",
    "marshal",
    "shelve",
    "ctypes",
    "code",
}
FORBIDDEN_MODULES |= {
    "socket",
    "urllib.request",
    "http.client",
    "requests",
    "ftplib",
    "telnetlib",
    "smtplib",
    "subprocess",
}
FORBIDDEN_KEYWORDS = {("shell", True), ("allow_pickle", True), ("safe_mode", False), ("weights_only", False)}
MAY_IMPORT = {
    "archspec/cli/diff.py": {"subprocess"},
    "archspec/training/record.py": {"subprocess"},
    "archspec/backend/importers/hdf5.py": {"subprocess"},
}
"""A run asks git for the commit that it was made with, a comparison for a file of a revision that a person names, and
files of HDF5 are read by another Python first: in fixed words, without a shell."""


def test_nothing_is_executed_that_a_file_says():
    """No code, pickle, shell or network out of what a person gives (reliability: R18)."""
    found = {path.relative_to(ROOT).as_posix(): executed(path) for path in MODULES}
    assert {path: what for path, what in found.items() if what} == {}


def executed(path: Path) -> list[tuple[int, str]]:
    """The lines of a module that run, load or fetch what they are told to."""
    allowed = MAY_IMPORT.get(path.relative_to(ROOT).as_posix(), set())
    own = {name for name, home in module_names(path).items() if home.startswith("archspec.") or home == "local"}
    found = []
    for node in nodes(path):
        match node:
            case ast.Call(func=function):
                name = dotted(function)
                last = name.rpartition(".")[2]
                bad = name in FORBIDDEN_CALLS or (
                    last in {"load_model", "deserialize_keras_object", "model_from_json", "extractall", "get_file"}
                )
                if bad and name not in own:
                    found.append((node.lineno, f"{name}()"))
                for keyword in node.keywords:
                    value = keyword.value
                    if isinstance(value, ast.Constant) and (keyword.arg, value.value) in FORBIDDEN_KEYWORDS:
                        found.append((node.lineno, f"{keyword.arg}={value.value}"))
            case ast.Import(names=names):
                found += [(node.lineno, a.name) for a in names if a.name in FORBIDDEN_MODULES - allowed]
            case ast.ImportFrom(module=module) if module:
                found += [(node.lineno, module)] if module in FORBIDDEN_MODULES else []
                full = [f"{module}.{a.name}" for a in node.names]
                found += [(node.lineno, name) for name in full if name in FORBIDDEN_MODULES | FORBIDDEN_CALLS]
    return found


def module_names(path: Path) -> dict[str, str]:
    """Name → where it comes from (``local`` for definitions), for all imports and definitions of a module."""
    out = {}
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom):
            out.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            out[node.name] = "local"
    return out


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of a name or attribute; a call or subscript in between is left out."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))


def architectures() -> set[str]:
    """Names of all specs, variants and families, without digits and suffixes that are words of the field."""
    names = set()
    for path in SPECS:
        document = yaml.load(path.read_text(encoding="utf-8"), LOADER)
        names |= {path.parent.name, path.stem, document["name"], *(document.get("variants") or {})}
    stems = {re.sub(r"[\d.].*$", "", name).strip("_").lower() for name in names} | {n.lower() for n in names}
    # Words of the field and programs, besides being names of networks; losses that the language calls after their
    # paper, and formats of data that are called after a network.
    words = {"darknet"}
    words |= {"rnn", "lstm", "gru", "transformer", "seq", "attention", "plain", "mlp", "captioner", "siamese", "style"}
    words |= {*Loss.names(), *DataSource.names()}
    return {s for s in stems if len(s) > 2} - words


def test_no_architecture_is_named_in_python():
    """Docstrings may cite where a rule comes from; names, strings and branches know no network."""
    names = sorted(architectures(), key=len, reverse=True)
    found = []
    for path in MODULES:
        texts = []
        documented = {id(doc) for doc in docstrings(path)}
        for node in nodes(path):
            match node:
                case ast.Constant(value=str(text)) if id(node) not in documented:
                    texts.append((node.lineno, text))
                case ast.Name(id=text) | ast.Attribute(attr=text) | ast.arg(arg=text):
                    texts.append((node.lineno, text))
                case ast.FunctionDef(name=text) | ast.ClassDef(name=text):
                    texts.append((node.lineno, text))
        # A search for a hundred names at every letter takes long: first, which of them can be here at all.
        whole = "\n".join(text for _, text in texts).lower()
        if here := "|".join(re.escape(name) for name in names if name in whole):
            pattern = re.compile(rf"(?<![a-z])(?:{here})(?![a-z])", re.IGNORECASE)
            found += [(str(path.relative_to(ROOT)), line, m) for line, text in texts for m in pattern.findall(text)]
    assert found == []


OPS_ARE_NAMED_IN = ("ops", "layers", "backend/importers", "importing", "data/transforms", "analysis/conventions")
OPS_ARE_NAMED_IN += ("writing/prelude",)
"""Where ops are declared and lowered, where other programs' layers are read or what they count is told, where a block
of the prelude is recognised by its steps, and transforms, which have names of their own, some of them an op's."""
OTHER_WORDS = {
    # An argument of ops (and the kinds of arguments that ``ops`` lists), whatever op it is.
    "activation": {"cli/reference", "frontend/arguments", "frontend/intended_arguments", "frontend/lint/learning"}
    | {"frontend/schema/file", "frontend/intended", "frontend/completion"}
    | {"backend/comparison/numbers", "ir/aliases", "report/vocabulary"},
    # What is left out, in words of other libraries: types of inputs, arguments, draws.
    "mask": {"frontend/inputs"}
    # A picture of the class of each pixel.
    | {"data/sources/masks", "runs/masks", "runs/prediction", "tasks/segmentation/predictor"},
    "dropout": {"frontend/slips/__init__"},
    # What a target holds (``Loss.labels``).
    "one_hot": {
        "tasks/minimizing",
        "frontend/lint/learning",
        "frontend/train_inputs",
        "tasks/classification/__init__",
    }
    | {"tasks/segmentation/__init__", "tasks/sequence_to_sequence/__init__"},
    # A part of the data, and words of sections and of the command line.
    "split": {
        "runs/directory",
        "runs/evaluation",
        "runs/other_data",
        "data/sources/csv",
        "data/sources/folder",
        "data/sources/text",
        "data/sources/text_pairs",
    }
    | {"training/data_hints", "training/hints", "training/plan", "training/planning", "training/section_hints"},
    "interpolate": {"cli/sample", "tasks/adversarial/__init__", "tasks/autoencoding/__init__", "training/latents"},
    "dense": {"runs/evaluation", "backend/matching", "backend/torch_modules"},
    "embedding": {"training/features", "training/planning"},
    "average": {"frontend/schema/file"},
    # Keys of JSON Schema, and of the bounds of a field.
    "minimum": {"frontend/schema/file", "frontend/schema/values", "data/class_weights", "data/mask_values"},
    "maximum": {"frontend/schema/values", "data/class_weights", "data/mask_values"},
    # Words in the names of weights, Keras's and PyTorch's.
    "bias": {
        "analysis/practice",
        "backend/archive",
        "backend/folding",
        "backend/torch_buffers",
        "backend/torch_modules",
    },
    "attention": {"backend/torch_modules"},
    **{word: {"backend/matching"} for word in ("conv", "linear", "lstm", "gru", "rnn")},
    # What a residual is without ``merge``: the language's own default.
    "add": {"frontend/structure", "writing/step"},
    # A section of run files and an argument of steps of training; schedules; shapes of synthetic data; a function of
    # expressions; the kind of what a person gives an op or a block.
    "log": {
        "cli/_run_check",
        "training/document",
        "training/features",
        "training/hints",
        "training/plan",
        "training/section_hints",
    }
    | {"training/planning"},
    "clip": {"frontend/schema/file", "frontend/updates", "training/distribution", "training/hints"},
    "constant": {"data/motion", "training/schedules"},
    "power": {"training/schedules"},
    "square": {"data/sources/synthetic"},
    "abs": {"frontend/arithmetic"},
    "parameter": {
        "cli/_lsp/server",
        "cli/reference",
        "frontend/arguments",
        "frontend/forms",
        "frontend/nodes",
        "frontend/schema/file",
        "frontend/steps",
        "frontend/symbol_reader",
        "ir/reading",
    }
    | {"ir/validation", "training/hints"},
    # A word for merging, which is answered with ours.
    "reduce": {"frontend/steps"},
    # Values that arguments are shown with in the list of ops.
    "relu": {"report/vocabulary"},
}
# The package.
OTHER_WORDS["keras"] = {
    "backend/archive",
    "backend/export",
    "backend/installation",
    "backend/layouts",
    "backend/matching",
    "cli/export",
    "runs/export",
    "training/initial_weights",
    "training/record",
}
# The figure of segmentation, class by class.
# What a spec expects of its graph: how many there are.
OTHER_WORDS["anchors"] = {"analysis/expect", "frontend/expectations", "ir/meaning", "report/vocabulary"}
# What shapes are found for, and counted of.
OTHER_WORDS["anchors"] |= {"cli/data", "runs/anchor_report"}
OTHER_WORDS["cells"] = {"ir/meaning", "report/vocabulary"}
# Below what share of the images a class is rare.
OTHER_WORDS.setdefault("threshold", set()).add("data/samplers/repeat_factor")
# Tokens or images that are drawn.
OTHER_WORDS["sample"] = {
    "cli/sample",
    "report/budget",
    "tasks/decoding/__init__",
    "tasks/language_modelling/generation",
}
OTHER_WORDS["iou"] = {"evaluators/segmentation"}
OTHER_WORDS["lstm"] = OTHER_WORDS["lstm"] | {"report/vocabulary"}
OTHER_WORDS["conv"] = OTHER_WORDS["conv"] | {"report/vocabulary"}


def test_ops_are_named_by_ops_alone():
    """What others ask of an op is a trait or a rule of it: neither its class nor its name stands anywhere else, but for
    words that mean something else there too."""
    names, classes = set(Op.names()), {op.__name__ for op in Op.all()}
    found, met = [], set()
    for path in MODULES:
        room = path.relative_to(PACKAGE).with_suffix("").as_posix()
        if f"{room}/".startswith(tuple(f"{named}/" for named in OPS_ARE_NAMED_IN)):
            continue
        documented = {id(doc) for doc in docstrings(path)}
        for node in nodes(path):
            match node:
                case ast.Constant(value=str(text)) if text in names and id(node) not in documented:
                    met.add((text, room))
                    if room not in OTHER_WORDS.get(text, ()):
                        found.append((room, node.lineno, text))
                case ast.ImportFrom(module=str(module)) if module.startswith("archspec.ops."):
                    found += [(room, node.lineno, a.name) for a in node.names if a.name in classes]
    assert found == []
    assert {(word, room) for word, rooms in OTHER_WORDS.items() for room in rooms} <= met


CALLED_ALIKE = ("ops", "layers", "data/features")
"""Where a class is called by what it is: an op and the layer that it becomes, a kind of feature."""


def test_no_two_classes_have_one_name():
    """But for declarations of different kinds that go by one name where they are written (a loss ``mse`` and a metric),
    and for ops, layers and kinds of features."""
    found: dict[str, list[str]] = {}
    for path in MODULES:
        room = path.relative_to(PACKAGE).as_posix()
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                declared = any(keyword.arg == "name" for keyword in node.keywords)
                alike = declared or room.startswith(tuple(f"{place}/" for place in CALLED_ALIKE))
                found.setdefault(node.name, []).append("" if alike else f"{room}:{node.lineno}")
    assert {name: places for name, places in found.items() if len(places) > 1 and any(places)} == {}


def docstrings(path: Path):
    """Strings that stand alone as statements."""
    for node in nodes(path):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git clone")
    return done.stdout.split("\n")[:-1]


TOP = {
    "action.yml",
    "archspec",
    "specs",
    "tests",
    "tools",
    "docs",
    "pyproject.toml",
    "constraints.txt",
    "Makefile",
    "mkdocs.yml",
}
PROSE = {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"}


def test_modules_of_keras_that_are_not_public_are_imported_by_seams_alone():
    found = [
        (path.relative_to(PACKAGE).as_posix(), node.module)
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("keras.src", "tensorflow.python"))
    ]
    assert {room.rpartition("/")[0] for room, _ in found} == {"backend/seams"}


PRIVATE_SETTINGS = {
    "__class__",
    "constraint",
    "output_names",
    "reduction",
    "train_function",
    "update_step",
    "stop_evaluating",
}
"""What Keras lets be set and does not document, or what is of Python itself."""


def test_what_is_private_to_keras_is_reached_by_seams_alone():
    """In modules that import Keras or TensorFlow: private attributes of anything but oneself, or what is set past an
    interface. Layers override what Keras's layers are made of; they reach for their own parts alone."""
    found = []
    for path in MODULES:
        roots = {name.partition(".")[0] for node in nodes(path) for name in imports(node)}
        if path.parent.name == "seams" or not roots & {"keras", "tensorflow"}:
            continue
        ours = {node.name for node in nodes(path) if isinstance(node, ast.FunctionDef)} | {"_replace", "_asdict"}
        for node in nodes(path):
            match node:
                case ast.Attribute(value=value, attr=attr):
                    own = attr in ours or (isinstance(value, ast.Name) and value.id in ("self", "cls"))
                    private = attr.startswith("_") and not attr.startswith("__") and not own
                    if private or (attr in PRIVATE_SETTINGS and isinstance(node.ctx, ast.Store)):
                        found.append((path.relative_to(PACKAGE).as_posix(), node.lineno, ast.unparse(node)))
                case ast.Call(func=function) if dotted(function) == "object.__setattr__":
                    found.append((path.relative_to(PACKAGE).as_posix(), node.lineno, ast.unparse(node)))
    assert found == []


def imports(node: ast.AST) -> list[str]:
    """The modules that a statement imports."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module)):
            return [module]
    return []


def test_what_lies_at_the_top():
    """The folders of the project, what its tools look for there by name, its prose, and files of hosts and editors
    (dot-files). Anything else belongs into one of the folders."""
    tops = {name.partition("/")[0] for name in tracked()}
    assert {name for name in tops if not name.startswith(".")} == TOP | PROSE


def test_no_module_holds_so_much_that_it_holds_two_things():
    lines = {path.relative_to(PACKAGE).as_posix(): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > 400} == {}


def test_no_room_has_a_name_that_says_nothing():
    drawers = {
        "utils",
        "util",
        "common",
        "helpers",
        "helper",
        "misc",
        "core",
        "experiments",
        "deprecated",
        "base_classes",
    }
    assert [name for name in tracked() if drawers & set(Path(name).with_suffix("").parts)] == []


def test_no_large_file_and_no_file_of_weights_is_kept():
    big = [name for name in tracked() if (ROOT / name).is_file() and (ROOT / name).stat().st_size > 1_000_000]
    weights = [
        n for n in tracked() if n.endswith((".h5", ".keras", ".npz", ".safetensors", ".pth", ".th", ".caffemodel"))
    ]
    # What the importers are held to: files of other programs, of a few kilobytes each.
    cases = [n for n in weights if n.startswith("tests/backend/cases/") and (ROOT / n).stat().st_size < 40_000]
    assert big == [] and set(weights) <= set(cases)


def test_every_dependency_is_pinned():
    """Whatever pyproject.toml asks for stands in constraints.txt with one version."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines and all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line) for line in lines)
    pinned = {normal(line.partition("==")[0]) for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    asked += [r for extra in project["project"]["optional-dependencies"].values() for r in extra]
    assert {normal(re.match(r"[A-Za-z0-9._-]+", r)[0]) for r in asked} - {"tensorflow-datasets"} <= pinned


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> dict[str, set[str]]:
    """Module → modules of the package that it imports anywhere: at the top, within functions, for types alone."""
    modules = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in MODULES}

    def home(name: str) -> str | None:
        while name and name not in modules:
            name = name.rpartition(".")[0]
        return name or None

    out: dict[str, set[str]] = {}
    for module, path in modules.items():
        found = set()
        for node in nodes(path):
            if isinstance(node, ast.Import):
                found |= {home(a.name) for a in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {home(f"{node.module}.{a.name}") for a in node.names}
        out[module] = {name for name in found if name is not None and name != module}
    return out


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Sets of modules that all reach each other (Tarjan's strongly connected components of more than one)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    out: list[set[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in graph[module]:
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            component = {stack.pop()}
            while module not in component:
                component.add(stack.pop())
            if len(component) > 1:
                out.append(component)

    for module in graph:
        if module not in order:
            visit(module)
    return out


def test_no_module_is_imported_by_what_it_imports():
    """Imports within functions and for types count: what hides there is a circle all the same."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert circles(imported()) == []


def wording_assertions() -> list[str]:
    """Assertions of tests on what an error says: by ``match``, or on its text, message or help."""

    def is_said(node: ast.expr) -> bool:
        if not any(isinstance(n, ast.Attribute) and n.attr in ("message", "help", "value") for n in ast.walk(node)):
            return False
        text = ast.unparse(node)
        return text.endswith((".message", ".help")) or (text.startswith("str(") and text.endswith(".value)"))

    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in nodes(path):
            match node:
                case ast.Call(func=ast.Attribute(attr="raises" | "warns"), keywords=keywords):
                    quotes = any(keyword.arg == "match" for keyword in keywords)
                case ast.Compare(left=left, ops=[ast.In()], comparators=[right]):
                    quotes = is_said(right) and isinstance(left, ast.Constant | ast.JoinedStr | ast.Name)
                case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                    quotes = is_said(left) and not is_said(right)
                case _:
                    continue
            found += [f"{path.relative_to(ROOT)}:{node.lineno}"] if quotes else []
    return found


def test_wording_stands_in_fixtures():
    """Beside specs and run files that are wrong, or in the tables of ``tests/wording.py``: a sentence that is improved
    is a fixture written anew. What is left in Python are tables, of what is given and what is said of it."""
    found = wording_assertions()
    assert len(found) <= 40, "\n".join(found)


def test_tables_of_wording_are_of_tests_that_are_there():
    for table in sorted((ROOT / "tests").rglob("wording/*.txt")):
        module = table.parents[1] / f"{table.stem}.py"
        tests = {node.name for node in nodes(module) if isinstance(node, ast.FunctionDef)}
        assert {re.match(r"\w+", name)[0] for name in sections(table)} <= tests, table
