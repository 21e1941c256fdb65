"""Headers of NumPy's array files."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def array_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of the array that a file begins with, by NumPy's format. Raises ValueError where it is damaged,
    and what reading the file raises."""
    from tokenize import TokenError

    import numpy as np

    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except (TokenError, SyntaxError, TypeError, RecursionError) as error:
        # NumPy takes a header apart as Python's text.
        raise ValueError(f"the header of an array is damaged: {error}") from None
    return tuple(shape), dtype
