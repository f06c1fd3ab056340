"""What the tests say of unshielded triples: never an arrow that they do not support, in small worlds without exception and in samples."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import combinations, permutations

import numpy as np
import pytest

from causalkit import BackgroundKnowledge, CausalGraph
from causalkit.datasets import load_network
from causalkit.discovery import CDNOD, PC
from causalkit.discovery._colliders import TripleEvidence, unshielded_triples
from causalkit.discovery._orientation import Orienter, Receipt
from causalkit.exceptions import GraphKindError, ParameterError
from causalkit.graph import random_dag
from causalkit.graph._bits import rows_to_masks
from causalkit.graph._classes import extension
from causalkit.graph._pattern import Pattern
from causalkit.independence import DSeparation
from causalkit.strength import identify
from tests.conftest import all_dags
from tests.discovery.test_oracle import data_for

RULES = ("majority", "conservative", "max_p")


@cache
def worlds(d):
    return tuple(CausalGraph.from_adjacency(a, "XYZW"[:d]) for a in all_dags(d))


def triple_status(dag):
    """Return for each unshielded triple whether it is a collider."""
    a = np.asarray(dag.to_adjacency(), dtype=bool)
    return {(i, k, j): bool(a[i, k] and a[j, k]) for i, k, j in unshielded_triples(a | a.T, frozenset())}


# -- an oracle -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_an_oracle_gives_the_class_and_nothing_is_ambiguous(rule):
    for dag in worlds(4)[::9]:
        model = PC(ci_test=DSeparation(dag), colliders=rule).fit(data_for(dag.nodes))
        assert model.graph_.equals(dag.to_cpdag())
        assert model.ambiguous_ == ()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("network", ["asia", "cancer", "sachs", "child"])
def test_an_oracle_gives_the_class_of_a_network(network, rule):
    truth = load_network(network).graph
    model = PC(ci_test=DSeparation(truth), colliders=rule).fit(data_for(truth.nodes))
    assert model.graph_.equals(truth.to_cpdag())


@pytest.mark.parametrize("rule", RULES)
def test_required_arrows_that_the_tests_see_are_used(rule):
    for dag in worlds(4)[::9]:
        knowledge = BackgroundKnowledge(required=[(e.u, e.v) for e in dag.edges][::2])
        model = PC(ci_test=DSeparation(dag), knowledge=knowledge, colliders=rule).fit(data_for(dag.nodes))
        np.testing.assert_array_equal(model.graph_.marks, dag.to_cpdag().to_mpdag(knowledge).marks)


def check_unseen_arrow(dag, arrow, rule):
    """The true graph has one more arrow, required, too weak for the tests to see: whatever is oriented must be true with it."""
    truth = dag.with_edge(*arrow)
    search = PC(ci_test=DSeparation(dag), knowledge=BackgroundKnowledge(required=[arrow]), colliders=rule)
    model = search.fit(data_for(dag.nodes))
    for edge in model.graph_.edges:
        assert not edge.is_directed or truth.has_directed_edge(edge.u, edge.v), (str(dag), arrow, str(edge))
    assert model.conflicts_ == ()


def unseen_arrows(dag):
    order = dag.topological_order()
    return [(a, b) for a, b in combinations(order, 2) if not dag.has_edge(a, b)]


@pytest.mark.parametrize("rule", RULES)
def test_a_required_arrow_that_the_tests_do_not_see_turns_nothing(rule):
    for dag in (*worlds(3)[::2], *worlds(4)[::19]):
        for arrow in unseen_arrows(dag):
            check_unseen_arrow(dag, arrow, rule)


@pytest.mark.slow
def test_a_required_arrow_that_the_tests_do_not_see_turns_nothing_in_any_world_of_four():
    for dag in worlds(4):
        for arrow in unseen_arrows(dag):
            check_unseen_arrow(dag, arrow, "majority")


def test_the_case_of_an_isolated_required_cause():
    knowledge = BackgroundKnowledge(required=[("Z", "X")])
    model = PC(ci_test=DSeparation(CausalGraph.parse("X -> Y; Z")), knowledge=knowledge).fit(data_for("XYZ"))
    assert str(model.graph_) == "X --- Y; Z -> X"
    assert [triple[:3] for triple in model.ambiguous_] == [("Y", "X", "Z")]
    assert model.graph_.meta["ambiguous_triples"][0][:3] == ["Y", "X", "Z"]
    assert "left it out" in model.orientation_["Z", "X"].note


def test_what_a_search_left_open_no_class_closes():
    """Meek's first rule would take the ambiguous triple for a chain and put X -> Y."""
    knowledge = BackgroundKnowledge(required=[("Z", "X")])
    test = DSeparation(CausalGraph.parse("X -> Y; Z"))
    graph = PC(ci_test=test, knowledge=knowledge).fit(data_for("XYZ")).graph_
    again = CausalGraph.from_json(graph.to_json()).relabel({"X": "cause"})
    for open_graph, middle in ((graph, "X"), (again, "cause")):
        with pytest.raises(GraphKindError, match=f"open whether '{middle}' is an effect of both"):
            open_graph.to_mpdag()
        with pytest.raises(GraphKindError, match=f"open whether '{middle}' is an effect of both"):
            open_graph.with_kind("CPDAG")
        with pytest.raises(GraphKindError, match=f"open whether '{middle}' is an effect of both"):
            identify(open_graph, "Z", "Y")
    assert again.meta["column_types"] == {"cause": "continuous", "Y": "continuous", "Z": "continuous"}
    assert str(graph.to_dag()) == "X -> Y; Z -> X", (
        "of the open triple, the member in which it is no collider"
    )
    assert graph.to_mpdag(BackgroundKnowledge(required=[("X", "Y")])).has_directed_edge("X", "Y")
    assert graph.to_mpdag(BackgroundKnowledge(required=[("Y", "X")])).has_directed_edge("Y", "X")


