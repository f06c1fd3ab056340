"""Adjustment sets against linear models with random coefficients, in all small worlds, and known answers."""

from __future__ import annotations

from functools import cache
from itertools import chain, combinations, islice, permutations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalkit import BackgroundKnowledge, CausalGraph, Mark
from causalkit.exceptions import GraphError, GraphKindError, KnowledgeError, NodeNotFoundError, ParameterError
from causalkit.graph import random_dag
from causalkit.graph._routes import Routes
from causalkit.strength import adjustment_sets, check_adjustment, identify, possible_graphs
from tests.graph.strategies import admgs, dags
from tests.graph.test_ancestral import classes as ancestral_classes
from tests.graph.test_small_worlds import classes, graphs
from tests.strength.linear import is_unbiased, with_hidden_confounders

STRATEGIES = ("optimal", "minimal", "minimum", "parents", "canonical", "temporal")


def subsets(items):
    return chain.from_iterable(combinations(items, k) for k in range(len(items) + 1))


def questions(g, most=1):
    """Yield causes, effects, and the other nodes."""
    for x in chain.from_iterable(combinations(g.nodes, k) for k in range(1, most + 1)):
        rest = [n for n in g.nodes if n not in x]
        for y in chain.from_iterable(combinations(rest, k) for k in range(1, most + 1)):
            yield x, y, [n for n in rest if n not in y]


def check_question(graph, worlds, causes, effect, others):
    """Compare every set with all worlds that the graph stands for, and every strategy with what there is."""
    valid = {z for z in subsets(others) if all(is_unbiased(w, causes, y, z) for w in worlds for y in effect)}
    found = {z for z in subsets(others) if check_adjustment(graph, causes, effect, z)}
    assert found == valid, (str(graph), causes, effect, found ^ valid)
    assert set(adjustment_sets(graph, causes, effect, minimal_only=False)) == valid
    least = {z for z in valid if not any(set(other) < set(z) for other in valid)}
    listed = list(adjustment_sets(graph, causes, effect))
    assert set(listed) == least
    assert len(listed) == len(least)
    for strategy in STRATEGIES:
        check_strategy(strategy, identify(graph, causes, effect, strategy=strategy), valid, least)


def check_strategy(strategy, found, valid, least):
    if found.adjustment_set is None:
        assert found.kind == "zero" or strategy in ("parents", "temporal") or not valid
        return
    assert found.adjustment_set in valid
    assert found.certificate
    if strategy == "minimal":
        assert found.adjustment_set in least
    if strategy == "minimum":
        assert len(found.adjustment_set) == min(map(len, valid))


@pytest.mark.parametrize("d", [2, 3, pytest.param(4, marks=pytest.mark.slow)])
def test_every_set_in_every_dag(d):
    for g in graphs(d):
        for question in questions(g, most=2):
            check_question(g, [g], *question)


@pytest.mark.slow
def test_every_set_in_every_dag_of_five_nodes():
    """All 1024 DAGs along one order, under shuffled names: every DAG of five nodes but for the names of its nodes. One cause, one effect, every set."""
    rng = np.random.default_rng(0)
    places = np.triu_indices(5, 1)
    for number in range(2**10):
        adjacency = np.zeros((5, 5), dtype=int)
        adjacency[places] = number >> np.arange(10) & 1
        shuffled = rng.permutation(5)
        g = CausalGraph.from_adjacency(adjacency[np.ix_(shuffled, shuffled)], "ABCDE")
        for x, y in permutations(g.nodes, 2):
            others = [n for n in g.nodes if n not in (x, y)]
            valid = {z for z in subsets(others) if is_unbiased(g, (x,), y, z)}
            assert {z for z in subsets(others) if check_adjustment(g, x, y, z)} == valid
            found = identify(g, x, y)
            assert found.kind == "zero" or found.adjustment_set in valid


def test_several_effects_where_a_parent_is_one_of_them():
    """The parents of what lies between are no set where the cause has an effect among its own causes."""
    g = CausalGraph.parse("y1 -> x; x -> y2")
    found = identify(g, "x", ["y1", "y2"])
    assert found.adjustment_set is None
    for strategy in STRATEGIES:
        assert identify(g, "x", ["y1", "y2"], strategy=strategy).kind == "none"


