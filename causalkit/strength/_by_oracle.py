"""An effect from an oracle: exact or estimated probabilities, summed over strata."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import GraphError, ParameterError
from causalkit.strength._answer import CausalStrength, e_values, measure_of
from causalkit.strength._attribution import Observed
from causalkit.strength._frontdoor import front_door_probability
from causalkit.strength._general import probability_from_oracle
from causalkit.strength._identification import Identification
from causalkit.strength._means import ArmMeans
from causalkit.strength._measures import Estimate
from causalkit.strength._method import EXACT, Question
from causalkit.strength._oracle import ProbabilityOracle, checked_answers, probability_under_do

Floats = NDArray[np.float64]


def strength_from_oracle(
    found: Identification, question: Question, oracle: ProbabilityOracle
) -> CausalStrength:
    """Sum exact or estimated probabilities over strata."""
    low, high = question.cause_values or (0, 1)
    if question.effect_value is None:
        raise ParameterError("an oracle gives probabilities of events; name the event with effect_value=")
    question.check(is_event=True)
    if found.kind == "bounds":
        raise GraphError(
            f"the effect of {question.cause!r} on {question.effect!r} is not identified: {found.reason}"
        )
    event = (question.effect, question.effect_value)
    if found.kind == "frontdoor":
        p0, p1 = (
            front_door_probability(oracle, event, (question.cause, v), found.mediators or ())
            for v in (low, high)
        )
        contrasts = np.array([p1 - p0])
    elif found.expression is not None:
        p0, p1 = (
            probability_from_oracle(found.expression, oracle, event, (question.cause, v)) for v in (low, high)
        )
        contrasts = np.array([p1 - p0])
    elif found.kind == "zero":
        p0 = p1 = _chance(oracle, event, {})
        contrasts = np.zeros(1)
    else:
        arms = [
            probability_under_do(oracle, event, (question.cause, v), found.adjustment_set or ())
            for v in (low, high)
        ]
        (p0, within0, _), (p1, within1, _) = arms
        contrasts = within1 - within0
    means = ArmMeans((p0, p1))
    seen = _seen_by(oracle, event, question.cause, (low, high), contrasts)
    measures = {m: measure_of(m, means, EXACT, seen) for m in question.measures}
    return CausalStrength(
        question.cause,
        question.effect,
        (low, high),
        question.effect_value,
        measures,
        (Estimate(p0), Estimate(p1)),
        seen.naive,
        "average effect",
        f"sum over strata of {oracle.id}",
        found,
        None,
        *e_values(means, EXACT),
    )


def _seen_by(
    oracle: ProbabilityOracle, event: tuple[str, Any], cause: str, values: tuple[Any, Any], contrasts: Floats
) -> Observed:
    """Return the joint probabilities of cause and event where the cause has one of the two values."""
    states, weights = oracle.strata([cause])
    share = dict(zip((s[0] for s in states), weights.tolist(), strict=True))
    joint = np.zeros((2, 2))
    for k, value in enumerate(values):
        weight = share.get(value, 0.0)
        p = _chance(oracle, event, {cause: value}) if weight else 0.0
        joint[k] = weight * (1 - p), weight * p
    known = joint.sum()
    effect = _chance(oracle, event, {})
    return Observed(joint / known if known else joint, contrasts, effect, bool(known > 1 - 1e-9))


def _chance(oracle: ProbabilityOracle, event: tuple[str, Any], given: dict[str, Any]) -> float:
    return float(checked_answers(oracle, oracle.probability(event, [given]), [given])[0])
