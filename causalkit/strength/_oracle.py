"""Where probabilities come from: the protocol that exact networks, counts, classifiers and language models fulfil.

An oracle answers two questions: with which weights the combinations of values of some nodes occur, and how probable an event is given values
of others. Adjustment is then a weighted sum, whatever the oracle is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import check_between, open_frame
from causalkit.exceptions import DataError, ParameterError, PositivityError
from causalkit.strength._content import content_id
from causalkit.strength._learners import logistic
from causalkit.strength._network import BayesianNetwork
from causalkit.strength._sample import read_columns_of

__all__ = ["ClassifierOracle", "CountsOracle", "NetworkOracle", "ProbabilityOracle"]

Floats = NDArray[np.float64]
Event = tuple[str, Any]
MAX_STRATA = 1_000_000


@runtime_checkable
class ProbabilityOracle(Protocol):
    """What gives probabilities of nodes.

    Notes
    -----
    `id` names the oracle for stores of results: it depends on what the oracle is made from, and on nothing else.
    """

    @property
    def id(self) -> str:
        """Name of the oracle, the same for the same content."""
        ...

    def strata(self, nodes: Sequence[str]) -> tuple[list[tuple[Any, ...]], Floats]:
        """Return the combinations of values of some nodes that occur, and their probabilities.

        Parameters
        ----------
        nodes : sequence of str
            Nodes.

        Returns
        -------
        list of tuple
            Values in the order of the nodes.
        numpy.ndarray of float
            Probabilities, which sum to 1.
        """
        ...

    def probability(self, event: Event, given: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the probability of an event under each of several conditions on the same nodes.

        Parameters
        ----------
        event : (str, value)
            A node and its value.
        given : sequence of mapping of str to value
            Conditions.

        Returns
        -------
        numpy.ndarray of float, shape (len(given),)
            Probabilities; NaN where a condition never occurs.
        """
        ...


