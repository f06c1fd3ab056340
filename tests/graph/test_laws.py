"""Laws that hold for every graph: round trips, closures, equivariance under a new order of nodes."""

from __future__ import annotations

import copy
import multiprocessing as mp

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalkit import CausalGraph, GraphKind, Mark
from causalkit.exceptions import CausalKitError, ConversionError, GraphError
from causalkit.graph import random_dag
from tests.graph.strategies import NAMES, admgs, any_graphs, dags

PATTERN_KINDS = ("DAG", "CPDAG", "MPDAG", "PDAG")


@given(any_graphs(names=NAMES))
def test_text_round_trip(g):
    assert CausalGraph.parse(str(g), kind=g.kind) == g


@given(any_graphs(names=NAMES))
def test_json_round_trip(g):
    assert CausalGraph.from_json(g.to_json()) == g


@given(any_graphs())
def test_npz_round_trip(tmp_path_factory, g):
    path = tmp_path_factory.mktemp("npz") / "graph.npz"
    g.to_npz(path)
    assert CausalGraph.from_npz(path) == g


@given(any_graphs(names=NAMES))
def test_networkx_round_trip(g):
    assert CausalGraph.from_networkx(g.to_networkx()) == g


@given(any_graphs(names=NAMES))
def test_dot_round_trip(g):
    assert CausalGraph.from_dot(g.to_dot(), kind=g.kind) == g


@given(any_graphs())
def test_dagitty_round_trip(g):
    try:
        text = g.to_dagitty()
    except ConversionError:
        assert g.kind in (GraphKind.UG, GraphKind.UNKNOWN)
        return
    assert CausalGraph.from_dagitty(text, kind=g.kind) == g


@given(any_graphs(names=st.sampled_from(["A", "B", "rate (%)", "log-x", "ä ö", "a.b"])))
def test_dagitty_keeps_unusual_names(g):
    if g.kind not in (GraphKind.UG, GraphKind.UNKNOWN):
        assert CausalGraph.from_dagitty(g.to_dagitty(), kind=g.kind) == g


@given(dags())
def test_adjacency_round_trip(g):
    assert CausalGraph.from_adjacency(g.to_adjacency(), g.nodes) == g


@given(any_graphs())
def test_pcalg_round_trips(g):
    if g.kind in (*PATTERN_KINDS, "UG"):
        assert CausalGraph.from_pcalg_cpdag(g.to_pcalg_cpdag(), g.nodes, kind=g.kind) == g
    if not g.bidirected.any():
        assert CausalGraph.from_pcalg_pag(g.to_pcalg_pag(), g.nodes, kind=g.kind) == g


@given(any_graphs())
def test_causal_learn_round_trip(g):
    if g.bidirected.any():
        with pytest.raises(ConversionError):
            g.to_causal_learn()
        return
    assert CausalGraph.from_causal_learn(g.to_causal_learn(), kind=g.kind) == g


@given(any_graphs(), st.randoms(use_true_random=False))
def test_reorder_back_and_equality_without_order(g, random):
    order = list(g.nodes)
    random.shuffle(order)
    other = g.reorder(order)
    assert other.reorder(g.nodes) == g
    assert other.equals(g, ignore_order=True)
    assert hash(other.reorder(g.nodes)) == hash(g)
    assert {str(e) for e in other.edges if e.is_directed} == {str(e) for e in g.edges if e.is_directed}


@given(dags(), st.randoms(use_true_random=False))
def test_algorithms_do_not_depend_on_the_order_of_nodes(g, random):
    order = list(g.nodes)
    random.shuffle(order)
    other = g.reorder(order)
    assert other.to_cpdag().equals(g.to_cpdag(), ignore_order=True)
    for node in g.nodes:
        assert set(other.ancestors(node)) == set(g.ancestors(node))
        assert set(other.to_cpdag().possible_descendants(node)) == set(
            g.to_cpdag().possible_descendants(node)
        )


@given(dags())
def test_class_is_a_fixed_point(g):
    cpdag = g.to_cpdag()
    assert cpdag.to_dag().to_cpdag() == cpdag
    assert cpdag.to_mpdag().with_kind("CPDAG") == cpdag
    assert cpdag.to_mpdag().to_mpdag() == cpdag.to_mpdag()
    assert cpdag.to_dag().unshielded_colliders() == g.unshielded_colliders()


@given(dags(), st.data())
def test_separation_is_symmetric_and_that_of_networkx(g, data):
    sides = data.draw(st.lists(st.sampled_from("xyz-"), min_size=g.n_nodes, max_size=g.n_nodes))
    x, y, z = ([n for n, side in zip(g.nodes, sides, strict=True) if side == s] for s in "xyz")
    if not x or not y:
        return
    assert (
        g.separated(x, y, z)
        == g.separated(y, x, z)
        == nx.is_d_separator(g.to_networkx(), set(x), set(y), set(z))
    )


