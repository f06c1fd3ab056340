"""People as experts: sheets of questions that are filled in, and reviews of a graph that come back as claims."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from causalkit._store import make_private
from causalkit._validation import as_cell, read_rows
from causalkit.exceptions import DataError, ParameterError
from causalkit.graph import GraphLike, as_graph
from causalkit.llm_causal._claims import Claim, Relation
from causalkit.llm_causal._questions import PAIRS, Answer, Choice, Question, Usage

__all__ = ["HumanExpert", "claims_of_graph", "read_review_sheet"]

CHOICE_OF: Mapping[str, Choice] = {
    "→": "forward",
    "←": "backward",
    "->": "forward",
    "<-": "backward",
    "both": "both",
    "none": "none",
    "?": "cannot_tell",
}
ALLOWED = "->, <-, both, none, ?"
COLUMNS = ("key", "question", "u", "v", "u_means", "v_means", "verdict", "comment")
ASKED = {
    "orient": "A direct causal relation joins u and v: which way does it go?",
    "direct": "Does u cause v, or v cause u, not through other variables?",
    "ancestral": "Does u cause v, or v cause u, directly or through other variables?",
}


@dataclass
class HumanExpert:
    """A person, who fills in a sheet of questions.

    What is asked is written to a CSV file; answers are read from its column ``verdict``: ``->``, ``<-``, ``both``, ``none`` or ``?``. A question without a verdict is "missing", so that a run is flagged
    as not complete; fill in the sheet and run again.

    Parameters
    ----------
    path : str or pathlib.Path
        The sheet; made if it is not there.
    name : str, default="person"
        Name in receipts.

    Examples
    --------
    >>> from causalkit.llm_causal import HumanExpert
    >>> HumanExpert("questions.csv", name="Dr. Ito").name
    'Dr. Ito'
    """

    path: str | Path
    name: str = "person"
    # A person who is asked the same thing twice copies the first answer.
    repeats: ClassVar[bool] = False

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Read verdicts, and write down what was not asked before.

        Parameters
        ----------
        questions : sequence of Question
            About pairs.

        Returns
        -------
        list of Answer
            Missing where the sheet has no verdict.

        Raises
        ------
        DataError
            If the sheet cannot be read, or holds another verdict; the message names the line.
        ParameterError
            For questions that are not about pairs.
        """
        sheet = self._read()
        fresh = [q for q in questions if q.key not in sheet]
        self._write(fresh)
        return [self._answer(question, sheet.get(question.key, {})) for question in questions]

    def estimate(self, questions: Sequence[Question]) -> Usage:
        """Say what answers would cost: one look each.

        Parameters
        ----------
        questions : sequence of Question
            What would be asked.

        Returns
        -------
        Usage
            Calls only.
        """
        return Usage(calls=len(questions))

    def _answer(self, question: Question, row: Mapping[str, str]) -> Answer:
        verdict = row.get("verdict", "").strip().lower()
        if not verdict:
            return Answer(
                question,
                status="missing",
                problem=f"fill in the column verdict of {self.path}",
                expert=self.name,
                origin="human",
            )
        if verdict not in CHOICE_OF:
            raise DataError(
                f"{self.path}, line {row['line']}: {verdict!r} is no verdict; allowed are {ALLOWED}"
            )
        return Answer(
            question,
            CHOICE_OF[verdict],
            rationale=row.get("comment", ""),
            expert=self.name,
            origin="human",
            usage=Usage(1),
        )

    def _read(self) -> dict[str, dict[str, str]]:
        file = Path(self.path)
        if not file.exists():
            return {}
        rows = read_rows(file, COLUMNS)
        return {row["key"]: {**row, "line": str(k)} for k, row in enumerate(rows, start=2)}

    def _write(self, questions: Sequence[Question]) -> None:
        """Write the whole sheet again, with what stood in it, so that a sheet that was edited and saved in other ways stays whole."""
        if not questions:
            return
        file = Path(self.path)
        before = read_rows(file, COLUMNS) if file.exists() else []
        columns = list(dict.fromkeys([*COLUMNS, *(name for row in before for name in row)]))
        rows = [*before, *(dict(zip(COLUMNS, self._row(question), strict=True)) for question in questions)]
        make_private(file)
        with file.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, columns, lineterminator="\n", restval="")
            writer.writeheader()
            writer.writerows(rows)

    def _row(self, question: Question) -> list[str]:
        if question.kind not in PAIRS:
            raise ParameterError(
                f"a sheet holds questions about pairs; {question.kind!r} is none. Without data, use strategy='pairwise'"
            )
        means = {v.name: v.description for v in question.given}
        u, v = question.variables
        return [
            as_cell(c)
            for c in (question.key, ASKED[question.kind], u, v, means.get(u, ""), means.get(v, ""), "", "")
        ]


