"""Callbacks of installed packages, for services that follow experiments (Weights & Biases, MLflow, …).

A package names a function in the entry points of the group ``archspec.callbacks``. It is given the run, its directory
and the arguments that the run file has, and returns a ``keras.callbacks.Callback``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.training.errors import Misused
from archspec.training.guard import silent_after
from archspec.training.plan import Plan

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    import keras

GROUP = "archspec.callbacks"


def check(plan: Plan) -> None:
    """Refuse callbacks that no installed package has, and arguments that are no map. Raises Misused."""
    for message in faults(plan.log.callbacks or {}).values():
        raise Misused(f"log.callbacks: {message}")


def faults(callbacks: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with callbacks that a run file names, by their names; no package is imported to say so."""
    found = {}
    for name, arguments in callbacks.items():
        if name not in (known := installed()):
            have = f"they have {', '.join(sorted(known))}" if known else "they have none"
            found[name] = f"no installed package has a callback '{name}'; {have}"
        elif not isinstance(arguments, Mapping | None):
            found[name] = f"the arguments of '{name}' are a map: {{{name}: {{project: digits}}}}"
    return found


def check_arguments(plan: Plan) -> None:
    """Refuse arguments that a callback's function does not take, and functions that cannot be imported; none is called.
    Raises Misused."""
    check(plan)
    for name, arguments in (plan.log.callbacks or {}).items():
        try:
            inspect.signature(installed()[name].load()).bind(plan, Path(), **(arguments or {}))
        except Exception as error:
            raise Misused(f"log.callbacks: '{name}' would fail: {type(error).__name__}: {_line(error)}") from None


def trackers(plan: Plan, logdir: Path, say: Callable[[str], None]) -> list[keras.callbacks.Callback]:
    """The callbacks that the run file names. One that fails is told of and not asked again: the training goes on."""
    known, made = installed(), []
    for name, arguments in (plan.log.callbacks or {}).items():
        try:
            callback = _callback(known[name].load()(plan, logdir, **(arguments or {})))
            made.append(_of_the_run(silent_after((Exception,), callback, partial(_tell, name, say))))
        except Exception as error:
            _tell(name, say, error)
    return made


def run_ended(watching: Sequence[keras.callbacks.Callback]) -> None:
    """Tell those that packages brought that training has ended."""
    for callback in watching:
        if (end := getattr(callback, "on_run_end", None)) is not None:
            end()


def _of_the_run(callback: keras.callbacks.Callback) -> keras.callbacks.Callback:
    """The callback, told once that training begins and once that it has ended. Keras tells of each ``fit``, of which a
    run has several where it goes on within an epoch or thaws layers."""
    begin, end = callback.on_train_begin, callback.on_train_end
    begun: list[bool] = []
    ended: list[Any] = []

    def on_train_begin(logs: dict[str, float] | None = None) -> None:
        if not begun:
            begun.append(True)
            begin(logs)

    def on_train_end(logs: dict[str, float] | None = None) -> None:
        ended[:] = [logs]

    def on_run_end() -> None:
        if ended:
            end(ended[0])

    for hook in (on_train_begin, on_train_end, on_run_end):
        setattr(callback, hook.__name__, hook)
    return callback


def installed() -> dict[str, EntryPoint]:
    """Callbacks of installed packages by name; nothing of them is imported."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}


def _callback(made: object) -> keras.callbacks.Callback:
    """What a function of a package has returned. Raises TypeError where that is no callback."""
    import keras

    if not isinstance(made, keras.callbacks.Callback):
        raise TypeError(f"its function returned {type(made).__name__}, not a Keras callback")
    return made


def _tell(name: str, say: Callable[[str], None], error: Exception) -> None:
    say(f"the callback '{name}' failed: {type(error).__name__}: {_line(error)}; training goes on without")


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
