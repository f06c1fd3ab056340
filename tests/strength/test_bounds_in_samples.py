"""How far bounds, and measures of what is seen, can be trusted: resampled ends against those of the population."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.strength import causal_strength
from causalkit.strength._measures import e_value

G = CausalGraph.parse("Z -> X; Z -> Y; X -> Y")
HIDDEN = CausalGraph.parse("X -> Y; X <-> Y", kind="ADMG")
TREATED, OUTCOME = (0.3, 0.7), (0.1, 0.3, 0.3)


def sample(n, rng):
    z = rng.integers(0, 2, n)
    x = (rng.random(n) < np.array(TREATED)[z]).astype(int)
    base, of_x, of_z = OUTCOME
    y = (rng.random(n) < base + of_x * x + of_z * z).astype(int)
    return pd.DataFrame({"Z": z, "X": x, "Y": y})


def population():
    """Means under intervention and the joint law of X and Y, by adding up the eight cells."""
    base, of_x, of_z = OUTCOME
    means = [np.mean([base + of_x * x + of_z * z for z in (0, 1)]) for x in (0, 1)]
    joint = np.zeros((2, 2))
    for z, x, y in product((0, 1), repeat=3):
        chance = base + of_x * x + of_z * z
        share = TREATED[z] if x else 1 - TREATED[z]
        joint[x, y] += 0.5 * share * (chance if y else 1 - chance)
    return means, joint


def true_bounds():
    """Tian and Pearl (2000): PNS and PN, and Suppes' difference."""
    (p0, p1), ((a, b), (c, d)) = population()
    event = b + d
    return {
        "pns": (max(0, p1 - p0, event - p0, p1 - event), min(p1, 1 - p0, d + a, p1 - p0 + c + b)),
        "pn": (max(0, (event - p0) / d), min(1, (1 - p0 - a) / d)),
        "suppes": (d / (c + d) - event,) * 2,
    }


def coverage(n_runs, n_resamples):
    """Shares of runs whose 95 % intervals hold the true bounds."""
    truth, held = true_bounds(), dict.fromkeys(("pns", "pn", "suppes"), 0)
    for run in range(n_runs):
        frame = sample(800, np.random.default_rng(run))
        found = causal_strength(
            G, "X", "Y", data=frame, measures=held, ci="bootstrap", n_resamples=n_resamples, rng=run
        )
        for name, one in found.measures.items():
            low, high = one.bounds_ci or (one.ci_low, one.ci_high)
            held[name] += low <= truth[name][0] + 1e-12 and truth[name][1] - 1e-12 <= high
    return {name: count / n_runs for name, count in held.items()}


@pytest.mark.slow
def test_bounds_are_held():
    for name, share in coverage(30, 60).items():
        assert share >= 0.8, name


@pytest.mark.slow
def test_bounds_are_held_as_often_as_said():
    """95 % within what 300 runs can show; both ends have to be held, so that bounds are held a little less often than a number is."""
    for name, share in coverage(300, 200).items():
        assert 0.90 <= share <= 0.995, name


def test_where_nothing_identifies():
    """The interval around bounds without assumptions holds them, and shrinks towards them with the number of rows."""
    width = []
    for n in (300, 30_000):
        frame = sample(n, np.random.default_rng(0))
        found = causal_strength(
            HIDDEN, "X", "Y", data=frame, measures=("rd", "pns"), ci="bootstrap", n_resamples=100
        )
        for one in (*found.measures.values(), *found.means):
            low, high = one.bounds_ci
            assert low <= one.ci_low <= one.ci_high <= high
        low, high = found.measures["rd"].bounds_ci
        width.append(high - low - 1)  # bounds of a difference without assumptions are 1 apart
    assert width[1] < width[0] / 5
    assert "[" in str(found.measures["rd"])


def test_without_resampling_bounds_stand_alone():
    frame = sample(500, np.random.default_rng(0))
    found = causal_strength(G, "X", "Y", data=frame, measures=("rd", "pns"))
    assert found.measures["pns"].bounds_ci is None
    assert found.measures["pns"].ci_low is not None


def test_empty_strata_are_bounded_in_resamples_too():
    """Where one stratum has no untreated rows, the means are bounded; of few rows resamples lack other arms as well."""
    frame = sample(60, np.random.default_rng(3)).assign(X=lambda f: np.where(f["Z"] == 1, 1, f["X"]))
    found = causal_strength(
        G, "X", "Y", data=frame, measures=("rd", "rr", "nnt"), ci="bootstrap", empty="bound", n_resamples=50
    )
    low, high = found.measures["rd"].bounds_ci
    assert -1 <= low <= found.measures["rd"].ci_low <= found.measures["rd"].ci_high <= high <= 1
    assert not np.isnan(found.measures["rr"].bounds_ci).any()


def test_e_values():
    """A risk ratio of 3.9 with an interval from 1.8: 7.26 and 3 (VanderWeele and Ding 2017); ratios below 1 count as their inverse."""
    assert e_value(3.9) == pytest.approx(7.26, abs=0.005)
    assert [e_value(1.8), e_value(1 / 1.8)] == pytest.approx([3.0, 3.0])
    covers = set()
    for n, seed in product((40, 3000), range(5)):
        frame = sample(n, np.random.default_rng(seed))
        for outcome in (frame, frame.assign(Y=1 - frame["Y"])):
            found = causal_strength(G, "X", "Y", data=outcome, measures=("rr",), empty="trim")
            ratio = found.measures["rr"]
            assert found.e_value == pytest.approx(e_value(ratio.value))
            covers.add(ratio.ci_low <= 1 <= ratio.ci_high)
            if ratio.ci_low <= 1 <= ratio.ci_high:
                assert found.e_value_limit == 1
            else:
                nearest = ratio.ci_low if ratio.value > 1 else ratio.ci_high
                assert found.e_value_limit == pytest.approx(e_value(nearest))
                assert 1 < found.e_value_limit < found.e_value
    assert covers == {True, False}
