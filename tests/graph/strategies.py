"""Hypothesis strategies for graphs."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from causalkit import CausalGraph, GraphKind, Mark

NAMES = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=6)


@st.composite
def dags(draw, max_nodes=7, names=None):
    d = draw(st.integers(1, max_nodes))
    upper = np.triu(draw(matrix(d, st.booleans())), 1)
    order = np.array(draw(st.permutations(range(d))))
    adjacency = np.zeros((d, d), dtype=int)
    adjacency[np.ix_(order, order)] = upper
    labels = (
        [f"V{k}" for k in range(d)]
        if names is None
        else draw(st.lists(names, min_size=d, max_size=d, unique=True))
    )
    return CausalGraph.from_adjacency(adjacency, labels)


def matrix(d, elements):
    return st.lists(st.lists(elements, min_size=d, max_size=d), min_size=d, max_size=d).map(np.array)


@st.composite
def admgs(draw, max_nodes=6, names=None):
    dag = draw(dags(max_nodes, names))
    plane = np.triu(draw(matrix(dag.n_nodes, st.booleans())), 1)
    return CausalGraph("ADMG", dag.nodes, dag.marks, bidirected=plane | plane.T)


@st.composite
def any_graphs(draw, max_nodes=6, names=None):
    """Graphs of every kind; the rarer kinds are made from DAGs so that their rules hold."""
    kind = draw(st.sampled_from(list(GraphKind)))
    if kind is GraphKind.ADMG:
        return draw(admgs(max_nodes, names))
    dag = draw(dags(max_nodes, names))
    if kind in (GraphKind.CPDAG, GraphKind.MPDAG):
        return dag.to_cpdag().with_kind(kind)
    if kind is GraphKind.UG:
        return CausalGraph(kind, dag.nodes, np.where(dag.marks > 0, Mark.TAIL, 0))
    if kind is GraphKind.PAG:
        circled = np.where((dag.marks == Mark.TAIL), Mark.CIRCLE, dag.marks)
        return CausalGraph(kind, dag.nodes, circled)
    if kind is GraphKind.UNKNOWN:
        marks = draw(matrix(dag.n_nodes, st.integers(1, 3)))
        return CausalGraph(kind, dag.nodes, np.where(dag.marks > 0, marks, 0))
    return dag.with_kind(kind)
