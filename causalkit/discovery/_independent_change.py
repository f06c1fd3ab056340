"""Orientation by independent changes: which of two changing mechanisms is that of the effect.

If both ends of an undirected edge change with the context, the direction is not identified by independence tests. But the
changes themselves are: in the causal direction P(cause) and P(effect | cause) change independently over contexts, in the other
direction both factors change together. So for either direction the dependence between the changes of the two factors is measured
(alignment of their Gram matrices over contexts) and tested: under independence the contexts of one factor may be exchanged.

A direction is taken if the other is **rejected** and it is **plausible** itself. If both are rejected, the changes depend on each other
whatever the direction, as they do where a function of the context drives both; if neither is, the contexts are too few to say. The
sample size of this comparison is the **number of contexts**, not the number of rows: with two domains the dependence is the same
in both directions whatever the data are, and with a handful next to nothing can be rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from causalkit._validation import Floats, Table, check_between, check_choice, check_count
from causalkit.discovery._cells import Cells
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
from causalkit.discovery._mechanism_parameters import ParameterEmbedding
from causalkit.gpu._threads import single_thread_below
from causalkit.independence import center_gram

__all__ = [
    "ChangeScore",
    "ChangeScorer",
    "CombinedEmbedding",
    "IndependentChange",
    "KernelEmbedding",
    "MechanismEmbedding",
]

TIE = 1e-9


@dataclass(frozen=True)
class ChangeScore:
    """The dependence between the changes of P(causes) and of P(effect | causes).

    Parameters
    ----------
    statistic : float
        The dependence; smaller is more independent. NaN if one of the two does not change.
    p_value : float
        Of the hypothesis that they change independently; NaN with the statistic.
    n_contexts : float
        How many independent exchanges of contexts the p-value rests on at most.
    """

    statistic: float
    p_value: float
    n_contexts: float


@runtime_checkable
class ChangeScorer(Protocol):
    """Anything that tests the hypothesis that an effect has certain causes, by the changes of the two factors."""

    @property
    def alpha(self) -> float:
        """Level at which a direction is rejected."""
        ...

    def plausible_above(self, points: ContextPoints) -> float:
        """Return the p-value above which a direction is plausible.

        Parameters
        ----------
        points : ContextPoints
            The contexts.

        Returns
        -------
        float
            At least the level.
        """
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

    def score(self, table: Table, effect: str, causes: Sequence[str], points: ContextPoints) -> ChangeScore:
        """Return the dependence between the changes of P(causes) and of P(effect | causes), and its p-value.

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
        ChangeScore
            Statistic, p-value and what they rest on.
        """
        ...


class MechanismEmbedding(Protocol):
    """Anything that turns the changes of a mechanism into a Gram matrix over the cells of a context."""

    def grams(self, table: Table, effect: str, causes: Sequence[str], cells: Cells) -> tuple[Floats, Floats]:
        """Return the Gram matrices over cells of P(causes) and of P(effect | causes).

        Parameters
        ----------
        table : Table
            The variables.
        effect : str
            Name of the effect.
        causes : sequence of str
            Names of its causes; at least one.
        cells : Cells
            The cells of the context.

        Returns
        -------
        tuple of numpy.ndarray of shape (K, K)
            All ones where a mechanism does not change.
        """
        ...


@dataclass(frozen=True)
class KernelEmbedding:
    """Embed mechanisms in feature space by kernel ridge regression on causes and context, as in the papers.

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

    Notes
    -----
    The features of an effect are centred over all rows first, so that the ridge shrinks the mechanism of a small domain towards the
    pooled one and not towards nothing. Domains get a delta kernel and the exact K-point form, so that their labels carry no order.

    References
    ----------
    Huang et al., JMLR 21(89), 2020, section 4.

    Examples
    --------
    >>> from causalkit.discovery import IndependentChange, KernelEmbedding
    >>> IndependentChange(embedding=KernelEmbedding(width=0.3)).embedding.width
    0.3
    """

    width: float = 0.5
    time_width: float = 0.2
    ridge: float = 0.1
    form: Form = "tensor"

    def __post_init__(self) -> None:
        for name in ("width", "time_width", "ridge"):
            check_between(name, getattr(self, name), 0, np.inf)
        check_choice("form", self.form, ("l2", "tensor"))

    def grams(self, table: Table, effect: str, causes: Sequence[str], cells: Cells) -> tuple[Floats, Floats]:
        """Return the Gram matrices over cells of P(causes) and of P(effect | causes).

        Parameters
        ----------
        table : Table
            The variables.
        effect : str
            Name of the effect.
        causes : sequence of str
            Names of its causes; at least one.
        cells : Cells
            The cells of the context.

        Returns
        -------
        tuple of numpy.ndarray of shape (K, K)
            All ones where a mechanism does not change.
        """
        cause = variable_gram(table, causes, self.width)
        target = variable_gram(table, [effect], self.width)
        marginal = self._embed(center_gram(cause), None, cells)
        conditional = self._embed(center_gram(target), cause, cells)
        return gaussian_gram(marginal), gaussian_gram(conditional)

    def mechanism(self, table: Table, effect: str, causes: Sequence[str], cells: Cells) -> Floats:
        """Return inner products over cells of the embedded P(effect | causes).

        Parameters
        ----------
        table : Table
            The variables.
        effect : str
            Name of the effect.
        causes : sequence of str
            Names of its causes; none for the law of a root variable.
        cells : Cells
            The cells of the context.

        Returns
        -------
        numpy.ndarray, shape (K, K)
            Symmetric, positive semi-definite.
        """
        target = variable_gram(table, [effect], self.width)
        cause = variable_gram(table, causes, self.width) if causes else None
        return self._embed(center_gram(target), cause, cells)

    def _embed(self, effect: Floats, causes: Floats | None, cells: Cells) -> Floats:
        points = cells.points
        if points.is_domain:
            return domain_mechanism_gram(effect, points.rows, causes, ridge=self.ridge, form=self.form)
        over_points = points.kernel(self.time_width)
        over_rows = over_points[np.ix_(points.rows, points.rows)]
        ends = points.kernel(self.time_width, cells.centres)[points.rows]
        return mechanism_gram(effect, over_rows, causes, ridge=self.ridge, at=ends, form=self.form)


@dataclass(frozen=True)
class CombinedEmbedding:
    """The sum of several embeddings, each with the same weight: two contexts are alike if they are alike in all of them.

    Parameters
    ----------
    parts : tuple of MechanismEmbedding, default=(ParameterEmbedding(), KernelEmbedding())
        The embeddings.

    Examples
    --------
    >>> from causalkit.discovery import CombinedEmbedding, IndependentChange
    >>> len(IndependentChange(embedding=CombinedEmbedding()).embedding.parts)
    2
    """

    parts: tuple[MechanismEmbedding, ...] = (ParameterEmbedding(), KernelEmbedding())

    def grams(self, table: Table, effect: str, causes: Sequence[str], cells: Cells) -> tuple[Floats, Floats]:
        """Return the Gram matrices over cells of P(causes) and of P(effect | causes).

        Parameters
        ----------
        table : Table
            The variables.
        effect : str
            Name of the effect.
        causes : sequence of str
            Names of its causes; at least one.
        cells : Cells
            The cells of the context.

        Returns
        -------
        tuple of numpy.ndarray of shape (K, K)
            Centred; zero where no part sees a change.
        """
        found = [part.grams(table, effect, causes, cells) for part in self.parts]
        first, second = (sum(map(normalized, grams)) for grams in zip(*found, strict=True))
        return np.asarray(first), np.asarray(second)


def normalized(gram: Floats) -> Floats:
    """Centre a Gram matrix and divide it by its Frobenius norm; zero stays zero."""
    centred = center_gram(gram)
    size = float(np.linalg.norm(centred))
    return centred / size if size > TIE * len(gram) else np.zeros_like(centred)


@dataclass(frozen=True)
class IndependentChange:
    """Test for the orientation of edges between two changing variables.

    Parameters
    ----------
    embedding : MechanismEmbedding, default=ParameterEmbedding()
        How a mechanism becomes a point per context: `ParameterEmbedding`, or the `KernelEmbedding` of the papers.
    alpha : float, default=0.05
        Level at which a direction is rejected; over the edges of a graph it is the false discovery rate.
    plausible : float, optional
        P-value above which the other direction is taken. With few contexts a wrong direction often is not rejected, so by
        default it is 3 / (number of contexts), at least ``alpha`` and at most one half.
    normalization : {"alignment", "trace", "none"}, default="alignment"
        How statistics are normalised; see `dependence_score`. The p-value does not depend on it.
    n_exchanges : int, default=999
        Random exchanges of contexts for the p-value; up to six domains are permuted in all ways.
    min_contexts : int, default=8
        Abstain if there are fewer contexts: domains, or stretches of time. With five domains changes that share a cause are taken for a
        direction in one pair of six.

    Notes
    -----
    Over time the p-value counts how many shifts are independent of one another: slow changes have few, and then no direction can
    be rejected.

    References
    ----------
    Huang et al., JMLR 21(89), 2020, section 4, for the principle and the kernel embedding.

    Examples
    --------
    >>> from causalkit.discovery import IndependentChange
    >>> IndependentChange(alpha=0.01).alpha
    0.01
    """

    embedding: MechanismEmbedding = field(default_factory=ParameterEmbedding)
    alpha: float = 0.05
    plausible: float | None = None
    normalization: Normalization = "alignment"
    n_exchanges: int = 999
    min_contexts: int = 8

    def __post_init__(self) -> None:
        check_between("alpha", self.alpha, 0, 1)
        if self.plausible is not None:
            check_between("plausible", self.plausible, 0, 1)
        check_count("min_contexts", self.min_contexts)
        check_count("n_exchanges", self.n_exchanges)
        check_choice("normalization", self.normalization, ("alignment", "trace", "none"))

    def plausible_above(self, points: ContextPoints) -> float:
        """Return the p-value above which a direction is plausible.

        Parameters
        ----------
        points : ContextPoints
            The contexts.

        Returns
        -------
        float
            At least ``alpha``.
        """
        chosen = min(0.5, 3 / Cells.of(points).number) if self.plausible is None else self.plausible
        return max(chosen, self.alpha)

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
        number = Cells.of(points).number
        if number >= self.min_contexts:
            return ""
        what = "domains" if points.is_domain else "stretches of time"
        return f"{number} {what}, fewer than {self.min_contexts:g}: too few changes to tell a direction"

    def score(self, table: Table, effect: str, causes: Sequence[str], points: ContextPoints) -> ChangeScore:
        """Return the dependence between the changes of P(causes) and of P(effect | causes), and its p-value.

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
        ChangeScore
            Statistic, p-value and what they rest on; NaN if one of the factors does not change.
        """
        cells = Cells.of(points)
        with single_thread_below(table.n_rows):
            marginal, conditional = self.embedding.grams(table, effect, causes, cells)
        statistic = dependence_score(marginal, conditional, self.normalization)
        if np.isnan(statistic):
            return ChangeScore(statistic, float("nan"), 0.0)
        return ChangeScore(statistic, *exchange_p_value(marginal, conditional, cells, self.n_exchanges))


def exchange_p_value(first: Floats, second: Floats, cells: Cells, number: int) -> tuple[float, float]:
    """Return the share of exchanges of cells under which two Gram matrices are as dependent as they are, and on how many it rests.

    The identity counts as one exchange, so that the p-value is never zero.
    """
    a, b = center_gram(first), center_gram(second)
    order = np.argsort(first.sum(axis=1) + second.sum(axis=1), kind="stable")
    observed = float(np.sum(a * b))
    values = np.array([np.sum(a * b[np.ix_(e, e)]) for e in cells.exchanges(number, order)])
    independent = cells.independent_number(np.concatenate([[observed], values])) - 1
    share = float(np.mean(values >= observed - TIE * abs(observed))) if len(values) else 1.0
    return (1 + independent * share) / (1 + independent), independent
