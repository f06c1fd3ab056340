"""The one rule for secrets: a key is in no file, message, error or repr that comes from this package.

What counts as a key: the values of environment variables that are called one, what a caller names, and texts that have the form of one. It is found also where
a server wrote it back with escapes, in the ways of JSON, HTML, URLs and Python.
"""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

KEY = "[key]"
SHORTEST = 8
_CALLED_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
# Names of entries whose value is a secret, in requests and addresses; "max_tokens" is none.
_SECRET_NAME = re.compile(
    r"(?:x[-_])?api[-_]?key|key|(?:proxy[-_])?authorization|(?:(?:access|auth|api|bearer|id|refresh|session|hf)[-_]?)?token|sig|signature|passw(?:or)?d|secret|client[-_]secret|credentials?|extra_headers|headers|cookie",
    re.IGNORECASE,
)
_FORMS = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{12,}|\b(?:hf|ghp|gho|xox[abp])[_-][A-Za-z0-9_-]{12,}|\bAIza[A-Za-z0-9_-]{20,}|\bAKIA[A-Z0-9]{12,}"
    r"|(?<=Bearer )[A-Za-z0-9._~+/=-]{8,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"
)
_NAMED = re.compile(
    r"((?:api[-_]?key|access[-_]?token|auth[-_]?token|password|client[-_]secret)[\"']?\s*[=:]\s*[\"']?)([^\s\"'&,;}\]]{8,})",
    re.IGNORECASE,
)


def redact(text: str, *also: str) -> str:
    """Return a text without keys.

    Parameters
    ----------
    text : str
        What is to be stored, printed or raised.
    *also : str
        Secrets that only the caller knows.

    Returns
    -------
    str
        With ``[key]`` in place of each.
    """
    for secret in {*_of_environment(), *also}:
        if len(secret) >= SHORTEST:
            text = _written(secret).sub(KEY, text)
    return _NAMED.sub(rf"\g<1>{KEY}", _FORMS.sub(KEY, text))


def holds_secret(text: str, *also: str) -> bool:
    """Whether a text holds a key, as far as that can be told."""
    return redact(text, *also) != text


def secret_entries(options: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the names of entries, at any depth, that are called secrets or hold one."""
    for name, value in options.items():
        path = f"{above}{name}"
        if _SECRET_NAME.fullmatch(str(name)) and value is not None:
            yield path
        elif isinstance(value, Mapping):
            yield from secret_entries(value, f"{path}.")
        elif isinstance(value, list | tuple):
            yield from secret_entries({str(k): entry for k, entry in enumerate(value)}, f"{path}.")
        elif isinstance(value, str) and holds_secret(value):
            yield path


def like_a_key(word: str) -> bool:
    """Whether a part of a path looks like a token and not like a name: long, of letters and digits in disorder."""
    mixed = re.search(r"\d", word) and re.search(r"[A-Za-z]", word)
    return holds_secret(word) or bool(re.fullmatch(r"[A-Za-z0-9_-]{20,}", word) and mixed)


def make_private(path: Path) -> None:
    """Make a file that only its owner can read, unless it is there."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def _of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if _CALLED_SECRET.search(name) and len(value) >= SHORTEST and not value.startswith(("/", ".")):
            yield value


@lru_cache(maxsize=64)
def _written(secret: str) -> re.Pattern[str]:
    """Return a pattern of all ways in which a secret may be written: each character plain or escaped, or all of it in base 64."""
    plain = "".join(_escapes(character) for character in secret)
    coded = re.escape(base64.b64encode(secret.encode()).decode().rstrip("="))
    return re.compile(f"{plain}|{coded}=*")


def _escapes(character: str) -> str:
    """Return a pattern of one character, escaped in the ways of JSON, Python, URLs and HTML, or plain."""
    code = ord(character)
    units = character.encode("utf-16-be", "surrogatepass")
    pairs = [units[k : k + 2].hex() for k in range(0, len(units), 2)]
    ways = [
        "".join(rf"\\+u{_either(pair)}" for pair in pairs),
        rf"\\+[xuU]0*{_either(f'{code:02x}')}",
        "".join(f"%{_either(f'{byte:02x}')}" for byte in character.encode("utf-8", "surrogatepass")),
        f"&#[xX]0*{_either(f'{code:x}')};",
        f"&#0*{code};",
        re.escape(html.escape(character)),
        rf"\\*{re.escape(character)}",
    ]
    return f"(?:{'|'.join(ways)})"


def _either(digits: str) -> str:
    """Return a pattern of hexadecimal digits in either case."""
    return "".join(f"[{d}{d.upper()}]" if d.isalpha() else d for d in digits)
