"""Missing values: each test on the rows that are complete in its columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from causalkit.discovery import CDNOD, PC, driving_force
from causalkit.exceptions import DataError, ParameterError
from causalkit.independence import FisherZ, TestwiseDeletion, kci_test


def holed(n=300, seed=0):
    """A -> B -> C; a tenth of the entries is missing at random, and C has labels."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = a + 0.5 * rng.normal(size=n)
    c = np.where(b + 0.5 * rng.normal(size=n) > 0, "high", "low").astype(object)
    frame = pd.DataFrame({"A": a, "B": b, "C": c})
    return frame.mask(rng.random(frame.shape) < 0.1)


class TestTests:
    def test_each_test_uses_the_complete_rows_of_its_columns(self):
        frame = holed()
        test = TestwiseDeletion("kci").fit(frame)
        for i, j, given in ((0, 1, ()), (0, 2, (1,)), (1, 2, ())):
            rows = frame.iloc[:, [i, j, *given]].dropna().index
            part = frame.loc[rows]
            z = part.iloc[:, list(given)] if given else None
            expected = kci_test(part.iloc[:, i], part.iloc[:, j], z)
            found = test(i, j, given)
            assert found.n == len(rows)
            assert found.p_value == pytest.approx(expected.p_value, rel=1e-9)

    def test_batches_and_single_tests_agree(self):
        data = np.random.default_rng(0).normal(size=(80, 4))
        data[:20, 0], data[10:40, 2] = np.nan, np.nan
        triples = [(0, 1, ()), (1, 3, ()), (0, 2, (3,)), (1, 3, (2,)), (2, 3, ())]
        test = TestwiseDeletion("fisher_z").fit(data)
        together = test.batch(triples)
        assert [r.n for r in together] == [60, 80, 40, 50, 50]
        assert together == [test(*t) for t in triples]

    def test_without_holes_it_is_the_test_itself(self):
        data = np.random.default_rng(0).normal(size=(80, 3))
        assert TestwiseDeletion("fisher_z").fit(data)(0, 1, (2,)) == FisherZ().fit(data)(0, 1, (2,))

    def test_too_few_rows_together(self):
        data = np.random.default_rng(0).normal(size=(40, 2))
        data[:20, 0], data[15:, 1] = np.nan, np.nan
        with pytest.raises(DataError, match="X1, X2 are complete together in only 0 rows"):
            TestwiseDeletion("fisher_z").fit(data)(0, 1)

    def test_a_column_without_any_value(self):
        data = np.column_stack([np.full(30, np.nan), np.arange(30.0)])
        with pytest.raises(DataError, match="no value at all"):
            TestwiseDeletion("fisher_z").fit(data)


class TestSearches:
    def test_holes_are_an_error_unless_allowed(self):
        with pytest.raises(DataError, match="missing"):
            PC(ci_test="kci").fit(holed())
        with pytest.raises(ParameterError, match="missing"):
            PC(missing="impute").fit(holed())

    @pytest.mark.parametrize("container", [lambda f: f, lambda f: pl.from_pandas(f)])
    def test_pc_finds_the_chain_and_says_how_many_rows_each_test_used(self, container):
        frame = holed()
        model = PC(ci_test="kci", missing="testwise").fit(container(frame))
        assert {frozenset((e.u, e.v)) for e in model.graph_.edges} == {frozenset("AB"), frozenset("BC")}
        table = model.tests_.to_pandas()
        first = table[(table.x == "A") & (table.y == "B") & (table.given == ())]
        assert first["n"].item() == len(frame[["A", "B"]].dropna())

    def test_more_is_found_than_in_complete_rows(self):
        """With six columns that each miss a fifth, a quarter of the rows is complete, and pairs have two thirds."""
        rng = np.random.default_rng(1)
        data = rng.normal(size=(200, 6))
        data[:, 1] += 0.4 * data[:, 0]
        data[rng.random(data.shape) < 0.2] = np.nan
        used = PC(missing="testwise", max_cond_size=0).fit(data).tests_.to_pandas()["n"]
        assert used.min() > 1.5 * (~np.isnan(data).any(axis=1)).sum()

    def test_cdnod_with_driving_forces(self):
        rng = np.random.default_rng(0)
        k = np.arange(240) % 8
        a = (2 * rng.normal(size=8))[k] + rng.normal(size=240)
        b = (1 + rng.normal(size=8))[k] * a + rng.normal(size=240)
        frame = pd.DataFrame({"a": a, "b": b}).mask(rng.random((240, 2)) < 0.1)
        frame["site"] = [f"s{c}" for c in k]
        model = CDNOD(missing="testwise").fit(frame, context="site")
        assert set(model.changing_) == {"a", "b"}
        for force in model.driving_forces_.values():
            assert force.shape == (240, 3)
            assert np.isfinite(force).all()
            np.testing.assert_allclose(force[0], force[8])

    def test_driving_forces_are_those_of_the_complete_rows(self):
        """What stands in for a missing value is never looked at."""
        rng = np.random.default_rng(0)
        site = np.array([f"s{c}" for c in np.arange(240) % 8])
        a = (2 * rng.normal(size=8))[np.arange(240) % 8] + rng.normal(size=240)
        frame = pd.DataFrame({"a": a, "b": rng.normal(size=240), "site": site})
        frame.loc[rng.random(240) < 0.3, "a"] = np.nan
        model = CDNOD(missing="testwise").fit(frame, context="site")
        whole = frame["a"].notna()
        expected = driving_force(frame.loc[whole, "a"].to_numpy(), site[whole])
        np.testing.assert_allclose(model.driving_forces_["a"][whole], expected.components, atol=1e-9)

    def test_a_context_must_be_complete(self):
        frame = holed().assign(site=["a", "b", None] * 100)
        with pytest.raises(DataError, match="context 'site' is missing in 100 rows"):
            CDNOD(missing="testwise").fit(frame, context="site")
