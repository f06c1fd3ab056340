r"""How sure an arrow is, from the tests that it rests on.

An arrow that a triple decides is right the more often the more of the sets that separate its ends speak for it, the larger the largest of their
p-values, and, for a collider, the smaller the p-value of its ends given the middle. The log odds are linear in these,

.. math::
    \log \frac{c}{1 - c} = \beta_0 + \beta_1 \log p + \beta_2 \log_{10} \frac{1}{p_{\text{middle}}} + \beta_3 (s - 1) + \beta_4 [\text{no collider}],

with the coefficients of a logistic regression on arrows of simulated data whose truth is known (``benchmarks/arrow_confidence.py``, draws
that the benchmarks do not use). Other rules, and arrows of triples without tests, have the share of their arrows that was right there.
"""

from __future__ import annotations

import math

__all__ = ["SHARE_RIGHT", "confidence_of_triple"]

# benchmarks/results/arrow_confidence_2026-11-28.csv
INTERCEPT, P_VALUE, GIVEN_MIDDLE, AGREEING, NO_COLLIDER = 2.77, 0.743, 0.286, 3.64, 1.12
SHARE_RIGHT = {"context": 0.98, "collider": 0.96, "invariance": 0.96, "meek-1": 0.94}
SHARE_RIGHT |= dict.fromkeys(("meek-2", "meek-3", "meek-4"), 0.87)
LEAST_P, LEAST_GIVEN_MIDDLE = 0.01, 1e-6


def confidence_of_triple(
    p_value: float, n_agreeing: int, n_sets: int, p_given_middle: float | None = None
) -> float:
    """Return the probability that an arrow is right which the verdict on a triple has put.

    Parameters
    ----------
    p_value : float
        Largest p-value of a set that separates the ends of the triple and speaks for the verdict.
    n_agreeing, n_sets : int
        How many sets speak for the verdict, and how many separate its ends at all.
    p_given_middle : float, optional
        p-value of the ends given the middle, for a collider; left out for a triple that is none.

    Returns
    -------
    float
        Between 0 and 1.
    """
    log_odds = INTERCEPT + P_VALUE * math.log(max(p_value, LEAST_P)) + AGREEING * (n_agreeing / n_sets - 1)
    if p_given_middle is None:
        log_odds += NO_COLLIDER
    else:
        log_odds -= GIVEN_MIDDLE * math.log10(max(p_given_middle, LEAST_GIVEN_MIDDLE))
    return 1 / (1 + math.exp(-log_odds))
