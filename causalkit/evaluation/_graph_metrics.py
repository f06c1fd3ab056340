"""Distances and scores between a true graph and an estimated one.

All functions align the two graphs by the names of their nodes first, so that the order in which nodes are listed never matters,
and refuse graphs over different nodes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import check_choice
from causalkit.exceptions import GraphError, ParameterError
from causalkit.graph import CausalGraph, GraphLike, Mark, as_graph

__all__ = ["GraphReport", "Scores", "graph_report", "mark_scores", "shd", "skeleton_scores"]

Marks = NDArray[np.uint8]


@dataclass(frozen=True)
class Scores:
    """Precision, recall and F1, with the counts they come from.

    Parameters
    ----------
    true_positives, false_positives, false_negatives : int
        Counts.

    Notes
    -----
    A ratio without anything in its denominator is NaN: a graph without edges has no precision. F1 is NaN only if both graphs have
    nothing to find.
    """

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Share of what was found that is true."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of what is true that was found."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _ratio(
            2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives
        )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def aligned(true: GraphLike, estimated: GraphLike) -> tuple[CausalGraph, CausalGraph]:
    """Return both graphs in the node order of the first; raise if their nodes differ."""
    true, estimated = as_graph(true, "the first graph"), as_graph(estimated, "the second graph")
    if set(true.nodes) != set(estimated.nodes):
        missing, extra = set(true.nodes) - set(estimated.nodes), set(estimated.nodes) - set(true.nodes)
        raise GraphError(
            f"the graphs have different nodes: only in the first {sorted(missing)[:5]}, only in the second {sorted(extra)[:5]}; "
            "use subgraph() to compare on common nodes"
        )
    return true, estimated if estimated.nodes == true.nodes else estimated.reorder(true.nodes)


def shd(true: CausalGraph, estimated: CausalGraph, *, reversal_cost: Literal[1, 2] = 1) -> int:
    """Structural Hamming distance: the number of edges to add, remove or change.

    Parameters
    ----------
    true, estimated : CausalGraph
        Two graphs over the same nodes, of any kind.
    reversal_cost : {1, 2}, default=1
        Cost of an edge that points the other way. 1 counts it as one change (Tsamardinos, Brown and Aliferis 2006), 2 as one removal
        and one addition. Any other difference of marks, such as a directed against an undirected edge, costs 1.

    Returns
    -------
    int
        Zero if and only if both graphs have the same edges.

    Raises
    ------
    GraphError
        If the graphs have different nodes.

    References
    ----------
    I. Tsamardinos, L. Brown, C. Aliferis, "The max-min hill-climbing Bayesian network structure learning algorithm", Machine
    Learning 65, 2006.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.evaluation import shd
    >>> a, b = CausalGraph.parse("A -> B; B -> C"), CausalGraph.parse("A <- B; B -> C")
    >>> shd(a, b), shd(a, b, reversal_cost=2)
    (1, 2)
    """
    if reversal_cost not in (1, 2):
        raise ParameterError(f"reversal_cost is {reversal_cost!r}; allowed are 1 and 2")
    first, second = aligned(true, estimated)
    (a, both_a), (b, both_b) = _layers(first), _layers(second)
    different = np.triu((a != b) | (a.T != b.T))
    reversed_edges = different & (a == b.T) & (b == a.T) & (a != a.T)
    replaced = different & np.triu(both_a != both_b) & ((a == 0) != (b == 0))
    bidirected = np.triu(both_a != both_b) & ~replaced
    return int(different.sum() + (reversal_cost - 1) * reversed_edges.sum() + bidirected.sum())


def _layers(graph: CausalGraph) -> tuple[Marks, NDArray[np.bool_]]:
    """Return the marks without bidirected edges, and all bidirected edges, wherever the kind keeps them."""
    both = (graph.marks == Mark.ARROW) & (graph.marks.T == Mark.ARROW)
    return np.where(both, np.uint8(0), graph.marks), np.asarray(both | graph.bidirected)


def skeleton_scores(true: CausalGraph, estimated: CausalGraph) -> Scores:
    """Score the adjacencies, whatever their marks.

    Parameters
    ----------
    true, estimated : CausalGraph
        Two graphs over the same nodes.

    Returns
    -------
    Scores
        Counts over unordered pairs of nodes.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.evaluation import skeleton_scores
    >>> skeleton_scores(CausalGraph.parse("A -> B; C"), CausalGraph.parse("A <- B; B -> C")).precision
    0.5
    """
    first, second = aligned(true, estimated)
    return _scores(np.triu(_adjacent(first)), np.triu(_adjacent(second)))


def _scores(true: NDArray[np.bool_], found: NDArray[np.bool_]) -> Scores:
    return Scores(int((true & found).sum()), int((found & ~true).sum()), int((true & ~found).sum()))


def mark_scores(
    true: CausalGraph, estimated: CausalGraph, mark: Mark | str, *, over: Literal["all", "common"] = "all"
) -> Scores:
    """Score one kind of mark at the ends of edges: arrowheads, tails or circles.

    Parameters
    ----------
    true, estimated : CausalGraph
        Two graphs over the same nodes.
    mark : Mark or {"arrow", "tail", "circle"}
        The mark to score.
    over : {"all", "common"}, default="all"
        Ends of all edges, so that a missing edge costs recall and an additional one precision; or of the edges that both graphs
        have, which scores orientation alone.

    Returns
    -------
    Scores
        Counts over ends of edges, two per edge.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.evaluation import mark_scores
    >>> a, b = CausalGraph.parse("A -> B"), CausalGraph.parse("A <- B")
    >>> mark_scores(a, b, "arrow").recall
    0.0
    """
    check_choice("over", over, ("all", "common"))
    wanted = _as_mark(mark)
    first, second = aligned(true, estimated)
    (a, both_a), (b, both_b) = _layers(first), _layers(second)
    layers = [(a == wanted, b == wanted)]
    if wanted is Mark.ARROW:
        layers.append((both_a, both_b))
    if over == "common":
        shared = _adjacent(first) & _adjacent(second)
        layers = [(x & shared, y & shared) for x, y in layers]
    parts = [_scores(x, y) for x, y in layers]
    counts = [(part.true_positives, part.false_positives, part.false_negatives) for part in parts]
    return Scores(*(sum(column) for column in zip(*counts, strict=True)))


def _adjacent(graph: CausalGraph) -> NDArray[np.bool_]:
    return np.asarray((graph.marks != Mark.NONE) | graph.bidirected)


def _as_mark(mark: Mark | str) -> Mark:
    if isinstance(mark, Mark) and mark is not Mark.NONE:
        return mark
    names = {"arrow": Mark.ARROW, "tail": Mark.TAIL, "circle": Mark.CIRCLE}
    if not isinstance(mark, str) or mark not in names:
        raise ParameterError(f"mark is {mark!r}; allowed are 'arrow', 'tail' and 'circle'")
    return names[mark]


@dataclass(frozen=True)
class GraphReport:
    """Distances and scores between two graphs.

    Parameters
    ----------
    shd, shd_reversal_2 : int
        Structural Hamming distance with reversals counted once and twice.
    skeleton, arrowhead, tail : Scores
        Scores of adjacencies, and of marks over all edges.
    arrowhead_common, tail_common : Scores
        Scores of marks over the edges that both graphs have.
    """

    shd: int
    shd_reversal_2: int
    skeleton: Scores
    arrowhead: Scores
    tail: Scores
    arrowhead_common: Scores
    tail_common: Scores

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as a flat dictionary.

        Returns
        -------
        dict of str to number
            Counts, precision, recall and F1 of every score, and both distances.
        """
        flat: dict[str, Any] = {"shd": self.shd, "shd_reversal_2": self.shd_reversal_2}
        for name in ("skeleton", "arrowhead", "tail", "arrowhead_common", "tail_common"):
            scores: Scores = getattr(self, name)
            flat |= {f"{name}_{key}": value for key, value in asdict(scores).items()}
            flat |= {f"{name}_{key}": getattr(scores, key) for key in ("precision", "recall", "f1")}
        return flat

    def __str__(self) -> str:
        lines = [
            f"SHD {self.shd} (reversals counted twice: {self.shd_reversal_2})",
            f"{'':18} precision  recall     F1",
        ]
        for label, name in (
            ("skeleton", "skeleton"),
            ("arrowheads", "arrowhead"),
            ("tails", "tail"),
            ("arrowheads, common", "arrowhead_common"),
            ("tails, common", "tail_common"),
        ):
            scores: Scores = getattr(self, name)
            lines.append(f"{label:18} {scores.precision:9.2f} {scores.recall:7.2f} {scores.f1:6.2f}")
        return "\n".join(lines)


def graph_report(true: CausalGraph, estimated: CausalGraph) -> GraphReport:
    """Compare an estimated graph with the true one in all the usual ways.

    Parameters
    ----------
    true, estimated : CausalGraph
        Two graphs over the same nodes. Compare classes with classes: a DAG's CPDAG with an estimated CPDAG.

    Returns
    -------
    GraphReport
        Printable; `to_dict` gives the numbers.

    Raises
    ------
    GraphError
        If the graphs have different nodes.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.evaluation import graph_report
    >>> report = graph_report(CausalGraph.parse("A -> B; B -> C"), CausalGraph.parse("A -> B; A -> C"))
    >>> report.shd, report.skeleton.f1
    (2, 0.5)
    """
    return GraphReport(
        shd(true, estimated),
        shd(true, estimated, reversal_cost=2),
        skeleton_scores(true, estimated),
        mark_scores(true, estimated, "arrow"),
        mark_scores(true, estimated, "tail"),
        mark_scores(true, estimated, "arrow", over="common"),
        mark_scores(true, estimated, "tail", over="common"),
    )
