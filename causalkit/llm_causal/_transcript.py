"""Transcripts: every question with its answer, line by line, so that a graph can be built again without asking anyone.

The first line says which version it is and what the variables are called; each other line holds an answer with its question, its purpose, what was sent and received if a server was asked, and
when. A transcript, not a seed, is what makes a result with a language model reproducible.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from causalkit._store import make_private, redact
from causalkit._validation import parse_json, read_utf8
from causalkit.exceptions import DataError
from causalkit.llm_causal._questions import Answer, Question, Usage
from causalkit.llm_causal._variables import Variable

__all__ = ["ReplayExpert", "Transcript"]

VERSION = 1


class Transcript:
    """Answers, kept in memory and, if there is a path, in a file of JSON lines.

    Parameters
    ----------
    variables : sequence of Variable
        What the questions are about.
    path : str or pathlib.Path, optional
        File that each answer is added to as it comes. An existing file is gone on with if it is about the same variables.

    Raises
    ------
    DataError
        If the file is no transcript, of another version, or about other variables, or its folder is not there.

    Examples
    --------
    >>> from causalkit.llm_causal import Answer, Question, Transcript, as_variables
    >>> transcript = Transcript(as_variables(["A", "B"]))
    >>> transcript.add(Answer(Question("direct", ("A", "B")), "forward"), "orientation")
    >>> len(transcript.answers)
    1
    """

    def __init__(self, variables: Sequence[Variable], path: str | Path | None = None) -> None:
        self.variables = tuple(variables)
        self.path = None if path is None else Path(path)
        self.answers: list[Answer] = []
        if self.path is not None:
            self._open(self.path)

    def _open(self, path: Path) -> None:
        if path.exists() and path.stat().st_size:
            before = read_transcript(path)
            if before.variables != self.variables:
                raise DataError(
                    f"{path} is a transcript about other variables; give another path, or remove it"
                )
            self.answers = before.answers
            _end_line(path)
            return
        if not path.parent.is_dir():
            raise DataError(f"there is no folder {path.parent} for the transcript")
        header = {"causalkit_transcript": VERSION, "variables": [asdict(v) for v in self.variables]}
        make_private(path)
        path.write_text(_line(header), encoding="utf-8")

    def add(self, answer: Answer, purpose: str, exchange: Sequence[Any] = ()) -> None:
        """Keep an answer.

        Parameters
        ----------
        answer : Answer
            With its question.
        purpose : str
            What it was asked for.
        exchange : sequence
            What was sent and received, as plain data; no keys.
        """
        self.answers.append(answer)
        if self.path is None:
            return
        when = datetime.now(UTC).isoformat(timespec="seconds")
        record = {"purpose": purpose, "when": when, "answer": answer.to_dict(), "exchange": list(exchange)}
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(record))
        except OSError as problem:
            raise DataError(
                f"the transcript {self.path} cannot be written: {problem}; answers that came are in its memory"
            ) from problem


def _end_line(path: Path) -> None:
    """Take out a last line that was cut off, or end it if it is the first, so that what is added stands on lines of its own."""
    text = path.read_text(encoding="utf-8")
    if not text.endswith("\n"):
        whole = text[: text.rfind("\n") + 1]
        path.write_text(whole or f"{text}\n", encoding="utf-8")


def _line(content: Any) -> str:
    return redact(json.dumps(content, ensure_ascii=False, sort_keys=True)) + "\n"


def read_transcript(path: str | Path) -> Transcript:
    """Read a transcript; a last line that was cut off while it was written is left out."""
    file = Path(path)
    if not file.is_file():
        raise DataError(f"there is no transcript {file}")
    try:
        lines = read_utf8(file).split("\n")
    except DataError as problem:
        raise DataError(f"{file} is no transcript: {problem}") from None
    header = _parsed(lines[0], file, 1)
    if "causalkit_transcript" not in header:
        raise DataError(f"{file} is no transcript: its first line does not say which version it is")
    if header["causalkit_transcript"] != VERSION:
        raise DataError(
            f"{file} is a transcript of version {header['causalkit_transcript']!r}; this is read by causalkit only in version {VERSION}"
        )
    try:
        transcript = Transcript([Variable(**v) for v in header.get("variables", [])])
    except TypeError as problem:
        raise DataError(f"{file}, line 1 describes variables in another way: {problem}") from problem
    records = [(k, _parsed(line, file, k)) for k, line in enumerate(lines[1:-1], start=2) if line]
    second = next((k for k, record in records if "answer" not in record), None)
    if second is not None:
        raise DataError(f"{file}, line {second} begins another transcript; keep each in a file of its own")
    transcript.answers = [Answer.from_dict(record["answer"]) for _, record in records]
    return transcript


def _parsed(line: str, file: Path, number: int) -> Any:
    content = parse_json(line, f"{file}, line {number}")
    if not isinstance(content, dict) or not ({"answer", "causalkit_transcript"} & set(content)):
        raise DataError(f"{file}, line {number} holds no answer")
    return content


class ReplayExpert:
    """An expert who repeats the answers of a transcript, and knows no others.

    Parameters
    ----------
    transcript : str, pathlib.Path or Transcript
        Answers by question. Of several answers to one question the last counts, unless it did not come. What was missing is missing again, and a run that ended for lack of
        budget ends there again.

    Raises
    ------
    DataError
        If it is no transcript.

    Examples
    --------
    >>> from causalkit.llm_causal import Answer, Question, ReplayExpert, Transcript, as_variables
    >>> transcript = Transcript(as_variables(["A", "B"]))
    >>> transcript.add(Answer(Question("direct", ("A", "B")), "forward"), "orientation")
    >>> ReplayExpert(transcript).answer([Question("direct", ("A", "B"))])[0].choice
    'forward'
    """

    def __init__(self, transcript: str | Path | Transcript) -> None:
        self.transcript = transcript if isinstance(transcript, Transcript) else read_transcript(transcript)
        came = [a for a in self.transcript.answers if a.status != "missing"]
        lost = [a for a in self.transcript.answers if a.status == "missing"]
        self._known = {a.question.key: a for a in (*lost, *came)}
        self._told = {v.name: v for v in self.transcript.variables}

    @property
    def name(self) -> str:
        """The experts of the transcript."""
        names = dict.fromkeys(a.expert for a in self._known.values())
        return ", ".join(filter(None, names)) or "replay"

    def __repr__(self) -> str:
        return f"ReplayExpert({len(self._known)} answers of {self.name})"

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Repeat recorded answers.

        Parameters
        ----------
        questions : sequence of Question
            Each must stand in the transcript.

        Returns
        -------
        list of Answer
            As recorded, with what they cost then.

        Raises
        ------
        DataError
            If a question was not asked, or what was said of a variable has changed since.
        """
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Answer:
        for variable in question.given:
            if self._told.get(variable.name, variable) != variable:
                raise DataError(
                    f"the transcript describes {variable.name!r} differently; its answers are to other questions"
                )
        if question.key not in self._known:
            raise DataError(
                f"the transcript has no answer to the {question.kind!r} question {question.sample} about {', '.join(question.variables) or 'all variables'}; "
                f"it has {len(self._known)} answers to others"
            )
        return replace(self._known[question.key], question=question)

    def estimate(self, questions: Sequence[Question]) -> Usage:
        """Say what the answers cost when they were recorded.

        Parameters
        ----------
        questions : sequence of Question
            What would be asked.

        Returns
        -------
        Usage
            Of those that are in the transcript.
        """
        return sum((self._known[q.key].usage for q in questions if q.key in self._known), Usage())
