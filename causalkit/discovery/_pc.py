"""The PC algorithm in its order-independent form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from causalkit._validation import ColumnTypes, read_table
from causalkit.discovery._colliders import ColliderRule
from causalkit.discovery._search import ConstraintSearch, Missing
from causalkit.discovery._skeleton import Stop
from causalkit.discovery._stability import Resampling
from causalkit.graph import BackgroundKnowledge, GraphKind
from causalkit.independence import CITest

__all__ = ["PC"]


class PC(ConstraintSearch):
    """PC-stable: the equivalence class of a causal graph without latent common causes.

    Parameters
    ----------
    ci_test : str or CITest, default="fisher_z"
        Independence test: ``"fisher_z"``, ``"kci"``, ``"g_square"``, ``"chi_square"``, a registered name, or a test object.
    alpha : float, default=0.05
        Level of the tests, between 0 and 1.
    max_cond_size : int or None, default=None
        Largest conditioning set; None for no limit.
    knowledge : BackgroundKnowledge or None, default=None
        Required and forbidden arrows and tiers; honoured in the skeleton, the colliders and the closure.
    column_types : mapping or sequence, optional
        Types of columns; see `causalkit.independence.KCI`.
    groups : mapping of str to sequence of str, optional
        Columns that are one variable together, by its name; needs ``ci_test="kci"``.
    missing : {"error", "testwise"}, default="error"
        What to do with missing values: refuse them, or use for each test the rows that are complete in its columns; see
        `causalkit.independence.TestwiseDeletion`. ``tests_`` says how many they were.
    stop : {"exhaustive", "first"}, default="exhaustive"
        Do all tests of a level; or stop testing a pair at its first separating
        set, most dependent sets first: fewer tests, the same skeleton.
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
        A CPDAG; an MPDAG with knowledge, or where conflicts left no valid CPDAG; a PDAG where ambiguous triples are left open, so that no
        class is claimed, and, with a warning, if no graph fits.
    skeleton_ : CausalGraph
        The undirected skeleton.
    sepsets_ : mapping of (str, str) to tuple
        All separating sets found for each separated pair.
    tests_ : TestTable
        Every test done.
    n_tests_ : int
        Their number.
    orientation_ : dict of (str, str) to Receipt
        Why each arrow stands.
    ambiguous_ : tuple of AmbiguousTriple
        Triples of which it is open whether their middle is a collider, by name, with the reason.
    conflicts_ : tuple of str
        Contradictions among the tests, in words.
    stability_ : Stability or None
        How often resampled searches found each edge and mark; None without `resampling`.
    column_types_ : dict of str to str
        Type of each column, declared or inferred.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : numpy.ndarray of str
        Names of columns, if the data had names.

    References
    ----------
    P. Spirtes, C. Glymour, R. Scheines, "Causation, Prediction, and Search", 2nd edition, 2000. D. Colombo, M. Maathuis,
    "Order-independent constraint-based causal structure learning", JMLR 15, 2014 (majority). J. Ramsey, J. Zhang, P. Spirtes,
    "Adjacency-faithfulness and conservative causal inference", UAI 2006 (conservative). J. Ramsey, "Improving accuracy and scalability
    of the PC algorithm by maximizing p-value", arXiv:1610.00378, 2016 (max_p).

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import PC
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 500))
    >>> c = a + b + 0.5 * rng.normal(size=500)
    >>> print(PC().fit(np.column_stack([a, b, c])).graph_)
    X1, X2, X3; X1 -> X3; X2 -> X3
    """

    def __init__(
        self,
        *,
        ci_test: str | CITest = "fisher_z",
        alpha: float = 0.05,
        max_cond_size: int | None = None,
        knowledge: BackgroundKnowledge | None = None,
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

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 - names of scikit-learn's contract
        """Learn the graph.

        Parameters
        ----------
        X : array_like of shape (n, d) or data frame
            One row per observation; missing values (NaN, None, null) only with ``missing="testwise"``.
        y : ignored
            Present for scikit-learn's interface.

        Returns
        -------
        PC
            The fitted estimator.

        Raises
        ------
        DataError
            If the data cannot be used; the message says which column and row, and what to do.
        ParameterError
            If a parameter is not allowed.
        """
        test = self._check_parameters()
        table = read_table(X, self.column_types, missing=self._missing()).grouped(self.groups)
        self._remember_features(X)
        self._check_rows(table, test)
        nodes = table.nodes()
        knowledge = self._check_knowledge(nodes)
        skeleton, orienter = self._oriented(test, table, knowledge)
        first = [GraphKind.CPDAG] if not knowledge.names() else []
        self._store(skeleton, orienter, nodes, [*first, GraphKind.MPDAG, GraphKind.PDAG], {})
        self._assess(X)
        return self
