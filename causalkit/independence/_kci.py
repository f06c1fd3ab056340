r"""Kernel-based conditional independence test (KCI), by traces.

With centred Gram matrices :math:`\tilde K` and the residual maker of kernel ridge regression on Z,

.. math:: R_Z = I - \tilde K_Z (\tilde K_Z + \varepsilon I)^{-1} = \varepsilon (\tilde K_Z + \varepsilon I)^{-1},

the residual Gram matrices are :math:`A = R_Z \tilde K_{\ddot X} R_Z` and :math:`B = R_Z \tilde K_Y R_Z`, where
:math:`\ddot X = (X, Z/2)`, and the statistic is :math:`T = \mathrm{tr}(AB) = \sum_{st} A_{st} B_{st}`. Under independence T is
distributed as :math:`\sum_k \omega_k \chi^2_1` with the eigenvalues :math:`\omega` of the Gram matrix of all products of one
eigenvector of A with one of B. **That Gram matrix is the elementwise product** :math:`A \circ B`. So the null has mean
:math:`\sum_t A_{tt} B_{tt}` and variance :math:`2 \sum_{st} (A_{st} B_{st})^2`, and no eigendecomposition and no matrix with one
column per pair of eigenvectors is needed.

A Gaussian kernel on few columns has few eigenvalues that matter: :math:`\tilde K_X = F F^\top` with F of ten to fifty columns, by
pivoted Cholesky, and :math:`A = E E^\top` with :math:`E = R F`. R depends on Z only and E on (X, Z) only, so that all pairs of variables
with one conditioning set are tested together (`causalkit.independence._residuals`).

Joining Z to X before the regression, and not to Y, makes the original test depend on which variable is called X. The default is a
symmetric form: residuals of the kernels of X and of Y alone, :math:`A = R \tilde K_X R` and :math:`B = R \tilde K_Y R`, and the kernel
of Z/2 as a third factor, :math:`T = \sum_{st} A_{st} B_{st} k(z_s / 2, z_t / 2)`. It asks the same question, covariance of the two
residual feature maps in any region of Z, and its null follows from :math:`A \circ B \circ K_{Z/2}` in the same way.

With ``regression="loo"`` and numbers or time in Z the statistic is divided by its inflation, since residuals of different rows are
correlated and the null law takes them for uncorrelated.

References
----------
K. Zhang, J. Peters, D. Janzing, B. Schölkopf, "Kernel-based conditional independence test and application in causal
discovery", UAI 2011, sections 3.1 to 3.4.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import reduce
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np

from causalkit._random import Seed, entropy
from causalkit._validation import ColumnTypes, Declared, Table, check_between, check_choice
from causalkit.exceptions import ParameterError, SmallSampleWarning
from causalkit.gpu import Array, Backend, MemoryBudget, get_backend
from causalkit.gpu._ridge import residuals
from causalkit.gpu._streams import own_stream, synchronize
from causalkit.gpu._threads import single_thread_below
from causalkit.independence._base import FittedTest, read_arguments
from causalkit.independence._kernel_factory import Block, KernelFactory, Width
from causalkit.independence._kernels import Kernel
from causalkit.independence._null import (
    CircularShift,
    Gamma,
    HallBuckleyEagleson,
    NullLaw,
    Permutation,
    Spectral,
)
from causalkit.independence._regression import (
    LEARNED,
    GaussianProcess,
    LeaveOneOut,
    LowRank,
    Regression,
    Strategy,
    Workspace,
    get_regression,
)
from causalkit.independence._residuals import PairBatch, Side
from causalkit.independence._result import TestResult, independent

__all__ = ["KCI", "kci_test"]

NULLS: dict[str, type[NullLaw]] = {
    "gamma": Gamma,
    "hbe": HallBuckleyEagleson,
    "spectral": Spectral,
    "permutation": Permutation,
    "shift": CircularShift,
}
EXACT = LowRank(tolerance=1e-12)
FACTORIZATIONS = {"low_rank": LowRank(), "exact": EXACT}
# What a factor leaves out of a kernel must be small beside what the regression leaves of it, or the p-value shows it: above the first share
# the factor is made again, to the second.
ACCEPTED, GOAL = 1.5e-3, 1e-5
SMALL_SAMPLE = 50
# Conditioning sets under way at once on a GPU.
STREAMS = 3

Form: TypeAlias = Literal["tensor", "joined"]
BlockPair: TypeAlias = tuple[Block, Block]


class KCI(FittedTest):
    """Kernel-based conditional independence test.

    Parameters
    ----------
    width : float or {"empirical", "median", "learned"}, default="empirical"
        Width of the Gaussian kernels on standardised columns. ``"empirical"`` is the rule of the authors' code: without
        conditioning set .8 for n < 200, .5 for n < 1200 and .3 above, divided by the root of the number of columns of a
        variable; with q conditioning columns 1.2 for n <= 200, .6 for n < 1200 and .4 above, times the root of q. A
        number replaces these. ``"median"`` is the median distance of each set of columns. ``"learned"`` takes the empirical rule for
        the tested variables and learns one width for each conditioning column, for either variable, by marginal likelihood from three
        starts (`GaussianProcess`); the default regression chooses widths on Z too, from a short list, at a hundredth of the cost.
    regression : {"loo", "gaussian_process"}, float or Regression, default="loo"
        Regression on Z. ``"loo"`` (`LeaveOneOut`) chooses ridge and kernel for each variable by exact leave-one-out error, which keeps
        the level of the test where a fixed ridge does not (several conditioning columns, drift in time). A number is a fixed ridge
        (`FixedRidge`); the authors' code has 1e-3. ``"gaussian_process"`` learns the widths on Z and the ridge by marginal likelihood,
        at ten to a hundred times the cost.
    null : {"gamma", "hbe", "spectral", "permutation", "shift"} or NullLaw, default="gamma"
        Law of the statistic under independence: `Gamma`, `HallBuckleyEagleson`, `Spectral` or `Permutation` (needs an empty
        conditioning set or one of labels only).
    form : {"tensor", "joined"}, default="tensor"
        ``"tensor"`` lets the kernel of Z enter after the regressions, so that swapping X and Y changes nothing. ``"joined"`` joins Z to
        X before, as the paper does.
    factorization : {"low_rank", "exact"} or LowRank, default="low_rank"
        How closely kernels are represented by factors: to 1e-6 (p-values to about 1e-5) or to rounding.
    time_width : float, default=0.1
        Width on standardised time when time is conditioned on and the ridge is fixed: narrow enough to follow the drift.
    shared : float, default=0.5
        When labels or time are conditioned on together with numbers: the share of the regression that is common to all
        contexts. 0 makes every context its own regression.
    column_types : mapping or sequence, optional
        Types of columns, ``"continuous"``, ``"categorical"``, ``"ordinal"``, ``"time"`` or `Cyclic`, by name or in order. By default category,
        string and boolean columns are categorical, dates are time and the rest continuous; ``table_`` shows what was inferred.
    backend : {"auto", "numpy", "cupy", "torch"} or causalkit.gpu.Backend, default="auto"
        Array library; ``"auto"`` is NumPy on the CPU, and on a GPU CuPy or else torch.
    device : str, default="cpu"
        ``"cpu"``, ``"cuda"`` (or ``"cuda:1"``), or ``"auto"`` for a GPU where there is one.
    memory_limit : int or None, default=None
        Bytes that the test may hold at once; None for half of what is free.
    few_rows : bool, default=False
        Correct the law for few rows: without it, a true independence of 50 rows is rejected in 2 to 4 % of tests at a level of 5 %, and power is given
        away; from some hundred rows on it makes no difference. With it, labels of fifteen rows each are rejected in 8 %.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of permutations and samples. Every test has its own stream, so that the order of tests does not matter.

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
        regression: Strategy = "loo",
        null: str | NullLaw = "gamma",
        form: Form = "tensor",
        factorization: str | LowRank = "low_rank",
        time_width: float = 0.1,
        shared: float = 0.5,
        column_types: ColumnTypes = None,
        backend: str | Backend = "auto",
        device: str = "cpu",
        memory_limit: int | None = None,
        few_rows: bool = False,
        random_state: Seed = 0,
    ) -> None:
        self.width = width
        self.regression = regression
        self.null = null
        self.form = form
        self.factorization = factorization
        self.time_width = time_width
        self.shared = shared
        self.column_types = column_types
        self.backend = backend
        self.device = device
        self.memory_limit = memory_limit
        self.few_rows = few_rows
        self.random_state = random_state

    # -- preparation -----------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._check_parameters()
        if self.table_.n_rows < SMALL_SAMPLE:
            text = f"{self.table_.n_rows} rows: p-values of a kernel test are rough below {SMALL_SAMPLE}"
            warnings.warn(text, SmallSampleWarning, stacklevel=4)
        self._constant = set(self.table_.constant_columns())
        self._strategy = self._regression()
        self._law: NullLaw = NULLS[self.null]() if isinstance(self.null, str) else self.null
        self._entropy = entropy(self.random_state)
        self._work = self._workspace()
        self._kept: tuple[int, dict[Block, Array]] = (-1, {})

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what lives on a device or can be computed again; a worker process starts from the table."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_work", "_kept")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if hasattr(self, "table_"):
            self._work, self._kept = self._workspace(), (-1, {})

    def _workspace(self) -> Workspace:
        kernels = KernelFactory.of(self.table_, self.width, self.time_width, self.shared)
        backend, how = get_backend(self.backend, self.device), self.factorization
        low_rank = FACTORIZATIONS[how] if isinstance(how, str) else how
        budget = MemoryBudget.of(self.memory_limit, backend)
        return Workspace(kernels, low_rank, backend, budget, backend.asarray(kernels.values))

    def _check_parameters(self) -> None:
        if isinstance(self.width, str):
            if self.width not in ("empirical", "median", "learned"):
                raise ParameterError(
                    f"width is {self.width!r}; allowed are 'empirical', 'median', 'learned' or a number"
                )
        else:
            check_between("width", self.width, 0, np.inf)
        check_choice("form", self.form, ("tensor", "joined"))
        check_between("time_width", self.time_width, 0, np.inf)
        check_between("shared", self.shared, -1e-9, 1)
        if not isinstance(self.factorization, LowRank):
            check_choice("factorization", self.factorization, tuple(FACTORIZATIONS))
        if isinstance(self.null, type) or (not isinstance(self.null, NullLaw) and self.null not in NULLS):
            raise ParameterError(
                f"null is {self.null!r}; allowed are {', '.join(map(repr, NULLS))} or a null law"
            )

    def _regression(self) -> Regression:
        """Return the regression on Z; to learn widths is to regress by marginal likelihood."""
        strategy = get_regression(self.regression)
        if self.width != "learned" or isinstance(strategy, GaussianProcess):
            return strategy
        if not isinstance(strategy, LeaveOneOut):
            raise ParameterError(
                f"width='learned' learns the ridge with the widths and cannot go with regression={self.regression!r}; leave "
                "regression at its default or give a GaussianProcess"
            )
        return LEARNED

    @property
    def streams(self) -> int:
        """How many batches may be under way at once: on a GPU the next conditioning set is prepared while one is finished."""
        return STREAMS if self._work.backend.on_gpu else 1

    def stream(self) -> AbstractContextManager[None]:
        """Return a context in which this thread has a stream of the GPU to itself; it does nothing on a CPU.

        Returns
        -------
        context manager
            At its end all that was launched in it is done.
        """
        return own_stream(self._work.backend)

    # -- tests -------------------------------------------------------------------------------------------------------------------

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        return self._test_pairs([(i, j)], given)[0]

    def _test_pairs(self, pairs: Sequence[tuple[int, int]], given: tuple[int, ...]) -> list[TestResult]:
        return self.test_blocks([((i,), (j,)) for i, j in pairs], given)

    def test_blocks(self, pairs: Sequence[BlockPair], given: Block) -> list[TestResult]:
        """Test groups of columns against others, all given the same columns.

        Parameters
        ----------
        pairs : sequence of (tuple of int, tuple of int)
            Positions of the columns of both sides of each test.
        given : tuple of int
            Positions of the columns conditioned on.

        Returns
        -------
        list of TestResult
            One per pair.
        """
        z = tuple(k for k in given if k not in self._constant)
        n, reasons = self.table_.n_rows, [self._trivial(x, y, z) for x, y in pairs]
        results = {pair: independent(n, why) for pair, why in zip(pairs, reasons, strict=True) if why}
        open_pairs = list(dict.fromkeys(pair for pair in pairs if pair not in results))
        with single_thread_below(n):
            for part in self._parts(open_pairs):
                results.update(zip(part, self._law.results(self._pair_batch(part, z)), strict=True))
        return [results[pair] for pair in pairs]

    def _parts(self, pairs: Sequence[BlockPair]) -> list[list[BlockPair]]:
        """Cut pairs into parts of few variables, whose factors fit into a tenth of the memory budget."""
        expected = 8 * 50 * self.table_.n_rows
        size = max(2, self._work.budget.limit // 10 // expected // 2)
        place = {
            block: k // size for k, block in enumerate(sorted({block for pair in pairs for block in pair}))
        }
        parts: dict[tuple[int, int], list[BlockPair]] = {}
        for x, y in pairs:
            parts.setdefault((place[x], place[y]), []).append((x, y))
        return list(parts.values())

    def _pair_batch(self, pairs: Sequence[BlockPair], z: Block) -> PairBatch:
        """Compute the residual features of all variables in some pairs."""
        joined = bool(z) and self.form == "joined"
        firsts, seconds = (list(dict.fromkeys(ends)) for ends in zip(*pairs, strict=True))
        if joined:
            left, right = self._sides(firsts, seconds, z)
        else:
            left = right = self._side(list(dict.fromkeys(firsts + seconds)), z)
        places = [{block: k for k, block in enumerate(side.blocks)} for side in (left, right)]
        numbered = tuple((places[0][x], places[1][y]) for x, y in pairs)
        return PairBatch(
            left, right, numbered, z, bool(z) and not joined, self._work, self._entropy, self.few_rows
        )

    def _side(self, blocks: Sequence[Block], z: Block) -> Side:
        """Return the residual features of variables, from kernels of their own."""
        features = self._features(blocks, z)
        if not z:
            return Side(tuple(blocks), tuple(features))
        kernels = [self._kernel(block, z) for block in blocks]
        return self._regressed(blocks, features, kernels, [self._work.low_rank.tolerance] * len(blocks), z)

    def _sides(self, firsts: Sequence[Block], seconds: Sequence[Block], z: Block) -> tuple[Side, Side]:
        """Return both sides of the paper's form, in which Z is joined to the first variable; one regression serves both."""
        kernels = [self._work.kernels.joined(block, z, self._width(block, z)) for block in firsts]
        kernels += [self._kernel(block, z) for block in seconds]
        coarse = self._work.low_rank.joined_tolerance
        features = [*self._work.all_features(kernels[: len(firsts)], coarse), *self._features(seconds, z)]
        tolerances = [coarse] * len(firsts) + [self._work.low_rank.tolerance] * len(seconds)
        both = self._regressed([*firsts, *seconds], features, kernels, tolerances, z)
        return both.part(slice(0, len(firsts))), both.part(slice(len(firsts), None))

    def _regressed(
        self,
        blocks: Sequence[Block],
        features: Sequence[Array],
        kernels: Sequence[Kernel],
        tolerances: Sequence[float],
        z: Block,
    ) -> Side:
        """Return the residuals of features; where little is left, of features that are more exact."""
        makers = self._strategy.makers(z, features, self._work)
        factors = residuals(makers, features, self._work.backend)
        for k, (before, tolerance) in enumerate(zip(features, tolerances, strict=True)):
            left = self._share_left(before, factors[k])
            if tolerance > ACCEPTED * left:
                finer = max(GOAL * left, EXACT.tolerance)
                factors[k] = makers[k].residual(self._work.features(kernels[k], min(finer, tolerance)))
        # Means of groups of labels need no correction: the level holds without it, and power would be lost.
        numbers, _ = self._work.kernels.split(z)
        return Side(tuple(blocks), tuple(factors), tuple(makers) if numbers else None)

    def _share_left(self, before: Array, after: Array) -> float:
        xp = self._work.backend.xp
        total = float(xp.sum(before**2))
        return float(xp.sum(after**2)) / total if total > 0 else 1.0

    def _features(self, blocks: Sequence[Block], z: Block) -> list[Array]:
        """Return the centred features of variables; their widths depend on the size of Z, for which they are kept."""
        size, kept = self._kept
        if size != len(z):
            kept = {}
            self._kept = (len(z), kept)
        new = [block for block in dict.fromkeys(blocks) if block not in kept]
        if new:
            kernels = [self._kernel(block, z) for block in new]
            made = self._work.all_features(kernels, self._work.low_rank.tolerance)
            # Other threads use them on streams of their own, and find them here only once they are there.
            synchronize(self._work.backend)
            kept.update(zip(new, made, strict=True))
        return [kept[block] for block in blocks]

    def _kernel(self, block: Block, z: Block) -> Kernel:
        return self._work.kernels.kernel(block, self._width(block, z))

    def _width(self, block: Block, z: Block) -> float:
        kernels = self._work.kernels
        return kernels.conditional_width(block, len(z)) if z else kernels.unconditional_width(block)

    def _trivial(self, x: Block, y: Block, z: Block) -> str:
        """Return why a test needs no computation, or an empty text."""
        for block in (x, y):
            if set(block) <= self._constant:
                return "a constant column is independent of everything"
            if z and all(self._copied(k, z) for k in block):
                return "a copy of a conditioning column is independent of everything given it"
        return ""

    def _copied(self, k: int, z: Block) -> bool:
        values = self._work.kernels.values
        column, others = values[:, k], values[:, list(z)]
        same = np.abs(others - column[:, None]).max(axis=0) < 1e-12
        mirrored = np.abs(others + column[:, None]).max(axis=0) < 1e-12
        return bool(np.any(same | mirrored))


def kci_test(
    x: Any,
    y: Any,
    z: Any = None,
    *,
    width: Width = "empirical",
    regression: Strategy = "loo",
    null: str | NullLaw = "gamma",
    form: Form = "tensor",
    factorization: str | LowRank = "low_rank",
    time_width: float = 0.1,
    shared: float = 0.5,
    z_types: Sequence[Declared] | None = None,
    backend: str | Backend = "auto",
    device: str = "cpu",
    few_rows: bool = False,
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
    regression : {"loo", "gaussian_process"}, float or Regression, default="loo"
        Regression on z, as in :class:`KCI`; a number is a fixed ridge.
    null : {"gamma", "hbe", "spectral", "permutation", "shift"} or NullLaw, default="gamma"
        Law of the statistic under independence.
    form : {"tensor", "joined"}, default="tensor"
        ``"tensor"`` is symmetric in x and y; ``"joined"`` is the form of the paper.
    factorization : {"low_rank", "exact"} or LowRank, default="low_rank"
        How closely kernels are represented by factors.
    time_width : float, default=0.1
        Width on standardised time if the ridge is fixed.
    shared : float, default=0.5
        Share of the regression that is common to all contexts, as in :class:`KCI`.
    z_types : sequence of str, optional
        Types of the columns of z: ``"continuous"``, ``"categorical"``, ``"ordinal"``, ``"time"`` or `Cyclic`. A numbered domain must be
        declared ``"categorical"``.
    backend : {"auto", "numpy", "cupy", "torch"} or causalkit.gpu.Backend, default="auto"
        Array library.
    device : str, default="cpu"
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    few_rows : bool, default=False
        Correct the law for few rows, as in :class:`KCI`.
    rng : int, numpy.random.Generator or None, default=0
        Seed of permutations and samples.

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
    test = KCI(
        width=width,
        regression=regression,
        null=null,
        form=form,
        factorization=factorization,
        time_width=time_width,
        shared=shared,
        backend=backend,
        device=device,
        few_rows=few_rows,
        random_state=rng,
    ).fit(reduce(Table.join, parts))
    ends = np.cumsum([0] + [part.n_columns for part in parts])
    blocks = [tuple(range(start, stop)) for start, stop in pairwise(ends)]
    return test.test_blocks([(blocks[0], blocks[1])], blocks[2] if z is not None else ())[0]
