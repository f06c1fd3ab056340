"""Build a graph with an expert: from names alone, or where data leave questions open."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations, islice
from pathlib import Path
from typing import Any

from causalkit._validation import check_choice, check_count, check_share, read_table
from causalkit.exceptions import GraphKindError, KnowledgeError, NotExtendableError, ParameterError
from causalkit.graph import CausalGraph, GraphKind, GraphLike, as_graph
from causalkit.llm_causal._claims import Claim, KnowledgeBase
from causalkit.llm_causal._evidence import CERTAIN, Evidence, with_claims, with_ensemble
from causalkit.llm_causal._fusion import Fusion, Policy, Settings
from causalkit.llm_causal._ledger import Budget, Meter
from causalkit.llm_causal._names import from_names
from causalkit.llm_causal._questions import Answer, Expert, Question, Usage
from causalkit.llm_causal._reliability import Reliability
from causalkit.llm_causal._result import BuildResult, in_one_line
from causalkit.llm_causal._strategies import STRATEGIES, Strategy, questions_for
from causalkit.llm_causal._transcript import Transcript
from causalkit.llm_causal._variables import Described, as_variables

__all__ = ["GraphBuilder"]

POLICIES: tuple[Policy, ...] = ("data_first", "bayes", "expert_first")
CALLS_WITHOUT_BUDGET = 500
RESAMPLES = 30


class GraphBuilder:
    """A session that builds a graph with an expert.

    With data, tests say which edges there are and as much of their directions as data can say; the expert is examined on edges whose direction is known, and then asked about those that are open, the most
    telling first. Without data the expert is asked for the whole graph several times, and then about the pairs on which its answers differ.

    Parameters
    ----------
    variables : iterable of str or Variable, or mapping of str to str
        Names, or names with descriptions. Only these leave the house: never a row of data.
    expert : Expert
        Who is asked.
    data : data frame, optional
        With a column for every variable.
    graph : CausalGraph, optional
        What data say, if you have searched yourself: a CPDAG or MPDAG over the variables, and others.
    discovery : estimator, optional
        A search such as `causalkit.discovery.PC` or `CDNOD`: a copy of it is fitted to `data`, or, without `data`, what it has found is used. By default PC with partial correlations, or
        contingency tables for labels, with ``colliders="max_p"`` and resampling. With resampling an arrow is as sure as it is frequent.
    ensemble : iterable of CausalGraph or estimator, default=()
        What other searches found in the same data, or other searches, of which copies are fitted to `data`. An arrow is then at most as sure as the share of all searches that have it: the exam asks
        about those on which they agree, and where data and answers are weighed an arrow that others do not have weighs less.
    context : str or list of str, optional
        Columns of the data that are contexts, for `CDNOD`; they need not be variables.
    policy : {"data_first", "bayes", "expert_first"}, default="data_first"
        Answers choose among the graphs that data cannot tell apart; or data and answers are weighed; or answers come first. Conflicts are listed in each case.
    strategy : {"graph", "children", "pairwise", "triplet"}, default="graph"
        Without data: what is asked first. Answers to "graph" that differ are followed by up to `max_questions` questions about the pairs on which they do.
    samples : int, optional
        Repetitions of each question, with other words and orders: by default 3 for "graph", otherwise 1. Repetitions that agree are counted as what they are worth, see `Reliability`.
    claims : iterable of Claim, default=()
        What is known already, such as verdicts of people; used before anything is asked. Those with a probability of .95 or more are taken as true: they choose among the graphs that the data
        leave, and under "expert_first" the search in the data is held to them, edges included. Others weigh the members of the class. They need data or a graph.
    reliability : Reliability, optional
        How far to believe the expert; by default what an exam on known directions shows. With it, no exam is held; to weigh data and answers ("bayes", "expert_first"), all arrows are asked about
        in any case.
    exam_questions : int, default=20
        Known directions that are asked about, twice each.
    confidence : float, default=0.8
        Edges that data leave open get an arrow if it has at least this probability.
    min_gain : float, default=0.05
        A question is not asked that promises less: bits, or the share of the target's variance.
    max_questions : int, optional
        By default three per open edge, or per variable where there are no data.
    target : callable, optional
        Takes a DAG and returns a number that you are after, such as an effect: then questions are asked that narrow it most, and no others. For "data_first" only.
    budget : Budget, optional
        What may be spent. A run of more than 500 calls needs one.
    transcript : str or pathlib.Path, optional
        File of JSON lines that answers are written to as they come, for `ReplayExpert`.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    result_ : BuildResult
        What the last run found.

    Raises
    ------
    ParameterError
        If a parameter is not allowed, or the data lack a variable.
    GraphKindError
        If the graph stands for no class of DAGs, when it is used.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.llm_causal import GraphBuilder, OracleExpert, Reliability
    >>> truth = CausalGraph.parse("season -> rain; rain -> wet; wet -> slippery")
    >>> session = GraphBuilder(truth.nodes, expert=OracleExpert(truth), graph=truth.to_cpdag(), reliability=Reliability(0.95, 0.03))
    >>> print(session.run().graph)
    season -> rain; rain -> wet; wet -> slippery
    >>> session.result_.ledger.total.calls
    2
    """

    def __init__(
        self,
        variables: Described,
        *,
        expert: Expert,
        data: Any = None,
        graph: GraphLike | None = None,
        discovery: Any = None,
        ensemble: Iterable[Any] = (),
        context: str | Sequence[str] | None = None,
        policy: Policy = "data_first",
        strategy: Strategy = "graph",
        samples: int | None = None,
        claims: Iterable[Claim] = (),
        reliability: Reliability | None = None,
        exam_questions: int = 20,
        confidence: float = 0.8,
        min_gain: float = 0.05,
        max_questions: int | None = None,
        target: Callable[[CausalGraph], float] | None = None,
        budget: Budget | None = None,
        transcript: str | Path | None = None,
        verbose: int = 0,
    ) -> None:
        check_choice("policy", policy, POLICIES)
        check_choice("strategy", strategy, STRATEGIES)
        check_share("confidence", confidence)
        for name, value in (("samples", samples), ("max_questions", max_questions)):
            if value is not None:
                check_count(name, value)
        if data is not None and graph is not None:
            raise ParameterError(
                "data and graph are both given; give the graph that you found, or the data to search in"
            )
        if not (hasattr(expert, "answer") and hasattr(expert, "estimate")):
            raise ParameterError(
                f"expert must have the methods answer and estimate, as ChatExpert has; got {expert!r}"
            )
        graph = None if graph is None else as_graph(graph)
        if target is not None and not callable(target):
            raise ParameterError(f"target must be a function of a graph; got {target!r}")
        if target is not None and (
            policy != "data_first" or (data is None and graph is None and discovery is None)
        ):
            raise ParameterError("a target needs data, or a graph, and policy='data_first'")
        if discovery is not None and graph is not None:
            raise ParameterError(
                "discovery and graph are both given; give the graph that was found, or how to search"
            )
        if discovery is not None and data is None and not hasattr(discovery, "graph_"):
            raise ParameterError("discovery is not fitted, and there are no data; give data=")
        if context is not None and data is None:
            raise ParameterError("context names columns of the data; give data=")
        check_share("min_gain", min_gain)
        self.variables = as_variables(variables)
        self.expert, self.strategy, self.budget, self.verbose = expert, strategy, budget or Budget(), verbose
        self.claims = KnowledgeBase(claims)
        if any(not isinstance(claim, Claim) for claim in self.claims):
            raise ParameterError(f"claims must hold objects of Claim; got {claims!r}")
        if len(self.claims) and data is None and graph is None and discovery is None:
            raise ParameterError("claims are applied to what data say; give data, or a graph")
        self._given_budget = budget is not None
        self._data, self._graph, self._discovery, self._context = data, graph, discovery, context
        self._ensemble = _checked_ensemble(ensemble, data)
        self._samples, self._transcript = samples, transcript
        self._evidence: Evidence | None = None
        self._settings = Settings(
            self.variables,
            policy,
            samples or 1,
            reliability,
            check_count("exam_questions", exam_questions, least=0),
            confidence,
            min_gain,
            max_questions,
            target,
        )

    # -- before spending -------------------------------------------------------------------------------------------------------

    def questions(self) -> list[Question]:
        """Return the questions that are sure to be asked, or may be.

        Returns
        -------
        list of Question
            With data: those of the exam, and one about each open edge. Without: those of the strategy.
        """
        evidence = self._with_data()
        if evidence is None:
            return questions_for(self.strategy, self.variables, self._repeats)
        fusion = Fusion(evidence, Meter(self.expert, self.budget), self._settings)
        return fusion.exam_questions() + fusion.open_questions()

    def estimate(self) -> Usage:
        """Say what a run would cost, without asking anything.

        Returns
        -------
        Usage
            Of `questions`, and without data of as many about disputed pairs as may follow. A run may ask less, as answers settle other questions; and more, if answers about open edges contradict one
            another: `budget` is the limit.
        """
        return self.expert.estimate([*self.questions(), *self._about_disputes()])

    def _about_disputes(self) -> list[Question]:
        """Return as many questions about pairs as may follow answers to whole graphs that differ; which pairs is not known before."""
        if self._with_data() is not None or self.strategy != "graph" or self._repeats < 2:
            return []
        pairs = combinations([v.name for v in self.variables], 2)
        asked = (Question("direct", pair, k, given=self.variables) for pair in pairs for k in range(2))
        return list(islice(asked, self._most_disputes))

    @property
    def _most_disputes(self) -> int:
        return self._settings.max_questions or 3 * len(self.variables)

    @property
    def _repeats(self) -> int:
        return self._samples or (3 if self.strategy == "graph" else 1)

    # -- the run ---------------------------------------------------------------------------------------------------------------

    def run(self) -> BuildResult:
        """Build the graph.

        Returns
        -------
        BuildResult
            The graph and its receipts; flagged as not complete if the budget was spent or the expert refused.

        Raises
        ------
        ParameterError
            If more than 500 calls would be made without a budget.
        ExpertError
            If the expert cannot be asked at all.
        """
        evidence = self._with_data()
        planned = len(self.questions()) + len(self._about_disputes())
        if planned > CALLS_WITHOUT_BUDGET and not self._given_budget:
            usage = self.estimate()
            raise ParameterError(
                f"this would take {planned} questions, {usage.calls} calls and about {usage.tokens} tokens; give budget=Budget(calls=...) to say how many may be made"
            )
        meter = Meter(self.expert, self.budget, self._recorder())
        with _bar(planned, self.verbose) as progress:
            settings = dataclasses.replace(self._settings, progress=progress)
            self.result_ = (
                from_names(meter, self.variables, self.strategy, self._repeats, self._most_disputes, progress)
                if evidence is None
                else Fusion(evidence, meter, settings).run()
            )
        return self.result_

    def _recorder(self) -> Callable[[Answer, str], None]:
        transcript = Transcript(self.variables, self._transcript)
        exchange = getattr(self.expert, "exchange", lambda _: ())
        return lambda answer, purpose: transcript.add(answer, purpose, exchange(answer.question))

    def _with_data(self) -> Evidence | None:
        """Return what data and claims say; None without data."""
        if self._evidence is None and (
            self._graph is not None or self._data is not None or hasattr(self._discovery, "graph_")
        ):
            found = self._search() if self._graph is None else Evidence(self._graph)
            absent = [v.name for v in self.variables if v.name not in found.graph.nodes]
            unknown = [name for name in self.claims.names if name not in found.graph.nodes]
            if unknown:
                raise ParameterError(
                    f"a claim is about {unknown[0]!r}, which is no node; nodes are {', '.join(found.graph.nodes)}"
                )
            if absent:
                raise ParameterError(
                    f"the graph has no node {absent[0]!r}; its nodes are {', '.join(found.graph.nodes)}"
                )
            self._evidence = with_claims(
                with_ensemble(_as_class(found), self._found_by_others()), self.claims
            )
        return self._evidence

    def _search(self) -> Evidence:
        model = self._discovery
        if self._data is not None:
            columns = self._columns()
            model = self._fitted(_default_search(columns) if model is None else _copy(model), columns)
        receipts = getattr(model, "orientation_", {})
        return Evidence(
            model.graph_,
            {arrow: f"{r.rule}: {r.note}" for arrow, r in receipts.items()},
            _confidence(model.graph_, receipts, getattr(model, "stability_", None)),
        )

    def _found_by_others(self) -> list[CausalGraph]:
        return [
            one if isinstance(one, CausalGraph) else self._fitted(_copy(one), self._columns()).graph_
            for one in self._ensemble
        ]

    def _fitted(self, model: Any, columns: Any) -> Any:
        self._tell_search(model)
        if self._context is None:
            return model.fit(columns)
        if "context" not in inspect.signature(model.fit).parameters:
            raise ParameterError(
                f"{type(model).__name__} takes no context; give discovery=CDNOD() from causalkit.discovery"
            )
        return model.fit(columns, context=self._context)

    def _tell_search(self, model: Any) -> None:
        """Give claims that are taken as true to the search as knowledge, where they come before the data and the user gave no other."""
        sure = KnowledgeBase(c for c in self.claims if c.probability >= CERTAIN)
        if self._settings.policy == "expert_first" and len(sure) and getattr(model, "knowledge", "") is None:
            names = [v.name for v in self.variables]
            model.set_params(knowledge=sure.resolved(names)[0].to_background())

    def _columns(self) -> Any:
        contexts = [self._context] if isinstance(self._context, str) else list(self._context or ())
        names = list(dict.fromkeys([*(v.name for v in self.variables), *contexts]))
        columns = list(getattr(self._data, "columns", ()))
        absent = [name for name in names if name not in columns]
        if absent:
            raise ParameterError(
                f"the data have no column {absent[0]!r}; columns are {', '.join(map(str, columns)) or 'without names'}"
            )
        return self._data[names]

    # -- receipts --------------------------------------------------------------------------------------------------------------

    def explain(self, u: str, v: str) -> str:
        """Say why the graph has what it has between two variables.

        Parameters
        ----------
        u, v : str
            Two nodes.

        Returns
        -------
        str
            What stands there, what the data said, every answer with its reasons, and conflicts. Reasons are the expert's words; nobody has checked them.

        Raises
        ------
        ParameterError
            If nothing was run yet.
        NodeNotFoundError
            If a name is no node.
        """
        if not hasattr(self, "result_"):
            raise ParameterError("nothing was built yet; call run() first")
        result = self.result_
        result.graph.index(u)
        result.graph.index(v)
        edge = result.graph.edge_between(u, v)
        lines = [f"{u} {edge} {v}" if edge else f"no edge between {u} and {v}"]
        lines += self._of_data(u, v)
        lines += [text for answer in result.answers if (text := _told(answer, u, v))]
        lines += [
            f"conflict: data {c.data}; expert {c.expert}; decided {c.decision}: {c.why}"
            for c in result.conflicts
            if {u, v} == set(c.pair)
        ]
        if edge and (u, v) in result.probabilities:
            lines.append(f"probability of {u} -> {v}: {result.probabilities[u, v]:.3f}")
        return "\n".join(lines)

    def _of_data(self, u: str, v: str) -> list[str]:
        if self._evidence is None:
            return ["data: none"]
        by_data = self._evidence.of_data.edge_between(u, v)
        reason = self._evidence.why.get((u, v)) or self._evidence.why.get((v, u)) or ""
        if {(u, v), (v, u)} & self._evidence.claimed:
            claimed = self._evidence.graph.edge_between(u, v)
            return [f"data: {u} {by_data} {v}", f"claims: {u} {claimed} {v} ({reason})"]
        told = [
            f"claim of {c.source or 'no source'} ({c.probability:g}): {c}"
            for c in self._evidence.weights
            if {c.subject, c.object} == {u, v}
        ]
        return [
            f"data: {f'{u} {by_data} {v}' if by_data else 'no edge'}{f' ({reason})' if reason else ''}",
            *told,
        ]


def _checked_ensemble(ensemble: Iterable[Any], data: Any) -> tuple[Any, ...]:
    """Return what other searches found, and other searches, after a look at whether they can be used."""
    whole = tuple(ensemble)
    for one in whole:
        if not isinstance(one, CausalGraph) and not hasattr(one, "fit"):
            raise ParameterError(f"ensemble holds graphs, or searches such as PC(); got {type(one).__name__}")
        if not isinstance(one, CausalGraph) and data is None:
            raise ParameterError(
                "ensemble holds a search, and there are no data; give data=, or what it found"
            )
    return whole


def _as_class(found: Evidence) -> Evidence:
    """Return what data say as a class of DAGs where it is one; other kinds of graphs say more than experts are asked about here."""
    kind = found.graph.kind
    if kind not in (GraphKind.DAG, GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.PDAG):
        raise GraphKindError(
            f"an expert is asked about a CPDAG, an MPDAG or a DAG; this graph is a {kind}. KnowledgeBase.apply puts claims on a PAG"
        )
    # To close a graph with ambiguous triples under Meek's rules would take them for non-colliders.
    if kind is not GraphKind.PDAG or found.graph.meta.get("ambiguous_triples"):
        return found
    try:
        return dataclasses.replace(found, graph=found.graph.to_mpdag())
    except (NotExtendableError, KnowledgeError):
        return found


def _default_search(columns: Any) -> Any:
    """Return PC with resampling, which says how far its arrows depend on the sample; with contingency tables where no column holds numbers."""
    from causalkit.discovery import PC, Resampling

    labels = all(kind == "categorical" for kind in read_table(columns).types)
    return PC(
        ci_test="g_square" if labels else "fisher_z", colliders="max_p", resampling=Resampling(RESAMPLES)
    )


def _copy(model: Any) -> Any:
    """Return an estimator with the same parameters that is not fitted, so that the user's own stays as it is."""
    from sklearn.base import clone

    return clone(model)


