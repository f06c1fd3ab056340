"""Graphs in files and texts as other programs write them: grammars, roles, limits, and one door for all."""

from __future__ import annotations

import os
import time
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import causalkit
from causalkit import BackgroundKnowledge, CausalGraph, read_graph
from causalkit.discovery import PC
from causalkit.evaluation import shd
from causalkit.exceptions import (
    CausalKitError,
    ConversionError,
    FileWarning,
    GraphError,
    ParameterError,
    ParseError,
)
from causalkit.graph import random_dag
from causalkit.graph._checks import ROLES
from causalkit.graph._door import FORMATS
from causalkit.independence import DSeparation
from causalkit.strength import AdjustedOracle, BayesianNetwork, NetworkOracle, identify, possible_graphs
from tests.graph.strategies import any_graphs

# How much longer broken texts are tried; `make fuzz` sets it.
FUZZ = int(os.environ.get("CAUSALKIT_FUZZ", "1"))
FOREIGN = Path(__file__).parents[3] / "shared" / "data" / "bif"


# -- grammars ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dag { {a b} -> c }", "a, b, c; a -> c; b -> c"),
        ("dag{x->{a->b}}", "x -> a; x -> b; a -> b"),
        ("dag{a->{b->{c->d}}}", "a -> b; a -> c; a -> d; b -> c; b -> d; c -> d"),
        ("graph { a -- b }", "a --- b"),
        ("graph { a -> b -- c }", "a -> b; b --- c"),
        ("strict digraph G { a -> b <- c }", "a -> b; c -> b"),
        ("DAG { a → b ← c; b ↔ d }", "a -> b; c -> b; b <-> d"),
        ("map -> pop", "map -> pop"),
        ("dag { 'a x' -> \"b y\" }", '"a x" -> "b y"'),
        ("pag{a @->b<-@c @-@d}", "a o-> b; c o-> b; c o-o d"),
        ("dag { a -> b [beta=-0.3, pos=\"1,2\"] a -> b }", "a -> b"),
        ("dag{;;;}", ""),
        ("A E @-1,2\nB O @0,1\nC U @3,4\n\nC A B\nA B", "A -> B; C -> A; C -> B"),
        ("A E\nB O\nC 1\n\n0 1 0\n0 0 0\n1 1 0", "A -> B; C -> A; C -> B"),
        ("A 1\nB 1\n\nA B\nB A", "A <-> B"),
    ],
)  # fmt: skip
def test_dagitty(text, expected):
    g = CausalGraph.from_dagitty(text)
    assert str(g) == expected
    assert CausalGraph.from_dagitty(g.to_dagitty()) == g


