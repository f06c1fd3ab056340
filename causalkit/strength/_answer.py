"""The answer: an effect with its uncertainty, what it rests on, and the measures that are made of two means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit.strength._attribution import ATTRIBUTION, Observed, attribute
from causalkit.strength._identification import Identification
from causalkit.strength._means import ArmMeans
from causalkit.strength._measures import Estimate, bounded, e_value, estimate
from causalkit.strength._method import Settings, Uncertainty
from causalkit.strength._overlap import Overlap

__all__ = ["CausalStrength"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CausalStrength:
    """An effect with its uncertainty, what it rests on, and what it would be without adjustment.

    Parameters
    ----------
    cause, effect : str
        The question.
    cause_values : tuple
        Control and treated value.
    effect_value : object
        The event whose probability is meant; None for the mean of a number.
    measures : dict of str to Estimate
        Every measure that was asked for.
    means : tuple of Estimate
        Mean outcome, or probability of the event, with the cause set to control and to treated.
    naive : float or None
        Difference of the two means as observed, without adjustment.
    estimand : str
        What is estimated, in words.
    estimator : str
        How.
    identification : Identification
        Why that is the effect: the adjustment set and its certificate.
    overlap : Overlap or None
        How well the arms can be compared.
    e_value : float or None
        How strongly, as a risk ratio, a hidden confounder would have to act on both cause and effect to explain the effect away
        (VanderWeele and Ding 2017).
    e_value_limit : float or None
        The same for the end of the interval of the risk ratio that is nearer to 1: how strongly it would have to act for the interval to reach 1; 1 if it does already.
    n : int
        Rows.
    notes : tuple of str
        What was clipped, pooled or left out, and which models were used where straight lines do not fit.
    settings : Settings or None
        What was asked and how it was estimated, for `refute`; None if it came from an oracle.
    """

    cause: str
    effect: str
    cause_values: tuple[Any, Any]
    effect_value: Any
    measures: Mapping[str, Estimate]
    means: tuple[Estimate, Estimate]
    naive: float | None
    estimand: str
    estimator: str
    identification: Identification = field(repr=False)
    overlap: Overlap | None = field(default=None, repr=False)
    e_value: float | None = field(default=None, repr=False)
    e_value_limit: float | None = field(default=None, repr=False)
    n: int = 0
    notes: tuple[str, ...] = ()
    settings: Settings | None = field(default=None, repr=False, compare=False)

    @property
    def value(self) -> float | None:
        """The first measure that was asked for."""
        return next(iter(self.measures.values())).value

    @property
    def se(self) -> float | None:
        """Its standard error."""
        return next(iter(self.measures.values())).se

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """Its confidence interval."""
        first = next(iter(self.measures.values()))
        return first.ci_low, first.ci_high

    def __str__(self) -> str:
        low, high = self.cause_values
        event = self.effect if self.effect_value is None else f"{self.effect} = {self.effect_value}"
        lines = [f"{event}: {self.cause} set to {high!r} against {low!r} ({self.estimand}, {self.estimator})"]
        lines += [f"  {name:13} {measure}" for name, measure in self.measures.items()]
        if self.naive is not None:
            lines.append(f"  {'not adjusted':13} {self.naive:.4g}")
        if self.e_value is not None:
            limit = "" if self.e_value_limit is None else f"; {self.e_value_limit:.4g} for the interval"
            lines.append(f"  {'E-value':13} {self.e_value:.4g}{limit}")
        lines.append(f"  {self.identification.estimand}")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)


def measure_of(name: str, means: ArmMeans, uncertainty: Uncertainty, seen: Observed) -> Estimate:
    if name in ATTRIBUTION or means.bounds is not None:
        each = [_from_seen(name, *one) for one in uncertainty.resamples]
        return _with_spread(_from_seen(name, means, seen), each, uncertainty.level)
    return _of_means(name, means, uncertainty)


def _of_means(name: str, means: ArmMeans, uncertainty: Uncertainty) -> Estimate:
    """Return a measure that is a function of the two means."""
    found = estimate(name, means.means, uncertainty.covariance, uncertainty.reach)
    if uncertainty.draws is None or found.value is None or name == "nnt":
        return found
    return _of_draws(name, found.value, uncertainty.draws, uncertainty.level)


def _from_seen(name: str, means: ArmMeans, seen: Observed) -> Estimate:
    """Return a measure without its uncertainty."""
    if name in ATTRIBUTION:
        low, high = means.bounds or ((means.means[0],), (means.means[1],))
        return attribute(name, [(p0, p1) for p0 in low for p1 in high], seen)
    return bounded(name, *means.bounds) if means.bounds is not None else estimate(name, means.means, None)


def _with_spread(found: Estimate, each: list[Estimate], level: float) -> Estimate:
    """Add what resamples say of a number, or of its bounds; nothing where more of them leave it undefined than may lie outside."""
    lows, highs = (
        [e.value if e.value is not None else getattr(e, end) for e in each] for end in ("ci_low", "ci_high")
    )
    known = [(low, high) for low, high in zip(lows, highs, strict=True) if low is not None]
    if len(known) < max(2, level * len(each)) or (found.value is None and found.ci_low is None):
        return found
    # Ends may be infinite, between which nothing can be interpolated.
    low = float(np.quantile([a for a, _ in known], 0.5 - level / 2, method="lower"))
    high = float(np.quantile([b for _, b in known], 0.5 + level / 2, method="higher"))
    if found.value is None:
        return replace(found, bounds_ci=(low, high))
    return Estimate(found.value, float(np.std([a for a, _ in known], ddof=1)), low, high)


def _of_draws(name: str, value: float, draws: Floats, level: float) -> Estimate:
    """Return percentiles; no interval where more resamples leave the measure undefined than may lie outside."""
    each = [estimate(name, (float(p0), float(p1)), None).value for p0, p1 in draws]
    values = [v for v in each if v is not None]
    if len(values) < level * len(each) or len(values) < 2:
        return Estimate(value)
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(value, float(np.std(values, ddof=1)), float(low), float(high))


def arm_of(means: ArmMeans, uncertainty: Uncertainty, k: int) -> Estimate:
    if means.bounds is not None:
        bounds = [one.bounds[k] if one.bounds else (one.means[k],) * 2 for one, _ in uncertainty.resamples]
        each = [Estimate(None, None, *ends) for ends in bounds]
        return _with_spread(Estimate(None, None, *means.bounds[k]), each, uncertainty.level)
    if uncertainty.covariance is None:
        return Estimate(means.means[k])
    se = float(np.sqrt(max(uncertainty.covariance[k, k], 0.0)))
    reach = uncertainty.reach * se
    return Estimate(means.means[k], se, means.means[k] - reach, means.means[k] + reach)


def e_values(means: ArmMeans, uncertainty: Uncertainty) -> tuple[float | None, float | None]:
    """Return the E-value of the risk ratio, and that of the end of its interval that is nearer to 1."""
    if means.bounds is not None or min(means.means) <= 0:
        return None, None
    ratio = _of_means("rr", means, uncertainty)
    if ratio.value is None or ratio.ci_low is None or ratio.ci_high is None:
        return e_value(means.means[1] / means.means[0]), None
    if ratio.ci_low <= 1 <= ratio.ci_high:
        return e_value(ratio.value), 1.0
    return e_value(ratio.value), e_value(ratio.ci_low if ratio.ci_low > 1 else ratio.ci_high)
