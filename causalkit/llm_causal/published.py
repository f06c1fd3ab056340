"""Published answers of language models to causal questions, read from your copy of the authors' files, and their scores.

The files are those of ``amit-sharma/chatgpt-causality-pairs`` (MIT licence): one JSON line per question, with the whole response of the server. Nothing of them ships with the package.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np

from causalkit._validation import check_choice, parse_json, read_rows, read_utf8
from causalkit.exceptions import DataError
from causalkit.llm_causal._questions import Usage

__all__ = [
    "ArcticScore",
    "PublishedAnswer",
    "PublishedScore",
    "read_published",
    "score_actual_causality",
    "score_arctic",
    "score_neuropathic",
    "score_tuebingen",
]

TAG = re.compile(r"<answer>\s*(.*?)\s*</answer>", re.IGNORECASE | re.DOTALL)
CLAIM = re.compile(r"^[AB]\. Changing (.+?) can directly change (.+?)\.$", re.MULTILINE)


@dataclass(frozen=True)
class PublishedAnswer:
    """One published answer.

    Parameters
    ----------
    name : str
        Of the question.
    prompt : str
        What was asked.
    text : str
        The whole answer.
    choice : str
        What stands in its last answer tag; empty if there is none.
    usage : Usage
        Tokens as the server counted them.
    """

    name: str
    prompt: str
    text: str
    choice: str
    usage: Usage


@dataclass(frozen=True)
class PublishedScore:
    """Share of right answers.

    Parameters
    ----------
    right, total : int
        Numbers of questions.
    weighted : float
        Share where each question has the weight of its pair; equal to `accuracy` where there are no weights.
    tokens : int
        Of all questions together.
    """

    right: int
    total: int
    weighted: float
    tokens: int

    @property
    def accuracy(self) -> float:
        """Share of right answers; one without a choice is wrong."""
        return self.right / self.total


@dataclass(frozen=True)
class ArcticScore:
    """A graph from answers about all pairs, beside the experts' graph, both of which may have cycles.

    Parameters
    ----------
    n_edges : int
        Arrows that were claimed.
    distance : float
        Normalised Hamming distance: share of ordered pairs, and of nodes with themselves, on which the graphs differ.
    ratio : float
        To the distance of a graph with as many arrows of which none is right.
    f1 : float
        Harmonic mean of precision and recall of arrows.
    """

    n_edges: int
    distance: float
    ratio: float
    f1: float


def read_published(path: str | Path) -> tuple[PublishedAnswer, ...]:
    """Read a file of published answers.

    Parameters
    ----------
    path : str or pathlib.Path
        JSON lines with ``pair_id``, ``prompt`` and ``result``, the response of a chat server.

    Returns
    -------
    tuple of PublishedAnswer
        In the order of the file.

    Raises
    ------
    DataError
        If a line is not of this form.

    References
    ----------
    E. Kıcıman, R. Ness, A. Sharma, C. Tan, "Causal reasoning and large language models: opening a new frontier for causality", TMLR 2024.

    Examples
    --------
    >>> from causalkit.llm_causal.published import read_published
    >>> read_published("gpt-4_single.jsonl")  # doctest: +SKIP
    """
    file = Path(path)
    lines = read_utf8(file).split("\n")
    if not any(map(str.strip, lines)):
        raise DataError(f"{file} holds no answers")
    return tuple(_answer(line, file, k) for k, line in enumerate(lines, start=1) if line.strip())


def _answer(line: str, file: Path, number: int) -> PublishedAnswer:
    record = parse_json(line, f"{file}, line {number}")
    try:
        text = str(record["result"]["choices"][0]["message"]["content"])
        usage = record["result"].get("usage") or {}
        name, prompt = str(record["pair_id"]).strip(", "), str(record["prompt"])
        spent = Usage(1, int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0)))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as problem:
        raise DataError(f"{file}, line {number} holds no published answer: {problem!r}") from problem
    tags = TAG.findall(text)
    return PublishedAnswer(name, prompt, text, tags[-1].strip() if tags else "", spent)


def _score(
    answers: Iterable[PublishedAnswer], truth: Iterable[str], weights: Iterable[float] | None = None
) -> PublishedScore:
    given = list(answers)
    right = np.array([a.choice.casefold() == t.strip().casefold() for a, t in zip(given, truth, strict=True)])
    weight = np.ones(len(given)) if weights is None else np.array(list(weights))
    return PublishedScore(
        int(right.sum()), len(given), float(weight @ right / weight.sum()), sum(a.usage.tokens for a in given)
    )


def score_tuebingen(answers: str | Path, pairs: str | Path) -> PublishedScore:
    """Score answers about the direction of the Tübingen pairs.

    Parameters
    ----------
    answers : str or pathlib.Path
        Answers A or B to one question per pair, in which A says that the first variable of the file is the cause.
    pairs : str or pathlib.Path
        ``pairmeta.txt`` of the pairs.

    Returns
    -------
    PublishedScore
        Plain, and with the weights of the pairs.

    Raises
    ------
    DataError
        If a pair is not in the list.

    Examples
    --------
    >>> from causalkit.llm_causal.published import score_tuebingen
    >>> score_tuebingen("gpt-4_single.jsonl", "pairmeta.txt").accuracy  # doctest: +SKIP
    0.963
    """
    given = read_published(answers)
    rows = [line.split() for line in _text(pairs).split("\n") if line.strip()]
    known = {row[0]: row for row in rows if len(row) == 6}
    absent = [a.name for a in given if a.name.removeprefix("pair") not in known]
    if absent:
        raise DataError(f"{pairs} has no pair {absent[0]!r}")
    listed = [known[a.name.removeprefix("pair")] for a in given]
    return _score(
        given, ["A" if int(r[1]) < int(r[3]) else "B" for r in listed], [float(r[5]) for r in listed]
    )


def score_neuropathic(answers: str | Path, prompts: str | Path) -> PublishedScore:
    """Score answers about the direction of arrows of the neuropathic pain graph.

    Parameters
    ----------
    answers : str or pathlib.Path
        Answers A or B.
    prompts : str or pathlib.Path
        CSV with ``pair_id`` and ``groundtruth``.

    Returns
    -------
    PublishedScore
        An answer that is neither A nor B is wrong.

    Examples
    --------
    >>> from causalkit.llm_causal.published import score_neuropathic
    >>> score_neuropathic("gpt-4_pairs.jsonl", "prompts.csv").accuracy  # doctest: +SKIP
    0.962
    """
    given = read_published(answers)
    truth = {row["pair_id"]: row["groundtruth"] for row in _rows(prompts, ("pair_id", "groundtruth"))}
    absent = [a.name for a in given if a.name not in truth]
    if absent:
        raise DataError(f"{prompts} has no question {absent[0]!r}")
    return _score(given, [truth[a.name] for a in given])


def score_actual_causality(
    answers: str | Path, truth: str | Path, question: Literal["necessary", "sufficient"]
) -> PublishedScore:
    """Score answers about necessary or sufficient causes in short stories.

    Parameters
    ----------
    answers : str or pathlib.Path
        Answers yes or no; each story is asked about twice.
    truth : str or pathlib.Path
        CSV with ``pair_id``, ``ans_type`` ("nec" or "suff") and ``groundtruth``.
    question : {"necessary", "sufficient"}
        Which of the questions.

    Returns
    -------
    PublishedScore
        Of this question.

    Examples
    --------
    >>> from causalkit.llm_causal.published import score_actual_causality
    >>> score_actual_causality("gpt-4_classic.jsonl", "groundtruth.csv", "necessary").right  # doctest: +SKIP
    13
    """
    check_choice("question", question, ("necessary", "sufficient"))
    short = {"necessary": "nec", "sufficient": "suff"}[question]
    rows = _rows(truth, ("pair_id", "ans_type", "groundtruth"))
    known = {row["pair_id"]: row["groundtruth"] for row in rows if row["ans_type"] == short}
    given = [a for a in read_published(answers) if f" a {question} cause" in a.prompt]
    if {a.name for a in given} != set(known):
        raise DataError(f"{answers} and {truth} are not about the same stories")
    return _score(given, [known[a.name] for a in given])


def score_arctic(answers: str | Path, variables: str | Path, truth: str | Path) -> ArcticScore:
    """Score answers about all pairs of the Arctic sea ice variables.

    Parameters
    ----------
    answers : str or pathlib.Path
        Answers A (the first directly changes the second), B (the reverse), C (both) or D (neither), whose prompts name the variables.
    variables : str or pathlib.Path
        Lines ``code: words``.
    truth : str or pathlib.Path
        CSV of 0 and 1 with codes in the first row and column; a row causes the columns with 1.

    Returns
    -------
    ArcticScore
        Variables are found by their words in the prompts, not by their numbers.

    Raises
    ------
    DataError
        If a prompt names no variable that is known, or a pair is not there.

    Examples
    --------
    >>> from causalkit.llm_causal.published import score_arctic
    >>> score_arctic("gpt-4_run2.jsonl", "variables.txt", "expert_graph.csv").distance  # doctest: +SKIP
    0.222
    """
    words = dict(line.split(": ", 1)[::-1] for line in _text(variables).split("\n") if ": " in line)
    with io.StringIO(_text(truth), newline="") as file:
        table = [row for row in csv.reader(file) if row]
    place = {code.strip(): k for k, code in enumerate(table[0][1:])}
    true = np.array([[int(cell) for cell in row[1:]] for row in table[1:]], dtype=bool)
    claimed, seen = np.zeros_like(true), set()
    for answer in read_published(answers):
        i, j = _named(answer, {text.strip(): place[code] for text, code in words.items()})
        seen.add(frozenset((i, j)))
        claimed[i, j] |= answer.choice in ("A", "C")
        claimed[j, i] |= answer.choice in ("B", "C")
    if len(seen) != len(list(combinations(place, 2))):
        raise DataError(
            f"{answers} has answers about {len(seen)} pairs; {len(list(combinations(place, 2)))} are expected"
        )
    both, cells = int((claimed & true).sum()), true.size
    distance = float((claimed ^ true).sum() / cells)
    worst = float((claimed.sum() + true.sum()) / cells)
    return ArcticScore(
        int(claimed.sum()), distance, distance / worst, float(2 * both / (claimed.sum() + true.sum()))
    )


def _named(answer: PublishedAnswer, words: Mapping[str, int]) -> tuple[int, int]:
    found = CLAIM.search(answer.prompt)
    if found is None or not {found[1], found[2]} <= set(words):
        raise DataError(f"the prompt of {answer.name!r} names no two variables that are known")
    return words[found[1]], words[found[2]]


def _text(path: str | Path) -> str:
    return read_utf8(Path(path))


def _rows(path: str | Path, columns: Iterable[str]) -> list[dict[str, str]]:
    return read_rows(Path(path), list(columns))
