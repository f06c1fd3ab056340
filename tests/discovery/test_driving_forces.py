"""Driving forces: recovered drives, jumps, regimes, bands, attribution, other contexts, the figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit.discovery import CDNOD, KernelEmbedding, driving_force
from causalkit.exceptions import DataError, ParameterError

N = 400
TIME = np.arange(N) / N


def smooth_drive(rng, length=0.15):
    kernel = np.exp(-((TIME[:, None] - TIME) ** 2) / (2 * length**2)) + 1e-8 * np.eye(N)
    return np.linalg.cholesky(kernel) @ rng.normal(size=N)


def effect_of(what, drive, rng):
    """Return a cause, and an effect of which one parameter follows the drive."""
    x, e = rng.normal(size=(2, N))
    if what == "level":
        return x, x + drive + 0.5 * e
    if what == "effect of cause1":
        return x, drive * x + 0.5 * e
    return x, x + 0.5 * np.exp(0.7 * drive) * e


def r_squared(components, drive):
    design = np.column_stack([np.ones(len(drive)), components])
    fit = design @ np.linalg.lstsq(design, drive, rcond=None)[0]
    return 1 - np.var(drive - fit) / np.var(drive)


@pytest.mark.parametrize(("what", "least"), [("level", 0.9), ("effect of cause1", 0.9), ("scale", 0.8)])
def test_smooth_drives_are_recovered_and_named(what, least):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        drive = smooth_drive(rng)
        x, y = effect_of(what, drive, rng)
        found = driving_force(y, TIME, x)
        assert r_squared(found.components, drive) > least
        assert max(found.attribution, key=found.attribution.get) == what
        assert found.attribution[what] > 0.8
        assert sum(found.attribution.values()) == pytest.approx(1)
        assert found.explained.sum() == pytest.approx(1)


@pytest.mark.parametrize("what", ["level", "effect of cause1", "scale"])
def test_a_jump_is_located_within_a_twentieth_of_the_rows(what):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        place = rng.integers(80, 320)
        x, y = effect_of(what, 1.5 * (np.arange(N) >= place), rng)
        found = driving_force(y, np.arange(float(N)), x)
        assert abs(found.change_points(1)[0] - place) <= N / 20
        regimes = found.regimes(2)
        assert set(regimes[: place - 20]) == {0}
        assert set(regimes[place + 20 :]) == {1}


def test_a_jump_is_one_jump():
    """The number of jumps is chosen on parameters that were not smoothed: a smoothed step is a slope, which falls into many pieces."""
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        x, y = effect_of("level", 1.5 * (np.arange(N) >= rng.integers(80, 320)), rng)
        found.append(len(driving_force(y, np.arange(float(N)), x).change_points()))
    assert found.count(1) >= 5
    assert max(found) <= 4


def test_kernel_embedding_recovers_too_and_has_no_names():
    rng = np.random.default_rng(3)
    drive = smooth_drive(rng)
    x, y = effect_of("level", drive, rng)
    found = driving_force(y, TIME, x, embedding=KernelEmbedding(), kernel="gaussian")
    assert r_squared(found.components, drive) > 0.9
    assert found.attribution == {}
    assert len(found.eigenvalues) == 300


def test_nothing_changes():
    """No change point, hardly any variance, and no not-a-number."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=N)
    found = driving_force(x + rng.normal(size=N), TIME, x)
    assert np.isfinite(found.components).all()
    assert found.eigenvalues.sum() < 0.05
    flat = driving_force(np.tile([1.0, 2.0, 3.0, 4.0], 24), np.repeat(["a", "b"], 48))
    assert np.abs(flat.components).max() < 1e-3


def test_sign_and_rerun():
    y = np.sin(5 * TIME)
    first, second = (driving_force(y, TIME, n_resamples=3) for _ in range(2))
    np.testing.assert_array_equal(first.components, second.components)
    np.testing.assert_array_equal(first.bands, second.bands)
    largest = np.abs(first.coordinates).argmax(0)
    assert (first.coordinates[largest, range(3)] >= 0).all()


def test_time_may_have_any_unit_and_rows_any_order():
    rng = np.random.default_rng(1)
    x, y = effect_of("level", smooth_drive(rng), rng)
    one = driving_force(y, TIME, x)
    order = rng.permutation(N)
    other = driving_force(y[order], 1000 - 3 * TIME[order], x[order])
    np.testing.assert_allclose(other.components[:, 0], one.components[order, 0], atol=1e-6)


