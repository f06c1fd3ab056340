"""CD-NOD: causal discovery from heterogeneous or nonstationary data, all phases.

A context (time, domain, or several of them) is added to the variables as an exogenous node. An edge from it to a variable says that
the mechanism of that variable changes.

Phase I finds the changing variables and the skeleton: PC-stable on variables and context. Phase II orients by invariance: arrows
leave the context; where a changing variable neighbours an unchanging one, the separating set says which causes which. Phase III
orients edges between two changing variables by the independence of their changes. Last, the driving force of each changing
mechanism is estimated.

References
----------
B. Huang, K. Zhang, J. Zhang, J. Ramsey, R. Sanchez-Romero, C. Glymour, B. Schölkopf, "Causal discovery from
heterogeneous/nonstationary data", JMLR 21(89), 2020.
"""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from causalkit._validation import ColumnTypes, Floats, Table, check_count
from causalkit.discovery._colliders import ColliderRule
from causalkit.discovery._contexts import ContextPoints, in_order, split_context
from causalkit.discovery._driving_force import DrivingForce, ForceMethod, mechanism_force, with_bands
from causalkit.discovery._independent_change import ChangeScorer, IndependentChange
from causalkit.discovery._interventions import intervention_contexts
from causalkit.discovery._mechanism_parameters import ParameterEmbedding
from causalkit.discovery._orientation import Orienter
from causalkit.discovery._plot import plot_forces
from causalkit.discovery._search import ConstraintSearch, Missing
from causalkit.discovery._sinks import ChangeHypothesis, SinkSearch
from causalkit.discovery._skeleton import Stop
from causalkit.discovery._stability import Resampling
from causalkit.exceptions import CausalKitWarning, ParameterError
from causalkit.graph import BackgroundKnowledge, GraphKind
from causalkit.graph._bits import mask_of
from causalkit.independence import CITest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CDNOD"]

logger = logging.getLogger("causalkit.discovery")


