"""The right form of a part of the file that is a list where a map belongs, or a word where a list does, in the words
that were written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from archspec.ir.aliases import alias, same, suggested
from archspec.ir.diagnostics import known_are, plain
from archspec.ops.base import Op

Path = Sequence[str | int]


def _words(value: object) -> list[str]:
    """The words of a list, or of a text with commas."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return value
    return []


def _pairs(value: object) -> dict[str, Any] | None:
    """The entries of a list of one-entry maps: ``[a: 1, b: 2]``."""
    if isinstance(value, list) and value and all(isinstance(v, dict) and len(v) == 1 for v in value):
        return {key: item for v in value for key, item in v.items()}
    return None


def _section(of: Callable[[Any], str | None]) -> Callable[[Path, Any], str | None]:
    """A section that is a map of names."""

    def hint(path: Path, value: object) -> str | None:
        pairs = _pairs(value)
        if pairs is not None and path[-1] == "heads" and _are_steps(pairs):
            return f"heads is a map of names: heads: {{main: {plain(value)}}}"
        if pairs is not None and path[-1] == "variants" and not all(isinstance(v, dict) for v in pairs.values()):
            return f"variants is a map of names: variants: {{NAME: {plain(pairs)}}}"
        inner = plain(pairs) if pairs is not None else of(value)
        if inner is None or inner == "…":
            return f"{path[-1]} is a map of names"
        return f"{path[-1]} is a map of names: {path[-1]}: {inner}"

    return hint


def _inputs(value: object) -> str | None:
    from archspec.frontend.intended import bracketed

    if isinstance(value, str) and (sizes := bracketed(value)) is not None:
        return f"{{image: {sizes}}}"
    if isinstance(value, list) and all(v is None or isinstance(v, (int, str)) for v in value) and value:
        return f"{{image: {plain(value)}}}"
    return "{image: [224, 224, 3]}"


def _params(value: object) -> str | None:
    words = _words(value)
    return f"{{{', '.join(f'{word}: int' for word in words)}}}" if words else "{width: 32}"


def _use(value: object) -> str | None:
    words = _words(value)
    stems = [word.rpartition("/")[2].removesuffix(".yaml") for word in words]
    return f"{{{', '.join(f'{stem}: {word}' for stem, word in zip(stems, words, strict=True))}}}" if words else None


def _heads(value: object) -> str | None:
    if isinstance(value, list) and value and all(isinstance(v, dict) and _is_head(v) for v in value):
        names = ["main", *(f"head_{i}" for i in range(2, len(value) + 1))]
        return f"{{{', '.join(f'{name}: {{…}}' for name in names)}}}"
    if isinstance(value, list) or (isinstance(value, str) and _is_step(value)):
        if _are_names(value):
            return f"{{{', '.join(f'{name}: []' for name in value)}}}"
        return f"{{main: {plain(value if isinstance(value, list) else [value])}}}"
    if isinstance(value, str) and (loss := _loss(value)) is not None:
        return f"{{main: {{loss: {loss}}}}}"
    if _are_names(words := _words(value)):
        return f"{{{', '.join(f'{name}: []' for name in words)}}}"
    return None


def _loss(word: str) -> str | None:
    """The loss that a word is, here or elsewhere; where it may be several, the usual one."""
    from archspec.ops.loss import Loss

    known = Loss.names()
    told = alias("loss", word, known) or ""
    return same("loss", word, known) or next((k for k in sorted(known, key=len, reverse=True) if k in told), None)


def _are_names(value: Any) -> bool:
    """Whether a list holds names of heads: words, none of which is an op."""
    is_list = isinstance(value, list) and bool(value)
    return is_list and all(isinstance(v, str) and v.isidentifier() and not _is_step(v) for v in value)


def _is_step(word: str) -> bool:
    """Whether a word is an op, here or elsewhere."""
    return Op.find(word) is not None or suggested("op", word, Op.names()) is not None


def head_form(name: str, value: object) -> str | None:
    """A head that is written as one word: an op, or its loss."""
    from archspec.ops.loss import Loss

    if name in ("from", "loss", "weight", "train_only", "metrics") and not isinstance(value, dict):
        return f"heads is a map of names: heads: {{main: {{body: […], {name}: {plain(value)}}}}}"
    if isinstance(value, int) and not isinstance(value, bool):
        return (
            f"a head has steps and a loss: {name}: {{body: [dense: {value}, softmax], loss: categorical_crossentropy}}"
        )
    if not isinstance(value, str):
        return None
    if Op.find(value) is not None:
        return f"steps are a list: {name}: [{value}]"
    loss = value if Loss.find(value) else same("loss", value, Loss.names())
    return f"a loss goes by its key: {name}: {{loss: {loss}}}" if loss else None


def _are_steps(pairs: dict[str, Any]) -> bool:
    """Whether what stands in the place of names are ops."""
    return any(Op.find(name) is not None for name in pairs)


def _is_head(value: dict[str, Any]) -> bool:
    return bool({"body", "loss", "from", "metrics"} & value.keys())


