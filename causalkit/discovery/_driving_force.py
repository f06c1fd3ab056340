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
from sklearn.cluster import AgglomerativeClustering

from causalkit._random import Seed, as_generator
from causalkit._validation import Floats, Table, check_between, check_choice, check_count, read_columns
from causalkit.discovery._cells import Cells
from causalkit.discovery._contexts import ContextPoints, as_context, read_context
from causalkit.discovery._embedding import gaussian_gram, weighted_center
from causalkit.discovery._independent_change import KernelEmbedding
from causalkit.discovery._mechanism_parameters import ParameterEmbedding
from causalkit.exceptions import DataError, ParameterError
from causalkit.gpu._threads import single_thread_below

__all__ = ["DrivingForce", "driving_force"]

ForceKernel: TypeAlias = Literal["linear", "gaussian"]

GRID = 300


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
        divergence from the pooled mechanism; empty with a `KernelEmbedding`.
    bands : numpy.ndarray of shape (2, n, k), optional
        Lower and upper end of the bootstrap intervals of the components.
    coordinates : numpy.ndarray, shape (m, k)
        The components of each cell.
    rough : numpy.ndarray, shape (m, k)
        The same from parameters that were not smoothed over time, in which jumps stay sharp.
    cells : Cells
        The cells.
    """

    components: Floats
    eigenvalues: Floats
    attribution: Mapping[str, float]
    bands: Floats | None
    coordinates: Floats
    rough: Floats
    cells: Cells

    @property
    def explained(self) -> Floats:
        """Share of the total variance carried by each component, shape (m,)."""
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
            Number of regimes; by default the one with the smallest Bayesian information criterion.

        Returns
        -------
        numpy.ndarray of int, shape (n,)
            Numbered from 0, by time of first occurrence or by the first component.
        """
        if n_regimes is not None:
            check_count("n_regimes", n_regimes)
        return np.asarray(self._regimes_of_cells(n_regimes)[self.cells.of_row])

    def change_points(self, n_changes: int | None = None) -> Floats:
        """Return where along time the mechanism jumps from one regime to the next.

        Parameters
        ----------
        n_changes : int, optional
            Number of jumps; by default the one with the smallest Bayesian information criterion.

        Returns
        -------
        numpy.ndarray, shape (r,)
            Values of the context half-way between two rows of different regimes, in its own units.

        Raises
        ------
        ParameterError
            If the context has no order, or orders rows within domains.
        """
        points, source = self.cells.points, self.cells.points.source
        if self.cells.places is None or int(self.cells.strata.max()) > 0 or source is None:
            raise ParameterError(
                "change points need a single context that is time; see regimes() for domains"
            )
        regimes = self.regimes(None if n_changes is None else n_changes + 1)
        along = source.values[:, points.leading_column()]
        order = np.argsort(along, kind="stable")
        jumps = np.flatnonzero(np.diff(regimes[order]))
        return np.asarray((along[order][jumps] + along[order][jumps + 1]) / 2)

    def _regimes_of_cells(self, number: int | None) -> NDArray[np.intp]:
        ordered = self.cells.places is not None and int(self.cells.strata.max()) == 0
        split = contiguous if ordered else grouped
        most = len(self.rough) if number is not None else max(1, len(self.rough) // 3)
        if number is not None and number > most:
            raise ParameterError(f"n_regimes is {number}; the context has {most} cells")
        tried = [split(self.rough, number)] if number else [split(self.rough, k) for k in range(1, most + 1)]
        return min(tried, key=lambda labels: information(self.rough, labels, ordered=ordered))


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
        Bootstrap resamples for bands; 0 leaves them out. Rows are drawn within each cell of the context.
    level : float, default=0.9
        Share of resamples within the bands.
    rng : int, numpy.random.Generator, RandomState or None, default=0
        Seed of the bootstrap.

    Returns
    -------
    DrivingForce
        Components for every row, spectrum, bands, attribution; regimes and change points on demand.

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
    points, kernels = cells.points, cells.kernels()
    smooth, rough, attribution, chosen = _points(table, effect, causes, cells, method, kernels, kernels)
    axes = method.axes(smooth, cells)
    coordinates = axes.coordinates
    sharp = coordinates if rough is None else axes.project(method, smooth, rough)
    force = DrivingForce(
        cells.spread(coordinates)[points.rows],
        axes.eigenvalues,
        attribution,
        None,
        coordinates,
        sharp,
        cells,
    )
    if not method.n_resamples:
        return force
    used = [[kernels[k]] for k in chosen]
    bands = bootstrap_bands(table, effect, causes, force, method, used, rng)
    return replace(force, bands=bands)


def _points(
    table: Table,
    effect: str,
    causes: Sequence[str],
    cells: Cells,
    method: ForceMethod,
    kernels: Sequence[Floats],
    scale_kernels: Sequence[Floats],
    *,
    with_rough: bool = True,
) -> tuple[Floats, Floats | None, dict[str, float], tuple[int, int]]:
    """Return the points of a mechanism over cells, the same without smoothing, the shares of the change, and the kernels that were chosen."""
    if isinstance(method.embedding, KernelEmbedding):
        gram = method.embedding.mechanism(table, effect, causes, cells)
        values, vectors = np.linalg.eigh(gram)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))), None, {}, (0, 0)
    effects, names = method.embedding.mechanism(table, effect, causes, cells, kernels, scale_kernels)
    rows = effects.natural()
    rough = None
    if cells.places is not None and with_rough:
        apart = [np.eye(cells.number)]
        rough = method.embedding.mechanism(table, effect, causes, cells, apart)[0].natural()
    return rows, rough, attribute(rows, names, cells.counts), effects.chosen


