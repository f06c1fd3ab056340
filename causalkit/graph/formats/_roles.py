"""The one table of what files say of a node's part in the data: hidden, selected on, a context; exposure, outcome, adjusted for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from causalkit.exceptions import ConversionError, ParseError
from causalkit.graph._checks import CONTEXT_TYPES, ROLES

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

MARKS = ("exposure", "outcome", "adjusted")
"""What a node may be besides its role."""

# Words of DAGitty, in which a flag needs no value.
ROLE_OF_FLAG = {"latent": "latent", "l": "latent", "unobserved": "latent", "u": "latent"} | {
    "selected": "selection",
    "s": "selection",
}
FLAG_OF_ROLE = {"latent": "latent", "selection": "selected"}
MARK_OF_FLAG = {mark: mark for mark in MARKS} | {
    "e": "exposure",
    "source": "exposure",
    "o": "outcome",
    "target": "outcome",
    "a": "adjusted",
}

_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
# Attributes of other programs, whether "yes" says that the node is hidden. "selected" is none of them: elsewhere it is what the mouse selected.
_HIDDEN = {"observed": False, "latent": True, "unobserved": True}
KEYS = ("role", "context_type", *MARKS, *_HIDDEN)
"""Attributes that have a meaning here."""


def node_data_in(name: str, attributes: Mapping[str, object]) -> dict[str, Any]:
    """Return what the attributes of a node say of its part in the data.

    `role`, `context_type` and the marks are what this package writes; ``observed="no"`` is DoWhy's; ``latent`` and ``unobserved`` are flags of other tools.

    Raises
    ------
    ParseError
        If a value is not understood, or two attributes contradict each other: a hidden node must not be read as one that can be adjusted for.
    """
    roles = {
        "latent"
        for key, yes in _HIDDEN.items()
        if key in attributes and _is_yes(name, key, attributes[key]) == yes
    }
    if "role" in attributes:
        roles.add(_one_of(name, "role", attributes["role"], ROLES))
    if len(roles) > 1:
        raise ParseError(f"node {name!r} has several roles: {', '.join(sorted(roles))}")
    data: dict[str, Any] = {"role": roles.pop()} if roles else {}
    if "context_type" in attributes:
        data["context_type"] = _one_of(name, "context_type", attributes["context_type"], CONTEXT_TYPES)
    return data | {
        mark: True for mark in MARKS if mark in attributes and _is_yes(name, mark, attributes[mark])
    }


def attributes_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes that `node_data_in` reads."""
    words = {key: str(data[key]) for key in ("role", "context_type") if key in data}
    return words | {mark: "yes" for mark in MARKS if data.get(mark) is True}


def _is_yes(name: str, key: str, value: object) -> bool:
    word = str(value).strip().lower()
    if word not in (*_YES, *_NO):
        raise ParseError(f"node {name!r} has {key}={value!r}; understood are {', '.join((*_YES, *_NO))}")
    return word in _YES


def _one_of(name: str, key: str, value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ParseError(f"node {name!r} has {key} {value!r}; allowed are {', '.join(allowed)}")
    return str(value)


def refuse_roles(graph: GraphCore, target: str, *, allowed: tuple[str, ...] = ()) -> None:
    """Raise if a node has a role that the target cannot say."""
    for name, data in graph.node_data.items():
        role = data.get("role", "system")
        if role not in ("system", *allowed):
            raise ConversionError(
                f"{target} cannot say that {name!r} is {WORDS[role]}; with_node_data({name!r}, role='system') forgets it, to_json() keeps it"
            )


WORDS = {"latent": "hidden", "selection": "selected on", "context": "a context"}