class NetworkOracle:
    """Exact probabilities of a Bayesian network.

    Parameters
    ----------
    network : BayesianNetwork
        The network.
    do : mapping of str to value, optional
        Values set by intervention.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import BayesianNetwork, NetworkOracle
    >>> net = BayesianNetwork(CausalGraph.parse("a"), {"a": (0, 1)}, {"a": [0.25, 0.75]})
    >>> NetworkOracle(net).strata(["a"])
    ([(0,), (1,)], array([0.25, 0.75]))
    """

    def __init__(self, network: BayesianNetwork, do: Mapping[str, Any] | None = None) -> None:
        self.network = network
        self.do = dict(do or {})

    @property
    def id(self) -> str:
        """Name of the oracle, the same for the same content."""
        return self.network.id + (f"-do-{sorted(self.do.items())}" if self.do else "")

    def strata(self, nodes: Sequence[str]) -> tuple[list[tuple[Any, ...]], Floats]:
        """Return the combinations of values of some nodes that occur, and their probabilities.

        Parameters
        ----------
        nodes : sequence of str
            Nodes of the network.

        Returns
        -------
        list of tuple
            Values in the order of the nodes.
        numpy.ndarray of float
            Probabilities.
        """
        if not nodes:
            return [()], np.ones(1)
        size = int(np.prod([len(self.network.states[n]) for n in nodes], dtype=object))
        if size > MAX_STRATA:
            raise ParameterError(
                f"{list(nodes)} have {size} combinations of values; at most {MAX_STRATA} are summed over. Adjust for less"
            )
        table = self.network.query(nodes, do=self.do)
        at = np.argwhere(table > 0)
        states = [self.network.states[n] for n in nodes]
        values = [tuple(s[k] for s, k in zip(states, row, strict=True)) for row in at.tolist()]
        return values, table[tuple(at.T)]

    def probability(self, event: Event, given: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the probability of an event under each of several conditions on the same nodes.

        Parameters
        ----------
        event : (str, value)
            A node and its value.
        given : sequence of mapping of str to value
            Conditions.

        Returns
        -------
        numpy.ndarray of float, shape (len(given),)
            Probabilities; NaN where a condition never occurs.
        """
        name, value = event
        nodes = list(given[0]) if given else []
        table = self.network.query([name, *nodes], do=self.do)
        at = tuple(np.array([self.network.position(n, g[n]) for g in given], dtype=np.intp) for n in nodes)
        column = np.stack([layer[at] for layer in table]).reshape(len(table), -1)
        total = column.sum(axis=0)
        hit = column[self.network.position(name, value)]
        found = np.divide(hit, total, out=np.full(len(total), np.nan), where=total > 0)
        return found if nodes else np.repeat(found, len(given))


class CountsOracle:
    """Probabilities as shares of rows, shrunk where rows are few.

    Parameters
    ----------
    data : data frame
        Discrete columns.
    smoothing : float, default=0
        Rows by which a share given a condition is drawn towards the share among all rows (a Dirichlet prior centred there).

    Examples
    --------
    >>> import pandas as pd
    >>> from causalkit.strength import CountsOracle
    >>> oracle = CountsOracle(pd.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 1, 1]}))
    >>> oracle.probability(("b", 1), [{"a": 0}, {"a": 1}])
    array([0.5, 1. ])
    """

    def __init__(self, data: Any, smoothing: float = 0.0) -> None:
        self.smoothing = check_between("smoothing", smoothing, -1e-300, np.inf)
        import narwhals as nw

        if not nw.dependencies.is_into_dataframe(data):
            raise DataError(f"counts are read from a data frame; got {type(data).__name__}")
        names = open_frame(data).columns
        self._table = read_columns_of(data, names, names, None)
        self._labels = {name: self._read_labels(name) for name in names}

    def _read_labels(self, name: str) -> tuple[Any, ...]:
        column = self._table.values[:, self._table.index(name)]
        levels = self._table.levels.get(name)
        return tuple(np.unique(column).tolist()) if levels is None else levels

    @property
    def id(self) -> str:
        """Name of the oracle, the same for the same content."""
        content = (self._table.names, self._labels, self.smoothing)
        return content_id("counts", repr(content), np.ascontiguousarray(self._table.values).tobytes())

    def _codes(self, name: str) -> NDArray[np.intp]:
        column = self._table.values[:, self._table.index(name)]
        if name in self._table.levels:
            return column.astype(np.intp)
        return np.searchsorted(np.array(self._labels[name]), column)

    def _position(self, name: str, value: Any) -> int:
        self._table.index(name)
        if value not in self._labels[name]:
            raise ParameterError(
                f"{value!r} is not a value of {name!r}; its values are {list(self._labels[name][:8])}"
            )
        return self._labels[name].index(value)

    def strata(self, nodes: Sequence[str]) -> tuple[list[tuple[Any, ...]], Floats]:
        """Return the combinations of values of some columns that occur, and their shares.

        Parameters
        ----------
        nodes : sequence of str
            Columns.

        Returns
        -------
        list of tuple
            Values in the order of the columns.
        numpy.ndarray of float
            Shares of the rows.
        """
        if not nodes:
            return [()], np.ones(1)
        codes = np.column_stack([self._codes(n) for n in nodes])
        found, counts = np.unique(codes, axis=0, return_counts=True)
        labels = [self._labels[n] for n in nodes]
        values = [tuple(s[k] for s, k in zip(labels, row, strict=True)) for row in found.tolist()]
        return values, counts / len(codes)

    def probability(self, event: Event, given: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the share of rows with an event among those with each of several conditions on the same columns.

        Parameters
        ----------
        event : (str, value)
            A column and its value.
        given : sequence of mapping of str to value
            Conditions.

        Returns
        -------
        numpy.ndarray of float, shape (len(given),)
            Shares; NaN where no row fulfils a condition and nothing is smoothed.
        """
        name, value = event
        hit = self._codes(name) == self._position(name, value)
        nodes = list(given[0]) if given else []
        asked = np.array([[self._position(n, g[n]) for n in nodes] for g in given], dtype=np.intp)
        there = (
            np.column_stack([self._codes(n) for n in nodes]) if nodes else np.zeros((len(hit), 0), np.intp)
        )
        codes = np.vstack([asked.reshape(len(given), len(nodes)), there])
        found, place = (
            np.unique(codes, axis=0, return_inverse=True) if nodes else ([0], np.zeros(len(codes), np.intp))
        )
        mine, rows = place.reshape(-1)[: len(given)], place.reshape(-1)[len(given) :]
        total = np.bincount(rows, minlength=len(found))[mine] + self.smoothing
        hits = np.bincount(rows, weights=hit, minlength=len(found))[mine] + self.smoothing * hit.mean()
        shares: Floats = np.divide(hits, total, out=np.full(len(mine), np.nan), where=total > 0)
        return shares


