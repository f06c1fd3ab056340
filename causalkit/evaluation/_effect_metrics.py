"""How many effects a graph gets wrong: distances that count questions about interventions instead of edges.

For every ordered pair of nodes the estimated graph says how to compute the effect of the first on the second: that there is none, that it is not
identified, or an adjustment set. The answer is checked in the true graph. What the estimated graph proposes to adjust for, the parents, the ancestors, or
the optimal set, gives three distances (Henckel, Würtzen and Weichwald 2024); with parents and DAGs it is the structural intervention distance
(Peters and Bühlmann 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed, as_generator
from causalkit._validation import check_choice, check_count
from causalkit.evaluation._graph_metrics import aligned
from causalkit.exceptions import GraphKindError, ParameterError
from causalkit.graph import CausalGraph, GraphKind, Mark
from causalkit.graph._problem import Problem
from causalkit.graph._routes import Routes, routes

__all__ = [
    "AdjustmentDistance",
    "MarkConfusion",
    "Overlap",
    "aid",
    "mark_confusion",
    "order_accuracy",
    "overlap",
    "sid",
]

Strategy = Literal["parent", "ancestor", "oset"]
CLASSES = (GraphKind.DAG, GraphKind.CPDAG)


@dataclass(frozen=True)
class AdjustmentDistance:
    """Number of pairs whose effect is wrong.

    Parameters
    ----------
    mistakes : int
        Ordered pairs.
    pairs : int
        All ordered pairs, d (d - 1).
    """

    mistakes: int
    pairs: int

    @property
    def normalized(self) -> float:
        """Share of pairs, from 0 to 1."""
        return self.mistakes / self.pairs if self.pairs else 0.0


def aid(true: CausalGraph, estimated: CausalGraph, *, strategy: Strategy = "oset") -> AdjustmentDistance:
    """Adjustment identification distance: the number of effects that the estimated graph identifies wrongly.

    Parameters
    ----------
    true, estimated : CausalGraph
        Two DAGs or CPDAGs over the same nodes. The distance is not symmetric.
    strategy : {"oset", "ancestor", "parent"}, default="oset"
        What the estimated graph adjusts for: the optimal set, the ancestors or the parents of the cause. ``"parent"`` says that an effect on
        a parent is zero; the others say so of every node that is no possible descendant.

    Returns
    -------
    AdjustmentDistance
        `mistakes` and `normalized`.

    Raises
    ------
    GraphKindError
        If a graph is neither a DAG nor a CPDAG.
    GraphError
        If the nodes differ.

    References
    ----------
    L. Henckel, T. Würtzen, S. Weichwald, "Adjustment identification distance: a gadjid for causal structure learning", UAI 2024.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.evaluation import aid
    >>> true, other = CausalGraph.parse("A -> B; B -> C"), CausalGraph.parse("A <- B; B -> C")
    >>> aid(true, other).mistakes, aid(true, true).mistakes
    (3, 0)
    """
    check_choice("strategy", strategy, _PROPOSALS)
    first, second = aligned(true, estimated)
    for graph in (first, second):
        if graph.kind not in CLASSES:
            raise GraphKindError(
                f"adjustment distances compare DAGs and CPDAGs; this graph is a {graph.kind}"
            )
    truth, guess, d = routes(first), routes(second), first.n_nodes
    propose = _PROPOSALS[strategy]
    pairs = ((x, y) for x in range(d) for y in range(d) if x != y)
    return AdjustmentDistance(sum(_is_wrong(truth, guess, propose, x, y) for x, y in pairs), d * (d - 1))


def sid(true: CausalGraph, estimated: CausalGraph) -> int:
    """Structural intervention distance between two DAGs: pairs whose effect is wrong if one adjusts for the estimated parents.

    Parameters
    ----------
    true, estimated : CausalGraph
        Two DAGs over the same nodes. The distance is not symmetric.

    Returns
    -------
    int
        From 0 to d (d - 1).

    Raises
    ------
    GraphKindError
        If a graph is not a DAG.
    GraphError
        If the nodes differ.

    References
    ----------
    J. Peters, P. Bühlmann, "Structural intervention distance for evaluating causal graphs", Neural Computation 27, 2015.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.evaluation import sid
    >>> sid(CausalGraph.parse("A -> B; C"), CausalGraph.parse("A <- B; C"))
    2
    """
    for graph in aligned(true, estimated):
        if graph.kind is not GraphKind.DAG:
            raise GraphKindError(f"sid compares DAGs; this graph is a {graph.kind}. aid() takes CPDAGs too")
    return aid(true, estimated, strategy="parent").mistakes


def _is_wrong(truth: Routes, guess: Routes, propose: Callable[[Problem], int | None], x: int, y: int) -> bool:
    """Whether the answer of the estimated graph about one pair is wrong in the true one."""
    asked, real = (Problem(g.graph, g, 1 << x, 1 << y, g.everything, 0) for g in (guess, truth))
    if asked.uncertain:
        return not real.uncertain
    proposed = propose(asked)
    if proposed is None:
        return not real.is_zero
    return not real.is_valid(proposed)


def _parent(asked: Problem) -> int | None:
    parents = asked.routes.parents[asked.causes.bit_length() - 1]
    return None if parents & asked.effects else parents


def _ancestor(asked: Problem) -> int | None:
    if asked.is_zero:
        return None
    return asked.routes.arrow_ancestors[asked.causes.bit_length() - 1]


def _oset(asked: Problem) -> int | None:
    return None if asked.is_zero else asked.optimal


_PROPOSALS: dict[str, Callable[[Problem], int | None]] = {
    "parent": _parent,
    "ancestor": _ancestor,
    "oset": _oset,
}


# -- marks, orders, chance -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MarkConfusion:
    """Marks of the true graph against those of the estimated one.

    Parameters
    ----------
    counts : numpy.ndarray of int, shape (4, 4)
        Ends of edges by true mark (rows) and estimated mark (columns): none, circle, arrow, tail.
    labels : tuple of str
        Names of rows and columns.
    """

    counts: NDArray[np.intp]
    labels: tuple[str, ...] = ("none", "circle", "arrow", "tail")

    def __str__(self) -> str:
        head = "true, estimated".ljust(18) + "".join(f"{label:>8}" for label in self.labels)
        rows = [
            f"{label:18}" + "".join(f"{n:8d}" for n in row)
            for label, row in zip(self.labels, self.counts, strict=True)
        ]
        return "\n".join([head, *rows])


def mark_confusion(true: CausalGraph, estimated: CausalGraph) -> MarkConfusion:
    """Count the marks at both ends of every pair of nodes, true against estimated.

    Parameters
    ----------
    true, estimated : CausalGraph
        Two graphs over the same nodes, such as PAGs; not ADMGs, whose pairs can have two edges.

    Returns
    -------
    MarkConfusion
        Printable; `counts` sums to d (d - 1).

    Raises
    ------
    GraphKindError
        If a graph is an ADMG.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.evaluation import mark_confusion
    >>> a, b = (CausalGraph.parse(text, kind="PAG") for text in ("A o-> B", "A -> B"))
    >>> mark_confusion(a, b).counts.tolist()
    [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]
    """
    first, second = aligned(true, estimated)
    for graph in (first, second):
        if graph.kind is GraphKind.ADMG:
            raise GraphKindError(
                "a pair of nodes of an ADMG can have two edges; compare to_mag() or to_pag()"
            )
    off = ~np.eye(first.n_nodes, dtype=bool)
    counts = np.zeros((4, 4), dtype=np.intp)
    np.add.at(counts, (first.marks[off], second.marks[off]), 1)
    return MarkConfusion(counts)


@dataclass(frozen=True)
class Overlap:
    """Edges that two graphs share, and how many they would share by chance.

    Parameters
    ----------
    shared : int
        Edges with the same marks in both.
    expected : float
        Mean if the names of one graph are shuffled.
    p_value : float
        Share of shuffles (and the graph as it is) with at least as many shared edges.
    """

    shared: int
    expected: float
    p_value: float


def overlap(
    first: CausalGraph,
    second: CausalGraph,
    *,
    skeleton: bool = False,
    n_permutations: int = 999,
    rng: Seed = 0,
) -> Overlap:
    """Say whether two graphs share more edges than graphs of their shape do by chance.

    Parameters
    ----------
    first, second : CausalGraph
        Two graphs over the same nodes.
    skeleton : bool, default=False
        Whether marks are ignored.
    n_permutations : int, default=999
        Shuffles of the names.
    rng : int, numpy.random.Generator or None, default=0
        Seed.

    Returns
    -------
    Overlap
        Shared edges, their expectation and a p-value.

    Examples
    --------
    >>> from causalkit.graph import random_dag
    >>> from causalkit.evaluation import overlap
    >>> g = random_dag(12, rng=0)
    >>> overlap(g, g).p_value
    0.001
    """
    check_count("n_permutations", n_permutations)
    one, other = aligned(first, second)
    a, b = _codes(one, skeleton), _codes(other, skeleton)
    generator = as_generator(rng)

    def shared(order: NDArray[np.intp]) -> int:
        return int(
            sum(np.triu((x > 0) & (x == y[np.ix_(order, order)]), 1).sum() for x, y in zip(a, b, strict=True))
        )

    found = shared(np.arange(one.n_nodes))
    chance = [shared(generator.permutation(one.n_nodes)) for _ in range(n_permutations)]
    p = (1 + sum(c >= found for c in chance)) / (n_permutations + 1)
    return Overlap(found, float(np.mean(chance)), p)


def _codes(graph: CausalGraph, skeleton: bool) -> list[NDArray[np.intp]]:
    """Return numbers per ordered pair for the edge between them, 0 for none; ↔ apart from others, as both may stand."""
    marks = graph.marks.astype(np.intp)
    if skeleton:
        return [((marks > 0) | graph.bidirected).astype(np.intp)]
    both = (graph.marks == Mark.ARROW) & (graph.marks.T == Mark.ARROW)
    return [np.where(both, 0, marks + 4 * marks.T), (both | graph.bidirected).astype(np.intp)]


def order_accuracy(true: CausalGraph, order: Sequence[str]) -> float:
    """Share of the arrows of a graph that an order of its nodes does not turn round.

    Parameters
    ----------
    true : CausalGraph
        A graph with directed edges; undirected ones do not count.
    order : sequence of str
        All nodes, causes first.

    Returns
    -------
    float
        From 0 to 1; 1 for a graph without arrows.

    Raises
    ------
    ParameterError
        If `order` does not list every node once.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.evaluation import order_accuracy
    >>> order_accuracy(CausalGraph.parse("A -> B; B -> C"), ["A", "C", "B"])
    0.5
    """
    if sorted(order) != sorted(true.nodes):
        raise ParameterError(f"order must list each of the {true.n_nodes} nodes once")
    place = {name: k for k, name in enumerate(order)}
    at = np.array([place[name] for name in true.nodes])
    tails, heads = np.nonzero((true.marks == Mark.ARROW) & (true.marks.T == Mark.TAIL))
    return float((at[tails] < at[heads]).mean()) if len(tails) else 1.0
