"""A table with the graph that is taken as its truth, with the methods that scenes have where both can have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.datasets._places import positions
from causalkit.exceptions import DataError
from causalkit.graph import CausalGraph

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GraphData"]

Rows: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True)
class GraphData:
    """A table with the graph that is taken as its truth.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per observation; the contexts, if any, are columns.
    graph : CausalGraph
        A DAG over the variables, without the contexts: which mechanisms a context changes is not part of it.
    contexts : tuple of str
        Names of the columns that are contexts.
    description : str
        What the data are, where they come from, and under which licence.

    Examples
    --------
    >>> import pandas as pd
    >>> from causalkit import CausalGraph
    >>> from causalkit.datasets import GraphData
    >>> frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [2.0, 4.0, 6.0], "lab": ["x", "y", "x"]})
    >>> data = GraphData(frame, CausalGraph.parse("a -> b"), ("lab",), "made up")
    >>> data.as_numpy().shape, {lab: rows.tolist() for lab, rows in data.environments().items()}
    ((3, 2), {'x': [0, 2], 'y': [1]})
    """

    frame: pd.DataFrame
    graph: CausalGraph
    contexts: tuple[str, ...]
    description: str

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: Sequence[int] | Rows) -> GraphData:
        """Return some of the rows.

        Parameters
        ----------
        rows : sequence of int, or of bool of length n
            Positions, or which rows.

        Returns
        -------
        GraphData
            The same graph and contexts.

        Raises
        ------
        ParameterError
            If there is no such row.
        """
        chosen = positions(rows, len(self))
        return replace(self, frame=self.frame.iloc[chosen].reset_index(drop=True))

    def environments(self) -> dict[str, Rows]:
        """Return the rows of each value of the contexts, of several contexts together.

        Returns
        -------
        dict of str to numpy.ndarray of int
            Positions of rows by name of the environment, in the order of the names; every row is in one.

        Raises
        ------
        DataError
            If the table has no contexts.
        """
        if not self.contexts:
            raise DataError("the table has no contexts, so that there are no environments")
        columns = [self.frame[name].astype(str).to_numpy(dtype=object) for name in self.contexts]
        names = np.array([", ".join(values) for values in zip(*columns, strict=True)])
        return {str(name): np.flatnonzero(names == name) for name in np.unique(names)}

    def as_dataframe(self) -> pd.DataFrame:
        """Return a copy of the table, contexts last.

        Returns
        -------
        pandas.DataFrame
            One row per observation; the variables in the order of the graph, then all other columns.
        """
        others = [name for name in self.frame.columns if name not in self.graph.nodes]
        seen = [name for name in self.graph.nodes if name in self.frame.columns]
        return self.frame[[*seen, *others]].copy()

    def as_numpy(self) -> NDArray[np.float64]:
        """Return the variables as numbers, without contexts.

        Returns
        -------
        numpy.ndarray of float, shape (n, d)
            Columns in the order of the graph's nodes.

        Raises
        ------
        DataError
            If a variable was not measured, or holds labels.
        """
        absent = [name for name in self.graph.nodes if name not in self.frame.columns]
        if absent:
            raise DataError(
                f"{absent[0]!r} is in the graph and not in the table; take as_dataframe(), or project the graph on what was measured"
            )
        labels = [name for name in self.graph.nodes if self.frame[name].dtype.kind not in "iufb"]
        if labels:
            raise DataError(f"{labels[0]!r} holds labels; take as_dataframe()")
        return np.asarray(self.frame[list(self.graph.nodes)].to_numpy(dtype=float))
