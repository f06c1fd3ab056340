r"""Kernel-based conditional independence test (KCI), by traces.

With centred Gram matrices :math:`\tilde K` and the residual maker of kernel ridge regression on Z,

.. math:: R_Z = I - \tilde K_Z (\tilde K_Z + \varepsilon I)^{-1} = \varepsilon (\tilde K_Z + \varepsilon I)^{-1},

the residual Gram matrices are :math:`A = R_Z \tilde K_{\ddot X} R_Z` and :math:`B = R_Z \tilde K_Y R_Z`, where
:math:`\ddot X = (X, Z/2)`, and the statistic is :math:`T = \mathrm{tr}(AB) = \sum_{st} A_{st} B_{st}`. Under independence T is
distributed as :math:`\sum_k \omega_k \chi^2_1` with the eigenvalues :math:`\omega` of the Gram matrix of all products of one
eigenvector of A with one of B. **That Gram matrix is the elementwise product** :math:`A \circ B`. So the null has mean
:math:`\sum_t A_{tt} B_{tt}` and variance :math:`2 \sum_{st} (A_{st} B_{st})^2`, and no eigendecomposition and no matrix with one
column per pair of eigenvectors is needed. R depends on Z only and A on (X, Z) only: both are kept while Z stays the same.

Joining Z to X before the regression, and not to Y, makes the original test depend on which variable is called X. The default is a
symmetric form: residuals of the kernels of X and of Y alone, :math:`A = R \tilde K_X R` and :math:`B = R \tilde K_Y R`, and the kernel
of Z/2 as a third factor, :math:`T = \sum_{st} A_{st} B_{st} k(z_s / 2, z_t / 2)`. It asks the same question, covariance of the two
residual feature maps in any region of Z, and its null follows from :math:`A \circ B \circ K_{Z/2}` in the same way.

With the default ``ridge="loo"`` and numbers or time in Z the statistic is divided by `causalkit.independence._regression.inflation`, since residuals of different
rows are correlated and the null law takes them for uncorrelated.

References
----------
K. Zhang, J. Peters, D. Janzing, B. Schölkopf, "Kernel-based conditional independence test and application in causal
discovery", UAI 2011, sections 3.1 to 3.4.
"""

from __future__ import annotations

import inspect
import warnings
import zlib
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from causalkit._random import Seed, entropy, stream
from causalkit._validation import ColumnType, ColumnTypes, Floats, Table, check_between
from causalkit.exceptions import ParameterError, SmallSampleWarning
from causalkit.independence._base import FittedTest, read_arguments
from causalkit.independence._grams import Block, GramFactory, Width
from causalkit.independence._kernels import center_gram
from causalkit.independence._null import Gamma, NullLaw, Permutation, Spectral
from causalkit.independence._regression import Regression, Residual, Ridge, inflation
from causalkit.independence._result import TestResult, independent

__all__ = ["KCI", "kci_test"]

NULLS: dict[str, type[NullLaw]] = {"gamma": Gamma, "spectral": Spectral, "permutation": Permutation}
SMALL_SAMPLE = 50

Key: TypeAlias = tuple[Block, bool]


