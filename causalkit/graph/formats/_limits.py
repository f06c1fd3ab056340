"""How much the readers of graphs accept; what is more is refused before the work."""

from __future__ import annotations

import math
from pathlib import Path

from causalkit.exceptions import ParseError

# Characters of a text, nodes and edges of a graph, and how deep groups, brackets and elements may be nested.
MAX_TEXT = 10_000_000
MAX_BYTES = 80_000_000
MAX_NODES = 10_000
MAX_EDGES = 1_000_000
MAX_DEPTH = 50


def check_length(text: object, most: int = MAX_TEXT) -> None:
    """Refuse what is no text, and a text that is too long to be a graph."""
    if not isinstance(text, str):
        raise ParseError(f"a text is expected; got {type(text).__name__}")
    if len(text) > most:
        raise ParseError(f"the text has {len(text)} characters; at most {most} are read")


def finite(word: str, what: str) -> float:
    """Read a number that is finite; `what` it should be is named where it is not."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ParseError(f"{what} is {word[:80]!r}, which is no finite number")
    return value


def check_number_of_nodes(number: int) -> None:
    """Refuse a graph whose matrix of marks would not fit a common computer."""
    if number > MAX_NODES:
        raise ParseError(
            f"the graph has more than {MAX_NODES} nodes, which is the most that is read; a graph of more can be made from arrays by CausalGraph(...)"
        )


def read_text(path: Path, most: int = MAX_BYTES) -> str:
    """Read a text file: UTF-8, UTF-16 with a byte-order mark, or else Latin-1, after a look at its size."""
    if path.stat().st_size > most:
        raise ParseError(f"{path.name} has {path.stat().st_size} bytes; at most {most} are read")
    raw = path.read_bytes()
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")
