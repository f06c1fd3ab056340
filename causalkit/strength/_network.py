"""Discrete Bayesian networks, asked exactly: probabilities of some nodes given others, under interventions or not.

A node that is set by an intervention loses its table (truncated factorisation, Pearl 2009, section 3.2.3); evidence is entered as
slices of tables; the other nodes are summed out one by one, the one that makes the smallest table first. Interventions are made before
evidence is entered, so that ``query(["rain"], do={"sprinkler": "on"}, evidence={"grass": "wet"})`` conditions in the world in which
the sprinkler was set.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalkit._random import Seed, as_generator
from causalkit.exceptions import DataError, FileWarning, GraphKindError, ParameterError, ParseError
from causalkit.graph import GraphKind, GraphLike, as_graph
from causalkit.graph._bits import closure, mask_of, members
from causalkit.graph._door import graph_of_parents, network_text
from causalkit.graph.formats._networks import NETWORKS, write_bif
from causalkit.strength._content import content_id

__all__ = ["BayesianNetwork"]

Floats = NDArray[np.float64]
TOLERANCE = 1e-6
# How far sums of probabilities in files may be from 1.
ROUNDING = 0.01
MANY = 16


class Factor(NamedTuple):
    """A table over some nodes, one axis per node."""

    scope: tuple[str, ...]
    table: Floats


class BayesianNetwork:
    """A DAG with a table of probabilities for every node.

    Parameters
    ----------
    graph : CausalGraph
        A DAG.
    states : mapping of str to sequence
        The values of every node.
    tables : mapping of str to array_like
        For every node an array with one axis per parent, in the order of ``graph.parents(node)``, and a last axis for the node itself,
        along which it sums to 1 (within 1e-6; rounding in files is left as it is).

    Raises
    ------
    GraphKindError
        If the graph is not a DAG.
    DataError
        If a table is missing, has another shape, negative entries, or does not sum to 1.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import BayesianNetwork
    >>> net = BayesianNetwork(
    ...     CausalGraph.parse("rain -> wet"),
    ...     {"rain": ("no", "yes"), "wet": ("no", "yes")},
    ...     {"rain": [0.7, 0.3], "wet": [[0.9, 0.1], [0.2, 0.8]]},
    ... )
    >>> net.query("wet", do={"rain": "yes"}).tolist()
    [0.2, 0.8]
    """

    def __init__(
        self, graph: GraphLike, states: Mapping[str, Sequence[Any]], tables: Mapping[str, ArrayLike]
    ) -> None:
        graph = as_graph(graph)
        if graph.kind is not GraphKind.DAG:
            raise GraphKindError(f"a Bayesian network has a DAG; this graph is a {graph.kind}")
        unknown = [name for name in (*states, *tables) if name not in graph.nodes]
        if unknown:
            raise DataError(f"states and tables are of nodes of the graph; {unknown[0]!r} is none")
        self.graph = graph
        self.states = {name: tuple(_entry(states, name, "states")) for name in graph.nodes}
        self._factors = {name: self._read(name, _entry(tables, name, "tables")) for name in graph.nodes}

    def _read(self, name: str, values: ArrayLike) -> Factor:
        scope = (*self.graph.parents(name), name)
        if len(set(self.states[name])) < len(self.states[name]):
            raise DataError(f"{name!r} has a state twice: {self.states[name]}")
        try:
            table = np.array(values, dtype=float)
        except (TypeError, ValueError):
            raise DataError(f"the table of {name!r} is no array of numbers") from None
        shape = tuple(len(self.states[n]) for n in scope)
        if table.shape != shape:
            raise DataError(
                f"the table of {name!r} has shape {table.shape}; its parents and states need {shape}"
            )
        if not (table >= 0).all() or not np.allclose(table.sum(axis=-1), 1, atol=TOLERANCE):
            raise DataError(f"the table of {name!r} must be non-negative and sum to 1 along its last axis")
        table.setflags(write=False)
        return Factor(scope, table)

    def __repr__(self) -> str:
        return f"BayesianNetwork(nodes={self.graph.n_nodes}, edges={self.graph.n_edges})"

    @property
    def id(self) -> str:
        """A name that depends on graph, states and tables only."""
        parts: list[str | bytes] = [self.graph.to_json()]
        for name in self.graph.nodes:
            parts += [repr((name, self.states[name])), self._factors[name].table.tobytes()]
        return content_id("network", *parts)

    @classmethod
    def read(cls, source: str | Path, format: str | None = None) -> Self:
        """Read a network from a file or text in BIF, Hugin's NET, GeNIe's XDSL or XMLBIF.

        Parameters
        ----------
        source : str or pathlib.Path
            A path, or the text itself, which has a line end or a brace.
        format : {"bif", "net", "xdsl", "xmlbif"}, optional
            By default what the end of the name says, else what the text looks like.

        Returns
        -------
        BayesianNetwork
            The network; nodes in the order of the file.

        Raises
        ------
        ParseError
            If the text cannot be read, with what was expected, or probabilities sum to anything but 1.

        Warns
        -----
        FileWarning
            If probabilities sum to 1 only up to rounding (.01): they are divided by their sum.

        Notes
        -----
        At most 20 million characters, 10,000 nodes and 10 million entries of a table are read. In a ``table`` of BIF the variable itself varies slowest and its last parent fastest; in the
        other formats the variable varies fastest.

        Examples
        --------
        >>> from causalkit.strength import BayesianNetwork
        >>> text = "variable a { type discrete [ 2 ] { no, yes }; } probability ( a ) { table 0.75, 0.25; }"
        >>> BayesianNetwork.read(text).query("a").tolist()
        [0.75, 0.25]
        """
        name, text = network_text(source, format)
        found = NETWORKS[name](text, tables=True)
        graph = graph_of_parents(found)
        order = {node: [found.parents[node].index(p) for p in graph.parents(node)] for node in graph.nodes}
        tables = {node: _sums_to_one(table, node) for node, table in found.tables.items()}
        turned = {node: np.transpose(table, [*order[node], table.ndim - 1]) for node, table in tables.items()}
        return cls(graph, found.states, turned)

    @classmethod
    def from_bif(cls, source: str | Path) -> Self:
        """Read a network from BIF text or from a file; see :meth:`read`.

        Parameters
        ----------
        source : str or pathlib.Path
            A path, or the text itself, which has a line end or a brace.

        Returns
        -------
        BayesianNetwork
            The network; nodes in the order of the file.
        """
        return cls.read(source, "bif")

    def to_bif(self) -> str:
        """Write BIF, from which `read` gets the same network.

        Returns
        -------
        str
            The text; states that are not text are written as text.

        Examples
        --------
        >>> from causalkit.strength import BayesianNetwork
        >>> text = "variable a { type discrete [ 2 ] { no, yes }; } probability ( a ) { table 0.75, 0.25; }"
        >>> net = BayesianNetwork.read(text)
        >>> BayesianNetwork.read(net.to_bif()).id == net.id
        True
        """
        states = {name: tuple(map(str, self.states[name])) for name in self.graph.nodes}
        parents = {name: self.graph.parents(name) for name in self.graph.nodes}
        return write_bif(states, parents, {name: self._factors[name].table for name in self.graph.nodes})

    def query(
        self,
        nodes: str | Iterable[str],
        *,
        evidence: Mapping[str, Any] | None = None,
        do: Mapping[str, Any] | None = None,
    ) -> Floats:
        """Return the joint probabilities of some nodes.

        Parameters
        ----------
        nodes : str or iterable of str
            One node or several.
        evidence : mapping of str to value, optional
            Observed values.
        do : mapping of str to value, optional
            Values set by intervention, before anything is observed.

        Returns
        -------
        numpy.ndarray of float
            One axis per node, in the order asked; entries sum to 1.

        Raises
        ------
        NodeNotFoundError
            If a name is not a node.
        ParameterError
            If a value is not a state, a node is named twice, or the evidence has probability zero.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> from causalkit.strength import BayesianNetwork
        >>> net = BayesianNetwork(
        ...     CausalGraph.parse("rain -> wet"),
        ...     {"rain": (0, 1), "wet": (0, 1)},
        ...     {"rain": [0.5, 0.5], "wet": [[0.75, 0.25], [0.25, 0.75]]},
        ... )
        >>> net.query("rain", evidence={"wet": 1}).tolist()
        [0.25, 0.75]
        """
        asked = (nodes,) if isinstance(nodes, str) else tuple(nodes)
        seen, forced = self._positions(evidence), self._positions(do)
        self._check_apart(asked, seen, forced)
        fixed = {**seen, **forced}
        needed = {*self._above((*asked, *seen), forced)} - set(forced)
        factors = [_sliced(self._factors[name], fixed) for name in self.graph.nodes if name in needed]
        joint = _marginal(factors, asked)
        total = joint.sum()
        if total <= 0:
            raise ParameterError(f"the evidence {dict(evidence or {})} has probability zero")
        result: Floats = joint / total
        return result

    def _above(self, nodes: Sequence[str], forced: Mapping[str, int]) -> list[str]:
        """Return nodes and their ancestors without going through forced nodes; no other table matters."""
        step = [
            0 if n in forced else mask
            for n, mask in zip(self.graph.nodes, self.graph._parent_masks, strict=True)
        ]
        found = closure(mask_of(map(self.graph.index, nodes)), step)
        return [self.graph.nodes[k] for k in members(found)]

    def _positions(self, values: Mapping[str, Any] | None) -> dict[str, int]:
        return {name: self.position(name, value) for name, value in (values or {}).items()}

    def table(self, node: str) -> Floats:
        """Return the table of a node.

        Parameters
        ----------
        node : str
            A node.

        Returns
        -------
        numpy.ndarray of float
            One axis per parent, in the order of ``graph.parents(node)``, and a last one for the node; read-only.
        """
        self.graph.index(node)
        return self._factors[node].table

    def position(self, node: str, value: Any) -> int:
        """Return the place of a value among the states of a node.

        Parameters
        ----------
        node : str
            A node.
        value : object
            One of its states.

        Returns
        -------
        int
            Its place.

        Raises
        ------
        NodeNotFoundError, ParameterError
            If there is no such node, or no such state.
        """
        self.graph.index(node)
        try:
            return self.states[node].index(value)
        except ValueError:
            raise ParameterError(
                f"{value!r} is not a state of {node!r}; its states are {list(self.states[node])}"
            ) from None

    def _check_apart(self, asked: Sequence[str], seen: Mapping[str, int], forced: Mapping[str, int]) -> None:
        for name in asked:
            self.graph.index(name)
        named = [*asked, *seen, *forced]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice or not asked:
            raise ParameterError(
                f"each node is asked, observed or set once, and one at least is asked; got {twice or 'none'}"
            )

    def sample(
        self, n: int, rng: Seed = None, *, do: Mapping[str, Any] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Draw rows.

        Parameters
        ----------
        n : int
            Number of rows.
        rng : int, numpy.random.Generator or None, default=None
            Seed or generator.
        do : mapping of str to value, optional
            Values set by intervention.

        Returns
        -------
        dict of str to numpy.ndarray, each of shape (n,)
            Values of every node.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> from causalkit.strength import BayesianNetwork
        >>> net = BayesianNetwork(CausalGraph.parse("coin"), {"coin": ("heads", "tails")}, {"coin": [0.5, 0.5]})
        >>> net.sample(3, rng=0)["coin"].tolist()
        ['tails', 'heads', 'heads']
        """
        generator, forced = as_generator(rng), self._positions(do)
        drawn: dict[str, NDArray[np.intp]] = {}
        for name in self.graph.topological_order():
            if name in forced:
                drawn[name] = np.full(n, forced[name])
                continue
            scope, table = self._factors[name]
            rows = np.broadcast_to(table[tuple(drawn[p] for p in scope[:-1])], (n, table.shape[-1]))
            ends = np.cumsum(rows, axis=1)
            drawn[name] = (generator.random(n)[:, None] * ends[:, -1:] >= ends).sum(axis=1)
        return {name: np.array(self.states[name])[drawn[name]] for name in self.graph.nodes}