class KCI(FittedTest):
    """Kernel-based conditional independence test.

    Parameters
    ----------
    width : float or {"empirical", "median", "learned"}, default="empirical"
        Width of the Gaussian kernels on standardised columns. ``"empirical"`` is the rule of the authors' code: without
        conditioning set .8 for n < 200, .5 for n < 1200 and .3 above, divided by the root of the number of columns of a
        variable; with q conditioning columns 1.2 for n <= 200, .6 for n < 1200 and .4 above, times the root of q. A
        number replaces these. ``"median"`` is the median distance of each set of columns. ``"learned"`` learns the widths on
        Z and the ridge by Gaussian-process marginal likelihood, at ten to a hundred times the cost.
    ridge : float or "loo", default="loo"
        Ridge ε of the regression on Z. ``"loo"`` chooses the ridge and the width of the kernel on Z for each variable by exact
        leave-one-out error, which keeps the level of the test where a fixed ridge does not (several conditioning columns, drift
        in time). The authors' code has 1e-3 and the widths above.
    null : {"gamma", "spectral", "permutation"} or null law, default="gamma"
        Law of the statistic under independence: `Gamma`, `Spectral` (exact weighted chi-square) or `Permutation` (needs an empty
        conditioning set or one of labels only).
    symmetric : bool, default=True
        Let the kernel of Z enter after the regressions, so that swapping X and Y changes nothing. ``False`` joins Z to X before, as
        the paper does.
    time_width : float, default=0.1
        Width on standardised time when time is conditioned on and ``ridge`` is a number: narrow enough to follow the drift.
    shared : float, default=0.5
        When labels or time are conditioned on together with numbers: the share of the regression that is common to all
        contexts. 0 makes every context its own regression.
    column_types : mapping or sequence, optional
        Types of columns, ``"continuous"``, ``"categorical"``, ``"ordinal"`` or ``"time"``, by name or in order. By default category,
        string and boolean columns are categorical, dates are time and the rest continuous; ``table_`` shows what was inferred.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the permutation law. Every test has its own stream, so that the order of tests does not matter.

    Attributes
    ----------
    table_ : Table
        The data as they were read, with ``names``, ``types`` and ``inferred``.

    See Also
    --------
    kci_test : The same test as a function of three arrays.

    Notes
    -----
    Constant columns are independent of everything (p = 1, with a `ConstantColumnWarning`) and are dropped from
    conditioning sets. A variable that is a copy of a conditioning column gets p = 1.

    References
    ----------
    K. Zhang, J. Peters, D. Janzing, B. Schölkopf, "Kernel-based conditional independence test and application in causal
    discovery", UAI 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import KCI
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=200)
    >>> data = np.column_stack([np.sin(z) + 0.3 * rng.normal(size=200), z**2 + 0.3 * rng.normal(size=200), z])
    >>> test = KCI().fit(data)
    >>> test(0, 1).p_value < 0.001, test(0, 1, (2,)).p_value > 0.05
    (True, True)
    """

    def __init__(
        self,
        *,
        width: Width = "empirical",
        ridge: Ridge = "loo",
        null: str | NullLaw = "gamma",
        symmetric: bool = True,
        time_width: float = 0.1,
        shared: float = 0.5,
        column_types: ColumnTypes = None,
        random_state: Seed = 0,
    ) -> None:
        self.width = width
        self.ridge = ridge
        self.null = null
        self.symmetric = symmetric
        self.time_width = time_width
        self.shared = shared
        self.column_types = column_types
        self.random_state = random_state

    def __repr__(self) -> str:
        defaults = inspect.signature(KCI).parameters
        changed = [
            f"{k}={getattr(self, k)!r}"
            for k, p in defaults.items()
            if repr(getattr(self, k)) != repr(p.default)
        ]
        return f"KCI({', '.join(changed)})"

    # -- preparation -----------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._check_parameters()
        if self.table_.n_rows < SMALL_SAMPLE:
            text = f"{self.table_.n_rows} rows: p-values of a kernel test are rough below {SMALL_SAMPLE}"
            warnings.warn(text, SmallSampleWarning, stacklevel=4)
        self._constant = set(self.table_.constant_columns())
        self._grams = GramFactory.of(self.table_, self.width, self.time_width, self.shared)
        self._regression = Regression(self._grams, self.ridge)
        self._law: NullLaw = NULLS[self.null]() if isinstance(self.null, str) else self.null
        self._entropy = entropy(self.random_state)
        self._kept: tuple[Block, dict[Key, Residual]] = ((), {})

    def _check_parameters(self) -> None:
        if isinstance(self.width, str):
            if self.width not in ("empirical", "median", "learned"):
                raise ParameterError(
                    f"width is {self.width!r}; allowed are 'empirical', 'median', 'learned' or a number"
                )
        else:
            check_between("width", self.width, 0, np.inf)
        if self.ridge != "loo":
            check_between("ridge", self.ridge, 0, np.inf)
        check_between("time_width", self.time_width, 0, np.inf)
        check_between("shared", self.shared, -1e-9, 1)
        if not isinstance(self.null, Gamma | Spectral | Permutation) and self.null not in NULLS:
            raise ParameterError(
                f"null is {self.null!r}; allowed are {', '.join(map(repr, NULLS))} or a null law"
            )

    # -- one test ----------------------------------------------------------------------------------------------------------------

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        return self._test_blocks((i,), (j,), given)

    def _test_blocks(self, x: Block, y: Block, given: Block) -> TestResult:
        """Test one group of columns against another; the names follow the paper."""
        z = tuple(k for k in given if k not in self._constant)
        reason = self._trivial(x, y, z)
        if reason:
            return independent(self.table_.n_rows, reason)
        a, b = (self._residual(x, z, joined=not self.symmetric), self._residual(y, z, joined=False))
        joining: Floats | float = 1.0
        if self.symmetric and z:
            joining = self._grams.joining(z, self._grams.conditional_width(z, len(z)))
        if isinstance(self._law, Permutation):
            return self._permutation_result(self._law, (x, a.gram), (y, b.gram * joining), z)
        if not z:
            return self._law.unconditional(a.gram, b.gram)
        return self._law.conditional(a.gram, b.gram, joining, inflation(a, b, joining))

    def _permutation_result(
        self, law: Permutation, first: tuple[Block, Floats], second: tuple[Block, Floats], z: Block
    ) -> TestResult:
        """Permute the variable that comes second by name, with a stream that belongs to the names: columns may be in any order."""
        names = [[self.table_.names[k] for k in block] for block in (first[0], second[0], z)]
        if names[0] > names[1]:
            first, second = second, first
        key = zlib.crc32(repr([*sorted(names[:2]), sorted(names[2])]).encode())
        return law.within(first[1], second[1], self._groups(z), stream(self._entropy, key))

    def _trivial(self, x: Block, y: Block, z: Block) -> str:
        """Return why a test needs no computation, or an empty text."""
        for block in (x, y):
            if set(block) <= self._constant:
                return "a constant column is independent of everything"
            if z and all(self._copied(k, z) for k in block):
                return "a copy of a conditioning column is independent of everything given it"
        return ""

    def _copied(self, k: int, z: Block) -> bool:
        column = self._grams.values[:, k]
        others = self._grams.values[:, list(z)]
        same = np.abs(others - column[:, None]).max(axis=0) < 1e-12
        mirrored = np.abs(others + column[:, None]).max(axis=0) < 1e-12
        return bool(np.any(same | mirrored))

    def _residual(self, block: Block, z: Block, *, joined: bool) -> Residual:
        """Return A = R K R for a variable given Z, or its centred Gram matrix if Z is empty; kept while Z stays the same."""
        if self._kept[0] != z:
            self._kept = (z, {})
            self._regression.forget()
        if (block, joined) not in self._kept[1]:
            self._kept[1][block, joined] = self._compute_residual(block, z, joined)
        return self._kept[1][block, joined]

    def _compute_residual(self, block: Block, z: Block, joined: bool) -> Residual:
        if not z:
            return Residual(center_gram(self._grams.gram(block, self._grams.unconditional_width(block))))
        width = self._grams.conditional_width(block, len(z))
        gram = self._grams.gram(block, width)
        if joined:
            gram = gram * self._grams.joining(z, width)
        return self._regression.residual(center_gram(gram), z, first=joined or self.symmetric)

    def _groups(self, z: Block) -> Any:
        """Number the groups of rows with equal labels in Z."""
        numbers, labels = self._grams.split(z)
        if numbers:
            names = ", ".join(repr(self.table_.names[k]) for k in numbers)
            raise ParameterError(
                f"the permutation law needs a conditioning set of labels only, but {names} hold numbers; use null='gamma' or "
                "null='spectral', or declare the columns categorical (z_types, column_types)"
            )
        if not labels:
            return np.zeros(self.table_.n_rows, dtype=np.intp)
        rows = self._grams.values[:, list(labels)]
        _, first, groups = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[groups.ravel()]


