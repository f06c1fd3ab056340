r"""Regimes: which cells share one mechanism, by the evidence of their rows.

Each cell says about its parameters what its rows say, no more: the deviations u of its coefficients have the log likelihood
:math:`t_k'u - u'P_k u/2` with :math:`P_k = G_k / \sigma_k^2`, and its log residual scale is measured with a known variance. A regime has
one set of parameters, drawn from the covariance T of `_random_effects`, so that the evidence that some cells are one regime is

.. math:: \tfrac12 t'(P + T^{-1})^{-1} t - \tfrac12 \log\det(I + T P), \qquad t = \sum t_k,\ P = \sum P_k .

A partition is judged by the sum over its regimes and the log of its prior probability: of domains that of a Dirichlet process
(:math:`\prod (n_g - 1)! / K!`), of stretches of time one over the number of ways to cut. A further regime must be twenty times
as likely, a further group of domains 150 times. There is no cap, and no guess of the noise from the scatter of the estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from causalkit._validation import Floats
from causalkit.discovery._cells import Cells
from causalkit.discovery._mechanism_parameters import Law, MechanismFit
from causalkit.discovery._random_effects import Fit, likeliest

__all__ = ["Partition", "Record", "grouped", "recurring", "stretched"]

Labels = NDArray[np.intp]

STRONG = 3.0
# Groups are sought among many more partitions than stretches, and T has learned from the same noise as they do.
FURTHER_GROUP = 5.0


@dataclass(frozen=True)
class Block:
    """What cells say about one set of parameters: precisions (K, p, p), targets (K, p), and the covariance T (p, p) of deviations."""

    precision: Floats
    target: Floats
    covariance: Floats

    def evidence(self, precision: Floats, target: Floats) -> Floats:
        """Return the log evidence (m,) of m sums of precisions and targets."""
        root = _root(self.covariance)
        inner = np.eye(root.shape[1]) + root.T @ precision @ root
        white = target @ root
        solved = np.linalg.solve(inner, white[..., None])[..., 0]
        return np.asarray(0.5 * (np.sum(white * solved, axis=-1) - np.linalg.slogdet(inner)[1]))

    def drifting(self, gram: Floats) -> float:
        """Return the log evidence of all cells if deviations are a path with the likeness `gram`."""
        root, path = _root(self.covariance), np.linalg.cholesky(gram)
        size = len(gram) * root.shape[1]
        told = root.T @ self.precision @ root
        inner = np.einsum("ka,kij,kb->iajb", path, told, path, optimize=True).reshape(size, size)
        white = (path.T @ (self.target @ root)).T.ravel()
        matrix = np.eye(size) + inner
        return float(0.5 * (white @ np.linalg.solve(matrix, white) - np.linalg.slogdet(matrix)[1]))


def _root(covariance: Floats) -> Floats:
    """Return L with L L' = T, without the directions in which nothing moves."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-6 * max(values.max(), np.finfo(float).tiny)
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


@dataclass(frozen=True)
class Record:
    """What the cells say about a mechanism.

    Parameters
    ----------
    blocks : tuple of Block
        Independent sets of parameters.
    cells : Cells
        The cells.
    drift : float
        Log evidence that the parameters drift, above that of no change.
    p_value : float
        That of no change at all.
    """

    blocks: tuple[Block, ...]
    cells: Cells
    drift: float
    p_value: float

    @classmethod
    def of(cls, fit: MechanismFit, cells: Cells, p_value: float) -> Record:
        """Read the likeliest fit."""
        blocks, drift = [], 0.0
        for law in fit.laws:
            best = law.fits[likeliest(law.fits)]
            found = list(_blocks(law, best, cells))
            blocks += found
            if cells.places is not None:
                # The likeness was chosen among several, as the places of jumps were; that has its price too.
                price = np.log(len(fit.kernels))
                drift += sum(max(block.drifting(gram) for gram in fit.kernels) - price for block in found)
        return cls(tuple(blocks), cells, drift, p_value)

    @property
    def is_path(self) -> bool:
        """Whether the cells follow one another in a single order."""
        return self.cells.places is not None and int(self.cells.strata.max()) == 0

    def evidence_of_sets(self, members: Floats) -> Floats:
        """Return the log evidence (m,) that each of m sets of cells is one regime; rows of `members` are 0/1 over cells."""
        total = np.zeros(len(members))
        for block in self.blocks:
            precision = np.tensordot(members, block.precision, axes=1)
            total += block.evidence(precision, members @ block.target)
        return total

    def partition(self, number: int | None, level: float = 0.05) -> Partition:
        """Return the regimes: the likeliest ones, or the likeliest with so many regimes (of a path: stretches)."""
        if number is None and self.p_value > level:
            return Partition(np.zeros(self.cells.number, dtype=np.intp), 0.0)
        return stretched(self, number) if self.is_path else grouped(self, number)


