"""Graphs over time: the marks by lag, and steps written out.

A stationary graph says which edges lead into the present, and that they repeat at every step; its edges among earlier steps are left out. Separation
is a matter of all paths, also of those through the past, and so is asked of a graph in which steps are written out (`unroll`).

What lies before the first step written out is hidden. Two nodes have a common cause there if, going back from both along hidden nodes, one arrives at
the same node. The past has no beginning, but only finitely many pairs of variables at a difference of times, so that the search ends: it always
goes back from the later of the two, which cannot be an ancestor of the earlier one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import GraphError, ParameterError
from causalkit.graph._graph_classes import GraphClasses
from causalkit.graph._marks import GraphKind, Mark

# A variable at so many steps before the present.
At: TypeAlias = tuple[str, int]
Causes: TypeAlias = Mapping[str, Sequence[At]]


class GraphLags(GraphClasses):
    """A graph whose nodes may stand for variables at earlier steps."""

    @property
    def max_lag(self) -> int:
        """The largest number of steps that a node lies before the present; 0 for graphs without time."""
        return max((-self._at(node)[1] for node in self.nodes), default=0)

    def to_lagged_marks(self) -> NDArray[np.uint8]:
        """Return the marks of the edges into the present, by variable and lag.

        Returns
        -------
        numpy.ndarray of uint8, shape (d, d, max_lag + 1)
            Entry ``[i, j, k]`` is the mark at variable j, in the present, of its edge with variable i at k steps before. Variables are the nodes of lag 0, in
            order.

        Raises
        ------
        GraphError
            If a variable has no node at lag 0.

        Examples
        --------
        >>> import numpy as np
        >>> from causalkit import CausalGraph, Mark
        >>> strings = np.full((2, 2, 2), "", dtype="<U3")
        >>> strings[0, 1, 1] = "-->"
        >>> marks = CausalGraph.from_tigramite(strings, ["rain", "river"]).to_lagged_marks()
        >>> marks.shape, Mark(marks[0, 1, 1]).name
        ((2, 2, 2), 'ARROW')
        """
        place = {name: k for k, name in enumerate(self._variables())}
        found = np.zeros((len(place), len(place), self.max_lag + 1), dtype=np.uint8)
        for i, node in enumerate(self.nodes):
            variable, lag = self._at(node)
            for j, other in enumerate(self.nodes):
                name, present = self._at(other)
                if present == 0:
                    found[place[variable], place[name], -lag] = self.marks[i, j]
        return found

    def unroll(self, steps: int) -> Self:
        """Write out the steps of a stationary graph, with what the past before them does.

        Parameters
        ----------
        steps : int
            Steps before the present; at least `max_lag`.

        Returns
        -------
        CausalGraph
            An ADMG over all variables at all steps, or a DAG if the past confounds nothing. Nodes are named ``X`` and ``X[-1]``, and carry ``lag`` and ``variable``. Two nodes of
            the first steps are joined by ↔ if they have a common cause before them.

        Raises
        ------
        GraphKindError
            If the graph is not a DAG.
        ParameterError
            If there are too few steps.

        Examples
        --------
        >>> import numpy as np
        >>> from causalkit import CausalGraph
        >>> strings = np.full((2, 2, 2), "", dtype="<U3")
        >>> strings[0, 1, 1] = strings[0, 0, 1] = "-->"
        >>> graph = CausalGraph.from_tigramite(strings, ["rain", "river"])
        >>> [str(edge) for edge in graph.unroll(1).edges]
        ['rain[-1] -> rain', 'rain[-1] -> river', 'rain[-1] <-> river[-1]']
        """
        self._require([GraphKind.DAG], "unroll")
        if steps != int(steps) or steps < self.max_lag:
            raise ParameterError(
                f"steps must be an integer of at least {self.max_lag}, the largest lag; got {steps!r}"
            )
        causes = self._causes()
        variables = self._variables()
        order = [(name, -k) for k in range(steps + 1) for name in variables]
        place = {at: k for k, at in enumerate(order)}
        marks = np.zeros((len(order), len(order)), dtype=np.uint8)
        before: dict[At, list[At]] = defaultdict(list)
        for at in order:
            for parent in _parents(causes, at):
                if parent in place:
                    marks[place[parent], place[at]], marks[place[at], place[parent]] = Mark.ARROW, Mark.TAIL
                else:
                    before[at].append(parent)
        plane = np.zeros(marks.shape, dtype=bool)
        rank = {name: k for k, name in enumerate(self._present_in_order())}
        for a, b in combinations(before, 2):
            if any(_have_common_cause(causes, rank, p, q) for p in before[a] for q in before[b]):
                plane[place[a], place[b]] = plane[place[b], place[a]] = True
        names = [name if lag == 0 else f"{name}[{lag}]" for name, lag in order]
        data = {n: {"lag": lag, "variable": v} for n, (v, lag) in zip(names, order, strict=True) if lag}
        kind = GraphKind.ADMG if plane.any() else GraphKind.DAG
        return type(self)(kind, names, marks, bidirected=plane if plane.any() else None, node_data=data)

    def _at(self, node: str) -> At:
        data = self.node_data.get(node, {})
        return str(data.get("variable", node)), int(data.get("lag", 0))

    def _variables(self) -> list[str]:
        present = [variable for variable, lag in map(self._at, self.nodes) if lag == 0]
        lost = [variable for variable, _ in map(self._at, self.nodes) if variable not in present]
        if lost:
            raise GraphError(f"the variable {lost[0]!r} has a node with a lag, and none at lag 0")
        return present

    def _causes(self) -> dict[str, list[At]]:
        """Return the direct causes of every variable in the present."""
        found: dict[str, list[At]] = {name: [] for name in self._variables()}
        for node in self.nodes:
            variable, lag = self._at(node)
            if lag == 0:
                found[variable] = [self._at(parent) for parent in self.parents(node)]
        return found

    def _present_in_order(self) -> list[str]:
        """Return the variables, causes at the same step first."""
        return [variable for variable, lag in map(self._at, self.topological_order()) if lag == 0]


def _parents(causes: Causes, at: At) -> list[At]:
    variable, lag = at
    return [(cause, lag + before) for cause, before in causes[variable]]


def _have_common_cause(causes: Causes, rank: Mapping[str, int], first: At, second: At) -> bool:
    """Whether two nodes are the same or have a common ancestor."""
    waiting, seen = [(first, second)], set()
    while waiting:
        one, other = waiting.pop()
        if one == other:
            return True
        if (one[1], rank[one[0]]) < (other[1], rank[other[0]]):
            one, other = other, one
        state = one[0], other[0], one[1] - other[1]
        if state not in seen:
            seen.add(state)
            waiting += [(parent, other) for parent in _parents(causes, one)]
    return False
