"""Keyword arguments of a run's methods that no value of theirs can be: refused before anything is read."""

from __future__ import annotations

import numpy as np
import pytest

import archspec
from archspec.data.errors import DataError
from archspec.data.example import Example
from archspec.data.features.image import Image
from archspec.data.features.tokens import Tokens
from archspec.data.features.vector import Vector
from archspec.ir.tensors import TensorSpec
from archspec.training.array_inputs import arrays
from tests.wording import refuses

CALLS = {
    "batch": lambda run: run.evaluate(batch=0),
    "batch of text": lambda run: run.evaluate(batch="8"),
    "views": lambda run: run.evaluate(views="ten"),
    "scales": lambda run: run.evaluate(scales=32),
    "a scale": lambda run: run.evaluate(scales=[0]),
    "tool": lambda run: run.evaluate(tool="coco"),
    "top": lambda run: run.predict("a.png", top=0),
    "no path": lambda run: run.predict(["a.png", 3]),
    "arrays in a list": lambda run: run.predict([np.zeros((8, 8, 1), "uint8")]),
    "count": lambda run: run.sample(0),
    "seed": lambda run: run.sample(3, seed=-1),
    "form": lambda run: run.export("net", form="pb"),
}


@pytest.mark.parametrize("name", CALLS)
def test_arguments_of_another_kind(name):
    with refuses((TypeError, ValueError)):
        CALLS[name](archspec.Run.open("lenet5", data="digits"))


KINDS = {
    "image": Image(TensorSpec((8, 8, 1), "uint8")),
    "row": Vector(TensorSpec((2,))),
    "tokens": Tokens(None, 4),
}
WRONG = {
    "one example": ("image", np.zeros((8, 8, 1), "uint8")),
    "no channels": ("image", np.zeros((3, 8, 8), "uint8")),
    "floats": ("image", np.zeros((3, 8, 8, 1))),
    "too large": ("image", np.full((3, 8, 8, 1), 256)),
    "text": ("row", np.array([["a", "b"]])),
    "too wide": ("row", np.zeros((3, 3))),
    "not finite": ("row", np.array([[1, np.nan]])),
    "tokens": ("tokens", np.zeros((1, 4), int)),
    "one of two": ("image row", np.zeros((3, 2))),
    "another name": ("image row", {"image": np.zeros((3, 8, 8, 1), "uint8"), "rows": np.zeros((3, 2))}),
    "other counts": ("image row", {"image": np.zeros((3, 8, 8, 1), "uint8"), "row": np.zeros((2, 2))}),
}


@pytest.mark.parametrize("name", WRONG)
def test_arrays_that_are_no_such_examples(name):
    parts, given = WRONG[name]
    with refuses(DataError):
        arrays(given, tuple(parts.split()), Example({part: KINDS[part] for part in parts.split()}), ())