def _confidence(graph: CausalGraph, receipts: Any, stability: Any) -> dict[tuple[str, str], float]:
    """Return probabilities of arrows: how often resampled searches found them rather than the opposite, or what the receipts say."""
    if stability is None:
        return {arrow: r.confidence for arrow, r in receipts.items() if r.confidence is not None}
    found = {}
    for u, v in Evidence(graph).arrows:
        ahead, back = (
            stability.arrows[graph.index(a), graph.index(b)] * len(stability.graphs)
            for a, b in ((u, v), (v, u))
        )
        found[u, v] = float((ahead + 1) / (ahead + back + 2))
    return found


def _told(answer: Answer, u: str, v: str) -> str:
    """Return an answer about two variables in a line."""
    if answer.status != "answered":
        return (
            f"{answer.expert}: {answer.status} ({answer.problem})"
            if {u, v} == set(answer.question.variables)
            else ""
        )
    choice = answer.about(u, v)
    if choice is None:
        return ""
    words = {
        "forward": f"{u} -> {v}",
        "backward": f"{v} -> {u}",
        "both": "each causes the other",
        "none": "neither",
        "cannot_tell": "cannot tell",
    }
    said = in_one_line(answer.rationale)
    reasons = f': "{said}"' if said else ""
    return f"{answer.expert} ({answer.origin}, asked {answer.question.kind}, repetition {answer.question.sample}): {words[choice]}{reasons}"


@contextmanager
def _bar(total: int, verbose: int) -> Iterator[Callable[[str, int], None]]:
    """Yield what moves a progress bar, if one is wanted."""
    from tqdm.auto import tqdm

    with tqdm(total=total, disable=not verbose, desc="asking", unit="question") as bar:

        def advance(purpose: str, n: int) -> None:
            bar.set_description(f"asking: {purpose}")
            bar.update(n)

        yield advance
