"""What the files of others say of a node's part in the data: hidden, selected on, a context."""

from __future__ import annotations

from collections.abc import Mapping

from causalkit.exceptions import ParseError
from causalkit.graph._checks import ROLES

# A flag "selected" is not read: where other tools write it, it is what the mouse selected.
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
# Attribute, the values that make a node latent, and those that do not.
_FLAGS = (
    ("observed", _NO, _YES),
    ("latent", _YES, _NO),
    ("unobserved", _YES, _NO),
)
FLAGS = tuple(key for key, *_ in _FLAGS)


def role_in(name: str, attributes: Mapping[str, object]) -> str | None:
    """Return the role that a node's attributes give it, None if they say nothing of one.

    `role` is what this package writes; ``observed="no"`` is DoWhy's; ``latent`` and ``unobserved`` are flags of other tools.

    Raises
    ------
    ParseError
        If a value is not understood, or two attributes contradict each other: a hidden node must not be read as one that can be adjusted for.
    """
    found = {
        _flag(name, key, attributes[key], gives, spares) for key, gives, spares in _FLAGS if key in attributes
    }
    found.discard("")
    if "role" in attributes:
        found.add(_known(name, attributes["role"]))
    if len(found) > 1:
        raise ParseError(f"node {name!r} has several roles: {', '.join(sorted(found))}")
    return next(iter(found), None)


def _flag(name: str, key: str, value: object, gives: tuple[str, ...], spares: tuple[str, ...]) -> str:
    word = str(value).strip().lower()
    if word not in (*gives, *spares):
        raise ParseError(f"node {name!r} has {key}={value!r}; understood are {', '.join((*gives, *spares))}")
    return "latent" if word in gives else ""


def _known(name: str, role: object) -> str:
    if role not in ROLES:
        raise ParseError(f"node {name!r} has role {role!r}; allowed are {', '.join(ROLES)}")
    return str(role)
