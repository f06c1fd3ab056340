"""Tables with a graph: rows, environments, arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.datasets import GraphData
from causalkit.exceptions import DataError, ParameterError

FRAME = pd.DataFrame(
    {
        "lab": ["x", "y", "x", "y"],
        "b": [2.0, 4.0, 6.0, 8.0],
        "a": [1, 2, 3, 4],
        "day": [1, 1, 2, 1],
    }
)
DATA = GraphData(FRAME, CausalGraph.parse("a -> b"), ("lab", "day"), "made up")


def test_arrays_and_tables_have_the_order_of_the_graph():
    assert len(DATA) == 4
    np.testing.assert_array_equal(DATA.as_numpy(), FRAME[["a", "b"]].to_numpy(dtype=float))
    assert list(DATA.as_dataframe().columns) == ["a", "b", "lab", "day"]
    copied = DATA.as_dataframe()
    copied.loc[0, "a"] = 99
    assert FRAME.loc[0, "a"] == 1


def test_environments_are_the_values_of_all_contexts():
    found = {name: rows.tolist() for name, rows in DATA.environments().items()}
    assert found == {"x, 1": [0], "x, 2": [2], "y, 1": [1, 3]}
    assert sorted(row for rows in found.values() for row in rows) == [0, 1, 2, 3]


@pytest.mark.parametrize("rows", [[3, 0], np.array([3, 0]), np.array([True, False, False, True])])
def test_some_rows(rows):
    part = DATA.take(rows)
    assert sorted(part.frame["a"]) == [1, 4]
    assert list(part.frame.index) == [0, 1]
    assert (part.graph, part.contexts) == (DATA.graph, DATA.contexts)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: DATA.take([4]), ParameterError, "reach from 4 to 4; there are 4"),
        (lambda: DATA.take([-1]), ParameterError, "reach from -1"),
        (lambda: DATA.take([0.5]), ParameterError, "give positions"),
        (lambda: DATA.take([True]), ParameterError, "give positions"),
        (
            lambda: GraphData(FRAME, CausalGraph.parse("a -> b"), (), "").environments(),
            DataError,
            "no contexts",
        ),
        (lambda: GraphData(FRAME, CausalGraph.parse("a -> c"), (), "").as_numpy(), DataError, "'c' is in"),
        (lambda: GraphData(FRAME, CausalGraph.parse("a -> lab"), (), "").as_numpy(), DataError, "labels"),
    ],
)
def test_what_cannot_be(call, error, message):
    with pytest.raises(error, match=message):
        call()
