"""Losses and metrics, as heads and training steps name them."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from archspec.frontend.nodes import CODES
from archspec.frontend.references import evaluated
from archspec.frontend.refusal import Refusal
from archspec.frontend.walk import Place
from archspec.frontend.yaml_source import Map, value_span
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import shown
from archspec.ir.reading import made, translated, unknown
from archspec.ir.validation import refused

ELSEWHERE = {
    "from_logits": "logits or probabilities follow from the last activation of the head: leave it out",
    "logits": "logits or probabilities follow from the last activation of the head: leave it out",
    "reduction": "a loss is the mean over the batch: leave it out",
    "loss_weight": "weight stands in the head, beside loss",
    "weight": "weight stands in the head, beside loss",
    "class_weight": "class weights stand in the run file: train: {class_weight: …}",
}
"""What other libraries' losses take, and where it is said here."""


def _one(word: str, raw: object) -> str | None:
    """What to write instead of a list of losses or a map of several."""
    names = list(raw) if isinstance(raw, (list, dict)) and all(isinstance(name, str) for name in raw) else []
    if len(names) == 1:
        return f"{word}: {names[0]}"
    return f"a head has one {word}: {word}: {names[0]}; another stands in a head of its own" if names else None


def declared(kind: type[Declaration], raw: Any, container: Any, key: Any, place: Place) -> Any:
    """A loss or metric: ``NAME`` or ``{NAME: args}``. Raises Refusal, Poisoned."""
    word = kind.__name__.lower()
    at = value_span(container, key)
    if isinstance(raw, Map) and len(raw) == 1:
        (name,) = raw
        args, inner = raw[name], raw
        at = raw.key_span(name)
    elif isinstance(raw, str):
        name, args, inner = raw, None, container
    else:
        message = f"{word} must be a name, or {{name: arguments}}, got {shown(raw)}"
        raise Refusal("T01", message, at, _one(word, raw))
    try:
        found = kind.find(name)
        if found is None:
            ours = translated(kind, raw, word) if "(" in name or args is not None else None
            raise unknown(name, f"a {word}", kind.names(), ours and f"write {ours}")
        value = evaluated(args, inner, name if inner is raw else key, place) if args is not None else {}
        return made(found, value)
    except PydanticCustomError as error:
        context = error.context or {}
        raise Refusal(CODES[error.type], context["message"], at, context.get("help")) from None
    except ValidationError as error:
        first = refused(error)[0]
        argument = str(first.path[1]) if len(first.path) > 1 else ""
        span = args.value_span(argument) if isinstance(args, Map) and argument in args else at
        if first.kind == "unknown_key" and isinstance(args, Map) and argument in args:
            span = args.key_span(argument)
        help = ELSEWHERE.get(argument) if first.kind == "unknown_key" else None
        raise Refusal(CODES[first.kind], first.message, span, help or first.help) from None
