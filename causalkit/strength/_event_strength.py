"""Strengths of millions of pairs of events: each different pair is asked once.

The queries are planned (which different pairs are there), looked up in a store of earlier answers, asked in batches sorted by cause, so
that a server that keeps prefixes can use them, and scattered back to the queries.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import check_count
from causalkit.exceptions import DataError, GraphError, ParameterError
from causalkit.graph import CausalGraph
from causalkit.strength._adjusted_oracle import AdjustedOracle
from causalkit.strength._event_oracles import EventOracle
from causalkit.strength._oracle import ProbabilityOracle
from causalkit.strength._store import AnswerStore

__all__ = ["EventStrengths", "event_strength"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EventStrengths:
    """Strengths in the order of the queries.

    Parameters
    ----------
    value : numpy.ndarray of float, shape (n,)
        Probability of the effect with the cause minus that without.
    pairs : tuple of (str, str)
        The different pairs, sorted.
    arms : numpy.ndarray of float, shape (len(pairs), 2)
        Probabilities without and with the cause, of every different pair.
    place : numpy.ndarray of int, shape (n,)
        Which pair each query is.
    n_asked : int
        Pairs that the oracle was asked; the others were in the store.
    """

    value: Floats
    pairs: tuple[tuple[str, str], ...]
    arms: Floats
    place: NDArray[np.intp]
    n_asked: int

    def __len__(self) -> int:
        return len(self.value)

    def of(self, cause: str, effect: str) -> float:
        """Return the strength of one pair.

        Parameters
        ----------
        cause, effect : str
            A pair that was asked.

        Returns
        -------
        float
            Its strength.
        """
        k = bisect_left(self.pairs, (cause, effect))
        if k == len(self.pairs) or self.pairs[k] != (cause, effect):
            raise ParameterError(f"the pair {cause!r} -> {effect!r} was not among the queries")
        return float(self.arms[k, 1] - self.arms[k, 0])

    def to_pandas(self) -> Any:
        """Return one row per different pair.

        Returns
        -------
        pandas.DataFrame
            Columns cause, effect, without, with, strength.
        """
        import pandas as pd

        frame = pd.DataFrame(list(self.pairs), columns=["cause", "effect"])
        return frame.assign(
            **{
                "without": self.arms[:, 0],
                "with": self.arms[:, 1],
                "strength": self.arms[:, 1] - self.arms[:, 0],
            }
        )


def event_strength(
    queries: Any,
    graph: CausalGraph | None = None,
    oracle: EventOracle | ProbabilityOracle | None = None,
    *,
    events: Sequence[str] | None = None,
    store: str | Path | None = None,
    batch_size: int = 256,
    verbose: int = 0,
) -> EventStrengths:
    """Return how strongly events cause one another, for any number of pairs.

    Parameters
    ----------
    queries : sequence of (str, str), or array of int of shape (n, 2) together with `events`
        Cause and effect. Millions of queries are best given as numbers.
    graph : CausalGraph, optional
        A causal graph over the events, for an oracle that gives probabilities of its nodes (0 and 1): then every pair is adjusted for as
        the graph says, see `AdjustedOracle`. Other oracles bring what they need.
    oracle : EventOracle or ProbabilityOracle
        With a graph `NetworkOracle`, `CountsOracle`, `ClassifierOracle`; without `ChainOracle`, `LogOracle`, `LetterOracle`, or any object
        with `id` and `arms`.
    events : sequence of str, optional
        Names that the numbers in `queries` stand for.
    store : str or pathlib.Path, optional
        A file in which answers are kept. A run that was killed goes on from it; the result is the same.
    batch_size : int, default=256
        Pairs that the oracle is asked at a time; after each batch its answers are kept.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    EventStrengths
        `value` holds one number per query.

    Raises
    ------
    DataError
        If the oracle answers with anything but probabilities.
    GraphError
        If a query asks for the effect of an event on itself.
    CheckpointError
        If the store is damaged or belongs to another oracle.

    References
    ----------
    A. Joshi, A. Ahmad, A. Modi, "COLD: Causal reasoning in closed daily activities", NeurIPS 2024.

    Examples
    --------
    >>> from causalkit.strength import ChainOracle, EventGraph, EventLog, event_strength
    >>> oracle = ChainOracle(EventGraph.from_log(EventLog([["A", "C"], ["A"], ["B", "C"]])), "uniform_trajectory")
    >>> event_strength([("A", "C"), ("B", "C"), ("A", "C")], oracle=oracle).value.round(3).tolist()
    [0.167, 0.667, 0.167]
    """
    check_count("batch_size", batch_size)
    oracle = _oracle_of_pairs(graph, oracle)
    pairs, place = _plan(queries, events)
    kept = AnswerStore(store, oracle.id) if store is not None else None
    answers = kept.known(pairs) if kept is not None else {}
    todo = [pair for pair in pairs if pair not in answers]
    for batch in _batches(todo, batch_size, verbose):
        arms = _checked(oracle, batch, oracle.arms(batch))
        if kept is not None:
            kept.add(batch, arms)
        answers.update(zip(batch, map(tuple, arms.tolist()), strict=True))
    arms = np.array([answers[pair] for pair in pairs], dtype=float).reshape(-1, 2)
    return EventStrengths((arms[:, 1] - arms[:, 0])[place], tuple(pairs), arms, place, len(todo))


def _oracle_of_pairs(graph: CausalGraph | None, oracle: Any) -> EventOracle:
    """Return what answers pairs, or say what is missing."""
    if graph is not None:
        return AdjustedOracle(graph, oracle)
    if not hasattr(oracle, "arms") or not hasattr(oracle, "id"):
        hint = "; with graph= it answers for pairs" if isinstance(oracle, ProbabilityOracle) else ""
        raise ParameterError(
            f"oracle must have id and arms(pairs), as ChainOracle has; got {type(oracle).__name__}{hint}"
        )
    answers: EventOracle = oracle
    return answers


def _named(queries: Any) -> list[tuple[str, str]]:
    """Read pairs of names."""
    try:
        pairs = [tuple(query) for query in queries]
    except TypeError:
        pairs = []
        queries = [queries]
    wrong = [
        query
        for query, pair in zip(queries, pairs or [()], strict=False)
        if isinstance(query, str) or len(pair) != 2 or not all(isinstance(name, str) for name in pair)
    ]
    if wrong:
        raise DataError(
            f"queries are pairs of names (cause, effect), or numbers with events=; got {wrong[0]!r}"
        )
    return [(cause, effect) for cause, effect in pairs]


def _plan(queries: Any, events: Sequence[str] | None) -> tuple[list[tuple[str, str]], NDArray[np.intp]]:
    """Return the different pairs, sorted by name, and which of them each query is."""
    if events is None:
        named = _named(queries)
        events = sorted({name for pair in named for name in pair})
        column = {name: k for k, name in enumerate(events)}
        numbers = np.array([(column[c], column[e]) for c, e in named], dtype=np.intp).reshape(-1, 2)
    else:
        numbers = np.asarray(queries)
        if numbers.ndim != 2 or numbers.shape[1] != 2 or numbers.dtype.kind not in "iu":
            raise DataError(
                f"with events=, queries are an array of integers of shape (n, 2); got {numbers.dtype} {numbers.shape}"
            )
        if len(numbers) and not (numbers.min() >= 0 and numbers.max() < len(events)):
            raise DataError(
                f"queries name events {numbers.min()} to {numbers.max()}; there are {len(events)} events"
            )
    return _distinct(numbers, list(events))


def _distinct(
    numbers: NDArray[np.integer[Any]], events: list[str]
) -> tuple[list[tuple[str, str]], NDArray[np.intp]]:
    rank = np.argsort(np.argsort(np.array(events, dtype=object)))
    size = len(events)
    key = rank[numbers[:, 0]] * size + rank[numbers[:, 1]]
    there = np.zeros(size * size, dtype=bool) if size**2 <= 10**8 else None
    if there is None:
        found, place = np.unique(key, return_inverse=True)
    else:
        there[key] = True
        found = np.flatnonzero(there)
        place = (np.cumsum(there, dtype=np.int32) - 1)[key].astype(np.intp)
    ordered = sorted(events)
    pairs = [(ordered[k // size], ordered[k % size]) for k in found.tolist()]
    same = next((cause for cause, effect in pairs if cause == effect), None)
    if same is not None:
        raise GraphError(f"a query asks for the effect of {same!r} on itself, which is not defined")
    return pairs, place


def _batches(todo: list[tuple[str, str]], size: int, verbose: int) -> Iterable[list[tuple[str, str]]]:
    from tqdm import tqdm

    with tqdm(total=len(todo), desc="pairs of events", unit="pair", disable=not verbose) as bar:
        for first in range(0, len(todo), size):
            batch = todo[first : first + size]
            yield batch
            bar.update(len(batch))


def _checked(oracle: EventOracle, batch: list[tuple[str, str]], arms: Any) -> Floats:
    found = np.asarray(arms, dtype=float)
    if found.shape != (len(batch), 2):
        raise DataError(
            f"oracle {oracle.id!r} answered {len(batch)} pairs with an array of shape {found.shape}; ({len(batch)}, 2) is needed"
        )
    wrong = ~((found >= -1e-9) & (found <= 1 + 1e-9))
    if wrong.any():
        k = int(np.flatnonzero(wrong.any(axis=1))[0])
        raise DataError(
            f"oracle {oracle.id!r} answered {found[k].tolist()} for {batch[k]}; probabilities are numbers from 0 to 1"
        )
    return found
