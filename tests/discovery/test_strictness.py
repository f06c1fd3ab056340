"""Knowledge holds in what a search returns, whatever the data say: also knowledge that is false of the world that the data come from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalkit import BackgroundKnowledge
from causalkit.discovery import CDNOD, PC
from causalkit.exceptions import KnowledgeError
from causalkit.graph import random_dag
from causalkit.independence import DSeparation
from causalkit.llm_causal import Claim, GraphBuilder, KnowledgeBase, OracleExpert, Reliability
from tests.discovery.test_oracle import augmented, data_for

NAMES = tuple("ABCDE")
# Knowledge that is false of the world contradicts its data, which is said and is no failure here.
pytestmark = pytest.mark.filterwarnings("ignore::causalkit.exceptions.ConflictWarning")


@st.composite
def worlds(draw):
    """Draw a DAG."""
    return random_dag(
        NAMES,
        expected_degree=draw(st.sampled_from([1.0, 2.0, 3.0])),
        rng=draw(st.integers(0, 10_000)),
    )


@st.composite
def knowledge(draw):
    """Draw statements that hold together, and are true of some graph, if not of the world."""
    order = draw(st.permutations(NAMES))
    pairs = [(a, b) for k, a in enumerate(order) for b in order[k + 1 :]]
    required = draw(st.lists(st.sampled_from(pairs), max_size=2, unique=True))
    rest = [(b, a) for a, b in pairs] + [p for p in pairs if p not in required]
    forbidden = draw(st.lists(st.sampled_from(rest), max_size=4, unique=True))
    cut = draw(st.integers(0, 5))
    tiers = [order[:cut], order[cut:]] if 0 < cut < 5 else []
    return BackgroundKnowledge(required=required, forbidden=forbidden, tiers=tiers)


def fitted(search, frame, **context):
    """Return the search, or None if what it found in the data cannot stand with knowledge at all: edges that it would turn into a cycle."""
    try:
        return search.fit(frame, **context)
    except KnowledgeError as error:
        if "the data need edges" not in str(error):
            raise
        return None


def check(graph, known):
    """Every statement holds: no forbidden arrow, no edge that might be one, no required arrow missing."""
    for a, b in known.required:
        assert graph.has_directed_edge(a, b), (str(graph), a, b)
    for a in NAMES:
        for b in NAMES:
            if a != b and known.is_forbidden(a, b):
                assert not graph.has_directed_edge(a, b), (str(graph), a, b)
                assert graph.edge_between(a, b) != "---", (str(graph), a, b)


@settings(max_examples=250, deadline=None)
@given(worlds(), knowledge())
def test_pc(dag, known):
    model = fitted(PC(ci_test=DSeparation(dag), knowledge=known), data_for(dag.nodes))
    if model is not None:
        check(model.graph_, known)


@settings(max_examples=120, deadline=None)
@given(worlds(), knowledge(), st.lists(st.sampled_from(NAMES), unique=True))
def test_cdnod(dag, known, changing):
    truth = augmented(dag, changing, "site")
    search = CDNOD(ci_test=DSeparation(truth), knowledge=known, n_components=0)
    model = fitted(search, data_for(truth.nodes), context="site")
    if model is None:
        return
    check(model.graph_, known)
    assert all(not model.graph_.has_directed_edge(n, "site") for n in NAMES)


@settings(max_examples=80, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_claims_of_people_reach_the_search_if_they_come_first(dag, random):
    """Claims about pairs that are false of the world: they hold in the graph under ``expert_first``."""
    a, b, c = random.sample(NAMES, 3)
    claims = [Claim(a, b, "direct", 0.99, "Dr. X"), Claim(a, c, "no_edge", 0.99, "Dr. X")]
    session = GraphBuilder(
        NAMES,
        expert=OracleExpert(dag),
        data=data_for(NAMES),
        discovery=PC(ci_test=DSeparation(dag)),
        policy="expert_first",
        claims=claims,
        reliability=Reliability(0.5, 0.25),
    )
    evidence = session._with_data()
    assert evidence.graph.has_directed_edge(a, b)
    assert not evidence.graph.has_edge(a, c)


@settings(max_examples=80, deadline=None)
@given(worlds(), st.data())
def test_pags_keep_to_claims(dag, data):
    """Claims that are true of the graph behind: every arrowhead that they put is at what is no cause, and none is lost."""
    hidden = data.draw(st.sampled_from(NAMES))
    seen = [n for n in NAMES if n != hidden]
    pag = dag.to_pag([hidden])
    pairs = [(a, b) for a in seen for b in seen if a != b]
    chosen = data.draw(st.lists(st.sampled_from(pairs), max_size=4, unique=True))
    claims = [Claim(a, b, "ancestor" if a in dag.ancestors(b) else "not_ancestor") for a, b in chosen]
    found = KnowledgeBase(claims).apply(pag).graph
    assert (found.marks > 0).tolist() == (pag.marks > 0).tolist()
    arrows = np.argwhere((found.marks == 2) & (pag.marks != 2))
    for i, j in arrows.tolist():
        assert found.nodes[j] not in dag.ancestors(found.nodes[i])
    for claim in claims:
        a, b = (
            (claim.subject, claim.object)
            if claim.relation == "not_ancestor"
            else (claim.object, claim.subject)
        )
        if found.has_edge(a, b):
            assert found.marks[found.index(b), found.index(a)] == 2