def kci_test(
    x: Any,
    y: Any,
    z: Any = None,
    *,
    width: Width = "empirical",
    ridge: Ridge = "loo",
    null: str | NullLaw = "gamma",
    symmetric: bool = True,
    time_width: float = 0.1,
    shared: float = 0.5,
    z_types: Sequence[ColumnType] | None = None,
    rng: Seed = 0,
) -> TestResult:
    """Test whether x and y are independent, given z if it is there, with kernels.

    Parameters
    ----------
    x, y : array_like, shape (n,) or (n, k)
        Two variables; several columns are one variable. Strings and booleans are labels.
    z : array_like, shape (n,) or (n, k), optional
        Conditioning variables.
    width : float or {"empirical", "median", "learned"}, default="empirical"
        Width of the Gaussian kernels, as in :class:`KCI`.
    ridge : float or "loo", default="loo"
        Ridge of the regression on z, as in :class:`KCI`.
    null : {"gamma", "spectral", "permutation"} or null law, default="gamma"
        Law of the statistic under independence.
    symmetric : bool, default=True
        Whether swapping x and y changes nothing; False is the form of the paper.
    time_width : float, default=0.1
        Width on standardised time if ``ridge`` is a number.
    shared : float, default=0.5
        Share of the regression that is common to all contexts, as in :class:`KCI`.
    z_types : sequence of str, optional
        Types of the columns of z: ``"continuous"``, ``"categorical"``, ``"ordinal"`` or ``"time"``. A numbered domain must be
        declared ``"categorical"``.
    rng : int, numpy.random.Generator or None, default=0
        Seed of the permutation law.

    Returns
    -------
    TestResult
        Statistic, p-value and the parameters of the null law.

    Raises
    ------
    DataError
        If lengths differ, values are missing, or there are fewer than 10 rows.

    References
    ----------
    K. Zhang, J. Peters, D. Janzing, B. Schölkopf, "Kernel-based conditional independence test and application in causal
    discovery", UAI 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import kci_test
    >>> rng = np.random.default_rng(1)
    >>> site = np.repeat(["a", "b", "c"], 100)
    >>> shift = np.repeat([-2.0, 0.0, 2.0], 100)
    >>> x, y = shift + rng.normal(size=300), shift + rng.normal(size=300)
    >>> kci_test(x, y).p_value < 0.001, kci_test(x, y, site).p_value > 0.05
    (True, True)
    """
    parts = read_arguments(x, y, z, z_types)
    options = {"width": width, "ridge": ridge, "null": null, "symmetric": symmetric, "shared": shared}
    test = KCI(**options, time_width=time_width, random_state=rng).fit(reduce(Table.join, parts))  # type: ignore[arg-type]
    ends = np.cumsum([0] + [part.n_columns for part in parts])
    blocks = [tuple(range(start, stop)) for start, stop in pairwise(ends)]
    return test._test_blocks(blocks[0], blocks[1], blocks[2] if z is not None else ())
