"""Event graphs and their oracles against enumeration of all trajectories; questions; stores; bad input."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from itertools import combinations, permutations

import numpy as np
import pytest

from causalkit import CausalGraph
from causalkit.datasets import load_activity
from causalkit.exceptions import (
    CheckpointError,
    DataError,
    GraphError,
    GraphKindError,
    NodeNotFoundError,
    ParameterError,
    ParseError,
    PositivityError,
)
from causalkit.graph import random_dag
from causalkit.strength import (
    ChainOracle,
    EventGraph,
    EventLog,
    LetterOracle,
    LikelihoodOracle,
    LogOracle,
    OrderOracle,
    answer_triplets,
    event_strength,
    make_triplets,
    score_triplets,
)

TOY = EventGraph.from_log(EventLog([["A", "C"], ["A"], ["B", "C"]]))


@pytest.mark.parametrize(
    ("law", "avoid", "expected"),
    [
        ("uniform_node", "drop", 0.0),
        ("uniform_node", "renormalize", -1 / 2),
        ("uniform_trajectory", "drop", 1 / 6),
        ("uniform_trajectory", "renormalize", -1 / 2),
    ],
)
def test_three_trajectories(law, avoid, expected):
    found = event_strength([("A", "C")], oracle=ChainOracle(TOY, law, avoid=avoid))
    assert found.of("A", "C") == pytest.approx(expected, abs=1e-12)
    assert TOY.n_trajectories == 3


def trajectories(graph, law):
    """Yield every path from start to end as events, with its probability."""
    step, k = graph.transitions(law), len(graph.events)

    def walk(path, chance):
        if path[-1] == k + 1:
            yield tuple(path[1:-1]), chance
            return
        for node in np.flatnonzero(step[path[-1]]):
            yield from walk([*path, int(node)], chance * step[path[-1], node])

    return list(walk([k], 1.0))


def enumerated(graph, law, avoid, cause, effect):
    """Follow the definition, trajectory by trajectory, over prefixes before the cause."""
    paths = trajectories(graph, law)
    through = [(p, w) for p, w in paths if cause in p]
    reached = sum(w for _, w in through)
    with_cause = sum(w for p, w in through if effect in p[p.index(cause) :])
    prefixes = {}
    for p, w in through:
        before = p[: p.index(cause)]
        prefixes[before] = prefixes.get(before, 0.0) + w
    total, weight = 0.0, 0.0
    for before, w in prefixes.items():
        here = [(p[len(before) :], v) for p, v in paths if p[: len(before)] == before]
        mass, free = sum(v for _, v in here), [(p, v) for p, v in here if cause not in p]
        if avoid == "drop":
            hit = sum(v for p, v in here if effect in p and cause not in p[: p.index(effect)])
        else:
            hit = sum(v for p, v in free if effect in p)
        base = mass if avoid == "drop" else sum(v for _, v in free)
        if base > 1e-12:
            total += w * hit / base
            weight += w
    return total / weight if weight else np.nan, with_cause / reached


def random_event_graph(seed, d=6):
    return EventGraph.from_graph(random_dag(d, expected_degree=2.5, rng=seed))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("law", ["uniform_node", "uniform_trajectory"])
@pytest.mark.parametrize("avoid", ["drop", "renormalize"])
def test_chain_against_enumeration(seed, law, avoid):
    graph = random_event_graph(seed)
    found = ChainOracle(graph, law, avoid=avoid)
    at = {event: k for k, event in enumerate(graph.events)}
    for cause, effect in permutations(graph.events, 2):
        expected = enumerated(graph, law, avoid, at[cause], at[effect])
        if np.isnan(expected[0]):
            with pytest.raises(PositivityError, match="no trajectory avoids"):
                found.arms([(cause, effect)])
        else:
            np.testing.assert_allclose(found.arms([(cause, effect)])[0], expected, atol=1e-10)


def test_every_trajectory_is_equally_likely_under_its_law():
    graph = random_event_graph(1)
    chances = [w for _, w in trajectories(graph, "uniform_trajectory")]
    np.testing.assert_allclose(chances, 1 / graph.n_trajectories)


def test_prefixes_follow_the_law():
    graph = random_event_graph(3)
    event = max(graph.events, key=lambda e: graph._paths_from_start[graph.index(e)])
    paths = [(p, w) for p, w in trajectories(graph, "uniform_node") if graph.index(event) in p]
    shares = {}
    for p, w in paths:
        before = tuple(graph.events[k] for k in p[: p.index(graph.index(event))])
        shares[before] = shares.get(before, 0.0) + w
    drawn = graph.sample_prefixes(event, 4000, rng=0)
    for before, w in shares.items():
        assert drawn.count(before) / 4000 == pytest.approx(w / sum(shares.values()), abs=0.03)


# -- counting sequences ----------------------------------------------------------------------------------------------------------


def test_counts_with_and_without_adjustment():
    """U makes both likely; within its strata A does nothing."""
    rng = np.random.default_rng(0)
    sequences = []
    for _ in range(4000):
        u = rng.random() < 0.5
        parts = ["start", *(["U"] if u else []), *(["A"] if rng.random() < 0.2 + 0.6 * u else [])]
        sequences.append(parts + (["B"] if rng.random() < 0.2 + 0.6 * u else []))
    log = EventLog(sequences)
    plain = event_strength([("A", "B")], oracle=LogOracle(log)).value[0]
    graph = CausalGraph.parse("U -> A; U -> B; A -> B")
    adjusted = event_strength([("A", "B")], oracle=LogOracle(log, graph)).value[0]
    assert plain > 0.3
    assert abs(adjusted) < 0.05
    assert event_strength([("B", "A")], oracle=LogOracle(log, graph)).value[0] == 0


def test_order_of_effect_and_cause():
    log = EventLog([["B", "A"], ["B", "A"], ["A", "B"], ["C"], ["B"]])
    ordered, anywhere = (LogOracle(log, ordered=o, smoothing=0).arms([("A", "B")])[0] for o in (True, False))
    assert ordered.tolist() == [0.5, pytest.approx(1 / 3)]
    assert anywhere.tolist() == [0.5, 1.0]


def test_an_effect_that_always_comes_first_is_refused_or_counted():
    log = EventLog([["B", "A"], ["B", "A"], ["B"]])
    with pytest.raises(DataError, match="'B' comes before 'A' in every sequence"):
        LogOracle(log).arms([("A", "B")])
    assert LogOracle(log, backwards="count", smoothing=0).arms([("A", "B")])[0].tolist() == [1.0, 0.0]


# -- questions ---------------------------------------------------------------------------------------------------------------------


def literal_triplets(graph, order):
    """Algorithm 1 as a loop over ordered triples, with separation asked of the graph."""

    def joined(a, b):
        return not graph.separated(a, b)

    found = set()
    for i, j, k in combinations(order, 3):
        options = []
        if not joined(i, j) and joined(i, k) != joined(j, k):
            right, wrong = (i, j) if joined(i, k) else (j, i)
            options.append(("cause", k, right, wrong) if right in graph.ancestors(k) else None)
        elif not joined(j, k) and joined(i, j) != joined(i, k):
            right, wrong = (j, k) if joined(i, j) else (k, j)
            options.append(("effect", i, right, wrong) if i in graph.ancestors(right) else None)
        for option in filter(None, options):
            question, premise, right, wrong = option
            found |= {option, ("effect" if question == "cause" else "cause", right, premise, wrong)}
    return found


@pytest.mark.parametrize("seed", range(8))
def test_closed_form_contains_what_the_loop_finds(seed):
    """The loop misses nothing but what its two branches skip; what it finds is all in the closed form, and every question is right."""
    graph = random_dag(8, expected_degree=1.2, rng=seed)
    frame = make_triplets(graph).to_pandas()
    mine = set(frame.itertuples(index=False, name=None))
    assert len(mine) == len(frame)
    assert literal_triplets(graph, graph.topological_order()) <= mine
    for question, premise, right, wrong in mine:
        assert graph.separated(wrong, premise)
        assert graph.separated(wrong, right)
        assert right in (graph.ancestors(premise) if question == "cause" else graph.descendants(premise))


def test_mirrors_are_there():
    questions = make_triplets(load_activity().graph).to_pandas()
    mine = set(questions.itertuples(index=False, name=None))
    other = {"cause": "effect", "effect": "cause"}
    assert {(other[q], right, premise, wrong) for q, premise, right, wrong in mine} == mine


def test_scores_of_the_activity_of_our_own():
    activity = load_activity()
    successions = EventGraph.from_log(EventLog(activity.sequences))
    questions = make_triplets(activity.graph)
    strengths = event_strength(questions.queries(), events=questions.events, oracle=ChainOracle(successions))
    scores = score_triplets(questions, strengths, order=activity.order, successions=successions)
    assert (
        scores.n
        == len(questions)
        == 2 * sum(1 for _ in questions.to_pandas().query("question == 'cause'").index)
    )
    assert 0.6 < scores.order_only < 0.9
    assert 0.4 < scores.accuracy < 1
    assert scores.n_order_matched < scores.n
    assert scores.se > np.sqrt(scores.accuracy * (1 - scores.accuracy) / scores.n)
    assert "order alone" in str(scores)


def test_perfect_and_blind_strengths():
    graph = CausalGraph.parse("a -> b; c -> d; e")
    questions = make_triplets(graph)

    class Truth:
        id = "truth"

        def arms(self, pairs):
            return np.array([[0.0, float(e in graph.descendants(c))] for c, e in pairs])

    class Blind:
        id = "blind"

        def arms(self, pairs):
            return np.full((len(pairs), 2), 0.5)

    scores = [
        score_triplets(
            questions, event_strength(questions.queries(), events=questions.events, oracle=o)
        ).accuracy
        for o in (Truth(), Blind())
    ]
    assert scores == [1.0, 0.5]


# -- plan, store, resume -------------------------------------------------------------------------------------------------------------


class Counting:
    """An oracle that counts what it is asked, and can fail on the way."""

    id = "counting"

    def __init__(self, fail_after=None):
        self.asked, self.fail_after = [], fail_after

    def arms(self, pairs):
        if self.fail_after is not None and len(self.asked) >= self.fail_after:
            raise KeyboardInterrupt
        self.asked += pairs
        return np.array([[len(c) / 100, len(e) / 10] for c, e in pairs])


def test_each_pair_is_asked_once_whatever_the_order_and_batches():
    queries = [("a", "b"), ("b", "ccc"), ("a", "b"), ("ccc", "a")] * 50
    values = []
    for size in (1, 2, 256):
        oracle = Counting()
        values.append(event_strength(queries, oracle=oracle, batch_size=size).value)
        assert oracle.asked == sorted(set(queries))
    assert all(np.array_equal(v, values[0]) for v in values)
    numbers = np.array([(0, 1), (1, 2), (0, 1), (2, 0)] * 50)
    by_number = event_strength(numbers, events=["a", "b", "ccc"], oracle=Counting())
    assert np.array_equal(by_number.value, values[0])
    shuffled = event_strength(np.array([(2, 0), (0, 1)]), events=["b", "ccc", "a"], oracle=Counting())
    assert shuffled.pairs == (("a", "b"), ("b", "ccc"))


def test_an_interrupted_run_goes_on(tmp_path):
    queries = [(f"e{i}", f"e{j}") for i in range(10) for j in range(10) if i != j]
    whole = event_strength(queries, oracle=Counting())
    with pytest.raises(KeyboardInterrupt):
        event_strength(queries, oracle=Counting(fail_after=30), store=tmp_path / "s.db", batch_size=10)
    second = Counting()
    resumed = event_strength(queries, oracle=second, store=tmp_path / "s.db", batch_size=10)
    assert len(second.asked) == resumed.n_asked == 60
    assert np.array_equal(resumed.value, whole.value)
    assert event_strength(queries, oracle=Counting(), store=tmp_path / "s.db").n_asked == 0


KILLED = """
import sys, time
import numpy as np
from causalkit.strength import event_strength
class Slow:
    id = "counting"
    def arms(self, pairs):
        time.sleep(0.02)
        return np.array([[len(c) / 100, len(e) / 10] for c, e in pairs])
