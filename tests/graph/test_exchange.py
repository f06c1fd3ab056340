"""Forms of other libraries: what both sides can say comes back; what one cannot say is an error; texts are fuzzed."""

from __future__ import annotations

import string

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalkit import CausalGraph, GraphKind, Mark
from causalkit.exceptions import CausalKitError, ConversionError, GraphError, InvalidGraphError, ParseError
from tests.graph.strategies import NAMES, admgs, any_graphs, dags

PLAIN = st.text(alphabet=string.ascii_letters, min_size=1, max_size=5)
K = GraphKind
PATTERN_KINDS = {K.DAG, K.CPDAG, K.MPDAG, K.PDAG, K.UG}

# name: (write, read, kinds that it can say)
FORMS = {
    "gadjid": (
        lambda g: g.to_gadjid(),
        lambda x, g: CausalGraph.from_gadjid(x, g.nodes, g.kind),
        PATTERN_KINDS,
    ),
    "bnlearn": (
        lambda g: g.to_bnlearn(),
        lambda x, g: CausalGraph.from_bnlearn(x, g.nodes, g.kind),
        PATTERN_KINDS,
    ),
    "weights": (lambda g: g.to_weights(), lambda x, g: CausalGraph.from_weights(x, g.nodes), {K.DAG}),
    "lingam": (lambda g: g.to_weights().T, lambda x, g: CausalGraph.from_weights(x.T, g.nodes), {K.DAG}),
    "tigramite": (
        lambda g: g.to_tigramite(),
        lambda x, g: CausalGraph.from_tigramite(x, g.nodes, g.kind),
        PATTERN_KINDS | {K.MAG, K.PAG, K.UNKNOWN},
    ),
    "gml": (lambda g: g.to_gml(), lambda x, g: CausalGraph.from_gml(x), set(K)),
    "graphml": (lambda g: g.to_graphml(), lambda x, g: CausalGraph.from_graphml(x), set(K)),
    "pywhy": (lambda g: g.to_pywhy(), lambda x, g: CausalGraph.from_pywhy(x, g.kind), set(K)),
    "dowhy": (lambda g: g.to_dowhy(), lambda x, g: CausalGraph.from_dowhy(x), {K.DAG}),
}
TEXTS = {
    "tetrad": (lambda g: g.to_tetrad(), lambda x, g: CausalGraph.from_tetrad(x, g.kind), set(K)),
    "lavaan": (lambda g: g.to_lavaan(), lambda x, g: CausalGraph.from_lavaan(x, g.kind), {K.DAG, K.ADMG}),
}


@pytest.mark.parametrize("form", list(FORMS))
@settings(max_examples=120, deadline=None)
@given(g=any_graphs(names=NAMES))
def test_what_both_sides_can_say_comes_back(form, g):
    check(FORMS[form], g, some_edges=form == "tigramite")


@pytest.mark.parametrize("form", list(TEXTS))
@settings(max_examples=120, deadline=None)
@given(g=any_graphs(names=PLAIN))
def test_texts_come_back_with_names_that_they_can_say(form, g):
    check(TEXTS[form], g)


def check(form, g, some_edges=False):
    write, read, kinds = form
    try:
        written = write(g)
    except ConversionError:
        assert g.kind not in kinds or _cannot_be_named(g) or some_edges
        return
    assert g.kind in kinds
    assert read(written, g) == g


def _cannot_be_named(g):
    return any(not c.isprintable() or ord(c) > 0xD7FF for name in g.nodes for c in name)


@settings(max_examples=60, deadline=None)
@given(dags(6, names=PLAIN))
def test_pgmpy(g):
    pytest.importorskip("pgmpy")
    assert CausalGraph.from_pgmpy(g.to_pgmpy()) == g
    cpdag = g.to_cpdag()
    back = CausalGraph.from_pgmpy(cpdag.to_pgmpy(), kind="CPDAG")
    assert back.equals(cpdag, ignore_order=True)


def test_latent_nodes_are_kept_where_the_other_side_has_them():
    g = CausalGraph.parse("U -> A; U -> B").with_node_data("U", role="latent")
    assert CausalGraph.from_dowhy(g.to_dowhy()).node_data["U"]["role"] == "latent"
    pytest.importorskip("pgmpy")
    assert CausalGraph.from_pgmpy(g.to_pgmpy()).node_data["U"]["role"] == "latent"


def test_weights_are_kept():
    g = CausalGraph.from_weights([[0, 0, 0], [-0.5, 0, 2], [0, 0, 0]], ["a", "b", "c"])
    assert str(g) == "a, b, c; b -> a; b -> c"
    assert g.to_weights().tolist() == [[0, 0, 0], [-0.5, 0, 2], [0, 0, 0]]
    with pytest.raises(InvalidGraphError, match="cycle"):
        CausalGraph.from_weights([[0, 1, 0], [0, 0, 1], [1, 0, 0]])


# -- lags --------------------------------------------------------------------------------------------------------------------------


