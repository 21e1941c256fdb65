"""Headers of NumPy's arrays, whole and damaged."""

import io
from contextlib import suppress

import numpy as np
import pytest

from archspec.backend.npy import array_header


@pytest.mark.filterwarnings("ignore")
def test_every_damage_of_a_header_is_one_error_or_harmless():
    file = io.BytesIO()
    np.save(file, np.zeros((10, 8, 8, 1), "uint8"))
    whole = file.getvalue()
    assert array_header(io.BytesIO(whole)) == ((10, 8, 8, 1), np.dtype("uint8"))
    refused = 0
    for at in range(80):
        for sign in b"\x00 '(){}[,:9\\\n":
            try:
                array_header(io.BytesIO(whole[:at] + bytes([sign]) + whole[at + 1 :]))
            except ValueError:
                refused += 1
    assert refused > 500
    for length in range(100):
        with suppress(ValueError):
            array_header(io.BytesIO(whole[:length]))
