"""What a search needs of an independence test, and the names under which tests are known.

A test is a small object: its constructor stores parameters, `fit` reads the data once, and then it answers single questions
and batches of them. Anything with these three methods can be passed to a search.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, ClassVar, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import Declared, Table, check_same_index, read_columns, read_table
from causalkit.exceptions import ConstantColumnWarning, DataError, ParameterError
from causalkit.independence._result import ResultColumns, TestResult

__all__ = ["CITest", "Triple", "get_test", "register_test"]

Triple: TypeAlias = tuple[int, int, tuple[int, ...]]
Indices: TypeAlias = NDArray[np.intp]

MIN_ROWS = 10


@runtime_checkable
class CITest(Protocol):
    """A conditional independence test on the columns of one data set."""

    def fit(self, data: Any) -> Self:
        """Read the data; return the test itself.

        Parameters
        ----------
        data : array_like of shape (n, d) or data frame
            One row per observation.

        Returns
        -------
        CITest
            The test itself.
        """
        ...

    def __call__(self, i: int, j: int, given: Sequence[int] = ()) -> TestResult:
        """Test column i against column j given some columns."""
        ...

    def batch(self, triples: Iterable[Triple]) -> list[TestResult]:
        """Test many triples (i, j, given) and return results in the same order.

        Parameters
        ----------
        triples : iterable of (int, int, tuple of int)
            The tests to do.

        Returns
        -------
        list of TestResult
            One per triple.
        """
        ...


class FittedTest:
    """What the tests of this package share: reading data, checking indices, answering batches one by one."""

    table_: Table
    # Whether the test itself sees to columns that others give, so that a search need not warn of them.
    minds_redundancy: ClassVar[bool] = False

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        named = [(k, p) for k, p in defaults.items() if p.kind is not p.VAR_KEYWORD]
        changed = [
            f"{k}={getattr(self, k, None)!r}"
            for k, p in named
            if repr(getattr(self, k, None)) != repr(p.default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def fit(self, data: Any) -> Self:
        """Read the data.

        Parameters
        ----------
        data : array_like of shape (n, d) or data frame
            One row per observation.

        Returns
        -------
        CITest
            The test itself, ready to be called.
        """
        self.table_ = read_table(data, getattr(self, "column_types", None))
        if self.table_.n_rows < MIN_ROWS:
            raise DataError(f"an independence test needs at least {MIN_ROWS} rows; got {self.table_.n_rows}")
        self._warn_constant()
        self._prepare()
        return self

    def _warn_constant(self) -> None:
        constant = [self.table_.names[k] for k in self.table_.constant_columns()]
        if constant:
            names, ending = (
                ", ".join(map(repr, constant)),
                ("varies and is" if len(constant) == 1 else "vary and are"),
            )
            text = f"{names} never {ending} independent of everything"
            warnings.warn(text, ConstantColumnWarning, stacklevel=4)

    def _refuse_labels(self) -> None:
        """Raise `DataError` for a categorical or a cyclic column: codes and phases are no numbers."""
        ends = list(zip(self.table_.names, self.table_.types, strict=True))
        labels = [name for name, kind in ends if kind == "categorical"]
        phases = [name for name, kind in ends if kind == "cyclic"]
        if phases:
            raise DataError(
                f"{type(self).__name__} needs numbers, and column {phases[0]!r} is cyclic; use ci_test='kci', which has a kernel for it, or "
                "replace it by its cosine and sine"
            )
        if labels:
            raise DataError(
                f"{type(self).__name__} needs numbers, and column {labels[0]!r} holds labels, whose codes are no numbers; use "
                "ci_test='kci', which has a kernel for labels, or 'g_square' if all columns are labels"
            )

    def _prepare(self) -> None:
        """Compute what all tests on these data share."""

    def __call__(self, i: int, j: int, given: Sequence[int] = ()) -> TestResult:
        """Test column i against column j given some columns.

        Parameters
        ----------
        i, j : int
            Positions of two different columns.
        given : sequence of int, default=()
            Positions of the columns conditioned on; their order does not matter.

        Returns
        -------
        TestResult
            Statistic and p-value.
        """
        return self._test(*self._check(i, j, given))

    def batch(self, triples: Iterable[Triple]) -> list[TestResult]:
        """Test many triples; those with the same conditioning set share its work.

        Parameters
        ----------
        triples : iterable of (int, int, tuple of int)
            The tests to do.

        Returns
        -------
        list of TestResult
            In the order of the triples, and independent of it.
        """
        checked = [self._check(*triple) for triple in triples]
        places: dict[tuple[int, ...], list[int]] = {}
        for k in sorted(range(len(checked)), key=lambda k: (len(checked[k][2]), checked[k][2], checked[k])):
            places.setdefault(checked[k][2], []).append(k)
        results: dict[int, TestResult] = {}
        for given, members in places.items():
            answers = self._test_pairs([checked[k][:2] for k in members], given)
            results.update(zip(members, answers, strict=True))
        return [results[k] for k in range(len(checked))]

    def _test_pairs(self, pairs: Sequence[tuple[int, int]], given: tuple[int, ...]) -> list[TestResult]:
        """Test all pairs that have one conditioning set."""
        return [self._test(i, j, given) for i, j in pairs]

    def columns(self, i: Indices, j: Indices, given: Indices) -> ResultColumns:
        """Test many triples that are given, and returned, as arrays.

        Parameters
        ----------
        i, j : numpy.ndarray of int, shape (m,)
            Positions of the two columns of each test.
        given : numpy.ndarray of int, shape (m, q)
            Positions of the columns conditioned on, q in every test.

        Returns
        -------
        ResultColumns
            Statistics and p-values in the order of the tests.
        """
        return columns_of(self, i, j, given)

    def _check(self, i: int, j: int, given: Sequence[int]) -> Triple:
        table = getattr(self, "table_", None)
        if table is None:
            raise ParameterError(f"{type(self).__name__} has no data yet; call fit(data) first")
        members: list[Any] = [i, j, *given]
        for k in members:
            if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 0 <= k < table.n_columns:
                raise ParameterError(
                    f"column {k!r} does not exist; columns are numbered 0 to {table.n_columns - 1}"
                )
        if len(set(members)) != len(members):
            raise ParameterError(
                f"i, j and given must be different columns; got i={i}, j={j}, given={tuple(given)}"
            )
        return int(i), int(j), tuple(sorted(int(k) for k in given))

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        raise NotImplementedError


def columns_of(test: CITest, i: Indices, j: Indices, given: Indices) -> ResultColumns:
    """Ask any test for many results at once, through its batches."""
    sets = map(tuple, given.tolist())
    return ResultColumns.of(test.batch(list(zip(i.tolist(), j.tolist(), sets, strict=True))))


def ask_columns(test: CITest, i: Indices, j: Indices, given: Indices) -> ResultColumns:
    """Ask a test for many results by its own `columns`, unless a subclass has redefined something that it would bypass."""
    redefined = {"columns", "batch", "__call__", "_test"}
    latest: set[str] = next(
        (redefined & vars(c).keys() for c in type(test).__mro__ if redefined & vars(c).keys()), set()
    )
    if "columns" in latest:
        return test.columns(i, j, given)  # type: ignore[attr-defined,no-any-return]
    return columns_of(test, i, j, given)


_REGISTRY: dict[str, Callable[[], CITest]] = {}


def register_test(name: str, factory: Callable[[], Any]) -> None:
    """Make a test known under a name, so that searches accept ``ci_test=name``.

    Parameters
    ----------
    name : str
        The name; registering a name again replaces its factory.
    factory : callable
        Returns a new, unfitted test.

    Examples
    --------
    >>> from causalkit.independence import KCI, get_test, register_test
    >>> register_test("kci_strong_ridge", lambda: KCI(regression=0.1))
    >>> get_test("kci_strong_ridge").regression
    0.1
    """
    if not name or not callable(factory):
        raise ParameterError(
            f"register_test needs a non-empty name and a callable; got {name!r} and {factory!r}"
        )
    _REGISTRY[name] = factory


def get_test(test: str | CITest) -> CITest:
    """Return a fresh test for a registered name, or an unfitted copy of a test object.

    Parameters
    ----------
    test : str or CITest
        ``"kci"``, ``"fisher_z"``, ``"g_square"``, ``"chi_square"``, a registered name, or an object with the methods of
        `CITest`.

    Returns
    -------
    CITest
        A test that can be fitted without changing the one given.

    Raises
    ------
    ParameterError
        If the name is not known or the object is no test.

    Examples
    --------
    >>> from causalkit.independence import get_test
    >>> get_test("kci")
    KCI()
    """
    if isinstance(test, str):
        if test not in _REGISTRY:
            known = ", ".join(map(repr, sorted(_REGISTRY)))
            raise ParameterError(
                f"ci_test is {test!r}; known tests are {known}, or pass an object with fit, __call__ and batch"
            )
        return _REGISTRY[test]()
    if isinstance(test, type) or not isinstance(test, CITest):
        raise ParameterError(
            f"ci_test must be a name or an object with fit, __call__ and batch; got {test!r}"
        )
    return copy.copy(test)


def read_arguments(x: Any, y: Any, z: Any, z_types: Sequence[Declared] | None = None) -> list[Table]:
    """Read the arguments of a functional test; raise `DataError` if their lengths differ."""
    for other in (y, z):
        check_same_index(x, other)
    parts = [read_columns(x, "x"), read_columns(y, "y")] + (
        [] if z is None else [read_columns(z, "z", z_types)]
    )
    if len({part.n_rows for part in parts}) > 1:
        shown = ", ".join(f"{name} has {part.n_rows}" for name, part in zip("xyz", parts, strict=False))
        raise DataError(f"x, y and z need one row per observation each; {shown}")
    return parts


def on_single_columns(test: CITest, x: Any, y: Any, z: Any) -> TestResult:
    """Run a test of two single columns given any number of others."""
    parts = read_arguments(x, y, z)
    if parts[0].n_columns != 1 or parts[1].n_columns != 1:
        raise DataError("x and y must be single columns in this test; kci_test takes several")
    table = reduce(Table.join, parts)
    return test.fit(table)(0, 1, tuple(range(2, table.n_columns)))