def _entry(values: Mapping[str, Any], name: str, what: str) -> Any:
    try:
        return values[name]
    except KeyError:
        raise DataError(f"{what} has no entry for {name!r}; every node needs one") from None


def _sliced(factor: Factor, fixed: Mapping[str, int]) -> Factor:
    at = tuple(fixed.get(name, slice(None)) for name in factor.scope)
    return Factor(tuple(name for name in factor.scope if name not in fixed), factor.table[at])


def _marginal(factors: list[Factor], keep: Sequence[str]) -> Floats:
    """Sum out all nodes but some, the one with the smallest product first."""
    factors = [_scaled(f) for f in factors]
    hidden = {name for f in factors for name in f.scope} - set(keep)
    while hidden:
        name = min(hidden, key=lambda node: (_product_size(factors, node), node))
        touching = [f for f in factors if name in f.scope]
        scope = tuple(n for n in _union(touching) if n != name)
        factors = [f for f in factors if name not in f.scope] + [_scaled(contract(touching, scope))]
        hidden.remove(name)
    return contract(factors, tuple(keep)).table


def _union(factors: Iterable[Factor]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for f in factors for name in f.scope))


def _product_size(factors: Iterable[Factor], node: str) -> int:
    sizes = {n: s for f in factors if node in f.scope for n, s in zip(f.scope, f.table.shape, strict=True)}
    return int(np.prod([*sizes.values()], dtype=object))


