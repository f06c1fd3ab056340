"""What driving forces claim: a test of change, verdicts, regimes, bands that hold, shares that do not hang on where zero is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from causalkit.discovery import CDNOD, KernelEmbedding, ParameterEmbedding, driving_force
from causalkit.discovery._cells import Cells
from causalkit.discovery._random_effects import Draws
from causalkit.discovery._regimes import Block, Record, grouped, recurring, stretched
from causalkit.exceptions import ParameterError

N = 400
TIME = np.arange(N) / N
TIME_480 = np.arange(480) / 480
FAST = ParameterEmbedding(n_basis=1)


def drive_of(shape, seed, rng):
    if shape == "sine":
        return np.sin(8 * TIME + seed)
    if shape == "walk":
        return np.cumsum(rng.normal(size=N)) * 1.5 / np.sqrt(N)
    return 1.5 * (TIME >= 0.4) if shape == "step" else 1.5 * ((TIME > 0.3) & (TIME < 0.7))


def domains(levels, rows, seed, noise="normal"):
    rng = np.random.default_rng(seed)
    k = np.repeat(np.arange(len(levels)), rows)
    x = rng.normal(size=len(k))
    e = rng.normal(size=len(k)) if noise == "normal" else rng.laplace(size=len(k)) / np.sqrt(2)
    return x, x + np.asarray(levels)[k] + 0.5 * e, [f"s{c:02d}" for c in k]


class TestRegimes:
    @pytest.mark.parametrize("number", [10, 20])
    @pytest.mark.parametrize("noise", ["normal", "laplace"])
    def test_one_where_nothing_changes(self, number, noise):
        """The cap K // 3 was returned whatever the data: 3 of 10 and 6 of 20."""
        found = [
            driving_force(y, k, x).regimes().max() + 1
            for x, y, k in (domains([0.0] * number, 40, s, noise) for s in range(10))
        ]
        assert found.count(1) >= 9
        assert max(found) <= 2

    @pytest.mark.parametrize("number", [10, 20])
    def test_two_where_there_are_two(self, number):
        levels, right = 1.5 * (np.arange(number) >= number * 0.4), 0
        for seed in range(10):
            x, y, k = domains(levels, 40, seed)
            regimes = driving_force(y, k, x).regimes()[::40]
            right += (
                len(set(regimes)) == 2 and (regimes == regimes[0]).tolist() == (levels == levels[0]).tolist()
            )
        assert right >= 8

    def test_a_regime_that_comes_back_is_the_same(self):
        rng = np.random.default_rng(0)
        x, e = rng.normal(size=(2, N))
        y = x + 1.5 * ((TIME > 0.3) & (TIME < 0.7)) + 0.5 * e
        found = driving_force(y, TIME, x, embedding=FAST)
        regimes = found.regimes()
        assert (regimes[0], regimes[N // 2], regimes[-1]) == (0, 1, 0)
        np.testing.assert_allclose(found.change_points(), [0.3, 0.7], atol=0.04)

    def test_cuts_are_the_best_of_all(self):
        record = tiny_record(9)

        def worth(cuts):
            labels = np.repeat(np.arange(3), np.diff([0, *cuts, 9]))
            return record.evidence_of_sets((labels == np.arange(3)[:, None]).astype(float)).sum()

        best = max(combinations(range(1, 9), 2), key=worth)
        np.testing.assert_array_equal(np.flatnonzero(np.diff(stretched(record, 3).labels)) + 1, best)

    def test_evidence_is_that_of_the_normal_law(self):
        """Of estimates with known noise and a common normal deviation: log N(s; 0, T 11' + V) - log N(s; 0, V)."""
        noise, values, spread = np.array([0.3, 1.0, 0.5]), np.array([1.0, -0.2, 0.4]), 0.7
        block = Block((1 / noise)[:, None, None], (values / noise)[:, None], np.array([[spread]]))
        joint = spread * np.ones((3, 3)) + np.diag(noise)
        right = -0.5 * (values @ np.linalg.solve(joint, values) + np.linalg.slogdet(joint)[1])
        right += 0.5 * (values**2 / noise + np.log(noise)).sum()
        total = block.precision.sum(0)[None], block.target.sum(0)[None]
        assert block.evidence(*total)[0] == pytest.approx(right)
        assert block.drifting(np.ones((3, 3)) + 1e-9 * np.eye(3)) == pytest.approx(right, abs=1e-6)

    def test_the_same_label_only_for_what_is_alike(self):
        record = tiny_record(4, values=np.array([0.0, 5.0, 0.1, 5.0]))
        assert recurring(record, np.arange(4)).tolist() == [0, 1, 0, 1]
        assert grouped(record, 2).labels.tolist() in ([0, 1, 0, 1], [1, 0, 1, 0])


def tiny_record(number, values=None):
    values = np.random.default_rng(0).normal(size=number) if values is None else values
    block = Block(np.full((number, 1, 1), 10.0), 10 * values[:, None], np.array([[4.0]]))
    k = np.repeat(np.arange(number), 10)
    cells = driving_force(np.arange(number * 10.0), TIME[: number * 10], embedding=FAST).record.cells
    assert cells.number == number, k
    return Record((block,), cells, 0.0, 0.001)


class TestVerdict:
    @pytest.mark.parametrize("shape", ["sine", "line"])
    def test_drift_has_no_change_points(self, shape):
        """Smooth drift had 2 to 7 of them."""
        drive = np.sin(8 * TIME) if shape == "sine" else 2 * TIME
        for seed in range(4):
            x, e = np.random.default_rng(seed).normal(size=(2, N))
            found = driving_force(x + drive + 0.5 * e, TIME, x, embedding=FAST)
            assert found.verdict == "drift"
            assert len(found.change_points()) == 0
            assert set(found.regimes()) == {0}

    def test_with_a_kernel_embedding_too(self):
        """It had 45 to 59."""
        x, e = np.random.default_rng(0).normal(size=(2, N))
        found = driving_force(x + np.sin(8 * TIME) + 0.5 * e, TIME, x, embedding=KernelEmbedding())
        assert found.verdict == "drift"
        assert len(found.change_points()) == 0

    def test_jumps(self):
        verdicts = []
        for seed in range(6):
            x, e = np.random.default_rng(seed).normal(size=(2, N))
            found = driving_force(x + 1.5 * (TIME >= 0.4) + 0.5 * e, TIME, x, embedding=FAST)
            verdicts.append(found.verdict)
            if found.verdict == "jumps":
                assert found.change_points() == pytest.approx([0.4], abs=0.04)
        assert verdicts.count("jumps") >= 5

    def test_p_values_hold_their_level(self):
        """At most 5 % where nothing changes, within what 60 draws can say; the smallest where much does."""
        found = [
            driving_force(y, k, x, embedding=FAST).p_value
            for x, y, k in (domains([0.0] * 8, 20, s) for s in range(60))
        ]
        assert np.mean(np.array(found) <= 0.05) <= 0.12
        x, y, k = domains([0.0, 2.0] * 4, 20, 0)
        assert driving_force(y, k, x).p_value == pytest.approx(1 / 500)


def coverage(shape, seed):
    rng = np.random.default_rng(seed)
    drive = drive_of(shape, seed, rng)
    x, e = rng.normal(size=(2, N))
    found = driving_force(x + drive + 0.5 * e, TIME, x, n_resamples=100, embedding=FAST)
    return held(found, drive / 0.5)


def held(found, truth):
    """Return for how many rows the band holds the truth, which has no sign and no zero."""
    one, (low, high) = found.components[:, 0], found.bands[:, :, 0]
    truth = truth - truth.mean()
    truth = truth * np.sign(truth @ one)
    return np.mean((low <= truth) & (truth <= high))


class TestBands:
    @pytest.mark.parametrize("shape", ["sine", "step", "walk", "regimes"])
    def test_they_hold_the_truth_in_nine_of_ten(self, shape):
        assert 0.8 <= np.mean([coverage(shape, seed) for seed in range(12)]) <= 0.97

    @pytest.mark.slow
    @pytest.mark.parametrize("shape", ["sine", "step", "walk", "regimes"])
    def test_they_hold_the_truth_over_two_hundred_draws(self, shape):
        assert 0.85 <= np.mean([coverage(shape, 1000 + seed) for seed in range(200)]) <= 0.95

    @pytest.mark.slow
    @pytest.mark.parametrize("what", ["level", "slope"])
    def test_over_domains_too(self, what):
        covered = []
        for seed in range(200):
            rng = np.random.default_rng(seed)
            k, drive = np.repeat(np.arange(10), 40), rng.normal(size=10)
            x, e = rng.normal(size=(2, 400))
            y = x + drive[k] * (1 if what == "level" else x) + 0.5 * e
            found = driving_force(y, [f"s{c}" for c in k], x, n_resamples=100, embedding=FAST)
            covered.append(held(found, drive[k] / 0.5))
        assert 0.85 <= np.mean(covered) <= 0.95

    def test_they_hold_their_own_estimate(self):
        x, y, k = domains([0.0, 1.0, -1.0, 2.0], 30, 0)
        found = driving_force(y, k, x, n_resamples=10, kernel="gaussian")
        assert (found.bands[0] <= found.components).all()
        assert (found.components <= found.bands[1]).all()

    def test_a_kernel_embedding_has_none(self):
        """Rows drawn again cover what was not smoothed away: bands that said 90 % held .60 of the truth."""
        x, y, k = domains([0.0, 1.0, -1.0, 2.0], 30, 0)
        with pytest.raises(ParameterError, match="has no posterior"):
            driving_force(y, k, x, n_resamples=10, embedding=KernelEmbedding())

    def test_missing_rows_leave_them(self):
        """They were dropped without a word."""
        x, y, k = domains([0.0, 2.0, -2.0, 1.0] * 3, 30, 0)
        frame = pd.DataFrame({"x": x, "y": y, "k": k})
        frame.loc[::7, "y"] = np.nan
        model = CDNOD(missing="testwise", n_resamples=20).fit(frame, context="k")
        low, high = model.forces_["y"].bands
        assert low.shape == model.forces_["y"].components.shape
        assert (low <= model.forces_["y"].components).all()
        assert (model.forces_["y"].components <= high).all()

    def test_paths_stray_between_cells_as_far_as_their_law_says(self):
        """A walk of rate q leaves the line over a step h by q h / 6 on average; a smooth path by little."""
        cells = driving_force(np.arange(480.0), TIME_480).cells
        *_, smoothest, rough, roughest = cells.between()
        assert smoothest < 1e-4
        assert rough == pytest.approx(2 / 0.1 / 48 / 6, rel=0.05)
        assert roughest == pytest.approx(2 / 1.0 / 48 / 6, rel=0.05)

    def test_a_plot_of_fewer_components_than_are_shown(self):
        """One component was asked for and two drawn; numbered sites are labelled by number, in their order."""
        x, y, k = domains([0.0, 2.0, -2.0, 1.0] * 3, 30, 0)
        frame = pd.DataFrame({"x": x, "y": y, "site": [int(c[1:]) for c in k]})
        model = CDNOD(n_components=1, column_types={"site": "categorical"}).fit(frame, context="site")
        curves = model.plot_driving_forces().axes[0]
        assert [t.get_text() for t in curves.get_xticklabels()] == [str(c) for c in range(12)]

    def test_draws_stray_by_what_lies_between_cells(self):
        draws = Draws(4000, np.random.default_rng(0), (0.0, 0.09))
        paths = np.zeros((4000, 3, 2))
        assert not draws.strayed(paths, 0, np.array([4.0, 1.0])).any()
        spread = draws.strayed(paths, 1, np.array([4.0, 1.0])).std(axis=(0, 1))
        np.testing.assert_allclose(spread, [0.6, 0.3], rtol=0.05)

    def test_bands_of_a_walk_are_wider_for_what_lies_between_cells(self, monkeypatch):
        rng = np.random.default_rng(3)
        walk, (x, e) = drive_of("walk", 3, rng), rng.normal(size=(2, N))

        def width():
            found = driving_force(x + walk + 0.5 * e, TIME, x, n_resamples=100, embedding=FAST)
            return np.mean(found.bands[1, :, 0] - found.bands[0, :, 0])

        whole = width()
        monkeypatch.setattr(Cells, "between", lambda cells: [0.0] * len(cells.paths()))
        assert width() < 0.95 * whole


class TestShares:
    @pytest.mark.parametrize("mean", [0.0, 3.0, 10.0, -40.0])
    def test_a_slope_that_changes_is_no_change_of_level(self, mean):
        """With a cause of mean 3 it read as level .9: lines that turn about 0 move at 3, and where the data are."""
        k = np.repeat(np.arange(10), 40)
        rng = np.random.default_rng(0)
        x = mean + rng.normal(size=400)
        y = (1 + rng.normal(size=10))[k] * x + 0.5 * rng.normal(size=400)
        found = driving_force(y, [f"s{c}" for c in k], x)
        assert found.attribution["effect of cause1"] > 0.8
        assert found.reference["cause1"] == pytest.approx(0.0, abs=1.0 if abs(mean) < 20 else 4.0)

    @pytest.mark.parametrize("mean", [0.0, 10.0])
    @pytest.mark.parametrize("shape", ["sine", "walk", "step"])
    def test_over_time(self, shape, mean):
        rng = np.random.default_rng(1)
        drive = drive_of(shape, 1, rng)
        x, e = mean + rng.normal(size=N), rng.normal(size=N)
        slope = driving_force((1 + drive) * x + 0.5 * e, TIME, x)
        level = driving_force(x + drive + 0.5 * e, TIME, x)
        assert slope.attribution["effect of cause1"] > 0.7
        assert slope.attribution["level"] < 0.3
        assert level.attribution["level"] > 0.8

    def test_with_other_causes(self):
        """Lines turn about a point of one of two causes; the other changes nothing."""
        k = np.repeat(np.arange(12), 40)
        rng = np.random.default_rng(0)
        x, z = 5 + rng.normal(size=480), 2 + rng.normal(size=480)
        y = (1 + rng.normal(size=12))[k] * x + np.sin(z) + 0.5 * rng.normal(size=480)
        found = driving_force(y, [f"s{c}" for c in k], np.column_stack([x, z]))
        assert found.attribution["effect of cause1"] > 0.8
        assert found.reference["cause1"] == pytest.approx(0.0, abs=1.0)
        assert found.reference["cause2"] == pytest.approx(z.mean())

    def test_the_zero_of_a_cause_does_not_matter(self):
        x, y, k = domains(np.linspace(-1, 1, 8), 40, 0)
        one, other = driving_force(y, k, x), driving_force(y, k, x + 100)
        assert one.attribution == pytest.approx(other.attribution, abs=1e-6)
        assert other.reference["cause1"] - one.reference["cause1"] == pytest.approx(100)
        assert one.attribution["level"] > 0.8

    def test_no_share_where_nothing_changes(self):
        x, y, k = domains([0.0] * 8, 40, 1)
        found = driving_force(y, k, x)
        assert found.p_value > 0.05
        assert found.attribution == {}
        assert not found.explained.any()
        assert found.verdict == "nothing"
