"""How many bytes a computation may hold at once: it is cut into blocks that fit, or refused before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from causalkit.exceptions import MemoryBudgetError, ParameterError
from causalkit.gpu._backend import Backend

__all__ = ["MemoryBudget"]

SHARE = 0.5
# Blocks larger than the caches are no faster.
BLOCK = {False: 2 * 2**20, True: 512 * 2**20}


@dataclass(frozen=True)
class MemoryBudget:
    """Bytes that one computation may hold at once.

    Parameters
    ----------
    limit : int
        Bytes.
    block : int
        Bytes of one block of a computation that is cut into blocks; at most a quarter of the limit is used for one.

    Examples
    --------
    >>> from causalkit.gpu import MemoryBudget
    >>> MemoryBudget(limit=8_000_000, block=1_000_000).rows(8 * 1000, what="a strip of a kernel matrix")
    125
    """

    limit: int
    block: int = BLOCK[False]

    @classmethod
    def of(cls, limit: int | None, backend: Backend) -> MemoryBudget:
        """Return a budget: the given bytes, or half of what is free on the device now.

        Parameters
        ----------
        limit : int or None
            Bytes, or None.
        backend : Backend
            Where the memory is taken.

        Returns
        -------
        MemoryBudget
            The budget.
        """
        if limit is not None and limit <= 0:
            raise ParameterError(f"memory_limit must be a positive number of bytes or None; got {limit!r}")
        total = int(SHARE * backend.free_bytes()) if limit is None else limit
        return cls(total, min(BLOCK[backend.on_gpu], total // 4))

    def rows(self, bytes_per_row: int, *, what: str) -> int:
        """Return how many rows of a block fit, at least one.

        Parameters
        ----------
        bytes_per_row : int
            Bytes that one row needs.
        what : str
            What the rows are, for the error.

        Returns
        -------
        int
            Number of rows.

        Raises
        ------
        MemoryBudgetError
            If not even one row fits.
        """
        if bytes_per_row > self.limit:
            raise MemoryBudgetError(
                f"one row of {what} needs {bytes_per_row:,} bytes, and the budget is {self.limit:,}; raise memory_limit"
            )
        return max(1, self.block // max(bytes_per_row, 1))

    def require(self, size: int, *, what: str, advice: str) -> None:
        """Refuse what does not fit.

        Parameters
        ----------
        size : int
            Bytes needed.
        what : str
            What they are for, with the number of rows and the data type.
        advice : str
            What to change.

        Raises
        ------
        MemoryBudgetError
            If they exceed the budget.
        """
        if size > self.limit:
            raise MemoryBudgetError(
                f"{what} needs {size:,} bytes, and the budget is {self.limit:,}; {advice}"
            )
