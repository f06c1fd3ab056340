"""A test that knows the truth: independence is separation in a given graph."""

from __future__ import annotations

from typing import Any

from causalkit.graph import GraphLike, as_graph
from causalkit.independence._base import FittedTest
from causalkit.independence._result import TestResult

__all__ = ["DSeparation"]


class DSeparation(FittedTest):
    """Oracle test: p = 1 if the columns are separated in a graph, p = 0 otherwise.

    Parameters
    ----------
    graph : CausalGraph
        A DAG, ADMG or MAG whose nodes carry the names of the columns; it may have more nodes, which are then latent.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit import CausalGraph
    >>> from causalkit.independence import DSeparation
    >>> test = DSeparation(CausalGraph.parse("X1 -> X2; X2 -> X3")).fit(np.zeros((10, 3)))
    >>> test(0, 2).p_value, test(0, 2, (1,)).p_value
    (0.0, 1.0)
    """

    minds_redundancy = True

    def __init__(self, graph: GraphLike) -> None:
        graph = as_graph(graph)
        self.graph = graph

    def __repr__(self) -> str:
        return f"DSeparation({self.graph!r})"

    def fit(self, data: Any) -> DSeparation:
        """Read the names of the columns; the rows are not looked at.

        Parameters
        ----------
        data : array_like of shape (n, d) or data frame
            Its columns name nodes of the graph.

        Returns
        -------
        DSeparation
            The test itself.
        """
        super().fit(data)
        return self

    def _warn_constant(self) -> None:
        """Say nothing: the rows are not looked at."""

    def _prepare(self) -> None:
        for name in self.table_.names:
            self.graph.index(name)

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        names = self.table_.names
        separated = self.graph.separated(names[i], names[j], [names[k] for k in given])
        p, log_p = (1.0, 0.0) if separated else (0.0, -float("inf"))
        return TestResult(0.0 if separated else float("inf"), p, log_p, self.table_.n_rows)
