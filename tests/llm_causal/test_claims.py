"""Claims: do they hold together, and is what follows from them what holds in every graph that agrees with them."""

from __future__ import annotations

from itertools import combinations, permutations, product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalkit import BackgroundKnowledge, CausalGraph
from causalkit.discovery import PC
from causalkit.exceptions import GraphKindError, KnowledgeError, NodeNotFoundError, ParameterError
from causalkit.llm_causal import Answer, Claim, KnowledgeBase, Question, claims_of, leave_one_source_out

RELATIONS = ("direct", "ancestor", "not_ancestor", "no_edge", "before")
NAMES = ("A", "B", "C", "D")


def all_dags(names):
    """Every DAG over some names, once."""
    pairs, seen = list(combinations(range(len(names)), 2)), {}
    for order in permutations(range(len(names))):
        for chosen in product((0, 1), repeat=len(pairs)):
            arrows = tuple(
                sorted((order[i], order[j]) for (i, j), there in zip(pairs, chosen, strict=True) if there)
            )
            seen[arrows] = None
    for arrows in seen:
        text = "; ".join([*names, *(f"{names[i]} -> {names[j]}" for i, j in arrows)])
        yield CausalGraph.parse(text)


DAGS = {names: tuple(all_dags(names)) for names in (NAMES[:3], NAMES)}
claims = st.builds(
    lambda pair, relation: Claim(*pair, relation),
    st.permutations(NAMES).map(lambda names: (names[0], names[1])),
    st.sampled_from(RELATIONS),
)


def test_there_are_as_many_dags_as_known():
    assert [len(DAGS[names]) for names in DAGS] == [25, 543]


def agrees(dag, some):
    """Whether claims are true of a DAG in some order of time, in which causes come first."""
    if not all(c.holds_in(dag) for c in some):
        return False
    order = {*((e.u, e.v) if dag.has_directed_edge(e.u, e.v) else (e.v, e.u) for e in dag.edges)}
    order |= {(c.subject, c.object) for c in some if c.relation == "before"}
    return nx.is_directed_acyclic_graph(nx.DiGraph(order))


class TestConflict:
    @settings(max_examples=150, deadline=None)
    @given(st.lists(claims, min_size=1, max_size=5, unique=True))
    def test_claims_hold_together_if_some_dag_agrees(self, given_claims):
        """Over four nodes, with nodes named, by trying all 543 DAGs: what is called a conflict is one; without arrows denied, the reverse holds too."""
        agreeing = any(agrees(dag, given_claims) for dag in DAGS[NAMES])
        core = KnowledgeBase(given_claims).conflict(NAMES)
        if core:
            assert not any(agrees(dag, core) for dag in DAGS[NAMES])
            for left_out in core:
                rest = [c for c in core if c is not left_out]
                assert not KnowledgeBase(rest).conflict(NAMES)
        elif not any(c.relation == "no_edge" for c in given_claims):
            assert agreeing

    def test_a_conflict_is_named(self):
        base = KnowledgeBase(
            [
                Claim("A", "B", "ancestor"),
                Claim("X", "Y", "direct"),
                Claim("B", "C", "direct"),
                Claim("C", "A", "before"),
            ]
        )
        with pytest.raises(KnowledgeError, match="cannot all be true") as caught:
            base.check()
        assert caught.value.conflict == (
            "A causes B, directly or not",
            "B causes C directly",
            "C comes before A",
        )

    def test_the_least_probable_goes(self):
        weak = Claim("C", "A", "ancestor", 0.6)
        kept, dropped = KnowledgeBase(
            [Claim("A", "B", "ancestor", 0.9), weak, Claim("B", "C", "ancestor", 0.8)]
        ).resolved()
        assert dropped == (weak,)
        assert len(kept) == 2

    def test_a_path_that_cannot_be(self):
        base = KnowledgeBase([Claim("A", "B", "ancestor"), Claim("A", "B", "no_edge")])
        assert base.conflict(["A", "B"])
        assert not base.conflict(["A", "B", "C"])
        assert not base.conflict()