def attribute(rows: Floats, names: Sequence[str], counts: NDArray[np.intp]) -> dict[str, float]:
    """Return the share of each kind of parameter in the mean squared change."""
    squares = np.average(rows**2, axis=0, weights=counts).tolist()
    total = sum(squares)
    shares = dict.fromkeys(names, 0.0)
    for name, value in zip(names, squares, strict=True):
        shares[name] += value / total if total > 0 else 0.0
    return shares


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


def bootstrap_bands(
    table: Table,
    effect: str,
    causes: Sequence[str],
    force: DrivingForce,
    method: ForceMethod,
    kernels: Sequence[Sequence[Floats]],
    rng: np.random.Generator,
) -> Floats:
    """Return bands of the components, from rows drawn again within each cell; the axes of a resample are turned to the original ones."""
    cells, draws = force.cells, []
    members = [np.flatnonzero(cells.of_row == k) for k in range(cells.number)]
    places = np.argsort(np.concatenate(members))
    for _ in range(method.n_resamples):
        rows = np.concatenate([rng.choice(m, size=len(m)) for m in members])
        again = table.take(rows[places])
        points = _points(again, effect, causes, cells, method, *kernels, with_rough=False)[0]
        draws.append(turned(method.axes(points, cells).coordinates, force.coordinates))
    ends = np.quantile(draws, [(1 - method.level) / 2, (1 + method.level) / 2], axis=0)
    return np.array([cells.spread(end)[cells.points.rows] for end in ends])


def turned(coordinates: Floats, towards: Floats) -> Floats:
    """Rotate centred coordinates to be closest to others (orthogonal Procrustes)."""
    centred, goal = coordinates - coordinates.mean(axis=0), towards - towards.mean(axis=0)
    left, _, right = np.linalg.svd(centred.T @ goal)
    return np.asarray(centred @ (left @ right) + towards.mean(axis=0))


# -- regimes -------------------------------------------------------------------------------------------------------------------------


def contiguous(rows: Floats, number: int) -> NDArray[np.intp]:
    """Cut a path into so many stretches with the smallest sum of squares about their means (dynamic programming)."""
    m = len(rows)
    sums = np.vstack([np.zeros(rows.shape[1]), np.cumsum(rows, axis=0)])
    squares = np.concatenate([[0.0], np.cumsum((rows**2).sum(axis=1))])
    ends = np.arange(m + 1)
    length = np.maximum(ends[None, :] - ends[:, None], 1)
    spread = ((sums[None] - sums[:, None]) ** 2).sum(axis=2) / length
    cost = np.where(ends[:, None] < ends[None, :], squares[None, :] - squares[:, None] - spread, np.inf)
    best, choice = cost[0], []
    for _ in range(number - 1):
        total = best[:, None] + cost
        choice.append(total.argmin(axis=0))
        best = total.min(axis=0)
    labels, end = np.zeros(m, dtype=np.intp), m
    for k in range(number - 1, 0, -1):
        start = int(choice[k - 1][end])
        labels[start:end], end = k, start
    return labels


def grouped(rows: Floats, number: int) -> NDArray[np.intp]:
    """Group points by Ward's method; groups are numbered by their mean along the first coordinate."""
    if number == 1 or len(rows) == 1:
        return np.zeros(len(rows), dtype=np.intp)
    raw = AgglomerativeClustering(min(number, len(rows))).fit_predict(rows)
    means = [rows[raw == k, 0].mean() for k in range(raw.max() + 1)]
    return np.asarray(np.argsort(np.argsort(means))[raw])


def information(rows: Floats, labels: NDArray[np.intp], *, ordered: bool) -> float:
    """Return the Bayesian information criterion of points that are normal about the mean of their regime."""
    m, width = rows.shape
    number = int(labels.max()) + 1
    within = sum(((rows[labels == k] - rows[labels == k].mean(axis=0)) ** 2).sum() for k in range(number))
    total = ((rows - rows.mean(axis=0)) ** 2).sum()
    free = number * width + 2 * (number - 1 if ordered else 0)
    return float(
        m * width * np.log(max(within, 1e-9 * total, 1e-300) / (m * width)) + free * np.log(m * width)
    )
