"""Create a spec and a run file from a template, or from a copy of a spec of the catalogue.

NAME.yaml and NAME.run.yaml are created in the current folder; nothing is overwritten. JSON Schemas are written to
.archspec; the first line of both files refers to them, for completion and validation in editors.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import NamedTuple

from archspec.frontend import catalogue
from archspec.frontend.files import PROJECT

TEMPLATES = Path(__file__).parent.parent / "templates"
CATALOGUE = "catalogue"
"""The run file of a copied spec that no run file of the catalogue trains."""
SCHEMAS = Path(PROJECT)
MODELINE = "# yaml-language-server: $schema={}\n"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)

EXAMPLES = (
    "archspec init net",
    "archspec init net --from mlp",
    "archspec init prices --from regression",
)


class Start(NamedTuple):
    """The texts of a spec, of a run file if there are data for it, and of files that the spec uses, by name."""

    spec: str
    run: str | None
    used: dict[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is written, and from what."""
    parser.add_argument("name", metavar="NAME", help="name of the network and of its files")
    names = ", ".join(templates())
    help = f"a template ({names}), or a name of the catalogue ('archspec list'); default: classifier"
    parser.add_argument("--from", dest="origin", metavar="WHAT", default="classifier", help=help)


def run(args: argparse.Namespace) -> int:
    """Write the files and say what can be done with them."""
    from archspec.cli._output import failed, refused, write
    from archspec.ir.diagnostics import did_you_mean, shown
    from archspec.storage.atomic import write_text

    if not _NAME.match(args.name):
        return refused("init", f"a name is letters, digits and _, not starting with a digit, got {shown(args.name)}")
    start = _template(args.origin) if args.origin in templates() else _copied(args.origin)
    if start is None:
        hint = did_you_mean(args.origin, [*templates(), *catalogue.names()])
        message = f"there is no template and no spec {shown(args.origin)}"
        return refused("init", f"{message}: {hint}" if hint else f"{message}; templates are {', '.join(templates())}")
    texts = {f"{args.name}.yaml": ("spec", start.spec), f"{args.name}.run.yaml": ("run", start.run)}
    files = start.used | {
        name: MODELINE.format(SCHEMAS / f"{kind}.json") + text.replace("NAME", args.name)
        for name, (kind, text) in texts.items()
        if text is not None
    }
    if there := [name for name in files if Path(name).exists()]:
        return refused("init", f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already", 1)
    try:
        SCHEMAS.mkdir(exist_ok=True)
        for name, text in (files | _schemas()).items():
            write_text(Path(name), text)
    except OSError as error:
        return failed(f"{error.filename}: {error.strerror}", 1)
    write("\n".join(f"wrote {name}" for name in files))
    spec, run = texts
    if start.run is None:
        write(f"next: archspec table {spec}; a run file is yours to write: none of archspec's own data fit it")
    else:
        write(f"next: archspec table {spec}; archspec train {run}")
    return 0


def templates() -> list[str]:
    """Names of the templates."""
    return sorted(path.stem for path in TEMPLATES.glob("*.yaml") if "." not in path.stem)


def _template(name: str) -> Start:
    return Start(_read(TEMPLATES / f"{name}.yaml"), _read(TEMPLATES / f"{name}.run.yaml"), {})


def _copied(name: str) -> Start | None:
    """A spec of the catalogue under another name, without its ``expect``, with its run file if it has one."""
    entry = catalogue.find(name)
    if entry is None:
        return None
    spec = _without(_read(entry.path), "expect")
    spec = re.sub(r"^name: .*$", "name: NAME", spec, count=1, flags=re.MULTILINE)
    run = _recipe(name) or _made_up(name, entry.variant)
    if run and entry.variant and not re.search(r"^variant:", run, re.MULTILINE):
        run = run.replace("spec: NAME.yaml", f"spec: NAME.yaml\nvariant: {entry.variant}", 1)
    beside = re.findall(r"^use: .*?([A-Za-z0-9_]+\.yaml)", spec, re.MULTILINE)
    return Start(spec, run, {file: _read(entry.path.parent / file) for file in beside})


def _made_up(name: str, variant: str | None) -> str | None:
    """A run on made-up images of the network's own size; none where it takes something else, or gives no class."""
    member = next((e for e in catalogue.entries() if e["name"] == name and e["variant"] == variant), {})
    image = re.fullmatch(r"(\d+)x\1x([13])", str(member.get("input")))
    if image is None or not str(member["output"]).isdecimal():
        return None
    return _read(TEMPLATES / f"{CATALOGUE}.run.yaml").replace("SIZE", image[1]).replace("CHANNELS", image[2])


def _recipe(name: str) -> str | None:
    """The catalogue's run file for a spec, by the same name or the first by name, that needs no files of a person."""
    found = {}
    for path in sorted((catalogue.folder() / "runs").rglob("*.yaml")):
        text = _read(path)
        said = re.search(r"^(?:variant|spec): *(?:\S*/)?(\w+?)(?:\.yaml)? *$", text, re.MULTILINE)
        if said and said[1] == name and _has_data(path, text):
            text = re.sub(r"^doc: .*\n(?: .*\n)*", "", text, count=1, flags=re.MULTILINE)
            found[path.stem] = re.sub(r"^spec: .*$", "spec: NAME.yaml", text, count=1, flags=re.MULTILINE)
    return found.get(name) or next(iter(found.values()), None)


def _has_data(path: Path, text: str) -> bool:
    """Whether the data of a run file come with archspec."""
    from archspec.ir.diagnostics import Source, SpecError
    from archspec.training.document import read_run

    try:
        run, _ = read_run(Source(path.name, text), Path())
    except SpecError:
        return False
    return run.data is not None and not hasattr(run.data, "path")


def _without(text: str, section: str) -> str:
    """A file's text without one of its sections."""
    from archspec.frontend.cutting import without

    start = re.search(rf"^{section}:", text, re.MULTILINE)
    cut = without(text, (text.count("\n", 0, start.start()), 0), "map") if start else None
    return (text if cut is None else cut).rstrip("\n") + "\n"


def _schemas() -> dict[str, str]:
    from json import dumps

    from archspec.frontend import prelude
    from archspec.frontend.schema import file_schema
    from archspec.training.schema import run_schema

    schemas = {"spec": file_schema(None, prelude(), {}), "run": run_schema()}
    return {str(SCHEMAS / f"{name}.json"): dumps(schema, ensure_ascii=False) for name, schema in schemas.items()}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
