"""Words for an object that change when the object would answer differently, so that a saved result is not taken for another one's.

An object is described by its class and by what its constructor was given. That is complete only if it keeps what it was given under the same
names and keeps nothing else, and if all of it can be described in turn. What cannot be described is refused: an address in memory, a
function without a name of its own, a random generator, a file that is open say nothing about the next run.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from causalkit.exceptions import CheckpointError

__all__ = ["describe", "digest_of_arrays"]


def describe(value: Any, where: str = "") -> str:
    """Return a text that is equal for two values only if they are the same.

    Parameters
    ----------
    value : object
        Numbers, texts, containers and arrays of them; named functions and classes; dataclasses; objects that keep the parameters of
        their constructor as attributes; or objects with a method ``identity() -> str`` of their own.
    where : str, default=""
        What the value is, for the message of an error.

    Returns
    -------
    str
        The text.

    Raises
    ------
    CheckpointError
        If nothing about the value would be the same in another process.
    """
    where = where or type(value).__name__
    for kinds, words in _WORDS:
        if isinstance(value, kinds):
            return words(value, where)
    own = getattr(value, "identity", None) or getattr(value, "to_json", None)
    if callable(own):
        return f"{_name(type(value))}:{own()}"
    return _object(value, where)


def digest_of_arrays(*arrays: np.ndarray[Any, Any] | None) -> str:
    """Return a digest of the types, shapes and every bit of some arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        head = "none" if array is None else f"{array.dtype.str}{array.shape}"
        digest.update(head.encode())
        digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _name(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _plain(value: Any, _where: str) -> str:
    return repr(value)


def _array(value: Any, where: str) -> str:
    array = np.asarray(value)
    if array.dtype.hasobject:
        return describe(array.tolist(), where)
    return f"array:{digest_of_arrays(array)}"


def _mapping(value: Mapping[Any, Any], where: str) -> str:
    items = sorted(
        (describe(k, f"a key of {where}"), describe(v, f"{where}[{k!r}]")) for k, v in value.items()
    )
    return "{" + ", ".join(f"{k}: {v}" for k, v in items) + "}"


def _sequence(value: Sequence[Any], where: str) -> str:
    return "[" + ", ".join(describe(v, f"{where}[{k}]") for k, v in enumerate(value)) + "]"


def _set(value: AbstractSet[Any], where: str) -> str:
    return "{" + ", ".join(sorted(describe(v, f"a member of {where}") for v in value)) + "}"


def _callable(value: Callable[..., Any], where: str) -> str:
    name = _name(value)
    if "<" in name:
        raise _refusal(
            where,
            f"is the function {name.rsplit('.', 1)[-1]}, which another run cannot recognise; define it with a name in a module",
        )
    return name


_WORDS: tuple[tuple[Any, Callable[[Any, str], str]], ...] = (
    (enum.Enum, lambda v, _w: f"{_name(type(v))}.{v.name}"),
    ((type(None), bool, int, float, complex, str, bytes), _plain),
    ((np.ndarray, np.generic), _array),
    (Mapping, _mapping),
    ((list, tuple), _sequence),
    (AbstractSet, _set),
    ((type, FunctionType, BuiltinFunctionType), _callable),
)


def _object(value: Any, where: str) -> str:
    """Describe an object by its class and its parameters."""
    if dataclasses.is_dataclass(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.compare}
        return f"{_name(type(value))}({_mapping(fields, where)})"
    parameters = _parameters(value, where)
    known = {name: describe(getattr(value, name), f"{where}.{name}") for name in parameters}
    inside = ", ".join(f"{name}={text}" for name, text in sorted(known.items()))
    return f"{_name(type(value))}({inside})"


def _parameters(value: Any, where: str) -> list[str]:
    """Return the names of the parameters of an object, if they are all that it holds."""
    try:
        signature = inspect.signature(type(value)).parameters.values()
    except (TypeError, ValueError):
        signature = None
    if signature is None or not hasattr(value, "__dict__"):
        raise _refusal(where, f"is a {_name(type(value))}, of which it cannot be seen what it holds")
    names = [p.name for p in signature if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    lost = [name for name in names if not hasattr(value, name)]
    fitted = any(name.endswith("_") for name in vars(value))
    learned = [name for name in vars(value) if name.endswith("_") or (fitted and name.startswith("_"))]
    more = [name for name in vars(value) if name not in (*names, *learned)]
    if lost or more or "<locals>" in type(value).__qualname__:
        why = (
            f"does not keep its parameter {lost[0]!r} under that name"
            if lost
            else f"holds {more[0]!r}, which is no parameter of it"
            if more
            else "is of a class that was defined inside a function"
        )
        raise _refusal(where, f"{why}")
    return names


def _refusal(where: str, why: str) -> CheckpointError:
    return CheckpointError(
        f"results cannot be saved: {where} {why}, so that a later run could take them for results of something else. "
        "Give the object a method identity() that returns a text with all that its answers depend on, or leave checkpoint out"
    )
