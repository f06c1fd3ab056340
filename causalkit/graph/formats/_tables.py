"""What the formats of discrete networks share: states, tables, and words cut once in time linear in the text."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import FileWarning, ParseError
from causalkit.graph.formats._limits import check_length, check_number_of_nodes

MAX_TEXT = 20_000_000
MAX_ENTRIES = 10_000_000
# What NumPy can hold in every version that is allowed.
MAX_AXES = 32

Floats: TypeAlias = NDArray[np.float64]


class Words:
    """The words of a text, taken from left to right.

    Parameters
    ----------
    text : str
        The text.
    comment, opening : str
        Pattern of comments, and of how they begin.
    marks : str
        Characters that are words of their own.
    """

    def __init__(self, text: str, comment: str, opening: str, marks: str) -> None:
        check_length(text, MAX_TEXT)
        inside = re.escape(marks)
        pattern = re.compile(
            rf"(?P<skip>\s++|{comment})|(?P<quoted>\"(?:[^\"\\]|\\.)*+\")|(?P<mark>[{inside}])|(?P<word>(?:(?!{opening})[^\s\"{inside}])++)|(?P<bad>.)",
            re.DOTALL,
        )
        self._words: list[tuple[bool, str]] = []
        for match in pattern.finditer(text):
            if match.lastgroup == "bad":
                near = " ".join(text[match.start() : match.start() + 30].split())
                raise ParseError(f"a quote or comment that begins with {near!r} does not end")
            if match.lastgroup != "skip":
                self._words.append((match.lastgroup == "mark", match[0]))
        self._place = 0

    def __bool__(self) -> bool:
        return self._place < len(self._words)

    def next_is(self, mark: str) -> bool:
        """Whether the next word is a mark."""
        return bool(self) and self._words[self._place] == (True, mark)

    def take(self, expected: str | None = None) -> str:
        """Take the next word, which must be `expected` if that is given; quotes are left out."""
        is_mark, word = self._words[self._place] if self else (True, "the end of the text")
        if expected is not None and (word != expected):
            raise ParseError(f"expected {expected!r} and found {word[:80]!r}")
        if expected is None and is_mark:
            raise ParseError(f"expected a word and found {word!r}")
        self._place += 1
        return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') and not is_mark else word

    def until(self, *ends: str, skip: str = ",") -> list[str]:
        """Return the words before a mark, without commas; the mark is taken too."""
        words = []
        while not any(self.next_is(end) for end in ends):
            if any(self.next_is(mark) for mark in skip):
                self._place += 1
            else:
                words.append(self.take())
        self._place += 1
        return words

    def until_mark(self, mark: str) -> None:
        """Go to a mark and not past it."""
        while self and not self.next_is(mark):
            self._place += 1

    def skip_to(self, mark: str) -> None:
        """Go past a mark."""
        self.until_mark(mark)
        self.take(mark)

    def skip_block(self, first: str = "{", last: str = "}") -> None:
        """Take everything from a brace to the one that closes it."""
        self.take(first)
        depth = 1
        while depth and self:
            depth += {(True, first): 1, (True, last): -1}.get(self._words[self._place], 0)
            self._place += 1
        if depth:
            raise ParseError(f"{first!r} is never closed")


@dataclass
class Network:
    """What a file says of a discrete network.

    Parameters
    ----------
    with_tables : bool
        Whether states and tables are read and checked; if not, only names and parents are.
    states : dict of str to tuple of str
        States of every variable.
    parents : dict of str to tuple of str
        Parents of every variable whose probabilities are given.
    tables : dict of str to numpy.ndarray
        Probabilities, with one axis per parent and the last for the variable; NaN for a combination that is not listed.
    """

    with_tables: bool
    states: dict[str, tuple[str, ...]] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tables: dict[str, Floats] = field(default_factory=dict)

    def add_variable(self, name: str, values: Sequence[str], declared: int | None = None) -> None:
        """Add a variable, which must be new and have different states, as many as are declared."""
        if name in self.states:
            raise ParseError(f"variable {name!r} is declared twice")
        if self.with_tables and (not values or len(set(values)) != len(values)):
            raise ParseError(
                f"variable {name!r} has states {list(values)[:9]}; at least one is needed and each once"
            )
        if self.with_tables and declared not in (None, len(values)):
            raise ParseError(
                f"variable {name!r} declares {declared} states and lists {len(values)}: {list(values)[:9]}"
            )
        check_number_of_nodes(len(self.states) + 1)
        self.states[name] = tuple(values)

    def add_parents(self, name: str, parents: Sequence[str]) -> None:
        """Add the parents of a variable; if they are given again, the last hold."""
        unknown = [n for n in (name, *parents) if n not in self.states]
        if unknown:
            raise ParseError(
                f"the probabilities of {name!r} given {list(parents)[:9]} do not name known variables: {unknown[:5]}"
            )
        if len({name, *parents}) != len(parents) + 1:
            raise ParseError(f"the probabilities of {name!r} given {list(parents)[:9]} name a variable twice")
        if name in self.parents:
            message = f"probabilities of {name!r} are given more than once; the last hold"
            warnings.warn(message, FileWarning, stacklevel=2)
        self.parents[name] = tuple(parents)

    def empty_table(self, name: str) -> Floats:
        """Return a table to fill, after a look at its size."""
        shape = [len(self.states[n]) for n in (*self.parents[name], name)]
        if len(shape) > MAX_AXES:
            raise ParseError(f"{name!r} has {len(shape) - 1} parents; at most {MAX_AXES - 1} are read")
        if np.prod(shape, dtype=float) > MAX_ENTRIES:
            raise ParseError(f"the table of {name!r} has more than {MAX_ENTRIES} entries")
        return np.full(shape, np.nan)

    def add_numbers(self, name: str, words: Sequence[str]) -> None:
        """Fill a table by a list in which the variable varies fastest and its first parent slowest."""
        table = self.empty_table(name)
        numbers = numbers_of(words, name)
        check_size(numbers, table, name)
        self.tables[name] = np.reshape(numbers, table.shape)

    def complete(self) -> Network:
        """Refuse a network without variables, or with variables without probabilities; without tables these are said."""
        missing = [name for name in self.states if name not in self.parents]
        if not self.states:
            raise ParseError("the network has no variables")
        if missing and self.with_tables:
            raise ParseError(f"no probabilities are given for {missing[:5]}")
        if missing:
            message = (
                f"no probabilities are given for {missing[:5]}, so that nothing is said of their parents"
            )
            warnings.warn(message, FileWarning, stacklevel=2)
        self.parents |= dict.fromkeys(missing, ())
        return self


def numbers_of(words: Sequence[str], name: str) -> list[float]:
    """Read probabilities."""
    return [_probability(word, name) for word in words]


def _probability(word: str, name: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = np.nan
    if not 0 <= value <= 1:
        raise ParseError(f"{word[:80]!r} among the probabilities of {name!r} is not a number from 0 to 1")
    return value


def check_size(words: Sequence[object], table: Floats, name: str) -> None:
    """Refuse a list that does not fill a table."""
    if len(words) != table.size:
        raise ParseError(f"the table of {name!r} needs {table.size} numbers and has {len(words)}")
