"""Reading Bayesian networks from BIF text, the format of the common repositories of discrete networks.

A file has blocks ``variable X { type discrete [ 2 ] { yes, no }; }`` and ``probability ( X | A, B ) { (yes, no) 0.1, 0.9; ... }``;
a node without parents has ``table 0.1, 0.9;``. Properties and comments are skipped. The text is cut into tokens once, so
that reading takes linear time, and nothing in it is executed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import ParseError

MAX_TEXT = 20_000_000
MAX_ENTRIES = 10_000_000

_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"[^"\n]*"|[(){}\[\];,|]|[^\s(){}\[\];,|"]+', re.DOTALL)

Tables = dict[str, tuple[tuple[str, ...], NDArray[np.float64]]]


class _Tokens:
    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEXT:
            raise ParseError(f"the text has {len(text)} characters; at most {MAX_TEXT} are read")
        self._left = [t for t in _TOKEN.findall(text) if not t.startswith(("//", "/*"))][::-1]

    def __bool__(self) -> bool:
        return bool(self._left)

    def take(self, expected: str | None = None) -> str:
        token = self._left.pop() if self._left else "the end of the text"
        if expected is not None and token != expected:
            raise ParseError(f"expected {expected!r} and found {token!r}")
        return token.strip('"')

    def until(self, end: str) -> list[str]:
        """Return the words before a mark, without commas; the mark is taken too."""
        words = []
        while (token := self.take()) != end:
            if token in ("{", "}", "the end of the text"):
                raise ParseError(f"expected {end!r} and found {token!r}")
            if token != ",":
                words.append(token)
        return words

    def skip_block(self) -> None:
        self.take("{")
        depth = 1
        while depth and self:
            depth += {"{": 1, "}": -1}.get(self.take(), 0)


def read_bif(text: str) -> tuple[dict[str, tuple[str, ...]], Tables]:
    """Return states of every variable, and parents and table of every variable; the last axis of a table is the variable."""
    tokens, states = _Tokens(text), dict[str, tuple[str, ...]]()
    tables: Tables = {}
    while tokens:
        word = tokens.take()
        if word == "network":
            while tokens and tokens._left[-1] != "{":
                tokens.take()
            tokens.skip_block()
        elif word == "variable":
            name, values = _variable(tokens)
            states[name] = values
        elif word == "probability":
            name, parents, table = _probability(tokens, states)
            tables[name] = (parents, table)
        else:
            raise ParseError(f"expected 'network', 'variable' or 'probability' and found {word!r}")
    missing = [name for name in states if name not in tables]
    if missing:
        raise ParseError(f"no probabilities are given for {missing[:5]}")
    return states, tables


def _variable(tokens: _Tokens) -> tuple[str, tuple[str, ...]]:
    name = tokens.take()
    tokens.take("{")
    values: tuple[str, ...] = ()
    while (word := tokens.take()) != "}":
        if word == "type":
            _discrete(tokens, name)
            values = tuple(tokens.until("}"))
            tokens.take(";")
        elif word == "property":
            tokens.until(";")
        else:
            raise ParseError(f"variable {name!r}: expected 'type' or 'property' and found {word!r}")
    if not values or len(set(values)) != len(values):
        raise ParseError(f"variable {name!r} has states {list(values)}; at least one is needed and each once")
    return name, values


def _discrete(tokens: _Tokens, name: str) -> None:
    kind = tokens.take()
    if kind != "discrete":
        raise ParseError(f"variable {name!r} is {kind!r}; only discrete variables can be read")
    tokens.take("[")
    tokens.until("]")
    tokens.take("{")


def _probability(
    tokens: _Tokens, states: Mapping[str, tuple[str, ...]]
) -> tuple[str, tuple[str, ...], NDArray[np.float64]]:
    tokens.take("(")
    words = tokens.until(")")
    names = [w for w in words if w != "|"]
    unknown = [n for n in names if n not in states]
    if unknown or not names or (len(names) > 1 and words[1] != "|"):
        raise ParseError(f"probability ( {' '.join(words)} ) does not name known variables as 'X | parents'")
    name, parents = names[0], tuple(names[1:])
    shape = [len(states[n]) for n in (*parents, name)]
    if np.prod(shape, dtype=float) > MAX_ENTRIES:
        raise ParseError(f"the table of {name!r} has more than {MAX_ENTRIES} entries")
    table = np.full(shape, np.nan)
    tokens.take("{")
    for key, numbers in _rows(tokens, name):
        _fill(table, name, parents, states, key, numbers)
    if np.isnan(table).any():
        raise ParseError(f"the table of {name!r} misses a combination of its parents")
    return name, parents, table


def _rows(tokens: _Tokens, name: str) -> Iterator[tuple[list[str] | None, list[float]]]:
    """Yield states of the parents, or None for a whole table or default, with numbers."""
    while (word := tokens.take()) != "}":
        if word == "property":
            tokens.until(";")
            continue
        if word not in ("(", "table", "default"):
            raise ParseError(
                f"probabilities of {name!r}: expected '(', 'table' or 'default' and found {word!r}"
            )
        key = tokens.until(")") if word == "(" else None
        yield key, [_number(value, name) for value in tokens.until(";")]


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not 0 <= value <= 1:
        raise ParseError(f"{text!r} among the probabilities of {name!r} is not a number from 0 to 1")
    return value


def _fill(
    table: NDArray[np.float64],
    name: str,
    parents: tuple[str, ...],
    states: Mapping[str, tuple[str, ...]],
    key: list[str] | None,
    numbers: list[float],
) -> None:
    """Write one row; a row without states fills what is not yet filled."""
    if key is None:
        size = table.size if len(numbers) == table.size else table.shape[-1]
        if len(numbers) != size:
            raise ParseError(f"the table of {name!r} needs {table.size} numbers and has {len(numbers)}")
        np.copyto(
            table,
            np.broadcast_to(np.reshape(numbers, table.shape if size == table.size else -1), table.shape),
            where=np.isnan(table),
        )
        return
    if len(key) != len(parents) or len(numbers) != table.shape[-1]:
        raise ParseError(
            f"a row of {name!r} has {len(key)} states and {len(numbers)} numbers; {len(parents)} and {table.shape[-1]} are needed"
        )
    try:
        at = tuple(states[parent].index(value) for parent, value in zip(parents, key, strict=True))
    except ValueError:
        raise ParseError(
            f"a row of {name!r} names states {key}, which its parents {list(parents)} do not have"
        ) from None
    table[at] = numbers
