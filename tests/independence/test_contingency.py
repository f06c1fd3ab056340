"""Contingency tables of many pairs at once, against scipy on each stratum of each pair."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from causalkit.independence import ChiSquare, GSquare
from causalkit.independence import _contingency as module


def by_stratum(codes, i, j, z, power):
    """Sum statistics and degrees of freedom over strata, with the levels that occur in each."""
    statistic = dof = 0.0
    for stratum in np.unique(codes[:, list(z)], axis=0):
        rows = codes[(codes[:, list(z)] == stratum).all(axis=1)]
        table = stats.contingency.crosstab(rows[:, i], rows[:, j]).count
        if min(table.shape) > 1:
            found = stats.chi2_contingency(table, correction=False, lambda_=power)
            statistic, dof = statistic + found.statistic, dof + found.dof
    return statistic, dof


@pytest.mark.parametrize(("test", "power"), [(GSquare, "log-likelihood"), (ChiSquare, "pearson")])
@pytest.mark.parametrize("sparse", [0, 16])
@pytest.mark.filterwarnings("ignore::causalkit.exceptions.ConstantColumnWarning")
@settings(max_examples=25, deadline=None)
@given(
    levels=st.lists(st.integers(2, 5), min_size=4, max_size=4), n=st.integers(10, 80), seed=st.integers(0, 99)
)
def test_against_scipy(test, power, sparse, levels, n, seed):
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.integers(0, k, n) for k in levels])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SPARSE", sparse)
        patch.setattr(module, "KEYS", 2 * n)
        for size in (0, 1, 2):
            z = tuple(range(4 - size, 4))
            pairs = list(combinations(range(4 - size), 2))
            for (i, j), result in zip(
                pairs, test().fit(codes).batch([(*pair, z) for pair in pairs]), strict=True
            ):
                statistic, dof = by_stratum(codes, i, j, z, power)
                assert result.statistic == pytest.approx(statistic, abs=1e-9)
                assert result.dof == dof
                assert result.p_value == pytest.approx(stats.chi2.sf(statistic, dof) if dof else 1.0)


def test_a_thousand_labels_need_no_table_of_all_cells():
    """A table of all cells would have 10^9 entries."""
    rng = np.random.default_rng(0)
    codes = np.column_stack([rng.integers(0, 1000, 3000) for _ in range(3)])
    assert 0 <= GSquare().fit(codes)(0, 1, (2,)).p_value <= 1
