"""How strongly a cause acts on an effect: identification, estimation, uncertainty, and what speaks against the number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed
from causalkit._validation import ColumnTypes, Table, open_frame
from causalkit.exceptions import GraphError, ParameterError
from causalkit.graph import CausalGraph
from causalkit.graph._bits import members
from causalkit.graph._core import as_names
from causalkit.graph._problem import observed_nodes
from causalkit.graph._routes import routes
from causalkit.strength._attribution import ATTRIBUTION, Observed, attribute, observed_in
from causalkit.strength._estimators import Empty
from causalkit.strength._frontdoor import front_door_probability
from causalkit.strength._general import probability_from_oracle
from causalkit.strength._identification import Identification, Strategy, check_adjustment, identify
from causalkit.strength._means import ArmMeans
from causalkit.strength._measures import Estimate, bounded, e_value, estimate
from causalkit.strength._method import (
    EXACT,
    EstimatorName,
    IntervalName,
    Method,
    Question,
    Settings,
    Uncertainty,
    rows_of_estimate,
)
from causalkit.strength._models import Models
from causalkit.strength._network import BayesianNetwork
from causalkit.strength._oracle import ProbabilityOracle, checked_answers, probability_under_do
from causalkit.strength._overlap import Overlap, overlap_of, support_notes
from causalkit.strength._sample import Sample, make_sample, read_columns_of

__all__ = ["CausalStrength", "Overlap", "causal_strength"]

Floats = NDArray[np.float64]
# Fewer rows than these show hardly anything of their spread.
FEW_ROWS = 5


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
        What was clipped, smoothed or left out.
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


def causal_strength(
    graph: CausalGraph,
    cause: str,
    effect: str,
    *,
    data: Any = None,
    oracle: ProbabilityOracle | None = None,
    cause_values: tuple[Any, Any] | None = None,
    effect_value: Any = None,
    adjustment_set: Iterable[str] | None = None,
    strategy: Strategy = "auto",
    estimator: EstimatorName = "auto",
    measures: Iterable[str] = ("rd",),
    ci: IntervalName = "auto",
    level: float = 0.95,
    empty: Empty = "raise",
    smoothing: float = 1.0,
    outcome_model: Any = None,
    propensity_model: Any = None,
    n_folds: int = 5,
    clip: float = 0.01,
    n_matches: int = 1,
    n_resamples: int = 500,
    clusters: str | None = None,
    column_types: ColumnTypes = None,
    rng: Seed = 0,
) -> CausalStrength:
    """Estimate how strongly a cause acts on an effect, under a graph.

    Parameters
    ----------
    graph : CausalGraph
        A DAG, ADMG, CPDAG, MPDAG, MAG or PAG. Columns of the data that are not in it are ignored; its nodes without a column
        count as not observed.
    cause, effect : str
        Two nodes.
    data : data frame, optional
        One row per unit. Either `data` or `oracle` is needed.
    oracle : ProbabilityOracle, optional
        Exact or estimated probabilities instead of rows.
    cause_values : tuple of two values, optional
        (control, treated). Needed unless the cause is 0/1 or False/True.
    effect_value : object, optional
        The value of the effect whose probability is asked for; needed for labels. Without it the mean of a column of numbers.
    adjustment_set : iterable of str, optional
        Adjust for this set; by default `strategy` chooses. It is an error if it is not an adjustment set.
    strategy : str, default="auto"
        As in `identify`.
    estimator : str, default="auto"
        ``"plugin"``: means by strata, for discrete columns. ``"gcomp"``: outcome models. ``"ipw"``: inverse propensities, divided by their
        sum. ``"aipw"``: both, doubly robust and cross-fitted. ``"matching"``: nearest rows. ``"auto"``: plug-in where all
        columns adjusted for are discrete, AIPW otherwise, outcome model if hardly any row has exactly the compared values.
    measures : iterable of str, default=("rd",)
        ``"rd"``, and for events ``"rr"``, ``"or"``, ``"log_or"``, ``"nnt"``, ``"attributable"``, ``"cheng"``, ``"good"``, ``"suppes"``,
        ``"eells"`` (least and largest contrast over strata), ``"pn"``, ``"ps"``, ``"pns"`` (bounds). From ``"suppes"`` on only the bootstrap says how far they can be trusted.
    ci : str, default="auto"
        ``"influence"``: Wald intervals from influence functions; ``"bootstrap"``: percentiles of resampled rows (clusters if they are named);
        ``"cluster"``: influence added up by clusters. ``"auto"`` takes clusters if they are named, else influence functions where
        the estimator has them, else the bootstrap.
    level : float, default=0.95
        Of the confidence intervals.
    empty : {"raise", "trim", "smooth", "bound"}, default="raise"
        What to do where an arm is missing. With strata: leave those out that lack an arm, shrink their means, or bound them. Other estimators can leave rows out
        whose propensities are below `clip`, and raise if these are most. What is estimated then is named in `estimand` and `notes`.
    smoothing : float, default=1.0
        Rows that the mean of an arm counts as, for ``empty="smooth"``.
    outcome_model, propensity_model : scikit-learn estimator, optional
        By default linear and logistic regression on the columns adjusted for.
    n_folds : int, default=5
        Folds of the cross-fitting.
    clip : float, default=0.01
        Propensities below are raised to it; how many were is noted.
    n_matches : int, default=1
        Neighbours of the matching estimator.
    n_resamples : int, default=500
        Of the bootstrap.
    clusters : str, optional
        A column of the data: rows with the same value belong together.
    column_types : sequence or mapping, optional
        Types of columns, such as ``{"site": "categorical"}``.
    rng : int, numpy.random.Generator or None, default=0
        Seed of folds and resamples.

    Returns
    -------
    CausalStrength
        Value, interval, adjustment set with its certificate, the contrast without adjustment, overlap, E-value.

    Raises
    ------
    GraphError
        If the members of a class differ in the effect, if `adjustment_set` is none, or if an oracle is asked for what is not identified.
    PositivityError
        If an arm is missing where it is needed.
    DataError
        If a column is missing or has missing values.
    ParameterError
        If a parameter has a value that is not allowed, or does not fit the data.

    Notes
    -----
    Where nothing identifies the effect of an event, the result has bounds and no value: without any assumption, P(y | do(x)) is at
    least P(x, y) and at most P(x, y) + 1 - P(x) (Manski 1990).

    References
    ----------
    M. Hernán, J. Robins, "Causal Inference: What If", 2020. C. Manski, "Nonparametric bounds on treatment effects", American Economic
    Review 80, 1990. T. VanderWeele, P. Ding, "Sensitivity analysis in observational
    research: introducing the E-value", Annals of Internal Medicine 167, 2017.

    Examples
    --------
    >>> import pandas as pd
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import causal_strength
    >>> rows = [("small", 1, 1)] * 81 + [("small", 1, 0)] * 6 + [("large", 1, 1)] * 192 + [("large", 1, 0)] * 71
    >>> rows += [("small", 0, 1)] * 234 + [("small", 0, 0)] * 36 + [("large", 0, 1)] * 55 + [("large", 0, 0)] * 25
    >>> frame = pd.DataFrame(rows, columns=["stone", "surgery", "cured"])
    >>> g = CausalGraph.parse("stone -> surgery; stone -> cured; surgery -> cured")
    >>> print(causal_strength(g, "surgery", "cured", data=frame))
    cured: surgery set to 1 against 0 (average effect, plugin)
      rd            0.05367 [-0.01216, 0.1195]
      not adjusted  -0.04571
      E-value       1.34; 1 for the interval
      P(cured | do(surgery)) = sum over stone of P(cured | surgery, stone) P(stone)
    """
    for name in (cause, effect):
        if not isinstance(name, str):
            raise ParameterError(
                f"one cause and one effect are names; got {name!r}. identify() takes several"
            )
    routes(graph)
    cause_values = None if cause_values is None else _as_pair(cause_values)
    question = Question(cause, effect, cause_values, effect_value, as_names(measures), clusters, column_types)
    method = Method(
        estimator,
        ci,
        level,
        empty,
        smoothing,
        Models(outcome_model, propensity_model),
        n_folds,
        clip,
        n_matches,
        n_resamples,
        rng,
    )
    if (data is None) == (oracle is None):
        raise ParameterError("give either data= or oracle=, and not both")
    _check_oracle(oracle)
    observed = None if data is None else columns_in(data, graph)
    found = identified(graph, question, observed, adjustment_set, strategy)
    if oracle is not None:
        _refuse_rows_only(question, method)
        return _from_oracle(found, question, oracle)
    return strength_from_table(found, question, method, read_for(found, question, data))


def _check_oracle(oracle: object) -> None:
    if oracle is not None and not isinstance(oracle, ProbabilityOracle):
        hint = "; wrap it in NetworkOracle" if isinstance(oracle, BayesianNetwork) else ""
        raise ParameterError(
            f"oracle must give probabilities (id, strata, probability); got {type(oracle).__name__}{hint}"
        )


def _refuse_rows_only(question: Question, method: Method) -> None:
    """Raise for what is about rows, where an oracle answers."""
    given = {
        "estimator": method.estimator != "auto",
        "ci": method.ci != "auto",
        "empty": method.empty != "raise",
        "clusters": question.clusters is not None,
        "outcome_model": method.models.outcome is not None,
        "propensity_model": method.models.propensity is not None,
    }
    named = [name for name, is_given in given.items() if is_given]
    if named:
        raise ParameterError(
            f"{named[0]}= is about rows of data; an oracle gives probabilities and has no rows"
        )


def _as_pair(values: Any) -> tuple[Any, Any]:
    try:
        low, high = values
    except (TypeError, ValueError):
        raise ParameterError(f"cause_values must be a pair (control, treated); got {values!r}") from None
    return low, high


def columns_in(data: Any, graph: CausalGraph) -> list[str]:
    """Return the nodes of the graph that are columns of the data."""
    names = set(graph.nodes)
    if nw.dependencies.is_into_dataframe(data):
        names &= set(open_frame(data).columns)
    return [graph.nodes[k] for k in members(observed_nodes(graph)) if graph.nodes[k] in names]


def identified(
    graph: CausalGraph,
    question: Question,
    observed: Iterable[str] | None,
    adjustment_set: Iterable[str] | None,
    strategy: Strategy,
) -> Identification:
    """Return what identifies the effect, or raise."""
    found = identify(graph, question.cause, question.effect, observed=observed, strategy=strategy)
    if adjustment_set is not None:
        check = check_adjustment(graph, question.cause, question.effect, adjustment_set)
        if not check:
            raise GraphError(str(check))
        return replace(
            found,
            kind="backdoor",
            adjustment_set=check.adjustment_set,
            mediators=None,
            expression=None,
            strategy="given",
        )
    if found.kind == "none":
        raise GraphError(
            f"the effect of {question.cause!r} on {question.effect!r} is not identified: {found.reason}"
        )
    return found


def read_for(found: Identification, question: Question, data: Any) -> Table:
    """Read the columns that the estimate needs."""
    names = [question.cause, question.effect, *found.columns]
    if question.clusters is not None:
        names.append(question.clusters)
    return read_columns_of(data, names, found.graph.nodes, question.column_types)


def strength_from_table(
    found: Identification, question: Question, method: Method, table: Table
) -> CausalStrength:
    """Estimate from columns that are read."""
    sample = sample_for(found, question, table)
    question.check(is_event=sample.is_event)
    name, estimator = method.choose(found, sample)
    comparable = found.kind == "backdoor" and sample.has_both_arms
    overlap = overlap_of(sample, method.models, method.clip) if comparable else None
    notes = _thin_arms(sample)
    if overlap is not None:
        notes += support_notes(overlap, name, trimmed=method.empty == "trim")
    means, uncertainty = method.uncertain(estimator, sample, look=bool({*question.measures} & {*ATTRIBUTION}))
    means = replace(means, notes=means.notes + notes)
    return _summary(Settings(question, method), found, sample, (means, uncertainty), name, overlap)


def sample_for(found: Identification, question: Question, table: Table) -> Sample:
    """Read the arms, the outcome and the columns adjusted for."""
    return make_sample(
        table,
        question.cause,
        question.effect,
        found.columns,
        question.cause_values,
        question.effect_value,
        question.clusters,
    )


def _thin_arms(sample: Sample) -> tuple[str, ...]:
    """Return a note if so few rows are in an arm that their spread is hardly seen."""
    least = min(int((sample.arm == a).sum()) for a in (0, 1))
    if not 0 < least < FEW_ROWS:
        return ()
    return (f"an arm has {least} row{'s' if least > 1 else ''} only: intervals are too short",)


def value_from_table(found: Identification, question: Question, method: Method, table: Table) -> float | None:
    """Return the first measure alone, without its uncertainty."""
    sample = sample_for(found, question, table)
    means = method.choose(found, sample)[1](sample)
    return _measure(question.measures[0], means, EXACT, observed_in(sample)).value


def _summary(
    settings: Settings,
    found: Identification,
    sample: Sample,
    estimated: tuple[ArmMeans, Uncertainty],
    name: str,
    overlap: Overlap | None,
) -> CausalStrength:
    """Put an estimate into words and measures; what is observed is of the same rows."""
    question, means = settings.question, estimated[0]
    about = rows_of_estimate(means, sample)
    seen = observed_in(about)
    measures = {m: _measure(m, *estimated, seen) for m in question.measures}
    arms = (_arm(*estimated, 0), _arm(*estimated, 1))
    return CausalStrength(
        question.cause,
        question.effect,
        question.cause_values or (0, 1),
        question.effect_value,
        measures,
        arms,
        seen.naive if about.is_event else _naive_difference(about),
        means.estimand,
        name,
        found,
        overlap,
        *(_e_values(*estimated) if sample.is_event else (None, None)),
        sample.n,
        means.notes,
        settings=settings,
    )


def _naive_difference(sample: Sample) -> float | None:
    arms = [sample.outcome[sample.arm == a] for a in (0, 1)]
    return float(arms[1].mean() - arms[0].mean()) if all(map(len, arms)) else None


def _measure(name: str, means: ArmMeans, uncertainty: Uncertainty, seen: Observed) -> Estimate:
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


def _arm(means: ArmMeans, uncertainty: Uncertainty, k: int) -> Estimate:
    if means.bounds is not None:
        bounds = [one.bounds[k] if one.bounds else (one.means[k],) * 2 for one, _ in uncertainty.resamples]
        each = [Estimate(None, None, *ends) for ends in bounds]
        return _with_spread(Estimate(None, None, *means.bounds[k]), each, uncertainty.level)
    if uncertainty.covariance is None:
        return Estimate(means.means[k])
    se = float(np.sqrt(max(uncertainty.covariance[k, k], 0.0)))
    reach = uncertainty.reach * se
    return Estimate(means.means[k], se, means.means[k] - reach, means.means[k] + reach)


def _e_values(means: ArmMeans, uncertainty: Uncertainty) -> tuple[float | None, float | None]:
    """Return the E-value of the risk ratio, and that of the end of its interval that is nearer to 1."""
    if means.bounds is not None or min(means.means) <= 0:
        return None, None
    ratio = _of_means("rr", means, uncertainty)
    if ratio.value is None or ratio.ci_low is None or ratio.ci_high is None:
        return e_value(means.means[1] / means.means[0]), None
    if ratio.ci_low <= 1 <= ratio.ci_high:
        return e_value(ratio.value), 1.0
    return e_value(ratio.value), e_value(ratio.ci_low if ratio.ci_low > 1 else ratio.ci_high)


# -- from an oracle --------------------------------------------------------------------------------------------------------


def _from_oracle(found: Identification, question: Question, oracle: ProbabilityOracle) -> CausalStrength:
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
    measures = {m: _measure(m, means, EXACT, seen) for m in question.measures}
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
        *_e_values(means, EXACT),
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
