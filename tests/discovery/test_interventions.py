"""Experiments whose targets are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit import BackgroundKnowledge
from causalkit.discovery import CDNOD
from causalkit.exceptions import DataError, ParameterError

TARGETS = {"drug": ["A"], "heat": "B"}


def experiments(n=150, seed=0):
    """A -> B -> C; one experiment shifts A, one changes B's slope, one does nothing."""
    rng = np.random.default_rng(seed)
    label = np.repeat(["none", "drug", "heat"], n)
    a = 1.5 * (label == "drug") + rng.normal(size=3 * n)
    b = np.where(label == "heat", -1.0, 1.0) * a + 1.5 * (label == "heat") + 0.6 * rng.normal(size=3 * n)
    return pd.DataFrame({"A": a, "B": b, "C": b + 0.6 * rng.normal(size=3 * n), "experiment": label})


def test_known_targets_orient_what_one_context_leaves_open():
    frame = experiments()
    blind = CDNOD(n_components=0).fit(frame, context="experiment")
    assert blind.graph_.undirected_neighbors("A") == ("B",)
    model = CDNOD(targets=TARGETS, n_components=1).fit(frame, context="experiment")
    assert model.context_names_ == ("experiment=drug", "experiment=heat")
    assert model.graph_.has_directed_edge("experiment=drug", "A")
    assert not model.graph_.has_edge("experiment=drug", "B")
    for cause, effect in ("AB", "BC"):
        assert model.graph_.has_directed_edge(cause, effect)
    assert model.orientation_["experiment=heat", "B"].rule in ("knowledge", "context")
    assert model.changing_ == ("A", "B")
    assert set(model.contexts_["experiment=drug"]) == {"no", "yes"}
    assert set(model.driving_forces_) == {"A", "B"}


def test_other_knowledge_is_kept():
    knowledge = BackgroundKnowledge(forbidden=[("B", "C"), ("C", "B")])
    model = CDNOD(targets=TARGETS, knowledge=knowledge, n_components=0).fit(
        experiments(), context="experiment"
    )
    assert not model.graph_.has_edge("B", "C")


@pytest.mark.parametrize(
    ("targets", "error", "match"),
    [
        ({"drug": ["Z"]}, ParameterError, "'Z'"),
        ({"cold": ["A"]}, DataError, "'cold'"),
        ({"drug": []}, ParameterError, "no target"),
    ],
)
def test_bad_targets(targets, error, match):
    with pytest.raises(error, match=match):
        CDNOD(targets=targets).fit(experiments(), context="experiment")


def test_targets_need_labels():
    frame = experiments().assign(time=np.arange(450.0))
    with pytest.raises(ParameterError, match="single context of labels"):
        CDNOD(targets=TARGETS).fit(frame.drop(columns="experiment"), context="time")
