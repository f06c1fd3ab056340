"""Every effect that a class of graphs leaves possible (IDA, Maathuis, Kalisch and Bühlmann 2009).

Where an undirected edge at the cause leaves open whether it is causal, the members of the class differ in the effect. Directing the edges at the
cause in every way that some member has them, and closing under Meek's rules, splits the class into classes in each of which the effect of
this cause is one number (Perković, Kalisch and Maathuis 2017).
"""

from __future__ import annotations

from collections.abc import Iterator

from causalkit.exceptions import GraphKindError
from causalkit.graph import CausalGraph, GraphKind, GraphLike, as_graph
from causalkit.graph._bits import members
from causalkit.graph._members import split
from causalkit.graph._pattern import Pattern

__all__ = ["possible_graphs"]


def possible_graphs(graph: GraphLike, cause: str) -> Iterator[CausalGraph]:
    """Yield the classes into which a class falls if the edges at a cause are directed in every possible way.

    Parameters
    ----------
    graph : CausalGraph
        A CPDAG or MPDAG; a DAG is yielded as it is.
    cause : str
        A node.

    Returns
    -------
    iterator of CausalGraph
        MPDAGs without undirected edges at the cause, lazily; every member of `graph` is a member of exactly one. There can be as many as
        two to the number of undirected edges at the cause.

    Raises
    ------
    GraphKindError
        If the graph is of another kind.
    NodeNotFoundError
        If the cause is not a node.

    References
    ----------
    M. Maathuis, M. Kalisch, P. Bühlmann, "Estimating high-dimensional intervention effects from observational data", Annals of
    Statistics 37, 2009. E. Perković, M. Kalisch, M. Maathuis, "Interpreting and using CPDAGs with background knowledge", UAI 2017.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import identify, possible_graphs
    >>> g = CausalGraph.parse("A --- X; X -> Y; Z -> Y", kind="CPDAG")
    >>> for h in possible_graphs(g, "A"):
    ...     print(h.edge_between("A", "X"), identify(h, "A", "Y").kind)
    -> backdoor
    <- zero
    """
    graph = as_graph(graph)
    if graph.kind not in (GraphKind.DAG, GraphKind.CPDAG, GraphKind.MPDAG):
        raise GraphKindError(f"possible_graphs splits a CPDAG or MPDAG; this graph is a {graph.kind}")
    node = graph.index(cause)
    if graph.kind is GraphKind.DAG:
        return iter((graph,))
    return _split_at(graph, node)


def _split_at(graph: CausalGraph, node: int) -> Iterator[CausalGraph]:
    waiting = [Pattern.from_marks(graph.marks)]
    while waiting:
        current = waiting.pop()
        other = next(members(current.undirected[node]), None)
        if other is None:
            yield CausalGraph(
                GraphKind.MPDAG, graph.nodes, current.marks(), node_data=graph.node_data, meta=graph.meta
            )
        else:
            waiting += split(current, (node, other))