def read_review_sheet(
    path: str | Path, *, source: str = "reviewer", probability: float = 0.95
) -> tuple[Claim, ...]:
    """Read the verdicts of a review as claims.

    Parameters
    ----------
    path : str or pathlib.Path
        A sheet that `BuildResult.to_review_sheet` wrote, with verdicts: ``->`` or ``<-`` for an arrow, read from u to v (``→`` and ``←`` will do), ``none`` for no arrow, ``<->`` for a hidden common
        cause without an arrow, ``?`` for no opinion. Rows may be added; those without a verdict say nothing. A column ``comment`` becomes the rationale.
    source : str, default="reviewer"
        Who reviewed.
    probability : float, default=0.95
        Of each verdict.

    Returns
    -------
    tuple of Claim
        For `GraphBuilder`'s ``claims``.

    Raises
    ------
    DataError
        If a verdict or a column is not as expected; the message names the line.

    Examples
    --------
    >>> from causalkit.llm_causal import read_review_sheet
    >>> read_review_sheet("review.csv", source="Dr. Ito")  # doctest: +SKIP
    """
    relations: Mapping[str, tuple[tuple[Relation, bool], ...]] = {
        "->": (("direct", False),),
        "<-": (("direct", True),),
        "→": (("direct", False),),
        "←": (("direct", True),),
        "none": (("no_edge", False),),
        "<->": (("latent", False), ("no_edge", False)),
        "?": (),
        "": (),
    }
    claims = []
    for line, row in enumerate(read_rows(Path(path), ("u", "v", "verdict")), start=2):
        verdict = row["verdict"].strip().lower()
        if verdict not in relations:
            raise DataError(
                f"{path}, line {line}: {verdict!r} is no verdict; allowed are ->, <-, none, <->, ?"
            )
        u, v = (row[c].strip().removeprefix("'") for c in ("u", "v"))
        if not u or not v or u == v:
            raise DataError(f"{path}, line {line}: a verdict is about two variables; got {u!r} and {v!r}")
        for relation, reverse in relations[verdict]:
            pair = (v, u) if reverse else (u, v)
            claims.append(Claim(*pair, relation, probability, source, row.get("comment", "")))
    return tuple(claims)


def claims_of_graph(graph: GraphLike, *, source: str, probability: float = 0.95) -> tuple[Claim, ...]:
    """Read a graph that someone drew, such as one from DAGitty, as claims.

    Parameters
    ----------
    graph : CausalGraph
        Arrows become claims about direct causes, ``<->`` claims about hidden common causes; other edges, and pairs without one, say nothing.
    source : str
        Who drew it.
    probability : float, default=0.95
        Of each claim.

    Returns
    -------
    tuple of Claim
        For `GraphBuilder`'s ``claims``.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.llm_causal import claims_of_graph
    >>> [str(c) for c in claims_of_graph(CausalGraph.parse("A -> B; C"), source="a clinician")]
    ['A causes B directly']
    """
    graph = as_graph(graph)
    claims = []
    for edge in graph.edges:
        if edge.is_bidirected:
            claims.append(Claim(edge.u, edge.v, "latent", probability, source))
        elif edge.is_directed:
            pair = (edge.u, edge.v) if graph.has_directed_edge(edge.u, edge.v) else (edge.v, edge.u)
            claims.append(Claim(*pair, "direct", probability, source))
    return tuple(claims)
