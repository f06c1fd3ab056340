"""Doing the tests of a level: in pieces of a second or so, on one process or on many, and not twice.

The pieces end where a conditioning set ends, so that what tests with one set share is computed once. On a GPU a few threads do pieces, each on a
stream of its own: while one waits for results, the device has work of another. Who does a piece, and how large pieces are, changes no
result: every test draws from random numbers of its own.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import joblib
import numpy as np

from causalkit._store import describe, digest_of_arrays
from causalkit._validation import Table, read_utf8
from causalkit._version import __version__
from causalkit.discovery._plan import Plan
from causalkit.exceptions import CheckpointError, FileWarning, WorkerError
from causalkit.gpu._threads import single_thread_below
from causalkit.independence import CITest, ResultColumns
from causalkit.independence._base import ask_columns

__all__ = ["Checkpoint", "Runner"]

Progress: TypeAlias = Callable[[str, int, int], None]

FIRST_PIECE = 8
SECONDS = (0.2, 1.0)
LOST_WORKERS = 3
# Of a file of results; some ten million tests.
MAX_BYTES = 2_000_000_000
# Logarithms of p-values are at most 0, up to rounding.
TINY = 1e-9


class Runner:
    """Does the tests of plans.

    Parameters
    ----------
    test : CITest
        Fitted test.
    names : tuple of str
        Names of the columns, for progress.
    n_jobs : int or None
        Processes, as joblib understands it.
    progress : callable
        Called with a text, the number of tests done and the number planned.
    checkpoint : Checkpoint or None
        Where results are kept.
    """

    def __init__(
        self,
        test: CITest,
        names: tuple[str, ...],
        n_jobs: int | None,
        progress: Progress,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.test, self.names, self.n_jobs = test, names, n_jobs
        self.progress, self.checkpoint = progress, checkpoint

    def __call__(self, plan: Plan) -> ResultColumns:
        """Return the results of a plan, in its order."""
        if self.checkpoint is None:
            return self._run(plan)
        known, out = self.checkpoint.known(plan)
        todo = plan[np.flatnonzero(~known)]
        out.put(~known, self._run(todo))
        return out

    def _done(self, piece: Plan, part: ResultColumns) -> ResultColumns:
        """Keep what was found as soon as it is there: a piece takes seconds, a level may take hours."""
        if self.checkpoint is not None:
            self.checkpoint.add(piece, part)
        return part

    def _run(self, plan: Plan) -> ResultColumns:
        if not len(plan):
            return ResultColumns.of([])
        parts, done, rate = self._first_pieces(plan)
        rest = plan[done:]
        if len(rest):
            workers = max(joblib.effective_n_jobs(self.n_jobs), self._streams)
            size = max(1, min(int(SECONDS[1] * rate), -(-len(rest) // (4 * workers))))
            parts += self._in_parallel(_pieces(rest, size), len(plan), done)
        self.progress(self._what(plan), len(plan), len(plan))
        return ResultColumns.concatenated(parts)

    def _first_pieces(self, plan: Plan) -> tuple[list[ResultColumns], int, float]:
        """Do pieces in this process: all of them, or with workers until it is known how long a test takes."""
        parts: list[ResultColumns] = []
        starts, done, size = plan.group_starts(), 0, FIRST_PIECE
        while done < len(plan):
            after = starts[np.searchsorted(starts, done + size) :]
            stop = int(after[0]) if len(after) else len(plan)
            self.progress(self._what(plan[done : done + 1]), done, len(plan))
            begin = time.perf_counter()
            piece = plan[done:stop]
            parts.append(self._done(piece, ask_columns(self.test, piece.i, piece.j, piece.given)))
            took = time.perf_counter() - begin
            rate, done = (stop - done) / max(took, 1e-9), stop
            if took > SECONDS[0] and max(joblib.effective_n_jobs(self.n_jobs), self._streams) > 1:
                break
            size = max(1, int(np.clip(SECONDS[1] * rate, size / 2, 2 * size)))
        return parts, done, rate

    def _in_parallel(self, pieces: list[Plan], total: int, done: int) -> list[ResultColumns]:
        """Do pieces in other processes; what a lost process was doing is done again by a new one."""
        parts: list[ResultColumns] = []
        for attempt in range(LOST_WORKERS + 1):
            try:
                with self._held_by_this_thread():
                    for part in self._results(pieces[len(parts) :]):
                        parts.append(self._done(pieces[len(parts)], part))
                        done += len(part.statistic)
                        self.progress(self._what(pieces[len(parts) - 1]), done, total)
                break
            except joblib.externals.loky.process_executor.BrokenProcessPool as problem:
                if attempt == LOST_WORKERS:
                    raise WorkerError(
                        f"worker processes were lost {attempt + 1} times, the last with {problem!r}; a lack of memory kills "
                        "processes: use fewer (n_jobs), or a smaller memory_limit of the test"
                    ) from problem
        return parts

    def _results(self, pieces: list[Plan]) -> Iterator[ResultColumns]:
        """Yield the results of pieces, in their order: by processes, or by threads with a stream of the GPU each."""
        ask: Any = ask_columns
        how: dict[str, Any] = {"n_jobs": self.n_jobs}
        if self._streams > 1:
            ask, how = _ask_on_stream, {"n_jobs": self._streams, "backend": "threading"}
        parallel = joblib.Parallel(return_as="generator", batch_size=1, **how)
        return iter(parallel(joblib.delayed(ask)(self.test, p.i, p.j, p.given) for p in pieces))

    def _held_by_this_thread(self) -> AbstractContextManager[None]:
        """Limit linear algebra here for as long as others work: the limit is the process's, and threads that cross would leave it changed."""
        table = getattr(self.test, "table_", None)
        return nullcontext() if table is None else single_thread_below(table.n_rows)

    @property
    def _streams(self) -> int:
        """Threads for a test that computes on a GPU, unless processes are asked for."""
        asked = joblib.effective_n_jobs(self.n_jobs)
        return 1 if asked > 1 else int(getattr(self.test, "streams", 1))

    def _what(self, plan: Plan) -> str:
        i, j, given = (self.names[plan.i[0]], self.names[plan.j[0]], plan.given[0])
        condition = f" given {', '.join(self.names[k] for k in given)}" if len(given) else ""
        return f"sets of {plan.given.shape[1]}: {i} vs {j}{condition}"