def _scaled(f: Factor) -> Factor:
    """Divide a table by its largest entry, so that many small numbers do not underflow; the result is normalised in the end."""
    largest = f.table.max(initial=0.0)
    return Factor(f.scope, f.table / largest) if largest > 0 else f


def contract(factors: Sequence[Factor], scope: tuple[str, ...]) -> Factor:
    """Multiply tables and sum over everything outside the scope; many tables in portions."""
    while len(factors) > MANY:
        first = factors[:MANY]
        factors = [contract(first, _union(first)), *factors[MANY:]]
    axis = {name: k for k, name in enumerate(dict.fromkeys((*_union(factors), *scope)))}
    operands: list[Any] = []
    for f in factors:
        operands += [f.table, [axis[name] for name in f.scope]]
    return Factor(scope, np.einsum(*operands, [axis[name] for name in scope], optimize="greedy"))


def _sums_to_one(table: Floats, name: str) -> Floats:
    """Divide probabilities by their sums, which may differ from 1 by rounding."""
    if np.isnan(table).any():
        raise ParseError(
            f"the table of {name!r} misses a combination of its parents; tables that a function fills, such as noisy max, are not read. read_graph() reads the structure"
        )
    sums = table.sum(axis=-1, keepdims=True)
    off = float(np.abs(sums - 1).max())
    if off > ROUNDING:
        raise ParseError(
            f"probabilities of {name!r} sum to {sums.ravel()[np.abs(sums - 1).argmax()]:.4g} and not to 1"
        )
    if off > TOLERANCE:
        warnings.warn(
            f"probabilities of {name!r} sum to 1 up to {off:.1g}; they were divided by their sums",
            FileWarning,
            stacklevel=3,
        )
    return table / sums if off > TOLERANCE else table
