"""Questions of COLD: files in the published form are read, and tell the graph that they were made from."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from causalkit.datasets import load_activity, load_cold, recover_cold
from causalkit.exceptions import DataError
from causalkit.graph import CausalGraph
from causalkit.graph._random_graphs import random_dag
from causalkit.strength import make_triplets

HEAD = ["", "premise", "choice1", "choice2", "label", "question"]


def texts_of(graph, number=6):
    return {node: [f"{node} said {k}" for k in range(number)] for node in graph.nodes}


def write(file, graph, *, draws, texts=None, seed=0):
    """Write a file as COLD's are: so many draws for every triplet, repeated rows dropped, choices exchanged at random."""
    rng = np.random.default_rng(seed)
    texts = texts or texts_of(graph)
    rows, seen = [], set()
    for block, row in enumerate(make_triplets(graph).to_pandas().itertuples(index=False)):
        for k in range(draws):
            premise, right, wrong = (str(rng.choice(texts[e])) for e in (row.premise, row.right, row.wrong))
            if (block, premise, right, wrong) in seen:
                continue
            seen.add((block, premise, right, wrong))
            label = int(rng.integers(2))
            choices = (wrong, right) if label else (right, wrong)
            rows.append([block * draws + k, premise, *choices, label, row.question])
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([HEAD, *rows])
    return file


def by_event(name):
    """Return the event that a text says."""
    return name.split(" said ")[0]


def as_set(triplets):
    return {(t.premise, t.right, t.wrong, t.asks_cause) for t in triplets}


def made(graph):
    frame = make_triplets(graph).to_pandas()
    return {(r.premise, r.right, r.wrong, r.question == "cause") for r in frame.itertuples(index=False)}


class TestRecovered:
    @pytest.mark.parametrize(("draws", "seed"), [(42, 0), (32, 1), (12, 2), (11, 3), (5, 4)])
    def test_a_graph_is_read_off_its_questions(self, tmp_path, draws, seed):
        truth = random_dag(9, expected_degree=1.2, rng=seed)
        file = write(tmp_path / "planting a tree.csv", truth, draws=draws, seed=seed)
        found = recover_cold("tree", file, draws=draws)
        events = {name: {by_event(t) for t in said} for name, said in found.texts.items()}
        assert all(len(group) == 1 for group in events.values())
        triplets = {(by_event(p), by_event(r), by_event(w), asks) for p, r, w, asks in as_set(found.triplets)}
        assert triplets == made(truth)
        assert as_set(found.triplets) == made(found.graph)
        ancestors = {(by_event(a), b) for b in truth.nodes for a in truth.ancestors(b) if a != b}
        told = {
            (by_event(a), by_event(b)) for b in found.graph.nodes for a in found.graph.ancestors(b) if a != b
        }
        assert told <= ancestors

    def test_the_shipped_activity_comes_back_without_implied_arrows(self, tmp_path):
        activity = load_activity()
        texts = {event: list(said) for event, said in activity.texts.items()}
        file = write(tmp_path / "going on a train.csv", activity.graph, draws=11, texts=texts)
        found = recover_cold("train", tmp_path)
        assert file.exists()
        assert found.name == "going on a train"
        event = {text: name for name, said in texts.items() for text in said}
        named = [event[node] for node in found.graph.nodes]
        arrows = {(event[e.u], event[e.v]) for e in found.graph.edges if e.is_directed}
        assert len(set(named)) == len(named)
        direct = {(e.u, e.v) for e in activity.graph.edges}
        assert arrows <= direct
        assert len(found.triplets) == len(make_triplets(activity.graph))

    def test_a_text_that_says_two_events_joins_them_not(self, tmp_path):
        truth = CausalGraph.parse("a -> b; c -> d; e -> f")
        texts = texts_of(truth, 5)
        texts["a"].append("go home")
        texts["d"].append("go home")
        found = recover_cold("bus", write(tmp_path / "bus.csv", truth, draws=32, texts=texts))
        assert len(found.graph.nodes) == 6
        assert as_set(found.triplets) == made(found.graph)
        arrows = {(by_event(e.u), by_event(e.v)) for e in found.graph.edges}
        assert arrows == {("a", "b"), ("c", "d"), ("e", "f")}

    def test_another_number_of_draws_is_noticed(self, tmp_path):
        file = write(tmp_path / "cake.csv", CausalGraph.parse("a -> b; c -> d"), draws=12)
        with pytest.raises(DataError, match="is 32 the number of texts drawn"):
            recover_cold("cake", file, draws=32)

    def test_a_circle_is_an_error(self, tmp_path):
        file = tmp_path / "cake.csv"
        rows = [[0, "a", "b", "z", 0, "cause"], [12, "b", "a", "z", 0, "cause"]]
        with file.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([HEAD, *rows])
        with pytest.raises(DataError, match="in a circle"):
            recover_cold("cake", file)


class TestQuestions:
    def test_labels_move_with_choices(self, tmp_path):
        file = write(tmp_path / "baking a cake.csv", CausalGraph.parse("a -> b; c -> d"), draws=12)
        plain = load_cold("cake", tmp_path)
        moved = load_cold("cake", file, shuffle=True, rng=1)
        assert [q.number for q in plain] == [q.number for q in moved]
        assert [q.choices[q.right] for q in plain] == [q.choices[q.right] for q in moved]
        assert 0 < sum(a.right != b.right for a, b in zip(plain, moved, strict=True)) < len(plain)
        assert load_cold("cake", file, shuffle=True, rng=1) == moved

    @pytest.mark.parametrize("first", ["", "Unnamed: 0"])
    def test_both_published_headings(self, tmp_path, first):
        file = tmp_path / "tree.csv"
        file.write_text(
            f'{first},premise,choice1,choice2,label,question\n7,"get shovel,gloves.",dig.,water.,1,effect\n',
            encoding="utf-8",
        )
        (question,) = load_cold("tree", file)
        assert question.premise == "get shovel,gloves."
        assert (question.right, question.asks_cause, question.number) == (1, False, 7)

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("0,p,a,b,2,cause", "line 2: label '2'"),
            ("0,p,a,b,1,why", "question 'why'"),
            ("x,p,a,b,1,cause", "holds 'x'"),
        ],
    )
    def test_lines_that_are_no_questions(self, tmp_path, line, said):
        file = tmp_path / "bus.csv"
        file.write_text(f",premise,choice1,choice2,label,question\n{line}\n", encoding="utf-8")
        with pytest.raises(DataError, match=said):
            load_cold("bus", file)

    def test_no_file_no_column_no_question(self, tmp_path):
        with pytest.raises(DataError, match="COLD is not shipped"):
            load_cold("bus", tmp_path)
        file = tmp_path / "bus.csv"
        file.write_text(",premise,choice1,choice2,label\n", encoding="utf-8")
        with pytest.raises(DataError, match="no column 'question'"):
            load_cold("bus", tmp_path)
        file.write_text(",premise,choice1,choice2,label,question\n", encoding="utf-8")
        with pytest.raises(DataError, match="no questions"):
            recover_cold("bus", tmp_path)
