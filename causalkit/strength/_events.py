"""Events in sequences: what people did in what order, and the graph of successions behind it.

An `EventLog` holds sequences as they were told. An `EventGraph` holds which event can follow which, without cycles, between a start and
an end that all sequences share; a path from start to end is a trajectory. Two laws over trajectories are in use (Joshi et al. 2024):
every next event equally likely, or every complete trajectory equally likely. Under either the sequence of events is a Markov chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed, as_generator
from causalkit._validation import check_choice, parse_json, read_rows, read_utf8
from causalkit.exceptions import DataError, GraphError, NodeNotFoundError, ParseError
from causalkit.graph import CausalGraph, GraphKind
from causalkit.graph._bits import find_cycle, mask_of

__all__ = ["EventGraph", "EventLog"]

Floats = NDArray[np.float64]
Law = Literal["uniform_node", "uniform_trajectory", "observed"]
MAX_FILE = 200 * 2**20


class EventLog:
    """Sequences of events.

    Parameters
    ----------
    sequences : iterable of iterable of str
        What happened, in order. An event happens at most once in a sequence.

    Raises
    ------
    DataError
        If there is no sequence, a sequence is empty or repeats an event, or a name is not a non-empty string.

    Examples
    --------
    >>> from causalkit.strength import EventLog
    >>> log = EventLog([["fill kettle", "boil", "pour"], ["boil", "pour", "add milk"]])
    >>> log.events
    ('fill kettle', 'boil', 'pour', 'add milk')
    >>> log.presence.astype(int).tolist()
    [[1, 1, 1, 0], [0, 1, 1, 1]]
    """

    def __init__(self, sequences: Iterable[Iterable[str]]) -> None:
        if isinstance(sequences, str) or not isinstance(sequences, Iterable):
            raise DataError(f"an event log is made of sequences of names; got {sequences!r}")
        self.sequences = tuple(_as_sequence(k, s) for k, s in enumerate(sequences))
        for k, sequence in enumerate(self.sequences):
            _check_sequence(k, sequence)
        if not self.sequences:
            raise DataError("an event log needs one sequence at least")
        self.events = tuple(dict.fromkeys(event for s in self.sequences for event in s))

    def __len__(self) -> int:
        return len(self.sequences)

    def __repr__(self) -> str:
        return f"EventLog(sequences={len(self)}, events={len(self.events)})"

    @cached_property
    def positions(self) -> NDArray[np.intp]:
        """Place of every event in every sequence, shape (sequences, events); -1 where it does not happen."""
        column = {event: k for k, event in enumerate(self.events)}
        found = np.full((len(self), len(self.events)), -1, dtype=np.intp)
        for row, sequence in enumerate(self.sequences):
            found[row, [column[event] for event in sequence]] = np.arange(len(sequence))
        return found

    @property
    def presence(self) -> NDArray[np.bool_]:
        """Whether every event happens in every sequence, shape (sequences, events)."""
        return self.positions >= 0

    @classmethod
    def from_csv(cls, path: str | Path, *, sequence: str = "sequence", event: str = "event") -> Self:
        """Read a file with one row per event, in order within each sequence.

        Parameters
        ----------
        path : str or pathlib.Path
            A CSV file with a header.
        sequence, event : str, default="sequence", "event"
            Columns that name the sequence and the event.

        Returns
        -------
        EventLog
            Sequences in the order of their first rows.

        Raises
        ------
        ParseError
            If a column is missing or the file is too large.
        """
        found: dict[str, list[str]] = {}
        for row in read_rows(Path(path), (sequence, event), error=ParseError, most=MAX_FILE):
            found.setdefault(row[sequence], []).append(row[event])
        return cls(found.values())

    @classmethod
    def from_json(cls, source: str | Path) -> Self:
        """Read a list of lists of names.

        Parameters
        ----------
        source : str or pathlib.Path
            JSON text that begins with a bracket, or a path.

        Returns
        -------
        EventLog
            The log.

        Raises
        ------
        ParseError
            If the text is not a list of lists of strings.

        Examples
        --------
        >>> from causalkit.strength import EventLog
        >>> EventLog.from_json('[["a", "b"], ["b"]]')
        EventLog(sequences=2, events=2)
        """
        is_text = isinstance(source, str) and source.lstrip().startswith("[")
        text = str(source) if is_text else read_utf8(Path(source), error=ParseError, most=MAX_FILE)
        content: Any = parse_json(text, "this" if is_text else str(source), error=ParseError)
        if not isinstance(content, list) or not all(isinstance(s, list) for s in content):
            raise ParseError("an event log in JSON is a list of lists of names")
        return cls(content)


def _as_sequence(k: int, sequence: Any) -> tuple[Any, ...]:
    if isinstance(sequence, str) or not isinstance(sequence, Iterable):
        raise DataError(f"sequence {k} is {sequence!r}; a sequence is a list of names")
    return tuple(sequence)


def _check_sequence(k: int, sequence: tuple[Any, ...]) -> None:
    if not sequence:
        raise DataError(f"sequence {k} is empty")
    strange = [event for event in sequence if not isinstance(event, str) or not event]
    if strange:
        raise DataError(f"sequence {k} holds {strange[0]!r}; events are non-empty strings")
    if len(set(sequence)) < len(sequence):
        twice = next(event for event in sequence if sequence.count(event) > 1)
        raise DataError(
            f"sequence {k} has event {twice!r} twice; number the repetitions if they are different events"
        )


class EventGraph:
    """Which event can follow which, between a common start and end.

    Parameters
    ----------
    events : sequence of str
        Unique names; k of them.
    counts : array_like of float, shape (k + 2, k + 2)
        How often the row's event is followed directly by the column's; row and column k are the start, k + 1 the end. Positive where a
        succession is possible.

    Raises
    ------
    GraphError
        If successions form a cycle, or an event cannot be reached from the start or cannot reach the end; the message names it.

    Examples
    --------
    >>> from causalkit.strength import EventGraph, EventLog
    >>> graph = EventGraph.from_log(EventLog([["A", "C"], ["A"], ["B", "C"]]))
    >>> graph.n_trajectories
    3
    """

    def __init__(self, events: Sequence[str], counts: Any) -> None:
        self.events = tuple(events)
        self.counts: Floats = np.asarray(counts, dtype=float)
        k = len(self.events)
        if len(set(self.events)) < k:
            raise GraphError("an event is named twice")
        if self.counts.shape != (k + 2, k + 2) or not (self.counts >= 0).all():
            raise GraphError(
                f"counts must be a non-negative array of shape ({k + 2}, {k + 2}); got {self.counts.shape}"
            )
        self._check_acyclic()
        self._check_connected()

    @property
    def _labels(self) -> tuple[str, ...]:
        return (*self.events, "(start)", "(end)")

    def _check_acyclic(self) -> None:
        cycle = find_cycle([mask_of(np.flatnonzero(row).tolist()) for row in self.counts])
        if cycle is not None:
            names = [self._labels[n] for n in (*cycle, cycle[0])]
            raise GraphError(
                f"successions form a cycle: {' -> '.join(names)}; events must have an order (keep=... of from_log drops rare ones)"
            )

    def _check_connected(self) -> None:
        for reached, what in (
            (self._paths_from_start, "reached from the start"),
            (self._paths_to_end, "followed to the end"),
        ):
            lost = [e for e, n in zip(self.events, reached[: len(self.events)], strict=True) if n == 0]
            if lost:
                raise GraphError(f"event {lost[0]!r} cannot be {what}")

    @classmethod
    def from_log(cls, log: EventLog, *, keep: int = 1) -> Self:
        """Return the graph of observed direct successions.

        Parameters
        ----------
        log : EventLog
            Sequences.
        keep : int, default=1
            Successions seen less often are left out.

        Returns
        -------
        EventGraph
            With counts of successions.
        """
        k = len(log.events)
        place = {event: i for i, event in enumerate(log.events)}
        counts = np.zeros((k + 2, k + 2))
        for sequence in log.sequences:
            path = [k, *(place[event] for event in sequence), k + 1]
            np.add.at(counts, (path[:-1], path[1:]), 1)
        return cls(log.events, np.where(counts >= keep, counts, 0))

    @classmethod
    def from_graph(cls, graph: CausalGraph) -> Self:
        """Read the successions from a DAG; events without parents follow the start, those without children are followed by the end.

        Parameters
        ----------
        graph : CausalGraph
            A DAG over events.

        Returns
        -------
        EventGraph
            Every succession counted once.
        """
        if graph.kind is not GraphKind.DAG:
            raise GraphError(f"successions are read from a DAG; this graph is a {graph.kind}")
        k = graph.n_nodes
        counts = np.zeros((k + 2, k + 2))
        counts[:k, :k] = graph.to_adjacency()
        counts[k, :k] = ~counts[:k, :k].any(axis=0)
        counts[:k, k + 1] = ~counts[:k, :k].any(axis=1)
        return cls(graph.nodes, counts)

    def index(self, event: str) -> int:
        """Return the place of an event in ``events``.

        Parameters
        ----------
        event : str
            An event.

        Returns
        -------
        int
            Its place.
        """
        try:
            return self.events.index(event)
        except ValueError:
            raise NodeNotFoundError(
                f"{event!r} is not an event; the events are {', '.join(map(repr, self.events[:12]))}"
            ) from None

    @cached_property
    def _order(self) -> list[int]:
        """Rows in an order in which every succession goes forward."""
        from causalkit.graph._bits import topological_order

        return topological_order([mask_of(np.flatnonzero(column).tolist()) for column in self.counts.T]) or []

    @cached_property
    def _paths_to_end(self) -> list[int]:
        paths = [0] * len(self.counts)
        paths[-1] = 1
        for node in reversed(self._order):
            if node != len(paths) - 1:
                paths[node] = sum(paths[j] for j in np.flatnonzero(self.counts[node]).tolist())
        return paths

    @cached_property
    def _paths_from_start(self) -> list[int]:
        paths = [0] * len(self.counts)
        paths[-2] = 1
        for node in self._order:
            if node != len(paths) - 2:
                paths[node] = sum(paths[i] for i in np.flatnonzero(self.counts[:, node]).tolist())
        return paths

    @property
    def n_trajectories(self) -> int:
        """Number of paths from start to end."""
        return self._paths_from_start[-1]

    def transitions(self, law: Law = "uniform_node") -> Floats:
        """Return the probabilities of the next event.

        Parameters
        ----------
        law : {"uniform_node", "uniform_trajectory", "observed"}, default="uniform_node"
            Every next event equally likely; every complete trajectory equally likely; or as often as counted.

        Returns
        -------
        numpy.ndarray of float, shape (k + 2, k + 2)
            Rows sum to 1, but that of the end, which is zero.
        """
        check_choice("law", law, get_args(Law))
        possible = self.counts > 0
        if law == "uniform_node":
            weights = possible.astype(float)
        elif law == "observed":
            weights = self.counts
        else:
            total = self._paths_to_end
            weights = np.zeros(possible.shape)
            for i, j in np.argwhere(possible).tolist():
                weights[i, j] = total[j] / max(total[i], 1)
        sums = weights.sum(axis=1, keepdims=True)
        shares: Floats = np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)
        return shares

    def hops(self) -> NDArray[np.intp]:
        """Return the least number of successions between events.

        Returns
        -------
        numpy.ndarray of int, shape (k, k)
            From row to column; -1 where no path leads.
        """
        from scipy.sparse.csgraph import shortest_path

        k = len(self.events)
        found = shortest_path(self.counts[:k, :k] > 0, unweighted=True)
        return np.where(np.isfinite(found), found, -1).astype(np.intp)

    def sample_prefixes(
        self, event: str, n: int, rng: Seed = None, *, law: Law = "uniform_node"
    ) -> list[tuple[str, ...]]:
        """Draw what happened before an event.

        Parameters
        ----------
        event : str
            The event that comes next.
        n : int
            Number of draws.
        rng : int, numpy.random.Generator or None, default=None
            Seed or generator.
        law : str, default="uniform_node"
            As in `transitions`.

        Returns
        -------
        list of tuple of str
            Events from the first one after the start to the last one before `event`; empty if it comes first.
        """
        generator, target = as_generator(rng), self.index(event)
        step = self.transitions(law)
        k = len(self.events)
        visits = np.linalg.inv(np.eye(k + 2) - step)[k]
        drawn = []
        for _ in range(n):
            path, node = [], target
            while node != k:
                weights = visits * step[:, node]
                node = int(generator.choice(k + 2, p=weights / weights.sum()))
                path.append(node)
            drawn.append(tuple(self.events[i] for i in reversed(path[:-1])))
        return drawn
