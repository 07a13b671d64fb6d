"""Functions of one number that take an array of numbers just as well.

A formula that is written with them exists once: of a request's plain numbers it makes plain
numbers, and of columns of thousands of shots it makes columns. Both have the same bits, since each
function here is exact, or is the C library's in both cases. `log` and `exp` are not: NumPy has its
own for some processors, and the last digit may differ.

Operators do the rest. `&` and `|` join conditions, as `and` and `or` cannot take arrays.

The three types are names for people: to a type checker a formula that takes both kinds of numbers
is one that takes anything.
"""

import math
from typing import Any, TypeAlias

import numpy as np

Value: TypeAlias = Any
"""A float of one shot, or an array of them, shape (n,)."""
Code: TypeAlias = Any
"""A whole number of one shot, such as an index, or an array of them, shape (n,)."""
Condition: TypeAlias = Any
"""A bool of one shot, or an array of them, shape (n,)."""


def where(condition: Condition, yes: Value, no: Value) -> Value:
    """`yes` where the condition holds and `no` elsewhere; both are always computed."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, yes, no)
    return yes if condition else no


def at_most(x: Value, limit: float) -> Value:
    """The smaller of two numbers; what is not a number counts as the limit."""
    if isinstance(x, np.ndarray):
        return np.fmin(x, limit)
    return min(limit, x)


def whole(x: Value) -> Code:
    """The whole number towards zero, which may be an index."""
    return x.astype(np.int64) if isinstance(x, np.ndarray) else int(x)


def hypot(x: Value, y: Value) -> Value:
    """The length of (x, y); infinite where it is too large for a number."""
    if isinstance(x, np.ndarray):
        with np.errstate(over="ignore"):
            return np.hypot(x, y)
    try:
        # The C library's, as NumPy's is; math.hypot is not.
        return abs(complex(x, y))
    except OverflowError:
        return math.inf


def atan2(y: Value, x: Value) -> Value:
    """The arctangent of y / x in radians, from -pi to pi."""
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        # NumPy's own has another last digit on processors with AVX-512.
        pairs = y.ravel().tolist(), x.ravel().tolist()
        return np.fromiter(map(math.atan2, *pairs), np.float64, x.size).reshape(x.shape)
    return math.atan2(y, x)


def log(x: Value) -> Value:
    """The natural logarithm."""
    return np.log(x) if isinstance(x, np.ndarray) else math.log(x)


def exp(x: Value) -> Value:
    """E to the power of x."""
    return np.exp(x) if isinstance(x, np.ndarray) else math.exp(x)
