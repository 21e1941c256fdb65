"""Declarations: frozen, strict pydantic models that YAML names and nothing else knows by heart.

Every kind of thing that a spec or a run file can name (an op, a loss, a data source, a transform, an optimiser, a task)
is a kind of declaration::

    class Op(Declaration, package="archspec.ops"): ...          # the kind
    class Conv(Op, name="conv", main="filters"): ...            # one member, in a module of that package

A member is found by its name without importing the others: the modules' text says which one declares it, so using three
ops costs the definition of three families. A class of a kind is abstract (no name; it carries fields and rules that
several members share, and stands in their package) or final (a member, which nothing inherits from).
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import warnings
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


class Declaration(BaseModel):
    """Base of all kinds. Fields are the arguments; ``main`` is the one that a bare scalar sets."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)

    name: ClassVar[str] = ""
    main: ClassVar[str | None] = None
    kind: ClassVar[str] = ""
    package: ClassVar[str] = ""
    registry: ClassVar[dict[str, type[Self]]]

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, name: str | None = None, main: str | None = None, package: str | None = None, **kwargs: Any
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        parent = cls.__mro__[1]
        if parent.__dict__.get("name"):
            raise TypeError(f"{parent.__name__} is final: share functions, or an abstract class above both")
        if name is None:
            _forget_annotations(cls)
        if package is not None:
            cls.kind, cls.package, cls.registry = cls.__name__, package, {}
        if name is not None:
            cls.name, cls.main = name, main
            cls.registry[name] = cls  # type: ignore[assignment]
            cls.__pydantic_fields__ = _in_reading_order(cls)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Class keywords are read in __pydantic_init_subclass__, when the fields are known.
        super().__init_subclass__()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Rules ask many ops for arguments that few have. Pydantic would look for extra values, which there are none
            # of, and for the class's own, which is where Python has looked: six times as long.
            return super().__getattr__(name) if name[:1] == "_" else object.__getattribute__(self, name)

    @classmethod
    def find(cls, name: str) -> type[Self] | None:
        """The member called ``name``, importing only the module that declares it; None if there is none."""
        member = cls.registry.get(name)
        if member is None and (module := _modules(cls).get(name)):
            importlib.import_module(module)
            member = cls.registry[name]
        if member is None and _load_plugins(cls.package):
            member = cls.registry.get(name)
        return member

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all members, sorted, without importing them."""
        return tuple(sorted({*_modules(cls), *cls.registry}))

    @classmethod
    def all(cls) -> tuple[type[Self], ...]:
        """All members, in order of their names."""
        return tuple(member for name in cls.names() if (member := cls.find(name)))

    @classmethod
    def summary(cls) -> str:
        """First paragraph of the docstring."""
        return " ".join((cls.__doc__ or "").split("\n\n")[0].split())

    @classmethod
    def annotation(cls, field: str) -> object:
        """How the type of a field is written, in the class itself or in an abstract one above it."""
        held = (getattr(kind, "__annotations__", {}) for kind in cls.__mro__)
        return next((noted[field] for noted in held if field in noted), "")

    @classmethod
    def field_docs(cls) -> dict[str, str]:
        """The string below each field in the class body, by field name (read from the source only when asked for)."""
        return field_docs(cls)


def shared(rule: object) -> Any:
    """A function that several declarations take as a rule of theirs. (Type checkers refuse it otherwise: it names its
    arguments.)"""
    return rule


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """``Declaration.field_docs`` of any model."""
    docs: dict[str, str] = {}
    for klass in reversed(model.__mro__):
        if klass in (Declaration, BaseModel) or not issubclass(klass, BaseModel):
            continue
        for field, doc in pairwise(_body(klass)):
            match field, doc:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))) if (
                    name in model.model_fields
                ):
                    docs[name] = " ".join(text.split())
    return docs


def _body(klass: type) -> list[ast.stmt]:
    """The statements of a class body."""
    import inspect

    body = _bodies(klass.__module__).get(klass.__qualname__)
    if body is None:
        node: Any = ast.parse(inspect.cleandoc("\n" + inspect.getsource(klass))).body[0]
        body = node.body
    return body


@cache
def _bodies(module: str) -> dict[str, list[ast.stmt]]:
    """Those of the classes at the top of a module, which is read once: each class by itself takes 20 times as long."""
    import inspect

    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}


def _forget_annotations(kind: type[BaseModel]) -> None:
    """Take the annotations of class variables, which pydantic has noted, off a class: it would evaluate them once more
    for each member, which is most of what defining a member costs. Those of fields stay: members inherit by them."""
    kind.__annotations__ = {name: noted for name, noted in kind.__annotations__.items() if name in kind.model_fields}


def _in_reading_order(member: type[Declaration]) -> dict[str, FieldInfo]:
    """A member's arguments as people read and write them: the main one, its own, and then those of the abstract classes
    above it, the nearest first."""
    classes = reversed([*enumerate(member.__mro__)])
    nearest = {name: at for at, kind in classes for name in getattr(kind, "__annotations__", ())}
    return dict(sorted(member.model_fields.items(), key=lambda item: (item[0] != member.main, nearest[item[0]])))


_forget_annotations(Declaration)

_INDEX: dict[str, dict[str, dict[str, str]]] = {}
_PLUGINS: set[str] = set()
_CLASS = re.compile(r'^class (\w+)\(\s*(\w+)(?:,\s*name="([a-z0-9_]+)"|\))', re.MULTILINE)
"""A member, or what may be an abstract class of one base."""


def _modules(kind: type[Declaration]) -> dict[str, str]:
    """Member name → module that declares it, read from the text of the package's modules."""
    if kind.package not in _INDEX:
        index: dict[str, dict[str, str]] = {}
        above: dict[str, str] = {}
        found: list[tuple[str, str, str]] = []
        # Not importlib.resources: it imports tempfile and hashlib, a tenth of the time that a table may take.
        for entry in Path(importlib.import_module(kind.package).__path__[0]).iterdir():
            if entry.name.endswith(".py"):
                stem, text = entry.name[:-3], entry.read_text(encoding="utf-8")
            elif entry.is_dir() and (init := entry / "__init__.py").is_file():
                stem, text = entry.name, init.read_text(encoding="utf-8")
            else:
                continue
            module = kind.package if stem == "__init__" else f"{kind.package}.{stem}"
            for own, base, name in _CLASS.findall(text):
                if name:
                    found.append((base, name, module))
                else:
                    above[own] = base
        for base, name, module in found:
            while base in above:
                base = above[base]
            index.setdefault(base, {})[name] = module
        _INDEX[kind.package] = index
    return _INDEX[kind.package].get(kind.kind, {})


def _load_plugins(package: str) -> bool:
    """Import the entry points of group ``package``, once; True if that happened now."""
    if package in _PLUGINS:
        return False
    _PLUGINS.add(package)
    from importlib.metadata import entry_points

    for point in entry_points(group=package):
        try:
            point.load()
        except Exception as error:
            # Another's package: what is asked for may have nothing to do with it.
            what = f"{point.name} = {point.value}, an entry point of {package}, is left out"
            warnings.warn(f"{what}: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=2)
    return True
