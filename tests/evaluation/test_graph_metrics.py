"""Graph metrics: axioms, known answers, and a failure of a peer that is not shared."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalkit import CausalGraph, Mark
from causalkit.evaluation import Scores, graph_report, mark_scores, shd, skeleton_scores
from causalkit.exceptions import GraphError, ParameterError
from tests.graph.strategies import any_graphs, dags

TRUE = CausalGraph.parse("A -> B; B -> C; C -> D")


@pytest.mark.parametrize(
    ("text", "kind", "once", "twice"),
    [
        ("A -> B; B -> C; C -> D", "DAG", 0, 0),
        ("A <- B; B -> C; C -> D", "DAG", 1, 2),
        ("A -> B; B -> C; D", "DAG", 1, 1),
        ("A -> B; B -> C; C -> D; A -> D", "DAG", 1, 1),
        ("A --- B; B --- C; C --- D", "PDAG", 3, 3),
        ("A; B; C; D", "DAG", 3, 3),
    ],
)
def test_known_distances(text, kind, once, twice):
    other = CausalGraph.parse(text, kind=kind)
    assert (shd(TRUE, other), shd(TRUE, other, reversal_cost=2)) == (once, twice)


@given(any_graphs(), st.randoms(use_true_random=False))
def test_distance_zero_and_order_of_nodes(g, random):
    order = list(g.nodes)
    random.shuffle(order)
    assert shd(g, g.reorder(order)) == 0
    report = graph_report(g, g.reorder(order))
    assert report.skeleton.false_positives == report.skeleton.false_negatives == 0


@given(st.data())
def test_distance_is_a_metric(data):
    d = data.draw(st.integers(2, 5))
    graphs = [data.draw(dags(d).filter(lambda g, d=d: g.n_nodes == d)) for _ in range(3)]
    a, b, c = graphs
    for cost in (1, 2):
        assert shd(a, b, reversal_cost=cost) == shd(b, a, reversal_cost=cost)
        assert shd(a, c, reversal_cost=cost) <= shd(a, b, reversal_cost=cost) + shd(b, c, reversal_cost=cost)
        assert (shd(a, b, reversal_cost=cost) == 0) == np.array_equal(a.marks, b.marks)


def test_an_undirected_answer_is_not_rewarded_as_directed():
    """gCastle 1.0.4 gives a true positive rate of 2 and distance 0 to a graph that leaves every edge undirected."""
    undirected = CausalGraph.parse("A --- B; B --- C; C --- D", kind="PDAG")
    assert shd(TRUE, undirected) == 3
    arrows = mark_scores(TRUE, undirected, "arrow")
    assert arrows.recall == 0
    assert math.isnan(arrows.precision)
    assert skeleton_scores(TRUE, undirected).f1 == 1


def test_marks_over_all_and_over_common_edges():
    found = CausalGraph.parse("A -> B; C -> B; A -> D; B; C; D")
    everywhere, common = (mark_scores(TRUE, found, Mark.ARROW, over=over) for over in ("all", "common"))
    assert everywhere == Scores(1, 2, 2)
    assert common == Scores(1, 1, 1)
    assert mark_scores(TRUE, found, "tail") == Scores(1, 2, 2)


def test_bidirected_edges_beside_directed_ones_count():
    bow = CausalGraph.parse("A -> B; A <-> B", kind="ADMG")
    plain = CausalGraph.parse("A -> B", kind="ADMG")
    assert shd(bow, plain) == 1
    assert mark_scores(bow, plain, "arrow").false_negatives == 2


def test_empty_graphs_have_no_precision():
    empty = CausalGraph.parse("A; B; C; D")
    scores = skeleton_scores(TRUE, empty)
    assert math.isnan(scores.precision)
    assert (scores.recall, scores.f1) == (0, 0)


def test_report_prints_and_flattens():
    report = graph_report(TRUE, CausalGraph.parse("A -> B; B <- C; C -> D"))
    assert "SHD 1 (reversals counted twice: 2)" in str(report)
    flat = report.to_dict()
    assert flat["skeleton_f1"] == 1
    assert flat["arrowhead_true_positives"] == 2


def test_wrong_arguments():
    with pytest.raises(GraphError, match="different nodes"):
        shd(TRUE, CausalGraph.parse("A -> B"))
    with pytest.raises(GraphError, match="ndarray"):
        shd(TRUE, np.zeros((4, 4)))
    with pytest.raises(ParameterError, match="reversal_cost"):
        shd(TRUE, TRUE, reversal_cost=3)
    with pytest.raises(ParameterError, match="mark"):
        mark_scores(TRUE, TRUE, "head")
    with pytest.raises(ParameterError, match="over"):
        mark_scores(TRUE, TRUE, "tail", over="some")


def test_bidirected_edges_are_the_same_in_marks_and_in_the_plane():
    mag, admg = (CausalGraph.parse("A <-> B; B -> C", kind=kind) for kind in ("MAG", "ADMG"))
    assert shd(mag, admg) == 0
    for over in ("all", "common"):
        assert mark_scores(mag, admg, "arrow", over=over) == Scores(3, 0, 0)
        assert mark_scores(admg, admg, "arrow", over=over).f1 == 1
    assert shd(CausalGraph.parse("A -> B", kind="ADMG"), CausalGraph.parse("A <-> B", kind="ADMG")) == 1
