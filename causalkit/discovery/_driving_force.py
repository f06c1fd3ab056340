"""Driving forces: the low-dimensional curve along which a mechanism moves as the context changes.

Each context's mechanism is a point in a feature space (`mechanism_gram`); kernel principal components of these points are
coordinates of the change. With one parameter moving, one component usually carries most of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from causalkit._validation import Floats, Table, check_between, check_choice, check_count, read_columns
from causalkit.discovery._contexts import ContextPoints, as_context, read_context
from causalkit.discovery._embedding import gaussian_gram, mechanism_gram, variable_gram, weighted_center
from causalkit.exceptions import DataError
from causalkit.independence import center_gram

__all__ = ["DrivingForce", "driving_force"]


@dataclass(frozen=True)
class DrivingForce:
    """Coordinates of a changing mechanism.

    Parameters
    ----------
    components : numpy.ndarray, shape (n, k)
        One row per observation; column j is the j-th component, scaled to its standard deviation in feature space. The entry
        of largest size in each column is positive.
    eigenvalues : numpy.ndarray, shape (m,)
        Variances of all components, decreasing; m is the number of different contexts.
    """

    components: Floats
    eigenvalues: Floats

    @property
    def explained(self) -> Floats:
        """Share of the total variance carried by each component, shape (m,)."""
        total = self.eigenvalues.sum()
        return self.eigenvalues / total if total > 0 else self.eigenvalues


def driving_force(
    effect: Any,
    context: Any,
    causes: Any = None,
    *,
    width: float = 0.5,
    time_width: float = 0.2,
    ridge: float = 0.1,
    kernel: str = "gaussian",
    bandwidth: float | None = None,
    n_components: int = 3,
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
    width : float, default=0.5
        Width of the kernels on standardised effect and causes; narrower sees changes of variance better.
    time_width : float, default=0.2
        Width of the kernel on standardised time.
    ridge : float, default=0.1
        Ridge of the regression on causes and context.
    kernel : {"gaussian", "linear"}, default="gaussian"
        Kernel between embedded mechanisms.
    bandwidth : float, optional
        Squared width of that kernel; by default the median squared distance.
    n_components : int, default=3
        Number of components.

    Returns
    -------
    DrivingForce
        Components for every row and the spectrum.

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
    >>> bool(abs(np.corrcoef(force.components[:, 0], np.sin(6 * time))[0, 1]) > 0.9)
    True
    """
    check_choice("kernel", kernel, ("gaussian", "linear"))
    for name, value in (("width", width), ("time_width", time_width), ("ridge", ridge)):
        check_between(name, value, 0, np.inf)
    points = ContextPoints.of(as_context(read_context(context)))
    if bandwidth is not None:
        check_between("bandwidth", bandwidth, 0, np.inf)
    target = read_columns(effect, ["effect"])
    parents = None if causes is None or np.size(causes) == 0 else read_columns(causes, "cause")
    if len(points.rows) != target.n_rows or (parents is not None and parents.n_rows != target.n_rows):
        raise DataError("effect, context and causes need one row per observation each")
    table = target if parents is None else target.join(parents)
    settings = ForceSettings(width, time_width, ridge, kernel, bandwidth)
    columns = list(table.names[1:])
    return mechanism_force(
        table, table.names[0], columns, points, check_count("n_components", n_components), settings
    )


@dataclass(frozen=True)
class ForceSettings:
    """The parameters of `driving_force` that concern the embedding."""

    width: float = 0.5
    time_width: float = 0.2
    ridge: float = 0.1
    kernel: str = "gaussian"
    bandwidth: float | None = None


def mechanism_force(
    table: Table,
    effect: str,
    causes: Sequence[str],
    points: ContextPoints,
    n_components: int,
    settings: ForceSettings | None = None,
) -> DrivingForce:
    """Embed the mechanism of one variable of a table at every different context and return its principal components."""
    chosen = settings or ForceSettings()
    ends = points.kernel(chosen.time_width)[points.rows]
    target = variable_gram(table, [effect], chosen.width)
    parents = variable_gram(table, causes, chosen.width) if causes else None
    gram = mechanism_gram(center_gram(target), ends[:, points.rows], parents, ridge=chosen.ridge, at=ends)
    if chosen.kernel == "gaussian":
        gram = gaussian_gram(gram, "median" if chosen.bandwidth is None else chosen.bandwidth)
    return principal_components(gram, points, n_components)


def principal_components(gram: Floats, points: ContextPoints, n_components: int) -> DrivingForce:
    """Return kernel principal components over contexts, each weighted by its number of rows."""
    share = points.counts / points.counts.sum()
    values, vectors = np.linalg.eigh(weighted_center(gram, share))
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    kept = vectors[:, :n_components] * np.sqrt(values[:n_components]) / np.sqrt(share)[:, None]
    largest = kept[np.argmax(np.abs(kept), axis=0), np.arange(kept.shape[1])]
    kept = kept * np.where(largest < 0, -1.0, 1.0)
    components = np.zeros((len(points.rows), n_components))
    components[:, : kept.shape[1]] = kept[points.rows]
    return DrivingForce(components, values)