class TestApply:
    @settings(max_examples=100, deadline=None)
    @given(st.sampled_from(DAGS[NAMES]), st.lists(claims, min_size=1, max_size=3, unique=True))
    def test_arrows_are_those_of_all_members_that_agree(self, dag, given_claims):
        cpdag = dag.to_cpdag()
        agreeing = [m for m in cpdag.class_members() if all(c.holds_in(m) for c in given_claims)]
        if not agreeing:
            with pytest.raises(KnowledgeError) as caught:
                KnowledgeBase(given_claims).apply(cpdag)
            assert caught.value.conflict
            return
        applied = KnowledgeBase(given_claims).apply(cpdag)
        for edge in cpdag.edges:
            directions = {m.has_directed_edge(edge.u, edge.v) for m in agreeing}
            shown = applied.graph.edge_between(edge.u, edge.v)
            assert shown == ("---" if len(directions) == 2 else "->" if directions == {True} else "<-")
        for claim in given_claims:
            everywhere = all(claim.holds_in(m) for m in applied.graph.class_members())
            assert everywhere == (claim not in applied.residual)

    def test_a_pag_gets_arrowheads_and_no_tails(self):
        pag = CausalGraph.parse("A o-o B; B o-o C", kind="PAG")
        found = KnowledgeBase([Claim("A", "B", "ancestor"), Claim("B", "C", "not_ancestor")]).apply(pag).graph
        assert (found.edge_between("A", "B"), found.edge_between("B", "C")) == ("o->", "<-o")
        with pytest.raises(KnowledgeError, match="marks of the graph contradict"):
            KnowledgeBase([Claim("A", "B", "not_ancestor")]).apply(CausalGraph.parse("A -> B", kind="PAG"))

    def test_bad(self):
        with pytest.raises(NodeNotFoundError):
            KnowledgeBase([Claim("A", "Z", "direct")]).apply(CausalGraph.parse("A --- B", kind="CPDAG"))
        with pytest.raises(GraphKindError, match="ADMG"):
            KnowledgeBase([Claim("A", "B", "direct")]).apply(CausalGraph.parse("A <-> B", kind="ADMG"))
        with pytest.raises(ParameterError, match="both are 'A'"):
            Claim("A", "A", "direct")
        with pytest.raises(ParameterError, match="relation is 'friend'"):
            Claim("A", "B", "friend")


class TestBackground:
    @settings(max_examples=100, deadline=None)
    @given(st.lists(claims, min_size=1, max_size=4, unique=True))
    def test_every_graph_that_agrees_keeps_it(self, given_claims):
        try:
            knowledge = KnowledgeBase(given_claims).to_background()
        except KnowledgeError:
            return
        for dag in DAGS[NAMES]:
            if all(c.holds_in(dag) for c in given_claims):
                assert all(dag.has_directed_edge(*pair) for pair in knowledge.required)
                assert not any(dag.has_directed_edge(*pair) for pair in knowledge.forbidden)

    def test_a_search_keeps_it(self):
        rng = np.random.default_rng(0)
        for seed in range(5):
            data = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4))
            base = KnowledgeBase(
                [Claim("X1", "X3", "ancestor"), Claim("X2", "X4", "no_edge"), Claim("X3", "X2", "before")]
            )
            graph = PC(knowledge=base.to_background()).fit(data).graph_
            assert not graph.has_directed_edge("X3", "X1"), seed
            assert not graph.has_edge("X2", "X4"), seed
            assert not graph.has_directed_edge("X2", "X3"), seed

    def test_chains_are_followed(self):
        knowledge = KnowledgeBase([Claim("A", "B", "ancestor"), Claim("B", "C", "ancestor")]).to_background()
        assert knowledge.is_forbidden("C", "A")
        below = KnowledgeBase([Claim("A", "B", "ancestor"), Claim("A", "C", "not_ancestor")]).to_background()
        assert below.is_forbidden("B", "C")
        assert not isinstance(knowledge.required, BackgroundKnowledge)


class TestAnswers:
    @pytest.mark.parametrize(
        ("kind", "choice", "expected"),
        [
            ("direct", "forward", ["A causes B, directly or not"]),
            ("ancestral", "backward", ["B causes A, directly or not"]),
            ("orient", "forward", ["A causes B directly"]),
            ("direct", "none", ["no arrow joins A and B"]),
            ("ancestral", "none", ["A does not cause B", "B does not cause A"]),
            ("direct", "cannot_tell", []),
            ("direct", "both", []),
        ],
    )
    def test_a_cause_is_a_claim_about_ancestors(self, kind, choice, expected):
        assert [str(c) for c in claims_of(Answer(Question(kind, ("A", "B")), choice, expert="m"))] == expected

    def test_stated_probabilities(self):
        answer = Answer(Question("graph"), arrows=(("A", "B"), ("B", "C")), probabilities={"A -> B": 0.7})
        assert [c.probability for c in claims_of(answer)] == [0.7, 0.5]
        assert [c.probability for c in claims_of(answer, 0.8)] == [0.8, 0.8]
        assert claims_of(Answer(Question("graph"), status="invalid")) == ()

    def test_log_odds(self):
        base = KnowledgeBase(
            [
                Claim("A", "B", "direct", 0.9),
                Claim("A", "C", "ancestor", 0.8),
                Claim("B", "C", "no_edge", 0.9),
            ]
        )
        odds = base.log_odds(["A", "B", "C"])
        assert odds[0, 1] == pytest.approx(np.log(9))
        assert (odds[0, 2], odds[2, 0]) == (0, pytest.approx(-np.log(4)))
        assert odds[1, 2] == odds[2, 1] == pytest.approx(-np.log(9))

    def test_what_is_open(self):
        graph = CausalGraph.parse("A --- B; B --- C", kind="CPDAG")
        (question,) = KnowledgeBase([Claim("A", "B", "before")]).open_questions(graph)
        assert question.pair == {"B", "C"}


def test_an_arrow_that_hangs_on_one_source():
    graph = CausalGraph.parse("A --- B; C --- D", kind="CPDAG")
    found = leave_one_source_out(
        [
            Claim("A", "B", "direct", source="one"),
            Claim("C", "D", "direct", source="two"),
            Claim("D", "C", "not_ancestor", source="one"),
        ],
        graph,
    )
    assert found == {"one": (("A", "B"),), "two": ()}