def test_what_dagitty_says_of_nodes_and_edges():
    g = CausalGraph.from_dagitty(
        'dag { a [e, label="Age in years"] b [outcome] c [latent] d [u] s [selected] z [a] a -> b [beta=0.25] }'
    )
    roles = {name: data.get("role") for name, data in g.node_data.items()}
    assert roles == {"a": None, "b": None, "c": "latent", "d": "latent", "s": "selection", "z": None}
    assert g.node_data["a"] == {"exposure": True, "label": "Age in years"}
    assert g.node_data["z"] == {"adjusted": True}
    assert g.edges[0].data["strength"] == 0.25
    assert CausalGraph.from_dagitty(g.to_dagitty()).edges[0].data["strength"] == 0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dag { a -> }", "line 1"),
        ("dag { a [latnt] }", "latnt"),
        ("dag { a [latent, selected] }", "latent and selected"),
        ("dag { a -> b [beta=big] }", "no finite number"),
        ("dag { a [pos=\"here\"] }", "two numbers"),
        ("dag { a \"b }", "line 1, from '\"b"),
        ("dag { a -> b", "ends too early"),
        ("dag { a -> b } }", "line 1"),
        ("A 1\nB 1\n\nA X", "'X' is not one of the nodes"),
        ("A 1\nB 1\n\n0 1 0", "3 zeros and ones"),
    ],
)  # fmt: skip
def test_dagitty_that_cannot_be_read(text, message):
    with pytest.raises(ParseError, match=message):
        CausalGraph.from_dagitty(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("digraph { a -> b -> c }", "a -> b; b -> c"),
        ("digraph g { /* x */ a -> {b; c} // y\n# z\n {b c} -> d }", "a -> b; a -> c; b -> d; c -> d"),
        ("digraph { node [shape=box]; edge [color=red]; rankdir=LR; a:port:n -> b }", "a -> b"),
        ("digraph { subgraph cluster_0 { label=one; a -> b } b -> c }", "a -> b; b -> c"),
        ("digraph { a [label=<<b>A</b>>]; a -> \"b\" + \" c\" }", 'a -> "b c"'),
        ("digraph { edge [dir=back]; a -> b; { edge [dir=both]; c -> d } e -> f }", "a, b, c, d, e, f; b -> a; f -> e; c <-> d"),
        ("digraph { a -> b [arrowhead=vee] 1.5 -> -2 }", 'a -> b; 1.5 -> "-2"'),
        ("graph { a -- b -- c }", "a --- b; b --- c"),
        ("digraph PAG { a -> b [dir=both, arrowtail=odot, arrowhead=normal] }", "a o-> b"),
    ],
)  # fmt: skip
def test_dot(text, expected):
    g = CausalGraph.from_dot(text)
    assert str(g) == expected
    assert CausalGraph.from_dot(g.to_dot()) == g


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digraph { a -> b [arrowhead=tee] }", "arrowhead=tee"),
        ("digraph { a -- b }", "does not belong in a digraph"),
        ("digraph { a [label=<<b>] }", "line 1"),
        ("tree { a -> b }", "a DOT text is"),
        ("digraph { a [role=hiden] }", "hiden"),
    ],
)
def test_dot_that_cannot_be_read(text, message):
    with pytest.raises(ParseError, match=message):
        CausalGraph.from_dot(text)


def test_dot_against_another_reader():
    """The parser of pydot sees the same edges in graphs from elsewhere."""
    warnings.filterwarnings("ignore", module="pydot")
    pydot = pytest.importorskip("pydot")
    for seed in range(20):
        g = random_dag(8, expected_degree=2.5, rng=seed)
        (there,) = pydot.graph_from_dot_data(g.to_dot())
        edges = {(e.get_source().strip('"'), e.get_destination().strip('"')) for e in there.get_edges()}
        assert edges == {(e.u, e.v) for e in g.edges}
        assert CausalGraph.from_dot(there.to_string()) == g


def test_tetrad_with_a_bootstrap():
    text = (
        "Graph Nodes:\n(L);X;[S]\n\nGraph Edges:\n"
        "1. L --> X dd nl [L --> X dd nl]:0.84;[no edge]:0.16;\n2. X o-> S [X o-o S]:0.6;[X o-> S]:0.4;\n\n"
    )
    g = CausalGraph.from_tetrad(text, kind="UNKNOWN")
    assert {name: data["role"] for name, data in g.node_data.items()} == {"L": "latent", "S": "selection"}
    assert [e.data["confidence"] for e in g.edges] == [0.84, 0.4]
    assert CausalGraph.from_tetrad(g.to_tetrad(), kind="UNKNOWN") == g


def test_lavaan_as_people_write_it():
    text = """
    # a model
    f =~ 1*x1 + lambda*x2 +
         x3
    y ~ 0.5*f
      + z
    y ~ 1
    z ~~ 0.3*x1 ; x1 ~~ x1
    x1 ~~ 0*x2; z ~ 0*x3
    total := a*b   ! defined
    a == b
    """
    g = CausalGraph.from_lavaan(text)
    assert str(g) == "f -> x1; f -> x2; f -> x3; f -> y; z -> y; x1 <-> z"
    assert g.node_data == {"f": {"role": "latent"}}
    assert {e.v: e.data["strength"] for e in g.edges if "strength" in e.data} == {"x1": 1, "y": 0.5}
    again = CausalGraph.from_lavaan(g.to_lavaan())
    assert set(map(str, again.edges)) == set(map(str, g.edges))
    assert again.node_data == g.node_data


