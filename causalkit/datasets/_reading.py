"""One way to say that a file, or an answer from the net, cannot be read: what it is, and what went wrong or is not installed."""

from __future__ import annotations

import importlib.util
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from causalkit.exceptions import CausalKitError, DataError, MissingDependencyError

__all__ = ["reading", "require_pandas"]

UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    EOFError,
    lzma.LZMAError,
    zlib.error,
    zipfile.BadZipFile,
)
# Libraries whose errors are about the way to a server; not all of them are OSErrors.
TRANSPORT = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3", "huggingface_hub")


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn what goes wrong while something is read into a `DataError` that names it.

    Parameters
    ----------
    what : str
        The file, or the address.

    Yields
    ------
    None
        Nothing; for use in a ``with`` statement.
    """
    try:
        yield
    except CausalKitError:
        raise
    except Exception as problem:
        library = type(problem).__module__.split(".")[0]
        if not isinstance(problem, UNREADABLE) and library not in TRANSPORT:
            raise
        raise DataError(f"{what} cannot be read: {short(problem)}") from problem


def require_pandas() -> None:
    """Say what to install, before anything is made that needs data frames."""
    if importlib.util.find_spec("pandas") is None:
        raise MissingDependencyError(
            "scenes are data frames and need pandas: pip install 'causalkit[frames]'"
        )


def short(problem: Exception) -> str:
    """Return the first line of an error, or its name if it says nothing."""
    said = str(problem).strip().split("\n")[0][:300]
    return f"{type(problem).__name__}: {said}" if said else type(problem).__name__
