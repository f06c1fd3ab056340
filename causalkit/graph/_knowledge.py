"""What is known before looking at data: edges that must or must not be there, and the order of tiers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, permutations
from typing import Any, Literal, NamedTuple, Self, TypeAlias

from causalkit.exceptions import CausalKitError, KnowledgeError, NotExtendableError, ParameterError
from causalkit.graph import _classes, _meek
from causalkit.graph._bits import find_cycle, members
from causalkit.graph._pattern import Pattern

__all__ = ["BackgroundKnowledge"]

Pairs: TypeAlias = tuple[tuple[str, str], ...]


class Statement(NamedTuple):
    """One piece of knowledge: an arrow that must be there, or one that must not."""

    what: Literal["required", "forbidden"]
    tail: str
    head: str

    def __str__(self) -> str:
        return f"{self.what} {self.tail} -> {self.head}"


@dataclass(frozen=True)
class BackgroundKnowledge:
    """Edges that must or must not be there, and tiers of time.

    Parameters
    ----------
    required : iterable of (str, str), default=()
        Arrows ``tail -> head`` that are in the graph.
    forbidden : iterable of (str, str), default=()
        Arrows that are not in the graph. A pair forbidden both ways has no edge.
    tiers : iterable of iterable of str, default=()
        Groups of nodes in order: no arrow leads from a later tier into an earlier one. Nodes in no tier are free.

    Raises
    ------
    KnowledgeError
        If statements contradict one another: an arrow required and forbidden, a cycle of required arrows, a required
        arrow against the tiers. The error's ``conflict`` is a minimal set of statements that cannot hold together.

    Examples
    --------
    >>> from causalkit import BackgroundKnowledge
    >>> knowledge = BackgroundKnowledge(required=[("age", "income")], tiers=[["age"], ["income", "health"]])
    >>> knowledge.is_forbidden("income", "age"), knowledge.is_forbidden("income", "health")
    (True, False)
    """

    required: Iterable[tuple[str, str]] = ()
    forbidden: Iterable[tuple[str, str]] = ()
    tiers: Iterable[Iterable[str]] = ()
    _tier_of: dict[str, int] = field(init=False, repr=False, compare=False, default_factory=dict)
    _forbidden: frozenset[tuple[str, str]] = field(init=False, repr=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "required", _pairs("required", self.required))
        object.__setattr__(self, "forbidden", _pairs("forbidden", self.forbidden))
        object.__setattr__(
            self, "tiers", tuple(tier if isinstance(tier, str) else tuple(tier) for tier in self.tiers)
        )
        object.__setattr__(self, "_forbidden", frozenset(self.forbidden))
        self._tier_of.update(_tier_positions(self.tiers))
        self._check_consistent()

    @classmethod
    def from_causal_learn(cls, knowledge: Any, nodes: Iterable[str]) -> Self:
        """Read the background knowledge of causal-learn for some nodes.

        Parameters
        ----------
        knowledge : causallearn.utils.PCUtils.BackgroundKnowledge.BackgroundKnowledge
            Rules about nodes and about patterns of names, and tiers.
        nodes : iterable of str
            The names that patterns are held against, such as the columns of the data.

        Returns
        -------
        BackgroundKnowledge
            The same statements about these nodes. Arrows within a tier that forbids them are forbidden one by one.

        Raises
        ------
        KnowledgeError
            If it is no knowledge of causal-learn, or its statements contradict one another.

        Examples
        --------
        >>> from causallearn.graph.GraphNode import GraphNode
        >>> from causallearn.utils.PCUtils.BackgroundKnowledge import BackgroundKnowledge as Theirs
        >>> from causalkit import BackgroundKnowledge
        >>> theirs = Theirs().add_required_by_node(GraphNode("A"), GraphNode("B"))
        >>> BackgroundKnowledge.from_causal_learn(theirs, ["A", "B", "C"]).required
        (('A', 'B'),)
        """
        if not hasattr(knowledge, "required_rules_specs") or not hasattr(knowledge, "tier_map"):
            raise KnowledgeError(
                f"knowledge must be a BackgroundKnowledge of causal-learn; got {type(knowledge).__name__}"
            )
        names = list(nodes)
        found: dict[str, list[tuple[str, str]]] = {}
        for what in ("required", "forbidden"):
            by_name = getattr(knowledge, f"{what}_rules_specs")
            found[what] = sorted((u.get_name(), v.get_name()) for u, v in by_name)
            for tails, heads in sorted(getattr(knowledge, f"{what}_pattern_rules_specs")):
                found[what] += [
                    (u, v)
                    for u in names
                    for v in names
                    if u != v and re.match(tails, u) and re.match(heads, v)
                ]
        tiers = {t: sorted(n.get_name() for n in tier) for t, tier in sorted(knowledge.tier_map.items())}
        for tier in sorted(getattr(knowledge, "forbidden_within_tiers", ())):
            found["forbidden"] += list(permutations(tiers.get(tier, ()), 2))
        known = [dict.fromkeys(pair for pair in found[what] if set(pair) <= set(names)) for what in found]
        inside = [[name for name in tier if name in set(names)] for tier in tiers.values()]
        return cls(required=known[0], forbidden=known[1], tiers=[tier for tier in inside if tier])

    def is_required(self, tail: str, head: str) -> bool:
        """Whether ``tail -> head`` must be in the graph.

        Parameters
        ----------
        tail, head : str
            Two names.

        Returns
        -------
        bool
            True if it was required.

        Examples
        --------
        >>> from causalkit import BackgroundKnowledge
        >>> knowledge = BackgroundKnowledge(required=[("A", "B")], tiers=[["A"], ["B", "C"]])
        >>> knowledge.is_required("A", "B")
        True
        """
        return (tail, head) in self.required

    def is_forbidden(self, tail: str, head: str) -> bool:
        """Whether ``tail -> head`` must not be in the graph, by name or by the tiers.

        Parameters
        ----------
        tail, head : str
            Two names.

        Returns
        -------
        bool
            True if it was forbidden or goes back in time.

        Examples
        --------
        >>> from causalkit import BackgroundKnowledge
        >>> knowledge = BackgroundKnowledge(required=[("A", "B")], tiers=[["A"], ["B", "C"]])
        >>> knowledge.is_forbidden("C", "A")
        True
        """
        earlier, later = self._tier_of.get(head), self._tier_of.get(tail)
        against_tiers = earlier is not None and later is not None and earlier < later
        return against_tiers or (tail, head) in self._forbidden

    def excludes_edge(self, u: str, v: str) -> bool:
        """Whether no edge at all may join two nodes.

        Parameters
        ----------
        u, v : str
            Two names.

        Returns
        -------
        bool
            True if both directions are forbidden.

        Examples
        --------
        >>> from causalkit import BackgroundKnowledge
        >>> knowledge = BackgroundKnowledge(required=[("A", "B")], tiers=[["A"], ["B", "C"]])
        >>> knowledge.excludes_edge("A", "C")
        False
        """
        return self.is_forbidden(u, v) and self.is_forbidden(v, u)

    def names(self) -> tuple[str, ...]:
        """Return every node that the knowledge mentions, each once.

        Returns
        -------
        tuple of str
            Names in order of first mention.

        Examples
        --------
        >>> from causalkit import BackgroundKnowledge
        >>> knowledge = BackgroundKnowledge(required=[("A", "B")], tiers=[["A"], ["B", "C"]])
        >>> knowledge.names()
        ('A', 'B', 'C')
        """
        pairs = [name for pair in (*self.required, *self.forbidden) for name in pair]
        return tuple(dict.fromkeys([*pairs, *(name for tier in self.tiers for name in tier)]))

    def _check_consistent(self) -> None:
        for tail, head in self.required:
            if self.is_forbidden(tail, head):
                other = (
                    f"forbidden {tail} -> {head}"
                    if (tail, head) in self._forbidden
                    else f"tiers put {head} before {tail}"
                )
                conflict = (f"required {tail} -> {head}", other)
                raise KnowledgeError(f"the knowledge contradicts itself: {' and '.join(conflict)}", conflict)
        names = self.names()
        at = {name: k for k, name in enumerate(names)}
        children = [0] * len(names)
        for tail, head in self.required:
            children[at[tail]] |= 1 << at[head]
        cycle = find_cycle(children)
        if cycle is not None:
            ring = [names[k] for k in (*cycle, cycle[0])]
            circle = tuple(f"required {tail} -> {head}" for tail, head in pairwise(ring))
            raise KnowledgeError(f"required arrows form a cycle: {' and '.join(circle)}", circle)


def _pairs(what: str, pairs: Iterable[Any]) -> Pairs:
    frozen: list[Any] = [tuple(pair) if isinstance(pair, list | tuple) else pair for pair in pairs]
    for pair in frozen:
        if (
            not isinstance(pair, tuple)
            or len(pair) != 2
            or not all(isinstance(name, str) for name in pair)
            or pair[0] == pair[1]
        ):
            msg = f"{what} holds {pair!r}; each entry is a pair (tail, head) of two different node names"
            raise ParameterError(msg)
    return tuple(dict.fromkeys(frozen))


def _tier_positions(tiers: Iterable[Iterable[str]]) -> dict[str, int]:
    positions: dict[str, int] = {}
    for k, tier in enumerate(tiers):
        if isinstance(tier, str):
            msg = f"tier {k} is the text {tier!r}; each tier is a list of names"
            raise ParameterError(msg)
        for name in tier:
            if name in positions:
                msg = f"{name!r} is in tier {positions[name]} and in tier {k}; a node has one tier at most"
                raise ParameterError(msg)
            positions[name] = k
    return positions


def apply_knowledge(
    pattern: Pattern, nodes: Sequence[str], knowledge: BackgroundKnowledge
) -> list[tuple[int, int]]:
    """Orient a pattern by knowledge and close it under Meek's rules; return the arrows put by knowledge itself.

    Raises `KnowledgeError` with a minimal conflicting subset if no graph of the class agrees with all statements.
    """
    statements = list(_relevant(pattern, nodes, knowledge))
    arrows = _try(pattern, nodes, statements)
    if arrows is None and not statements:
        raise NotExtendableError(
            "no directed acyclic graph has these edges and exactly these unshielded colliders"
        )
    if arrows is None:
        conflict = tuple(str(s) for s in _minimal_conflict(pattern, nodes, statements))
        raise KnowledgeError(f"no graph of this class agrees with all of: {'; '.join(conflict)}", conflict)
    return arrows


def _relevant(pattern: Pattern, nodes: Sequence[str], knowledge: BackgroundKnowledge) -> Iterator[Statement]:
    """Yield the statements about a pattern: required arrows, and forbidden ones between adjacent nodes."""
    known = set(nodes)
    yield from (Statement("required", *pair) for pair in knowledge.required if known.issuperset(pair))
    for i, tail in enumerate(nodes):
        for j in members(pattern.adjacent[i]):
            if knowledge.is_forbidden(tail, nodes[j]):
                yield Statement("forbidden", tail, nodes[j])


def _try(
    pattern: Pattern, nodes: Sequence[str], statements: Sequence[Statement]
) -> list[tuple[int, int]] | None:
    """Apply statements in place; return None, with the pattern unchanged, if they cannot all hold."""
    trial = pattern.copy()
    at = {name: k for k, name in enumerate(nodes)}
    arrows = []
    for what, tail, head in statements:
        i, j = (at[tail], at[head]) if what == "required" else (at[head], at[tail])
        if not trial.is_adjacent(i, j):
            if what == "required":
                return None
            continue
        if trial.is_directed(j, i):
            return None
        if trial.is_undirected(i, j):
            trial.orient(i, j)
            arrows.append((i, j))
    try:
        _meek.close(trial)
    except NotExtendableError:
        return None
    if _classes.new_colliders(pattern, trial.parents) or _classes.extension(trial) is None:
        return None
    _replace(pattern, trial)
    return arrows


def _replace(pattern: Pattern, other: Pattern) -> None:
    pattern.parents, pattern.children = other.parents, other.children
    pattern.undirected, pattern.adjacent = other.undirected, other.adjacent
    pattern.ambiguous = other.ambiguous


def _minimal_conflict(pattern: Pattern, nodes: Sequence[str], statements: list[Statement]) -> list[Statement]:
    """Drop statements one by one as long as the rest still conflicts."""
    core = list(statements)
    for statement in statements:
        rest = [s for s in core if s != statement]
        if _try(pattern.copy(), nodes, rest) is None:
            core = rest
    return core


def check_knowledge(knowledge: Any, error: type[CausalKitError] = KnowledgeError) -> BackgroundKnowledge:
    """Return knowledge; that of another library is refused with the call that reads it."""
    if isinstance(knowledge, BackgroundKnowledge):
        return knowledge
    theirs = type(knowledge).__module__.partition(".")[0] == "causallearn"
    hint = ": BackgroundKnowledge.from_causal_learn(knowledge, names) reads it" if theirs else ""
    raise error(f"knowledge must be a BackgroundKnowledge; got {type(knowledge).__name__}{hint}")