def test_conflicts_of_tigramite():
    strings = np.array([["", "x-x"], ["x-x", ""]])
    g = CausalGraph.from_tigramite(strings, ["a", "b"], kind="PDAG")
    assert str(g) == "a --- b"
    assert "both directions" in g.edges[0].data["note"]
    with pytest.raises(ConversionError, match="conflict of directions"):
        CausalGraph.from_tigramite(strings)


def test_labels_of_editors_are_names():
    gml = """Creator "y"
    graph [
      directed 1
      node [
        id 0
        label "Age
"
      ]
      node [
        id 7
        label "Income"
      ]
      edge [ source 0 target 7 ]
    ]"""
    assert str(read_graph(gml)) == "Age -> Income"
    same = 'graph [ directed 1 node [ id 0 label "" ] node [ id 7 label "" ] edge [ source 0 target 7 ] ]'
    assert str(read_graph(same)) == "0 -> 7"
    yed = (
        '<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:y="http://www.yworks.com/xml/graphml">'
        '<key for="node" id="d6" yfiles.type="nodegraphics"/><graph edgedefault="directed">'
        '<node id="n0"><data key="d6"><y:ShapeNode><y:NodeLabel>Age\n</y:NodeLabel></y:ShapeNode></data></node>'
        '<node id="n1"><data key="d6"><y:ShapeNode><y:NodeLabel>Income</y:NodeLabel></y:ShapeNode></data></node>'
        '<edge source="n0" target="n1"/></graph></graphml>'
    )
    assert str(read_graph(yed)) == "Age -> Income"


# -- roles ---------------------------------------------------------------------------------------------------------------------


def _pgmpy(g):
    pytest.importorskip("pgmpy")
    return CausalGraph.from_pgmpy(g.to_pgmpy())


def _causal_learn(g):
    pytest.importorskip("causallearn")
    return CausalGraph.from_causal_learn(g.to_causal_learn(), kind=g.kind)


ROUND_TRIPS = {
    "json": lambda g: CausalGraph.from_json(g.to_json()),
    "dagitty": lambda g: CausalGraph.from_dagitty(g.to_dagitty()),
    "dot": lambda g: CausalGraph.from_dot(g.to_dot()),
    "gml": lambda g: CausalGraph.from_gml(g.to_gml()),
    "graphml": lambda g: CausalGraph.from_graphml(g.to_graphml()),
    "tetrad": lambda g: CausalGraph.from_tetrad(g.to_tetrad(), kind=g.kind),
    "lavaan": lambda g: CausalGraph.from_lavaan(g.to_lavaan(), kind=g.kind),
    "networkx": lambda g: CausalGraph.from_networkx(g.to_networkx()),
    "dowhy": lambda g: CausalGraph.from_dowhy(g.to_dowhy()),
    "pywhy": lambda g: CausalGraph.from_pywhy(g.to_pywhy(), kind=g.kind),
    "pgmpy": _pgmpy,
    "causal-learn": _causal_learn,
}


@pytest.mark.parametrize("form", ROUND_TRIPS)
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_a_role_comes_back_or_is_an_error(form, data):
    """No form forgets that a node is hidden, selected on or a context."""
    g = data.draw(any_graphs(max_nodes=4))
    try:
        for name in g.nodes:
            g = g.with_node_data(name, role=data.draw(st.sampled_from(ROLES)))
    except GraphError:
        # A context has no causes.
        return
    try:
        again = ROUND_TRIPS[form](g)
    except (ConversionError, GraphError):
        return
    role = lambda graph, name: graph.node_data.get(name, {}).get("role", "system")
    assert {name: role(again, name) for name in again.nodes} == {name: role(g, name) for name in g.nodes}