def _ask_on_stream(test: Any, i: Any, j: Any, given: Any) -> ResultColumns:
    with test.stream():
        return ask_columns(test, i, j, given)


def _pieces(plan: Plan, size: int) -> list[Plan]:
    """Cut a plan where conditioning sets end, into pieces of at least a size."""
    cuts = [0]
    for start in [*plan.group_starts()[1:].tolist(), len(plan)]:
        if start - cuts[-1] >= size or start == len(plan):
            cuts.append(start)
    return [plan[start:stop] for start, stop in pairwise(cuts)]


class Checkpoint:
    """Results in a file, one test per line, so that a search that was cut off goes on where it was.

    Parameters
    ----------
    path : str or pathlib.Path
        The file; it is made if it is not there.
    table : Table
        The data.
    test : CITest
        The test, not fitted; it must be possible to tell it from any other.
    """

    def __init__(self, path: str | Path, table: Table, test: CITest) -> None:
        self.path, self.names = Path(path), table.nodes().names
        words = describe(test, "the test")
        self._header = {"version": __version__, "test": words, "data": fingerprint(table)}
        self._results: dict[Any, tuple[float, float, float]] = {}
        first = json.dumps(self._header)
        begun = read_utf8(self.path, error=CheckpointError, most=MAX_BYTES) if self.path.exists() else ""
        if first.startswith(begun):
            # Nothing, or a first line that was cut off.
            self.path.write_text(f"{first}\n", encoding="utf-8")
        else:
            self._read(begun)

    def _read(self, text: str) -> None:
        whole = text[: text.rfind("\n") + 1]
        lines = whole.splitlines()
        try:
            header = json.loads(lines[0]) if lines else None
        except (ValueError, RecursionError):
            header = None
        if header != self._header:
            raise CheckpointError(
                f"{self.path} belongs to other data, another test or another version; delete it or name another file"
            )
        if whole != text:
            message = f"the last line of {self.path} was being written when the search was cut off, and was left out"
            warnings.warn(message, FileWarning, stacklevel=2)
            os.truncate(self.path, len(whole.encode()))
        for number, line in enumerate(lines[1:], start=2):
            x, y, given, *numbers = self._entry(line, number)
            self._results[x, y, tuple(given)] = tuple(numbers)

    def _entry(self, line: str, number: int) -> list[Any]:
        """Return a line that holds the result of one test: two names, those conditioned on, statistic, p-value and its logarithm."""
        try:
            entry = json.loads(line)
            x, y, given, statistic, p_value, log_p_value = entry
            known = {x, y, *given} <= set(self.names)
            sound = 0 <= p_value <= 1 and log_p_value <= TINY and not math.isnan(statistic)
        except (ValueError, TypeError, RecursionError):
            known = sound = False
        if not known or not sound:
            raise CheckpointError(
                f"{self.path}, line {number} is no result of a test of these columns: {line[:80]!r}; the file was changed, delete it or name another"
            )
        return list(entry)

    def _append(self, lines: list[str]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    def _keys(self, plan: Plan) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        for i, j, given in zip(plan.i.tolist(), plan.j.tolist(), plan.given.tolist(), strict=True):
            yield self.names[i], self.names[j], tuple(self.names[k] for k in given)

    def known(self, plan: Plan) -> tuple[Any, ResultColumns]:
        """Return which tests of a plan are known, and columns with their results."""
        found = [self._results.get(key) for key in self._keys(plan)]
        rows = np.array([row or (np.nan,) * 3 for row in found], dtype=np.float64).reshape(-1, 3)
        return np.array([row is not None for row in found], dtype=bool), ResultColumns(*rows.T.copy())

    def add(self, plan: Plan, results: ResultColumns) -> None:
        """Keep results."""
        columns = zip(
            results.statistic.tolist(), results.p_value.tolist(), results.log_p_value.tolist(), strict=True
        )
        new = dict(zip(self._keys(plan), columns, strict=True))
        self._results.update(new)
        self._append([json.dumps([x, y, list(given), *numbers]) for (x, y, given), numbers in new.items()])


def fingerprint(table: Table) -> str:
    """Return a digest of all that a table says: values, holes, names, types, labels, periods and groups."""
    words = describe([table.names, table.types, table.levels, table.periods, table.groups])
    arrays = digest_of_arrays(table.values, table.missing)
    return hashlib.sha256((words + arrays).encode()).hexdigest()
