"""Answers of an oracle, kept in a file as they come in.

A store is an SQLite database of one oracle: a killed run leaves all answers of finished batches, and the next run asks only for the others. Keys
are pairs of names; nothing in it is executed on reading.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import CheckpointError

FORMAT = "causalkit-event-store 1"
CHUNK = 400


class AnswerStore:
    """A file of answers.

    Parameters
    ----------
    path : str or pathlib.Path
        Made if it is not there.
    oracle_id : str
        Whose answers these are.

    Raises
    ------
    CheckpointError
        If the file is something else, is damaged, or belongs to another oracle.
    """

    def __init__(self, path: str | Path, oracle_id: str) -> None:
        self.path = Path(path)
        with self._open() as base:
            tables = {name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and "about" not in tables:
                raise CheckpointError(f"{self.path} is a database of something else; name another file")
            base.execute("CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT)")
            base.execute(
                "CREATE TABLE IF NOT EXISTS answers (cause TEXT, effect TEXT, p0 REAL, p1 REAL, PRIMARY KEY (cause, effect)) WITHOUT ROWID"
            )
            known = dict(base.execute("SELECT key, value FROM about"))
            if not known:
                base.executemany(
                    "INSERT INTO about VALUES (?, ?)", [("format", FORMAT), ("oracle", oracle_id)]
                )
                base.commit()
                return
        if known.get("format") != FORMAT:
            raise CheckpointError(f"{self.path} is a database of something else; name another file")
        if known.get("oracle") != oracle_id:
            raise CheckpointError(
                f"{self.path} holds answers of oracle {known.get('oracle')!r}, not of {oracle_id!r}; name another file"
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as base:
                yield base
        except sqlite3.DatabaseError as error:
            raise CheckpointError(f"{self.path} cannot be used as a store: {error}") from None

    def known(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[float, float]]:
        """Return the answers that are there."""
        found: dict[tuple[str, str], tuple[float, float]] = {}
        with self._open() as base:
            for first in range(0, len(pairs), CHUNK):
                part = pairs[first : first + CHUNK]
                marks = ", ".join(["(?, ?)"] * len(part))
                rows = base.execute(
                    f"SELECT cause, effect, p0, p1 FROM answers WHERE (cause, effect) IN (VALUES {marks})",
                    [name for pair in part for name in pair],
                )
                found.update({(c, e): self._checked(c, e, (p0, p1)) for c, e, p0, p1 in rows})
        return found

    def _checked(self, cause: str, effect: str, arms: tuple[Any, Any]) -> tuple[float, float]:
        if not all(isinstance(p, float) and -1e-9 <= p <= 1 + 1e-9 for p in arms):
            raise CheckpointError(
                f"{self.path} is damaged: for {cause!r} and {effect!r} it holds {arms}, which are no probabilities; delete it"
            )
        return arms

    def add(self, pairs: Sequence[tuple[str, str]], arms: NDArray[np.float64]) -> None:
        """Keep the answers of a batch, all or none."""
        rows = [(c, e, float(p0), float(p1)) for (c, e), (p0, p1) in zip(pairs, arms, strict=True)]
        with self._open() as base, base:
            base.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", rows)