@pytest.mark.parametrize("form", ["json", "dagitty", "dot", "gml", "graphml", "networkx", "pywhy", "pgmpy"])
def test_exposure_outcome_and_adjusted_come_back(form):
    g = CausalGraph.parse("x -> y; z -> x")
    for name, mark in (("x", "exposure"), ("y", "outcome"), ("z", "adjusted")):
        g = g.with_node_data(name, **{mark: True})
    again = ROUND_TRIPS[form](g)
    assert {name: dict(data) for name, data in again.node_data.items()} == {
        name: dict(data) for name, data in g.node_data.items()
    }


def test_a_role_is_not_written_where_it_cannot_be_said():
    g = CausalGraph.parse("x -> y").with_node_data("x", role="context")
    for write in (g.to_lavaan, g.to_tetrad):
        with pytest.raises(ConversionError, match="cannot say that 'x' is a context"):
            write()


# -- the door ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.read and form.write])
def test_what_is_written_is_read_without_a_word_on_its_format(name, tmp_path):
    g = CausalGraph.parse("Age -> Income; Sex -> Income; Age -> Car")
    suffix = (*FORMATS[name].suffixes, ".txt")[0]
    path = g.write(tmp_path / f"g{suffix}")
    assert set(map(str, read_graph(path).edges)) == set(map(str, g.edges))
    assert set(map(str, read_graph(path.read_text()).edges)) == set(map(str, g.edges)), "by its looks"
    blind = path.rename(tmp_path / "graph.data")
    assert set(map(str, read_graph(blind).edges)) == set(map(str, g.edges))


@settings(deadline=None, max_examples=60)
@given(g=any_graphs(), name=st.sampled_from(["json", "dot", "gml", "graphml", "npz"]))
def test_every_kind_comes_back_from_files_that_say_it(tmp_path_factory, g, name):
    path = tmp_path_factory.mktemp("door") / f"g.{name}"
    assert read_graph(g.write(path)) == g


def test_a_string_is_a_path_or_a_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CausalGraph.parse("a -> b").write("graph.gv")
    assert str(read_graph("graph.gv")) == "a -> b"
    assert str(read_graph("a -> b")) == "a -> b"
    assert str(read_graph("a", format="text")) == "a"
    with pytest.raises(FileNotFoundError):
        read_graph("other.gv")
    with pytest.raises(ParseError, match=r"as dagitty: .*; as text: "):
        read_graph("a -> -> b")
    with pytest.raises(ParameterError, match="format must be one of"):
        read_graph("a -> b", format="visio")
    with pytest.raises(ParameterError, match="a path or a text"):
        read_graph(7)
    with pytest.raises(ConversionError, match=r"names end in .*\.dot"):
        CausalGraph.parse("a -> b").write("graph.docx")
    assert causalkit.read_graph is read_graph


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "g.dot"
    path.write_bytes('digraph {\r\n "Größe" -> "Gewicht" }'.encode(encoding))
    assert read_graph(path).nodes == ("Größe", "Gewicht")


def test_the_kind_can_be_said():
    assert read_graph("a --- b", kind="CPDAG").kind == "CPDAG"
    assert read_graph("dag { a -> b }", kind="MPDAG").kind == "MPDAG"


# -- networks ----------------------------------------------------------------------------------------------------------------

