"""Measures of how strongly a cause acts, as functions of the mean outcome with and without it.

With p1 the probability of the event where the cause is set and p0 where it is not:

=====================  =============================================================================
``rd``                 risk difference, or difference of means: p1 - p0
``rr``                 risk ratio p1 / p0
``or``                 odds ratio
``log_or``             its logarithm
``nnt``                number needed to treat, 1 / (p1 - p0)
``attributable``       attributable fraction (p1 - p0) / p1
``cheng``              causal power: (p1 - p0) / (1 - p0) where the cause generates, (p0 - p1) / p0 with a minus sign where it prevents
``good``               weight of evidence log((1 - p0) / (1 - p1))
=====================  =============================================================================

Standard errors follow from those of p1 and p0 by the delta method; intervals of ratios are made on the logarithm.

References
----------
P. Cheng, "From covariation to causation: a causal power theory", Psychological Review 104, 1997. I. J. Good, "A causal calculus",
British Journal for the Philosophy of Science 11, 1961. T. VanderWeele, P. Ding, "Sensitivity analysis in observational research:
introducing the E-value", Annals of Internal Medicine 167, 2017. J. Pearl, "Causality", 2nd edition, 2009, chapter 9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import ParameterError

__all__ = ["Estimate"]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Parameters
    ----------
    value : float or None
        The estimate; None where the data only bound it.
    se : float or None
        Standard error; None where there is none, as for exact probabilities.
    ci_low, ci_high : float or None
        Ends of the confidence interval, or of the bounds where `value` is None.
    bounds_ci : tuple of (float, float), or None
        Where `value` is None and rows were resampled: an interval that holds both bounds, from a low percentile of the lower one to a high percentile of the upper one.
    """

    value: float | None
    se: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    bounds_ci: tuple[float, float] | None = None

    def __str__(self) -> str:
        if self.value is None and self.ci_low is None:
            return "not defined"
        if self.value is None:
            band = f" [{self.bounds_ci[0]:.4g}, {self.bounds_ci[1]:.4g}]" if self.bounds_ci else ""
            return f"between {self.ci_low:.4g} and {self.ci_high:.4g}{band}"
        if self.ci_low is None:
            return f"{self.value:.4g}"
        return f"{self.value:.4g} [{self.ci_low:.4g}, {self.ci_high:.4g}]"


class Measure(NamedTuple):
    """A function of p0 and p1 with its two derivatives, and whether it needs an event and an interval on the logarithm."""

    value: Callable[[float, float], float]
    gradient: Callable[[float, float], tuple[float, float]]
    events_only: bool = True
    on_log: bool = False


def _odds(p: float) -> float:
    return p / (1 - p)


def _cheng(p0: float, p1: float) -> float:
    return (p1 - p0) / (1 - p0) if p1 >= p0 else (p1 - p0) / p0


def _cheng_gradient(p0: float, p1: float) -> tuple[float, float]:
    return (-(1 - p1) / (1 - p0) ** 2, 1 / (1 - p0)) if p1 >= p0 else (-p1 / p0**2, 1 / p0)


def _or_gradient(p0: float, p1: float) -> tuple[float, float]:
    ratio = _odds(p1) / _odds(p0)
    return -ratio / (p0 * (1 - p0)), ratio / (p1 * (1 - p1))


MEASURES: dict[str, Measure] = {
    "rd": Measure(lambda p0, p1: p1 - p0, lambda _p0, _p1: (-1.0, 1.0), events_only=False),
    "rr": Measure(lambda p0, p1: p1 / p0, lambda p0, p1: (-p1 / p0**2, 1 / p0), on_log=True),
    "or": Measure(lambda p0, p1: _odds(p1) / _odds(p0), _or_gradient, on_log=True),
    "log_or": Measure(
        lambda p0, p1: log(_odds(p1) / _odds(p0)), lambda p0, p1: (-1 / (p0 * (1 - p0)), 1 / (p1 * (1 - p1)))
    ),
    "nnt": Measure(lambda p0, p1: 1 / (p1 - p0), lambda p0, p1: (1 / (p1 - p0) ** 2, -1 / (p1 - p0) ** 2)),
    "attributable": Measure(lambda p0, p1: (p1 - p0) / p1, lambda p0, p1: (-1 / p1, p0 / p1**2)),
    "cheng": Measure(_cheng, _cheng_gradient),
    "good": Measure(lambda p0, p1: log((1 - p0) / (1 - p1)), lambda p0, p1: (-1 / (1 - p0), 1 / (1 - p1))),
}


def check_measures(names: tuple[str, ...], *, is_event: bool, others: tuple[str, ...] = ()) -> None:
    """Raise unless every measure is known and fits the outcome."""
    for name in names:
        if name not in (*MEASURES, *others):
            raise ParameterError(
                f"there is no measure {name!r}; allowed are {', '.join(map(repr, (*MEASURES, *others)))}"
            )
        if (name in others or MEASURES[name].events_only) and not is_event:
            raise ParameterError(
                f"measure {name!r} is about the probability of an event; name one with effect_value=, or use 'rd'"
            )


def estimate(
    name: str, means: tuple[float, float], covariance: NDArray[np.float64] | None, quantile: float = 1.96
) -> Estimate:
    """Return a measure with standard error and an interval of so many of them; one that is not defined at these means has value None."""
    measure = MEASURES[name]
    try:
        value, gradient = measure.value(*means), np.array(measure.gradient(*means))
    except (ZeroDivisionError, ValueError):
        return Estimate(None)
    if covariance is None:
        return Estimate(value)
    se = float(np.sqrt(max(gradient @ covariance @ gradient, 0.0)))
    reach = quantile * se
    if name == "nnt":
        return _number_needed(value, se, estimate("rd", means, covariance, quantile))
    if measure.on_log and value > 0:
        return Estimate(value, se, value * exp(-reach / value), value * exp(reach / value))
    return Estimate(value, se, value - reach, value + reach)


def _number_needed(value: float, se: float, difference: Estimate) -> Estimate:
    """Invert the interval of the difference; where that covers zero, the number needed is unbounded and has no interval."""
    low, high = difference.ci_low or 0.0, difference.ci_high or 0.0
    return Estimate(value, se, 1 / high, 1 / low) if low * high > 0 else Estimate(value, se)


def bounded(name: str, low: tuple[float, float], high: tuple[float, float]) -> Estimate:
    """Return the bounds of a measure where p0 is in `low` and p1 in `high`; all measures but one fall with p0 and rise with p1."""
    if name == "nnt":
        difference = bounded("rd", low, high)
        if (difference.ci_low or 0.0) * (difference.ci_high or 0.0) <= 0:
            return Estimate(None)
        return Estimate(None, None, 1 / (difference.ci_high or 1.0), 1 / (difference.ci_low or 1.0))
    return Estimate(None, None, _limit(name, low[1], high[0], -np.inf), _limit(name, low[0], high[1], np.inf))


def _limit(name: str, p0: float, p1: float, otherwise: float) -> float:
    try:
        return float(MEASURES[name].value(p0, p1))
    except (ZeroDivisionError, ValueError):
        return otherwise


def e_value(ratio: float) -> float:
    """Return RR + sqrt(RR (RR - 1)) for a risk ratio, or its inverse, above 1."""
    above = max(ratio, 1 / ratio) if ratio > 0 else np.inf
    return float(above + np.sqrt(above * (above - 1)))