class ClassifierOracle:
    """Probabilities of a classifier, fitted on the columns that a question names.

    Parameters
    ----------
    data : data frame
        Discrete columns; those that are conditioned on are given to the classifier as 0/1 columns, one per value.
    classifier : scikit-learn classifier, optional
        With `predict_proba`; by default nearly unpenalised logistic regression. It is cloned and fitted once per event and set of columns.
    name : str, default="logistic regression"
        Part of the `id`; name your classifier and its parameters.

    Examples
    --------
    >>> import pandas as pd
    >>> from causalkit.strength import ClassifierOracle
    >>> oracle = ClassifierOracle(pd.DataFrame({"a": [0, 0, 1, 1] * 5, "b": [0, 1, 1, 1] * 5}))
    >>> oracle.probability(("b", 1), [{"a": 0}, {"a": 1}]).round(2)
    array([0.5, 1. ])
    """

    def __init__(self, data: Any, classifier: Any = None, *, name: str = "logistic regression") -> None:
        self._counts = CountsOracle(data)
        self._classifier, self.name = classifier, name
        self._fitted: dict[tuple[Event, tuple[str, ...]], Any] = {}

    @property
    def id(self) -> str:
        """Name of the oracle, the same for the same content."""
        return content_id("classifier", repr((self._counts.id, self.name)))

    def strata(self, nodes: Sequence[str]) -> tuple[list[tuple[Any, ...]], Floats]:
        """Return the combinations of values of some columns that occur, and their shares.

        Parameters
        ----------
        nodes : sequence of str
            Columns.

        Returns
        -------
        list of tuple
            Values in the order of the columns.
        numpy.ndarray of float
            Shares of the rows.
        """
        return self._counts.strata(nodes)

    def probability(self, event: Event, given: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the fitted probability of an event under each of several conditions on the same columns.

        Parameters
        ----------
        event : (str, value)
            A column and its value.
        given : sequence of mapping of str to value
            Conditions.

        Returns
        -------
        numpy.ndarray of float, shape (len(given),)
            Probabilities.
        """
        nodes = tuple(given[0]) if given else ()
        if not nodes:
            return self._counts.probability(event, given)
        model = self._fit(event, nodes)
        asked = np.array([[self._counts._position(n, g[n]) for n in nodes] for g in given], dtype=np.intp)
        found: Floats = model.predict_proba(self._columns(asked, nodes))[:, list(model.classes_).index(1)]
        return found

    def _fit(self, event: Event, nodes: tuple[str, ...]) -> Any:
        from sklearn.base import clone

        if (event, nodes) not in self._fitted:
            name, value = event
            hit = (self._counts._codes(name) == self._counts._position(name, value)).astype(int)
            if np.ptp(hit) == 0:
                raise DataError(
                    f"{name!r} is {'always' if hit[0] else 'never'} {value!r} in the data; a classifier needs both"
                )
            codes = np.column_stack([self._counts._codes(n) for n in nodes])
            model = logistic() if self._classifier is None else clone(self._classifier)
            self._fitted[event, nodes] = model.fit(self._columns(codes, nodes), hit)
        return self._fitted[event, nodes]

    def _columns(self, codes: NDArray[np.intp], nodes: Sequence[str]) -> Floats:
        levels = [np.arange(len(self._counts._labels[n])) for n in nodes]
        return np.hstack([(codes[:, [k]] == level[1:]).astype(float) for k, level in enumerate(levels)])


def probability_under_do(
    oracle: ProbabilityOracle, event: Event, cause: Event, adjust: Sequence[str]
) -> tuple[float, Floats, Floats]:
    """Return the adjusted probability, that in every stratum, and the weights of the strata."""
    values, weights = oracle.strata(adjust)
    conditions = [{cause[0]: cause[1], **dict(zip(adjust, row, strict=True))} for row in values]
    within = checked_answers(oracle, oracle.probability(event, conditions), conditions)
    return float(weights @ within), within, weights


def checked_answers(
    oracle: ProbabilityOracle, answers: Any, conditions: Sequence[Mapping[str, Any]]
) -> Floats:
    """Return what an oracle answered, if they are probabilities."""
    found = np.asarray(answers, dtype=float)
    if found.shape != (len(conditions),):
        raise DataError(
            f"oracle {oracle.id!r} gave an array of shape {found.shape} for {len(conditions)} conditions"
        )
    if np.isnan(found).any():
        first = conditions[int(np.flatnonzero(np.isnan(found))[0])]
        if not first:
            raise DataError(f"oracle {oracle.id!r} answered NaN where nothing is conditioned on")
        raise PositivityError(
            f"{dict(first)} never occurs, although its parts do: adjust for less, or smooth"
        )
    if ((found < -1e-9) | (found > 1 + 1e-9)).any():
        raise DataError(
            f"oracle {oracle.id!r} answered {found[(found < 0) | (found > 1)][0]:g}; probabilities are from 0 to 1"
        )
    return found