BIF = """network "small" { property x = {1}; }
variable a{type discrete[2]{no, yes};}//glued
variable b { type discrete [ 3 ] { low, mid, high }; }/* glued */
probability(a) { table 0.75 0.25; }
probability ( b | a ) { table 0.1, 0.2, 0.3, 0.3, 0.6, 0.5; }
"""
NET = """net { }
node a { states = ("no" "yes"); label = "A; of"; } % a comment
node b { states = ("low" "mid" "high"); }
potential ( a ) { data = (0.75 0.25); }
potential ( b | a ) { data = ((0.1 0.3 0.6)(0.2 0.3 0.5)); }
"""
XDSL = """<?xml version="1.0" encoding="ISO-8859-1"?><!-- x --><smile version="1.0"><nodes>
<cpt id="a"><state id="no"/><state id="yes"/><probabilities>0.75 0.25</probabilities></cpt>
<cpt id="b"><state id="low"/><state id="mid"/><state id="high"/><parents>a</parents><probabilities>0.1 0.3 0.6 0.2 0.3 0.5</probabilities></cpt>
</nodes></smile>"""
XMLBIF = """<?xml version="1.0"?><!DOCTYPE BIF [ <!ELEMENT BIF (NETWORK)* > ]><BIF VERSION="0.3"><NETWORK><NAME>n</NAME>
<VARIABLE TYPE="nature"><NAME>a</NAME><OUTCOME>no</OUTCOME><OUTCOME>yes</OUTCOME></VARIABLE>
<VARIABLE TYPE="nature"><NAME>b</NAME><OUTCOME>low</OUTCOME><OUTCOME>mid</OUTCOME><OUTCOME>high</OUTCOME></VARIABLE>
<DEFINITION><FOR>a</FOR><TABLE>0.75 <!-- x --> 0.25</TABLE></DEFINITION>
<DEFINITION><FOR>b</FOR><GIVEN>a</GIVEN><TABLE>0.1 0.3 0.6 0.2 0.3 0.5</TABLE></DEFINITION></NETWORK></BIF>"""
NETWORK_TEXTS = {"bif": BIF, "net": NET, "xdsl": XDSL, "xmlbif": XMLBIF}


@pytest.mark.parametrize("name", NETWORK_TEXTS)
def test_one_network_in_four_formats(name, tmp_path):
    """Tables are laid out in two ways: in BIF the variable varies slowest, elsewhere fastest."""
    net = BayesianNetwork.read(NETWORK_TEXTS[name])
    assert net.states == {"a": ("no", "yes"), "b": ("low", "mid", "high")}
    assert net.query("b", evidence={"a": "no"}) == pytest.approx([0.1, 0.3, 0.6])
    assert net.query("b", evidence={"a": "yes"}) == pytest.approx([0.2, 0.3, 0.5])
    assert str(read_graph(NETWORK_TEXTS[name])) == "a -> b"
    path = tmp_path / f"n.{name}"
    path.write_text(NETWORK_TEXTS[name])
    assert read_graph(path) == net.graph
    assert BayesianNetwork.read(path).id == BayesianNetwork.read(net.to_bif()).id == net.id


def test_bif_against_another_reader():
    reader = pytest.importorskip("pgmpy.readwrite").BIFReader
    net = BayesianNetwork.read(BIF)
    there = reader(string=net.to_bif()).get_model()
    table = there.get_cpds("b").values
    order = [there.get_cpds("b").state_names["b"].index(s) for s in net.states["b"]]
    columns = [there.get_cpds("b").state_names["a"].index(s) for s in net.states["a"]]
    assert np.asarray(table)[np.ix_(order, columns)] == pytest.approx(
        np.array([[0.1, 0.2], [0.3, 0.3], [0.6, 0.5]])
    )


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("bif", "discrete[2]", "discrete[3]", "declares 3 states and lists 2"),
        ("bif", "{no, yes}", "{no, no}", "each once"),
        ("bif", "0.6, 0.5;", "0.6;", "needs 6 numbers and has 5"),
        ("bif", "0.6, 0.5;", "0.6, 0.9;", "sum to 1.4 and not to 1"),
        ("bif", "| a )", "| a, a )", "name a variable twice"),
        ("bif", "/* glued */", "/* glued", "does not end"),
        ("bif", '"small"', '"small', "does not end"),
        ("net", "node b", "decision b", "networks of discrete nodes"),
        ("net", "data = (0.75 0.25);", "", "'data' is missing"),
        ("xdsl", '<cpt id="a">', '<noisymax id="a">', "not XML"),
        ("xdsl", "<smile", "<!DOCTYPE x [<!ENTITY e 'e'>]><smile", "entities"),
        ("xmlbif", 'TYPE="nature"><NAME>b', 'TYPE="decision"><NAME>b', "type 'decision'"),
    ],
)
def test_networks_that_cannot_be_read(name, old, new, message):
    assert old in NETWORK_TEXTS[name]
    with pytest.raises(ParseError, match=message):
        BayesianNetwork.read(NETWORK_TEXTS[name].replace(old, new), name)