@pytest.mark.parametrize("target", ["X", "Y", "Z"])
def test_a_target_that_the_tests_do_not_see_turns_nothing(target):
    """The experiment acts on its target too weakly to be seen."""
    for dag in worlds(3):
        truth = CausalGraph.parse(f"{dag}, place=k, place=l")
        frame = data_for(dag.nodes).assign(place=["k", "l"] * 5)
        model = CDNOD(ci_test=DSeparation(truth), targets={"k": [target]}, n_components=0)
        graph = model.fit(frame, context="place").graph_
        for edge in graph.edges:
            named = {edge.u, edge.v} <= set(dag.nodes)
            assert not (named and edge.is_directed) or dag.has_directed_edge(edge.u, edge.v), str(graph)


# -- ambiguity and the rules -----------------------------------------------------------------------------------------------------------


def subsets(items):
    for size in range(len(items) + 1):
        yield from combinations(items, size)


@cache
def by_skeleton(d):
    groups = defaultdict(list)
    for dag in worlds(d):
        a = np.asarray(dag.to_adjacency(), dtype=bool)
        groups[(a | a.T).tobytes()].append((a, triple_status(dag)))
    return tuple(groups.values())


@pytest.mark.parametrize("d", [3, 4])
def test_what_is_oriented_holds_however_ambiguous_triples_turn_out(d):
    """Every set of ambiguous triples of every graph: an arrow stands only if all graphs have it that agree on the other triples."""
    for group in by_skeleton(d):
        seen = set()
        for adjacency, status in group:
            for unknown in subsets(list(status)):
                known = {t: s for t, s in status.items() if t not in unknown}
                key = (unknown, tuple(known.items()))
                if key in seen:
                    continue
                seen.add(key)
                check_sound(adjacency, status, unknown, group)


def check_sound(adjacency, status, unknown, group):
    orienter = Orienter(Pattern.from_skeleton(adjacency | adjacency.T), "XYZW"[: len(adjacency)])
    verdicts = {True: "collider", False: "no collider"}
    orienter.orient_colliders(
        [TripleEvidence(*t, "ambiguous" if t in unknown else verdicts[s]) for t, s in status.items()]
    )
    orienter.close()
    agreeing = [a for a, other in group if all(other[t] == s for t, s in status.items() if t not in unknown)]
    common = np.all(agreeing, axis=0)
    found = np.zeros_like(adjacency)
    for tail, head in orienter.pattern.directed_edges():
        found[tail, head] = True
    assert not (found & ~common).any()
    assert orienter.conflicts == []
    for i, k, j in unknown:
        both_ways = {a[i, k] and a[j, k] for a in agreeing}
        named = {(t.first, t.middle, t.last) for t in orienter.ambiguous()}
        if both_ways == {True, False}:
            assert tuple("XYZW"[v] for v in (i, k, j)) in named
    members = extension(orienter.pattern)
    assert members is not None
    chosen = np.array([[members[j] >> i & 1 for j in range(len(members))] for i in range(len(members))], bool)
    assert any((chosen == a).all() for a in agreeing)


class Erring(DSeparation):
    """An oracle that errs in one answer of seven, the same answer to the same question."""

    def _test(self, i, j, given):
        rng = np.random.default_rng([i, j, *given, len(str(self.graph))])
        result = super()._test(i, j, given)
        independent = (result.p_value > 0) != (rng.random() < 0.15)
        p = float(rng.uniform(0.06, 1) if independent else rng.uniform(1e-4, 0.04))
        return type(result)(result.statistic, p, float(np.log(p)), result.n)


