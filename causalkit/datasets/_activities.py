"""Closed daily activities: events, what causes what, how people tell them, and questions about them.

One activity of our own ships with the package. Those of COLD (Joshi et al. 2024) are read from the user's copy, since their licence
(CC BY-NC 4.0) does not allow us to pass them on; COLD publishes questions only, and no graph.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from causalkit._random import Seed, as_generator
from causalkit._validation import check_choice
from causalkit.datasets._bundled import bundled
from causalkit.exceptions import DataError
from causalkit.graph import CausalGraph

__all__ = ["Activity", "ColdQuestion", "load_activity", "load_cold"]

ACTIVITIES = ("repotting",)
COLD = {
    "cake": "baking a cake",
    "shopping": "going grocery shopping",
    "train": "going on a train",
    "tree": "planting a tree",
    "bus": "riding on a bus",
}
COLUMNS = ("premise", "choice1", "choice2", "label", "question")


@dataclass(frozen=True)
class Activity:
    """A daily activity as a small closed world.

    Parameters
    ----------
    name : str
        What is done, in words.
    graph : CausalGraph
        A DAG over the events: what makes what possible, or necessary.
    order : tuple of str
        All events in the usual order of time.
    texts : dict of str to tuple of str
        Ways to say every event.
    sequences : tuple of tuple of str
        Events as different people tell them.
    """

    name: str
    graph: CausalGraph
    order: tuple[str, ...]
    texts: dict[str, tuple[str, ...]] = field(repr=False)
    sequences: tuple[tuple[str, ...], ...] = field(repr=False)


def load_activity(name: str = "repotting") -> Activity:
    """Load an activity that ships with the package.

    Parameters
    ----------
    name : {"repotting"}, default="repotting"
        Repotting a house plant: 20 events with two texts each, 14 causal arrows, 25 sequences. Written for this package; the sequences are
        made up.

    Returns
    -------
    Activity
        Graph, texts and sequences.

    Examples
    --------
    >>> from causalkit.datasets import load_activity
    >>> activity = load_activity()
    >>> activity.graph.parents("set plant"), len(activity.sequences)
    (('tip out', 'make hole'), 25)
    """
    check_choice("name", name, ACTIVITIES)
    content = bundled(name)
    events = tuple(content["events"])
    lines = [
        *(f'"{e}"' for e in events),
        *(f'"{cause}" -> "{effect}"' for cause, effect in content["causes"]),
    ]
    letters = "abcdefghijklmnopqrstuvwxyz"
    sequences = tuple(tuple(events[letters.index(letter)] for letter in s) for s in content["sequences"])
    texts = {event: tuple(said) for event, said in content["events"].items()}
    return Activity(content["activity"], CausalGraph.parse("\n".join(lines)), events, texts, sequences)


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
    """

    premise: str
    choices: tuple[str, str]
    right: int
    asks_cause: bool


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
    return ColdQuestion(question.premise, (second, first), 1 - question.right, question.asks_cause)


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
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [c for c in COLUMNS if c not in (rows.fieldnames or ())]
        if missing:
            raise DataError(f"{path} has no column {missing[0]!r}; COLD's files have {', '.join(COLUMNS)}")
        for line, row in enumerate(rows, start=2):
            if row["label"] not in ("0", "1") or row["question"] not in ("cause", "effect"):
                raise DataError(
                    f"{path}, line {line}: label {row['label']!r} and question {row['question']!r}; expected 0 or 1, and cause or effect"
                )
            choices = (row["choice1"], row["choice2"])
            yield ColdQuestion(row["premise"], choices, int(row["label"]), row["question"] == "cause")
