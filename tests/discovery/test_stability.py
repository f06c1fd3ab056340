"""Resampled searches and the path of levels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from causalkit.discovery import CDNOD, PC, Resampling, Stability, alpha_path
from causalkit.exceptions import ParameterError
from causalkit.graph import CausalGraph
from causalkit.independence import FisherZ


def chain(n=300, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = a + rng.normal(size=n)
    return pd.DataFrame({"A": a, "B": b, "C": b + rng.normal(size=n), "D": rng.normal(size=n)})


class TestDraws:
    def test_pairs_of_halves_share_no_row(self):
        draws = Resampling(n_resamples=6).draws(np.zeros(101, dtype=int), None)
        assert len(draws) == 6
        for first, second in zip(draws[::2], draws[1::2], strict=True):
            assert len(first) == len(second) == 50
            assert not set(first) & set(second)
            assert np.all(np.diff(first) > 0)

    def test_domains_keep_their_share(self):
        strata = np.repeat([0, 1, 2], [20, 60, 200])
        for scheme, shares in (("subsample", [10, 30, 100]), ("bootstrap", [20, 60, 200])):
            for rows in Resampling(n_resamples=4, scheme=scheme).draws(strata, None):
                assert np.bincount(strata[rows]).tolist() == shares

    def test_time_is_drawn_in_blocks(self):
        """Rows of a block stay together in time, in whatever order they come."""
        time = np.random.default_rng(0).permutation(200).astype(float)
        for rows in Resampling(n_resamples=4, block_length=10).draws(np.zeros(200, dtype=int), time):
            blocks = np.bincount((time[rows] // 10).astype(int), minlength=20)
            assert set(blocks) == {0, 10}

    def test_seeds_and_larger_fractions(self):
        strata = np.zeros(50, dtype=int)
        one, same, other = (Resampling(n_resamples=2, random_state=s).draws(strata, None) for s in (1, 1, 2))
        assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
        assert not np.array_equal(one[0], other[0])
        assert [len(r) for r in Resampling(n_resamples=3, fraction=0.8).draws(strata, None)] == [40] * 3

    @pytest.mark.parametrize(
        "wrong", [{"n_resamples": 0}, {"scheme": "jackknife"}, {"fraction": 1.5}, {"block_length": 0}]
    )
    def test_parameters(self, wrong):
        with pytest.raises(ParameterError):
            Resampling(**wrong)

    def test_not_a_resampling(self):
        with pytest.raises(ParameterError, match="resampling"):
            PC(resampling=100).fit(chain())


class TestStability:
    def test_counts(self):
        texts = ["A -> B; C", "A -> B; C", "B -> A; C", "A, B, C; B --- C"]
        graphs = [CausalGraph.parse(f"A, B, C; {t}" if "," not in t else t, kind="PDAG") for t in texts]
        found = Stability.of(graphs)
        np.testing.assert_allclose(found.frequencies.sum(axis=2), 1)
        assert found.edge("A", "B") == {"A -> B": 0.5, "B -> A": 0.25, "A --- B": 0.0, "none": 0.25}
        assert found.edge("C", "B")["C --- B"] == 0.25
        assert found.selected(0.7) == (("A", "B"),)
        assert found.expected_false_edges(0.75) == pytest.approx((0.75 + 0.25) ** 2 / (0.5 * 3))
        with pytest.raises(ParameterError, match="'Q'"):
            found.edge("A", "Q")
        with pytest.raises(ParameterError):
            found.selected(0.4)

    @pytest.mark.parametrize("container", [lambda f: f, pl.from_pandas, lambda f: f.to_numpy()])
    def test_a_chain(self, container):
        model = PC(resampling=Resampling(n_resamples=10)).fit(container(chain()))
        nodes = model.graph_.nodes
        assert model.stability_.names == nodes
        assert set(model.stability_.selected(0.8)) == {nodes[:2], nodes[1:3]}
        frame = model.stability_.to_pandas()
        assert frame["edge"].is_monotonic_decreasing
        assert (frame[["u_to_v", "v_to_u", "undirected"]].sum(axis=1) - frame["edge"]).abs().max() < 1e-12

    def test_with_contexts_of_every_sort(self):
        frame = chain()
        frame["site"] = np.tile(["a", "b", "c"], 100)
        frame.loc[frame["site"] == "a", "A"] += 4
        how = Resampling(n_resamples=4)
        fast = {"ci_test": "fisher_z", "n_components": 0, "resampling": how}
        by_name = CDNOD(resampling=how, n_components=0, max_cond_size=1).fit(
            frame[["A", "B", "site"]], context="site"
        )
        apart = CDNOD(resampling=how, n_components=0, max_cond_size=1).fit(
            frame[["A", "B"]], context=frame["site"]
        )
        assert np.array_equal(by_name.stability_.frequencies, apart.stability_.frequencies)
        assert by_name.stability_.arrows[by_name.graph_.index("site"), 0] == 1
        by_row = CDNOD(**fast).fit(frame[["A", "B", "C"]])
        assert by_row.stability_.names == ("A", "B", "C", "time")
        assert CDNOD(n_components=0, ci_test="fisher_z").fit(frame[["A", "B"]]).stability_ is None

    def test_more_processes_change_nothing(self):
        how = Resampling(n_resamples=4)
        one, two = (PC(resampling=how, n_jobs=k).fit(chain()).stability_ for k in (1, 2))
        assert np.array_equal(one.frequencies, two.frequencies)

    def test_figure(self):
        figure = PC(resampling=Resampling(n_resamples=6)).fit(chain()).stability_.plot()
        assert "B – C" in [t.get_text() for t in figure.axes[0].get_yticklabels()]
        nothing = Stability.of([CausalGraph.parse("A, B", kind="PDAG")])
        with pytest.raises(ParameterError, match="nothing to plot"):
            nothing.plot()


class TestAlphaPath:
    def test_graphs_are_those_of_single_searches_and_tests_are_done_once(self):
        class Counting(FisherZ):
            asked = 0

            def batch(self, triples):
                triples = list(triples)
                Counting.asked += len(triples)
                return super().batch(triples)

        frame = chain()
        path = alpha_path(PC(ci_test=Counting()), frame, alphas=(0.2, 0.01, 0.05))
        assert list(path.graphs) == [0.01, 0.05, 0.2]
        for alpha, graph in path.graphs.items():
            assert graph == PC(alpha=alpha).fit(frame).graph_
        most = max(PC(alpha=a).fit(frame).n_tests_ for a in path.graphs)
        assert Counting.asked <= 1.5 * most
        table = path.to_pandas()
        assert list(table.columns) == [0.01, 0.05, 0.2]
        assert table.loc["A – B"].tolist() == ["A --- B"] * 3

    def test_with_a_context(self):
        frame = chain(150)[["A", "B"]].assign(site=np.tile(["a", "b", "c"], 50))
        path = alpha_path(CDNOD(n_components=0), frame, context="site", alphas=(0.01, 0.05))
        assert path.graphs[0.05].nodes == ("A", "B", "site")
