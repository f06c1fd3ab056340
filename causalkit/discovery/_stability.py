"""How far a graph depends on the sample and on the level: searches repeated on parts of the rows, and along a path of levels.

Rows are drawn **without replacement** by default. A bootstrap sample holds rows twice, and an independence test takes two copies of a
row for evidence: under independence it rejects too often. Halves of the rows in complementary pairs are those of stability
selection, whose bound on the expected number of false edges holds whatever the search does.

References
----------
N. Meinshausen, P. Bühlmann, "Stability selection", JRSS B 72, 2010. R. Shah, R. Samworth, "Variable selection with error control:
another look at stability selection", JRSS B 75, 2013 (complementary pairs). H. Künsch, "The jackknife and the bootstrap for
general stationary observations", Annals of Statistics 17, 1989 (blocks).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import joblib
import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from causalkit._random import Seed, entropy, stream
from causalkit._validation import Floats, check_between, check_choice, check_count
from causalkit.discovery._contexts import context_names
from causalkit.exceptions import CausalKitWarning, ParameterError
from causalkit.graph import CausalGraph, Mark
from causalkit.independence import CITest, TestResult, get_test
from causalkit.independence._base import Triple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AlphaPath", "Resampling", "Stability", "alpha_path"]

Scheme: TypeAlias = Literal["subsample", "bootstrap"]
ALPHAS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)


@dataclass(frozen=True)
class Resampling:
    """How rows are drawn again: within each domain, and over time in blocks.

    Parameters
    ----------
    n_resamples : int, default=50
        Number of searches. With ``"subsample"`` they come in pairs that share no row as long as ``fraction`` is at most one half.
    scheme : {"subsample", "bootstrap"}, default="subsample"
        Without or with replacement. Kernel tests reject too often on rows that occur twice.
    fraction : float, default=0.5
        Share of the rows in a subsample; a bootstrap sample is as large as the data.
    block_length : int, optional
        Rows in a block of time; by default the cube root of n, rounded up, times two. 1 treats rows as independent given time.
    random_state : int, numpy.random.Generator, RandomState or None, default=0
        Seed.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import PC, Resampling
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=200)
    >>> data = np.column_stack([a, a + rng.normal(size=200), rng.normal(size=200)])
    >>> model = PC(resampling=Resampling(n_resamples=10)).fit(data)
    >>> float(model.stability_.adjacency[0, 1])
    1.0
    """

    n_resamples: int = 50
    scheme: Scheme = "subsample"
    fraction: float = 0.5
    block_length: int | None = None
    random_state: Seed = 0

    def __post_init__(self) -> None:
        check_count("n_resamples", self.n_resamples)
        check_choice("scheme", self.scheme, ("subsample", "bootstrap"))
        check_between("fraction", self.fraction, 0, 1)
        if self.block_length is not None:
            check_count("block_length", self.block_length)

    def draws(self, strata: NDArray[np.intp], time: Floats | None) -> list[NDArray[np.intp]]:
        """Return the rows of each resample, in increasing order.

        Parameters
        ----------
        strata : numpy.ndarray of int, shape (n,)
            Domain of each row.
        time : numpy.ndarray of shape (n,) or None
            Time of each row, if contexts have an order.

        Returns
        -------
        list of numpy.ndarray of int
            One per resample.
        """
        base, blocks = entropy(self.random_state), self._blocks(strata, time)
        paired = self.scheme == "subsample" and self.fraction <= 0.5
        found: list[NDArray[np.intp]] = []
        while len(found) < self.n_resamples:
            rng = stream(base, len(found))
            orders = [[part[k] for k in rng.permutation(len(part))] for part in blocks]
            found.append(self._rows(orders, rng))
            if paired and len(found) < self.n_resamples:
                found.append(self._rows([order[::-1] for order in orders], rng))
        return found

    def _blocks(self, strata: NDArray[np.intp], time: Floats | None) -> list[list[NDArray[np.intp]]]:
        """Return, for each domain, its rows in blocks that are drawn together."""
        parts = [np.flatnonzero(strata == s) for s in np.unique(strata)]
        if time is None:
            return [[np.array([k]) for k in part] for part in parts]
        length = self.block_length or 2 * int(np.ceil(len(strata) ** (1 / 3)))
        ordered = [part[np.argsort(time[part], kind="stable")] for part in parts]
        return [np.array_split(part, max(1, round(len(part) / length))) for part in ordered]

    def _rows(self, orders: list[list[NDArray[np.intp]]], rng: np.random.Generator) -> NDArray[np.intp]:
        if self.scheme == "bootstrap":
            chosen = [[part[k] for k in rng.integers(len(part), size=len(part))] for part in orders]
        else:
            chosen = [part[: max(1, int(self.fraction * len(part)))] for part in orders]
        return np.sort(np.concatenate([block for part in chosen for block in part]))


@dataclass(frozen=True, eq=False)
class Stability:
    """How often resampled searches found each edge and each mark.

    Parameters
    ----------
    names : tuple of str
        The d nodes.
    frequencies : numpy.ndarray, shape (d, d, 4)
        Entry (i, j, m) is the share of resamples in which the edge i–j has `Mark` m at j; m = 0 is no edge.
    graphs : tuple of CausalGraph
        What each resample found.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import PC, Resampling
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 300))
    >>> data = np.column_stack([a, b, a + b + 0.5 * rng.normal(size=300)])
    >>> stability = PC(resampling=Resampling(n_resamples=10)).fit(data).stability_
    >>> round(stability.edge("X1", "X3")["X1 -> X3"], 3)
    0.8
    """

    names: tuple[str, ...]
    frequencies: Floats
    graphs: tuple[CausalGraph, ...]

    @classmethod
    def of(cls, graphs: Sequence[CausalGraph]) -> Stability:
        """Count the marks of graphs on the same nodes.

        Parameters
        ----------
        graphs : sequence of CausalGraph
            At least one.

        Returns
        -------
        Stability
            Their frequencies.
        """
        marks = np.array([graph.marks for graph in graphs])
        frequencies = np.stack([(marks == mark).mean(axis=0) for mark in range(len(Mark))], axis=2)
        return cls(graphs[0].nodes, frequencies, tuple(graphs))

    @property
    def adjacency(self) -> Floats:
        """Share of resamples with an edge between i and j, shape (d, d)."""
        return np.asarray(1 - self.frequencies[:, :, Mark.NONE])

    @property
    def arrows(self) -> Floats:
        """Share of resamples with i -> j, shape (d, d)."""
        directed = [(g.marks == Mark.ARROW) & (g.marks.T == Mark.TAIL) for g in self.graphs]
        return np.asarray(np.mean(directed, axis=0))

    def edge(self, u: str, v: str) -> dict[str, float]:
        """Return the shares of the forms in which an edge was found.

        Parameters
        ----------
        u, v : str
            Two nodes.

        Returns
        -------
        dict of str to float
            ``"u -> v"``, ``"v -> u"``, ``"u --- v"`` and ``"none"``; they sum to one.
        """
        i, j = self._index(u), self._index(v)
        ahead, back = float(self.arrows[i, j]), float(self.arrows[j, i])
        none = float(self.frequencies[i, j, Mark.NONE])
        other = max(0.0, 1 - ahead - back - none)
        return {f"{u} -> {v}": ahead, f"{v} -> {u}": back, f"{u} --- {v}": other, "none": none}

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise ParameterError(f"there is no node {name!r}; the nodes are {', '.join(self.names)}")
        return self.names.index(name)

    def selected(self, threshold: float = 0.6) -> tuple[tuple[str, str], ...]:
        """Return the edges that at least a share of the resamples has: stability selection.

        Parameters
        ----------
        threshold : float, default=0.6
            Smallest share, above one half.

        Returns
        -------
        tuple of (str, str)
            Pairs of nodes in the order of the data.
        """
        check_between("threshold", threshold, 0.5, 1 + 1e-9)
        found = np.argwhere(np.triu(self.adjacency >= threshold, k=1)).tolist()
        return tuple((self.names[i], self.names[j]) for i, j in found)

    def expected_false_edges(self, threshold: float = 0.6) -> float:
        """Return the bound q² / ((2 t - 1) m) on the expected number of false edges among those selected.

        Parameters
        ----------
        threshold : float, default=0.6
            The share t, above one half.

        Returns
        -------
        float
            Here q is the mean number of edges per resample, m the number of pairs. The bound assumes that false edges are exchangeable
            and no more likely than chance, and that resamples are halves of the rows.

        References
        ----------
        Meinshausen and Bühlmann, JRSS B 72, 2010, theorem 1.
        """
        check_between("threshold", threshold, 0.5, 1 + 1e-9)
        d = len(self.names)
        mean = float(np.triu(self.adjacency, k=1).sum())
        return mean**2 / ((2 * threshold - 1) * d * (d - 1) / 2)

    def to_pandas(self) -> Any:
        """Return one row per pair that any resample joined; needs pandas.

        Returns
        -------
        pandas.DataFrame
            Columns ``u``, ``v``, ``edge``, ``u_to_v``, ``v_to_u``, ``undirected``, most frequent first.
        """
        import pandas as pd

        rows = []
        for i, j in np.argwhere(np.triu(self.adjacency > 0, k=1)).tolist():
            ahead, back, undirected, none = self.edge(self.names[i], self.names[j]).values()
            rows.append((self.names[i], self.names[j], 1 - none, ahead, back, undirected))
        frame = pd.DataFrame(rows, columns=["u", "v", "edge", "u_to_v", "v_to_u", "undirected"])
        return frame.sort_values("edge", ascending=False, kind="stable", ignore_index=True)

    def plot(self) -> Figure:
        """Draw the shares of edges as bars, each split by direction.

        Returns
        -------
        matplotlib.figure.Figure
            One bar per pair that any resample joined.
        """
        from causalkit.discovery._plot import plot_stability

        return plot_stability(self)


def resampled_graphs(
    estimator: Any, data: Any, context: Any, draws: Sequence[NDArray[np.intp]], n_jobs: int | None
) -> list[CausalGraph]:
    """Run a search on several sets of rows."""
    inner: dict[str, Any] = {"resampling": None, "checkpoint": None, "verbose": 0, "n_jobs": None}
    if "n_components" in estimator.get_params(deep=False):
        inner["n_components"] = 0
    search = clone(estimator).set_params(**inner)
    return list(
        joblib.Parallel(n_jobs=n_jobs)(
            joblib.delayed(_graph_of)(search, data, context, rows) for rows in draws
        )
    )


def _graph_of(search: Any, data: Any, context: Any, rows: NDArray[np.intp]) -> CausalGraph:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalKitWarning)
        model = clone(search)
        if context is None:
            return model.fit(take_rows(data, rows)).graph_  # type: ignore[no-any-return]
        named = context_names(context, n_rows=len(data)) is not None
        part = context if named else take_rows(context, rows)
        return model.fit(take_rows(data, rows), context=part).graph_  # type: ignore[no-any-return]


def take_rows(data: Any, rows: NDArray[np.intp]) -> Any:
    """Return some rows of an array, a series or a frame of any library."""
    if nw.dependencies.is_into_dataframe(data):
        return nw.from_native(data, eager_only=True)[rows.tolist()].to_native()
    if nw.dependencies.is_into_series(data):
        return nw.from_native(data, series_only=True)[rows.tolist()].to_native()
    return np.asarray(data, dtype=None if hasattr(data, "dtype") else object)[rows]


# -- the path of levels --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class AlphaPath:
    """The graphs that a search finds along a path of levels.

    Parameters
    ----------
    graphs : mapping of float to CausalGraph
        By level, increasing.
    """

    graphs: Mapping[float, CausalGraph]

    def to_pandas(self) -> Any:
        """Return the edge between each pair at each level; needs pandas.

        Returns
        -------
        pandas.DataFrame
            One row per pair that any level joins, one column per level; an empty text where there is no edge.
        """
        import pandas as pd

        columns = {a: {frozenset((e.u, e.v)): str(e) for e in g.edges} for a, g in self.graphs.items()}
        names = next(iter(self.graphs.values())).nodes
        pairs = sorted({p for c in columns.values() for p in c}, key=lambda p: sorted(map(names.index, p)))
        index = [" – ".join(sorted(pair, key=names.index)) for pair in pairs]
        return pd.DataFrame({a: [c.get(pair, "") for pair in pairs] for a, c in columns.items()}, index=index)


def alpha_path(estimator: Any, X: Any, *, context: Any = None, alphas: Sequence[float] = ALPHAS) -> AlphaPath:
    """Run a search at several levels; each independence test is done once.

    Parameters
    ----------
    estimator : PC or CDNOD
        The search; its own level is not used.
    X : array_like of shape (n, d) or data frame
        The data.
    context : optional
        As in `CDNOD.fit`.
    alphas : sequence of float, default=(0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
        The levels.

    Returns
    -------
    AlphaPath
        The graphs.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import PC, alpha_path
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=150)
    >>> path = alpha_path(PC(), np.column_stack([a, a + 2 * rng.normal(size=150)]), alphas=(1e-12, 0.01, 0.05))
    >>> [graph.n_edges for graph in path.graphs.values()]
    [0, 1, 1]
    """
    remembered = Remembered(get_test(estimator.ci_test))
    graphs = {}
    for alpha in sorted(alphas):
        model = clone(estimator).set_params(alpha=alpha, n_jobs=None, checkpoint=None)
        model.ci_test = remembered
        graphs[alpha] = (model.fit(X) if context is None else model.fit(X, context=context)).graph_
    return AlphaPath(graphs)


class Remembered:
    """A test that does not do the same test twice.

    Parameters
    ----------
    test : CITest
        The test that is asked once.
    """

    def __init__(self, test: CITest) -> None:
        self.test = test
        self.known: dict[Triple, TestResult] = {}
        self._fitted = False

    def __repr__(self) -> str:
        return repr(self.test)

    def __copy__(self) -> Remembered:
        return self

    def fit(self, data: Any) -> Remembered:
        """Fit the test at the first call; the data must stay the same."""
        if not self._fitted:
            self.test, self._fitted = self.test.fit(data), True
        return self

    def __call__(self, i: int, j: int, given: Sequence[int] = ()) -> TestResult:
        """Test column i against column j given some columns."""
        return self.batch([(i, j, tuple(given))])[0]

    def batch(self, triples: Sequence[Triple]) -> list[TestResult]:
        """Test many triples, those that are new."""
        triples = list(triples)
        new = [t for t in dict.fromkeys(triples) if t not in self.known]
        self.known.update(zip(new, self.test.batch(new) if new else [], strict=True))
        return [self.known[t] for t in triples]
