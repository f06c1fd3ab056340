"""Orientation by independent changes: which of two changing mechanisms is that of the effect.

If both ends of an undirected edge change with the context, the direction is not identified by independence tests. But the
changes themselves are: in the causal direction P(cause) and P(effect | cause) change independently over contexts, in the other
direction both factors change together. So the dependence between the changes of the two factors is scored for either direction,
and the smaller score wins.

The sample size of this comparison is the **number of contexts**, not the number of rows. With two domains the score is the same
for both directions whatever the data are; with a handful it is close to a coin. Hence the rule abstains, with the reason, if
there are fewer than five (effective) contexts or if the best two scores are too close.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from causalkit._validation import Floats, Table, check_between, check_choice
from causalkit.discovery._contexts import ContextPoints
from causalkit.discovery._domain_embedding import domain_mechanism_gram
from causalkit.discovery._embedding import (
    Form,
    Normalization,
    dependence_score,
    gaussian_gram,
    mechanism_gram,
    variable_gram,
)
from causalkit.independence import center_gram

__all__ = ["ChangeScorer", "IndependentChange"]


@runtime_checkable
class ChangeScorer(Protocol):
    """Anything that scores the hypothesis that an effect has certain causes, by the changes of the two factors."""

    @property
    def margin(self) -> float:
        """Smallest relative gap between the best two scores at which to decide."""
        ...

    def refuses(self, points: ContextPoints) -> str:
        """Return why these contexts do not suffice, or an empty text.

        Parameters
        ----------
        points : ContextPoints
            The contexts.

        Returns
        -------
        str
            The reason, or an empty text.
        """
        ...

    def score(self, table: Table, effect: str, causes: Sequence[str], points: ContextPoints) -> float:
        """Return the dependence between the changes of P(causes) and of P(effect | causes); NaN if nothing changes.

        Parameters
        ----------
        table : Table
            The variables.
        effect : str
            Name of the hypothesised effect.
        causes : sequence of str
            Names of its causes.
        points : ContextPoints
            The contexts.

        Returns
        -------
        float
            Smaller is more independent.
        """
        ...


@dataclass(frozen=True)
class IndependentChange:
    """Score for the orientation of edges between two changing variables.

    Parameters
    ----------
    width : float, default=0.5
        Width of the Gaussian kernels on standardised causes and effects.
    time_width : float, default=0.2
        Width of the Gaussian kernel on standardised time.
    ridge : float, default=0.1
        Ridge of the regression of the effect on causes and context.
    form : {"tensor", "l2"}, default="tensor"
        How embedded mechanisms are compared; see `mechanism_gram`.
    normalization : {"alignment", "trace", "none"}, default="alignment"
        How scores are normalised; see `dependence_score`. With ``"none"`` scores with different numbers of causes do not compare.
    margin : float, default=0.1
        Abstain if the best score is not below the second best by this share of their sum.
    min_contexts : float, default=5
        Abstain if there are fewer effective contexts: domains, or stretches of time as long as the kernel is wide.

    Notes
    -----
    The features of an effect are centred over all rows first, so that the ridge shrinks the mechanism of a small domain towards the pooled
    one and not towards nothing. Domains get a delta kernel and the exact K-point form, so that their labels carry no order. The defaults for time are a
    compromise: no width is right for slow and for fast drift.

    References
    ----------
    Huang et al., JMLR 21(89), 2020, section 4.

    Examples
    --------
    >>> from causalkit.discovery import IndependentChange
    >>> IndependentChange(width=0.3).margin
    0.1
    """

    width: float = 0.5
    time_width: float = 0.2
    ridge: float = 0.1
    form: Form = "tensor"
    normalization: Normalization = "alignment"
    margin: float = 0.1
    min_contexts: float = 5

    def __post_init__(self) -> None:
        for name in ("width", "time_width", "ridge"):
            check_between(name, getattr(self, name), 0, np.inf)
        check_between("margin", self.margin, -1e-9, 1)
        check_between("min_contexts", self.min_contexts, 0, np.inf)
        check_choice("form", self.form, ("l2", "tensor"))
        check_choice("normalization", self.normalization, ("alignment", "trace", "none"))

    def refuses(self, points: ContextPoints) -> str:
        """Return why these contexts do not suffice, or an empty text.

        Parameters
        ----------
        points : ContextPoints
            The contexts.

        Returns
        -------
        str
            The reason, or an empty text.
        """
        number = (
            points.effective_number(self.time_width) if not points.is_domain else float(len(points.values))
        )
        if number >= self.min_contexts - 1e-9:
            return ""
        what = "domains" if points.is_domain else "independent stretches of context"
        return f"{number:.3g} {what}, fewer than {self.min_contexts:g}: too few changes to tell a direction"

    def score(self, table: Table, effect: str, causes: Sequence[str], points: ContextPoints) -> float:
        """Return the dependence between the changes of P(causes) and of P(effect | causes).

        Parameters
        ----------
        table : Table
            The variables.
        effect : str
            Name of the hypothesised effect.
        causes : sequence of str
            Names of its hypothesised causes; at least one.
        points : ContextPoints
            The contexts.

        Returns
        -------
        float
            Smaller is more independent; NaN if one of the factors does not change.
        """
        cause = variable_gram(table, causes, self.width)
        target = variable_gram(table, [effect], self.width)
        marginal = gaussian_gram(self._embed(center_gram(cause), None, points))
        conditional = gaussian_gram(self._embed(center_gram(target), cause, points))
        return dependence_score(marginal, conditional, self.normalization)

    def _embed(self, effect: Floats, causes: Floats | None, points: ContextPoints) -> Floats:
        if points.is_domain:
            return domain_mechanism_gram(effect, points.rows, causes, ridge=self.ridge, form=self.form)
        kernel = points.kernel(self.time_width)
        ends = kernel[points.rows]
        over_rows = ends[:, points.rows]
        return mechanism_gram(effect, over_rows, causes, ridge=self.ridge, at=ends, form=self.form)
