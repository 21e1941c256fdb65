"""Keras layers that Keras lacks. Importing this registers all of them, which ``keras.saving.load_model`` needs.

Keras opens only layers that are registered: before it loads a file that archspec wrote, ``import archspec.layers``.
"""

from importlib import import_module as _import_module
from pkgutil import iter_modules as _iter_modules

for _module in _iter_modules(__path__):
    _import_module(f"{__name__}.{_module.name}")
