"""With an oracle instead of data, searches must find exactly what can be known: never a false arrow, never a cycle."""

from __future__ import annotations

import zlib
from functools import cache
from itertools import chain, combinations

import numpy as np
import pytest

from causalkit import BackgroundKnowledge, CausalGraph, Mark
from causalkit.discovery import CDNOD, PC, ChangeScore
from causalkit.graph import random_dag
from causalkit.independence import DSeparation
from tests.conftest import all_dags

ROWS = 10


def data_for(names):
    """Return rows that no oracle looks at, distinct so that no column is refused as constant or copy."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(ROWS, len(names))), columns=list(names))


def augmented(dag, changing, context="C"):
    """Add a context node that is a parent of the changing variables."""
    d = dag.n_nodes
    adjacency = np.zeros((d + 1, d + 1), dtype=int)
    adjacency[:d, :d] = dag.to_adjacency()
    adjacency[d, [dag.index(v) for v in changing]] = 1
    return CausalGraph.from_adjacency(adjacency, [*dag.nodes, context])


class KnowsTheChanges:
    """Scorer that knows the true graph: changes look dependent unless no hypothesised cause is an effect."""

    alpha = 0.05

    def __init__(self, dag):
        self.dag = dag

    def plausible_above(self, points):
        return 0.3

    def refuses(self, points):
        return ""

    def score(self, table, effect, causes, points):
        wrong = any(self.dag.has_directed_edge(effect, cause) for cause in causes)
        return ChangeScore(float(wrong), 1e-6 if wrong else 0.9, 999)


def fit(dag, changing, scorer=None):
    truth = augmented(dag, changing)
    frame = data_for(truth.nodes)
    model = CDNOD(ci_test=DSeparation(truth), independent_change=scorer, n_components=0).fit(
        frame, context="C"
    )
    return model, truth


def expected_mpdag(truth, context="C"):
    """Return the class of the augmented graph with the knowledge that the context causes and is not caused."""
    arrows = [(context, v) for v in truth.children(context)]
    return truth.to_cpdag().to_mpdag(BackgroundKnowledge(required=arrows))


def subsets(items):
    return chain.from_iterable(combinations(items, k) for k in range(len(items) + 1))


@cache
def small_worlds(d):
    return [CausalGraph.from_adjacency(a, "XYZW"[:d]) for a in all_dags(d)]


@pytest.mark.parametrize("d", [2, 3])
def test_phases_one_and_two_find_the_augmented_class(d):
    for dag in small_worlds(d):
        for changing in subsets(dag.nodes):
            check_phases(dag, changing)


@pytest.mark.slow
def test_phases_one_and_two_find_the_augmented_class_on_four_nodes():
    for dag in small_worlds(4):
        for changing in subsets(dag.nodes):
            check_phases(dag, changing)


def check_phases(dag, changing):
    model, truth = fit(dag, changing)
    assert model.changing_ == tuple(n for n in dag.nodes if n in changing)
    assert model.conflicts_ == ()
    np.testing.assert_array_equal(model.graph_.marks, expected_mpdag(truth).marks)
    assert set(model.orientation_) == {(e.u, e.v) for e in model.graph_.edges if e.is_directed}


@pytest.mark.parametrize("d", [2, 3])
def test_phase_three_orients_all_edges_between_changing_variables(d):
    for dag in small_worlds(d):
        for changing in subsets(dag.nodes):
            check_phase_three(dag, changing)


@pytest.mark.slow
def test_phase_three_on_four_nodes():
    for dag in small_worlds(4):
        for changing in subsets(dag.nodes):
            check_phase_three(dag, changing)


def check_phase_three(dag, changing):
    model, truth = fit(dag, changing, KnowsTheChanges(dag))
    check_no_false_arrow(model.graph_, truth)
    for a, b in combinations(changing, 2):
        if dag.has_edge(a, b):
            assert model.graph_.has_directed_edge(a, b) == dag.has_directed_edge(a, b)


def check_no_false_arrow(graph, truth):
    np.testing.assert_array_equal(graph.marks > 0, truth.marks > 0)
    arrows = graph.marks == Mark.ARROW
    assert (truth.marks[arrows] == Mark.ARROW).all()


@pytest.mark.parametrize("seed", range(300))
def test_random_graphs_with_random_changes(seed):
    """300 graphs of 6 to 10 nodes: skeleton and arrows are those of the augmented class; Phase III adds only true arrows."""
    rng = np.random.default_rng(seed)
    dag = random_dag(int(rng.integers(6, 11)), expected_degree=2.5, rng=rng)
    changing = [n for n in dag.nodes if rng.random() < 0.4]
    model, truth = fit(dag, changing)
    np.testing.assert_array_equal(model.graph_.marks, expected_mpdag(truth).marks)
    final, _ = fit(dag, changing, KnowsTheChanges(dag))
    check_no_false_arrow(final.graph_, truth)
    final.graph_.to_dag()


@pytest.mark.parametrize("d", [2, 3, 4])
def test_pc_finds_the_class(d):
    for dag in small_worlds(d):
        model = PC(ci_test=DSeparation(dag)).fit(data_for(dag.nodes))
        assert model.graph_.equals(dag.to_cpdag())


@pytest.mark.parametrize("seed", range(40))
def test_pc_with_tiers_finds_what_follows_from_them(seed):
    rng = np.random.default_rng(seed)
    dag = random_dag(7, expected_degree=2.5, rng=rng)
    order = dag.topological_order()
    knowledge = BackgroundKnowledge(tiers=[order[:3], order[3:5], order[5:]])
    model = PC(ci_test=DSeparation(dag), knowledge=knowledge).fit(data_for(dag.nodes))
    np.testing.assert_array_equal(model.graph_.marks, dag.to_cpdag().to_mpdag(knowledge).marks)


@pytest.mark.parametrize("seed", range(40))
def test_pc_with_required_and_forbidden_arrows(seed):
    rng = np.random.default_rng(seed)
    dag = random_dag(7, expected_degree=2.5, rng=rng)
    true = [(e.u, e.v) for e in dag.edges]
    required = true[:2]
    absent = [(a, b) for a, b in combinations(dag.nodes, 2) if not dag.has_edge(a, b)][:2]
    knowledge = BackgroundKnowledge(
        required=required, forbidden=[*absent, *[(b, a) for a, b in absent], *[(b, a) for a, b in true[2:4]]]
    )
    model = PC(ci_test=DSeparation(dag), knowledge=knowledge).fit(data_for(dag.nodes))
    np.testing.assert_array_equal(model.graph_.marks, dag.to_cpdag().to_mpdag(knowledge).marks)


def test_two_contexts_at_once():
    """Site acts on X, time on Y; both are sources, and each carries its own arrows."""
    truth = CausalGraph.parse("X -> Y; Y -> Z; site -> X; time -> Y; W -> Z")
    frame = data_for(truth.nodes)
    model = CDNOD(ci_test=DSeparation(truth), n_components=0).fit(frame, context=["site", "time"])
    assert model.graph_.parents("Y") == ("X", "time")
    assert model.changing_ == ("X", "Y")
    assert model.graph_.node_data["site"]["role"] == "context"


def test_a_context_that_changes_nothing_gives_the_answer_of_pc():
    for dag in small_worlds(3):
        model, _ = fit(dag, [])
        pc = PC(ci_test=DSeparation(dag)).fit(data_for(dag.nodes))
        assert model.graph_.subgraph(dag.nodes).with_kind("CPDAG") == pc.graph_
        assert model.hypotheses_ == ()


def test_phase_three_never_makes_a_cycle_or_a_new_collider_whatever_the_scores():
    """Scores drawn at random: the result must still be a graph whose class is inside the class after Phase II."""

    class Random:
        alpha = 0.05

        def __init__(self, seed):
            self.rng = np.random.default_rng(seed)

        def plausible_above(self, points):
            return 0.3

        def refuses(self, points):
            return ""

        def score(self, table, effect, causes, points):
            return ChangeScore(0.5, float(self.rng.choice([1e-6, 0.9])), 999)

    for seed in range(60):
        dag = random_dag(6, expected_degree=3, rng=seed)
        model, _ = fit(dag, dag.nodes, Random(seed))
        before, _ = fit(dag, dag.nodes)
        assert model.graph_.to_dag().unshielded_colliders() == before.graph_.to_dag().unshielded_colliders()


@pytest.mark.filterwarnings("ignore::causalkit.exceptions.ConflictWarning")
def test_contradicting_tests_leave_a_record_and_a_valid_graph():
    """A test that answers at random cannot produce a cycle, an arrow into the context, or an exception."""

    class Noise(DSeparation):
        def _test(self, i, j, given):
            seed = zlib.crc32(repr((i, j, given, str(self.graph))).encode())
            separated = np.random.default_rng(seed).random() < 0.3
            result = super()._test(i, j, given)
            p = 0.5 if separated else 1e-3
            return type(result)(result.statistic, p, float(np.log(p)), result.n)

    conflicts = 0
    for seed in range(40):
        truth = augmented(random_dag(6, expected_degree=2, rng=seed), ["X1", "X2"])
        frame = data_for(truth.nodes)
        model = CDNOD(ci_test=Noise(truth), n_components=0).fit(frame, context="C")
        conflicts += len(model.conflicts_)
        assert not (model.graph_.marks[:, model.graph_.index("C")] == Mark.ARROW).any()
    assert conflicts > 0