def test_lagged_graphs():
    strings = np.full((2, 2, 3), "", dtype="<U3")
    strings[0, 1, 0], strings[1, 0, 0] = "-->", "<--"
    strings[0, 1, 1], strings[1, 1, 2] = "o->", "<->"
    g = CausalGraph.from_tigramite(strings, ["rain", "river"], kind="PAG")
    assert g.nodes == ("rain", "river", "rain[-1]", "river[-1]", "rain[-2]", "river[-2]")
    assert g.edge_between("rain[-1]", "river") == "o->"
    assert g.node_data["river[-2]"] == {"lag": -2, "variable": "river"}
    assert g.meta["stationary"]
    np.testing.assert_array_equal(g.to_tigramite(), strings)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_lagged_graphs_come_back(data):
    n, lags = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    strings = np.full((n, n, lags + 1), "", dtype="<U3")
    for i in range(n):
        for j in range(n):
            for tau in range(lags + 1):
                if tau or i < j:
                    strings[i, j, tau] = data.draw(st.sampled_from(["", "", "-->"]))
                    if tau == 0 and strings[i, j, 0]:
                        strings[j, i, 0] = "<--"
    np.testing.assert_array_equal(CausalGraph.from_tigramite(strings).to_tigramite(), strings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.astype(object), "holds strings"),
        (lambda s: s[0], "shape"),
        (lambda s: np.where(s != "", "x-x", s), "conflict of directions"),
        (lambda s: np.where(s != "", "+->", s), "cannot be read"),
        (lambda s: np.where(s == "<--", "", s), "both directions"),
        (lambda s: np.where(s == "<--", "-->", s), "not the same edge"),
    ],
)
def test_arrays_that_cannot_be_read(change, message):
    strings = np.array([["", "-->"], ["<--", ""]])
    with pytest.raises(ConversionError, match=message):
        CausalGraph.from_tigramite(change(strings))


def test_lagged_edges_that_repeat_are_refused():
    g = CausalGraph.parse("a1 -> b1; a1 -> b; a; b")
    for name, variable in (("a1", "a"), ("b1", "b")):
        g = g.with_node_data(name, lag=-1, variable=variable)
    with pytest.raises(ConversionError, match="repeats one at lag 0"):
        g.to_tigramite()


# -- documented examples of the others ---------------------------------------------------------------------------------------------


def test_texts_as_the_other_programs_write_them():
    text = "Graph Nodes:\nX1;X2,X3\n\nGraph Edges:\n1. X1 --> X2 dd nl\n2. X2 <-> X3\n3. X1 o-o X3\n\nGraph Attributes:\nBIC: -5.3\n"
    g = CausalGraph.from_tetrad(text, kind="UNKNOWN")
    assert str(g) == "X1 -> X2; X1 o-o X3; X2 <-> X3"
    model = "# regressions\ndem ~ a*ind + 0.5*edu ! weights\nind ~ edu; dem ~~ dem\nind ~~ dem"
    assert (
        str(CausalGraph.from_lavaan(model))
        == "dem, ind, edu; ind -> dem; edu -> dem; edu -> ind; dem <-> ind"
    )


def test_plain_gml_and_graphml_of_networkx():
    other = nx.DiGraph([("a", "b")])
    assert str(CausalGraph.from_gml("\n".join(nx.generate_gml(other)))) == "a -> b"
    assert CausalGraph.from_graphml("\n".join(nx.generate_graphml(nx.Graph([("a", "b")])))).kind is K.UG


def test_mermaid_has_a_sign_for_every_edge():
    g = CausalGraph.parse(
        "A -> B; B <- C; C <-> D; D --- E; E o-o F; F o-> G; G <-o H; H o- J", kind="UNKNOWN"
    )
    lines = g.to_mermaid().splitlines()
    assert lines[0] == "flowchart TD"
    signs = [line.split()[1] for line in lines[1 + g.n_nodes :]]
    assert signs == ["-->", "-->", "<-->", "---", "o--o", "o-->", "o-->", "--o"]
    assert (
        CausalGraph("DAG", ['say "hi" <b>'], [[0]]).to_mermaid().splitlines()[1]
        == '  n0["say #34;hi#34; #60;b#62;"]'
    )


def test_gadjid_and_bnlearn_entries():
    g = CausalGraph.parse("A -> B; B --- C", kind="PDAG")
    assert g.to_gadjid().tolist() == [[0, 1, 0], [0, 0, 2], [0, 0, 0]]
    assert g.to_gadjid().dtype == np.int8
    assert g.to_bnlearn().tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 0]]
    assert CausalGraph.from_gadjid([[0, 0], [2, 0]]).edge_between("X1", "X2") == "---"


# -- what cannot be said or read ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(admgs(4, names=PLAIN))
def test_bows_are_refused_where_there_is_no_place_for_them(g):
    if not g.bidirected.any():
        return
    for write in (g.to_gadjid, g.to_bnlearn, g.to_weights, g.to_tigramite, g.to_dowhy):
        with pytest.raises(ConversionError):
            write()