class CDNOD(ConstraintSearch):
    """CD-NOD: causal graph, changing mechanisms and their driving forces from data whose mechanisms change.

    Parameters
    ----------
    ci_test : str or CITest, default="kci"
        Independence test: ``"kci"``, ``"fisher_z"`` (time only, linear changes of mean), a registered name, or a test object.
    alpha : float, default=0.05
        Level of the tests, between 0 and 1.
    max_cond_size : int or None, default=None
        Largest conditioning set; None for no limit.
    knowledge : BackgroundKnowledge or None, default=None
        Required and forbidden arrows and tiers; honoured in every phase. That contexts have no causes is built in.
    targets : mapping of str to sequence of str, optional
        For experiments whose targets are known: the variables that each label of the context acts on. Every experiment becomes a context
        of its own, ``"<context>=<label>"``, with arrows to its targets only; labels without targets are observations.
    independent_change : "auto", ChangeScorer or None, default="auto"
        Phase III: an `IndependentChange` with its parameters, ``"auto"`` for its defaults at the level ``alpha``, None to leave it out.
    n_components : int, default=3
        Components of each driving force; 0 leaves the driving forces out.
    n_resamples : int, default=0
        Draws for the bands of driving forces; see `driving_force`.
    column_types : mapping or sequence, optional
        Types of columns; see `causalkit.independence.KCI`. **Numbered domains must be declared** ``"categorical"``: their labels
        are no numbers.
    groups : mapping of str to sequence of str, optional
        Columns that are one variable together, by its name; needs ``ci_test="kci"``.
    missing : {"error", "testwise"}, default="error"
        What to do with missing values: refuse them, or use for each test the rows that are complete in its columns; see
        `causalkit.independence.TestwiseDeletion`. ``tests_`` says how many they were.
    stop : {"exhaustive", "first"}, default="exhaustive"
        Do all tests of a level; or stop testing a pair at its first separating set, most dependent sets first: fewer tests, the same
        skeleton.
    colliders : {"majority", "conservative", "max_p"}, default="majority"
        Which triples i - k - j become colliders, by the sets of neighbours of i or j that separate i and j (up to `max_cond_size`): k in
        fewer than half of them; in none of them; or not in the one with the largest p-value. Always i and j must be seen to depend on each other
        given k. What is neither a collider nor clearly none is ambiguous, and orients nothing.
    device : str or None, default=None
        Where a kernel test computes: ``"cpu"``, ``"cuda"`` or ``"auto"``; None for what the test itself says.
    n_jobs : int or None, default=None
        Processes that share the tests, with joblib's meaning: None is one, or what ``joblib.parallel_config`` says (a Dask cluster, too).
    checkpoint : str, pathlib.Path or None, default=None
        File that results are kept in; a search that was cut off goes on from it.
    resampling : Resampling or None, default=None
        Repeat the search on parts of the rows and keep how often each edge is found, in ``stability_``.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    graph_ : CausalGraph
        An MPDAG whose context nodes have role "context". Edge columns give the weakest test for each edge and the reason for its
        direction. A PDAG where ambiguous triples are left open, so that no class is claimed, and, with a warning, if the tests contradict
        one another so that no directed acyclic graph fits.
    changing_ : tuple of str
        Variables whose mechanism changes with a context.
    driving_forces_ : dict of str to numpy.ndarray, shape (n, n_components)
        For each changing variable the coordinates of its mechanism, row by row.
    driving_force_spectra_ : dict of str to numpy.ndarray
        The variances of all components.
    forces_ : dict of str to DrivingForce
        The same with spectrum, bands, regimes, change points, and what it is that changes.
    hypotheses_ : tuple of ChangeHypothesis
        Every hypothesis of Phase III with its score and what became of it.
    orientation_ : dict of (str, str) to Receipt
        Why each arrow stands: rule, numbers, and a sentence.
    skeleton_ : CausalGraph
        The undirected skeleton, contexts included.
    sepsets_ : mapping of (str, str) to tuple
        All separating sets found for each separated pair.
    tests_ : TestTable
        Every test done.
    n_tests_ : int
        Their number.
    ambiguous_ : tuple of AmbiguousTriple
        Triples of which it is open whether their middle is a collider, by name, with the reason.
    conflicts_ : tuple of str
        Contradictions among the tests, in words.
    context_names_ : tuple of str
        Names of the context nodes.
    contexts_ : dict of str to numpy.ndarray
        The context of each row, as it was given; dates as seconds since 1970.
    stability_ : Stability or None
        How often resampled searches found each edge and mark; None without `resampling`.
    column_types_ : dict of str to str
        Type of each column and context, declared or inferred.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : numpy.ndarray of str
        Names of the columns of X, if it had names.

    See Also
    --------
    PC : The same search without contexts.

    Notes
    -----
    Assumed are: no hidden common cause other than functions of the context, faithfulness, rows independent given the context, and
    for Phase III independent changes of different mechanisms. An edge from the context does not distinguish a changing mechanism
    from a hidden function of the context that acts on the variable.

    References
    ----------
    B. Huang et al., "Causal discovery from heterogeneous/nonstationary data", JMLR 21(89), 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import CDNOD
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat([f"site {k}" for k in range(6)], 60)
    >>> level = np.repeat(rng.normal(size=6) * 2, 60)
    >>> a = level + rng.normal(size=360)
    >>> b = a + 0.7 * rng.normal(size=360)
    >>> model = CDNOD().fit(np.column_stack([a, b]), context=site)
    >>> model.changing_, str(model.graph_)
    (('X1',), 'X1 -> X2; context -> X1')
    """

    def __init__(
        self,
        *,
        ci_test: str | CITest = "kci",
        alpha: float = 0.05,
        max_cond_size: int | None = None,
        knowledge: BackgroundKnowledge | None = None,
        targets: Mapping[str, Sequence[str]] | None = None,
        independent_change: str | ChangeScorer | None = "auto",
        n_components: int = 3,
        n_resamples: int = 0,
        column_types: ColumnTypes = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        missing: Missing = "error",
        stop: Stop = "exhaustive",
        colliders: ColliderRule = "majority",
        device: str | None = None,
        n_jobs: int | None = None,
        checkpoint: str | Path | None = None,
        resampling: Resampling | None = None,
        verbose: int = 0,
    ) -> None:
        self.ci_test = ci_test
        self.alpha = alpha
        self.max_cond_size = max_cond_size
        self.knowledge = knowledge
        self.targets = targets
        self.independent_change = independent_change
        self.n_components = n_components
        self.n_resamples = n_resamples
        self.column_types = column_types
        self.groups = groups
        self.missing = missing
        self.stop = stop
        self.colliders = colliders
        self.device = device
        self.n_jobs = n_jobs
        self.checkpoint = checkpoint
        self.resampling = resampling
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, *, context: Any = None) -> Self:
        """Learn graph, changing variables and driving forces.

        Parameters
        ----------
        X : array_like of shape (n, d) or data frame
            One row per observation; missing values (NaN, None, null) only with ``missing="testwise"``.
        y : ignored
            Present for scikit-learn's interface.
        context : str, list of str, array_like of shape (n,) or (n, k), or data frame, optional
            Name or names of columns of X, or the contexts themselves. Strings, booleans and categories are domains; numbers and
            dates are time. By default the row number, as time.

        Returns
        -------
        CDNOD
            The fitted estimator.

        Raises
        ------
        DataError
            If the data cannot be used; the message says which column and row, and what to do.
        ParameterError
            If a parameter is not allowed.
        """
        if y is not None:
            text = "y is ignored; the context is given by name, as in fit(X, context=...)"
            warnings.warn(text, CausalKitWarning, stacklevel=2)
        test = self._check_parameters()
        scorer = self._check_scorer()
        variables, contexts = split_context(X, context, self.column_types, self._missing())
        self._remember_features(X)
        variables = variables.grouped(self.groups)
        self._check_rows(variables.join(in_order(contexts)), test)
        given = self.knowledge or BackgroundKnowledge()
        if self.targets is not None:
            contexts, about_targets = intervention_contexts(contexts, self.targets, variables.nodes().names)
            given = merged(given, about_targets)
        table = variables.join(contexts)
        nodes = table.nodes()
        positions = frozenset(range(nodes.n_columns - contexts.n_columns, nodes.n_columns))
        knowledge = self._check_knowledge(nodes, given)
        knowledge = with_exogenous(knowledge, nodes.names, contexts.names)

        skeleton, orienter = self._oriented(test, table, knowledge, positions)
        self.context_names_ = contexts.names
        self.contexts_ = {name: _original_values(contexts, k) for k, name in enumerate(contexts.names)}
        self.hypotheses_ = self._orient_changes(orienter, variables, contexts, scorer)
        meta = {"contexts": list(contexts.names)}
        self._store(skeleton, orienter, nodes, [GraphKind.MPDAG, GraphKind.PDAG], meta)
        self.changing_ = tuple(
            name
            for name in variables.nodes().names
            if any(self.graph_.has_directed_edge(c, name) for c in contexts.names)
        )
        self._estimate_forces(variables, contexts)
        self._assess(X, context, contexts)
        return self

    def plot_driving_forces(
        self, at: Any = None, *, context: str | None = None, n_components: int = 2
    ) -> Figure:
        """Draw the driving force of each changing mechanism against a context.

        Parameters
        ----------
        at : array_like of shape (n,), optional
            Values for the horizontal axis, for example dates; by default those of the context.
        context : str, optional
            Name of the context; by default the first one.
        n_components : int, default=2
            Components drawn; the legend gives their share of the variance.

        Returns
        -------
        matplotlib.figure.Figure
            One row per changing variable: components, with bands if there were resamples; spectrum; and what it is that changes.

        Raises
        ------
        ParameterError
            If the model is not fitted, nothing changes, or the context is not known.
        """
        fitted: dict[str, Any] | None = getattr(self, "contexts_", None)
        if fitted is None:
            raise ParameterError("this CDNOD is not fitted yet; call fit first")
        name = self.context_names_[0] if context is None else context
        if name not in fitted:
            raise ParameterError(f"context is {name!r}; the model has {', '.join(map(repr, fitted))}")
        values = fitted[name] if at is None else np.asarray(at)
        if len(values) != len(fitted[name]):
            raise ParameterError(
                f"at has {len(values)} values for {len(fitted[name])} rows; give one per row"
            )
        check_count("n_components", n_components)
        is_domain = self.column_types_[name] == "categorical"
        return plot_forces(self.forces_, values, name, is_domain=is_domain, n_shown=n_components)

    def _check_scorer(self) -> ChangeScorer | None:
        check_count("n_components", self.n_components, least=0)
        check_count("n_resamples", self.n_resamples, least=0)
        chosen = self.independent_change
        if isinstance(chosen, str):
            if chosen != "auto":
                raise ParameterError(
                    f"independent_change is {chosen!r}; allowed are 'auto', None or an IndependentChange"
                )
            return IndependentChange(alpha=self.alpha)
        if chosen is not None and not isinstance(chosen, ChangeScorer):
            raise ParameterError(
                f"independent_change must be 'auto', None or an IndependentChange; got {chosen!r}"
            )
        return chosen

    def _orient_changes(
        self, orienter: Orienter, variables: Table, contexts: Table, scorer: ChangeScorer | None
    ) -> tuple[ChangeHypothesis, ...]:
        """Phase III, on the variables that change with any context."""
        if scorer is None:
            return ()
        changing = mask_of(
            v
            for v in range(variables.nodes().n_columns)
            if any(orienter.pattern.is_directed(c, v) for c in orienter.contexts)
        )
        points = ContextPoints.of(contexts)
        hypotheses = SinkSearch(orienter, variables, points, scorer, changing).run()
        logger.debug("independent changes: %d hypotheses", len(hypotheses))
        return tuple(hypotheses)

    def _estimate_forces(self, variables: Table, contexts: Table) -> None:
        """Estimate the driving force of each changing variable given its parents in the graph."""
        forces: dict[str, DrivingForce] = {}
        points = ContextPoints.of(contexts)
        method = ForceMethod(
            ParameterEmbedding(), n_components=self.n_components, n_resamples=self.n_resamples
        )
        for name in self.changing_ if self.n_components else ():
            parents = [p for p in self.graph_.parents(name) if p not in contexts.names]
            rows, table = variables.complete_for([name, *parents])
            rng = np.random.default_rng(0)
            force = mechanism_force(table, name, parents, points.take(rows), method, rng)
            forces[name] = _force_of_rows(force, points)
        self.forces_ = forces
        self.driving_forces_: dict[str, Floats] = {name: force.components for name, force in forces.items()}
        self.driving_force_spectra_: dict[str, Floats] = {
            name: force.eigenvalues for name, force in forces.items()
        }


