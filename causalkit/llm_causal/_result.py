"""What a run found: the graph, what stands behind each arrow, where data and expert disagree, what was spent, and what is still open."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from causalkit._validation import as_cell
from causalkit.exceptions import ParameterError
from causalkit.graph import CausalGraph
from causalkit.llm_causal._exam import ExamResult
from causalkit.llm_causal._ledger import Ledger
from causalkit.llm_causal._questions import Answer, Question, Usage

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BuildResult", "Conflict", "OpenQuestions"]


@dataclass(frozen=True)
class Conflict:
    """Where data and expert, or answers among themselves, disagree.

    Parameters
    ----------
    pair : tuple of (str, str)
        Two variables.
    data : str
        What the data say, with the rule.
    expert : str
        What the expert says, with how often.
    decision : str
        What the graph has.
    why : str
        Why.
    """

    pair: tuple[str, str]
    data: str
    expert: str
    decision: str
    why: str


@dataclass(frozen=True)
class OpenQuestions:
    """What is not decided, and what it would cost to ask.

    Parameters
    ----------
    edges : tuple of (str, str)
        Edges without a direction.
    bits : float
        Entropy that is left over the members of the class.
    estimate : Usage
        Of one question about each of the edges.
    """

    edges: tuple[tuple[str, str], ...]
    bits: float
    estimate: Usage


@dataclass(frozen=True)
class BuildResult:
    """A graph with receipts.

    Parameters
    ----------
    graph : CausalGraph
        Its edges have the columns ``confidence`` (the probability), ``source`` and ``note``. An MPDAG where directions are left open.
    probabilities : mapping of (str, str) to float
        Of every arrow that the graph has or might have.
    conflicts : tuple of Conflict
        Disagreements, each with what was decided.
    answers : tuple of Answer
        All that was answered, in order.
    ledger : Ledger
        What was spent on what.
    exam : ExamResult or None
        How the expert did where the data know better.
    open : OpenQuestions
        What is left.
    complete : bool
        False if the budget was spent, the expert was not used, answers did not come or could not be read, or none of them named a direction.
    notes : tuple of str
        What a reader must know.
    entropy : tuple of float
        Bits that were left before the first question and after each one.
    nothing : str, default=""
        Why nothing was built: no edge that the data leave open got a direction, or, without data, nothing was said of any pair. Empty if something was, or nothing was left to build.
    """

    graph: CausalGraph
    probabilities: Mapping[tuple[str, str], float]
    conflicts: tuple[Conflict, ...]
    answers: tuple[Answer, ...] = field(repr=False)
    ledger: Ledger = field(repr=False)
    exam: ExamResult | None
    open: OpenQuestions
    complete: bool
    notes: tuple[str, ...]
    entropy: tuple[float, ...] = ()
    nothing: str = ""

    def __str__(self) -> str:
        return self.to_markdown()

    @property
    def agreement(self) -> float:
        """How far answers to the same question agree, put in other words and another order: from 0 to 1; NaN if nothing was asked twice.

        The mean over pairs of answers of: whether the choice is the same, for questions with options; the share of arrows that both name, for others.
        """
        by_question: dict[Question, list[Answer]] = {}
        for answer in self.answers:
            if answer.status == "answered" and answer.question.kind != "propose":
                by_question.setdefault(replace(answer.question, sample=0), []).append(answer)
        alike = [_alike(a, b) for same in by_question.values() for a, b in combinations(same, 2)]
        return sum(alike) / len(alike) if alike else float("nan")

    def edge_table(self) -> pd.DataFrame:
        """Return the edges with their receipts.

        Returns
        -------
        pandas.DataFrame
            One row per edge: from, edge, to, probability, source and note.
        """
        import pandas as pd

        columns = ["from", "edge", "to", "probability", "source", "note"]
        return pd.DataFrame(list(self._rows()), columns=columns)

    def conflict_table(self) -> pd.DataFrame:
        """Return the disagreements.

        Returns
        -------
        pandas.DataFrame
            One row per conflict, none if there is none.
        """
        import pandas as pd

        columns = ["u", "v", "data", "expert", "decision", "why"]
        rows = [(*c.pair, c.data, c.expert, c.decision, c.why) for c in self.conflicts]
        return pd.DataFrame(rows, columns=columns)

    def _rows(self) -> Iterable[tuple[str, str, str, float, str, str]]:
        for e in self.graph.edges:
            edge = self.graph.edge_between(e.u, e.v) or ""
            u, v = (e.v, e.u) if edge == "<-" else (e.u, e.v)
            yield (
                u,
                "->" if edge == "<-" else edge,
                v,
                e.data["confidence"],
                e.data["source"],
                e.data["note"],
            )

    def to_markdown(self) -> str:
        """Return a report as text.

        Returns
        -------
        str
            Markdown.
        """
        lines = ["# A graph with receipts", "", *(f"- {text}" for text in self._facts()), ""]
        lines += _table(("from", "edge", "to", "probability", "source", "why"), self._cells())
        if self.conflicts:
            lines += ["", "## Where data and expert disagree", ""]
            rows = ((c.pair[0], c.pair[1], c.data, c.expert, c.decision, c.why) for c in self.conflicts)
            lines += _table(("u", "v", "data", "expert", "decision", "why"), rows)
        if said := list(self._reasons()):
            lines += ["", f"## {SAID}", "", *_table(("asked", "answer", "by", "reasons"), said)]
        return "\n".join(lines)

    def _reasons(self) -> Iterable[tuple[str, str, str, str]]:
        """Yield what experts gave as reasons: their words, in one line, which nobody has checked."""
        for answer in self.answers:
            if answer.rationale.strip():
                about = ", ".join(answer.question.variables) or "all variables"
                yield (
                    f"{answer.question.kind}: {about}",
                    told(answer),
                    answer.expert,
                    in_one_line(answer.rationale),
                )

    def _cells(self) -> Iterable[tuple[str, ...]]:
        return ((u, e, v, f"{p:.2f}", source, note) for u, e, v, p, source, note in self._rows())

    def _facts(self) -> list[str]:
        spent, rest = self.ledger.total, self.open
        facts = list(self.notes)
        facts += [f"Exam: {self.exam}."] if self.exam else []
        facts.append(
            f"Asked: {len(self.answers)} questions, {spent.calls} calls, {spent.tokens} tokens, cost {spent.cost:.4g}."
        )
        if not math.isnan(self.agreement):
            facts.append(
                f"Agreement of answers to the same question, put in other words and another order: {self.agreement:.2f}."
            )
        if rest.edges:
            facts.append(
                f"Open: {len(rest.edges)} directions, {rest.bits:.1f} bits; to ask each once would take {rest.estimate.calls} calls and about {rest.estimate.tokens} tokens."
            )
        return facts

    def to_html(self) -> str:
        """Return a report as one page, with the graph drawn.

        Returns
        -------
        str
            HTML; it loads nothing from elsewhere, and shows words of experts as text.
        """
        safe = html.escape
        facts = "".join(f"<li>{safe(text)}</li>" for text in self._facts())
        edges = _html_table(("from", "edge", "to", "probability", "source", "why"), self._cells())
        rows = [(c.pair[0], c.pair[1], c.data, c.expert, c.decision, c.why) for c in self.conflicts]
        conflicts = "<h2>Where data and expert disagree</h2>" + _html_table(
            ("u", "v", "data", "expert", "decision", "why"), rows
        )
        said = list(self._reasons())
        reasons = f"<h2>{SAID}</h2>" + _html_table(("asked", "answer", "by", "reasons"), said)
        return (
            f"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>A graph with receipts</title>{STYLE}<h1>A graph with receipts</h1>"
            f"{self.graph.to_svg()}<ul>{facts}</ul>{edges}{conflicts if rows else ''}{reasons if said else ''}</html>"
        )

    def save(self, path: str | Path) -> Path:
        """Write the report.

        Parameters
        ----------
        path : str or pathlib.Path
            Ends in ``.html`` or ``.md``; or in ``.csv`` for a sheet to review, see `to_review_sheet`.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ParameterError
            For other endings.
        """
        target = Path(path)
        writers = {".html": self.to_html, ".md": self.to_markdown, ".csv": self.to_review_sheet}
        if target.suffix not in writers:
            raise ParameterError(f"{target.name} must end in .html, .md or .csv")
        target.write_text(writers[target.suffix](), encoding="utf-8")
        return target

    def to_review_sheet(self) -> str:
        """Return the edges as a sheet for people to fill in.

        Returns
        -------
        str
            CSV with the columns u, v, edge, probability, source, note, what experts said, an empty ``verdict`` and an empty ``comment``; `read_review_sheet` reads it back.
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["u", "v", "edge", "probability", "source", "note", "said", "verdict", "comment"])
        for u, edge, v, p, source, note in self._rows():
            reasons = [in_one_line(a.rationale) for a in self.answers if a.about(u, v) is not None]
            said = " / ".join(filter(None, reasons))
            words = [as_cell(c) for c in (source, note, said)]
            writer.writerow([as_cell(u), as_cell(v), edge, f"{p:.3f}", *words, "", ""])
        return out.getvalue()


