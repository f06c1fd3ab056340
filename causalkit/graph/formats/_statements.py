"""The grammar that DOT and DAGitty share: statements about nodes, edges and groups of both, in time linear in the text.

A text is cut into words once. Statements are then read from left to right; groups in braces are read by calling the same function again, to a depth that is
bounded. What is found are nodes with attributes, and edges between two names each; what the attributes mean is the matter of the two formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise, product

from causalkit.exceptions import ParseError
from causalkit.graph.formats._limits import MAX_DEPTH, MAX_EDGES, check_length, check_number_of_nodes

Attributes = dict[str, str]


@dataclass(frozen=True)
class Dialect:
    """In what DOT and DAGitty differ.

    Parameters
    ----------
    name : str
        For messages.
    edges : str
        Pattern of the signs between two nodes.
    quotes : str
        Characters around a name that holds others.
    words : str
        Pattern of a name without quotes.
    html : bool
        Whether ``<`` opens a text in HTML.
    flags : bool
        Whether an attribute needs no value.
    """

    name: str
    edges: str
    quotes: str
    words: str
    html: bool
    flags: bool

    def pattern(self) -> re.Pattern[str]:
        """Return the pattern of one word; no part of it can be matched in two ways, so that it never goes back."""
        quoted = "|".join(rf"{q}(?:[^{q}\\]|\\.)*+{q}" for q in self.quotes)
        return re.compile(
            rf"(?P<space>\s++|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/|(?<!\S)\#[^\n]*+)|(?P<quoted>{quoted})|(?P<edge>{self.edges})"
            rf"|(?P<mark>[{{}}\[\]=;,:+])|(?P<word>{self.words})",
            re.DOTALL,
        )


@dataclass
class Statements:
    """What a text says.

    Parameters
    ----------
    header : tuple of str
        The words before the first brace, in lower case.
    nodes : dict of str to dict
        Attributes of every node, in order of first mention.
    edges : list of tuple
        Two names, the sign between them, and attributes.
    """

    header: tuple[str, ...] = ()
    nodes: dict[str, Attributes] = field(default_factory=dict)
    edges: list[tuple[str, str, str, Attributes]] = field(default_factory=list)


@dataclass(frozen=True)
class Word:
    """One word of a text: its type, its value, and where it stands."""

    kind: str
    text: str
    at: int


def read_statements(text: str, dialect: Dialect) -> Statements:
    """Read the header and all statements of one graph."""
    check_length(text)
    return _Reader(text, dialect).read()


@dataclass(frozen=True)
class _Scope:
    """Attributes that all nodes and edges have from here on to the end of the group."""

    node: Attributes = field(default_factory=dict)
    edge: Attributes = field(default_factory=dict)

    def inner(self) -> _Scope:
        return _Scope(dict(self.node), dict(self.edge))


class _Reader:
    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text, self.dialect = text, dialect
        self.words = list(self._cut())
        self.place = 0
        self.found = Statements()

    # -- words -----------------------------------------------------------------------------------------------------------

    def _cut(self) -> Iterator[Word]:
        pattern, at = self.dialect.pattern(), 0
        while at < len(self.text):
            if self.dialect.html and self.text[at] == "<":
                end = self._end_of_html(at)
                yield Word("quoted", self.text[at:end], at)
                at = end
                continue
            match = pattern.match(self.text, at)
            if match is None:
                raise self._error(at)
            if match.lastgroup != "space":
                yield Word(str(match.lastgroup), match[0], at)
            at = match.end()

    def _end_of_html(self, start: int) -> int:
        depth = 0
        for match in re.compile("[<>]").finditer(self.text, start):
            depth += 1 if match[0] == "<" else -1
            if not depth:
                return match.end()
        raise self._error(start)

    def _error(self, at: int) -> ParseError:
        line = self.text.count("\n", 0, at) + 1
        near = " ".join(self.text[at : at + 40].split())
        return ParseError(
            f"cannot read the {self.dialect.name} text, line {line}, from {near!r}"
            if near
            else f"the {self.dialect.name} text ends too early"
        )

    def unexpected(self) -> ParseError:
        """Return the error for the next word."""
        return self._error(self.words[self.place].at if self.place < len(self.words) else len(self.text))

    def next_is(self, *marks: str) -> bool:
        """Whether the next word is one of some signs."""
        if self.place >= len(self.words):
            return False
        word = self.words[self.place]
        return word.kind in ("mark", "edge") and word.text in marks

    def take(self, mark: str) -> None:
        """Take a sign that must be there."""
        if not self.next_is(mark):
            raise self.unexpected()
        self.place += 1

    def keyword(self, *words: str) -> str:
        """Take one of some words that are written without quotes; return nothing if another follows."""
        if self.place < len(self.words):
            word = self.words[self.place]
            if word.kind == "word" and word.text.lower() in words:
                self.place += 1
                return word.text.lower()
        return ""

    def identifier(self) -> str:
        """Take a name or a value; quoted ones may be joined by ``+``."""
        if self.place >= len(self.words) or self.words[self.place].kind not in ("word", "quoted"):
            raise self.unexpected()
        word = self.words[self.place]
        self.place += 1
        value = _unquoted(word)
        while word.kind == "quoted" and self.next_is("+"):
            self.place += 1
            word = self.words[self.place] if self.place < len(self.words) else Word("end", "", 0)
            if word.kind != "quoted":
                raise self.unexpected()
            self.place += 1
            value += _unquoted(word)
        return value

    # -- statements ----------------------------------------------------------------------------------------------------------

    def read(self) -> Statements:
        header = []
        while self.place < len(self.words) and not self.next_is("{"):
            header.append(self.identifier())
            if len(header) > 3:
                raise self.unexpected()
        self.found.header = tuple(header)
        self.take("{")
        self._group(_Scope(), 1)
        if self.place < len(self.words):
            raise self.unexpected()
        return self.found

    def _group(self, scope: _Scope, depth: int) -> list[str]:
        """Read statements up to the closing brace and return the names that they mention."""
        if depth > MAX_DEPTH:
            raise ParseError(f"groups in the {self.dialect.name} text are nested more than {MAX_DEPTH} deep")
        names: dict[str, None] = {}
        while not self.next_is("}"):
            if self.next_is(";", ","):
                self.place += 1
            elif not self._setting(scope):
                names.update(dict.fromkeys(self._chain(scope, depth)))
        self.take("}")
        return list(names)

    def _setting(self, scope: _Scope) -> bool:
        """Read defaults, as ``node [...]``, or a setting of the graph, as ``rankdir=LR``."""
        if self.place + 1 >= len(self.words):
            raise self.unexpected()
        after = self.words[self.place + 1]
        if after.kind == "mark" and after.text == "[" and (word := self.keyword("graph", "node", "edge")):
            values = self._attributes()
            {"node": scope.node, "edge": scope.edge}.get(word, {}).update(values)
            return True
        if after.kind == "mark" and after.text == "=" and self.words[self.place].kind in ("word", "quoted"):
            self.identifier()
            self.take("=")
            self.identifier()
            return True
        return False

    def _chain(self, scope: _Scope, depth: int) -> list[str]:
        """Read a node, a group, or edges between several of these."""
        ends, signs = [self._end(scope, depth)], []
        while self.place < len(self.words) and self.words[self.place].kind == "edge":
            signs.append(self.words[self.place].text)
            self.place += 1
            ends.append(self._end(scope, depth))
        values = self._attributes()
        if signs:
            self._join(ends, signs, scope.edge | values)
        elif len(ends[0]) == 1:
            self.found.nodes[ends[0][0]].update(values)
        elif values:
            raise self.unexpected()
        return [name for end in ends for name in end]

    def _join(self, ends: list[list[str]], signs: list[str], values: Attributes) -> None:
        for (left, right), sign in zip(pairwise(ends), signs, strict=True):
            if len(self.found.edges) + len(left) * len(right) > MAX_EDGES:
                raise ParseError(f"the {self.dialect.name} text has more than {MAX_EDGES} edges")
            self.found.edges += [(u, v, sign, values) for u, v in product(left, right)]

    def _end(self, scope: _Scope, depth: int) -> list[str]:
        """Read what an edge may end at: a node, which may have a port, or a group."""
        if self.keyword("subgraph") and not self.next_is("{"):
            self.identifier()
        if self.next_is("{"):
            self.place += 1
            return self._group(scope.inner(), depth + 1)
        name = self.identifier()
        for _ in range(2):
            if self.next_is(":"):
                self.place += 1
                self.identifier()
        if name not in self.found.nodes:
            check_number_of_nodes(len(self.found.nodes) + 1)
            self.found.nodes[name] = dict(scope.node)
        return [name]

    def _value(self) -> str:
        """Take a value; the sign of a number may have been cut off as a sign of an edge."""
        sign = "-" if self.next_is("-") else ""
        self.place += len(sign)
        return sign + self.identifier()

    def _attributes(self) -> Attributes:
        values: Attributes = {}
        while self.next_is("["):
            self.place += 1
            while not self.next_is("]"):
                if self.next_is(",", ";"):
                    self.place += 1
                    continue
                key = self.identifier()
                if self.next_is("="):
                    self.place += 1
                    values[key] = self._value()
                elif self.dialect.flags:
                    values[key] = ""
                else:
                    raise self.unexpected()
            self.take("]")
        return values


def _unquoted(word: Word) -> str:
    if word.kind != "quoted" or word.text[0] == "<":
        return word.text
    return re.sub(r"\\(\n|.)", lambda m: "" if m[1] == "\n" else m[1], word.text[1:-1], flags=re.DOTALL)
