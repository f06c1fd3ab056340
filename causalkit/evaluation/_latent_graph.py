"""From codes to a graph, with the errors of the graph, of the search and of the representation told apart.

Is what a representation has found good enough to learn the causal graph from? Codes are matched with factors on some instances, and a search runs on the codes of others, under the names of their factors. Its graph alone says little: a
search errs on perfect factors too, and a graph may not hold in the data at all. So there are always three rows,

=============================  =======================================  ==============================================
row                            graph                                    errors
=============================  =======================================  ==============================================
true factors, known graph      the truth                                of the graph: independences that do not hold
true factors, discovery        search on the true factors               of the search
codes, discovery               search on the codes that were matched    of both and of the representation
=============================  =======================================  ==============================================

Factors may be functions of one another. Those that are functions of each other become one node; tests that a function makes meaningless are skipped
(`causalkit.independence.SkipDetermined`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from causalkit._random import Seed, entropy, stream
from causalkit._validation import (
    Floats,
    Table,
    check_between,
    check_choice,
    check_count,
    check_same_index,
    read_table,
)
from causalkit.discovery import CDNOD, PC
from causalkit.evaluation._assess import Rows, read_codes, revision_of, rows_of_groups
from causalkit.evaluation._association import Correlation, associations, matching
from causalkit.evaluation._code_checks import EXCHANGES, Mixture, limits_of_chance, mixtures
from causalkit.evaluation._graph_metrics import GraphReport, graph_report, shd
from causalkit.exceptions import DataError, ParameterError
from causalkit.graph import BackgroundKnowledge, CausalGraph
from causalkit.independence import SkipDetermined, equivalent_columns, get_test

if TYPE_CHECKING:
    import pandas as pd

    from causalkit.datasets import SceneData

__all__ = ["Implications", "LatentGraphReport", "latent_graph_report"]

Classes: TypeAlias = Mapping[str, tuple[str, ...]]
Environments: TypeAlias = Mapping[str, Mapping[str, Any]]
KNOWN, TRUE, LEARNED = "true factors, known graph", "true factors, discovery", "codes, discovery"
CONTEXT = "environment"
FEWEST_INSTANCES = 4


@dataclass(frozen=True)
class Implications:
    """Independences that a graph implies, each node of its non-descendants given its parents, in data.

    Parameters
    ----------
    tested, rejected : int
        Number of tests, and of those with a p-value below the level.
    skipped : int
        Tests that mean nothing, as parents determine the node.
    """

    tested: int
    rejected: int
    skipped: int


@dataclass(frozen=True)
class LatentGraphReport:
    """Graphs over the factors from true factors and from codes, scored against the truth.

    Parameters
    ----------
    truth : CausalGraph
        What discovery can find at best: the class of the true graph, with what environments orient; factors that are functions of each other are one
        node.
    classes : dict of str to tuple of str
        The factors that each node stands for.
    graphs : dict of str to CausalGraph
        The graph of each row; a factor without a code has no edges.
    scores : dict of str to GraphReport
        Each row against the truth.
    implications : Implications
        Whether the known graph holds in the true factors.
    matching : dict of str to int
        Position of the code of each factor.
    association : dict of str to float
        How closely they go together where they were matched.
    agreement : float
        Share of resamplings of instances that give this matching; NaN without.
    shd_band : tuple of (int, int)
        Smallest and largest distance of the graph from codes over the matchings that resampling gave.
    changing : dict of str to tuple of str
        With environments: the factors whose mechanism was found to change, for both searches.
    notes : tuple of str
        What to know: factors that are one, tests skipped, factors without a code.
    about : dict of str to str
        Data, rows, search and seed.
    mixtures : dict of str to Mixture
        Factors whose codes hold much of other factors too, such as rotated ones.
    """

    truth: CausalGraph
    classes: dict[str, tuple[str, ...]]
    graphs: dict[str, CausalGraph]
    scores: dict[str, GraphReport]
    implications: Implications
    matching: dict[str, int]
    association: dict[str, float]
    agreement: float
    shd_band: tuple[int, int]
    changing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    about: dict[str, str] = field(default_factory=dict)
    mixtures: dict[str, Mixture] = field(default_factory=dict)

    def to_pandas(self) -> pd.DataFrame:
        """Return the scores as a table.

        Returns
        -------
        pandas.DataFrame
            One row per graph: distances, and F1 of skeleton and arrowheads.
        """
        import pandas as pd

        rows = {
            name: (s.shd, s.shd_reversal_2, s.skeleton.f1, s.arrowhead.f1) for name, s in self.scores.items()
        }
        columns = ["shd", "shd_reversal_2", "skeleton_f1", "arrowhead_f1"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)

    def _stability(self, low: int, high: int) -> Iterator[str]:
        """Say what resampling says, and what it does not."""
        if not np.isnan(self.agreement):
            yield (
                f"matched the same in {self.agreement:.0%} of resamplings of the instances for matching, SHD {low} to {high}: that is about which code is taken for a factor, "
                "provided that each code holds one factor, and not about the graph"
            )
        for name, mixture in self.mixtures.items():
            yield (
                f"code {self.matching[name]} is a mixture: {name} explains {mixture.own:.0%} of it and other factors {mixture.others:.0%} more (p = {mixture.p_value:.3f}); "
                "a graph over mixtures, such as turned codes, is not one over factors"
            )

    def __str__(self) -> str:
        low, high = self.shd_band
        codes = ", ".join(f"{f} = code {k} ({self.association[f]:.2f})" for f, k in self.matching.items())
        holds = self.implications
        lines = [
            f"{'':28}SHD  skeleton F1  arrowhead F1",
            *(
                f"{name:28}{s.shd:3}{s.skeleton.f1:13.2f}{s.arrowhead.f1:14.2f}"
                for name, s in self.scores.items()
            ),
            f"matched: {codes or 'nothing; no code goes with any factor more closely than unrelated codes do'}",
            *self._stability(low, high),
            f"known graph: {holds.rejected} of {holds.tested} independences rejected, {holds.skipped} cannot be tested",
            *(f"changing ({name}): {', '.join(found) or 'none'}" for name, found in self.changing.items()),
            *self.notes,
            "; ".join(f"{key}: {value}" for key, value in self.about.items()),
        ]
        return "\n".join(lines)


def latent_graph_report(
    data: SceneData,
    codes: Any,
    *,
    search: PC | CDNOD | None = None,
    environments: Environments | None = None,
    match_on: Sequence[int] | Rows | None = None,
    rows: Sequence[int] | Rows | None = None,
    correlation: Correlation = "spearman",
    tolerance: float = 1e-3,
    n_matchings: int = 20,
    rng: Seed = 0,
) -> LatentGraphReport:
    """Learn the graph over the factors from codes, and say which part of the errors is whose.

    Parameters
    ----------
    data : SceneData
        Factors with their graph.
    codes : array_like, shape (len(data), k)
        Codes of all rows.
    search : PC or CDNOD, optional
        The search, whose test is wrapped in `SkipDetermined`; by default `PC` with ``ci_test="kci"``, or `CDNOD` with environments.
    environments : mapping of str to mapping, optional
        As for `SceneData.environments`; instances that fit several are shared out. The environment is then the context of `CDNOD`.
    match_on, rows : sequence of int, optional
        Rows on which codes are matched with factors, and rows that the search sees; by default the parts "validation" and "test" of ``data.splits()``.
        An instance may not be in both. The search sees the first row of each instance.
    correlation : {"pearson", "spearman"}, default="spearman"
        By which codes are matched.
    tolerance : float, default=1e-3
        Largest unexplained share of variance of a function.
    n_matchings : int, default=20
        Resamplings of the instances in `match_on`, each of which gives a matching; 0 leaves them out.
    rng : int, numpy.random.Generator or None, default=0
        Seed of the resamplings.

    Returns
    -------
    LatentGraphReport
        Printable.

    Raises
    ------
    DataError
        If the graph of the scene is not known; if codes have the wrong length; if an instance is in both parts.
    ParameterError
        If the search has no independence test, or does not take a context and there are environments.

    Notes
    -----
    Where factors are functions of others some edges cannot be removed by any test: in "slope" the speed at the start stays beside the way, since the
    speed at the foot and the roughness determine it. That is an error of the row "true factors, discovery". Let the ranges of `environments` overlap: of ranges that do not, the environment is a function of
    the factor.

    Examples
    --------
    >>> from causalkit.datasets import make_scene
    >>> from causalkit.evaluation import latent_graph_report
    >>> scene = make_scene("spring", n=1000, views=1)
    >>> codes = 1 - 2 * scene.latents.to_numpy()[:, ::-1]
    >>> report = latent_graph_report(scene, codes)
    >>> report.scores["codes, discovery"].shd, report.matching["h"], report.agreement
    (0, 4, 1.0)
    """
    check_between("tolerance", tolerance, 0, 1)
    check_choice("correlation", correlation, ("pearson", "spearman"))
    check_count("n_matchings", n_matchings, least=0)
    check_same_index(data.latents, codes)
    known = read_codes(codes)
    if len(known) != len(data):
        raise DataError(
            f"there are {len(known)} rows of codes for {len(data)} rows of data; give all, in order"
        )
    parts = data.splits()
    matched = data.positions(parts["validation"] if match_on is None else match_on)
    seen = data.positions(parts["test"] if rows is None else rows)
    both = np.intersect1d(data.groups[matched], data.groups[seen])
    if both.size:
        raise DataError(f"{both.size} instances are in both match_on and rows (the first is {both[0]})")
    for name, part in (("match_on", matched), ("rows", seen)):
        if (number := len(np.unique(data.groups[part]))) < FEWEST_INSTANCES:
            raise DataError(f"{name} has {number} instances; at least {FEWEST_INSTANCES} are needed")
    study = _Study(data, known, matched, seen, search, environments, correlation, tolerance)
    return study.report(n_matchings, rng)


@dataclass(frozen=True, eq=False)
class _Study:
    """What all rows of a report share."""

    data: SceneData
    codes: Floats
    matched: Rows
    seen: Rows
    search: PC | CDNOD | None
    environments: Environments | None
    correlation: Correlation
    tolerance: float

    def report(self, n_matchings: int, rng: Seed) -> LatentGraphReport:
        """Match, search and score."""
        base, single = entropy(rng), self._one_each
        limits = limits_of_chance(self._table(single), self.codes[single], self.correlation, base)
        pairs, strength = self._matching(self.matched, limits)
        others = [self._matching(rows, limits)[0] for rows in self._resampled(n_matchings, base)]
        on_factors = self._searched(self._rows.frame)
        on_codes = self._on_codes(pairs) if len(pairs) > 1 else None
        graphs = {
            KNOWN: self.truth,
            TRUE: self._over_factors(on_factors.graph_),
            LEARNED: self._over_factors(on_codes.graph_) if on_codes else self._no_edges(),
        }
        distinct = Counter(tuple(sorted(other.items())) for other in others)
        distances = [self._distance(dict(other)) for other in distinct] + [shd(self.truth, graphs[LEARNED])]
        changing = {
            name: tuple(fitted.changing_) if fitted else ()
            for name, fitted in ((TRUE, on_factors), (LEARNED, on_codes))
            if self.environments is not None
        }
        return LatentGraphReport(
            truth=self.truth,
            classes=dict(self.classes),
            graphs=graphs,
            scores={name: graph_report(self.truth, graph) for name, graph in graphs.items()},
            implications=self._implications(),
            matching=pairs,
            association=strength,
            agreement=distinct[tuple(sorted(pairs.items()))] / n_matchings
            if n_matchings and pairs
            else float("nan"),
            shd_band=(min(distances), max(distances)),
            changing=changing,
            notes=tuple(self._notes(on_factors, on_codes, pairs)),
            mixtures=mixtures(self._table(single), self.codes[single], pairs, base),
            about={
                "data": f"{self.data.info.name}, revision {revision_of(self.data)}",
                "instances": f"{len(self._rows.frame)} searched, {len(np.unique(self.data.groups[self.matched]))} matched",
                "search": repr(self._template),
                "seed": str(rng),
            },
        )

    # -- the truth -----------------------------------------------------------------------------------------------------------------

    @cached_property
    def classes(self) -> Classes:
        """Factors that are functions of each other, by the one that stands for them: a free one if there is one."""
        graph, latents = self.data.graph, self.data.latents
        varying = [
            n for n in graph.nodes if latents[n].notna().all() and (latents[n] != latents[n].iloc[0]).any()
        ]
        one_each = np.unique(self.data.groups, return_index=True)[1]
        types = {n: t for n, t in self.data.factor_types.items() if n in varying}
        found = equivalent_columns(
            latents[varying].iloc[one_each], tolerance=self.tolerance, column_types=types
        )
        free, order = self.data.info.names("exogenous"), graph.topological_order()
        first = [min(members, key=lambda n: (n not in free, order.index(n))) for members in found]
        return dict(zip(first, found, strict=True))

    @cached_property
    def _node(self) -> dict[str, str]:
        """The node that stands for each factor."""
        return {name: first for first, members in self.classes.items() for name in members}

    @cached_property
    def dag(self) -> CausalGraph:
        """The true graph over the nodes that stand for factors."""
        edges = {(self._node[e.u], self._node[e.v]) for e in self.data.graph.subgraph(self._node).edges}
        return _dag(self.classes, sorted((a, b) for a, b in edges if a != b))

    @cached_property
    def truth(self) -> CausalGraph:
        """What can be found: the class of the DAG; environments orient edges beside the factors that they set."""
        if self.environments is None:
            return self.dag.to_cpdag()
        touched = sorted({name for ranges in self.environments.values() for name in ranges})
        arrows = [(CONTEXT, self._node[name]) for name in touched if name in self._node]
        whole = _dag([*self.classes, CONTEXT], [*((e.u, e.v) for e in self.dag.edges), *arrows])
        oriented = whole.to_cpdag().to_mpdag(BackgroundKnowledge(required=arrows))
        return oriented.subgraph(self.classes)

    # -- searches ------------------------------------------------------------------------------------------------------------------

    @cached_property
    def _rows(self) -> _Seen:
        """One row of each instance that the search sees, with its environment."""
        import pandas as pd

        part = self.data.take(self.seen)
        first = np.unique(part.groups, return_index=True)[1]
        labels: NDArray[Any] = np.full(len(part), "", dtype=object)
        if self.environments is not None:
            inside = np.zeros(len(part), dtype=bool)
            for name, rows in part.environments(self.environments, overlap="share").items():
                labels[rows], inside[rows] = name, True
            first = first[inside[first]]
        frame = part.latents[list(self.classes)].iloc[first].reset_index(drop=True)
        return _Seen(frame, pd.Series(labels[first], name=CONTEXT), self.seen[first])

    @cached_property
    def _template(self) -> PC | CDNOD:
        default = CDNOD(n_components=0) if self.environments is not None else PC(ci_test="kci")
        given: Any = default if self.search is None else self.search
        if not isinstance(given, PC | CDNOD):
            raise ParameterError(f"search is {given!r}; give a PC or a CDNOD")
        search: PC | CDNOD = clone(given)
        if isinstance(search, CDNOD) != (self.environments is not None):
            raise ParameterError(
                "CDNOD needs environments, and environments need CDNOD: give both, or PC and none"
            )
        search.set_params(ci_test=SkipDetermined(search.ci_test, tolerance=self.tolerance))
        return search

    def _searched(self, frame: pd.DataFrame) -> Any:
        search = clone(self._template)
        types = {name: t for name, t in self.data.factor_types.items() if name in frame.columns}
        given = search.column_types if isinstance(search.column_types, Mapping) else {}
        search.set_params(column_types={**types, **given} if frame is self._rows.frame else None)
        if self.environments is None:
            return search.fit(frame)
        return search.fit(frame.assign(**{CONTEXT: self._rows.environment}), context=CONTEXT)

    def _on_codes(self, pairs: Mapping[str, int]) -> Any:
        import pandas as pd

        codes = self.codes[self._rows.positions]
        return self._searched(pd.DataFrame({name: codes[:, k] for name, k in pairs.items()}))

    def _distance(self, pairs: Mapping[str, int]) -> int:
        return shd(
            self.truth,
            self._over_factors(self._on_codes(pairs).graph_) if len(pairs) > 1 else self._no_edges(),
        )

    def _no_edges(self) -> CausalGraph:
        return _dag(self.classes, ()).to_cpdag()

    def _over_factors(self, found: CausalGraph) -> CausalGraph:
        """Return the part of a graph that is about factors; factors that it does not have are there without edges."""
        inside = found.subgraph([name for name in found.nodes if name in self.classes])
        absent = [name for name in self.classes if name not in inside.nodes]
        nodes = [*inside.nodes, *absent]
        marks = np.zeros((len(nodes), len(nodes)), dtype=np.uint8)
        marks[: len(inside.nodes), : len(inside.nodes)] = inside.marks
        return CausalGraph(inside.kind, nodes, marks).subgraph(self.classes)

    def _implications(self) -> Implications:
        """Test each node against its non-descendants given its parents."""
        frame, names = self._rows.frame, list(self.classes)
        types = {name: t for name, t in self.data.factor_types.items() if name in names}
        test = get_test(self._template.ci_test).fit(read_table(frame, types))
        triples = [
            (names.index(a), names.index(b), tuple(names.index(p) for p in self.dag.parents(a)))
            for a in names
            for b in names
            if b != a and b not in self.dag.descendants(a) and b not in self.dag.parents(a)
        ]
        results = test.batch(triples)
        skipped = sum(r.note.startswith("skipped") for r in results)
        rejected = sum(r.p_value < self._template.alpha for r in results) - skipped
        return Implications(len(results) - skipped, rejected, skipped)

    # -- matching ------------------------------------------------------------------------------------------------------------------

    def _table(self, rows: Rows) -> Table:
        names = list(self.classes)
        types = {name: t for name, t in self.data.factor_types.items() if name in names}
        return read_table(self.data.latents[names].iloc[rows], types)

    @cached_property
    def _one_each(self) -> Rows:
        """One row of each instance for matching: views of an instance are no evidence of their own."""
        return self.matched[np.unique(self.data.groups[self.matched], return_index=True)[1]]

    def _matching(self, rows: Rows, limits: Floats) -> tuple[dict[str, int], dict[str, float]]:
        """Return the code of each factor that one goes with, and how closely they go together."""
        names = list(self.classes)
        matrix = associations(self._table(rows), self.codes[rows], self.correlation)
        related = np.where(matrix > limits[:, None], matrix, 0.0)
        pairs = [(i, j) for i, j in matching(related) if related[i, j] > 0]
        return {names[i]: j for i, j in pairs}, {names[i]: float(matrix[i, j]) for i, j in pairs}

    def _resampled(self, count: int, base: int) -> Iterable[Rows]:
        members = rows_of_groups(self.data.groups[self.matched])
        for k in range(count):
            drawn = stream(base, k).integers(len(members), size=len(members))
            yield self.matched[np.concatenate([members[m] for m in drawn])]

    def _notes(self, on_factors: Any, on_codes: Any, pairs: Mapping[str, int]) -> Iterable[str]:
        for first, members in self.classes.items():
            if len(members) > 1:
                yield f"{', '.join(members)} are functions of each other and one node, {first}."
        for what, fitted in ((TRUE, on_factors), (LEARNED, on_codes)):
            if fitted is None:
                yield f"{what}: fewer than two codes go with a factor; there was no search."
                continue
            skipped = sum(not np.isfinite(record.statistic) for record in fitted.tests_)
            if skipped:
                yield f"{what}: {skipped} of {fitted.n_tests_} tests skipped, as one side is a function of the conditioning set."
        absent = [name for name in self.classes if name not in pairs]
        if absent:
            left = self.codes.shape[1] > len(pairs)
            yield (
                f"No code that is left goes with {', '.join(absent)} more closely than unrelated codes do ({EXCHANGES} exchanges)."
                if left
                else f"There is no code left for {', '.join(absent)}."
            )


def _dag(nodes: Iterable[str], arrows: Iterable[tuple[str, str]]) -> CausalGraph:
    return CausalGraph.parse("; ".join([", ".join(nodes), *(f"{a} -> {b}" for a, b in arrows)]), kind="DAG")


@dataclass(frozen=True, eq=False)
class _Seen:
    """One row per instance: factors, environment, and position in the data."""

    frame: pd.DataFrame
    environment: pd.Series
    positions: Rows
