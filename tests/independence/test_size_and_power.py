"""A seeded part of the study of size and power in ``benchmarks/size_and_power.py``, with the same models and the same draws."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from causalkit.independence import KCI

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from conditional_models import ALTERNATIVES, MODELS, draw


def rejections(cell, repetitions, **options):
    """Return the share of repetitions with p < .05 under independence and under each dependence."""
    model, n, q = cell
    p = []
    for repetition in range(repetitions):
        sample = draw(model, n, q, repetition)
        test = KCI(column_types=sample.types, **options).fit(sample.columns)
        worlds = range(1, 2 + len(ALTERNATIVES))
        p.append([result.p_value for result in test.batch([(0, k, sample.given) for k in worlds])])
    return (np.array(p) < 0.05).mean(axis=0)


def most(repetitions, rate=0.08):
    """Return the largest share that a test with at most this size shows with probability .999."""
    return stats.binom(repetitions, rate).ppf(0.999) / repetitions


@pytest.mark.parametrize("model", MODELS)
def test_size_and_power_given_three(model):
    shares = rejections((model, 200, 3), 40)
    assert shares[0] <= most(40)
    assert shares[1] > 0.4


@pytest.mark.slow
@pytest.mark.parametrize("n", [200, 500])
@pytest.mark.parametrize("q", [1, 2, 4, 5])
@pytest.mark.parametrize("model", MODELS)
def test_size(model, q, n):
    assert rejections((model, n, q), 100)[0] <= most(100)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["heteroscedastic", "mixed"])
def test_the_fixed_ridge_of_the_paper_fails_given_five(model):
    """The control: in the same draws the fixed ridge rejects what is true more often than a test of size .08 can."""
    assert rejections((model, 500, 5), 100, regression=1e-3, form="joined")[0] > most(100)
