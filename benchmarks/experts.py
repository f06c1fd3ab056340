"""Experts who err: how good a graph can be, given how wrong they are, without any language model.

Run with ``python benchmarks/experts.py [TABLE ...] [--runs N] [--out FOLDER]``; tables are costs, questions, orientations, adaptive, strategies, discovery (which needs ``--networks`` with
BIF files). Graphs are those of five well-known networks; experts are
simulated, with the rates and the persistence that each table names; seeds are the numbers of the runs. Nothing is asked of any server.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from causalkit import BackgroundKnowledge, CausalGraph
from causalkit.datasets import load_network
from causalkit.discovery import PC, Resampling
from causalkit.evaluation import shd
from causalkit.exceptions import KnowledgeError
from causalkit.llm_causal import (
    Budget,
    BuildResult,
    ClassPosterior,
    ExpertNoise,
    GraphBuilder,
    OracleExpert,
    Question,
    Reliability,
    as_variables,
    questions_for,
)
from causalkit.llm_causal._order import best_order
from causalkit.strength import BayesianNetwork

NETWORKS = ("asia", "sachs", "child", "insurance", "alarm")
Row = dict[str, Any]


# -- what it costs to ask ----------------------------------------------------------------------------------------------------------


def costs(_: int) -> Iterator[Row]:
    """Calls and tokens of every way to ask, at 370 tokens for a pair, 450 for three, and for lists 200 with 25 per variable and 40 per arrow.

    The search in breadth as its authors run it (Jiralerspong et al. 2024) is one chat: a call for the roots and one for each variable, each of which carries 60 tokens of the list and 200 of
    reasoning for every call before it.
    """
    for network in ("asia", "child", "insurance", "alarm"):
        truth = load_network(network).graph
        expert, row = OracleExpert(truth), {"network": network, "nodes": truth.n_nodes}
        for strategy in ("pairwise", "triplet", "children", "graph"):
            usage = expert.estimate(questions_for(strategy, as_variables(truth.nodes)))
            row |= {f"{strategy}_calls": usage.calls, f"{strategy}_tokens": usage.tokens}
        calls = truth.n_nodes + 1
        chat = calls * (25 * truth.n_nodes + 200) + (60 + 200) * calls * (calls - 1) // 2
        row |= {"breadth_first_chat_calls": calls, "breadth_first_chat_tokens": chat}
        yield row | {"open_edges": n_undirected(truth.to_cpdag())}


# -- questions that are answered without errors --------------------------------------------------------------------------------


def questions(runs: int) -> Iterator[Row]:
    """Number of questions until every edge has a direction, when answers are right and truth is drawn from the class."""
    for network in NETWORKS:
        cpdag = load_network(network).graph.to_cpdag()
        size = cpdag.class_size()
        row: Row = {
            "network": network,
            "undirected": n_undirected(cpdag),
            "class": size,
            "log2": np.log2(size),
        }
        for name, choose in CHOICES.items():
            counts = [
                asked_until_known(cpdag, cpdag.sample_member(rng=run), choose, run) for run in range(runs)
            ]
            row[name] = float(np.mean(counts))
        yield row


def n_undirected(graph: CausalGraph) -> int:
    """Count the edges without a direction."""
    return sum(edge.is_undirected for edge in graph.edges)


def asked_until_known(cpdag: CausalGraph, truth: CausalGraph, choose: Callable[..., int], seed: int) -> int:
    """Ask one edge after the other, with what follows from each answer."""
    posterior, rng, asked = ClassPosterior(cpdag, Reliability(1, 0)), np.random.default_rng(seed), 0
    while posterior.entropy > 1e-9:
        edge = posterior.edges[choose(posterior, rng)]
        ahead = truth.has_directed_edge(*edge)
        posterior, asked = posterior.observe(*edge, "forward" if ahead else "backward"), asked + 1
    return asked


def by_entropy(posterior: ClassPosterior, _: np.random.Generator) -> int:
    """Choose the edge whose answer tells most."""
    return int(np.argmax(posterior.gains()))


def at_random(posterior: ClassPosterior, rng: np.random.Generator) -> int:
    """Choose any edge that is still open."""
    return int(rng.choice(np.flatnonzero(posterior.gains() > 1e-9)))


def by_orientations(
    posterior: ClassPosterior, rng: np.random.Generator, share: Callable[[float, float], float]
) -> int:
    """Choose by how many edges an answer would orient, one way or the other; any of those that do equally well."""
    now = np.sum(posterior.gains() > 1e-9)
    worth = np.full(len(posterior.edges), -1.0)
    for k in np.flatnonzero(posterior.gains() > 1e-9):
        left = [
            np.sum(posterior.observe(*posterior.edges[k], c).gains() > 1e-9) for c in ("forward", "backward")
        ]
        worth[k] = share(now - left[0], now - left[1])
    return int(rng.choice(np.flatnonzero(worth >= worth.max() - 1e-9)))


CHOICES: dict[str, Callable[..., int]] = {
    "random": at_random,
    "mean_gain": lambda p, rng: by_orientations(p, rng, lambda a, b: (a + b) / 2),
    "least_gain": lambda p, rng: by_orientations(p, rng, min),
    "entropy": by_entropy,
}


# -- what is done with answers that may be wrong -------------------------------------------------------------------------------


def orientations(runs: int) -> Iterator[Row]:
    """Wrong directions among the edges that the class leaves open, and the share of runs without any."""
    for network, error in [
        ("sachs", 0.1),
        ("child", 0.1),
        ("insurance", 0.1),
        ("insurance", 0.2),
        ("alarm", 0.1),
    ]:
        truth = load_network(network).graph
        cpdag = truth.to_cpdag()
        found = {name: [way(cpdag, truth, error, run) for run in range(runs)] for name, way in WAYS.items()}
        row: Row = {"network": network, "error": error}
        for name, results in found.items():
            wrong, inside, asked = (np.array(column, dtype=float) for column in zip(*results, strict=True))
            row |= {f"{name}_wrong": wrong.mean(), f"{name}_exact": (wrong == 0).mean()}
            row |= {f"{name}_outside": 1 - inside.mean()} if name == "blindly" else {}
            row |= (
                {f"{name}_questions": asked.mean()} if name in ("listed", "sequential", "by_entropy") else {}
            )
        yield row


def expert_of(truth: CausalGraph, error: float, run: int, persistence: float = 0.0) -> OracleExpert:
    """Return an expert who reverses directions at a rate."""
    return OracleExpert(truth, error, persistence=persistence, rng=run)


def wrong_among(posterior: ClassPosterior, found: CausalGraph, truth: CausalGraph) -> int:
    """Count the open edges that point the wrong way."""
    return sum(found.has_directed_edge(*e) != truth.has_directed_edge(*e) for e in posterior.edges)


def blindly(cpdag: CausalGraph, truth: CausalGraph, error: float, run: int) -> tuple[int, bool, int]:
    """Take every answer as it comes."""
    start = ClassPosterior(cpdag, Reliability(1 - error, error, 0.0))
    answers = expert_of(truth, error, run).answer([Question("orient", e) for e in start.edges])
    wrong = sum((a.choice == "forward") != truth.has_directed_edge(*a.question.variables) for a in answers)
    tails = [a.question.variables if a.choice == "forward" else a.question.variables[::-1] for a in answers]
    try:
        cpdag.to_mpdag(BackgroundKnowledge(required=tails))
    except KnowledgeError:
        return wrong, False, len(answers)
    return wrong, True, len(answers)


def sequentially(choose: Callable[..., int]) -> Callable[..., tuple[int, bool, int]]:
    """Ask one edge after the other, believe the answer, and draw what follows from it."""

    def run_one(cpdag: CausalGraph, truth: CausalGraph, error: float, run: int) -> tuple[int, bool, int]:
        expert, posterior, asked = expert_of(truth, error, run), ClassPosterior(cpdag, Reliability(1, 0)), 0
        rng = np.random.default_rng(run)
        while posterior.entropy > 1e-9:
            edge = posterior.edges[choose(posterior, rng)]
            choice = expert.answer([Question("orient", edge)])[0].choice
            posterior, asked = posterior.observe(*edge, choice), asked + 1
        return wrong_among(posterior, posterior.best()[0], truth), True, asked

    return run_one


def as_listed(posterior: ClassPosterior, _: np.random.Generator) -> int:
    """Choose the first edge that is still open."""
    return int(np.flatnonzero(posterior.gains() > 1e-9)[0])


def most_probable(repeats: int) -> Callable[..., tuple[int, bool, int]]:
    """Ask every open edge so many times, and take the most probable member of the class."""

    def run_one(cpdag: CausalGraph, truth: CausalGraph, error: float, run: int) -> tuple[int, bool, int]:
        start = ClassPosterior(cpdag, Reliability(1 - error, error, 0.0))
        asked = [Question("orient", e, sample=k) for e in start.edges for k in range(repeats)]
        posterior = start.learn(expert_of(truth, error, run).answer(asked))
        return wrong_among(posterior, any_best(posterior, run), truth), True, len(asked)

    return run_one


def any_best(posterior: ClassPosterior, seed: int) -> CausalGraph:
    """Return a most probable member, at random among equal ones: a rule for ties might happen to favour the truth."""
    ties = np.flatnonzero(posterior.weights >= posterior.weights.max() * (1 - 1e-9))
    return posterior._members.member(int(np.random.default_rng(seed).choice(ties)))


WAYS = {
    "blindly": blindly,
    "listed": sequentially(as_listed),
    "sequential": sequentially(at_random),
    "by_entropy": sequentially(by_entropy),
    "map": most_probable(1),
    "map_of_3": most_probable(3),
}


# -- asking until sure ---------------------------------------------------------------------------------------------------------


def adaptive(runs: int) -> Iterator[Row]:
    """Ask by entropy until the best member weighs .95: questions, share of right graphs, and the mean probability that was reported."""
    cases = [
        ("independent errors", 0.0, 0.0, False),
        ("persistent errors, not known", 0.8, 0.0, False),
        ("persistent errors, known", 0.8, 0.8, False),
        ("always the same belief, not known", 1.0, 0.0, False),
        ("always the same belief, known", 1.0, 1.0, False),
        ("the published graph, independent errors", 0.0, 0.0, True),
        ("the published graph, always the same belief, not known", 1.0, 0.0, True),
    ]
    for network in ("child", "insurance", "sachs"):
        published = load_network(network).graph
        cpdag = published.to_cpdag()
        for name, true_persistence, assumed, fixed in cases:
            truths = (published if fixed else cpdag.sample_member(rng=run) for run in range(runs))
            results = [
                until_sure(cpdag, truth, true_persistence, Reliability(0.9, 0.1, assumed), run)
                for run, truth in enumerate(truths)
            ]
            asked, exact, reported = np.array(results, dtype=float).T
            yield {
                "network": network,
                "case": name,
                "questions": asked.mean(),
                "exact": exact.mean(),
                "reported": reported.mean(),
            }


def until_sure(
    cpdag: CausalGraph, truth: CausalGraph, persistence: float, assumed: Reliability, run: int
) -> tuple[int, bool, float]:
    """Ask at most three times as many questions as there are open edges."""
    expert, posterior = expert_of(truth, 0.1, run, persistence), ClassPosterior(cpdag, assumed)
    limit, asked = 3 * len(posterior.edges), 0
    while asked < limit and posterior.best()[1] < 0.95:
        question = posterior.next_question()
        if question is None:
            break
        posterior, asked = posterior.learn(expert.answer([question])), asked + 1
    best, reported = posterior.best()
    return asked, wrong_among(posterior, best, truth) == 0, reported


# -- asking about everything ---------------------------------------------------------------------------------------------------


def strategies(runs: int) -> Iterator[Row]:
    """F1 of arrows, structural Hamming distance, share without a cycle, and true arrows against the best order."""
    for network in NETWORKS:
        truth = load_network(network).graph
        for name, (noise, persistence, strategy) in STRATEGIES.items():
            repeats = 1 if noise == ExpertNoise.perfect() else runs
            results = [
                strategy(OracleExpert(truth, noise, persistence=persistence, rng=run), truth)
                for run in range(repeats)
            ]
            f1, distance, acyclic, top = np.array(results, dtype=float).mean(axis=0)
            yield {
                "network": network,
                "strategy": name,
                "f1": f1,
                "shd": distance,
                "acyclic": acyclic,
                "d_top": top,
            }


def by_pairs(expert: OracleExpert, truth: CausalGraph) -> tuple[float, int, bool, int]:
    """Ask about every pair whether one causes the other, and draw an arrow where it does."""
    answers = expert.answer([Question("ancestral", pair) for pair in combinations(truth.nodes, 2)])
    votes = np.zeros((truth.n_nodes, truth.n_nodes))
    for answer in answers:
        count(votes, truth, answer, *answer.question.variables)
    return judged(votes, votes > 0, truth)


def by_triplets(expert: OracleExpert, truth: CausalGraph) -> tuple[float, int, bool, int]:
    """Ask about every three variables, and let the answers vote on each pair."""
    votes = np.zeros((truth.n_nodes, truth.n_nodes))
    for answer in expert.answer([Question("triplet", three) for three in combinations(truth.nodes, 3)]):
        for pair in combinations(answer.question.variables, 2):
            count(votes, truth, answer, *pair)
    silent = truth.n_nodes - 2 - votes - votes.T
    return judged(votes, (votes > votes.T) & (votes > silent), truth)


def count(votes: np.ndarray, truth: CausalGraph, answer: Any, u: str, v: str) -> None:
    """Add an answer to the votes on a pair."""
    i, j = truth.index(u), truth.index(v)
    choice = answer.about(u, v)
    votes[i, j] += choice == "forward"
    votes[j, i] += choice == "backward"


def judged(votes: np.ndarray, arrows: np.ndarray, truth: CausalGraph) -> tuple[float, int, bool, int]:
    """Score arrows, which may be cyclic, and the best order of the votes."""
    true = truth.to_adjacency().astype(bool)
    both, claimed = (arrows & true).sum(), arrows.sum()
    f1 = 2 * both / (claimed + true.sum())
    reversed_ = (arrows & true.T & ~arrows.T).sum()
    distance = (arrows ^ true).sum() - reversed_
    order = best_order(votes)
    place = np.argsort(order)
    top = (place[:, None] > place[None, :])[true].sum()
    return float(f1), int(distance), is_acyclic(arrows), int(top)


def is_acyclic(arrows: np.ndarray) -> bool:
    """Whether powers of the matrix vanish."""
    reached = arrows.copy()
    for _ in range(len(arrows)):
        reached = (reached.astype(int) @ arrows.astype(int)) > 0
        if not reached.any():
            return True
    return False


def given_edges(of: Callable[[CausalGraph], CausalGraph]) -> Callable[..., tuple[float, int, bool, int]]:
    """Ask the direction of every edge that has none; who does not say one is replaced by a coin."""

    def strategy(expert: OracleExpert, truth: CausalGraph) -> tuple[float, int, bool, int]:
        known = of(truth)
        coin = np.random.default_rng(expert.rng)
        arrows = known.to_cpdag().marks * 0 if known.kind == "DAG" else np.zeros((truth.n_nodes,) * 2)
        arrows = arrows.astype(bool)
        for edge in known.edges:
            u, v = edge.u, edge.v
            if edge.is_undirected:
                choice = expert.answer([Question("orient", (u, v))])[0].choice
                ahead = choice == "forward" if choice in ("forward", "backward") else coin.random() < 0.5
            else:
                ahead = known.has_directed_edge(u, v)
            arrows[(truth.index(u), truth.index(v)) if ahead else (truth.index(v), truth.index(u))] = True
        return judged(arrows.astype(float), arrows, truth)

    return strategy


def in_class(expert: OracleExpert, truth: CausalGraph) -> tuple[float, int, bool, int]:
    """Ask the direction of every open edge of the class, and take the most probable member."""
    start = ClassPosterior(truth.to_cpdag(), Reliability(0.73, 0.10))
    learned = start.learn(expert.answer([Question("orient", e) for e in start.edges]))
    found = any_best(learned, expert.rng)
    arrows = found.to_adjacency().astype(bool)
    assert shd(found, truth) == (arrows & ~truth.to_adjacency().astype(bool)).sum()
    return judged(arrows.astype(float), arrows, truth)


def skeleton_of(truth: CausalGraph) -> CausalGraph:
    """Return the edges without any direction."""
    pairs = "; ".join([*truth.nodes, *(f"{e.u} --- {e.v}" for e in truth.edges)])
    return CausalGraph.parse(pairs, kind="PDAG")


GPT = ExpertNoise.gpt4_2023()
STRATEGIES: dict[str, tuple[ExpertNoise, float, Callable[..., tuple[float, int, bool, int]]]] = {
    "perfect expert, pairs": (ExpertNoise.perfect(), 0.0, by_pairs),
    "pairs": (GPT, 0.0, by_pairs),
    "triplets, independent": (GPT, 0.0, by_triplets),
    "triplets, persistence .8": (GPT, 0.8, by_triplets),
    "skeleton given, all directions": (GPT, 0.0, given_edges(skeleton_of)),
    "class given, open directions": (GPT, 0.0, given_edges(lambda truth: truth.to_cpdag())),
    "class given, best member": (GPT, 0.0, in_class),
}

# -- with real searches ----------------------------------------------------------------------------------------------------------


def discovery(runs: int) -> Iterator[Row]:
    """Structural Hamming distance to the true graph: data alone, expert alone, and both, from 1000 rows; and right arrows per 1000 tokens."""
    for network in NETWORKS:
        if FOLDER is None:
            raise SystemExit("the table 'discovery' draws rows from BIF files: give --networks FOLDER")
        tables = BayesianNetwork.from_bif(FOLDER / f"{network}.bif")
        found = [of_rows(tables, run) for run in range(runs)]
        yield {"network": network, **{name: float(np.mean([f[name] for f in found])) for name in found[0]}}


def of_rows(tables: BayesianNetwork, run: int) -> Row:
    """Search in one sample, and ask one expert in every way."""
    truth, rows = tables.graph, pd.DataFrame(tables.sample(1000, rng=run)).astype(str)
    search = PC(ci_test="g_square", alpha=0.01, max_cond_size=3, colliders="max_p", resampling=Resampling(30))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(rows)
    row: Row = {"data_alone": shd(search.graph_, truth)}
    for policy in ("data_first", "bayes", "expert_first"):
        for name, rates in ((policy, None), (f"{policy}_rates_known", Reliability(0.73, 0.10, 0.8))):
            builder = GraphBuilder(
                truth.nodes, expert=gpt_like(truth, run), discovery=search, policy=policy, reliability=rates
            )
            row |= scores_of(name, builder.run(), truth)
    for strategy in ("graph", "children", "pairwise", "triplet"):
        if strategy == "triplet" and truth.n_nodes > 27:
            continue
        result = GraphBuilder(
            truth.nodes, expert=gpt_like(truth, run), strategy=strategy, budget=Budget(calls=10**6)
        ).run()
        row |= scores_of(f"names_{strategy}", result, truth)
    return row


def gpt_like(truth: CausalGraph, run: int) -> OracleExpert:
    """Return an expert with the rates of 2023, who mostly repeats itself."""
    return OracleExpert(truth, GPT, persistence=0.8, rng=run)


def scores_of(name: str, result: BuildResult, truth: CausalGraph) -> Row:
    """Return distance, and right arrows per 1000 tokens."""
    right = sum(result.graph.has_directed_edge(u, v) for u in truth.nodes for v in truth.children(u))
    tokens = max(result.ledger.total.tokens, 1)
    return {name: shd(result.graph, truth), f"{name}_per_1000": 1000 * right / tokens}


FOLDER: Path | None = None
TABLES = {
    "costs": (costs, 1),
    "questions": (questions, 60),
    "orientations": (orientations, 200),
    "adaptive": (adaptive, 200),
    "strategies": (strategies, 60),
    "discovery": (discovery, 10),
}


def main() -> None:
    """Print tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], default=list(TABLES))
    parser.add_argument("--runs", type=int, help="repetitions (default: 60 or 200)")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--networks", type=Path, help="folder with asia.bif, ..., for the table discovery")
    options = parser.parse_args()
    globals()["FOLDER"] = options.networks
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    for name in options.tables:
        make, runs = TABLES[name]
        rows = []
        for row in make(options.runs or runs):
            rows.append(
                {k: round(float(v), 3) if isinstance(v, float | np.floating) else v for k, v in row.items()}
            )
            print(name, *(f"{k}={v}" for k, v in rows[-1].items()), flush=True)
        if options.out:
            with (options.out / f"experts_{name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
