"""The causal graph that every part of causalkit takes or returns.

One class, :class:`CausalGraph`, holds directed, undirected, bidirected and partially known edges. It is immutable and its
kind is checked, so that a function that gets a CPDAG has one. ``graph.marks[i, j]`` is the mark **at j** of the edge
between i and j, everywhere.
"""

from causalkit.graph._door import GraphLike, as_graph, read_graph
from causalkit.graph._edges import EDGE_COLUMNS, Edge
from causalkit.graph._graph import CausalGraph
from causalkit.graph._knowledge import BackgroundKnowledge
from causalkit.graph._marks import GraphKind, Mark
from causalkit.graph._random_graphs import random_dag

__all__ = [
    "EDGE_COLUMNS",
    "BackgroundKnowledge",
    "CausalGraph",
    "Edge",
    "GraphKind",
    "GraphLike",
    "Mark",
    "as_graph",
    "random_dag",
    "read_graph",
]