def _blocks(law: Law, fit: Fit, cells: Cells) -> Sequence[Block]:
    noise = fit.noise[:, None]
    coefficients = Block(law.moments.gram / noise[..., None], law.moments.cross / noise, fit.covariance)
    if not law.with_scale:
        return [coefficients]
    estimates, variances = fit.measured
    certain = 1 / (variances * _heaviness(law, fit, cells))
    spread = np.array([[max(float(fit.scale.variances[0]), np.finfo(float).tiny)]])
    return [coefficients, Block(certain[:, None, None], ((estimates - fit.mean) * certain)[:, None], spread)]


def _heaviness(law: Law, fit: Fit, cells: Cells) -> float:
    """Return by how much residuals with heavy tails make log scales noisier than normal ones: (kurtosis - 1) / 2, at least 1."""
    residuals = law.residuals / np.sqrt(fit.noise[cells.of_row])
    square = (residuals**2).mean()
    kurtosis = (residuals**4).mean() / square**2 if square > 0 else 3.0
    return float(max(1.0, (kurtosis - 1) / 2))


@dataclass(frozen=True)
class Partition:
    """The regime of each cell, and its log evidence above that of no change, less the price of the choice."""

    labels: Labels
    gain: float


# -- groups of domains -------------------------------------------------------------------------------------------------------------


def grouped(record: Record, number: int | None = None) -> Partition:
    """Join the two groups of cells that gain most by being one, from single cells on; keep the likeliest stage, or the one asked for."""
    groups = np.eye(record.cells.number)
    alone = record.evidence_of_sets(groups)
    first, second = np.triu_indices(len(groups), 1)
    gains = np.full((len(groups), len(groups)), -np.inf)
    gains[first, second] = (
        record.evidence_of_sets(groups[first] + groups[second]) - alone[first] - alone[second]
    )
    stages = [(groups, float(alone.sum()))]
    while len(groups) > 1:
        groups, alone, gains = _joined(record, groups, alone, gains)
        stages.append((groups, float(alone.sum())))
    found = [
        Partition(groups.argmax(axis=0).astype(np.intp), evidence - _price_of_groups(groups.sum(axis=1)))
        for groups, evidence in stages
        if number is None or len(groups) == number
    ]
    return max(found, key=lambda partition: partition.gain)


def _joined(record: Record, groups: Floats, alone: Floats, gains: Floats) -> tuple[Floats, Floats, Floats]:
    i, j = np.unravel_index(int(gains.argmax()), gains.shape)
    groups = np.delete(
        np.where(np.arange(len(groups))[:, None] == i, groups[i] + groups[j], groups), j, axis=0
    )
    alone, gains = np.delete(alone, j), np.delete(np.delete(gains, j, axis=0), j, axis=1)
    alone[i] = record.evidence_of_sets(groups[[i]])[0]
    others = np.flatnonzero(np.arange(len(groups)) != i)
    if len(others):
        joint = record.evidence_of_sets(groups[others] + groups[i]) - alone[others] - alone[i]
        gains[np.minimum(others, i), np.maximum(others, i)] = joint
    return groups, alone, gains