SAID = "What experts gave as reasons (their words, unchecked)"
STYLE = (
    "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse}"
    "td,th{border-bottom:1px solid #ccc;padding:.2rem .8rem;text-align:left;vertical-align:top}svg{max-width:100%}</style>"
)


def _alike(a: Answer, b: Answer) -> float:
    """Return whether two answers name the same choice, or the share of arrows that both name."""
    if a.question.choices:
        return float(a.choice == b.choice)
    either = set(a.arrows) | set(b.arrows)
    return len(set(a.arrows) & set(b.arrows)) / len(either) if either else 1.0


def in_one_line(text: str) -> str:
    """Return words of an expert as they can stand in a receipt: no line of them can pass for another receipt."""
    return " ".join(text.split())


def told(answer: Answer) -> str:
    """Return what was answered, in a few words."""
    if answer.status != "answered":
        return answer.status
    if answer.question.kind == "propose":
        return ", ".join(p.name for p in answer.proposals) or "none"
    if answer.choice is None:
        unsure = [f"cannot tell of {u} and {v}" for u, v in answer.unsure]
        return "; ".join([f"{u} -> {v}" for u, v in answer.arrows] + unsure) or "no arrows"
    if answer.choice in ("forward", "backward"):
        u, v = answer.question.variables if answer.choice == "forward" else answer.question.variables[::-1]
        return f"{u} -> {v}"
    return answer.choice.replace("_", " ")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(_markdown(str(c)) for c in cells) + " |"

    return [line(head), line("---" for _ in head), *(line(row) for row in rows)]


def _markdown(text: str) -> str:
    """Return a cell in which nothing is a tag, a link or the end of the cell."""
    plain = in_one_line(text).replace("\\", "\\\\").replace("|", "\\|")
    return plain.replace("<", "&lt;").replace("[", "\\[").replace("`", "\\`")


def _html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{html.escape(h)}</th>" for h in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(c))}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"
