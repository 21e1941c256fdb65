"""Runs as objects: what the verbs ``train``, ``resume``, ``evaluate``, ``predict``, ``sample`` and ``export`` do.

``archspec.Run`` is public; the command line and notebooks are its faces.
"""

from __future__ import annotations

from archspec.runs.run import Run

__all__ = ["Run"]
