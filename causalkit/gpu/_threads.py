"""One thread for small matrices.

NumPy and SciPy bring separate linear algebra libraries, whose threads wait for one another by spinning: on matrices of a few hundred
rows two threads are several times slower than one. Work on such matrices is spread over processes instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

__all__ = ["single_thread_below"]

SMALL = 3000


@cache
def _controller() -> ThreadpoolController:
    """Return the libraries that are loaded; SciPy's is, once it is imported here."""
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()


@contextmanager
def single_thread_below(n: int, small: int = SMALL) -> Iterator[None]:
    """Hold linear algebra to one thread for matrices of few rows, and restore it after.

    Parameters
    ----------
    n : int
        Number of rows.
    small : int, default=3000
        Up to this number one thread is used; above, what the user has set.

    Yields
    ------
    None
        Nothing; for use in a ``with`` statement.
    """
    if n > small:
        yield
        return
    with _controller().limit(limits=1, user_api="blas"):
        yield
