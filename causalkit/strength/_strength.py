"""How strongly a cause acts on an effect: identification, estimation, uncertainty, and what speaks against the number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed
from causalkit._validation import ColumnTypes, Table, open_frame
from causalkit.exceptions import DataError, GraphError, ParameterError
from causalkit.graph import CausalGraph, GraphLike, as_graph
from causalkit.graph._bits import members
from causalkit.graph._core import as_names
from causalkit.graph._problem import observed_nodes
from causalkit.graph._routes import routes
from causalkit.strength._answer import CausalStrength, arm_of, e_values, measure_of
from causalkit.strength._attribution import ATTRIBUTION, observed_in
from causalkit.strength._by_oracle import strength_from_oracle
from causalkit.strength._columns import warn_of_codes, warn_of_copies
from causalkit.strength._estimators import Empty
from causalkit.strength._identification import Identification, Strategy, check_adjustment, identify
from causalkit.strength._means import ArmMeans
from causalkit.strength._method import (
    EXACT,
    EstimatorName,
    IntervalName,
    Method,
    Question,
    RareLabels,
    Settings,
    Uncertainty,
    rows_of_estimate,
)
from causalkit.strength._models import Models
from causalkit.strength._network import BayesianNetwork
from causalkit.strength._oracle import ProbabilityOracle
from causalkit.strength._overlap import Overlap, refuse, support_notes, support_of
from causalkit.strength._sample import Sample, make_sample, read_columns_of

__all__ = ["causal_strength"]

Floats = NDArray[np.float64]
# Fewer rows than these show hardly anything of their spread.
FEW_ROWS = 5


def causal_strength(
    graph: GraphLike,
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
    rare_labels: RareLabels = "raise",
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
    empty : {"raise", "trim", "bound"}, default="raise"
        What to do where an arm is missing. With strata: leave those out that lack an arm, or bound the effect. Other estimators can leave rows out that
        their own propensities do not support: below `clip`, or in a stratum that lacks an arm although it has rows enough. What is estimated then is
        named in `estimand` and `notes`.
    rare_labels : {"raise", "group"}, default="raise"
        What models do with labels that have fewer than five rows in either arm: refuse them, or pool them, with a note.
    outcome_model, propensity_model : scikit-learn estimator, optional
        By default linear and logistic regression on the columns adjusted for, or splines or (for AIPW) boosted trees if these predict rows better that
        were left out; a note says where straight lines do not fit.
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
    graph = as_graph(graph)
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
        Models(outcome_model, propensity_model),
        n_folds,
        clip,
        n_matches,
        n_resamples,
        rng,
        rare_labels,
    )
    if (data is None) == (oracle is None):
        raise ParameterError("give either data= or oracle=, and not both")
    _check_oracle(oracle)
    observed = None if data is None else columns_in(data, graph)
    found = identified(graph, question, observed, adjustment_set, strategy)
    if oracle is not None:
        _refuse_rows_only(question, method)
        return strength_from_oracle(found, question, oracle)
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
        # What every row has fixed needs no column.
        given = [name for name in as_names(adjustment_set) if name not in found.selected]
        check = check_adjustment(graph, question.cause, question.effect, given)
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


def read_for(found: Identification, question: Question, data: Any, *, warns: bool = True) -> Table:
    """Read the columns that the estimate needs, and warn of those that are not what they seem."""
    _check_selected(found, data)
    names = [question.cause, question.effect, *found.columns]
    if question.clusters is not None:
        names.append(question.clusters)
    table = read_columns_of(data, names, found.graph.nodes, question.column_types)
    if warns:
        warn_of_codes(table, found.columns, (question.cause, question.effect))
    if warns and found.kind == "backdoor":
        warn_of_copies(table, found.columns, question.cause, question.effect)
    return table


def _check_selected(found: Identification, data: Any) -> None:
    """Raise if the rows differ in what the graph says they were selected on."""
    if not nw.dependencies.is_into_dataframe(data):
        return
    frame = open_frame(data)
    for name in found.selected:
        if name in frame.columns and frame[name].n_unique() > 1:
            raise DataError(
                f"the graph says that the rows were selected on {name!r}, but its column has {frame[name].n_unique()} different values; "
                "keep the rows that were selected, or give the node the role 'system'"
            )


def strength_from_table(
    found: Identification, question: Question, method: Method, table: Table
) -> CausalStrength:
    """Estimate from columns that are read."""
    sample = sample_for(found, question, table)
    question.check(is_event=sample.is_event)
    method, sample, notes = method.prepared(found, sample)
    name, estimator = method.choose(found, sample)
    overlap, notes = None, notes + _thin_arms(sample)
    if found.kind == "backdoor" and sample.has_both_arms:
        overlap, support = _overlap(estimator, sample, method, name)
        notes += support
    means, uncertainty = method.uncertain(estimator, sample, look=bool({*question.measures} & {*ATTRIBUTION}))
    means = replace(means, notes=means.notes + notes)
    return _summary(Settings(question, method), found, sample, (means, uncertainty), name, overlap)


def _overlap(estimator: Any, sample: Sample, method: Method, name: str) -> tuple[Overlap, tuple[str, ...]]:
    """Return how well the arms can be compared by the estimator's own propensities, and notes; raise where they cannot."""
    least = np.finfo(float).tiny if name == "plugin" else method.clip
    support = support_of(sample, estimator.scores(sample), least)
    if method.empty == "trim" or name == "plugin":
        return support.overlap(sample), ()
    refuse(support, name)
    return support.overlap(sample), support_notes(support, name)


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
    return measure_of(question.measures[0], means, EXACT, observed_in(sample)).value


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
    measures = {m: measure_of(m, *estimated, seen) for m in question.measures}
    arms = (arm_of(*estimated, 0), arm_of(*estimated, 1))
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
        *(e_values(*estimated) if sample.is_event else (None, None)),
        sample.n,
        means.notes,
        settings=settings,
    )


def _naive_difference(sample: Sample) -> float | None:
    arms = [sample.outcome[sample.arm == a] for a in (0, 1)]
    return float(arms[1].mean() - arms[0].mean()) if all(map(len, arms)) else None
