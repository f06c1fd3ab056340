"""Checks of what a graph is made from, before the rules of its kind; what passes is made read-only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalkit.exceptions import GraphError, NodeNotFoundError
from causalkit.graph._marks import GraphKind

MarkArray = NDArray[np.uint8]

ROLES = ("system", "context", "latent", "selection")
CONTEXT_TYPES = ("time", "domain")


def check_nodes(nodes: Iterable[Any]) -> tuple[str, ...]:
    """Return unique, non-empty names as a tuple."""
    names = tuple(nodes)
    for name in names:
        if not isinstance(name, str) or not name:
            msg = f"node names are non-empty strings; got {name!r} of type {type(name).__name__}"
            raise GraphError(msg)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"node names must be unique; {twice!r} occurs {names.count(twice)} times"
        raise GraphError(msg)
    return names


def check_marks(marks: ArrayLike, d: int) -> MarkArray:
    """Return a (d, d) matrix of marks, read-only."""
    try:
        array = np.asarray(marks)
    except ValueError:
        msg = f"marks must be a ({d}, {d}) array; its rows have different lengths"
        raise GraphError(msg) from None
    if d == 0 and array.size == 0:
        array = np.zeros((0, 0), dtype=np.uint8)
    if array.shape != (d, d):
        msg = f"marks has shape {array.shape}; {d} nodes need ({d}, {d})"
        raise GraphError(msg)
    if not _are_marks(array):
        msg = f"marks holds {np.setdiff1d(array, [0, 1, 2, 3])[:3].tolist()}; allowed are 0 NONE, 1 CIRCLE, 2 ARROW, 3 TAIL"
        raise GraphError(msg)
    return _frozen(array.astype(np.uint8))


def _are_marks(array: NDArray[Any]) -> bool:
    if array.dtype.kind in "iu" and array.size:
        return bool(array.min() >= 0 and array.max() <= 3)
    return bool(np.isin(array, [0, 1, 2, 3]).all())


def check_plane(bidirected: ArrayLike | None, d: int, kind: GraphKind) -> NDArray[np.bool_]:
    """Return the symmetric plane of bidirected edges, read-only; empty for other kinds than ADMG."""
    if bidirected is None:
        return _frozen(np.zeros((d, d), dtype=bool))
    plane = np.asarray(bidirected).astype(bool)
    if plane.shape != (d, d) or not np.array_equal(plane, plane.T) or plane.diagonal().any():
        msg = (
            f"bidirected must be a symmetric ({d}, {d}) array with an empty diagonal; got shape {plane.shape}"
        )
        raise GraphError(msg)
    if kind is not GraphKind.ADMG and plane.any():
        msg = f"only an ADMG has a bidirected plane; in a {kind} the edge A <-> B has arrowheads in marks"
        raise GraphError(msg)
    return _frozen(plane)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def check_node_data(
    data: Mapping[str, Mapping[str, Any]] | None, nodes: tuple[str, ...]
) -> Mapping[str, Mapping[str, Any]]:
    """Return attributes of nodes, read-only, with known roles."""
    frozen = {}
    for name, attributes in (data or {}).items():
        given: object = attributes
        if not isinstance(given, Mapping):
            msg = f"node data of {name!r} must be a mapping of attributes; got {attributes!r}"
            raise GraphError(msg)
        if name not in nodes:
            msg = f"node data given for {name!r}, which is not a node"
            raise NodeNotFoundError(msg)
        _check_attributes(name, attributes)
        frozen[name] = MappingProxyType(dict(attributes))
    return MappingProxyType(frozen)


def _check_attributes(name: str, attributes: Mapping[str, Any]) -> None:
    role, context = attributes.get("role", "system"), attributes.get("context_type", "time")
    if role not in ROLES:
        msg = f"node {name!r} has role {role!r}; allowed are {', '.join(ROLES)}"
        raise GraphError(msg)
    if context not in CONTEXT_TYPES:
        msg = f"node {name!r} has context_type {context!r}; allowed are {', '.join(CONTEXT_TYPES)}"
        raise GraphError(msg)
    if "name" in attributes:
        msg = f"node {name!r} has an attribute 'name'; use relabel() to rename a node"
        raise GraphError(msg)
    lag = attributes.get("lag", 0)
    if isinstance(lag, bool) or not isinstance(lag, int) or lag > 0:
        msg = f"node {name!r} has lag {lag!r}; a lag counts steps into the past and is an integer, 0 or negative"
        raise GraphError(msg)
