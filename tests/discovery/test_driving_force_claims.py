"""What driving forces claim: a test of change, verdicts, regimes, bands that hold, shares that do not hang on where zero is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from causalkit.discovery import KernelEmbedding, ParameterEmbedding, driving_force
from causalkit.discovery._regimes import Block, Record, grouped, recurring, stretched

N = 400
TIME = np.arange(N) / N
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


class TestBands:
    @pytest.mark.parametrize("shape", ["sine", "step", "walk", "regimes"])
    def test_they_hold_the_truth_in_nine_of_ten(self, shape):
        covered = []
        for seed in range(12):
            rng = np.random.default_rng(seed)
            drive = drive_of(shape, seed, rng)
            x, e = rng.normal(size=(2, N))
            found = driving_force(x + drive + 0.5 * e, TIME, x, n_resamples=100, embedding=FAST)
            one, (low, high) = found.components[:, 0], found.bands[:, :, 0]
            truth = (drive - drive.mean()) / 0.5
            truth = truth * np.sign(truth @ one)
            covered.append(np.mean((low <= truth) & (truth <= high)))
            assert ((low <= one) & (one <= high)).all()
        assert 0.8 <= np.mean(covered) <= 0.97

    @pytest.mark.parametrize("options", [{"kernel": "gaussian"}, {"embedding": KernelEmbedding()}])
    def test_they_hold_their_own_estimate(self, options):
        x, y, k = domains([0.0, 1.0, -1.0, 2.0], 30, 0)
        found = driving_force(y, k, x, n_resamples=10, **options)
        assert (found.bands[0] <= found.components).all()
        assert (found.components <= found.bands[1]).all()


class TestShares:
    @pytest.mark.parametrize("mean", [0.0, 3.0])
    def test_a_slope_that_changes_is_no_change_of_level(self, mean):
        """With a cause of mean 3 it read as level .9: lines that turn about 0 move at 3."""
        k = np.repeat(np.arange(10), 40)
        rng = np.random.default_rng(0)
        x = mean + rng.normal(size=400)
        y = (1 + rng.normal(size=10))[k] * x + 0.5 * rng.normal(size=400)
        found = driving_force(y, [f"s{c}" for c in k], x)
        assert found.attribution["effect of cause1"] > 0.8
        assert found.reference["cause1"] == pytest.approx(0.0, abs=1.0)

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
        assert found.verdict == "nothing"