def test_rounded_tables_are_said():
    with pytest.warns(FileWarning, match="sum to 1 up to 0.0001"):
        net = BayesianNetwork.read(BIF.replace("0.75 0.25", "0.7499 0.25"))
    assert net.query("a").sum() == pytest.approx(1, abs=1e-12)


def test_structure_without_tables():
    """The structure needs no numbers; what is missing is said."""
    assert str(read_graph(BIF.replace("0.6, 0.5;", "many, few;"))) == "a -> b"
    with pytest.warns(FileWarning, match=r"no probabilities are given for \['a'\]"):
        assert str(read_graph(BIF.replace("probability(a) { table 0.75 0.25; }", ""))) == "a -> b"
    twice = BIF + "probability ( b ) { default 0.2, 0.3, 0.5; }"
    with pytest.warns(FileWarning, match="the last hold"):
        assert str(read_graph(twice)) == "a; b"


@pytest.mark.skipif(not FOREIGN.exists(), reason="the files of other programs are not here")
@pytest.mark.parametrize(
    ("name", "nodes", "edges"),
    [("alarm.net", 37, 46), ("asia.bif", 8, 8), ("benefits.xdsl", 14, 24), ("insurance.bif", 27, 52), ("carpo.bif", 61, None), ("dBN.bif", 56, None)],
)  # fmt: skip
def test_files_of_other_programs(name, nodes, edges):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FileWarning)
        graph = read_graph(FOREIGN / name)
    assert graph.n_nodes == nodes
    assert edges in (None, graph.n_edges)


# -- limits ------------------------------------------------------------------------------------------------------------------

HEAVY = {
    "blanks in DAGitty": "dag" + " " * 50_000 + "x",
    "blanks in DOT": "digraph" + " " * 50_000 + "x",
    "braces": "digraph {" + "{" * 20_000 + "}" * 20_000 + "}",
    "braces of DAGitty": "dag {" + "{" * 50_000,
    "open comments": "digraph { " + "/*" * 50_000,
    "open quotes": "dag { " + '"\\' * 50_000,
    "many nodes": "digraph {" + ";".join(f"n{k}" for k in range(12_000)) + "}",
    "many nodes in text": ";".join(f"n{k}" for k in range(30_000)),
    "many edges": "digraph { {" + " ".join(f"a{k}" for k in range(2_000)) + "} -> {" + " ".join(f"b{k}" for k in range(2_000)) + "} }",
    "many edges of edges": "dag { " + " -> ".join("{" + " ".join(f"a{j}.{k}" for k in range(300)) + "}" for j in range(14)) + " }",
    "html": "digraph { a [label=" + "<" * 50_000 + "] }",
    "brackets in JSON": '{"a": ' + "[" * 100_000,
    "brackets in GML": "graph [ " + "node [ " * 20_000,
    "elements of XML": '<BIF VERSION="0.3">' + "<a>" * 50_000,
    "words of BIF": "network " + "x " * 200_000,
    "comments of BIF": "network x { } " + "/*" * 100_000,
    "lists": "a 1\n" * 20_000 + "\n" + "a a\n",
    "lavaan": "y ~ " + "+".join(["x"] * 50_000) + "+" * 50_000,
    "lavaan, lines": "y ~ x +\n" * 50_000,
    "tetrad": "Graph Nodes:\nA;B\n\nGraph Edges:\n1. A --> B " + "[A --> B]:1;" * 20_000 + "[" * 20_000,
    "arrows": "a " + "->" * 100_000,
    "dashes": "dag { a " + "-" * 200_000 + " b }",
}  # fmt: skip