@pytest.mark.parametrize("rule", RULES)
def test_tests_that_err_leave_no_arrow_through_an_ambiguous_triple(rule):
    ambiguous = 0
    for seed in range(30):
        dag = random_dag(6, expected_degree=3, rng=seed)
        model = PC(ci_test=Erring(dag), colliders=rule)
        graph = fit_quietly(model, dag).graph_
        for i, k, j, reason in model.ambiguous_:
            ambiguous += 1
            assert reason
            assert not graph.has_directed_edge(k, i)
            assert not graph.has_directed_edge(k, j)
            assert not (graph.has_directed_edge(i, k) and graph.has_directed_edge(j, k))
        if model.ambiguous_:
            assert str(graph.kind) == "PDAG"
    assert ambiguous > 0


@pytest.mark.parametrize("rule", RULES)
def test_receipts_are_what_counting_by_hand_gives(rule):
    """Every set of neighbours in the final skeleton, asked of the same erring tests, and the rule as it is written."""
    seen = 0
    for seed in range(25):
        dag = random_dag(6, expected_degree=3, rng=seed)
        model = fit_quietly(PC(ci_test=Erring(dag), colliders=rule), dag)
        test, skeleton = Erring(dag).fit(data_for(dag.nodes)), model.skeleton_
        for (tail, head), receipt in model.orientation_.items():
            if receipt.rule not in ("collider", "meek-1") or receipt.n_sets is None:
                continue
            middle = head if receipt.rule == "collider" else tail
            others = [n for n in skeleton.neighbors(middle) if n not in (tail, head)]
            end = tail if receipt.rule == "collider" else head
            counted = [
                by_hand(test, skeleton, dag.nodes, end, middle, other, rule)
                for other in others
                if not skeleton.has_edge(end, other)
            ]
            verdict = "collider" if receipt.rule == "collider" else "no collider"
            found = (verdict, receipt.n_sets, receipt.n_agreeing, receipt.p_value, receipt.p_given_middle)
            if None not in counted:
                assert found in counted
                seen += 1
    assert seen > 20


def by_hand(test, skeleton, nodes, i, k, j, rule):
    """Return verdict, separating sets, how many agree, their largest p, and for a collider the p given the middle; None if nothing separates."""
    place = {name: v for v, name in enumerate(nodes)}
    (i, j), k = sorted((place[i], place[j])), place[k]
    pools = [[place[n] for n in skeleton.neighbors(nodes[end])] for end in (i, j)]
    sets = {
        given for pool in pools for size in range(len(pool) + 1) for given in combinations(sorted(pool), size)
    }
    p = {given: test(i, j, given).p_value for given in sets}
    apart = {given: value for given, value in p.items() if value > 0.05}
    without = {g: v for g, v in apart.items() if k not in g}
    holding = {g: v for g, v in apart.items() if k in g}
    if not apart:
        return None
    if rule == "majority":
        is_collider, is_none = len(without) > len(holding), len(without) < len(holding)
    elif rule == "conservative":
        is_collider, is_none = not holding, not without
    else:
        is_collider = max(apart, key=apart.get) in without
        is_none = not is_collider
    if is_collider:
        beside = min(test(i, j, tuple(sorted((*g, k)))).p_value for g in without)
        return ("collider", len(apart), len(without), max(without.values()), beside) if beside < 0.05 else ()
    return ("no collider", len(apart), len(holding), max(holding.values()), None) if is_none else ()


def test_a_collider_that_was_left_out_is_ambiguous():
    """Arrows k -> a -> b -> i stand, so that i -> k <- j would close a cycle: whether k is a collider is open, and no rule reads it as a chain."""
    i, k, j, a, b = range(5)
    adjacent = np.zeros((5, 5), dtype=bool)
    for u, v in ((i, k), (j, k), (k, a), (a, b), (b, i)):
        adjacent[u, v] = adjacent[v, u] = True
    orienter = Orienter(Pattern.from_skeleton(adjacent), "ikjab")
    for u, v in ((k, a), (a, b), (b, i)):
        orienter.put(u, v, Receipt("knowledge", ""))
    orienter.orient_colliders([TripleEvidence(i, k, j, "collider", "", 1, 1, 0.5, 0.01)])
    assert "i -> k <- j" in orienter.conflicts[0]
    assert [t.middle for t in orienter.ambiguous()] == ["k"]
    assert orienter.pattern.is_ambiguous(i, k, j)


def fit_quietly(model, dag):
    import warnings

    from causalkit.exceptions import ConflictWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConflictWarning)
        return model.fit(data_for(dag.nodes))


# -- samples -----------------------------------------------------------------------------------------------------------------------------