def _price_of_groups(sizes: Floats) -> float:
    """Return minus the log prior probability of groups of such sizes (Dirichlet process), and the evidence asked for each further one."""
    return float(gammaln(sizes.sum() + 1) - gammaln(sizes).sum() + FURTHER_GROUP * (len(sizes) - 1))


# -- stretches of time -------------------------------------------------------------------------------------------------------------


def stretched(record: Record, number: int | None = None) -> Partition:
    """Cut a path into the likeliest stretches (dynamic programming); those of the same regime get the same label.

    A single cell between two stretches is one in which the jump lies; its two halves have different parameters, so that it looks like
    a regime of its own. It goes to the stretch that it is more like.
    """
    m = record.cells.number
    starts, ends = np.triu_indices(m + 1, 1)
    cells = np.arange(m)
    members = ((cells >= starts[:, None]) & (cells < ends[:, None])).astype(np.float64)
    worth = np.full((m + 1, m + 1), -np.inf)
    worth[starts, ends] = record.evidence_of_sets(members)
    paths = _cuts(worth, m if number is None else number)
    if number is not None:
        return Partition(np.repeat(np.arange(number), np.diff(paths[-1][0])), 0.0)
    gains = [
        evidence - _log_choose(m - 1, jumps) - STRONG * jumps for jumps, (_, evidence) in enumerate(paths)
    ]
    best = int(np.argmax(gains))
    labels = _without_slivers(record, paths[best][0])
    jumps, regimes = int(np.count_nonzero(np.diff(labels))), int(labels.max()) + 1
    again = _worth(record, labels) - _log_choose(m - 1, jumps) - STRONG * (regimes - 1)
    return Partition(labels, max(gains[best], again))


def _cuts(worth: Floats, most: int) -> list[tuple[Labels, float]]:
    """Return for 1, 2, ..., `most` stretches the ends of the best ones, with 0 in front, and their evidence."""
    m = len(worth) - 1
    best, choices, found = worth[0].copy(), [], []
    for stretches in range(1, most + 1):
        if stretches > 1:
            total = best[:, None] + worth
            choices.append(total.argmax(axis=0))
            best = total.max(axis=0)
        ends = [m]
        for choice in reversed(choices):
            ends.append(int(choice[ends[-1]]))
        found.append((np.array([0, *reversed(ends)]), float(best[m])))
    return found


def _without_slivers(record: Record, cuts: Labels) -> Labels:
    """Number the stretches, single cells between two others going to the likelier neighbour."""
    lengths = np.diff(cuts)
    labels = np.repeat(np.arange(len(lengths)), lengths)
    for k in range(1, len(lengths) - 1):
        if lengths[k] == 1:
            choice = [np.where(labels == k, other, labels) for other in (k - 1, k + 1)]
            labels = max(choice, key=lambda tried: _worth(record, tried))
    return recurring(record, np.unique(labels, return_inverse=True)[1])


def _worth(record: Record, labels: Labels) -> float:
    members = (labels == np.unique(labels)[:, None]).astype(np.float64)
    return float(record.evidence_of_sets(members).sum())


def recurring(record: Record, labels: Labels) -> Labels:
    """Give the same label to stretches unless two regimes are much likelier than one, the likeliest pair first; numbered by first occurrence."""
    labels = labels.copy()
    while True:
        names = np.unique(labels)
        members = (labels == names[:, None]).astype(np.float64)
        alone = record.evidence_of_sets(members)
        first, second = np.triu_indices(len(names), 1)
        if not len(first):
            break
        gains = record.evidence_of_sets(members[first] + members[second]) - alone[first] - alone[second]
        best = int(gains.argmax())
        if gains[best] <= -STRONG:
            break
        labels[labels == names[second[best]]] = names[first[best]]
    order = np.unique(labels, return_index=True)[1].argsort()
    return np.asarray(order.argsort()[np.unique(labels, return_inverse=True)[1]], dtype=np.intp)


def _log_choose(n: int, k: int) -> float:
    return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
