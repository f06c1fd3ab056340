"""What a user does with a graph by hand, and what goes wrong clearly."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from causalkit import BackgroundKnowledge, CausalGraph, Mark
from causalkit.exceptions import (
    ConversionError,
    GraphError,
    GraphKindError,
    InvalidGraphError,
    KnowledgeError,
    NodeNotFoundError,
    NotExtendableError,
    ParameterError,
    ParseError,
)
from causalkit.graph import random_dag


def test_the_sentence_that_defines_the_matrix():
    g = CausalGraph.parse("A -> B; C o-> D", kind="PAG")
    assert g.marks[0, 1] == Mark.ARROW
    assert g.marks[1, 0] == Mark.TAIL
    assert g.marks[3, 2] == Mark.CIRCLE
    assert g.marks[2, 3] == Mark.ARROW


def test_every_library_reads_the_same_arrow():
    """X -> Y written for each peer, as its own documentation states it."""
    g = CausalGraph.parse("X -> Y")
    assert g.to_adjacency().tolist() == [[0, 1], [0, 0]]
    assert g.to_pcalg_cpdag().tolist() == [[0, 0], [1, 0]]
    assert g.to_pcalg_pag().tolist() == [[0, 2], [3, 0]]
    assert g.to_causal_learn().graph.tolist() == [[0, -1], [1, 0]]
    assert list(g.to_networkx().edges) == [("X", "Y")]


def test_causal_learn_agrees_about_its_own_objects():
    g = CausalGraph.parse("X -> Y; Y <-> Z; X o-o W", kind="UNKNOWN")
    peer = g.to_causal_learn()
    texts = {str(e) for e in peer.get_graph_edges()}
    assert texts == {"X --> Y", "Y <-> Z", "X o-o W"}


@pytest.mark.parametrize(
    ("text", "kind", "message", "witness"),
    [
        ("A -> B; B -> C; C -> A", "DAG", "directed cycle", {"A", "B", "C"}),
        ("A --- B", "DAG", "A --- B is not allowed", {"A", "B"}),
        ("A <-> B", "PDAG", "not allowed", {"A", "B"}),
        ("A -> B; B --- C", "MPDAG", "must be B -> C by Meek's rule 1", {"B", "C"}),
        ("A -> B; B -> C; A --- C", "MPDAG", "rule 2", {"A", "C"}),
        ("A -> B", "CPDAG", "should be A --- B", {"A", "B"}),
        ("A -> B; A <-> B", "MAG", "two edges", None),
        ("A -> B -> C; C <-> A", "MAG", "ancestor", {"A", "C"}),
        ("A -> B; B -> C; C <-> A", "PAG", "ancestor", {"A", "C"}),
        ("A --- B; C -> B", "MAG", "meets the undirected edge", {"B", "C"}),
        ("A <-> B; B <-> C; C <-> D; B -> D; C -> A", "MAG", "no set separates", {"A", "D"}),
        ("A -> B", "UG", "not allowed", {"A", "B"}),
        ("A -> B -> C -> A", "ADMG", "directed cycle", {"A", "B", "C"}),
        ("A -> B -> C -> A", "PDAG", "directed cycle", {"A", "B", "C"}),
    ],
)
def test_rules_of_kinds_are_checked_with_a_witness(text, kind, message, witness):
    with pytest.raises(GraphError, match=message) as caught:
        CausalGraph.parse(text, kind=kind)
    if witness is not None:
        assert set(caught.value.witness) == witness


@pytest.mark.parametrize("kind", ["CPDAG", "MPDAG"])
def test_a_chordless_undirected_cycle_has_no_extension(kind):
    with pytest.raises(NotExtendableError):
        CausalGraph.parse("A --- B; B --- C; C --- D; D --- A", kind=kind)
    assert CausalGraph.parse("A --- B; B --- C; C --- D; D --- A", kind="UG").n_edges == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("DAG", ["A", "A"], np.zeros((2, 2))), "unique"),
        (("DAG", ["A", ""], np.zeros((2, 2))), "non-empty"),
        (("DAG", ["A", 3], np.zeros((2, 2))), "int"),
        (("DAG", ["A"], np.zeros((2, 2))), r"shape \(2, 2\)"),
        (("DAG", ["A", "B"], [[0, 7], [1, 0]]), "7"),
        (("DAG", ["A", "B"], [[0, 2], [0, 0]]), "only one end"),
        (("DAG", ["A", "B"], [[3, 0], [0, 0]]), "itself"),
        (("TREE", ["A"], [[0]]), "unknown graph kind"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    with pytest.raises(GraphError, match=message):
        CausalGraph(*arguments)


def test_context_nodes_are_exogenous():
    g = CausalGraph.parse("C -> A").with_node_data("C", role="context", context_type="time")
    with pytest.raises(InvalidGraphError, match="exogenous"):
        g.without_edge("C", "A").with_edge("A", "C")
    assert g.with_node_data("C", exogenous=False).orient("A", "C").parents("C") == ("A",)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [({"role": "boss"}, "role"), ({"context_type": "space"}, "context_type"), ({"lag": 1}, "lag")],
)
def test_node_data_is_checked(attributes, message):
    with pytest.raises(GraphError, match=message):
        CausalGraph.parse("A").with_node_data("A", **attributes)


def test_unknown_names_say_what_is_known():
    g = CausalGraph.parse("A -> B")
    with pytest.raises(NodeNotFoundError, match="'A', 'B'"):
        g.parents("Z")
    with pytest.raises(GraphError, match="disjoint"):
        g.separated("A", "B", given="A")
    with pytest.raises(GraphError, match="no edge"):
        g.without_edge("A", "A")


def test_edge_columns_have_fixed_names_and_lengths():
    with pytest.raises(GraphError, match="unknown edge column"):
        CausalGraph("DAG", "A", [[0]], edge_data={"colour": []})
    with pytest.raises(GraphError, match="1 values for 0 edges"):
        CausalGraph("DAG", "A", [[0]], edge_data={"strength": [1.0]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A B", "spaces around"),
        ("A -> ", "cannot read"),
        ("A => B", "cannot read|not an edge"),
        ("A->B", "spaces around"),
        ("A--B", "spaces around"),
        ('"A', "quote left open"),
        ('""', "empty"),
    ],
)
def test_unreadable_text(text, message):
    with pytest.raises(ParseError, match=message):
        CausalGraph.parse(text)


def test_json_refuses_other_files_and_versions():
    g = CausalGraph.parse("A -> B")
    with pytest.raises(ParseError, match="format"):
        CausalGraph.from_json("{}")
    with pytest.raises(ParseError, match="version 99"):
        CausalGraph.from_json(g.to_json().replace('"version": 1', '"version": 99'))
    with pytest.raises(ParseError, match="listed twice"):
        text = g.to_json()
        CausalGraph.from_json(text.replace('"edges": [', '"edges": [{"u": "A", "edge": "->", "v": "B"}, '))
    with pytest.raises(ConversionError, match="plain"):
        g.with_meta(value=object()).to_json()


def test_json_keeps_data_of_nodes_and_edges():
    g = CausalGraph(
        "DAG", "AB", [[0, 2], [3, 0]], edge_data={"p_value": [0.01], "rule": ["collider"]}, meta={"seed": 3}
    )
    back = CausalGraph.from_json(g.with_node_data("A", role="context").to_json(indent=2))
    assert back.edges[0].data == {"p_value": 0.01, "rule": "collider"}
    assert back.node_data["A"]["role"] == "context"
    assert back.meta == {"seed": 3}


def test_a_file_of_objects_is_not_loaded(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, header=np.array([{}], dtype=object), marks=np.zeros((0, 0)), bidirected=np.zeros((0, 0)))
    with pytest.raises(ParseError, match="not a causalkit-graph"):
        CausalGraph.from_npz(path)


def test_undirected_pairs_are_not_guessed_from_a_matrix():
    with pytest.raises(ConversionError, match="from_pcalg_cpdag"):
        CausalGraph.from_adjacency([[0, 1], [1, 0]])


def test_conversions_refuse_to_lose_marks():
    pag = CausalGraph.parse("A o-> B", kind="PAG")
    for convert in (pag.to_adjacency, pag.to_pcalg_cpdag):
        with pytest.raises(ConversionError, match="PAG"):
            convert()
    bow = CausalGraph.parse("A -> B; A <-> B", kind="ADMG")
    for convert in (bow.to_pcalg_pag, bow.to_causal_learn):
        with pytest.raises(ConversionError, match="beside"):
            convert()
    with pytest.raises(GraphError, match="only an ADMG"):
        bow.with_kind("UNKNOWN")


def test_kinds_change_with_their_edges():
    mag = CausalGraph.parse("A -> B; B <-> C", kind="MAG")
    assert mag.with_kind("ADMG").spouses("B") == ("C",)
    assert mag.with_kind("ADMG").with_kind("MAG") == mag
    with pytest.raises(GraphKindError, match="CPDAG"):
        mag.to_cpdag()


class TestKnowledge:
    def test_contradiction_inside(self):
        with pytest.raises(KnowledgeError) as caught:
            BackgroundKnowledge(required=[("A", "B")], forbidden=[("A", "B")])
        assert set(caught.value.conflict) == {"required A -> B", "forbidden A -> B"}

    def test_cycle_of_required_arrows(self):
        with pytest.raises(KnowledgeError) as caught:
            BackgroundKnowledge(required=[("A", "B"), ("B", "C"), ("C", "A"), ("C", "D")])
        assert len(caught.value.conflict) == 3

    def test_required_against_tiers(self):
        with pytest.raises(KnowledgeError, match="tiers"):
            BackgroundKnowledge(required=[("late", "early")], tiers=[["early"], ["late"]])

    def test_conflict_with_a_graph_is_minimal(self):
        """Two statements force a collider at C that the class excludes; the third has nothing to do with it."""
        g = CausalGraph.parse("A --- C; C --- B; D --- E", kind="CPDAG")
        knowledge = BackgroundKnowledge(required=[("D", "E"), ("A", "C"), ("B", "C")])
        with pytest.raises(KnowledgeError) as caught:
            g.to_mpdag(knowledge)
        assert set(caught.value.conflict) == {"required A -> C", "required B -> C"}

    def test_required_edge_that_is_not_there(self):
        with pytest.raises(KnowledgeError, match="required A -> B"):
            CausalGraph.parse("A; B", kind="CPDAG").to_mpdag(BackgroundKnowledge(required=[("A", "B")]))

    def test_tiers_orient(self):
        g = CausalGraph.parse("A --- B; B --- C", kind="CPDAG")
        assert str(g.to_mpdag(BackgroundKnowledge(tiers=[["A"], ["B", "C"]]))) == "A -> B; B -> C"

    def test_unknown_names(self):
        with pytest.raises(NodeNotFoundError, match="'Z'"):
            CausalGraph.parse("A --- B", kind="CPDAG").to_mpdag(BackgroundKnowledge(required=[("A", "Z")]))

    @pytest.mark.parametrize("bad", [[("A",)], [("A", "A")], [("A", 1)]])
    def test_malformed_pairs(self, bad):
        with pytest.raises(ParameterError):
            BackgroundKnowledge(required=bad)

    def test_one_tier_each(self):
        with pytest.raises(ParameterError, match="tier 0 and in tier 1"):
            BackgroundKnowledge(tiers=[["A"], ["A"]])


class TestFailuresOfPeers:
    """Each failure of other packages that spec 2.3 lists, shown not to be shared."""

    def test_no_way_to_a_cycle_after_construction(self):
        g = CausalGraph.parse("A -> B; B -> C")
        with pytest.raises(InvalidGraphError, match="cycle"):
            g.with_edge("C", "A")
        with pytest.raises(InvalidGraphError, match="cycle"):
            CausalGraph.parse("A -> B; B -> C", kind="ADMG").with_edge("C", "A")

    def test_added_edges_are_listed(self):
        g = CausalGraph.parse("A --- B; C; D", kind="PDAG").with_edge("C", "D")
        assert g.has_directed_edge("C", "D")
        assert "C -> D" in [str(e) for e in g.edges]

    def test_undirected_edges_are_not_two_arcs(self):
        g = CausalGraph.parse("A -> B; B --- C", kind="PDAG")
        assert g.descendants("A") == ("B",)
        assert g.descendants("B") == ()

    def test_networkx_sees_what_is_there(self):
        peer = CausalGraph.parse("A -> B", kind="ADMG").to_networkx()
        assert nx.is_directed_acyclic_graph(peer)
        assert nx.descendants(peer, "B") == set()

    def test_equal_graphs_are_equal_and_speak(self):
        a, b = (CausalGraph.parse("A -> B; A <-> B", kind="ADMG") for _ in range(2))
        assert a == b
        assert repr(a) == "CausalGraph(kind=ADMG, nodes=2, edges=2)"

    def test_separation_on_the_diamond_returns(self):
        g = CausalGraph.parse("A -> B; B -> D; A -> C; C -> D; E")
        assert g.separated("A", "E", given="D")

    def test_triples_are_found_without_permutations_of_edges(self):
        g = random_dag(300, expected_degree=4, rng=0)
        assert g.to_cpdag().unshielded_colliders() == g.unshielded_colliders()


def test_a_thousand_nodes_are_no_problem():
    g = random_dag(1000, expected_degree=3, rng=1)
    assert g.to_cpdag().to_dag().to_cpdag() == g.to_cpdag()
    assert "Too large to draw" in g._repr_html_()


def test_layout_helpers():
    g = CausalGraph.parse("A -> B; B -> C; A -> C")
    ax = g.draw(layout={"A": (0, 0), "B": (1, 0), "C": (2, 1)})
    assert {t.get_text() for t in ax.texts} == {"A", "B", "C"}
    with pytest.raises(GraphError, match="no position for 'C'"):
        g.draw(layout={"A": (0, 0), "B": (1, 0)})
    with pytest.raises(GraphError, match="unknown layout"):
        g.draw(layout="pretty")


class TestReviewed:
    """Cases that once gave a wrong answer or a foreign error."""

    def test_options_and_settings_of_dagitty_net(self):
        text = 'dag {\nbb="0,0,1,1"\nY [outcome,pos="1,1"]\nX [exposure,pos="0,0"]\nX -> Y [pos="0.1,0.2"]\n}'
        g = CausalGraph.from_dagitty(text)
        assert set(g.nodes) == {"X", "Y"}
        assert g.node_data["Y"]["pos"] == (1, 1)

    def test_defaults_of_dot_edges_are_not_ignored(self):
        assert str(CausalGraph.from_dot("digraph { edge [dir=back]; A -> B }")) == "A, B; B -> A"
        with pytest.raises(GraphError, match="A"):
            CausalGraph.from_dot("digraph { edge [dir=none]\n A -> B }")
        assert CausalGraph.from_dot("digraph g { node [shape=box]; rankdir=LR; A -> B\n B -> C }").parents(
            "C"
        ) == ("B",)

    def test_long_blanks_are_read_in_linear_time(self):
        text = "digraph { A" + " " * 60_000 + "-> }"
        with pytest.raises(ParseError):
            CausalGraph.from_dot(text)

    def test_possible_descendants_by_kind(self):
        admg = CausalGraph.parse("A -> B; B -> C; A <-> C", kind="ADMG")
        assert admg.possible_descendants("A") == ("B", "C")
        with pytest.raises(GraphKindError, match="to_mpdag"):
            CausalGraph.parse("C -> A; A --- B", kind="PDAG").possible_descendants("B")

    def test_extension_keeps_contexts_exogenous(self):
        g = CausalGraph.parse("C -> A; A -> B").with_node_data("C", role="context").to_cpdag()
        assert g.to_dag().parents("A") == ("C",)

    def test_node_attributes_and_lags_are_checked(self):
        g = CausalGraph.parse("A")
        for attributes in ({"name": "B"}, {"lag": "x"}, {"lag": None}):
            with pytest.raises(GraphError):
                g.with_node_data("A", **attributes)
        with pytest.raises(GraphError, match="mapping"):
            CausalGraph("DAG", "A", [[0]], node_data={"A": 5})

    def test_both_edges_of_a_bow_are_drawn_apart(self):
        svg = CausalGraph.parse("A -> B; A <-> B", kind="ADMG").to_svg()
        paths = [line for line in svg.splitlines() if "<path" in line]
        assert len({line[line.index(" d=") :].split('"')[1] for line in paths}) == 2

    def test_scale_free_graphs_have_the_expected_degree(self):
        for degree in (0, 1, 3, 5):
            sizes = [
                random_dag(60, expected_degree=degree, model="scale_free", rng=s).n_edges / 30
                for s in range(60)
            ]
            assert abs(np.mean(sizes) - degree) < 0.15

    def test_knowledge_refuses_text_for_lists(self):
        with pytest.raises(ParameterError, match="text 'age'"):
            BackgroundKnowledge(tiers=["age", "income"])
        for bad in (["AB"], [5]):
            with pytest.raises(ParameterError, match="required"):
                BackgroundKnowledge(required=bad)
        with pytest.raises(KnowledgeError, match="dict"):
            CausalGraph.parse("A --- B", kind="CPDAG").to_mpdag({"required": []})
        with pytest.raises(NotExtendableError):
            CausalGraph.parse("A --- B; B --- C; C --- D; D --- A", kind="PDAG").to_mpdag()

    def test_conflicts_in_large_graphs_are_found_quickly(self):
        g = random_dag(300, expected_degree=2, rng=0)
        order = g.topological_order()
        with pytest.raises(KnowledgeError) as caught:
            g.to_mpdag(BackgroundKnowledge(tiers=[order[150:], order[:150]]))
        assert len(caught.value.conflict) == 1

    def test_conversions_explain_themselves(self, tmp_path):
        both = nx.DiGraph([("A", "B"), ("B", "A")])
        with pytest.raises(ConversionError, match="marks"):
            CausalGraph.from_networkx(both)
        with pytest.raises(GraphKindError, match="physics"):
            CausalGraph.from_networkx(nx.DiGraph([("a", "b")], kind="physics"))
        with pytest.raises(ConversionError, match="cause itself"):
            CausalGraph.from_adjacency([[1, 0], [0, 0]])
        with pytest.raises(ConversionError, match="different lengths"):
            CausalGraph.from_adjacency([[0, 1], [0]])
        with pytest.raises(GraphError, match="no mark"):
            CausalGraph.parse("A; B").with_edge("A", "B", "tail", "arrow")
        path = tmp_path / "g.npz"
        CausalGraph.parse("A -> B").to_npz(path)
        for broken in (path.read_bytes()[:-30], b"\x93NUMPY"):
            path.write_bytes(broken)
            with pytest.raises(ParseError):
                CausalGraph.from_npz(path)
