"""Dates as people write them: 1959-03-31, 1959-03, 1959Q2, 31.03.1959, 3/31/1959, 31 March 1959."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import DataError

Order: TypeAlias = Literal["day first", "month first"]

_MONTHS = {
    name: k + 1
    for k, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    )
}
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_CLOCK = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_SLASHED = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d{4})")


def _iso(found: re.Match[str]) -> datetime:
    return datetime.fromisoformat(found[0].replace("/", "-"))


def _of(*groups: int) -> Callable[[re.Match[str]], datetime]:
    """Return a reader of year, month and day, each in a group of its own or 0 if it is not said."""

    def read(found: re.Match[str]) -> datetime:
        year, month, day = (found[g] if g else "1" for g in groups)
        return datetime(int(year), _MONTHS.get(month[:3].lower()) or int(month), int(day))

    return read


def _quarter(year: int, quarter: int) -> Callable[[re.Match[str]], datetime]:
    return lambda found: datetime(int(found[year]), 3 * int(found[quarter]) - 2, 1)


# A column is read by the first form that all its entries have. Points are put between day and month, in that order, wherever they are used.
_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], datetime]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), read)
    for pattern, read in (
        (r"\d{4}-\d{2}-\d{2}" + _CLOCK, _iso),
        (r"(\d{4})/(\d{1,2})/(\d{1,2})", _of(1, 2, 3)),
        (r"(\d{4})[-/M](\d{1,2})", _of(1, 2, 0)),
        (r"(\d{4})[- ]?Q([1-4])", _quarter(1, 2)),
        (r"Q([1-4])[-/ ]?(\d{4})", _quarter(2, 1)),
        (r"(\d{1,2})\.(\d{1,2})\.(\d{4})", _of(3, 2, 1)),
        (_MONTH + r"[-/ ](\d{4})", _of(2, 1, 0)),
        (r"(\d{1,2})\.?[-/ ]" + _MONTH + r",?[-/ ](\d{4})", _of(3, 2, 1)),
        (_MONTH + r" (\d{1,2}),? (\d{4})", _of(3, 1, 2)),
    )
)


def read_dates(name: str, labels: Sequence[str], order: Order | None = None) -> NDArray[np.float64] | None:
    """Return seconds since 1970, or None if these are no dates.

    Raises `DataError` where it is open whether the day or the month comes first, and for a day that does not exist.
    """
    entries = [label.strip() for label in labels]
    for pattern, read in (*_FORMS, *_with_slashes(name, entries, order)):
        if not entries or pattern.fullmatch(entries[0]) is None:
            continue
        found = [pattern.fullmatch(entry) for entry in entries]
        if all(found):
            return np.array([_seconds(name, match, read) for match in found if match is not None])
    return None


def _seconds(name: str, found: re.Match[str], read: Callable[[re.Match[str]], datetime]) -> float:
    try:
        moment = read(found)
    except ValueError as error:
        raise DataError(f"column {name!r} holds dates, and {found[0]!r} is none: {error}") from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


def _with_slashes(
    name: str, entries: Sequence[str], order: Order | None
) -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], datetime]]]:
    """Return the form of dates such as 3/31/1959, if all are such: some day above 12 tells which part is the day."""
    found = [_SLASHED.fullmatch(entry) for entry in entries]
    parts = np.array([(int(match[1]), int(match[3])) for match in found if match is not None])
    if not entries or len(parts) < len(entries):
        return []
    first, second = parts.max(axis=0) > 12
    if first == second and order is None:
        raise DataError(
            f"column {name!r} holds dates such as {entries[0]!r}, of which it is open whether the day or the month comes first; "
            "read them with pandas.to_datetime(..., dayfirst=True) or dayfirst=False"
        )
    day_first = first if first != second else order == "day first"
    return [(_SLASHED, _of(4, 3, 1) if day_first else _of(4, 1, 3))]