def test_names_that_a_format_cannot_hold_are_refused():
    g = CausalGraph("DAG", ["two words"], [[0]])
    for write in (g.to_tetrad, g.to_lavaan):
        with pytest.raises(ConversionError, match="relabel"):
            write()
    with pytest.raises(ConversionError, match="control characters"):
        CausalGraph("DAG", ["a\x00"], [[0]]).to_graphml()


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (CausalGraph.from_tetrad, "A --> B", "Graph Nodes"),
        (CausalGraph.from_tetrad, "Graph Nodes:\nA\n\nGraph Edges:\n1. A --> B", "nodes that are listed"),
        (CausalGraph.from_lavaan, "f <~ x1 + x2", "cannot read"),
        (CausalGraph.from_lavaan, "y ~ y", "on itself"),
        (CausalGraph.from_lavaan, "y ~ 3 + x", "not a name"),
        (CausalGraph.from_gml, "graph [", "not GML"),
        (CausalGraph.from_graphml, "<graphml>", "not GraphML"),
        (CausalGraph.from_graphml, '<!DOCTYPE x [<!ENTITY a "b">]><graphml/>', "document type"),
    ],
)
def test_texts_that_cannot_be_read(read, text, message):
    with pytest.raises(ParseError, match=message):
        read(text)


READERS = (CausalGraph.from_tetrad, CausalGraph.from_lavaan, CausalGraph.from_gml, CausalGraph.from_graphml)


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_readers_raise_nothing_but_their_own_errors(data):
    """Texts that were written, with pieces cut out, doubled or replaced."""
    g = data.draw(any_graphs(4, names=PLAIN))
    text = data.draw(st.sampled_from([CausalGraph.to_tetrad, CausalGraph.to_gml, CausalGraph.to_graphml]))(g)
    a, b = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2)))
    broken = (
        text[:a] + data.draw(st.one_of(st.just(""), st.just(text[a:b] * 2), st.text(max_size=8))) + text[b:]
    )
    for read in READERS:
        try:
            read(broken)
        except CausalKitError:
            continue


def test_long_texts_are_refused():
    for read in READERS:
        with pytest.raises((ParseError, GraphError), match="characters"):
            read("x" * 10_000_001)


def test_marks_have_a_string_in_tigramite():
    g = CausalGraph.parse("A o-> B; B <-> C; C o-o D", kind="PAG")
    assert g.to_tigramite()[0, 1] == "o->"
    assert g.to_tigramite()[1, 0] == "<-o"
    assert int(Mark.CIRCLE) == 1
    with pytest.raises(ConversionError, match="no string"):
        CausalGraph.parse("A --- B", kind="MAG").to_tigramite()


class TestRolesSurvive:
    """A hidden node that comes back as an observed one would be adjusted for."""

    HIDDEN = CausalGraph.parse("U -> X; U -> Y; X -> Y").with_node_data("U", role="latent")

    @pytest.mark.parametrize(
        ("write", "read"),
        [
            (lambda g: g.to_networkx(), CausalGraph.from_networkx),
            (lambda g: g.to_gml(), CausalGraph.from_gml),
            (lambda g: g.to_graphml(), CausalGraph.from_graphml),
            (lambda g: g.to_dagitty(), CausalGraph.from_dagitty),
            (lambda g: g.to_json(), CausalGraph.from_json),
        ],
    )
    def test_latent_nodes(self, write, read):
        back = read(write(self.HIDDEN))
        assert back == self.HIDDEN
        assert back.node_data["U"]["role"] == "latent"

    def test_attributes_of_other_libraries_are_left_alone(self):
        import networkx as nx

        other = nx.DiGraph([("A", "B")])
        other.nodes["A"].update(role="a role of theirs", pos=(0, 1))
        other.nodes["B"].update(role="latent")
        assert dict(CausalGraph.from_networkx(other).node_data) == {"B": {"role": "latent"}}

    def test_dagitty_options_and_comments(self):
        text = 'dag { // first\n X [exposure] # second\n Y [o] U [u] /* third -> */ "a#b"\n U -> X U -> Y X -> Y }'
        graph = CausalGraph.from_dagitty(text)
        assert graph.nodes == ("X", "Y", "U", "a#b")
        assert graph.node_data["U"]["role"] == "latent"
        assert graph.node_data["Y"]["outcome"] is True
        with pytest.raises(ParseError, match="option 'hidden'"):
            CausalGraph.from_dagitty("dag { X [hidden] X -> Y }")

    def test_loops_and_other_objects_are_named(self):
        import networkx as nx

        with pytest.raises(ConversionError, match="an edge with itself"):
            CausalGraph.from_networkx(nx.DiGraph([("A", "A")]))
        with pytest.raises(ConversionError, match="networkx graph is expected; got list"):
            CausalGraph.from_networkx([("A", "B")])
