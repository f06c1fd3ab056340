"""How far an expert's answers can be believed: rates of right, wrong and missing directions, and how much a repeated answer repeats itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import check_share
from causalkit.exceptions import ParameterError
from causalkit.llm_causal._questions import Choice

__all__ = ["OUTCOMES", "SILENT", "Reliability", "outcome_of"]

Floats: TypeAlias = NDArray[np.float64]
OUTCOMES: tuple[Choice, ...] = ("forward", "backward", "cannot_tell")
SILENT = 2


@dataclass(frozen=True)
class Reliability:
    """How often an expert names the right direction of an edge, and how often answers repeat a belief.

    Parameters
    ----------
    right : float
        Probability of the right direction.
    wrong : float
        Probability of the wrong one; the rest is silence ("cannot tell", "neither", "both").
    persistence : float, default=1.0
        Share of answers that repeat a belief about the pair. At 1, the cautious default, a repeated question says nothing new.

    Raises
    ------
    ParameterError
        If these are no probabilities.

    Examples
    --------
    >>> from causalkit.llm_causal import Reliability
    >>> Reliability(0.73, 0.10).accuracy
    0.8795...
    """

    right: float
    wrong: float
    persistence: float = 1.0

    def __post_init__(self) -> None:
        for name in ("right", "wrong", "persistence"):
            check_share(name, getattr(self, name))
        if self.right + self.wrong > 1 + 1e-9:
            raise ParameterError(
                f"right and wrong sum to {self.right + self.wrong:.3g}, which is more than 1"
            )

    @property
    def silent(self) -> float:
        """Probability of no direction."""
        return max(0.0, 1 - self.right - self.wrong)

    @property
    def accuracy(self) -> float:
        """Share of right directions among those that are named."""
        named = self.right + self.wrong
        return self.right / named if named else 0.5

    def table(self) -> Floats:
        """Return probabilities of answers given the truth.

        Returns
        -------
        numpy.ndarray of float, shape (2, 3)
            Rows: the edge points backward, forward. Columns: forward, backward, silence.
        """
        return np.array([[self.wrong, self.right, self.silent], [self.right, self.wrong, self.silent]])

    def predictive(self, outcomes: Sequence[int]) -> Floats:
        """Return probabilities of the next answer, given the truth and the answers so far.

        Parameters
        ----------
        outcomes : sequence of int
            Columns of `table` that were answered to this question.

        Returns
        -------
        numpy.ndarray of float, shape (2, 3)
            As `table`; all of it that is left of the belief.
        """
        table, rho = self.table(), self.persistence
        beliefs = table.copy()
        for outcome in outcomes:
            beliefs *= rho * (np.arange(3) == outcome) + (1 - rho) * table[:, [outcome]]
        total = beliefs.sum(axis=1, keepdims=True)
        beliefs = np.divide(beliefs, total, out=np.full_like(beliefs, 1 / 3), where=total > 0)
        return np.asarray(rho * beliefs + (1 - rho) * table, dtype=float)

    def log_odds(self, choices: Sequence[Choice]) -> float:
        """Return how much answers about one edge speak for the direction in which they were asked.

        Parameters
        ----------
        choices : sequence of str
            Answers about one pair.

        Returns
        -------
        float
            Natural logarithm of the likelihood ratio of forward to backward; at most about 20 either way.
        """
        outcomes, total = [outcome_of(c) for c in choices], 0.0
        for k, outcome in enumerate(outcomes):
            backward, forward = self.predictive(outcomes[:k])[:, outcome]
            total += float(np.log(max(forward, 1e-9)) - np.log(max(backward, 1e-9)))
        return total

    def effective_samples(self, k: int) -> float:
        """Return how many independent answers k answers to one question are worth.

        Parameters
        ----------
        k : int
            Number of answers.

        Returns
        -------
        float
            The number k / (1 + (k - 1) persistence).
        """
        return k / (1 + (k - 1) * self.persistence)


def outcome_of(choice: Choice) -> int:
    """Return the column of a table of answers; all but the two directions is silence."""
    return OUTCOMES.index(choice) if choice in OUTCOMES else SILENT