def test_bands_hold_the_estimate_and_narrow_with_more_rows():
    rng = np.random.default_rng(0)
    widths = []
    for rows in (20, 200):
        k = np.repeat(np.arange(6), rows)
        y = np.linspace(-1, 1, 6)[k] + rng.normal(size=len(k))
        found = driving_force(y, [f"s{c}" for c in k], n_components=1, n_resamples=60)
        low, high = found.bands[:, :, 0]
        assert found.bands.shape == (2, 6 * rows, 1)
        assert np.mean((low <= found.components[:, 0]) & (found.components[:, 0] <= high)) > 0.8
        widths.append(np.mean(high - low))
    assert widths[1] < 0.6 * widths[0]


class TestOtherContexts:
    def test_times_in_between(self):
        """Drives at times that were left out are those of the whole series."""
        rng = np.random.default_rng(2)
        drive = smooth_drive(rng)
        x, y = effect_of("level", drive, rng)
        kept = rng.random(N) < 0.7
        found = driving_force(y[kept], TIME[kept], x[kept], n_components=1)
        between = found.at(TIME[~kept])[:, 0]
        assert abs(np.corrcoef(between, drive[~kept])[0, 1]) > 0.95
        np.testing.assert_allclose(found.at(TIME[kept]), found.components, atol=1e-9)

    def test_domains_by_name(self):
        k = np.tile(["b", "a", "c"], 40)
        y = np.tile([0.0, 2.0, -1.0], 40) + np.random.default_rng(0).normal(size=120)
        found = driving_force(y, k)
        np.testing.assert_array_equal(found.at(["a", "c"]), found.components[[1, 2]])
        with pytest.raises(DataError, match="'d'"):
            found.at(["a", "d"])

    def test_site_and_time(self):
        site, time = np.repeat(["a", "b"], 300), np.tile(np.arange(300.0), 2)
        y = np.where(site == "a", np.sin(time / 40), 2 + np.cos(time / 40))
        y = y + 0.3 * np.random.default_rng(0).normal(size=600)
        frame = pd.DataFrame({"site": site, "time": time})
        found = driving_force(y, frame)
        assert r_squared(found.components, y) > 0.8
        with pytest.raises(ParameterError, match="single context"):
            found.change_points()


class TestRegimes:
    def test_domains_fall_into_groups(self):
        rng = np.random.default_rng(0)
        k = np.repeat(np.arange(9), 60)
        y = np.array([0, 3, -3] * 3)[k] + rng.normal(size=540)
        found = driving_force(y, [f"s{c}" for c in k], n_components=1)
        assert found.regimes(3)[::60].tolist() in ([1, 2, 0] * 3, [1, 0, 2] * 3)
        with pytest.raises(ParameterError, match="9 cells"):
            found.regimes(10)


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    k = np.arange(240) % 6
    a = (2 * rng.normal(size=6))[k] + rng.normal(size=240)
    b = np.tanh(a) + 0.4 * rng.normal(size=240)
    frame = pd.DataFrame({"A": a, "B": b, "site": [f"s{c}" for c in k]})
    return CDNOD(n_resamples=5).fit(frame, context="site")


class TestOfAModel:
    def test_rows_of_one_domain_share_coordinates(self, model):
        components = model.driving_forces_["A"]
        assert components.shape == (240, 3)
        assert max(np.ptp(components[s::6], axis=0).max() for s in range(6)) < 1e-12
        assert model.forces_["A"].bands.shape == (2, 240, 3)

    def test_figure(self, model):
        figure = model.plot_driving_forces()
        assert figure.axes[0].get_title(loc="left") == "mechanism of A"
        assert "level" in figure.axes[0].get_title(loc="right")
        with pytest.raises(ParameterError, match="'site'"):
            model.plot_driving_forces(context="year")
        with pytest.raises(ParameterError, match="fit"):
            CDNOD().plot_driving_forces()


def test_bad_input():
    y = np.random.default_rng(0).normal(size=40)
    for wrong in (
        {"kernel": "cubic"},
        {"level": 1.0},
        {"n_resamples": -1},
        {"bandwidth": 0},
        {"n_components": 0},
    ):
        with pytest.raises(ParameterError):
            driving_force(y, np.arange(40), **wrong)
    with pytest.raises(DataError, match="one row"):
        driving_force(y, np.arange(39))
