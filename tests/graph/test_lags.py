"""Stationary graphs: steps written out say the same as an endless past."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph, Mark
from causalkit.exceptions import GraphError, GraphKindError, ParameterError
from causalkit.strength import causal_strength, identify


def stationary(arrows, names="ab"):
    """Return a graph from arrows (cause, effect, lag)."""
    strings = np.full((len(names), len(names), 1 + max(lag for *_, lag in arrows)), "", dtype="<U3")
    for cause, effect, lag in arrows:
        i, j = names.index(cause), names.index(effect)
        strings[i, j, lag] = "-->"
        if lag == 0:
            strings[j, i, 0] = "<--"
    return CausalGraph.from_tigramite(strings, list(names))


def written_out(arrows, names, steps):
    """Return a long DAG whose beginning is far away."""

    def node(name, lag):
        return name if lag == 0 else f"{name}[{-lag}]"

    lines = [
        f'"{node(cause, k + lag)}" -> "{node(effect, k)}"'
        for k in range(steps + 1)
        for cause, effect, lag in arrows
        if k + lag <= steps
    ]
    lines += [f'"{node(name, k)}"' for k in range(steps + 1) for name in names]
    return CausalGraph.parse("\n".join(lines))


WORLDS = [
    ("ab", [("a", "b", 1), ("a", "a", 1), ("b", "b", 1)]),
    ("ab", [("a", "b", 0), ("a", "a", 2)]),
    ("abc", [("a", "b", 1), ("a", "c", 2), ("c", "c", 1)]),
    ("abc", [("a", "b", 0), ("b", "c", 1), ("c", "a", 1)]),
    ("ab", [("a", "b", 2)]),
    ("abc", [("a", "b", 3), ("a", "c", 1)]),
]


@pytest.mark.parametrize(("names", "arrows"), WORLDS)
@pytest.mark.parametrize("more", [0, 1])
def test_separations_are_those_of_a_long_past(names, arrows, more):
    graph = stationary(arrows, names)
    window, long = graph.unroll(graph.max_lag + more), written_out(arrows, names, 16)
    nodes = list(window.nodes)
    for x, y in combinations(nodes, 2):
        others = [n for n in nodes if n not in (x, y)][:6]
        for given in chain.from_iterable(combinations(others, k) for k in range(4)):
            assert window.separated(x, y, given) == long.separated(x, y, given), (x, y, given)


@pytest.mark.parametrize(("names", "arrows"), WORLDS)
def test_it_is_the_latent_projection_of_a_long_past(names, arrows):
    graph = stationary(arrows, names)
    window, long = graph.unroll(graph.max_lag), written_out(arrows, names, 16)
    projected = long.to_admg([n for n in long.nodes if n not in window.nodes])
    assert projected.reorder(window.nodes).with_kind(window.kind) == window


def test_a_stationary_graph_is_not_asked_about_paths():
    graph = stationary([("a", "b", 1), ("a", "a", 1), ("b", "b", 1)])
    for ask in (
        lambda: graph.separated("a[-1]", "b[-1]"),
        lambda: graph.minimal_separator("a[-1]", "b[-1]"),
        lambda: identify(graph, "a[-1]", "b"),
    ):
        with pytest.raises(GraphError, match="unroll"):
            ask()
    assert not graph.unroll(1).separated("a[-1]", "b[-1]")
    assert identify(graph.unroll(2), "a[-1]", "b").adjustment_set == ("b[-1]",)


def test_an_effect_over_time_is_estimated():
    """A vector autoregression whose cross effect is .5: the truncated graph gave 1.4."""
    rng = np.random.default_rng(0)
    n, a, b = 4000, np.zeros(4001), np.zeros(4001)
    for t in range(1, n + 1):
        a[t] = 0.8 * a[t - 1] + rng.normal()
        b[t] = 0.5 * a[t - 1] + 0.8 * b[t - 1] + rng.normal()
    graph = stationary([("a", "b", 1), ("a", "a", 1), ("b", "b", 1)]).unroll(2)
    frame = pd.DataFrame(
        {"a": a[2:], "b": b[2:], "a[-1]": a[1:-1], "b[-1]": b[1:-1], "a[-2]": a[:-2], "b[-2]": b[:-2]}
    )
    found = causal_strength(
        graph, "a[-1]", "b", data=frame, cause_values=(0, 1), estimator="gcomp", n_resamples=20
    )
    assert found.value == pytest.approx(0.5, abs=0.06)


def test_marks_by_lag():
    graph = stationary([("a", "b", 1), ("a", "a", 2), ("a", "b", 0)])
    marks = graph.to_lagged_marks()
    assert marks.shape == (2, 2, 3)
    assert graph.max_lag == 2
    assert marks[0, 1, 1] == marks[0, 0, 2] == marks[0, 1, 0] == Mark.ARROW
    assert marks[1, 0, 0] == Mark.TAIL
    assert (marks > 0).sum() == 4
    plain = CausalGraph.parse("A -> B")
    np.testing.assert_array_equal(plain.to_lagged_marks()[:, :, 0], plain.marks)


def test_what_cannot_be_written_out():
    graph = stationary([("a", "b", 2)])
    with pytest.raises(ParameterError, match="at least 2"):
        graph.unroll(1)
    strings = np.full((2, 2, 2), "", dtype="<U3")
    strings[0, 1, 1] = "o->"
    with pytest.raises(GraphKindError, match="DAG"):
        CausalGraph.from_tigramite(strings, kind="PAG").unroll(2)
    lost = CausalGraph.parse("x -> y").with_node_data("x", lag=-1, variable="z")
    with pytest.raises(GraphError, match="'z' has a node with a lag"):
        lost.to_lagged_marks()
