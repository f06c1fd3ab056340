"""Contexts of every sort: domains, time, cycles, and several at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit._validation import read_table
from causalkit.discovery import CDNOD, driving_force
from causalkit.discovery._cells import Cells
from causalkit.discovery._contexts import ContextPoints
from causalkit.exceptions import DataError, ParameterError
from causalkit.independence import KCI, Circle, Cyclic, FisherZ, kci_test


class TestCyclicColumns:
    def test_the_kernel_is_the_gaussian_kernel_on_a_circle(self):
        phases = np.array([[0.0], [0.25], [0.999]])
        gram = Circle(0.7)(phases)
        assert gram[0, 2] == pytest.approx(1, abs=1e-4)
        assert gram[0, 1] == pytest.approx(np.exp(-2 / (2 * 0.49)))

    def test_the_year_has_no_edge(self):
        """December is next to January: a test given the month does not depend on where the year begins."""
        rng = np.random.default_rng(0)
        month = rng.uniform(0, 12, size=300)
        season = 2 * np.cos(2 * np.pi * month / 12)
        x, y = season + rng.normal(size=300), season + rng.normal(size=300)
        assert kci_test(x, y).p_value < 1e-6
        found = [kci_test(x, y, (month + s) % 12, z_types=[Cyclic(12)]) for s in (0, 5)]
        assert found[0].p_value > 0.05
        assert found[0].p_value == pytest.approx(found[1].p_value, abs=0.01)

    def test_dependence_on_a_phase_is_seen(self):
        rng = np.random.default_rng(1)
        hour = rng.uniform(0, 24, size=200)
        table = np.column_stack([0.8 * np.cos(2 * np.pi * hour / 24) + rng.normal(size=200), hour])
        test = KCI(column_types=["continuous", Cyclic(24)]).fit(table)
        assert test(0, 1).p_value < 1e-3

    def test_level_given_a_cycle(self):
        """Two variables that follow the season in their own ways are independent given it."""
        rejected = 0
        for seed in range(60):
            rng = np.random.default_rng(seed)
            phase = rng.uniform(0, 1, size=200)
            x, y = (2 * np.cos(2 * np.pi * (phase + rng.random())) + rng.normal(size=200) for _ in "xy")
            rejected += kci_test(x, y, phase, z_types=[Cyclic(1)]).p_value < 0.05
        assert rejected <= 9

    def test_bad_declarations(self):
        data = np.random.default_rng(0).normal(size=(30, 2))
        with pytest.raises(ParameterError, match="period"):
            Cyclic(0)
        with pytest.raises(ParameterError, match="Cyclic"):
            KCI(column_types=["continuous", "cyclic"]).fit(data)
        with pytest.raises(DataError, match="cyclic"):
            FisherZ(column_types=["continuous", Cyclic(1)]).fit(data)


class TestTime:
    @pytest.mark.parametrize("cycles", [1, 3, 12])
    def test_slow_and_fast_changes_are_seen(self, cycles):
        """One width sees one of the two; the mean of four sees both."""
        rng = np.random.default_rng(cycles)
        time = np.arange(600.0)
        x = np.sqrt(2) * np.sin(2 * np.pi * cycles * time / 600) + rng.normal(size=600)
        test = KCI(column_types=["continuous", "time"]).fit(np.column_stack([x, time]))
        assert test(0, 1).p_value < 0.01
        if cycles == 12:
            single = KCI(width=0.5, column_types=["continuous", "time"]).fit(np.column_stack([x, time]))
            assert single(0, 1).p_value > 0.05


def seasonal(n=480, seed=0):
    """a follows the season, b the trend, c both ways through its slope on a."""
    rng = np.random.default_rng(seed)
    day = np.arange(n)
    season, trend = np.cos(2 * np.pi * day / 60), np.sin(3 * day / n)
    a = 1.5 * season + rng.normal(size=n)
    b = 2 * trend + rng.normal(size=n)
    return pd.DataFrame(
        {"a": a, "b": b, "c": a + b + 0.5 * rng.normal(size=n), "day": day, "phase": day % 60}
    )


class TestSeveralContexts:
    def test_trend_and_season(self):
        """Each variable is joined to the context that acts on it."""
        model = CDNOD(
            column_types={"day": "time", "phase": Cyclic(60)}, independent_change=None, n_components=1
        ).fit(seasonal(), context=["day", "phase"])
        assert model.graph_.has_directed_edge("phase", "a")
        assert not model.graph_.has_edge("day", "a")
        assert model.graph_.has_directed_edge("day", "b")
        assert not model.graph_.has_edge("phase", "b")
        assert model.changing_ == ("a", "b")
        assert model.column_types_["phase"] == "cyclic"
        np.testing.assert_allclose(model.contexts_["phase"], seasonal()["phase"], atol=1e-9)

    def test_site_and_time(self):
        rng = np.random.default_rng(0)
        site, time = np.repeat(["p", "q", "r"], 120), np.tile(np.arange(120.0), 3)
        a = np.array([-2, 0, 2])[np.repeat([0, 1, 2], 120)] + rng.normal(size=360)
        b = 2 * np.sin(time / 15) + rng.normal(size=360)
        frame = pd.DataFrame({"a": a, "b": b, "site": site, "time": time})
        model = CDNOD(column_types={"time": "time"}).fit(frame, context=["site", "time"])
        assert model.graph_.has_directed_edge("site", "a")
        assert model.graph_.has_directed_edge("time", "b")
        assert not model.graph_.has_edge("site", "b")
        assert not model.graph_.has_edge("time", "a")
        assert {name: f.shape for name, f in model.driving_forces_.items()} == {"a": (360, 3), "b": (360, 3)}


class TestCellsOfACycle:
    def test_neighbours_go_round(self):
        phase = np.linspace(0, 0.999, 200)
        cells = Cells.of(ContextPoints.of(read_table(phase[:, None], [Cyclic(1)])))
        gram = cells.kernels()[1]
        assert cells.is_cycle
        assert gram[0, -1] == pytest.approx(gram[0, 1])

    def test_driving_force_of_a_season(self):
        rng = np.random.default_rng(0)
        hour = rng.uniform(0, 24, size=400)
        y = 2 * np.cos(2 * np.pi * hour / 24) + rng.normal(size=400)
        table = read_table(hour[:, None], [Cyclic(24)], names=["hour"])
        from causalkit.discovery._driving_force import ForceMethod, mechanism_force
        from causalkit.discovery._mechanism_parameters import ParameterEmbedding

        points = ContextPoints.of(table)
        found = mechanism_force(
            read_table(y[:, None]), "X1", [], points, ForceMethod(ParameterEmbedding()), rng
        )
        first = found.components[:, 0]
        assert abs(np.corrcoef(first, np.cos(2 * np.pi * hour / 24))[0, 1]) > 0.97
        ends = found.at([0.0, 23.999])[:, 0]
        assert ends[0] == pytest.approx(ends[1], abs=0.05)


def test_unknown_domain_of_a_driving_force():
    found = driving_force(np.arange(40.0), np.repeat(["a", "b"], 20))
    with pytest.raises(DataError, match="known are 'a', 'b'"):
        found.at(["c"])
