"""The maps of codes of two levels, apart and in one array as a token file holds them."""

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]


def split(codes: Codes, columns: int) -> tuple[Codes, Codes]:
    """Tokens (5 F, T) -> the top map (F, T) and the bottom map (2 F, 2 T); F is `columns`.

    >>> [part.shape for part in split(np.zeros((40, 3), int), 8)]
    [(8, 3), (16, 6)]
    """
    top, bottom = codes[:columns], codes[columns:]
    return top, bottom.reshape(2, 2 * columns, -1).transpose(1, 2, 0).reshape(2 * columns, -1)


def joined(top: Codes, bottom: Codes) -> Codes:
    """The inverse of `split`."""
    return np.concatenate([top, bottom[:, ::2], bottom[:, 1::2]])