@pytest.mark.parametrize("name", HEAVY)
def test_heavy_texts_are_refused_in_little_time(name):
    text = HEAVY[name]
    began = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_graph(text)
    except CausalKitError:
        pass
    # What is quadratic takes minutes.
    assert time.process_time() - began < 10


def _npz(**arrays):
    def write(path):
        base = {"header": np.zeros(2, dtype=np.uint8), "marks": np.zeros((0, 0), dtype=np.uint8), "bidirected": np.zeros((0, 0), dtype=bool)}  # fmt: skip
        np.savez_compressed(path, **(base | arrays))

    return write


def _npz_that_claims_much(path):
    import io
    import zipfile

    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (2**40,)})
    with zipfile.ZipFile(path, "w") as file:
        for name in ("header", "marks", "bidirected"):
            file.writestr(f"{name}.npy", head.getvalue())


@pytest.mark.parametrize(
    "write",
    [
        _npz_that_claims_much,
        _npz(marks=np.zeros((0, 0), dtype=float)),
        _npz(header=np.frombuffer(b"[" * 100_000, dtype=np.uint8)),
        _npz(header=np.frombuffer(b"{}", dtype=np.uint8)),
        lambda path: path.write_bytes(b"PK\3\4 no archive"),
        lambda path: path.write_bytes(b""),
    ],
)
def test_npz_that_claims_what_it_has_not(write, tmp_path):
    path = tmp_path / "g.npz"
    write(path)
    with pytest.raises(ParseError, match="g.npz|not a causalkit-graph file"):
        read_graph(path)


# -- anything ----------------------------------------------------------------------------------------------------------------

SEEDS = [
    *NETWORK_TEXTS.values(),
    'dag { "a b" [latent] {a b} -> c [beta=1] a @-> b }',
    "digraph { node [shape=box]; a -> {b c} [dir=both, arrowtail=odot] // x\n}",
    "Graph Nodes:\n(A);B\n\nGraph Edges:\n1. A --> B [A --> B]:0.5;\n",
    "f =~ x1 + x2; y ~ 0.5*f + x1\n x1 ~~ x2",
    'graph [ directed 1 node [ id 0 label "a" ] node [ id 1 label "b" ] edge [ source 0 target 1 ] ]',
    CausalGraph.parse("a -> b; b <-> c; a -> c", kind="ADMG").to_graphml(),
    CausalGraph.parse("a o-> b; c o-o b", kind="PAG").to_json(),
    "A E @1,2\nB O @3,4\n\nA B\n",
    "A -> B; C <-> D",
]
PIECES = ["{", "}", "[", "]", '"', "'", "<", ">", "->", "--", ";", ",", "=", "|", "(", ")", "/*", "*/", "//", "\n", "\\", "\0", "é", "0", "1e999", "node", "graph", "edge", "latent", "~", ":"]  # fmt: skip


