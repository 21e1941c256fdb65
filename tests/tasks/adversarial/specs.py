"""Small networks, trained in every way that the language knows."""

from __future__ import annotations

from pathlib import Path

from archspec.frontend import load
from archspec.ir.graph import Graph

NETWORKS = """
archspec: 1
name: small
networks:
  G:
    inputs: {z: [3]}
    body: [dense: 5, batch_norm, relu, dense: 2]
  D:
    inputs: {x: [2]}
    body: [dense: 6, batch_norm, leaky_relu: 0.2, dense: 1]
"""
D_FIRST = """
train:
  inputs: {real: [2], z: {normal: [3]}}
  body:
    - {G, from: z, as: fake}
    - {detach, from: fake, as: shown}
    - {D, from: real, as: real_score}
    - {D, from: shown, as: shown_score}
    - {D, from: fake, as: fake_score}
  steps:
    - update: [D]
      minimize: [{binary_crossentropy: [real_score, 1]}, {binary_crossentropy: [shown_score, 0], weight: 2}]
    - {update: [G], minimize: [{binary_crossentropy: [fake_score, 1]}]}
"""
HELD = """
train:
  inputs: {real: [2], z: {normal: [3]}}
  body:
    - {G, from: z, as: fake}
    - {hold, from: fake, as: shown}
    - {D, from: fake, as: fake_score}
    - {D, from: real, as: real_score}
    - {D, from: shown, as: shown_score}
  steps:
    - {update: [G], minimize: [{mse: [fake_score, 1]}]}
    - {update: [D], minimize: [{mse: [real_score, 1]}, {mse: [shown_score, 0]}]}
"""
TOGETHER = D_FIRST.replace("  steps:", "  together: true\n  steps:")
LINEAR = """
archspec: 1
name: linear
networks:
  D: {inputs: {x: [2]}, body: [dense: {units: 1, bias: false}]}
train:
  inputs: {real: [2], fake: [2], at: {uniform: [1]}}
  body:
    - {interpolate, from: [real, fake, at], as: between}
    - {D, from: between, as: score}
  steps:
    - {update: [D], minimize: [{gradient_penalty: [score, between], weight: 10}]}
"""


def graph(folder: Path, text: str) -> Graph:
    """The graph of a spec's text."""
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return load(str(path))