queries = [(f"e{i}", f"e{j}") for i in range(30) for j in range(30) if i != j]
print("ready", flush=True)
event_strength(queries, oracle=Slow(), store=sys.argv[1], batch_size=5)
"""


def test_a_killed_process_leaves_a_store_that_can_be_used(tmp_path):
    path = tmp_path / "s.db"
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(path)], stdout=subprocess.PIPE
    ) as run:
        assert run.stdout.readline() == b"ready\n"
        for _ in range(200):
            if path.exists() and path.stat().st_size > 0:
                break
            time.sleep(0.02)
        time.sleep(0.5)
        os.kill(run.pid, signal.SIGKILL)
    queries = [(f"e{i}", f"e{j}") for i in range(30) for j in range(30) if i != j]
    found = event_strength(queries, oracle=Counting(), store=path)
    assert 0 < found.n_asked < len(queries)
    assert np.array_equal(found.value, event_strength(queries, oracle=Counting()).value)


def test_stores_of_others_and_damaged_ones(tmp_path):
    path = tmp_path / "s.db"
    event_strength([("A", "C")], oracle=ChainOracle(TOY), store=path)
    with pytest.raises(CheckpointError, match="not of"):
        event_strength([("A", "C")], oracle=ChainOracle(TOY, "uniform_trajectory"), store=path)
    path.write_bytes(path.read_bytes()[:700] + b"garbage" * 300)
    with pytest.raises(CheckpointError, match="cannot be used"):
        event_strength([("A", "C")], oracle=ChainOracle(TOY), store=path)
    text = tmp_path / "note.txt"
    text.write_text("this is no database, but a text that is long enough to be read as a header of one")
    with pytest.raises(CheckpointError, match="cannot be used"):
        event_strength([("A", "C")], oracle=ChainOracle(TOY), store=text)


# -- language models ---------------------------------------------------------------------------------------------------------------


def reader(graph, bias=0.0):
    """Make a model that knows the causal graph, reads the prompt, and leans towards letter A."""

    def score(prompts, options):
        assert list(options) == [" A", " B"]
        found = []
        for text in prompts:
            lines = text.splitlines()
            happens = "did not happen" not in lines[2]
            cause, effect = lines[2].split(": ", 1)[1][:-1], lines[3].split("? ", 1)[1][:-1]
            p = 0.5 + (0.4 if happens else -0.4) * (effect in graph.descendants(cause))
            first = p if lines[4] == "A. Increase" else 1 - p
            logit = np.log(first / (1 - first)) + bias
            found.append([-np.log1p(np.exp(-logit)), -np.log1p(np.exp(logit))])
        return np.array(found)

    return score


@pytest.mark.parametrize("scale", ["softmax", "probability", "sigmoid"])
def test_letters_are_asked_in_both_orders(scale):
    """A model that prefers one letter loses nothing but contrast; one that knows the graph answers every question."""
    activity = load_activity()
    successions = EventGraph.from_log(EventLog(activity.sequences))
    questions = make_triplets(activity.graph)
    for bias in (0.0, 1.5):
        oracle = LetterOracle(
            reader(activity.graph, bias),
            successions,
            name=f"reader {bias}",
            activity=activity.name,
            n_prefixes=2,
            scale=scale,
        )
        strengths = event_strength(questions.queries(), events=questions.events, oracle=oracle)
        assert score_triplets(questions, strengths).accuracy == 1.0
        none = oracle.arms([("wash hands", "buy pot")])[0]
        assert none[0] == pytest.approx(none[1])


def test_letters_give_the_share_of_increase():
    oracle = LetterOracle(reader(CausalGraph.parse("A -> C; B")), TOY, name="r", activity="a toy")
    np.testing.assert_allclose(oracle.arms([("A", "C"), ("A", "B")]), [[0.1, 0.9], [0.5, 0.5]])


def test_stories_do_not_depend_on_what_else_is_asked():
    activity = load_activity()
    oracle = LetterOracle(
        lambda p, o: np.zeros((len(p), 2)),
        EventGraph.from_log(EventLog(activity.sequences)),
        name="m",
        activity="x",
    )
    assert oracle.prefixes("set plant") == oracle.prefixes("set plant")
    assert len(set(oracle.prefixes("set plant"))) == 5
    assert "set plant" not in {event for prefix in oracle.prefixes("set plant") for event in prefix}


def test_order_alone():
    def score(prompts, _options):
        after = np.array(["is left out" not in p for p in prompts])
        first_is_after = np.array(["A. after" in p for p in prompts])
        p = np.where(after == first_is_after, 0.9, 0.1)
        return np.log(np.column_stack([p, 1 - p]))

    np.testing.assert_allclose(OrderOracle(score, name="m").arms([("boil", "pour")]), [[0.1, 0.9]])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda n: np.zeros((n, 3)), "scores of shape"),
        (lambda n: np.full((n, 2), np.nan), "log-probabilities"),
        (lambda n: np.full((n, 2), 0.5), "log-probabilities"),
        (lambda n: np.full((n, 2), -np.inf), "none of the options"),
    ],
)
def test_models_that_answer_nonsense(answer, message):
    oracle = LetterOracle(lambda p, o: answer(len(p)), TOY, name="m", activity="a")
    with pytest.raises(DataError, match=message):
        oracle.arms([("A", "C")])


# -- bad input ---------------------------------------------------------------------------------------------------------------------


def test_bad_logs(tmp_path):
    for sequences, message in (
        ([], "one sequence"),
        ([[]], "sequence 0 is empty"),
        ([["a", 3]], "non-empty strings"),
        ([["a", "a"]], "twice"),
    ):
        with pytest.raises(DataError, match=message):
            EventLog(sequences)
    with pytest.raises(ParseError, match="list of lists"):
        EventLog.from_json('[{"a": 1}]')
    with pytest.raises(ParseError, match="not JSON"):
        EventLog.from_json("[[")
    path = tmp_path / "log.csv"
    path.write_text("sequence,event\n1,a\n2,b\n1,c\n")
    assert EventLog.from_csv(path).sequences == (("a", "c"), ("b",))
    with pytest.raises(ParseError, match="no column 'what'"):
        EventLog.from_csv(path, event="what")


def test_bad_graphs_of_events():
    with pytest.raises(GraphError, match="a -> b -> a"):
        EventGraph.from_log(EventLog([["a", "b"], ["b", "a"]]))
    with pytest.raises(GraphError, match="DAG"):
        EventGraph.from_graph(CausalGraph.parse("a --- b", kind="CPDAG"))
    with pytest.raises(GraphError, match="shape"):
        EventGraph(["a"], np.zeros((2, 2)))
    with pytest.raises(GraphError, match="'a' cannot be reached"):
        EventGraph(["a"], [[0, 0, 1], [0, 0, 1], [0, 0, 0]])
    with pytest.raises(NodeNotFoundError, match="'Z' is not an event"):
        ChainOracle(TOY).arms([("Z", "A")])


def test_bad_queries():
    oracle = ChainOracle(TOY)
    with pytest.raises(GraphError, match="on itself"):
        event_strength([("A", "A")], oracle=oracle)
    with pytest.raises(DataError, match="integers of shape"):
        event_strength([("A", "B")], oracle=oracle, events=["A", "B"])
    with pytest.raises(DataError, match="there are 2 events"):
        event_strength(np.array([[0, 5]]), oracle=oracle, events=["A", "B"])
    with pytest.raises(ParameterError, match="was not among"):
        event_strength([("A", "C")], oracle=oracle).of("C", "A")
    with pytest.raises(PositivityError, match="every sequence"):
        LogOracle(EventLog([["a", "b"], ["a"]])).arms([("a", "b")])
    with pytest.raises(GraphKindError, match="make_triplets"):
        make_triplets(CausalGraph.parse("a --- b", kind="CPDAG"))


@pytest.mark.parametrize("answer", [[[0.5, 1.5]], [[np.nan, 0.5]], [[0.5]], [0.5, 0.5]])
def test_oracles_that_answer_nonsense(answer):
    class Wrong:
        id = "wrong"

        def arms(self, pairs):
            return answer

    with pytest.raises(DataError, match="oracle 'wrong' answered"):
        event_strength([("a", "b")], oracle=Wrong())


# -- likelihood of words, multiple choice ------------------------------------------------------------------------------------------


def likes_effects(graph):
    """Return a model that finds an event five times as likely after a story with one of its causes; some words are rare in themselves."""
    rarity = np.linspace(0.02, 0.001, len(graph.nodes))

    def score(prompts, options):
        words = [option.strip() for option in options]
        out = np.empty((len(prompts), len(options)))
        for i, prompt in enumerate(prompts):
            told = {
                line.removeprefix("Then: ").rstrip(".")
                for line in prompt.split("\n")
                if line.startswith("Then: ")
            }
            for j, word in enumerate(words):
                out[i, j] = rarity[j] * (5 if told & set(graph.ancestors(word)) - {word} else 1)
        return np.log(out)

    return score


class TestLikelihood:
    graph = CausalGraph.parse("A -> C; B")

    def oracle(self, **settings):
        return LikelihoodOracle(likes_effects(self.graph), TOY, name="w", activity="a toy", **settings)

    def test_rare_words_are_no_weaker(self):
        """After A, C is five times as likely; corrected shares are 1/3 each before and 1/7, 1/7, 5/7 after."""
        np.testing.assert_allclose(
            self.oracle().arms([("A", "C"), ("A", "B")]), [[1 / 3, 5 / 7], [1 / 3, 1 / 7]]
        )
        raw, c = np.array([0.02, 0.0105, 0.001]), TOY.index("C")
        after = raw * np.where(np.arange(3) == c, 5, 1)
        expected = [[raw[c] / raw.sum(), after[c] / after.sum()]]
        np.testing.assert_allclose(self.oracle(corrected=False).arms([("A", "C")]), expected)

    def test_shares_of_all_events_sum_to_one(self):
        everything = [("A", event) for event in TOY.events]
        np.testing.assert_allclose(self.oracle().arms(everything).sum(axis=0), 1)

    def test_order_of_pairs_and_seed(self):
        pairs = [("A", "C"), ("B", "C"), ("A", "B")]
        np.testing.assert_array_equal(self.oracle().arms(pairs), self.oracle().arms(pairs[::-1])[::-1])
        assert self.oracle().id == self.oracle().id
        assert len({self.oracle().id, self.oracle(rng=1).id, self.oracle(corrected=False).id}) == 3
        assert self.oracle().arms([]).shape == (0, 2)

    def test_through_event_strength(self):
        activity = load_activity()
        questions = make_triplets(activity.graph)
        oracle = LikelihoodOracle(
            likes_effects(activity.graph),
            EventGraph.from_log(EventLog(activity.sequences)),
            name="w",
            activity=activity.name,
            n_prefixes=1,
        )
        strengths = event_strength(questions.queries(), events=questions.events, oracle=oracle)
        assert score_triplets(questions, strengths).accuracy > 0.7

    def test_words_without_any_chance(self):
        def score(prompts, options):
            logs = np.zeros((len(prompts), len(options))) - 1
            logs[:, 0] = -np.inf
            return logs

        oracle = LikelihoodOracle(score, TOY, name="w", activity="a")
        with pytest.raises(DataError, match="no chance after no story"):
            oracle.arms([("A", "C")])
        plain = LikelihoodOracle(score, TOY, name="w", activity="a", corrected=False)
        assert plain.arms([("C", TOY.events[0])]).tolist() == [[0, 0]]

    def test_a_model_that_knows_no_word(self):
        oracle = LikelihoodOracle(
            lambda p, o: np.full((len(p), len(o)), -np.inf), TOY, name="w", activity="a"
        )
        with pytest.raises(DataError, match="none of the options"):
            oracle.arms([("A", "C")])


class Reader:
    """Knows a causal graph; with some chance says something else first."""

    def __init__(self, graph, mumbles):
        self.graph, self.mumbles = graph, mumbles

    def right(self, prompt):
        lines = prompt.split("\n")
        premise, a = lines[1].removeprefix("This happened: ").rstrip("."), lines[3][3:]
        cause = "brought it about" in lines[2]
        return (a in self.graph.ancestors(premise)) if cause else (premise in self.graph.ancestors(a))

    def __call__(self, prompts, _options):
        p = np.array([0.4 if self.right(prompt) else 0.2 for prompt in prompts])
        return np.log(np.column_stack([p, 0.6 - p]))

    def next_tokens(self, prompts):
        letters = [" A" if self.right(prompt) else "B." for prompt in prompts]
        return ["Well" if k % self.mumbles == 0 else letter for k, letter in enumerate(letters)]


class TestMultipleChoice:
    questions = make_triplets(CausalGraph.parse("boil -> pour -> drink; set_table"))

    def ask(self, score):
        return answer_triplets(self.questions, score, name="m", activity="making tea")

    def test_a_model_that_knows(self):
        found = self.ask(Reader(CausalGraph.parse("boil -> pour -> drink; set_table"), mumbles=4))
        assert (found.accuracy, found.agreement, found.first_letter, found.se) == (1, 1, 0.5, 0)
        assert found.success_rate == pytest.approx(1 - 0.5 / 4)
        assert "success rate   0.875" in str(found)

    def test_a_model_that_knows_the_reverse(self):
        found = self.ask(Reader(CausalGraph.parse("drink -> pour -> boil; set_table"), mumbles=10**6))
        assert found.accuracy == 0.5
        assert found.agreement == 0

    @pytest.mark.parametrize(("scores", "first"), [([0.1, 0.9], 0.0), ([0.9, 0.1], 1.0), ([0.5, 0.5], 0.5)])
    def test_a_model_that_always_says_the_same_letter(self, scores, first):
        found = self.ask(lambda p, _o: np.log(np.tile(scores, (len(p), 1))))
        assert (found.accuracy, found.first_letter, found.success_rate) == (0.5, first, None)

    def test_no_questions(self):
        nothing = make_triplets(CausalGraph.parse("a -> b"))
        with pytest.raises(DataError, match="no questions"):
            answer_triplets(nothing, lambda p, o: np.zeros((len(p), 2)), name="m", activity="x")