@pytest.mark.parametrize("latent_first", [True, False])
def test_equal_graphs_with_other_hidden_nodes_get_other_answers(latent_first):
    """Graphs are equal by structure; who is hidden is asked of the graph at hand."""
    plain = CausalGraph.parse("U -> X; U -> Y; X -> Y; X -> W")
    hidden = plain.with_node_data("U", role="latent")
    assert plain == hidden
    for graph in (hidden, plain) if latent_first else (plain, hidden):
        found = identify(graph, "X", "Y")
        assert found.graph is graph
        assert found.kind == ("bounds" if graph is hidden else "backdoor")
        assert list(adjustment_sets(graph, "X", "Y")) == ([] if graph is hidden else [("U",)])


def test_sets_in_a_sample_of_dags_of_four_nodes():
    for g in graphs(4)[::23]:
        for question in questions(g, most=2):
            check_question(g, [g], *question)


@pytest.mark.parametrize("d", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_every_set_in_every_cpdag_holds_in_all_members(d):
    for members in classes(d):
        for question in questions(members[0], most=2):
            check_question(members[0].to_cpdag(), members, *question)


def test_sets_in_a_sample_of_cpdags():
    for members in classes(4)[::9]:
        for question in questions(members[0], most=2):
            check_question(members[0].to_cpdag(), members, *question)


@settings(max_examples=25, deadline=None)
@given(dags(5), st.randoms(use_true_random=False))
def test_sets_in_graphs_with_background_knowledge_hold_in_all_members(g, random):
    if g.n_nodes < 2:
        return
    arrows = random.sample([(u, v) for u in g.nodes for v in g.children(u)], min(1, g.n_edges))
    mpdag = g.to_cpdag().to_mpdag(BackgroundKnowledge(required=arrows))
    worlds = list(islice(mpdag.class_members(), 24))
    if len(worlds) < 24:
        question = random.choice(list(questions(g, most=2)))
        check_question(mpdag, worlds, *question)


@cache
def graphs_with_knowledge(d):
    """Return every MPDAG of d nodes that one or two required arrows make."""
    found = {}
    for members in classes(d):
        cpdag = members[0].to_cpdag()
        lines = [(e.u, e.v) for e in cpdag.edges if e.is_undirected]
        arrows = [pair for u, v in lines for pair in ((u, v), (v, u))]
        for required in (*combinations(arrows, 1), *combinations(arrows, 2)):
            try:
                mpdag = cpdag.to_mpdag(BackgroundKnowledge(required=list(required)))
            except KnowledgeError:
                continue
            found[mpdag] = None
    return list(found)


@pytest.mark.parametrize(("d", "step"), [(3, 1), (4, 29), pytest.param(4, 1, marks=pytest.mark.slow)])
def test_sets_in_graphs_with_one_or_two_known_arrows(d, step):
    for mpdag in graphs_with_knowledge(d)[::step]:
        worlds = list(mpdag.class_members())
        for causes, effect, others in questions(mpdag):
            check_question(mpdag, worlds, causes, effect, others)
            possible = any(set(effect) & set(w.descendants(causes)) for w in worlds)
            assert (identify(mpdag, causes, effect).kind == "zero") != possible


@pytest.mark.parametrize("seed", range(6))
def test_minimal_sets_of_larger_graphs_are_listed_once(seed):
    """All subsets of eight nodes, for the pair with most minimal sets."""
    g = random_dag(10, expected_degree=3.5, rng=seed)
    pairs = [(x, y) for x in g.nodes for y in g.descendants(x)]
    x, y = max(pairs, key=lambda pair: sum(1 for _ in adjustment_sets(g, *pair)))
    valid = [set(z) for z in subsets([n for n in g.nodes if n not in (x, y)]) if check_adjustment(g, x, y, z)]
    least = [z for z in valid if not any(other < z for other in valid)]
    listed = list(adjustment_sets(g, x, y))
    assert len(listed) == len(least) > 1
    assert all(set(z) in least for z in listed)
    assert len({frozenset(z) for z in listed}) == len(listed)


@settings(max_examples=60, deadline=None)
@given(admgs(5), st.randoms(use_true_random=False))
def test_sets_in_graphs_with_hidden_causes(g, random):
    if g.n_nodes > 1:
        check_question(g, [g], *random.choice(list(questions(g, most=2))))


@cache
def directed_mags():
    """Return the classes of MAGs of four nodes that have members without undirected edges, and these members."""
    return ancestral_classes(4, 4)


def worlds_of(mag):
    """Return graphs of which this is the MAG: with hidden confounders beside none, one or all of its invisible arrows."""
    arrows = [(u, v) for u in mag.nodes for v in mag.children(u)]
    seen = Routes(mag)
    invisible = [(u, v) for u, v in arrows if not seen.visible(mag.index(u), mag.index(v))]
    worlds = [with_hidden_confounders(mag, pairs) for pairs in ([], invisible, *([p] for p in invisible))]
    return [w for w in worlds if w.to_mag() == mag]


@pytest.mark.parametrize("step", [40, pytest.param(3, marks=pytest.mark.slow)])
def test_sets_in_mags_hold_with_any_hidden_confounding_that_fits(step):
    for mag in [m[-1] for m in directed_mags()][::step]:
        for question in questions(mag):
            check_question(mag, worlds_of(mag), *question)


@pytest.mark.parametrize("step", [25, pytest.param(2, marks=pytest.mark.slow)])
def test_sets_in_pags_hold_in_all_members(step):
    for members in directed_mags()[::step]:
        pag = members[0].to_pag()
        try:
            Routes(pag)
        except GraphKindError:
            continue
        worlds = [w for m in members for w in worlds_of(m)]
        for question in questions(pag):
            check_question(pag, worlds, *question)


def test_visible_arrows_are_those_beside_which_no_confounder_fits():
    """Adding <-> beside an arrow of a MAG leaves the MAG as it is if and only if the arrow is not visible."""
    for mag in [m for members in directed_mags() for m in members][::11]:
        seen = Routes(mag)
        for u, v in (
            (e.u, e.v) if e.mark_v == Mark.ARROW else (e.v, e.u) for e in mag.edges if e.is_directed
        ):
            fits = with_hidden_confounders(mag, [(u, v)]).to_mag() == mag
            assert seen.visible(mag.index(u), mag.index(v)) != fits


@settings(max_examples=60, deadline=None)
@given(dags(6), st.randoms(use_true_random=False))
def test_possible_graphs_split_the_class_and_identify_the_effect(g, random):
    if g.n_nodes < 2:
        return
    cpdag, (x, y) = g.to_cpdag(), random.sample(g.nodes, 2)
    parts = list(possible_graphs(cpdag, x))
    members = [m for part in parts for m in part.class_members()]
    assert len(members) == len(set(members)) == cpdag.class_size()
    for part in parts:
        found = identify(part, x, y)
        assert found.kind in ("zero", "backdoor") or y in part.parents(x)
        if found.adjustment_set is not None:
            assert all(is_unbiased(m, (x,), y, found.adjustment_set) for m in part.class_members())


# -- known answers ---------------------------------------------------------------------------------------------------------


def test_m_bias_needs_nothing_and_the_collider_biases():
    g = CausalGraph.parse("U1 -> X; U1 -> Z; U2 -> Z; U2 -> Y; X -> Y")
    assert identify(g, "X", "Y", strategy="minimal").adjustment_set == ()
    check = check_adjustment(g, "X", "Y", "Z")
    assert not check
    assert check.open_path == "X <- U1 -> Z <- U2 -> Y"


def test_no_set_and_the_empty_set_are_different_answers():
    bow = CausalGraph.parse("X -> Y; X <-> Y", kind="ADMG")
    found = identify(bow, "X", "Y")
    assert found.kind == "bounds"
    assert not found
    assert found.adjustment_set is None
    assert "X <-> Y stays open" in found.reason
    plain = identify(CausalGraph.parse("X -> Y"), "X", "Y")
    assert plain.adjustment_set == ()
    assert plain.estimand == "P(Y | do(X)) = P(Y | X)"


def test_front_door():
    g = CausalGraph.parse("X -> M; M -> Y; X <-> Y", kind="ADMG")
    found = identify(g, "X", "Y")
    assert (found.kind, found.mediators) == ("frontdoor", ("M",))
    hidden = CausalGraph.parse("U -> X; U -> Y; X -> M; M -> Y").with_node_data("U", role="latent")
    assert identify(hidden, "X", "Y").mediators == ("M",)
    assert identify(g.with_edge("M", "Y"), "X", "Y").kind == "frontdoor"


def test_napkin_needs_the_general_algorithm():
    g = CausalGraph.parse("W -> Z; Z -> X; X -> Y; W <-> X; W <-> Y", kind="ADMG")
    found = identify(g, "X", "Y")
    assert (found.kind, found.columns) == ("id", ("W", "Z"))
    assert "sum over W" in found.estimand
    assert identify(g, "X", "Y", strategy="minimal").kind == "none"


@settings(max_examples=80, deadline=None)
@given(admgs(5))
def test_front_door_sets_against_the_definition(g):
    """A set is found if and only if some set satisfies the criterion, spelled out with separation in mutilated graphs."""
    for x, y in permutations(g.nodes, 2):
        found = identify(g, x, y)
        if found.kind == "zero" or found.adjustment_set is not None:
            continue
        others = [n for n in g.nodes if n not in (x, y)]
        good = [set(m) for m in subsets(others) if _satisfies(g, x, y, m)]
        if found.mediators is None:
            assert not good
        else:
            assert set(found.mediators) in good
            assert not any(m < set(found.mediators) for m in good)


def _satisfies(g, x, y, mediators):
    cut = g.subgraph([n for n in g.nodes if n not in mediators])
    if y in cut.descendants(x) or not mediators:
        return False
    return _mutilated(g, [x]).separated(x, mediators) and _mutilated(g, mediators).separated(mediators, y, x)


def _mutilated(g, nodes):
    for node in nodes:
        for child in g.children(node):
            both = child in g.spouses(node)
            g = g.without_edge(node, child)
            g = g.with_edge(node, child, 2, 2) if both else g
    return g


ASIA = "asia -> tub; smoke -> lung; smoke -> bronc; tub -> either; lung -> either; either -> xray; either -> dysp; bronc -> dysp"


def test_asia():
    g = CausalGraph.parse(ASIA)
    assert identify(g, "lung", "dysp").adjustment_set == ("tub", "bronc")
    assert set(adjustment_sets(g, "lung", "dysp")) == {("smoke",), ("bronc",)}
    for wrong in ("xray", "either"):
        assert check_adjustment(g, "lung", "dysp", wrong).forbidden_used == (wrong,)
    assert "lung <- smoke -> bronc -> dysp" in str(check_adjustment(g, "lung", "dysp", ()))


def test_an_edge_without_direction_is_named():
    found = identify(CausalGraph.parse("A --- X; X -> Y; Z -> Y", kind="CPDAG"), "A", "Y")
    assert found.kind == "none"
    assert "A --- X" in found.reason


def test_costs_choose_between_minimal_sets():
    g = CausalGraph.parse("a -> b; b -> x; a -> y; x -> y")
    assert identify(g, "x", "y", strategy="minimum", costs={"a": 3}).adjustment_set == ("b",)
    assert identify(g, "x", "y", strategy="minimum", costs={"b": 3}).adjustment_set == ("a",)
    with pytest.raises(ParameterError, match="positive"):
        identify(g, "x", "y", strategy="minimum", costs={"a": 0})


def test_requirements():
    g = CausalGraph.parse("a -> b; b -> x; a -> y; x -> m; m -> y")
    assert identify(g, "x", "y", require="b").adjustment_set == ("a", "b")
    assert identify(g, "x", "y", forbid="a").adjustment_set == ("b",)
    assert identify(g, "x", "y", observed=["x", "y", "m"]).mediators == ("m",)
    assert "m may be affected" in identify(g, "x", "y", require="m").reason
    with pytest.raises(ParameterError, match="require"):
        identify(g, "x", "y", require="a", forbid="a")


def test_bad_questions():
    with pytest.raises(GraphKindError, match="CPDAG or MPDAG"):
        possible_graphs(CausalGraph.parse("a o-o b", kind="PAG"), "a")
    g = CausalGraph.parse("a -> b; b -> c")
    with pytest.raises(NodeNotFoundError, match="'z' is not a node"):
        identify(g, "z", "b")
    with pytest.raises(GraphError, match="effect of a node on itself"):
        identify(g, "a", "a")
    with pytest.raises(GraphError, match="'c' is not observed"):
        identify(g, "a", "c", observed=["a", "b"])
    with pytest.raises(ParameterError, match="strategy"):
        identify(g, "a", "b", strategy="best")
    with pytest.raises(ParameterError, match="cause is empty"):
        identify(g, (), "b")
    with pytest.raises(ParameterError, match="cannot be adjusted for"):
        check_adjustment(g, "a", "b", "a")
    with pytest.raises(GraphKindError, match="UNKNOWN"):
        identify(g.with_kind("UNKNOWN"), "a", "b")
    with pytest.raises(GraphKindError, match="selected"):
        identify(CausalGraph.parse("a --- b", kind="MAG"), "a", "b")
    with pytest.raises(GraphError, match="CausalGraph"):
        identify(g.to_adjacency(), "a", "b")


def test_listing_is_lazy_where_there_are_many():
    pairs = "; ".join(f"a{k} -> b{k}; b{k} -> y; a{k} -> x" for k in range(40))
    g = CausalGraph.parse(pairs + "; x -> y")
    first = list(islice(adjustment_sets(g, "x", "y"), 100))
    assert len(set(first)) == 100
    assert all(check_adjustment(g, "x", "y", z) for z in first[:5])


@pytest.mark.parametrize("seed", range(10))
def test_optimal_set_has_the_least_variance(seed):
    """Asymptotic variance of the coefficient in linear models, over all minimal sets and some others."""
    from tests.strength.linear import covariance

    g = random_dag(8, expected_degree=3, rng=seed)
    sigma, _ = covariance(g, np.random.default_rng(seed))

    def variance(x, y, z):
        use = [g.index(n) for n in (x, *z)]
        k = g.index(y)
        coefficients = np.linalg.solve(sigma[np.ix_(use, use)], sigma[use, k])
        residual = sigma[k, k] - coefficients @ sigma[use, k]
        return residual * np.linalg.inv(sigma[np.ix_(use, use)])[0, 0]

    for x, y in permutations(g.nodes, 2):
        found = identify(g, x, y, strategy="optimal")
        if found.kind == "backdoor":
            others = islice(adjustment_sets(g, x, y, minimal_only=False), 200)
            assert all(variance(x, y, found.adjustment_set) <= variance(x, y, z) + 1e-9 for z in others)


def test_answers_do_not_depend_on_the_order_of_nodes():
    for seed in range(10):
        g = random_dag(12, expected_degree=3, rng=seed)
        h = g.reorder(np.random.default_rng(seed).permutation(g.nodes).tolist())
        for x, y in [("X1", "X7"), ("X5", "X2"), ("X3", "X12")]:
            for strategy in ("auto", "minimal", "canonical"):
                one, other = identify(g, x, y, strategy=strategy), identify(h, x, y, strategy=strategy)
                assert one.kind == other.kind
                assert set(one.adjustment_set or ()) == set(other.adjustment_set or ())


def test_networkx_agrees_on_separation_in_the_back_door_graph():
    for seed in range(20):
        g = random_dag(10, expected_degree=3, rng=seed)
        x = g.topological_order()[2]
        for y in g.descendants(x):
            z = identify(g, x, y).adjustment_set
            cut = g.to_networkx()
            cut.remove_edges_from([(x, c) for c in g.children(x) if c == y or y in g.descendants(c)])
            assert nx.is_d_separator(cut, {x}, {y}, set(z))
