"""How much text the readers of text formats accept."""

from __future__ import annotations

from causalkit.exceptions import ParseError

MAX_TEXT = 10_000_000


def check_length(text: object) -> None:
    """Refuse what is no text, and a text that is too long to be a graph."""
    if not isinstance(text, str):
        msg = f"a text is expected; got {type(text).__name__}"
        raise ParseError(msg)
    if len(text) > MAX_TEXT:
        msg = f"the text has {len(text)} characters; at most {MAX_TEXT} are read"
        raise ParseError(msg)