@given(admgs(max_nodes=5), st.data())
def test_separation_in_an_admg_is_that_of_its_canonical_dag(g, data):
    """Replace each A <-> B by A <- L -> B with a new node L; separation among the old nodes must not change."""
    canonical = nx.DiGraph()
    canonical.add_nodes_from(g.nodes)
    for e in g.edges:
        if e.is_directed:
            canonical.add_edge(e.u, e.v)
        else:
            canonical.add_edges_from([((e.u, e.v), e.u), ((e.u, e.v), e.v)])
    sides = data.draw(st.lists(st.sampled_from("xyz-"), min_size=g.n_nodes, max_size=g.n_nodes))
    x, y, z = ([n for n, side in zip(g.nodes, sides, strict=True) if side == s] for s in "xyz")
    if x and y:
        assert g.separated(x, y, z) == nx.is_d_separator(canonical, set(x), set(y), set(z))


@given(dags())
def test_edges_edits_and_data_stay_aligned(g):
    columns = {"strength": [float(k) for k in range(g.n_edges)]}
    labelled = CausalGraph(g.kind, g.nodes, g.marks, edge_data=columns)
    before = {(e.u, e.v): e.data["strength"] for e in labelled.edges}
    for e in labelled.edges[:2]:
        smaller = labelled.without_edge(e.u, e.v)
        assert {(f.u, f.v): f.data["strength"] for f in smaller.edges} == {
            k: v for k, v in before.items() if k != (e.u, e.v)
        }
        assert smaller.with_edge(e.u, e.v) == labelled
    turned = labelled.reorder(g.nodes[::-1])
    assert {(e.u, e.v): e.data["strength"] for e in turned.edges} == before


@given(any_graphs())
def test_graphs_travel_to_other_processes(g):
    assert copy.deepcopy(g) == g
    assert mp.reduction.ForkingPickler.loads(mp.reduction.ForkingPickler.dumps(g)) == g


@given(any_graphs(names=NAMES))
def test_pictures_are_well_formed_and_escaped(g):
    import xml.etree.ElementTree as ET

    printable = g.relabel({n: f"{k}<&>\"'" for k, n in enumerate(g.nodes)})
    root = ET.fromstring(printable.to_svg())
    assert len([t for t in root.iter() if t.tag.endswith("text")]) == g.n_nodes


@given(st.text(max_size=80))
def test_any_text_gives_a_graph_or_an_error_of_ours(text):
    for read in (CausalGraph.parse, CausalGraph.from_json, CausalGraph.from_dot, CausalGraph.from_dagitty):
        try:
            assert isinstance(read(text), CausalGraph)
        except CausalKitError:
            pass


GLYPHS = [
    "->",
    "<-",
    "--",
    "<->",
    "@-@",
    "@->",
    "{",
    "}",
    "dag",
    "digraph",
    "[",
    "]",
    "A",
    "B",
    '"',
    ";",
    "\n",
    "pos=",
    "\\",
    "o-o",
]


@given(st.lists(st.sampled_from(GLYPHS), max_size=14).map(" ".join))
def test_almost_valid_text_gives_a_graph_or_an_error_of_ours(text):
    for read, wrap in (
        (CausalGraph.parse, "{}"),
        (CausalGraph.from_dot, "digraph {{ {} }}"),
        (CausalGraph.from_dagitty, "dag {{ {} }}"),
    ):
        try:
            assert isinstance(read(wrap.format(text)), CausalGraph)
        except CausalKitError:
            pass


@given(
    st.integers(1, 30), st.floats(0, 4), st.integers(0, 1000), st.sampled_from(["erdos_renyi", "scale_free"])
)
def test_random_dags_are_dags_and_repeat(d, degree, seed, model):
    degree = min(degree, d - 1)
    g = random_dag(d, expected_degree=degree, model=model, rng=seed)
    assert g.kind is GraphKind.DAG
    assert g == random_dag(d, expected_degree=degree, model=model, rng=seed)


def test_random_dags_have_the_expected_degree():
    """400 draws of 50 nodes: 20 000 node degrees with variance below 4 give a standard error below .02."""
    degrees = [2 * random_dag(50, expected_degree=3, rng=seed).n_edges / 50 for seed in range(400)]
    assert abs(np.mean(degrees) - 3) < 0.06


def test_scale_free_graphs_have_hubs():
    """The largest degree grows like the square root of d in one model and like log d in the other."""
    largest = [
        max((random_dag(1000, expected_degree=4, model=model, rng=3).marks > 0).sum(0))
        for model in ("erdos_renyi", "scale_free")
    ]
    assert largest[1] > 2 * largest[0]


def test_separation_is_refused_where_it_is_not_defined():
    g = CausalGraph.parse("A --- B", kind="UNKNOWN")
    with pytest.raises(GraphError, match="with_kind"):
        g.separated("A", "B")


@pytest.mark.parametrize("kind", ["CPDAG", "MPDAG", "PDAG"])
@given(dags(6), st.data())
def test_separation_in_a_class_is_that_of_its_members(kind, g, data):
    pattern = g.to_cpdag().with_kind(kind)
    if g.n_nodes > 2:
        x, y, *rest = data.draw(st.permutations(g.nodes))
        given_nodes = data.draw(st.lists(st.sampled_from(rest), unique=True))
        assert pattern.separated(x, y, given_nodes) == g.separated(x, y, given_nodes)


def test_marks_are_read_only_and_graphs_hashable():
    g = CausalGraph.parse("A -> B")
    with pytest.raises(ValueError, match="read-only"):
        g.marks[0, 1] = Mark.TAIL
    assert {g: 1}[CausalGraph.parse("A -> B")] == 1
