"""Strengths of events under a graph, from probabilities: each pair is identified and adjusted for.

So one set of probabilities, exact, counted or fitted, answers for every pair of events of a graph, and `event_strength` plans, batches and stores these as it does
those of chains and language models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import ParameterError
from causalkit.graph import GraphLike, as_graph
from causalkit.strength._content import content_id
from causalkit.strength._oracle import ProbabilityOracle
from causalkit.strength._strength import causal_strength

__all__ = ["AdjustedOracle"]

Floats = NDArray[np.float64]


class AdjustedOracle:
    """An oracle of pairs of events, made of an oracle of probabilities and a graph.

    Parameters
    ----------
    graph : CausalGraph
        A DAG, ADMG, CPDAG, MPDAG, MAG or PAG; its nodes are the events.
    oracle : ProbabilityOracle
        Probabilities of its nodes.
    values : tuple of two values, default=(0, 1)
        How a node says that its event does not happen, and that it does.

    Raises
    ------
    GraphError
        If `graph` is not a graph.
    ParameterError
        If `oracle` gives no probabilities.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import AdjustedOracle, BayesianNetwork, NetworkOracle
    >>> g = CausalGraph.parse("rain -> wet")
    >>> net = BayesianNetwork(g, {"rain": (0, 1), "wet": (0, 1)}, {"rain": [0.8, 0.2], "wet": [[0.9, 0.1], [0.2, 0.8]]})
    >>> AdjustedOracle(g, NetworkOracle(net)).arms([("rain", "wet"), ("wet", "rain")]).round(3).tolist()
    [[0.1, 0.8], [0.2, 0.2]]
    """

    def __init__(self, graph: GraphLike, oracle: ProbabilityOracle, values: tuple[Any, Any] = (0, 1)) -> None:
        graph = as_graph(graph)
        if not isinstance(oracle, ProbabilityOracle):
            raise ParameterError(
                f"with a graph, oracle must give probabilities (id, strata, probability), as NetworkOracle and CountsOracle do; got {type(oracle).__name__}"
            )
        self.graph, self.oracle, self.values = graph, oracle, values

    @property
    def id(self) -> str:
        """Name of the oracle, the same for the same graph, values and probabilities."""
        return content_id("adjusted", self.graph.to_json(), self.oracle.id, repr(self.values))

    def arms(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """Return the probabilities of effects with the cause set to not happening, and to happening.

        Parameters
        ----------
        pairs : sequence of (str, str)
            Causes and effects.

        Returns
        -------
        numpy.ndarray of float, shape (n, 2)
            Without the cause and with it.

        Raises
        ------
        GraphError
            If an effect is not identified.
        """
        found = [self._means(cause, effect) for cause, effect in pairs]
        return np.array(found, dtype=float).reshape(-1, 2)

    def _means(self, cause: str, effect: str) -> list[float | None]:
        strength = causal_strength(
            self.graph,
            cause,
            effect,
            oracle=self.oracle,
            cause_values=self.values,
            effect_value=self.values[1],
        )
        return [mean.value for mean in strength.means]
