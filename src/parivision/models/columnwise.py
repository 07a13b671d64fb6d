"""Small trees for many rows at once, by operations on whole columns.

The usual way walks each row down each tree, which a processor does slowly: it cannot predict the
branches. Here every node is evaluated for all rows instead, children before parents, without any
branch. QuickScorer (Lucchese et al., SIGIR 2015) replaces the walk by tests of nodes too, and keeps
a bit mask of the leaves that are still possible. A leaf's number takes fewer operations.

Leaves are numbered from left to right, below each node from 0. Let L and R be a row's leaf numbers
below the left and the right child, and n the number of leaves on the left. The row's leaf number
below the node is L if it goes left, and n + R if it goes right. As L < n <= n + R, both cases are
max(L, goes_right * (n + R)): two or three operations on columns of bytes. Thousands of rows take a
quarter of the time.

The answers are those of `native.Forest` but for the last digit; features must be finite or missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parivision.shots.facts import Floats

MAX_LEAVES: Final = 128
"""Walking down takes 1.7 times as long then, and four times with 31; a byte would hold 256."""
_ROWS: Final = 16384
"""Rows that are computed at a time: what they need stays in the cache."""
# Where LightGBM's decisions send a missing value: as zero, right, or left.
_MISSING: Final = {0: 0.0, 2: 0.0, 8: np.inf, 10: -np.inf}
_SUPPORTED: Final = "objective=binary sigmoid:1"
_LARGEST: Final = np.finfo(np.float32).max

Scalar = NDArray[Any]
"""An array without dimensions: NumPy takes it in half the time that a number needs."""


class _Node(NamedTuple):
    """Rows whose column is above the threshold go right.

    `out` is the index of the buffer for the leaf numbers below the node, `left` and `right` are
    those of its children, None for a leaf. `leaves_left` is the number of leaves on the left; it
    is None where both children are leaves: then the direction is the leaf number.
    """

    threshold: Scalar
    column: int
    out: int
    leaves_left: Scalar | None
    left: int | None
    right: int | None


class _Tree(NamedTuple):
    """Nodes, children before parents; leaf values from left to right; how many buffers it takes."""

    nodes: Sequence[_Node]
    leaves: Floats
    buffers: int


class Columnwise:
    """Trees of at most `MAX_LEAVES` leaves whose sum is a log odds."""

    def __init__(self, trees: Sequence[_Tree], sources: Sequence[tuple[int, float]]) -> None:
        """`sources`: for each column the feature, and what stands for it where it is missing."""
        self._trees = trees
        self._sources = sources
        self._buffers = max((tree.buffers for tree in trees), default=0)

    @classmethod
    def read(cls, text: str) -> "Columnwise | None":
        """The trees of a model in LightGBM's format; None if they are not of this kind."""
        head, *blocks = text.split("\nTree=")
        if _SUPPORTED not in head.splitlines():
            return None
        columns: dict[tuple[int, float], int] = {}
        trees = []
        for block in blocks:
            tree = _read(block, columns)
            if tree is None:
                return None
            trees.append(tree)
        return cls(trees, list(columns))

    def many(self, features: NDArray[np.float32]) -> Floats:
        """Probabilities of n rows, shape (n,), of features of shape (n, k)."""
        out = np.empty(len(features))
        for start in range(0, len(features), _ROWS):
            rows = features[start : start + _ROWS]
            out[start : start + len(rows)] = self._log_odds(rows)
        return 1.0 / (1.0 + np.exp(-out))

    def _log_odds(self, rows: NDArray[np.float32]) -> Floats:
        columns = [_column(rows, *source) for source in self._sources]
        total = np.zeros(len(rows))
        goes_right = [np.empty(len(rows), np.bool_) for _ in range(self._buffers)]
        # The same memory, first as directions and then as leaf numbers.
        leaf_numbers = [buffer.view(np.uint8) for buffer in goes_right]
        for tree in self._trees:
            for threshold, column, out, leaves_left, left, right in tree.nodes:
                np.less(threshold, columns[column], goes_right[out])
                numbers, if_right = leaf_numbers[out], leaves_left
                if if_right is not None:
                    if right is not None:
                        if_right = np.add(leaf_numbers[right], if_right, leaf_numbers[right])
                    np.multiply(numbers, if_right, numbers)
                if left is not None:
                    np.maximum(numbers, leaf_numbers[left], out=numbers)
            if tree.nodes:
                total += np.take(tree.leaves, leaf_numbers[tree.nodes[-1].out], mode="clip")
            else:
                total += tree.leaves
        return total


def _column(rows: NDArray[np.float32], feature: int, missing: float) -> NDArray[np.float32]:
    values = np.ascontiguousarray(rows[:, feature])
    return np.where(np.isnan(values), np.float32(missing), values)


def _read(block: str, columns: dict[tuple[int, float], int]) -> _Tree | None:
    fields = dict(line.split("=", 1) for line in block.splitlines()[1:] if "=" in line)

    def numbers(name: str, kind: type) -> NDArray[Any]:
        return np.array(fields[name].split(), np.float64).astype(kind)

    size = int(fields["num_leaves"])
    if size == 1:
        return _Tree((), numbers("leaf_value", float), 0)
    decisions = numbers("decision_type", int).tolist()
    if size > MAX_LEAVES or fields["num_cat"] != "0" or not set(decisions) <= _MISSING.keys():
        return None
    sources = zip(numbers("split_feature", int).tolist(), map(_MISSING.get, decisions), strict=True)
    plan = _Plan(
        left=numbers("left_child", int).tolist(),
        right=numbers("right_child", int).tolist(),
        column=[columns.setdefault(source, len(columns)) for source in sources],  # type: ignore[arg-type]
        threshold=_in_float32(numbers("threshold", float)),
    )
    plan.visit(0)
    return _Tree(plan.nodes, numbers("leaf_value", float)[plan.leaves], plan.buffers)


@dataclass
class _Plan:
    """The order in which a tree's nodes are evaluated, and the buffer of each.

    `left` and `right` are children by node: a node's number, or ~number of a leaf.
    """

    left: Sequence[int]
    right: Sequence[int]
    column: Sequence[int]
    threshold: NDArray[np.float32]
    nodes: list[_Node] = field(default_factory=list)
    leaves: list[int] = field(default_factory=list)
    """Leaves from left to right, by their numbers in the file."""
    buffers: int = 0
    _free: list[int] = field(default_factory=list)

    def visit(self, node: int) -> int | None:
        """Plan a node behind its children; its buffer, None for a leaf.

        The children's buffers are free again once the node has been computed.
        """
        if node < 0:
            self.leaves.append(~node)
            return None
        before = len(self.leaves)
        left = self.visit(self.left[node])
        leaves_left = len(self.leaves) - before
        right = self.visit(self.right[node])
        out = self._buffer()
        is_pair = leaves_left == 1 and right is None
        count = None if is_pair else np.array(leaves_left, np.uint8)
        threshold = np.array(self.threshold[node])
        self.nodes.append(_Node(threshold, self.column[node], out, count, left, right))
        self._free.extend(child for child in (left, right) if child is not None)
        return out

    def _buffer(self) -> int:
        """A buffer that is free, or one more."""
        if self._free:
            return self._free.pop()
        self.buffers += 1
        return self.buffers - 1


def _in_float32(thresholds: Floats) -> NDArray[np.float32]:
    """The largest float32 that are at most the thresholds, and finite.

    A float32 is at most the threshold exactly if it is at most this number, so no split changes.
    """
    near = np.clip(thresholds, -_LARGEST, _LARGEST).astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)