def _chain(path: Path, value: object) -> str | None:
    """A list of steps that is written as a map, or as one step."""
    from archspec.frontend.look_alikes import look_alike

    if isinstance(value, dict):
        if (unlike := look_alike(next(iter(value), ""))) is not None:
            return f"{unlike[0]} stands here: write {unlike[1]}: {plain(next(iter(value.values())))}"
        steps = ", ".join(op if args is None else f"{op}: {plain(args)}" for op, args in list(value.items())[:6])
        return f"steps are a list: {path[-1]}: [{steps}]" if steps and len(steps) < 120 else "steps are a list"
    words = _words(value)
    return f"steps are a list: {path[-1]}: [{', '.join(words)}]" if words else "steps are a list: [conv: 32, relu]"


def _metrics(path: Path, value: object) -> str | None:
    """Metrics by their names here: a word, several with commas, or a map of them."""
    from archspec.ops.metric import Metric

    given = value if isinstance(value, dict) else dict.fromkeys(_words(value))
    ours = {same("metric", name, Metric.names()) or name: args for name, args in given.items()}
    items = [name if args is None else f"{{{name}: {plain(args)}}}" for name, args in ours.items()]
    return f"names are a list: metrics: [{', '.join(items)}]" if items else None


def _names(path: Path, value: object) -> str | None:
    words = _words(value)
    return f"names are a list: {path[-1]}: [{', '.join(words)}]" if words else None


def _variants(value: object) -> str | None:
    words = _words(value)
    return f"{{{', '.join(f'{word}: {{…}}' for word in words)}}}" if words else None


def _blocks(value: object) -> str | None:
    """Blocks that are a list: each says its name."""
    names = [v.get("name") for v in value if isinstance(v, dict)] if isinstance(value, list) else []
    named = [name for name in names if isinstance(name, str)]
    return f"{{{', '.join(f'{name}: {{body: […]}}' for name in named)}}}" if named else None


def _default(path: Path, value: object) -> str | None:
    """A default that says of no op whose argument it is."""
    key = str(path[-1])
    fields = {field for name in Op.names() if (op := Op.find(name)) is not None for field in op.model_fields}
    if (ours := key if key in fields else same("parameter", key, sorted(fields))) is not None:
        return f"defaults are given op by op: defaults: {{OP: {{{ours}: {plain(value)}}}}}"
    op = Op.find(key)
    if op is None or op.main is None or isinstance(value, (list, dict)):
        return None
    return f"defaults are arguments by name: {key}: {{{op.main}: {plain(value)}}}"


def _variant(path: Path, value: object, parameter: str) -> str | None:
    if (pairs := _pairs(value)) is not None:
        return f"a variant is a map of arguments: {path[-1]}: {plain(pairs)}"
    if isinstance(value, (list, dict)) or value is None:
        return None
    if isinstance(value, str) and (found := re.fullmatch(r"(\w+)\s*=\s*([^\s=,]+)", value)):
        return f"a variant is a map of arguments: {path[-1]}: {{{found[1]}: {found[2]}}}"
    return f"a variant is a map of arguments: {path[-1]}: {{{parameter}: {plain(value)}}}"


FORMS: dict[str, Callable[[Path, Any], str | None]] = {
    "use": _section(_use),
    "params": _section(_params),
    "inputs": _section(_inputs),
    "heads": _section(_heads),
    "blocks": _section(_blocks),
    "networks": _section(_blocks),
    "defaults": _section(lambda value: "{conv: {kernel: 3, activation: relu}}"),
    "variants": _section(_variants),
    "body": _chain,
    "do": _chain,
    "residual": _chain,
    "project": _chain,
    "steps": _chain,
    "update": _names,
    "metrics": _metrics,
}
"""By the last word of the path of what is wrong."""


def form_hint(path: Path, value: object, parameter: str = "PARAMETER") -> str | None:
    """The help for a part of the file of the wrong form. ``parameter`` is the file's first."""
    if len(path) == 2 and path[0] == "variants":
        return _variant(path, value, parameter)
    if len(path) == 2 and path[0] in ("blocks", "networks") and isinstance(value, list):
        return f"a block is a map with a body: {path[-1]}: {{body: {plain(value)}}}"
    if len(path) == 2 and path[0] == "defaults":
        return _default(path, value)
    form = FORMS.get(str(path[-1])) if path else None
    return form(path, value) if form is not None else None


UNITS = "units"
"""The argument of a last layer, which people write into a head."""


def head_hint(head: dict[str, Any], key: str, keys: list[str]) -> str:
    """What to do with a key of a head that it does not have."""
    from archspec.frontend.intended_words import intended_word
    from archspec.frontend.other_sections import OF_RUNS

    if (hint := intended_word(key, keys.__contains__)) is not None:
        return hint
    if UNITS in head:
        inner = ", ".join(f"{k}: {plain(v)}" for k, v in head.items() if k not in keys)
        return f"the steps of a head stand under body: body: [dense: {{{inner}}}]"
    if Op.find(key) is not None or key in ("do", "branches", "residual"):
        step = key if head[key] is None else f"{key}: {plain(head[key])}"
        return f"the steps of a head stand under body: body: [{step}]"
    if key.lower() in OF_RUNS:
        return "how a network is trained stands in a run file (archspec_run: 1): train: {…}"
    return suggested("head key", key, keys, known_are(keys, key)) or ""
