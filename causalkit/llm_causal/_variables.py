"""Variables as an expert is told of them: a name, what it means, and nothing of the data.

Names and descriptions are data, never instructions: they are cut to a length, and characters that no reader sees are taken out, before anything is sent.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from causalkit._validation import read_mappings
from causalkit.exceptions import ParameterError

__all__ = ["Variable", "as_variables", "read_variables"]

MAX_NAME, MAX_DESCRIPTION = 80, 500
INVISIBLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")


@dataclass(frozen=True)
class Variable:
    """What an expert is told of a variable.

    Parameters
    ----------
    name : str
        Its name, at most 80 characters; the name of its column, if there are data.
    description : str, default=""
        What it means, and its unit; at most 500 characters, in one line: other white space becomes blanks, and what no reader sees is left out.
    alias : str, default=""
        What is said instead of the name, where the name may not leave the house.

    Raises
    ------
    ParameterError
        If the name is empty or too long, or holds characters that no reader sees.

    Examples
    --------
    >>> from causalkit.llm_causal import Variable
    >>> Variable("bp", "systolic blood pressure, mmHg").said
    'bp'
    """

    name: str
    description: str = ""
    alias: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.description, str):
            object.__setattr__(self, "description", _in_one_line(self.description))
        for what, text, limit in (
            ("name", self.name, MAX_NAME),
            ("description", self.description, MAX_DESCRIPTION),
            ("alias", self.alias, MAX_NAME),
        ):
            _check_text(what, text, limit)
        if not self.name.strip():
            raise ParameterError("a variable has an empty name")

    @property
    def said(self) -> str:
        """The name that an expert is told."""
        return self.alias or self.name


def _in_one_line(text: str) -> str:
    """Return a text without line ends and without characters that no reader sees."""
    blank = " ".join(text.split())
    return "".join(c for c in blank if unicodedata.category(c) not in INVISIBLE)


def _check_text(what: str, text: Any, limit: int) -> None:
    if not isinstance(text, str):
        raise ParameterError(f"the {what} of a variable is text; got {text!r}")
    if len(text) > limit:
        raise ParameterError(
            f"the {what} {text[:30]!r}... has {len(text)} characters; at most {limit} are allowed, as all are sent"
        )
    hidden = next((c for c in text if unicodedata.category(c) in INVISIBLE), None)
    if hidden is not None:
        raise ParameterError(
            f"the {what} {text[:30]!r} holds the invisible character U+{ord(hidden):04X}; write it without"
        )


Described: TypeAlias = Iterable[str | Variable] | Mapping[str, str]


def as_variables(variables: Described) -> tuple[Variable, ...]:
    """Turn names, or names with descriptions, into variables.

    Parameters
    ----------
    variables : iterable of str or Variable, or mapping of str to str
        Names; or names with descriptions.

    Returns
    -------
    tuple of Variable
        At least two, with different names; differences of case only count as equal, since an expert would mix them up.

    Raises
    ------
    ParameterError
        If there are fewer than two, or two with one name.

    Examples
    --------
    >>> from causalkit.llm_causal import as_variables
    >>> as_variables({"smoking": "cigarettes a day", "cancer": "of the lung"})[1].description
    'of the lung'
    """
    if isinstance(variables, str):
        raise ParameterError(f"variables is the text {variables!r}; give a list of names")
    pairs = variables.items() if isinstance(variables, Mapping) else ((v, "") for v in variables)
    found = tuple(v if isinstance(v, Variable) else Variable(v, text) for v, text in pairs)
    if len(found) < 2:
        raise ParameterError(f"there are {len(found)} variables; a graph of causes needs two or more")
    for said in ("name", "said"):
        seen: dict[str, str] = {}
        for variable in found:
            text = getattr(variable, said)
            key = text.strip().casefold()
            if key in seen:
                raise ParameterError(
                    f"two variables are called {seen[key]!r} and {text!r}; names must differ by more than case"
                )
            seen[key] = text
    return found


def read_variables(path: str | Path) -> tuple[Variable, ...]:
    """Read variables from a YAML or JSON file.

    Parameters
    ----------
    path : str or pathlib.Path
        A file with names and descriptions, ``smoking: cigarettes a day``; or with a list of them, each with ``name`` and, if wanted, ``description`` and
        ``alias``. Either may stand under the key ``variables``. YAML needs PyYAML.

    Returns
    -------
    tuple of Variable
        In the order of the file.

    Raises
    ------
    ParameterError
        If it is no such file.

    Examples
    --------
    >>> from causalkit.llm_causal import read_variables
    >>> read_variables("variables.yaml")  # doctest: +SKIP
    """
    content = read_mappings(Path(path))
    if isinstance(content, Mapping) and isinstance(content.get("variables"), list | Mapping):
        content = content["variables"]
    if isinstance(content, Mapping):
        content = [
            {"name": name, **text} if isinstance(text, Mapping) else {"name": name, "description": text}
            for name, text in content.items()
        ]
    if not isinstance(content, list):
        raise ParameterError(f"{path} holds {type(content).__name__}; names with descriptions are expected")
    return as_variables([_entry(entry, path) for entry in content])


def _entry(entry: Any, path: str | Path) -> Variable:
    if isinstance(entry, str):
        return Variable(entry)
    if not isinstance(entry, Mapping) or "name" not in entry:
        raise ParameterError(f"{path} has the entry {entry!r}; a name, or a mapping with 'name', is expected")
    unknown = set(entry) - {"name", "description", "alias"}
    if unknown:
        raise ParameterError(
            f"{path} has the key {min(map(str, unknown))!r} for {entry['name']!r}; allowed are name, description and alias"
        )
    return Variable(**{key: "" if value is None else str(value) for key, value in entry.items()})
