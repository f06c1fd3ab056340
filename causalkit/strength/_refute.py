"""What speaks against an estimated effect: the same estimate where the answer is known, or should not change.

* *placebo*: the cause is shuffled among the rows; the effect should vanish.
* *random common cause*: a column of noise is adjusted for too; nothing should change.
* *subset*: part of the rows; nothing should change but the spread.
* *adjustment sets*: every other minimal set is as valid as the chosen one under the graph; if they disagree by more than chance, the
  graph is wrong somewhere. Estimates from the same rows vary together, so that their difference is judged by the influence of each row on both.
* *graph edits*: each edge of the graph left out or turned round; shows on which edges the answer hangs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from causalkit._random import Seed, entropy, named_stream
from causalkit._validation import Table, check_between, check_choice, check_count
from causalkit.exceptions import DataError, GraphError, InvalidGraphError, ParameterError
from causalkit.graph import CausalGraph, GraphKind
from causalkit.strength._answer import CausalStrength
from causalkit.strength._identification import Identification, adjustment_sets
from causalkit.strength._method import Method, Question
from causalkit.strength._strength import (
    columns_in,
    identified,
    read_for,
    sample_for,
    value_from_table,
)

__all__ = ["Refutation", "RefutationTest", "refute"]

TestName = Literal["placebo", "random_common_cause", "subset", "adjustment_sets", "graph_edits"]
TESTS: tuple[TestName, ...] = ("placebo", "random_common_cause", "subset", "adjustment_sets", "graph_edits")
NOISE = "random common cause"
HAS_NULL = ("rd", "rr", "or", "log_or", "attributable", "cheng", "good", "suppes")


@dataclass(frozen=True)
class RefutationTest:
    """One way to question an estimate.

    Parameters
    ----------
    name : str
        The test.
    expected : float
        What the estimates should be: zero for the placebo, the original elsewhere.
    labels : tuple of str
        What was changed, one per estimate.
    values : tuple of float or None
        The estimates; None where the effect is not identified or not estimable after the change.
    p_value : float or None
        How often chance alone moves the mean of these estimates as far from `expected` (placebo, noise, subset: a t test over the repetitions), or the
        worst of them (adjustment sets, Bonferroni). None for graph edits, which are no test, and where the estimator has no influence function.
    """

    name: str
    expected: float
    labels: tuple[str, ...]
    values: tuple[float | None, ...]
    p_value: float | None

    @property
    def spread(self) -> tuple[float, float] | None:
        """Least and largest estimate."""
        there = [v for v in self.values if v is not None]
        return (min(there), max(there)) if there else None


@dataclass(frozen=True)
class Refutation:
    """All tests of one estimate.

    Parameters
    ----------
    estimate : float
        The original.
    tests : tuple of RefutationTest
        In the order asked for.
    """

    estimate: float
    tests: tuple[RefutationTest, ...]

    def __getitem__(self, name: str) -> RefutationTest:
        for test in self.tests:
            if test.name == name:
                return test
        raise KeyError(name)

    def __str__(self) -> str:
        lines = [
            f"estimate {self.estimate:.4g}",
            f"{'test':20} {'expected':>9} {'least':>9} {'largest':>9} {'p-value':>8}",
        ]
        for test in self.tests:
            low, high = test.spread or (float("nan"), float("nan"))
            p = "" if test.p_value is None else f"{test.p_value:.3f}"
            lines.append(f"{test.name:20} {test.expected:9.4g} {low:9.4g} {high:9.4g} {p:>8}")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Influence:
    """A difference of means, and the influence of every row on it."""

    contrast: float
    rows: NDArray[np.float64]


@dataclass(frozen=True)
class _Case:
    """An estimate with what it was made from."""

    value: float
    found: Identification
    question: Question
    method: Method
    data: Any
    table: Table
    n_repeats: int
    share: float
    base: int

    def stream(self, name: str, k: int) -> np.random.Generator:
        return named_stream(self.base, [name, k])

    def estimate(self, table: Table, found: Identification | None = None) -> float | None:
        """Return the estimate from other rows or another set, or None where they do not suffice."""
        try:
            return value_from_table(found or self.found, self.question, self.method, table)
        except (DataError, ParameterError, GraphError):
            return None

    def influence(self, table: Table, found: Identification) -> _Influence | None:
        """Return the difference of the means with the influence of every row, where the estimator has one."""
        sample = sample_for(found, self.question, table)
        means = self.method.choose(found, sample)[1](sample)
        if means.influence is None:
            return None
        return _Influence(means.means[1] - means.means[0], means.influence[1] - means.influence[0])


def refute(
    strength: CausalStrength,
    data: Any,
    *,
    tests: Iterable[TestName] = TESTS,
    n_repeats: int = 20,
    share: float = 0.8,
    rng: Seed = 0,
) -> Refutation:
    """Question an estimated effect.

    Parameters
    ----------
    strength : CausalStrength
        The result of `causal_strength` with ``data=``.
    data : data frame
        The same data.
    tests : iterable of str, default=all
        ``"placebo"``, ``"random_common_cause"``, ``"subset"``, ``"adjustment_sets"``, ``"graph_edits"``.
    n_repeats : int, default=20
        Repetitions of the first three, and the most sets and edits that are tried.
    share : float, default=0.8
        Part of the rows for ``"subset"``.
    rng : int, numpy.random.Generator or None, default=0
        Seed.

    Returns
    -------
    Refutation
        Printable; ``refutation["placebo"].values`` are the estimates.

    Raises
    ------
    ParameterError
        If the strength came from an oracle, has no single value, or a parameter is out of range.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import causal_strength, refute
    >>> rng = np.random.default_rng(0)
    >>> z = rng.integers(0, 2, 500)
    >>> x = (rng.random(500) < 0.3 + 0.4 * z).astype(int)
    >>> frame = pd.DataFrame({"z": z, "x": x, "y": x + z + rng.normal(size=500)})
    >>> g = CausalGraph.parse("z -> x; z -> y; x -> y")
    >>> found = refute(causal_strength(g, "x", "y", data=frame), frame, tests=["placebo"])
    >>> found["placebo"].p_value > 0.05
    True
    """
    wanted = tuple(tests)
    for name in wanted:
        check_choice("tests", name, TESTS)
    check_count("n_repeats", n_repeats, least=2)
    check_between("share", share, 0, 1)
    if strength.settings is None:
        raise ParameterError(
            "an estimate from an oracle has no rows to shuffle; refute() needs one made with data="
        )
    question, method = strength.settings
    first = question.measures[0]
    question = replace(question, measures=(first if first in HAS_NULL else "rd",))
    if strength.value is None:
        raise ParameterError("bounds have no single value to refute")
    table = read_for(strength.identification, question, data)
    value = value_from_table(strength.identification, question, method, table)
    same = first not in HAS_NULL or np.isclose(value or 0.0, strength.value, rtol=1e-6, atol=1e-9)
    if table.n_rows != strength.n or not same:
        raise ParameterError(
            f"these are not the rows that the effect was estimated from: they give {value!r}, and it is {strength.value!r}"
        )
    case = _Case(
        value or 0.0,
        strength.identification,
        question,
        method,
        data,
        table,
        n_repeats,
        share,
        entropy(rng),
    )
    return Refutation(case.value, tuple(_TESTS[name](case) for name in wanted))


def _placebo(case: _Case) -> RefutationTest:
    column = case.table.index(case.question.cause)

    def shuffled(k: int) -> Table:
        values = case.table.values.copy()
        values[:, column] = case.stream("placebo", k).permutation(values[:, column])
        return replace(case.table, values=values)

    values = tuple(case.estimate(shuffled(k)) for k in range(case.n_repeats))
    null = 1.0 if case.question.measures[0] in ("rr", "or") else 0.0
    return _repeated("placebo", null, values)


def _random_common_cause(case: _Case) -> RefutationTest:
    if case.found.kind != "backdoor":
        return RefutationTest("random_common_cause", case.value, (), (), None)
    found = replace(case.found, adjustment_set=(*(case.found.adjustment_set or ()), NOISE))

    def widened(k: int) -> Table:
        noise = case.stream("noise", k).integers(0, 2, size=(case.table.n_rows, 1)).astype(float)
        return case.table.join(Table((NOISE,), noise, ("categorical",), levels={NOISE: (0, 1)}))

    values = tuple(case.estimate(widened(k), found) for k in range(case.n_repeats))
    return _repeated("random_common_cause", case.value, values)


def _subset(case: _Case) -> RefutationTest:
    n = case.table.n_rows
    size = max(int(case.share * n), 1)
    draws = [case.stream("subset", k).permutation(n)[:size] for k in range(case.n_repeats)]
    return _repeated("subset", case.value, tuple(case.estimate(case.table.take(rows)) for rows in draws))


def _repeated(name: str, expected: float, values: tuple[float | None, ...]) -> RefutationTest:
    """Compare the mean of repeated estimates with what it should be, by their own spread."""
    there = [v for v in values if v is not None]
    p = None
    if len(there) > 1:
        p = float(stats.ttest_1samp(there, expected).pvalue) if np.ptp(there) else float(there[0] == expected)
    return RefutationTest(name, expected, tuple(map(str, range(len(values)))), values, p)


def _adjustment_sets(case: _Case) -> RefutationTest:
    """Compare with other minimal sets."""
    observed = columns_in(case.data, case.found.graph)
    listed = adjustment_sets(case.found.graph, case.question.cause, case.question.effect, observed=observed)
    others = [z for z in islice(listed, case.n_repeats + 1) if z != case.found.adjustment_set][
        : case.n_repeats
    ]
    found = [
        replace(case.found, kind="backdoor", adjustment_set=z, mediators=None, expression=None)
        for z in others
    ]
    tables = [read_for(f, case.question, case.data, warns=False) for f in found]
    values = tuple(case.estimate(table, f) for table, f in zip(tables, found, strict=True))
    own = case.influence(case.table, case.found)
    chances = (
        []
        if own is None
        else [
            _chance_of_difference(own, other)
            for f, table, value in zip(found, tables, values, strict=True)
            if value is not None and (other := case.influence(table, f)) is not None
        ]
    )
    p = min(1.0, len(chances) * min(chances)) if chances else None
    return RefutationTest(
        "adjustment_sets", case.value, tuple(", ".join(z) or "(none)" for z in others), values, p
    )


def _chance_of_difference(first: _Influence, second: _Influence) -> float:
    """Return the p-value of the difference of two estimates from the same rows."""
    apart = first.rows - second.rows
    se = float(np.sqrt(apart @ apart)) / len(apart)
    difference = abs(first.contrast - second.contrast)
    return float(2 * stats.norm.sf(difference / se)) if se else float(difference < 1e-12)


def _graph_edits(case: _Case) -> RefutationTest:
    observed = columns_in(case.data, case.found.graph)
    strategy: Any = "auto" if case.found.strategy == "given" else case.found.strategy
    labels, values = [], []
    for label, graph in islice(_edited(case.found.graph), case.n_repeats):
        labels.append(label)
        try:
            found = identified(graph, case.question, observed, None, strategy)
            values.append(case.estimate(read_for(found, case.question, case.data, warns=False), found))
        except GraphError:
            values.append(None)
    return RefutationTest("graph_edits", case.value, tuple(labels), tuple(values), None)


def _edited(graph: CausalGraph) -> Iterator[tuple[str, CausalGraph]]:
    """Yield graphs that differ in one directed edge: left out, or turned round where that makes no cycle."""
    if graph.kind not in (GraphKind.DAG, GraphKind.ADMG):
        return
    for edge in graph.edges:
        if not edge.is_directed:
            continue
        u, v = (edge.u, edge.v) if graph.has_directed_edge(edge.u, edge.v) else (edge.v, edge.u)
        yield f"without {u} -> {v}", graph.without_edge(u, v)
        try:
            yield f"{v} -> {u} instead", graph.without_edge(u, v).with_edge(v, u)
        except InvalidGraphError:
            continue


_TESTS: dict[TestName, Callable[[_Case], RefutationTest]] = {
    "placebo": _placebo,
    "random_common_cause": _random_common_cause,
    "subset": _subset,
    "adjustment_sets": _adjustment_sets,
    "graph_edits": _graph_edits,
}
