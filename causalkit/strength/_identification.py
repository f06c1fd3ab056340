"""Whether the effect of one node on another can be told from observed data, and from which.

`identify` answers with an adjustment set where there is one, else with a front-door set, and says why not where there is none; `check_adjustment` explains
a verdict about a given set; `adjustment_sets` lists them. Each query takes time linear in the size of the graph, and nothing here is
exponential: a list is made one by one, with polynomial time between two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from causalkit._validation import check_choice
from causalkit.exceptions import ParameterError
from causalkit.graph import CausalGraph, GraphLike, as_graph
from causalkit.graph._bits import mask_of, members
from causalkit.graph._core import as_names
from causalkit.graph._problem import Names, Problem, read_problem
from causalkit.graph._routes import KNOWN
from causalkit.strength._cuts import MoralGraph
from causalkit.strength._frontdoor import front_door
from causalkit.strength._general import Expression, general_estimand, nodes_of
from causalkit.strength._open_path import open_path
from causalkit.strength._strategies import STRATEGIES, cheapest, optimal

__all__ = ["AdjustmentCheck", "Identification", "adjustment_sets", "check_adjustment", "identify"]

Strategy = Literal["auto", "optimal", "minimal", "minimum", "parents", "canonical", "temporal"]
Kind = Literal["zero", "backdoor", "frontdoor", "id", "bounds", "none"]


@dataclass(frozen=True)
class AdjustmentCheck:
    """Whether a set is an adjustment set, and why or why not.

    Parameters
    ----------
    cause, effect, adjustment_set : tuple of str
        The question.
    valid : bool
        The verdict: all three of the following hold.
    amenable : bool
        Whether every possibly directed path from cause to effect begins with a visible arrow; if not, no set is valid.
    uncertain_edges : tuple of str
        First edges of such paths that are no visible arrows.
    forbidden : tuple of str
        Nodes that no adjustment set may have: the nodes on directed paths from cause to effect, and what could come after these.
    forbidden_used : tuple of str
        Those of them in the set.
    open_path : str or None
        A path that is not directed and that the set leaves open; in one member of the class where the graph stands for several.
    selection : str or None, default=None
        Why rows that were selected show another effect than all rows would; None if they do not, or if none were selected.
    """

    cause: tuple[str, ...]
    effect: tuple[str, ...]
    adjustment_set: tuple[str, ...]
    valid: bool
    amenable: bool
    uncertain_edges: tuple[str, ...]
    forbidden: tuple[str, ...]
    forbidden_used: tuple[str, ...]
    open_path: str | None
    selection: str | None = None

    def __bool__(self) -> bool:
        return self.valid

    def __str__(self) -> str:
        question = f"the effect of {_listed(self.cause)} on {_listed(self.effect)}"
        verdict = "is" if self.valid else "is not"
        lines = [f"{{{', '.join(self.adjustment_set)}}} {verdict} an adjustment set for {question}"]
        lines += [f"- {edge} leaves open whether it is causal" for edge in self.uncertain_edges]
        if self.forbidden_used:
            lines.append(
                f"- {_listed(self.forbidden_used)} may be affected by the cause on its way to the effect"
            )
        if self.open_path:
            lines.append(f"- open: {self.open_path}")
        if self.selection:
            lines.append(f"- {self.selection}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Identification:
    """How the effect of a cause can be told from observed data.

    Parameters
    ----------
    graph : CausalGraph
        The graph that was asked.
    cause, effect : tuple of str
        The question.
    kind : {"zero", "backdoor", "frontdoor", "id", "bounds", "none"}
        ``"zero"``: no possibly directed path, the effect is zero in every graph of the class. ``"backdoor"``: by adjustment.
        ``"frontdoor"``: by mediators. ``"id"``: by the general algorithm. ``"bounds"``: not at all, so that data only bound it. ``"none"``: the
        strategy found no set, or the members of the class differ. `reason` says why.
    adjustment_set : tuple of str or None
        Names in data order. The empty tuple is a set, with which the plain contrast is right; None means that there is none, that
        the strategy has none, or that none is needed because the effect is zero.
    mediators : tuple of str or None
        The front-door set.
    strategy : str
        What chose the set.
    reason : str
        In words.
    expression : object or None
        What the general algorithm found, for kind ``"id"``.

    Notes
    -----
    True in a condition if the effect is identified.
    """

    graph: CausalGraph = field(repr=False)
    cause: tuple[str, ...]
    effect: tuple[str, ...]
    kind: Kind
    adjustment_set: tuple[str, ...] | None
    mediators: tuple[str, ...] | None
    strategy: str
    reason: str
    expression: Expression | None = None

    def __bool__(self) -> bool:
        return self.kind not in ("bounds", "none")

    @cached_property
    def certificate(self) -> AdjustmentCheck:
        """What proves the adjustment set, or what speaks against the empty one if there is none."""
        return check_adjustment(self.graph, self.cause, self.effect, self.adjustment_set or ())

    @property
    def selected(self) -> tuple[str, ...]:
        """Nodes that the rows were selected on."""
        return tuple(self.graph.nodes[k] for k in members(self.graph._having_role("selection")))

    @property
    def columns(self) -> tuple[str, ...]:
        """Nodes that the estimate needs beside cause and effect."""
        if self.expression is not None:
            return tuple(n for n in nodes_of(self.expression) if n not in (*self.cause, *self.effect))
        return self.mediators or self.adjustment_set or ()

    @property
    def estimand(self) -> str:
        """The probability of the effect under an intervention, in terms of what is observed."""
        x, y = ", ".join(self.cause), ", ".join(self.effect)
        if self.kind in ("bounds", "none"):
            return f"P({y} | do({x})) is not identified"
        if self.kind == "id":
            return f"P({y} | do({x})) = {self.expression}"
        if self.kind == "frontdoor":
            m = ", ".join(self.mediators or ())
            return (
                f"P({y} | do({x})) = sum over {m} of P({m} | {x}) sum over {x}' of P({y} | {m}, {x}') P({x}')"
            )
        if self.kind == "zero":
            return f"P({y} | do({x})) = P({y})"
        rows = "".join(f", {name} selected" for name in self.selected)
        if not self.adjustment_set:
            return f"P({y} | do({x})) = P({y} | {x}{rows})"
        z = ", ".join(self.adjustment_set)
        share = f"P({z} |{rows[1:]})" if rows else f"P({z})"
        return f"P({y} | do({x})) = sum over {z} of P({y} | {x}, {z}{rows}) {share}"


def identify(
    graph: GraphLike,
    cause: Names,
    effect: Names,
    *,
    observed: Iterable[str] | None = None,
    forbid: Names = (),
    require: Names = (),
    strategy: Strategy = "auto",
    costs: Mapping[str, float] | None = None,
) -> Identification:
    """Say from which observed nodes the effect of a cause can be told.

    Parameters
    ----------
    graph : CausalGraph
        A DAG, ADMG, CPDAG, MPDAG, MAG or PAG. For a class the answer holds in every graph of it.
    cause, effect : str or iterable of str
        One node or several; with several causes, the effect of setting them all.
    observed : iterable of str, optional
        The nodes that data have; by default all whose role is not ``"latent"``.
    forbid, require : str or iterable of str, default=()
        Nodes that must not, and that must, be adjusted for.
    strategy : str, default="auto"
        ``"optimal"``
            The set of least asymptotic variance; where it is not observed, the minimal set nearest to the effect.
        ``"minimal"``
            A set of which no part is enough, nearest to the effect.
        ``"minimum"``
            A set of least total cost.
        ``"parents"``
            The parents of the cause.
        ``"canonical"``
            All allowed possible ancestors of cause and effect that are not forbidden.
        ``"temporal"``
            All that the cause cannot affect.
        ``"auto"``
            As optimal, then front-door, then the general algorithm, then bounds.

        A strategy whose set is not valid gives kind ``"none"``; only ``"auto"`` goes on to others.
    costs : mapping of str to float, optional
        For ``"minimum"``: positive costs of nodes; 1 for nodes that are not named.

    Returns
    -------
    Identification
        `kind`, `adjustment_set`, `estimand`, `reason` and `certificate`.

    Raises
    ------
    NodeNotFoundError
        If a name is not a node.
    GraphError
        If a node is both cause and effect, or one of them is not observed.
    GraphKindError
        If the graph is of another kind, or its undirected edges mean selection.
    ParameterError
        If a parameter has a value that is not allowed.

    Notes
    -----
    Adjustment is complete here: if any observed set is an adjustment set, one is found. So is ``"auto"`` for a DAG or ADMG: what it does not
    identify is not identified by any means. The general algorithm is polynomial in the graph; its expressions may not be short.

    References
    ----------
    E. Perković, J. Textor, M. Kalisch, M. Maathuis, "Complete graphical characterization and construction of adjustment sets in
    Markov equivalence classes of ancestral graphs", Journal of Machine Learning Research 18, 2018. E. Perković, M. Kalisch,
    M. Maathuis, "Interpreting and using CPDAGs with background knowledge", UAI 2017. L. Henckel, E. Perković, M. Maathuis,
    "Graphical criteria for efficient total effect estimation via adjustment in causal linear models", Journal of the Royal
    Statistical Society B 84, 2022. E. Smucler, F. Sapienza, A. Rotnitzky, "Efficient adjustment sets in causal graphical models
    with hidden variables", Biometrika 109, 2022. B. van der Zander, M. Liśkiewicz, J. Textor, "Separators and adjustment sets in
    causal graphs: complete criteria and an algorithmic framework", Artificial Intelligence 270, 2019. I. Shpitser, J. Pearl,
    "Identification of joint interventional distributions in recursive semi-Markovian causal models", AAAI 2006.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import identify
    >>> g = CausalGraph.parse("age -> drug; age -> health; drug -> health; income -> health")
    >>> found = identify(g, "drug", "health")
    >>> found.kind, found.adjustment_set
    ('backdoor', ('age', 'income'))
    >>> identify(g, "drug", "health", strategy="minimal").estimand
    'P(health | do(drug)) = sum over age of P(health | drug, age) P(age)'
    >>> identify(g, "health", "drug").kind
    'zero'
    """
    graph = as_graph(graph)
    check_choice("strategy", strategy, ("auto", "minimum", *STRATEGIES))
    problem = read_problem(graph, cause, effect, observed, forbid, require)
    if problem.is_zero:
        return _answer(problem, "zero", None, strategy, _why_zero(problem))
    if strategy == "minimum":
        found = cheapest(problem, _read_costs(graph, costs))
    else:
        found = (optimal if strategy == "auto" else STRATEGIES[strategy])(problem)
    if found is not None:
        return _answer(
            problem, "backdoor", found, strategy, "adjustment blocks every path that is not causal"
        )
    mediators = front_door(problem) if strategy == "auto" and not problem.asked else None
    if mediators is not None and problem.selection_spares(problem.causes | problem.effects | mediators):
        reason = "no set of observed nodes blocks every back-door path; the mediators take all of the effect"
        return _answer(problem, "frontdoor", None, strategy, reason, mediators)
    reason = _why_none(problem, strategy)
    if strategy != "auto" or problem.asked or graph.kind not in KNOWN:
        return _answer(problem, "none", None, strategy, reason)
    expression = general_estimand(problem)
    if problem.selected and not (expression and problem.selection_spares(_mask(graph, nodes_of(expression)))):
        # Neither the general algorithm nor the bounds hold where the rows were selected.
        return _answer(problem, "none", None, strategy, reason)
    kind: Kind = "bounds" if expression is None else "id"
    return replace(_answer(problem, kind, None, strategy, reason), expression=expression)


def _answer(
    problem: Problem, kind: Kind, found: int | None, strategy: str, reason: str, mediators: int | None = None
) -> Identification:
    return Identification(
        problem.graph,
        problem.names(problem.causes),
        problem.names(problem.effects),
        kind,
        None if found is None else problem.names(found & ~problem.selected),
        None if mediators is None else problem.names(mediators),
        strategy,
        reason,
    )


def _read_costs(graph: CausalGraph, costs: Mapping[str, float] | None) -> dict[int, float]:
    read = dict.fromkeys(range(graph.n_nodes), 1.0)
    given: Mapping[str, Any] = costs or {}
    for name, cost in given.items():
        if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 < cost < float("inf"):
            raise ParameterError(
                f"the cost of {name!r} is {cost!r}; costs are positive numbers (forbid= excludes a node)"
            )
        read[graph.index(name)] = float(cost)
    return read


def _mask(graph: CausalGraph, names: Iterable[str]) -> int:
    return mask_of(graph.index(name) for name in names)


def _why_zero(problem: Problem) -> str:
    reason = "no possibly directed path leads from cause to effect"
    if not problem.selected or problem.is_valid(0):
        return reason
    rows = f"the rows were selected on {_listed(problem.names(problem.selected))}"
    return f"{reason}; {rows}, so that the two may still be associated in them, and the mean of the effect is that of these rows"


def _why_none(problem: Problem, strategy: str) -> str:
    if problem.uncertain:
        edges = ", ".join(_edges(problem))
        return f"the graph leaves open whether {edges} is causal, so that members of its class differ in the effect"
    if problem.selection_path:
        return _selection_reason(problem)
    if problem.asked & problem.forbidden:
        return f"required nodes {_listed(problem.names(problem.asked & problem.forbidden))} may be affected by the cause"
    if problem.canonical is not None:
        return f"the set of strategy {strategy!r} is not valid here; another one exists"
    path = _open_path(problem, _largest_try(problem))
    others = (
        "" if strategy == "auto" else "; strategy='auto' tries a front-door set and the general algorithm too"
    )
    return f"no set of observed nodes is an adjustment set: with all that may help, {path} stays open{others}"


def _selection_reason(problem: Problem) -> str:
    """Say why what the rows were selected on leaves no set."""
    rows = f"the rows were selected on {_listed(problem.names(problem.selected))}"
    after = problem.selected & problem.forbidden
    if after:
        return f"{rows}, and {_listed(problem.names(after))} may be affected by the cause on its way to the effect, so that the selected rows show another effect"
    path = open_path(problem.backdoor, problem.selected, problem.effects, 0, problem.graph.nodes)
    return f"{rows}, and {path} is open, so that the effect has another distribution in them than in all rows, which no adjustment within them mends"


def _largest_try(problem: Problem) -> int:
    ancestors = problem.routes.possible_ancestors(problem.causes | problem.effects | problem.required)
    return ancestors & problem.usable | problem.required


def _open_path(problem: Problem, given: int) -> str | None:
    nodes = problem.graph.nodes
    return open_path(problem.backdoor, problem.causes, problem.effects, given | problem.selected, nodes)


def _edges(problem: Problem) -> tuple[str, ...]:
    graph = problem.graph
    names = [(graph.nodes[u], graph.nodes[v]) for u, v in problem.uncertain]
    return tuple(f"{u} {graph.edge_between(u, v)} {v}" for u, v in names)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def check_adjustment(graph: GraphLike, cause: Names, effect: Names, adjustment_set: Names) -> AdjustmentCheck:
    """Say whether a set is an adjustment set, with the reasons.

    Parameters
    ----------
    graph : CausalGraph
        A DAG, ADMG, CPDAG, MPDAG, MAG or PAG.
    cause, effect : str or iterable of str
        One node or several.
    adjustment_set : str or iterable of str
        The set; it may be empty.

    Returns
    -------
    AdjustmentCheck
        True in a condition if the set is valid; printed, it explains.

    Raises
    ------
    NodeNotFoundError, GraphError, GraphKindError
        As for `identify`.
    ParameterError
        If the set contains a cause or an effect.

    References
    ----------
    E. Perković, J. Textor, M. Kalisch, M. Maathuis, "Complete graphical characterization and construction of adjustment sets in
    Markov equivalence classes of ancestral graphs", Journal of Machine Learning Research 18, 2018.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import check_adjustment
    >>> g = CausalGraph.parse("age -> drug; age -> health; drug -> dose; dose -> health")
    >>> print(check_adjustment(g, "drug", "health", "dose"))
    {dose} is not an adjustment set for the effect of drug on health
    - dose may be affected by the cause on its way to the effect
    - open: drug <- age -> health
    """
    graph = as_graph(graph)
    problem = read_problem(graph, cause, effect, graph.nodes, (), ())
    given = _mask(graph, as_names(adjustment_set))
    if given & (problem.causes | problem.effects):
        wrong = _listed(problem.names(given & (problem.causes | problem.effects)))
        raise ParameterError(f"{wrong} is a cause or an effect and cannot be adjusted for")
    return AdjustmentCheck(
        problem.names(problem.causes),
        problem.names(problem.effects),
        problem.names(given),
        problem.is_valid(given),
        not problem.uncertain,
        _edges(problem),
        problem.names(problem.forbidden),
        problem.names(given & problem.forbidden),
        _open_path(problem, given),
        _selection_reason(problem) if problem.selection_path else None,
    )


def adjustment_sets(
    graph: GraphLike,
    cause: Names,
    effect: Names,
    *,
    observed: Iterable[str] | None = None,
    forbid: Names = (),
    require: Names = (),
    minimal_only: bool = True,
) -> Iterator[tuple[str, ...]]:
    """Yield the adjustment sets, each once.

    Parameters
    ----------
    graph : CausalGraph
        A DAG, ADMG, CPDAG, MPDAG, MAG or PAG.
    cause, effect : str or iterable of str
        One node or several.
    observed : iterable of str, optional
        The nodes that data have; by default all whose role is not ``"latent"``.
    forbid, require : str or iterable of str, default=()
        Nodes that must not, and that must, be in the set.
    minimal_only : bool, default=True
        Sets of which no part (with all of `require`) is an adjustment set; otherwise all sets, of which there can be
        exponentially many.

    Returns
    -------
    iterator of tuple of str
        Names in data order; nothing if there is none. The time between two is polynomial; take some with ``itertools.islice``.

    Raises
    ------
    NodeNotFoundError, GraphError, GraphKindError, ParameterError
        As for `identify`, at once.

    References
    ----------
    K. Takata, "Space-optimal, backtracking algorithms to list the minimal vertex separators of a graph", Discrete Applied
    Mathematics 158, 2010. B. van der Zander, M. Liśkiewicz, J. Textor, "Separators and adjustment sets in causal graphs: complete
    criteria and an algorithmic framework", Artificial Intelligence 270, 2019.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import adjustment_sets
    >>> g = CausalGraph.parse("a -> b; b -> x; a -> y; x -> y")
    >>> sorted(adjustment_sets(g, "x", "y"))
    [('a',), ('b',)]
    """
    graph = as_graph(graph)
    problem = read_problem(graph, cause, effect, observed, forbid, require)
    found = _minimal_sets(problem) if minimal_only else _all_sets(problem)
    return (problem.names(mask) for mask in found)


def _minimal_sets(problem: Problem) -> Iterator[int]:
    if problem.canonical is not None:
        for cut in MoralGraph(problem).minimal_separators():
            yield cut | problem.asked


def _all_sets(problem: Problem) -> Iterator[int]:
    """Decide node by node whether it is in the set, as long as some set remains possible."""
    if problem.is_hopeless:
        return
    waiting = [(problem.required, problem.usable)]
    while waiting:
        inside, allowed = waiting.pop()
        if problem.backdoor.minimal(problem.effects, problem.causes, inside, allowed) is None:
            continue
        free = allowed & ~inside
        if not free:
            yield inside & ~problem.selected
            continue
        node = free & -free
        waiting += [(inside | node, allowed), (inside, allowed & ~node)]
