"""The classes that a graph stands for: members that cannot be told apart by data, and graphs over fewer nodes.

Methods of :class:`causalkit.CausalGraph`; the algorithms are in the modules `_classes`, `_members`, `_projection` and `_pag`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from causalkit._random import Seed, as_generator
from causalkit.exceptions import GraphError, GraphKindError, NotExtendableError
from causalkit.graph import _classes, _meek, _pag, _projection
from causalkit.graph._bits import mask_of, masks_to_rows, members
from causalkit.graph._core import as_names
from causalkit.graph._exchange import GraphExchange
from causalkit.graph._knowledge import BackgroundKnowledge, apply_knowledge, check_knowledge
from causalkit.graph._marks import GraphKind, as_kind
from causalkit.graph._members import MemberCounter, enumerate_members
from causalkit.graph._pattern import Pattern

_PATTERNS = (GraphKind.DAG, GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.PDAG)
_ONE_CLASS = (GraphKind.DAG, GraphKind.CPDAG, GraphKind.MPDAG)


class GraphClasses(GraphExchange):
    """A graph that can be turned into its equivalence class, into members of it, and into graphs over fewer nodes."""

    def _require(self, allowed: Iterable[GraphKind], what: str) -> None:
        kinds = tuple(allowed)
        if self.kind not in kinds:
            msg = f"{what} needs a graph of kind {' or '.join(kinds)}; this one is a {self.kind}"
            raise GraphKindError(msg)

    def _with_pattern(self, kind: GraphKind, pattern: Pattern) -> Self:
        return type(self)(kind, self.nodes, pattern.marks(), node_data=self.node_data, meta=self.meta)

    def to_cpdag(self) -> Self:
        """Return the completed graph of the Markov equivalence class of a DAG.

        Returns
        -------
        CausalGraph
            A CPDAG: an arrow stands where all members of the class agree. Edge data are not carried over.

        Raises
        ------
        GraphKindError
            If this graph is neither a DAG nor a CPDAG.

        References
        ----------
        C. Meek, "Causal inference and causal explanation with background knowledge", UAI 1995.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A -> B; B -> C; D -> C").to_cpdag())
        A --- B; B -> C; D -> C
        """
        self._require([GraphKind.DAG, GraphKind.CPDAG], "to_cpdag")
        if self.kind is GraphKind.CPDAG:
            return self
        return self._with_pattern(GraphKind.CPDAG, _classes.completed(self._parent_masks))

    def to_mpdag(self, knowledge: BackgroundKnowledge | None = None) -> Self:
        """Return the maximally oriented graph that follows from this one and background knowledge.

        Parameters
        ----------
        knowledge : BackgroundKnowledge, optional
            Statements about directions. Names that are not nodes of the graph are an error.

        Returns
        -------
        CausalGraph
            An MPDAG: all arrows implied by the class and the knowledge.

        Raises
        ------
        KnowledgeError
            If no member of the class agrees with all statements; ``error.conflict`` is a minimal conflicting subset.
        GraphKindError
            If this graph is not a DAG, CPDAG, MPDAG or PDAG, or is a PDAG of which a search left open whether some node is a collider
            (``meta["ambiguous_triples"]``) and the knowledge does not settle it: there is no one class that arrows could follow from.

        References
        ----------
        E. Perković, M. Kalisch, M. Maathuis, "Interpreting and using CPDAGs with background knowledge", UAI 2017,
        section 2 and algorithm 1.

        Examples
        --------
        >>> from causalkit import BackgroundKnowledge, CausalGraph
        >>> g = CausalGraph.parse("A --- B; B --- C", kind="CPDAG")
        >>> print(g.to_mpdag(BackgroundKnowledge(required=[("A", "B")])))
        A -> B; B -> C
        """
        self._require(_PATTERNS, "to_mpdag")
        pattern = self._pattern()
        stated = BackgroundKnowledge() if knowledge is None else check_knowledge(knowledge)
        for name in stated.names():
            self.index(name)
        apply_knowledge(pattern, self.nodes, stated)
        if still_open := self._open_triple(pattern):
            raise GraphKindError(still_open)
        return self._with_pattern(GraphKind.MPDAG, pattern)

    def with_kind(self, kind: GraphKind | str) -> Self:
        """Return the same marks read as another kind; raises if they break a rule of that kind.

        Parameters
        ----------
        kind : GraphKind or str
            The new kind.

        Returns
        -------
        CausalGraph
            The new graph.

        Raises
        ------
        GraphKindError
            If the marks break a rule of that kind, or an equivalence class is asked for where a search left open whether some node is a collider.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").with_kind("MPDAG").kind.value
        'MPDAG'
        """
        target = as_kind(kind)
        as_class = target in (GraphKind.CPDAG, GraphKind.MPDAG) and self.kind in _PATTERNS
        if as_class and (still_open := self._open_triple()):
            raise GraphKindError(still_open)
        return self._read_as(target)

    def _open_triple(self, pattern: Pattern | None = None) -> str:
        """Say of which triple it is open whether it is a collider; nothing if of none."""
        for triple in (pattern or self._pattern()).unresolved():
            first, middle, last = (self.nodes[v] for v in triple)
            return (
                f"it is open whether {middle!r} is an effect of both {first!r} and {last!r}, so that this graph is no equivalence class; "
                f"knowledge of the arrow between {middle!r} and one of them would settle it"
            )
        return ""

    def _pattern(self) -> Pattern:
        """Return the arrows and undirected edges, with the triples of which a search left open whether they are colliders."""
        pattern = Pattern.from_marks(self.marks)
        for *triple, _ in self.meta.get("ambiguous_triples", ()):
            if set(triple) <= set(self.nodes):
                i, k, j = (self.index(name) for name in triple)
                pattern.ambiguous.add((min(i, j), k, max(i, j)))
        return pattern

    def to_dag(self) -> Self:
        """Return one DAG of the class: same skeleton, same arrows, no new unshielded collider, an ambiguous triple being none.

        Returns
        -------
        CausalGraph
            A consistent extension; the same one for the same graph.

        Raises
        ------
        NotExtendableError
            If there is none.
        GraphKindError
            If this graph is not a DAG, CPDAG, MPDAG or PDAG.

        References
        ----------
        D. Dor, M. Tarsi, "A simple algorithm to construct a consistent extension of a partially oriented graph",
        technical report R-185, UCLA, 1992.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A --- B; B --- C", kind="CPDAG").to_dag().unshielded_colliders()
        ()
        """
        self._require(_PATTERNS, "to_dag")
        pattern = Pattern.from_marks(self.marks)
        for c in self._exogenous:
            for v in members(pattern.undirected[c]):
                pattern.orient(c, v)
        _meek.close(pattern)
        parents = _classes.extension(pattern)
        if parents is None:
            raise NotExtendableError(
                "no directed acyclic graph has these edges and exactly these unshielded colliders"
            )
        return self._with_pattern(GraphKind.DAG, Pattern(parents, [0] * self.n_nodes))

    # -- members of a class --------------------------------------------------------------------------------------------

    def class_members(self) -> Iterator[Self]:
        """Yield the DAGs of the class, one after the other.

        Returns
        -------
        iterator of CausalGraph
            Every DAG with these edges, these arrows and these unshielded colliders, each once. A DAG stands for its Markov
            equivalence class. The time between two members is polynomial, and none is kept.

        Raises
        ------
        GraphKindError
            If this graph is not a DAG, CPDAG or MPDAG.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> for g in CausalGraph.parse("A --- B; B --- C", kind="CPDAG").class_members():
        ...     print(g.topological_order())
        ('A', 'B', 'C')
        ('B', 'A', 'C')
        ('C', 'B', 'A')
        """
        found = enumerate_members(self._class_pattern("class_members"))
        return (self._dag(parents) for parents in found)

    def class_size(self) -> int:
        """Return the number of DAGs of the class, without listing them.

        Returns
        -------
        int
            The exact number, however large. A DAG stands for its Markov equivalence class.

        Raises
        ------
        GraphKindError
            If this graph is not a DAG, CPDAG or MPDAG.
        GraphError
            If an MPDAG has so many arrows inside undirected components that more than 20 000 steps would be needed.

        Notes
        -----
        Polynomial for a CPDAG, and for an MPDAG whose undirected components have no arrows inside.

        References
        ----------
        M. Wienöbst, M. Bannach, M. Liśkiewicz, "Polynomial-time algorithms for counting and sampling Markov equivalent
        DAGs", AAAI 2021.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A --- B; B --- C; A --- C", kind="CPDAG").class_size()
        6
        """
        return MemberCounter().count(self._class_pattern("class_size"))

    def sample_member(self, rng: Seed = None) -> Self:
        """Draw a DAG of the class, each with the same probability.

        Parameters
        ----------
        rng : int, numpy.random.Generator or None, default=None
            Seed or generator.

        Returns
        -------
        CausalGraph
            A DAG. A DAG as input stands for its Markov equivalence class.

        Raises
        ------
        GraphKindError
            If this graph is not a DAG, CPDAG or MPDAG.
        GraphError
            As for `class_size`.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A --- B; B --- C", kind="CPDAG").sample_member(rng=0).kind)
        DAG
        """
        return self._dag(MemberCounter().draw(self._class_pattern("sample_member"), as_generator(rng)))

    def _class_pattern(self, what: str) -> Pattern:
        self._require(_ONE_CLASS, what)
        return Pattern.from_marks(self.to_cpdag().marks if self.kind is GraphKind.DAG else self.marks)

    def _dag(self, parents: list[int]) -> Self:
        return self._with_pattern(GraphKind.DAG, Pattern(parents, [0] * self.n_nodes))

    # -- hidden and selected nodes -------------------------------------------------------------------------------------

    def to_admg(self, latent: str | Iterable[str] | None = None) -> Self:
        """Return the latent projection: the graph over the observed nodes, where hidden common causes become ``<->``.

        Parameters
        ----------
        latent : str or iterable of str, optional
            The hidden nodes; by default those whose role is ``"latent"``.

        Returns
        -------
        CausalGraph
            An ADMG over the other nodes, with the same separations among them and the same effects of interventions on them.

        Raises
        ------
        GraphKindError
            If this graph is not a DAG or ADMG.

        References
        ----------
        T. Verma, J. Pearl, "Equivalence and synthesis of causal models", UAI 1990. T. Richardson, "Markov properties for acyclic
        directed mixed graphs", Scandinavian Journal of Statistics 30, 2003.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("U -> A; U -> B; A -> B").to_admg("U"))
        A -> B; A <-> B
        """
        self._require([GraphKind.DAG, GraphKind.ADMG], "to_admg")
        hidden = self._with_role("latent", latent)
        parents, spouses = _projection.project(self._parent_masks, self._spouse_masks, hidden)
        keep = [k for k in range(self.n_nodes) if not hidden >> k & 1]
        at = np.ix_(keep, keep)
        marks = Pattern(parents, [0] * self.n_nodes).marks()[at]
        plane = masks_to_rows(spouses, self.n_nodes)[at]
        return self._over(GraphKind.ADMG, keep, marks, plane)

    def to_mag(
        self, latent: str | Iterable[str] | None = None, selection: str | Iterable[str] | None = None
    ) -> Self:
        """Return a maximal ancestral graph over the observed nodes.

        Parameters
        ----------
        latent : str or iterable of str, optional
            The hidden nodes; by default those whose role is ``"latent"``.
        selection : str or iterable of str, optional
            The nodes on whose values the sample was selected; by default those whose role is ``"selection"``.

        Returns
        -------
        CausalGraph
            The MAG of a DAG or ADMG: two nodes are adjacent where no set of observed nodes separates them, with a tail at a node
            that causes the other or a selected one. For a PAG one member of its class, the same one for the same graph.

        Raises
        ------
        GraphKindError
            If this graph is of another kind than DAG, ADMG, MAG, PAG and UG.
        NotExtendableError
            If a PAG has no member.

        References
        ----------
        T. Richardson, P. Spirtes, "Ancestral graph Markov models", Annals of Statistics 30, 2002, section 4.2. J. Zhang, "Causal
        inference and reasoning in causally insufficient systems", dissertation, Carnegie Mellon University, 2006.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("U -> A; U -> B; A -> C; B -> C").to_mag("U"))
        A <-> B; A -> C; B -> C
        """
        if self.kind is GraphKind.PAG:
            return self._over(GraphKind.MAG, range(self.n_nodes), _pag.member(self.marks))
        if self.kind in (GraphKind.MAG, GraphKind.UG):
            return self if self.kind is GraphKind.MAG else self.with_kind(GraphKind.MAG)
        self._require([GraphKind.DAG, GraphKind.ADMG], "to_mag")
        hidden, selected = self._with_role("latent", latent), self._with_role("selection", selection)
        keep, marks = _projection.ancestral(self._parent_masks, self._spouse_masks, hidden, selected)
        return self._over(GraphKind.MAG, keep, marks)

    def to_pag(
        self, latent: str | Iterable[str] | None = None, selection: str | Iterable[str] | None = None
    ) -> Self:
        """Return the partial ancestral graph of the class, which is what FCI finds if every test is right.

        Parameters
        ----------
        latent, selection : str or iterable of str, optional
            As for `to_mag`.

        Returns
        -------
        CausalGraph
            A PAG: a mark stands where all maximal ancestral graphs of the Markov equivalence class share it, a circle elsewhere.

        Raises
        ------
        GraphKindError
            If this graph is of another kind than DAG, ADMG, MAG, PAG and UG.

        References
        ----------
        J. Zhang, "On the completeness of orientation rules for causal discovery in the presence of latent confounders and
        selection bias", Artificial Intelligence 172, 2008.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A -> C; B -> C; C -> D").to_pag())
        A o-> C; B o-> C; C -> D
        """
        if self.kind is GraphKind.PAG:
            return self
        mag = self.to_mag(latent, selection)
        return mag._over(GraphKind.PAG, range(mag.n_nodes), _pag.completed(mag.marks))

    def is_markov_equivalent(self, other: Self) -> bool:
        """Whether two graphs over the same nodes have the same separations.

        Parameters
        ----------
        other : CausalGraph
            A graph of any kind but UNKNOWN; the order of its nodes does not matter.

        Returns
        -------
        bool
            True if every separation of one graph holds in the other. An ADMG may imply more than separations.

        Raises
        ------
        GraphError
            If the nodes differ.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> chain, fork = CausalGraph.parse("A -> B; B -> C"), CausalGraph.parse("A <- B; B -> C")
        >>> chain.is_markov_equivalent(fork), chain.is_markov_equivalent(fork.orient("A", "B").orient("C", "B"))
        (True, False)
        """
        if set(self.nodes) != set(other.nodes):
            msg = f"the graphs have different nodes: {sorted(set(self.nodes) ^ set(other.nodes))[:5]} are in one of them only"
            raise GraphError(msg)
        mine, theirs = self._class_graph(), other.reorder(self.nodes)._class_graph()
        if mine.kind is not theirs.kind:
            mine, theirs = (g.to_dag().to_pag() if g.kind is GraphKind.CPDAG else g for g in (mine, theirs))
        return np.array_equal(mine.marks, theirs.marks)

    def _class_graph(self) -> Self:
        """Return the CPDAG or PAG that stands for all graphs with the same separations."""
        if self.kind in _PATTERNS:
            return self.to_dag().to_cpdag()
        return self.to_pag(latent=(), selection=())

    def _with_role(self, role: str, nodes: str | Iterable[str] | None) -> int:
        """Return the nodes named, or those with a role, as a mask."""
        if nodes is None:
            return self._having_role(role)
        return mask_of(self.index(name) for name in as_names(nodes))

    def _over(self, kind: GraphKind, keep: Iterable[int], marks: Any, plane: Any = None) -> Self:
        """Return a graph over some of the nodes, with what is known about them."""
        names = self._names(keep)
        data = {name: self.node_data[name] for name in names if name in self.node_data}
        return type(self)(kind, names, marks, bidirected=plane, node_data=data, meta=self.meta)
