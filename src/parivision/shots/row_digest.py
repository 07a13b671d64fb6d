"""Fingerprints of rows that are the same on every machine, every day and in every library version.

Polars' own hash may change between versions, so each distinct cell is hashed by BLAKE2b, and a
row's cells are chained by a 64-bit mixer: xor the next cell in, mix, go on. BLAKE2b sees each text
once; the mixer works on whole columns, which makes it fast. Digests are stored as keys, so nothing
here may ever change.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

U64 = NDArray[np.uint64]

# The constants of SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number
# generators", OOPSLA 2014.
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def row_digests(table: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """A whole number from 0 to 2**63 - 1 for each row, made of the text in `columns`.

    All columns hold strings. Neither the order of `columns` nor that of the rows matters, and a
    missing cell counts as an empty one. Equal rows have equal digests; different rows have equal
    ones by chance only: 1 in 2 million that any two of 3 million shots do.
    """
    state: U64 = np.zeros(table.height, np.uint64)
    for name in sorted(columns):
        state = _mixed((state * _MIX_1) ^ _cell_hashes(table[name]))
    # 63 bits, since Parquet, MongoDB and Polars know whole numbers with a sign.
    return pl.Series("digest", (state >> np.uint64(1)).astype(np.int64), pl.Int64)


def _cell_hashes(cells: pl.Series) -> U64:
    """One hash a cell; a text is hashed once however often it occurs."""
    cells = cells.fill_null("")
    texts = cells.unique()
    hashes = np.array([_text_hash(cells.name, text) for text in texts], np.uint64)
    codes = cells.cast(pl.Enum(texts)).to_physical().to_numpy()
    return hashes[codes] if len(hashes) else np.zeros(0, np.uint64)


def _text_hash(column: str, text: str) -> int:
    # With the column's name: cells that change places make another row.
    content = f"{column}\0{text}".encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _mixed(state: U64) -> U64:
    """The finaliser of SplitMix64; overflow wraps, as it should."""
    state = state + _GOLDEN
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))