def weak_chain(rng, n, first=0.45, second=0.45):
    z = rng.normal(size=n)
    x = first * z + rng.normal(size=n)
    return np.column_stack([z, x, second * x + rng.normal(size=n)])


def false_colliders(rule, n=60, runs=200):
    """Return among chains whose ends look independent the share that is taken for a collider."""
    rng = np.random.default_rng(0)
    graphs = [PC(colliders=rule).fit(weak_chain(rng, n)).graph_ for _ in range(runs)]
    found = [g for g in graphs if g.n_edges == 2 and not g.has_edge("X1", "X3")]
    assert len(found) > 50
    return np.mean([g.has_directed_edge("X1", "X2") and g.has_directed_edge("X3", "X2") for g in found])


@pytest.mark.parametrize("rule", RULES)
def test_weak_chains_are_not_taken_for_colliders(rule):
    """The empty set separates the ends, and so does the middle, unless by chance at the level of the tests: nothing is known."""
    assert false_colliders(rule) <= 0.08


def test_true_colliders_stay():
    rng = np.random.default_rng(1)
    for rule in RULES:
        found = 0
        for _ in range(50):
            a, b = rng.normal(size=(2, 300))
            c = a + b + 0.5 * rng.normal(size=300)
            graph = PC(colliders=rule).fit(np.column_stack([a, b, c])).graph_
            found += graph.has_directed_edge("X1", "X3") and graph.has_directed_edge("X2", "X3")
        assert found >= 45


def test_a_required_arrow_that_is_weak_does_not_turn_its_neighbour():
    """Z -> X of .05 is required and unseen; X -> Y is strong. Nothing says which way X - Y points."""
    rng = np.random.default_rng(0)
    knowledge = BackgroundKnowledge(required=[("Z", "X")])
    turned = 0
    for _ in range(60):
        z = rng.normal(size=200)
        x = 0.05 * z + rng.normal(size=200)
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame({"Z": z, "X": x, "Y": x + rng.normal(size=200)})
        turned += PC(knowledge=knowledge).fit(frame).graph_.has_directed_edge("Y", "X")
    assert turned <= 1


def test_the_order_of_columns_does_not_matter():
    pd = pytest.importorskip("pandas")
    data = np.random.default_rng(3).normal(size=(200, 6)) @ np.random.default_rng(4).normal(size=(6, 6))
    names = list("abcdef")
    frame = pd.DataFrame(data, columns=names)
    for rule in RULES:
        first = fit_frame(PC(colliders=rule, alpha=0.01), frame)
        second = fit_frame(PC(colliders=rule, alpha=0.01), frame[names[::-1]])
        assert str(first.graph_) == str(second.graph_.reorder(names))
        assert as_sets(first.ambiguous_) == as_sets(second.ambiguous_)


def fit_frame(model, frame):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(frame)


def as_sets(triples):
    return {(frozenset((t.first, t.last)), t.middle) for t in triples}


@pytest.mark.parametrize("stop", ["exhaustive", "first"])
def test_every_set_of_neighbours_is_tried_for_the_ends_of_a_triple_and_no_test_is_done_twice(stop):
    rng = np.random.default_rng(5)
    data = rng.normal(size=(300, 7)) @ (np.eye(7) + 0.4 * np.triu(rng.normal(size=(7, 7)), 1))
    model = fit_frame(PC(stop=stop), data)
    tests = [(r.x, r.y, r.given) for r in model.tests_]
    assert len(tests) == len(set(tests))
    done = {(frozenset((x, y)), frozenset(given)) for x, y, given in tests}
    skeleton = model.skeleton_
    for i, k, j in triples_of(skeleton):
        for a, b in ((i, j), (j, i)):
            pool = [n for n in skeleton.neighbors(a) if n != b]
            for given in subsets(pool):
                assert (frozenset((i, j)), frozenset(given)) in done, (i, k, j, given)


def triples_of(skeleton):
    for k in skeleton.nodes:
        for i, j in combinations(skeleton.neighbors(k), 2):
            if not skeleton.has_edge(i, j):
                yield i, k, j


def test_bad_rule():
    data = np.random.default_rng(0).normal(size=(20, 2))
    for search in (PC(colliders="all"), CDNOD(colliders="all")):
        with pytest.raises(ParameterError, match="colliders is 'all'"):
            search.fit(data)


def test_masks_agree():
    """The triples of a skeleton, by brute force."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        adjacent = np.triu(rng.random((6, 6)) < 0.4, 1)
        adjacent |= adjacent.T
        masks = rows_to_masks(adjacent)
        expected = {
            (i, k, j)
            for i, k, j in permutations(range(6), 3)
            if i < j and masks[k] >> i & 1 and masks[k] >> j & 1 and not adjacent[i, j]
        }
        assert set(unshielded_triples(adjacent, frozenset())) == expected
