"""Forests of any library, evaluated by LightGBM's C library without its Python package.

One row takes some microseconds and a million a second or two, on one thread. The package would
bring pandas and SciPy into the process where they are installed; the library alone brings neither.
XGBoost's and scikit-learn's trees are written in LightGBM's text format, split by split: a value
goes left if it is at most the threshold, and a missing one where its own library would send it.

The C API is documented at https://lightgbm.readthedocs.io/en/stable/C-API.html. Its call for single
rows ("SingleRowFast") keeps what it needs between calls, so a call allocates nothing.
"""

import ctypes
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parivision.errors import ModelError
from parivision.models.columnwise import Columnwise
from parivision.shots.facts import Floats

# LightGBM's constants: C_API_DTYPE_FLOAT32 and C_API_PREDICT_NORMAL.
_FLOAT32: Final = 0
_NORMAL: Final = 0
# From so many rows on, operations on whole columns are worth it.
_BULK: Final = 2048
_PARAMETERS: Final = b"num_threads=1"
# Decisions of LightGBM's format: a missing value is NaN; it goes left or not.
_NAN_RIGHT: Final = 8
_NAN_LEFT: Final = 10
LOG_ODDS: Final = "objective=binary sigmoid:1"
MEAN: Final = "average_output"
_LARGEST: Final = float(np.finfo(np.float64).max)


