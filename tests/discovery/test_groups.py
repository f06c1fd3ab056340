"""Variables of several columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit import BackgroundKnowledge
from causalkit.discovery import CDNOD, PC
from causalkit.exceptions import DataError, ParameterError
from causalkit.independence import kci_test


def places(n=300, seed=0):
    """A place in the plane acts on the weather through its distance from a point, which neither coordinate shows alone."""
    rng = np.random.default_rng(seed)
    place = rng.normal(size=(n, 2))
    weather = np.hypot(*place.T) + 0.3 * rng.normal(size=n)
    mood = weather + 0.5 * rng.normal(size=n)
    return pd.DataFrame({"east": place[:, 0], "weather": weather, "north": place[:, 1], "mood": mood})


GROUPS = {"place": ["east", "north"]}


def test_a_group_is_one_node_and_its_tests_are_those_of_its_columns():
    frame = places()
    model = PC(ci_test="kci", groups=GROUPS).fit(frame)
    assert model.graph_.nodes == ("place", "weather", "mood")
    assert {frozenset((e.u, e.v)) for e in model.graph_.edges} == {
        frozenset(("place", "weather")),
        frozenset(("weather", "mood")),
    }
    record = next(iter(model.tests_.of("place", "mood")))
    expected = kci_test(frame[["east", "north"]], frame["mood"])
    assert record.p_value == pytest.approx(expected.p_value, rel=1e-6)


def test_order_of_columns_does_not_matter():
    frame = places()
    one = PC(ci_test="kci", groups=GROUPS).fit(frame).graph_
    other = PC(ci_test="kci", groups={"place": ["north", "east"]}).fit(
        frame[["mood", "north", "weather", "east"]]
    )
    assert one.equals(other.graph_, ignore_order=True)


def test_with_contexts_knowledge_and_driving_forces():
    rng = np.random.default_rng(0)
    k = np.arange(320) % 8
    level = 2 * rng.normal(size=(8, 2))
    pair = level[k] + rng.normal(size=(320, 2))
    y = pair.sum(axis=1) * (1 + rng.normal(size=8))[k] + rng.normal(size=320)
    frame = pd.DataFrame({"u": pair[:, 0], "v": pair[:, 1], "y": y, "site": [f"s{c}" for c in k]})
    knowledge = BackgroundKnowledge(forbidden=[("y", "pair")])
    model = CDNOD(groups={"pair": ["u", "v"]}, knowledge=knowledge).fit(frame, context="site")
    assert model.graph_.has_directed_edge("pair", "y")
    assert model.changing_ == ("pair", "y")
    assert model.driving_forces_["pair"].shape == (320, 3)
    assert "effect of pair" in model.forces_["y"].attribution
    free = CDNOD(groups={"pair": ["u", "v"]}, n_components=0).fit(frame, context="site")
    assert len(free.hypotheses_) == 2


@pytest.mark.parametrize(
    ("groups", "error", "match"),
    [
        ({"a": []}, ParameterError, "no columns"),
        ({"a": ["east", "nowhere"]}, DataError, "'nowhere'"),
        ({"a": ["east"], "b": ["east", "north"]}, ParameterError, "named twice"),
        ({"mood": ["east", "north"]}, ParameterError, "name of a column"),
    ],
)
def test_bad_groups(groups, error, match):
    with pytest.raises(error, match=match):
        PC(ci_test="kci", groups=groups).fit(places())


def test_only_tests_of_several_columns():
    with pytest.raises(ParameterError, match="kci"):
        PC(groups=GROUPS).fit(places())
    holed = places()
    holed.iloc[0, 0] = np.nan
    with pytest.raises(ParameterError, match="do not go together"):
        PC(ci_test="kci", groups=GROUPS, missing="testwise").fit(holed)
