"""Sets of nodes as Python integers: bit k set means that node k is a member.

Union, intersection and difference of whole node sets are then single machine-fast operations on arbitrary-length
integers. On graphs of a thousand nodes this is one to two orders of magnitude faster than sets of objects, in pure Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def members(mask: int) -> Iterator[int]:
    """Yield the members of a set, in increasing order."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def mask_of(items: Iterable[int]) -> int:
    """Build a set from its members."""
    mask = 0
    for item in items:
        mask |= 1 << item
    return mask


def rows_to_masks(matrix: NDArray[np.bool_]) -> list[int]:
    """Turn each row of a boolean matrix into the set of its true columns."""
    packed = np.packbits(matrix, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def true_pairs(matrix: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return row and column of every true entry, row by row."""
    rows, columns = np.divmod(np.flatnonzero(matrix), matrix.shape[1] or 1)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def masks_to_rows(masks: Sequence[int], width: int) -> NDArray[np.bool_]:
    """Turn sets back into the rows of a boolean matrix."""
    size = (width + 7) // 8
    raw = b"".join(mask.to_bytes(size, "little") for mask in masks)
    packed = np.frombuffer(raw, dtype=np.uint8).reshape(len(masks), size)
    return np.unpackbits(packed, axis=1, count=width, bitorder="little").astype(bool)


def transposed(masks: Sequence[int]) -> list[int]:
    """Turn sets of parents into sets of children, and back."""
    out = [0] * len(masks)
    for node, mask in enumerate(masks):
        for other in members(mask):
            out[other] |= 1 << node
    return out


def closure(start: int, step: Sequence[int], within: int = -1) -> int:
    """Return everything reachable from `start` (which is included) by repeating `step` without leaving `within`."""
    reached = frontier = start
    while frontier:
        fresh = 0
        for node in members(frontier):
            fresh |= step[node]
        frontier = fresh & within & ~reached
        reached |= frontier
    return reached


def components(step: Sequence[int], within: int) -> list[int]:
    """Return the connected parts of some nodes under a symmetric relation, in the order of their first members."""
    found = []
    while within:
        part = closure(within & -within, step, within)
        found.append(part)
        within &= ~part
    return found


def all_reachable(step: Sequence[int]) -> list[int]:
    """Return for each node of an acyclic graph everything reachable by one step or more."""
    found = [0] * len(step)
    for node in reversed(topological_order(transposed(step)) or range(len(step))):
        for following in members(step[node]):
            found[node] |= 1 << following | found[following]
    return found


def find_cycle(step: Sequence[int]) -> tuple[int, ...] | None:
    """Return the nodes of one directed cycle in order, or None if there is none."""
    remaining = (1 << len(step)) - 1
    while remaining:
        free = [node for node in members(remaining) if not step[node] & remaining]
        if not free:
            return _walk_into_cycle(step, remaining)
        remaining &= ~mask_of(free)
    return None


def _walk_into_cycle(step: Sequence[int], remaining: int) -> tuple[int, ...]:
    """Follow edges inside `remaining`, where every node has a successor, until a node repeats."""
    path, seen = [next(members(remaining))], {}
    while path[-1] not in seen:
        seen[path[-1]] = len(path) - 1
        path.append(next(members(step[path[-1]] & remaining)))
    return tuple(path[seen[path[-1]] : -1])


def topological_order(parents: Sequence[int]) -> list[int] | None:
    """Return nodes with every parent first, ties broken by index, or None if there is a cycle."""
    children = transposed(parents)
    missing = [mask.bit_count() for mask in parents]
    ready = mask_of(node for node, count in enumerate(missing) if count == 0)
    order = []
    while ready:
        node = (ready & -ready).bit_length() - 1
        ready ^= 1 << node
        order.append(node)
        for child in members(children[node]):
            missing[child] -= 1
            if missing[child] == 0:
                ready |= 1 << child
    return order if len(order) == len(parents) else None