class Forest:
    """Trees in LightGBM's text format, ready to give probabilities; threads may share them."""

    def __init__(self, text: str) -> None:
        """Load the trees; raises ModelError when the text holds none."""
        self.text = text
        self._library = _library()
        self._handle, self._fast = ctypes.c_void_p(), ctypes.c_void_p()
        rounds, columns = ctypes.c_int(), ctypes.c_int()
        self._call(
            "LGBM_BoosterLoadModelFromString",
            text.encode(),
            ctypes.byref(rounds),
            ctypes.byref(self._handle),
        )
        self._call("LGBM_BoosterGetNumFeature", self._handle, ctypes.byref(columns))
        self.rounds, self.columns = rounds.value, columns.value
        self._prepare()

    def _prepare(self) -> None:
        """What one row needs is allocated once."""
        self._call(
            "LGBM_BoosterPredictForMatSingleRowFastInit",
            self._handle,
            ctypes.c_int(_NORMAL),
            ctypes.c_int(0),
            ctypes.c_int(-1),
            ctypes.c_int(_FLOAT32),
            ctypes.c_int32(self.columns),
            _PARAMETERS,
            ctypes.byref(self._fast),
        )
        self._row = bytearray(4 * self.columns)
        self._pack = struct.Struct(f"{self.columns}f").pack_into
        self._size, self._answer = ctypes.c_int64(), ctypes.c_double()
        data = (ctypes.c_char * len(self._row)).from_buffer(self._row)
        buffers = (data, self._size, self._answer)
        self._arguments = (self._fast.value, *map(ctypes.addressof, buffers))
        self._one = _one_row()
        self._lock = threading.Lock()

    def one(self, row: Sequence[float]) -> float:
        """The answer to one row of features, cut to float32 as in a matrix."""
        # There is one buffer for the row and one for the answer.
        with self._lock:
            self._pack(self._row, 0, *row)
            if self._one(*self._arguments):
                raise ModelError(self._last_error())
            return self._answer.value

    def many(self, features: NDArray[np.float32]) -> Floats:
        """The answers to n rows, shape (n,), of features of shape (n, k)."""
        rows = np.ascontiguousarray(features, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.columns:
            raise ModelError(f"features of shape {rows.shape}: expected {self.columns} columns")
        if len(rows) >= _BULK and self._columnwise is not None:
            return self._columnwise.many(rows)
        out, size = np.empty(len(rows)), ctypes.c_int64()
        if len(rows):
            self._call(
                "LGBM_BoosterPredictForMat",
                self._handle,
                ctypes.c_void_p(rows.ctypes.data),
                ctypes.c_int(_FLOAT32),
                ctypes.c_int32(len(rows)),
                ctypes.c_int32(self.columns),
                ctypes.c_int(1),
                ctypes.c_int(_NORMAL),
                ctypes.c_int(0),
                ctypes.c_int(-1),
                _PARAMETERS,
                ctypes.byref(size),
                ctypes.c_void_p(out.ctypes.data),
            )
        return out

    @cached_property
    def _columnwise(self) -> Columnwise | None:
        """The same trees for many rows, if they are small enough for it."""
        return Columnwise.read(self.text)

    def _call(self, function: str, *arguments: Any) -> None:
        if getattr(self._library, function)(*arguments):
            raise ModelError(self._last_error())

    def _last_error(self) -> str:
        return f"LightGBM: {self._library.LGBM_GetLastError().decode(errors='replace')}"

    def __deepcopy__(self, _memo: object) -> "Forest":
        """Itself: nothing of it changes."""
        return self

    def __reduce__(self) -> tuple[type["Forest"], tuple[str]]:
        """Loaded again from its text in another process."""
        return type(self), (self.text,)

    def __del__(self) -> None:
        """Give the library's memory back."""
        fast, handle = getattr(self, "_fast", None), getattr(self, "_handle", None)
        if fast:
            self._library.LGBM_FastConfigFree(fast)
        if handle:
            self._library.LGBM_BoosterFree(handle)


@dataclass(frozen=True)
class Tree:
    """A tree as arrays of shape (nodes,), node 0 its root; `left` is -1 in a leaf.

    A value of at most `threshold` goes left, and a missing one if `missing_left`. `value` holds
    what a leaf adds.
    """

    left: NDArray[Any]
    right: NDArray[Any]
    feature: NDArray[Any]
    threshold: NDArray[Any]
    missing_left: NDArray[Any]
    value: NDArray[Any]


def forest(trees: Sequence[Tree], columns: int, link: str) -> Forest:
    """Trees whose sum is LOG_ODDS, or whose MEAN is a probability, of so many features.

    It answers with probabilities in both cases.
    """
    head = [
        "tree",
        "version=v4",
        "num_class=1",
        "num_tree_per_iteration=1",
        "label_index=0",
        f"max_feature_idx={columns - 1}",
        link,
        "feature_names=" + " ".join(f"f{index}" for index in range(columns)),
        "feature_infos=" + " ".join(["none"] * columns),
        "",
    ]
    body = [line for number, tree in enumerate(trees) for line in _lines(number, tree)]
    return Forest("\n".join([*head, *body, "end of trees", ""]))


def _lines(number: int, tree: Tree) -> list[str]:
    """One tree in LightGBM's format.

    Inner nodes and leaves are numbered apart, each from 0. A child is written as its number if it
    is an inner node, and as ~number, a negative one, if it is a leaf.
    """
    is_leaf = tree.left < 0
    inner, leaves = np.flatnonzero(~is_leaf), np.flatnonzero(is_leaf)
    number_of = np.empty(len(is_leaf), np.int64)
    number_of[inner], number_of[leaves] = np.arange(len(inner)), ~np.arange(len(leaves))
    threshold = np.clip(tree.threshold[inner].astype(np.float64), -_LARGEST, _LARGEST)
    lines = [f"Tree={number}", f"num_leaves={len(leaves)}", "num_cat=0"]
    if len(inner):
        decision = np.where(tree.missing_left[inner], _NAN_LEFT, _NAN_RIGHT)
        lines += [
            _line("split_feature", tree.feature[inner].astype(np.int64)),
            _line("split_gain", np.zeros(len(inner), np.int64)),
            _line("threshold", threshold),
            _line("decision_type", decision),
            _line("left_child", number_of[tree.left[inner]]),
            _line("right_child", number_of[tree.right[inner]]),
        ]
    return [*lines, _line("leaf_value", tree.value[leaves].astype(np.float64)), "shrinkage=1", ""]


def _line(name: str, values: NDArray[Any]) -> str:
    return f"{name}=" + " ".join(map(repr, values.tolist()))


@cache
def _path() -> str:
    """Where LightGBM's shared library is; raises ModelError where it is not installed."""
    package = find_spec("lightgbm")
    if package is None or package.origin is None:
        raise ModelError("lightgbm is not installed, which evaluates all trees: install it")
    # In lib/ or bin/, with the system's ending.
    path = next(Path(package.origin).parent.glob("*/lib_lightgbm.*"), None)
    if path is None:
        raise ModelError(f"{package.origin} comes without its C library: install lightgbm's wheel")
    return str(path)


@cache
def _library() -> ctypes.CDLL:
    """LightGBM's shared library; raises ModelError where it is not installed."""
    library = ctypes.CDLL(_path())
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    library.LGBM_BoosterFree.argtypes = [ctypes.c_void_p]
    library.LGBM_FastConfigFree.argtypes = [ctypes.c_void_p]
    return library


@cache
def _one_row() -> Callable[..., int]:
    """The library's function for single rows, called without letting other threads in.

    It takes some microseconds. A thread that comes in then stays for milliseconds.
    """
    function = ctypes.PyDLL(_path()).LGBM_BoosterPredictForMatSingleRowFast
    function.argtypes = [ctypes.c_void_p] * 4
    return function
