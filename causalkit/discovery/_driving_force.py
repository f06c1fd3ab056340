"""Driving forces: the low-dimensional curve along which a mechanism moves as the context changes.

Each context's mechanism is a point: its parameters, or its embedding in a feature space. Principal components of these points
are the coordinates of the change; with one parameter moving, one component carries most of it. From the coordinates follow the
regimes of the mechanism, and from the parameters what it is that changes: the level, the effect of a cause, or the scale.

References
----------
B. Huang et al., "Causal discovery from heterogeneous/nonstationary data", JMLR 21(89), 2020, section 5 (kernel nonstationary
visualization).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from causalkit._random import Seed, as_generator
from causalkit._validation import Floats, Table, check_between, check_choice, check_count, read_columns
from causalkit.discovery._cells import Cells
from causalkit.discovery._change_test import change_p_value
from causalkit.discovery._contexts import ContextPoints, as_context, read_context
from causalkit.discovery._embedding import gaussian_gram, weighted_center
from causalkit.discovery._independent_change import KernelEmbedding
from causalkit.discovery._mechanism_parameters import ParameterEmbedding
from causalkit.discovery._random_effects import Draws
from causalkit.discovery._regimes import Record
from causalkit.discovery._shares import Shares, shares_of_change
from causalkit.exceptions import DataError, ParameterError
from causalkit.gpu._threads import single_thread_below

__all__ = ["DrivingForce", "driving_force"]

ForceKernel: TypeAlias = Literal["linear", "gaussian"]

Verdict: TypeAlias = Literal["nothing", "drift", "jumps", "domains"]

GRID = 300
LEVEL = 0.05
# The posterior takes the covariance of coefficients as known; by this much bands of sines, steps, walks and domains were too narrow.
WIDER = 1.1


@dataclass(frozen=True)
class DrivingForce:
    """Coordinates of a changing mechanism.

    Parameters
    ----------
    components : numpy.ndarray, shape (n, k)
        One row per observation; column j is the j-th component. Its sign is such that the entry of largest size is positive.
    eigenvalues : numpy.ndarray, shape (m,)
        Variances of all components, decreasing; m is the number of cells of the context (domains, stretches of time).
    attribution : mapping of str to float
        Share of the change that is one of the ``"level"``, of the ``"effect of <cause>"`` and of the ``"scale"``, by Kullback-Leibler
        divergence from the pooled mechanism. The level is that at the `reference`. Empty where nothing changes (p-value above .05) and
        with a `KernelEmbedding`.
    bands : numpy.ndarray of shape (2, n, k), optional
        Lower and upper end of the intervals of the components; the components lie half-way.
    coordinates : numpy.ndarray, shape (m, k)
        The components of each cell.
    cells : Cells
        The cells.
    record : Record
        What the rows of each cell say about its parameters; regimes and the verdict come from it.
    reference : mapping of str to float
        The value of each numeric cause at which the level is measured: its mean, or the point about which the lines turn where they
        are seen to turn about another, be it outside the data.
    margins : numpy.ndarray of shape (m, k), optional
        Half the width of the bands at each cell.
    """

    components: Floats
    eigenvalues: Floats
    attribution: Mapping[str, float]
    bands: Floats | None
    coordinates: Floats
    cells: Cells
    record: Record
    reference: Mapping[str, float]
    margins: Floats | None = None

    @property
    def p_value(self) -> float:
        """The p-value of "this mechanism does not change", whatever the embedding."""
        return self.record.p_value

    @property
    def verdict(self) -> Verdict:
        """Whether there is no sign of a change, or it is drift, or jumps; of domains, ``"domains"`` if the mechanism changes."""
        if self.p_value > LEVEL:
            return "nothing"
        if not self.record.is_path:
            return "domains"
        found = self.record.partition(None)
        return "jumps" if found.gain > self.record.drift and found.labels.any() else "drift"

    @property
    def explained(self) -> Floats:
        """Share of the total variance carried by each component, shape (m,); zeros where nothing changes (p-value above .05)."""
        if self.p_value > LEVEL:
            return np.zeros_like(self.eigenvalues)
        total = self.eigenvalues.sum()
        return self.eigenvalues / total if total > 0 else self.eigenvalues

    def at(self, context: Any) -> Floats:
        """Return the components at other contexts (Nyström extension along the order of contexts).

        Parameters
        ----------
        context : array_like, shape (r,) or (r, c)
            Times or domains, of the same types as those of the data.

        Returns
        -------
        numpy.ndarray, shape (r, k)
            Interpolated between stretches of time, constant beyond them.

        Raises
        ------
        DataError
            If a domain is not among those of the data.
        """
        return self.cells.spread(self.coordinates, self.cells.points.read(context))

    def regimes(self, n_regimes: int | None = None) -> NDArray[np.intp]:
        """Return the regime of each row: stretches of time with one mechanism, or groups of domains.

        Parameters
        ----------
        n_regimes : int, optional
            Number of regimes, of stretches over time; by default what the rows support: one where nothing changes or where the
            mechanism drifts, and over time the same number for a regime that comes back.

        Returns
        -------
        numpy.ndarray of int, shape (n,)
            Numbered from 0, by time of first occurrence or by the first component.
        """
        labels = self._labels(n_regimes)
        if not self.record.is_path:
            first = np.bincount(self.record.cells.of_row, self.components[:, 0]) / self.record.cells.counts
            means = np.bincount(labels, first * self.record.cells.counts) / np.bincount(
                labels, self.record.cells.counts
            )
            labels = means.argsort().argsort()[labels]
        return np.asarray(labels[self.record.cells.of_row])

    def change_points(self, n_changes: int | None = None) -> Floats:
        """Return where along time the mechanism jumps from one regime to the next.

        Parameters
        ----------
        n_changes : int, optional
            Number of jumps to place whatever the verdict; by default as many as the rows support, none unless the verdict is
            ``"jumps"``.

        Returns
        -------
        numpy.ndarray, shape (r,)
            Values of the context half-way between two rows of different regimes, in its own units.

        Raises
        ------
        ParameterError
            If the context has no order, or orders rows within domains.
        """
        cells = self.record.cells
        points, source = cells.points, cells.points.source
        if not self.record.is_path or source is None:
            raise ParameterError(
                "change points need a single context that is time; see regimes() for domains"
            )
        regimes = self._labels(None if n_changes is None else n_changes + 1)[cells.of_row]
        along = source.values[:, points.leading_column()]
        order = np.argsort(along, kind="stable")
        jumps = np.flatnonzero(np.diff(regimes[order]))
        return np.asarray((along[order][jumps] + along[order][jumps + 1]) / 2)

    def _labels(self, number: int | None) -> NDArray[np.intp]:
        """Return the regime of each cell of the record."""
        cells = self.record.cells
        if number is None:
            still = self.record.is_path and self.verdict != "jumps"
            return np.zeros(cells.number, dtype=np.intp) if still else self.record.partition(None).labels
        if check_count("n_regimes", number) > cells.number:
            raise ParameterError(f"n_regimes is {number}; the context has {cells.number} cells")
        return self.record.partition(number).labels


def driving_force(
    effect: Any,
    context: Any,
    causes: Any = None,
    *,
    embedding: ParameterEmbedding | KernelEmbedding | None = None,
    kernel: ForceKernel = "linear",
    bandwidth: float | None = None,
    n_components: int = 3,
    n_resamples: int = 0,
    level: float = 0.9,
    rng: Seed = 0,
) -> DrivingForce:
    """Estimate what drives the change of the mechanism P(effect | causes) over contexts.

    Parameters
    ----------
    effect : array_like, shape (n,) or (n, 1)
        The variable whose mechanism changes.
    context : array_like, shape (n,) or (n, k)
        Time (numbers, dates) or domain (strings, booleans).
    causes : array_like, shape (n,) or (n, d), optional
        Its direct causes; left out for a root variable.
    embedding : ParameterEmbedding or KernelEmbedding, optional
        How the mechanism in a context becomes a point. By default its parameters, smoothed over time by a Gaussian process
        whose width and variances are learned by marginal likelihood; `KernelEmbedding` is that of the papers.
    kernel : {"linear", "gaussian"}, default="linear"
        Kernel between these points.
    bandwidth : float, optional
        Squared width of the Gaussian kernel; by default the median squared distance.
    n_components : int, default=3
        Number of components.
    n_resamples : int, default=0
        Draws for the bands; 0 leaves them out. They are from the posterior of the parameters, likeness of cells included; a
        `KernelEmbedding` has none, and rows drawn again would leave out of its bands what it smooths away.
    level : float, default=0.9
        Probability that a band holds the component at a context, on average over contexts.
    rng : int, numpy.random.Generator, RandomState or None, default=0
        Seed of the draws.

    Returns
    -------
    DrivingForce
        Components for every row, spectrum, bands, attribution; regimes and change points on demand.

    Raises
    ------
    DataError
        If the columns differ in length.
    ParameterError
        If bands are asked for of a `KernelEmbedding`.

    References
    ----------
    Huang et al., JMLR 21(89), 2020, section 5 (kernel nonstationary visualization).

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import driving_force
    >>> rng = np.random.default_rng(0)
    >>> time = np.linspace(0, 1, 200)
    >>> x = rng.normal(size=200)
    >>> y = np.sin(6 * time) + 0.5 * x + 0.3 * rng.normal(size=200)
    >>> force = driving_force(y, time, x)
    >>> bool(abs(np.corrcoef(force.components[:, 0], np.sin(6 * time))[0, 1]) > 0.95)
    True
    >>> max(force.attribution, key=force.attribution.get)
    'level'
    """
    check_choice("kernel", kernel, ("gaussian", "linear"))
    check_between("level", level, 0, 1)
    check_count("n_resamples", n_resamples, least=0)
    if n_resamples and isinstance(embedding, KernelEmbedding):
        raise ParameterError(
            "n_resamples: a KernelEmbedding has no posterior to take bands from; leave it 0, or take a ParameterEmbedding"
        )
    if bandwidth is not None:
        check_between("bandwidth", bandwidth, 0, np.inf)
    points = ContextPoints.of(as_context(read_context(context)))
    target = read_columns(effect, ["effect"])
    parents = None if causes is None or np.size(causes) == 0 else read_columns(causes, "cause")
    if len(points.rows) != target.n_rows or (parents is not None and parents.n_rows != target.n_rows):
        raise DataError("effect, context and causes need one row per observation each")
    table = target if parents is None else target.join(parents)
    size = check_count("n_components", n_components)
    method = ForceMethod(embedding or ParameterEmbedding(), kernel, bandwidth, size, n_resamples, level)
    return mechanism_force(table, table.names[0], table.names[1:], points, method, as_generator(rng))


@dataclass(frozen=True)
class ForceMethod:
    """The parameters of `driving_force`."""

    embedding: ParameterEmbedding | KernelEmbedding
    kernel: ForceKernel = "linear"
    bandwidth: float | None = None
    n_components: int = 3
    n_resamples: int = 0
    level: float = 0.9

    def cells(self, points: ContextPoints) -> Cells:
        """Return the cells at which the mechanism is embedded."""
        return Cells.of(points, GRID, 1) if isinstance(self.embedding, KernelEmbedding) else Cells.of(points)

    def axes(self, rows: Floats, cells: Cells) -> PrincipalAxes:
        """Return the principal axes of points, each weighted by the rows of its cell."""
        share = cells.counts / cells.counts.sum()
        return PrincipalAxes.of(self.gram_of(rows @ rows.T), share, self.n_components)

    def gram_of(self, rows: Floats) -> Floats:
        """Return the Gram matrix of points, or turn one of inner products into the chosen kernel."""
        if self.kernel == "linear":
            return rows
        return gaussian_gram(rows, "median" if self.bandwidth is None else self.bandwidth)


def mechanism_force(
    table: Table,
    effect: str,
    causes: Sequence[str],
    points: ContextPoints,
    method: ForceMethod,
    rng: np.random.Generator,
) -> DrivingForce:
    """Embed the mechanism of one variable of a table at every cell of the context and return its principal components."""
    cells = method.cells(points)
    with single_thread_below(_size(method, table, cells)):
        return _estimated(table, effect, causes, cells, method, rng)


def _size(method: ForceMethod, table: Table, cells: Cells) -> int:
    """Return the size of the matrices that an embedding works on."""
    return table.n_rows if isinstance(method.embedding, KernelEmbedding) else cells.number


def _estimated(
    table: Table,
    effect: str,
    causes: Sequence[str],
    cells: Cells,
    method: ForceMethod,
    rng: np.random.Generator,
) -> DrivingForce:
    """Fit the parameters, test them, and embed the mechanism by them or by kernels."""
    chosen = method.embedding
    parameters = chosen if isinstance(chosen, ParameterEmbedding) else ParameterEmbedding()
    own = cells if parameters is chosen else Cells.of(cells.points)
    fit = parameters.mechanism(table, effect, causes, own, own.paths())
    record = Record.of(fit, own, change_p_value(fit, own, np.random.default_rng(0)))
    if isinstance(chosen, KernelEmbedding):
        values, vectors = np.linalg.eigh(chosen.mechanism(table, effect, causes, cells))
        points: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
        return _force(method.axes(points, cells), cells, record, Shares({}, {}))
    effects = fit.effects(Draws(method.n_resamples, rng, cells.between()) if method.n_resamples else None)
    rows = effects.natural()
    axes = method.axes(rows, cells)
    shares = Shares({}, {})
    if record.p_value <= LEVEL:
        shares = shares_of_change(fit, rows, table, causes, cells)
    force = _force(axes, cells, record, shares)
    if not method.n_resamples:
        return force
    draws = np.array([axes.project(method, rows, drawn) for drawn in effects.natural_draws()])
    return with_bands(force, margins_of(draws, force, method.level))


def _force(axes: PrincipalAxes, cells: Cells, record: Record, shares: Shares) -> DrivingForce:
    components = cells.spread(axes.coordinates)[cells.points.rows]
    return DrivingForce(
        components, axes.eigenvalues, shares.shares, None, axes.coordinates, cells, record, shares.reference
    )


@dataclass(frozen=True)
class PrincipalAxes:
    """Kernel principal components of weighted points.

    Parameters
    ----------
    coordinates : numpy.ndarray, shape (m, k)
        Coordinates of the points; the entry of largest size in each column is positive.
    eigenvalues : numpy.ndarray, shape (m,)
        Variances, decreasing.
    """

    coordinates: Floats
    eigenvalues: Floats

    @classmethod
    def of(cls, gram: Floats, share: Floats, number: int) -> PrincipalAxes:
        """Find the components of a Gram matrix, each point weighted by its share of the rows."""
        values, vectors = np.linalg.eigh(weighted_center(gram, share))
        values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        kept = vectors[:, :number] * np.sqrt(values[:number]) / np.sqrt(share)[:, None]
        largest = kept[np.argmax(np.abs(kept), axis=0), np.arange(kept.shape[1])]
        coordinates = np.zeros((len(gram), number))
        coordinates[:, : kept.shape[1]] = kept * np.where(largest < 0, -1.0, 1.0)
        return cls(coordinates, values)

    def project(self, method: ForceMethod, known: Floats, others: Floats) -> Floats:
        """Return the coordinates of other points by regression of the coordinates on the points that are known."""
        if method.kernel == "gaussian":
            both = method.gram_of(np.vstack([known, others]) @ np.vstack([known, others]).T)
            known, others = both[: len(known), : len(known)], both[len(known) :, : len(known)]
        centre = known.mean(axis=0)
        mean = self.coordinates.mean(axis=0)
        solution = np.linalg.lstsq(known - centre, self.coordinates - mean, rcond=1e-8)[0]
        return np.asarray((others - centre) @ solution + mean)


# -- bands ---------------------------------------------------------------------------------------------------------------------------


def margins_of(draws: Floats, force: DrivingForce, level: float) -> Floats:
    """Return half the width of bands about the estimate: what Student's law says for the spread of so many draws."""
    number = len(draws)
    spread = np.sqrt(((draws - force.coordinates) ** 2).sum(axis=0) / max(number - 1, 1))
    return np.asarray(WIDER * stats.t.ppf((1 + level) / 2, max(number - 1, 1)) * spread)


def with_bands(force: DrivingForce, margins: Floats, at: ContextPoints | None = None) -> DrivingForce:
    """Add bands of these half-widths at the rows of a data set, by default those that the force is estimated on."""
    rows = force.cells.points.rows if at is None else at.rows
    ends = (force.coordinates - margins, force.coordinates + margins)
    return replace(
        force, margins=margins, bands=np.array([force.cells.spread(end, at)[rows] for end in ends])
    )