def _force_of_rows(force: DrivingForce, points: ContextPoints) -> DrivingForce:
    """Give a driving force that was estimated on some of the rows to all of them."""
    if points.source is None or len(force.components) == len(points.rows):
        return force
    known = force.cells.points.convert(points.source)
    whole = dataclasses.replace(force, components=force.cells.spread(force.coordinates, known))
    return whole if force.margins is None else with_bands(whole, force.margins, known)


def _original_values(table: Table, k: int) -> Any:
    """Return a context column with its labels instead of codes."""
    levels = table.levels.get(table.names[k])
    column = table.values[:, k] * table.periods.get(table.names[k], 1.0)
    return column if levels is None else np.array(levels, dtype=object)[column.astype(int)]


def merged(first: BackgroundKnowledge, second: BackgroundKnowledge) -> BackgroundKnowledge:
    """Return all that two pieces of knowledge say; tiers are those of the first."""
    return BackgroundKnowledge(
        [*first.required, *second.required], [*first.forbidden, *second.forbidden], first.tiers
    )


def with_exogenous(
    knowledge: BackgroundKnowledge, names: Iterable[str], contexts: Iterable[str]
) -> BackgroundKnowledge:
    """Add to knowledge that nothing causes a context, and that contexts are not joined by edges."""
    outside = list(contexts)
    inside = [name for name in names if name not in outside]
    into = [(name, c) for c in outside for name in inside]
    return BackgroundKnowledge(
        knowledge.required, [*knowledge.forbidden, *into, *permutations(outside, 2)], knowledge.tiers
    )