@st.composite
def broken(draw):
    """A text of one format in which pieces are cut, doubled, exchanged and put in."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        upto = min(len(text), at + draw(st.integers(0, 30)))
        text = (
            text[:at]
            + draw(st.sampled_from([*PIECES, text[at:upto] * 2, ""]))
            + text[draw(st.sampled_from([at, upto])) :]
        )
    return text


@settings(deadline=None, max_examples=400 * FUZZ)
@given(text=broken(), format=st.sampled_from([None, *(n for n, f in FORMATS.items() if f.read)]))
def test_broken_texts_give_graphs_or_our_errors(text, format):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FileWarning)
        try:
            graph = read_graph(text, format)
        except CausalKitError:
            return
        except FileNotFoundError:
            assert format is None
            return
    assert CausalGraph.from_json(graph.to_json()) == graph


@settings(deadline=None, max_examples=100 * FUZZ)
@given(text=broken(), name=st.sampled_from(list(NETWORK_TEXTS)))
def test_broken_networks_give_networks_or_our_errors(text, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FileWarning)
        try:
            net = BayesianNetwork.read(text + "\n{", name)
        except CausalKitError:
            return
    assert BayesianNetwork.read(net.to_bif()).id == net.id


def test_hidden_nodes_of_every_text_are_never_adjusted_for():
    texts = [
        "dag { u [latent] u -> x u -> y x -> y }",
        "digraph { u [observed=no]; u -> x; u -> y; x -> y }",
        "u =~ x + y\ny ~ x",
        "x E\ny O\nu U\n\nu x y\nx y",
        "Graph Nodes:\n(u);x;y\n\nGraph Edges:\n1. u --> x\n2. u --> y\n3. x --> y\n",
    ]
    for text, format in product(texts, (None,)):
        found = identify(read_graph(text, format), "x", "y")
        assert "u" not in (found.adjustment_set or ())
        assert not found


# -- graphs of other libraries ------------------------------------------------------------------------------------------------


def test_graphs_of_other_libraries_are_taken_where_a_graph_is_wanted():
    nx = pytest.importorskip("networkx")
    other = nx.DiGraph([("u", "x"), ("u", "y"), ("x", "y")])
    ours = CausalGraph.parse("u -> x; u -> y; x -> y")
    assert identify(other, "x", "y").adjustment_set == ("u",)
    assert shd(other, ours) == 0
    assert DSeparation(other).graph == ours
    assert AdjustedOracle(other, NetworkOracle(coin(ours))).graph == ours
    assert possible_effects_of(other) == possible_effects_of(ours)
    other.nodes["u"]["observed"] = "no"
    assert not identify(other, "x", "y")


def possible_effects_of(graph):
    return [str(g) for g in possible_graphs(graph, "x")]


def coin(graph):
    tables = {n: np.full([2] * (len(graph.parents(n)) + 1), 0.5) for n in graph.nodes}
    return BayesianNetwork(graph, dict.fromkeys(graph.nodes, (0, 1)), tables)


def test_graphs_of_pgmpy_are_taken():
    base = pytest.importorskip("pgmpy.base")
    other = base.DAG([("u", "x"), ("u", "y"), ("x", "y")])
    other.latents = {"u"}
    assert not identify(other, "x", "y")


def test_what_leaves_its_meaning_open_is_refused_with_the_call_that_reads_it():
    nx = pytest.importorskip("networkx")
    general = CausalGraph.parse("a -> b").to_causal_learn()
    refused = {
        r"from_causal_learn\(graph, kind=": general,
        r"from_networkx\(graph, kind=": nx.Graph([("a", "b")]),
        r"from_adjacency\(": np.eye(2),
        r"read_graph\(": "a -> b",
        "got DataFrame": pd.DataFrame({"a": [1]}),
    }
    for call, other in refused.items():
        with pytest.raises(GraphError, match=call):
            identify(other, "a", "b")
        with pytest.raises(GraphError, match=call):
            shd(other, CausalGraph.parse("a -> b"))


def test_knowledge_of_causal_learn():
    theirs = pytest.importorskip("causallearn.utils.PCUtils.BackgroundKnowledge").BackgroundKnowledge()
    node = pytest.importorskip("causallearn.graph.GraphNode").GraphNode
    nodes = {name: node(name) for name in ("a1", "a2", "b", "c")}
    theirs.add_forbidden_by_pattern("a.*", "b").add_required_by_node(nodes["b"], nodes["c"])
    theirs.add_node_to_tier(nodes["a1"], 0).add_node_to_tier(nodes["a2"], 0).add_node_to_tier(nodes["c"], 2)
    theirs.forbid_within_tier(0)
    ours = BackgroundKnowledge.from_causal_learn(theirs, nodes)
    for u, v in product(nodes, nodes):
        if u != v:
            assert ours.is_forbidden(u, v) == theirs.is_forbidden(nodes[u], nodes[v]), (u, v)
            assert ours.is_required(u, v) == theirs.is_required(nodes[u], nodes[v]), (u, v)
    with pytest.raises(ParameterError, match=r"from_causal_learn\(knowledge, names\)"):
        PC(knowledge=theirs).fit(pd.DataFrame(np.eye(4), columns=list(nodes)))
