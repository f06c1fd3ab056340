"""COLD: questions about daily activities, read from the user's copy, and what they say of the graphs that they were made from.

COLD (Joshi et al. 2024) publishes questions in the words of many people, and no graph. Its licence (CC BY-NC 4.0) does not allow us to pass them on.

The questions still tell the graph. They stand in blocks of as many rows as texts were drawn for one triplet of events, numbered by the first column.
Texts that were drawn for the same place of a block are ways to say the same event, and texts in different places of a block are not; the right choice and the
premise are a cause and its effect. So events, their texts, and who causes whom can be read off; the arrows that others imply are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed, as_generator
from causalkit._validation import check_choice, read_rows
from causalkit.datasets._domain_graphs import graph_of_arrows
from causalkit.exceptions import DataError
from causalkit.graph import CausalGraph, GraphKind

__all__ = ["ColdActivity", "ColdQuestion", "ColdTriplet", "load_cold", "recover_cold"]

COLD = {
    "cake": "baking a cake",
    "shopping": "going grocery shopping",
    "train": "going on a train",
    "tree": "planting a tree",
    "bus": "riding on a bus",
}
# Texts drawn for each triplet of events.
DRAWS = {"cake": 12, "shopping": 5, "train": 11, "tree": 42, "bus": 32}
COLUMNS = ("premise", "choice1", "choice2", "label", "question")

Texts: TypeAlias = tuple[set[str], set[str], set[str]]


@dataclass(frozen=True)
class ColdQuestion:
    """A question of COLD.

    Parameters
    ----------
    premise : str
        What happened.
    choices : tuple of (str, str)
        Two events.
    right : {0, 1}
        Which of them is the answer.
    asks_cause : bool
        Whether the cause of the premise is asked for; else its effect.
    number : int
        Number of the question, as the file gives it in its first column.
    """

    premise: str
    choices: tuple[str, str]
    right: int
    asks_cause: bool
    number: int


def load_cold(
    activity: str, path: str | Path, *, shuffle: bool = False, rng: Seed = 0
) -> tuple[ColdQuestion, ...]:
    """Read questions of COLD from a copy that you have.

    Parameters
    ----------
    activity : {"cake", "shopping", "train", "tree", "bus"}
        Which activity.
    path : str or pathlib.Path
        The CSV file of that activity, or a folder with one file whose name contains the activity.
    shuffle : bool, default=False
        Exchange the two choices of a random half of the questions, together with the label.
    rng : int, numpy.random.Generator or None, default=0
        Seed of the exchange.

    Returns
    -------
    tuple of ColdQuestion
        In the order of the file.

    Raises
    ------
    DataError
        If the file is not there or is not of that form, with the line.

    Notes
    -----
    The data are under CC BY-NC 4.0 and are not part of this package. Get them from the authors: Exploration-Lab/COLD.

    References
    ----------
    A. Joshi, A. Ahmad, A. Modi, "COLD: Causal reasoning in closed daily activities", NeurIPS 2024.
    """
    check_choice("activity", activity, COLD)
    found = tuple(_questions(_file(activity, Path(path))))
    if not shuffle:
        return found
    swap = as_generator(rng).random(len(found)) < 0.5
    return tuple(_swapped(q) if s else q for q, s in zip(found, swap, strict=True))


def _swapped(question: ColdQuestion) -> ColdQuestion:
    first, second = question.choices
    return replace(question, choices=(second, first), right=1 - question.right)


def _file(activity: str, path: Path) -> Path:
    if path.is_file():
        return path
    there = sorted(p for p in path.glob("*.csv") if activity in p.name.lower()) if path.is_dir() else []
    if len(there) != 1:
        raise DataError(
            f"{path} is no file, and no folder with one CSV file named after {activity!r} (found {len(there)}); COLD is not shipped: "
            "get it from Exploration-Lab/COLD and name the file"
        )
    return there[0]


def _questions(path: Path) -> Iterator[ColdQuestion]:
    for line, row in enumerate(read_rows(path, COLUMNS), start=2):
        if row["label"] not in ("0", "1") or row["question"] not in ("cause", "effect"):
            raise DataError(
                f"{path}, line {line}: label {row['label']!r} and question {row['question']!r}; expected 0 or 1, and cause or effect"
            )
        number = next(iter(row.values()))
        if not number.isdecimal() or len(number) > 18:
            raise DataError(
                f"{path}, line {line}: the first column holds {number[:80]!r}; expected the number of the question"
            )
        choices = (row["choice1"], row["choice2"])
        yield ColdQuestion(
            row["premise"], choices, int(row["label"]), row["question"] == "cause", int(number)
        )


# -- the graph behind the questions ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ColdTriplet:
    """A question about events rather than texts.

    Parameters
    ----------
    premise, right, wrong : str
        Events.
    asks_cause : bool
        Whether the cause of the premise is asked for; else its effect.
    """

    premise: str
    right: str
    wrong: str
    asks_cause: bool


@dataclass(frozen=True)
class ColdActivity:
    """What the questions of COLD say of an activity.

    Parameters
    ----------
    name : str
        What is done, in words.
    graph : CausalGraph
        A DAG over the events that occur in questions. Each is named by the text that is drawn most often.
    texts : dict of str to tuple of str
        Ways to say every event, the most frequent first.
    triplets : tuple of ColdTriplet
        The questions about events, in the order of the file. `causalkit.strength.make_triplets` makes the same ones of the graph where the questions tell all of it.
    """

    name: str
    graph: CausalGraph
    texts: dict[str, tuple[str, ...]] = field(repr=False)
    triplets: tuple[ColdTriplet, ...] = field(repr=False)


def recover_cold(activity: str, path: str | Path, *, draws: int | None = None) -> ColdActivity:
    """Recover the causal graph of an activity of COLD from its questions.

    Parameters
    ----------
    activity : {"cake", "shopping", "train", "tree", "bus"}
        Which activity.
    path : str or pathlib.Path
        The CSV file of that activity among the sampled instances (not the "hard" ones, whose questions are chosen otherwise), or a folder with one
        file whose name contains the activity.
    draws : int, optional
        Texts drawn for each triplet; by default the number that the published file was made with: 12, 5, 11, 42 and 32.

    Returns
    -------
    ColdActivity
        Events with their texts, graph, and triplets: 864, 1984, 950, 260 and 334 of them in the published files.

    Raises
    ------
    DataError
        If the file is not there or not of that form, or if its questions contradict one another.

    Notes
    -----
    Not yet run on whole published files, which are not at hand; their form was compared, and files made in that form from other graphs are read back exactly.
    Arrows between events without a question do not show. Two events of which no question says that they have a common cause count as separate.

    References
    ----------
    A. Joshi, A. Ahmad, A. Modi, "COLD: Causal reasoning in closed daily activities", NeurIPS 2024, algorithm 1.
    """
    check_choice("activity", activity, COLD)
    file = _file(activity, Path(path))
    blocks = _blocks(file, draws or DRAWS[activity])
    groups = _events([texts for _, texts in blocks])
    names = [group[0] for group in groups]
    place = {text: k for k, group in enumerate(groups) for text in group}
    triplets = []
    for asks_cause, texts in blocks:
        premise, right, wrong = (_event_of(part, place) for part in texts)
        if len({premise, right, wrong}) < 3:
            raise DataError(
                f"{file}: the texts of two events cannot be told apart: {names[premise]!r}, {names[right]!r}, {names[wrong]!r}"
            )
        triplets.append(ColdTriplet(names[premise], names[right], names[wrong], asks_cause))
    used = {name for t in triplets for name in (t.premise, t.right, t.wrong)}
    kept = {name: tuple(group) for name, group in zip(names, groups, strict=True) if name in used}
    return ColdActivity(COLD[activity], _graph(file, list(kept), triplets), kept, tuple(triplets))


def _blocks(file: Path, draws: int) -> list[tuple[bool, Texts]]:
    """Return, for every triplet, what is asked and the texts of premise, right and wrong choice."""
    blocks = []
    for number, rows in groupby(_questions(file), key=lambda q: q.number // draws):
        questions = list(rows)
        if len({q.asks_cause for q in questions}) > 1:
            raise DataError(
                f"{file}: questions {number * draws} to {(number + 1) * draws - 1} are not about one triplet; is {draws} the number of texts drawn for each?"
            )
        texts: Texts = (
            {q.premise for q in questions},
            {q.choices[q.right] for q in questions},
            {q.choices[1 - q.right] for q in questions},
        )
        blocks.append((questions[0].asks_cause, texts))
    if not blocks:
        raise DataError(f"{file} holds no questions")
    return blocks


def _events(blocks: Sequence[Texts]) -> list[list[str]]:
    """Group texts by events: those drawn together most often first, never two that stand in different places of one block."""
    texts = sorted(set().union(*(part for block in blocks for part in block)))
    place = {text: k for k, text in enumerate(texts)}
    together, apart = (np.zeros((len(texts), len(texts)), dtype=np.int64) for _ in range(2))
    for block in blocks:
        rows = [np.array([place[t] for t in sorted(part)]) for part in block]
        for k, row in enumerate(rows):
            together[np.ix_(row, row)] += 1
            for other in rows[:k]:
                apart[np.ix_(row, other)] = apart[np.ix_(other, row)] = 1
    groups = _merged(together, apart)
    count = together.diagonal()
    return [[texts[k] for k in sorted(group, key=lambda k: (-count[k], texts[k]))] for group in groups]


def _merged(together: NDArray[np.int64], apart: NDArray[np.int64]) -> list[list[int]]:
    group = np.arange(len(together))
    first, second = np.nonzero(np.triu(together, 1))
    for pair in np.argsort(-together[first, second], kind="stable"):
        one, two = group[first[pair]], group[second[pair]]
        if one != two and not apart[np.ix_(group == one, group == two)].any():
            group[group == two] = one
    return [np.flatnonzero(group == g).tolist() for g in np.unique(group)]


def _event_of(texts: set[str], place: dict[str, int]) -> int:
    """Return the event that most of the texts say: a text may say two."""
    counts = Counter(place[text] for text in texts)
    return min(counts, key=lambda event: (-counts[event], event))


def _graph(file: Path, names: list[str], triplets: Sequence[ColdTriplet]) -> CausalGraph:
    """Return the graph of causes and effects without the arrows that others imply."""
    place = {name: k for k, name in enumerate(names)}
    above = np.zeros((len(names), len(names)), dtype=bool)
    for t in triplets:
        cause, effect = (t.right, t.premise) if t.asks_cause else (t.premise, t.right)
        above[place[cause], place[effect]] = True
    longer = (above.astype(int) @ above.astype(int)) > 0
    graph = graph_of_arrows(file, names, above & ~longer)
    if graph.kind is not GraphKind.DAG:
        raise DataError(f"{file}: the right choices say that events cause one another in a circle")
    return graph
