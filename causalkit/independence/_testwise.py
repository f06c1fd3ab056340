"""Missing values: each test on the rows that are complete in the columns it looks at."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import ColumnTypes, Table, read_table
from causalkit.exceptions import ConstantColumnWarning, DataError
from causalkit.independence._base import MIN_ROWS, CITest, FittedTest, Triple, get_test
from causalkit.independence._result import TestResult

__all__ = ["TestwiseDeletion"]

KEPT = 8


class TestwiseDeletion(FittedTest):
    """Any test, each time on the rows without missing values in x, y and the conditioning set.

    Parameters
    ----------
    test : str or CITest
        The test.
    column_types : mapping or sequence, optional
        Types of columns; see `causalkit.independence.KCI`.

    Notes
    -----
    Keeps more rows than deleting every row with a hole, and is valid where values are missing completely at random. Where whether
    a value is missing depends on other variables, the rows that remain are a selection, which can make dependences and hide them;
    the graph then needs that reason as a variable.

    References
    ----------
    R. Tu, C. Zhang, P. Ackermann, K. Mohan, H. Kjellström, K. Zhang, "Causal discovery in the presence of missing data", AISTATS 2019
    (test-wise deletion, and when it fails).

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import TestwiseDeletion
    >>> rng = np.random.default_rng(0)
    >>> data = rng.normal(size=(100, 3))
    >>> data[:30, 2] = np.nan
    >>> test = TestwiseDeletion("fisher_z").fit(data)
    >>> test(0, 1).n, test(0, 1, (2,)).n
    (100, 70)
    """

    __test__ = False

    def __init__(self, test: str | CITest, *, column_types: ColumnTypes = None) -> None:
        self.test = test
        self.column_types = column_types

    def fit(self, data: Any) -> TestwiseDeletion:
        """Read the data.

        Parameters
        ----------
        data : array_like of shape (n, d) or data frame
            One row per observation; NaN, None or null where a value is missing.

        Returns
        -------
        TestwiseDeletion
            The test itself, ready to be called.
        """
        self.table_: Table = read_table(data, self.column_types, missing="keep")
        self._fitted: OrderedDict[bytes, CITest] = OrderedDict()
        get_test(self.test)
        return self

    def batch(self, triples: Iterable[Triple]) -> list[TestResult]:
        """Test many triples; those that use the same rows share their work.

        Parameters
        ----------
        triples : iterable of (int, int, tuple of int)
            The tests to do.

        Returns
        -------
        list of TestResult
            In the order of the triples; each says its number of rows.
        """
        checked = [self._check(*triple) for triple in triples]
        parts: dict[bytes, list[int]] = {}
        for k, (i, j, given) in enumerate(checked):
            parts.setdefault(self.table_.complete([i, j, *given]).tobytes(), []).append(k)
        results: dict[int, TestResult] = {}
        for places in parts.values():
            test = self._on_rows_of(checked[places[0]])
            results.update(zip(places, test.batch([checked[k] for k in places]), strict=True))
        return [results[k] for k in range(len(checked))]

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        return self.batch([(i, j, given)])[0]

    def _on_rows_of(self, triple: Triple) -> CITest:
        """Return the test fitted on the rows that are complete for a triple."""
        rows = self.table_.complete([triple[0], triple[1], *triple[2]])
        key = rows.tobytes()
        if key not in self._fitted:
            self._check_number(rows, triple)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConstantColumnWarning)
                part = get_test(self.test).fit(self.table_.without_holes(rows))
            self._fitted[key] = part
        self._fitted.move_to_end(key)
        while len(self._fitted) > KEPT:
            self._fitted.popitem(last=False)
        return self._fitted[key]

    def _check_number(self, rows: NDArray[np.bool_], triple: Triple) -> None:
        if rows.sum() < MIN_ROWS:
            names = ", ".join(self.table_.names[k] for k in (triple[0], triple[1], *triple[2]))
            raise DataError(
                f"columns {names} are complete together in only {rows.sum()} rows; a test needs at least {MIN_ROWS}: fill values in, drop "
                "a column, or limit max_cond_size"
            )
