"""What all searches share: reading data and parameters, showing progress, and turning a pattern into a graph with receipts."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from causalkit._validation import ColumnTypes, Table, check_between, check_choice, check_count
from causalkit._version import __version__
from causalkit.discovery._colliders import (
    COLLIDER_RULES,
    AmbiguousTriple,
    ColliderRule,
    TripleEvidence,
    judge_triples,
)
from causalkit.discovery._contexts import ContextPoints
from causalkit.discovery._orientation import Orienter, Receipt
from causalkit.discovery._runner import Checkpoint, Runner
from causalkit.discovery._separations import SeparatingSets
from causalkit.discovery._skeleton import Skeleton, SkeletonSearch, Stop
from causalkit.discovery._stability import Resampling, Stability, resampled_graphs
from causalkit.discovery._tests_table import TestTable
from causalkit.exceptions import (
    ColumnTypeWarning,
    ConflictWarning,
    DataError,
    InvalidGraphError,
    NotExtendableError,
    ParameterError,
)
from causalkit.graph import BackgroundKnowledge, CausalGraph, GraphKind, Mark
from causalkit.graph._classes import extension
from causalkit.graph._knowledge import check_knowledge
from causalkit.graph._pattern import Pattern
from causalkit.independence import CITest, TestwiseDeletion, get_test
from causalkit.independence._base import MIN_ROWS
from causalkit.independence._groups import GroupedTest
from causalkit.independence._redundant import warn_of_redundancy

if TYPE_CHECKING:
    from tqdm import tqdm

Missing: TypeAlias = Literal["error", "testwise"]

COPY = 1e-9
logger = logging.getLogger("causalkit.discovery")


class ProgressBar:
    """A tqdm bar per level of the search, or nothing.

    Parameters
    ----------
    visible : bool
        Whether to show it.
    """

    def __init__(self, visible: bool) -> None:
        self.visible = visible
        self._bar: tqdm[Any] | None = None

    def __call__(self, text: str, done: int, total: int) -> None:
        """Show how far a level of the search is."""
        if not self.visible:
            return
        if self._bar is None or self._bar.total != total or done == 0:
            self.close()
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, unit="test")
        self._bar.set_description(text[:60])
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Finish the current bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class ConstraintSearch(BaseEstimator):  # type: ignore[misc]
    """Base of the searches by independence tests; subclasses have `fit`."""

    ci_test: str | CITest
    alpha: float
    max_cond_size: int | None
    knowledge: BackgroundKnowledge | None
    column_types: ColumnTypes
    groups: Mapping[str, Sequence[str]] | None
    missing: Missing
    stop: Stop
    colliders: ColliderRule
    device: str | None
    n_jobs: int | None
    checkpoint: str | Path | None
    resampling: Resampling | None
    verbose: int

    def _check_parameters(self) -> CITest:
        check_choice("stop", self.stop, ("exhaustive", "first"))
        check_choice("missing", self.missing, ("error", "testwise"))
        check_choice("colliders", self.colliders, COLLIDER_RULES)
        check_between("alpha", self.alpha, 0, 1)
        if self.max_cond_size is not None:
            check_count("max_cond_size", self.max_cond_size, least=0)
        if self.knowledge is not None:
            check_knowledge(self.knowledge, ParameterError)
        return self._on_device(get_test(self.ci_test))

    def _missing(self) -> Literal["error", "keep"]:
        return "keep" if self.missing == "testwise" else "error"

    def _on_device(self, test: CITest) -> CITest:
        if self.device is None:
            return test
        if not hasattr(test, "device"):
            raise ParameterError(
                f"device is {self.device!r}, and {type(test).__name__} computes on the CPU only; use device=None or ci_test='kci'"
            )
        test.device = self.device
        return test

    def _remember_features(self, data: Any) -> None:
        """Set `n_features_in_` and `feature_names_in_` as scikit-learn does."""
        validate_data(self, data, skip_check_array=True)

    def _check_knowledge(self, table: Table, given: BackgroundKnowledge | None = None) -> BackgroundKnowledge:
        knowledge = given or self.knowledge or BackgroundKnowledge()
        unknown = [name for name in knowledge.names() if name not in table.names]
        if unknown:
            raise ParameterError(
                f"knowledge mentions {unknown[0]!r}, which is no column; columns are {', '.join(table.names)}"
            )
        return knowledge

    def _check_rows(self, table: Table, test: CITest) -> None:
        if table.n_rows < MIN_ROWS:
            raise DataError(f"a search needs at least {MIN_ROWS} rows; got n_samples={table.n_rows}")
        self._check_duplicates(table)
        if not getattr(test, "minds_redundancy", False):
            warn_of_redundancy(table, "edges and arrows")
        for name, levels in table.levels.items():
            if len(levels) > table.n_rows / 3:
                text = (
                    f"column {name!r} has {len(levels)} different labels in {table.n_rows} rows, too many to learn from; drop it, or "
                    "turn it into numbers, dates or fewer labels"
                )
                warnings.warn(text, ColumnTypeWarning, stacklevel=3)

    def _check_duplicates(self, table: Table) -> None:
        """Equal columns make every conditioning set ambiguous: refuse them by name."""
        values = table.standardized()
        values[:, [k for k, kind in enumerate(table.types) if kind == "categorical"]] = 0.0
        correlation = np.triu(values.T @ values / max(table.n_rows - 1, 1), k=1)
        for i, j in np.argwhere(np.abs(correlation) > 1 - COPY).tolist():
            mirrored = np.sign(correlation[i, j])
            if np.allclose(values[:, i], mirrored * values[:, j], rtol=0, atol=COPY):
                raise DataError(
                    f"columns {table.names[i]!r} and {table.names[j]!r} are copies of each other (up to scale and sign); drop one of them"
                )

    def _oriented(
        self,
        test: CITest,
        table: Table,
        knowledge: BackgroundKnowledge,
        contexts: frozenset[int] = frozenset(),
    ) -> tuple[Skeleton, Orienter]:
        """Find the skeleton and orient it by contexts, knowledge, colliders and what follows from them."""
        skeleton, triples = self._tested(test, table, knowledge, contexts)
        orienter = Orienter(Pattern.from_skeleton(skeleton.adjacent), table.nodes().names, contexts)
        orienter.orient_contexts()
        orienter.orient_knowledge(knowledge, skeleton)
        orienter.orient_colliders(triples)
        orienter.close()
        return skeleton, orienter

    def _tested(
        self, test: CITest, table: Table, knowledge: BackgroundKnowledge, contexts: frozenset[int]
    ) -> tuple[Skeleton, list[TripleEvidence]]:
        """Do all tests: those of the skeleton, then those of its unshielded triples."""
        progress = ProgressBar(bool(self.verbose))
        names = table.nodes().names
        saved = None if self.checkpoint is None else Checkpoint(self.checkpoint, table, test)
        test = self._adapted(test, table)
        try:
            runner = Runner(test.fit(table), names, self.n_jobs, progress, saved)
            search = SkeletonSearch(runner, names, self.alpha, self.max_cond_size, knowledge, self.stop)
            skeleton = search.run()
            before = skeleton.n_tests
            triples = judge_triples(search, skeleton, self.colliders, contexts)
        finally:
            progress.close()
        edges = int(skeleton.adjacent.sum()) // 2
        logger.debug("skeleton: %d edges after %d tests; %d tests in all", edges, before, skeleton.n_tests)
        return skeleton, triples

    def _adapted(self, test: CITest, table: Table) -> CITest:
        """Return the test for groups of columns, or for rows with holes."""
        if table.groups and table.missing is not None:
            raise ParameterError(
                "groups of columns and missing values do not go together; fill the values in, or drop these rows"
            )
        if table.groups:
            return GroupedTest(test)
        return test if table.missing is None else TestwiseDeletion(test)

    def _store(
        self,
        skeleton: Skeleton,
        orienter: Orienter,
        table: Table,
        kinds: list[GraphKind],
        meta: dict[str, Any],
    ) -> None:
        """Freeze the graph and set the attributes that all searches have."""
        names = table.names
        orienter.remark_ambiguous()
        self.column_types_ = dict(zip(names, table.types, strict=True))
        ambiguous = [list(triple) for triple in orienter.ambiguous()]
        meta = {**meta, "column_types": self.column_types_, "ambiguous_triples": ambiguous}
        self.graph_ = freeze(orienter, skeleton, table, kinds, self._meta(table, skeleton, meta))
        undirected = np.where(skeleton.adjacent, Mark.TAIL, Mark.NONE)
        self.skeleton_ = CausalGraph(GraphKind.UG, names, undirected)
        self.sepsets_ = SeparatingSets(names, skeleton.separations)
        self.tests_ = TestTable(
            names, tuple(skeleton.blocks), table.n_rows if table.missing is None else table.missing
        )
        self.n_tests_ = skeleton.n_tests
        self.orientation_: dict[tuple[str, str], Receipt] = {
            (names[a], names[b]): receipt
            for (a, b), receipt in {**orienter.receipts, **orienter.remarks}.items()
        }
        self.ambiguous_: tuple[AmbiguousTriple, ...] = orienter.ambiguous()
        self.conflicts_ = tuple(orienter.conflicts)
        if extension(orienter.pattern) is None:
            text = "the tests contradict one another: no directed acyclic graph has this skeleton and these colliders"
            self.conflicts_ += (text,)
            warnings.warn(text, ConflictWarning, stacklevel=3)

    def _assess(self, data: Any, context: Any = None, contexts: Table | None = None) -> None:
        """Repeat the search on resampled rows."""
        self.stability_: Stability | None = None
        if self.resampling is None:
            return
        if not isinstance(self.resampling, Resampling):
            raise ParameterError(f"resampling must be a Resampling or None; got {self.resampling!r}")
        n, time = len(data), None
        strata = np.zeros(n, dtype=np.intp)
        if contexts is not None:
            points = ContextPoints.of(contexts)
            strata = points.domains
            time = None if points.is_domain else points.along
            context = np.arange(n, dtype=np.float64) if context is None else context
        draws = self.resampling.draws(strata, time)
        graphs = resampled_graphs(self, data, context, draws, self.n_jobs)
        names = self.graph_.nodes
        self.stability_ = Stability.of([g.relabel(dict(zip(g.nodes, names, strict=True))) for g in graphs])

    def _meta(self, table: Table, skeleton: Skeleton, extra: Mapping[str, Any]) -> dict[str, Any]:
        test = self.ci_test if isinstance(self.ci_test, str) else repr(self.ci_test)
        return {
            "algorithm": type(self).__name__,
            "ci_test": test,
            "alpha": self.alpha,
            "max_cond_size": self.max_cond_size,
            "n_rows": table.n_rows,
            "n_tests": skeleton.n_tests,
            "version": __version__,
            **extra,
        }


def freeze(
    orienter: Orienter, skeleton: Skeleton, table: Table, kinds: list[GraphKind], meta: Mapping[str, Any]
) -> CausalGraph:
    """Turn an oriented pattern into a graph of the first kind whose rules it satisfies."""
    marks = orienter.pattern.marks()
    columns = _edge_columns(orienter, skeleton, table, marks)
    data = {
        table.names[c]: {
            "role": "context",
            "context_type": "domain" if table.types[c] == "categorical" else "time",
        }
        for c in sorted(orienter.contexts)
    }
    open_triples = any(orienter.pattern.unresolved())
    for kind in () if open_triples else kinds[:-1]:
        with suppress(InvalidGraphError, NotExtendableError):
            return CausalGraph(kind, table.names, marks, node_data=data, edge_data=columns, meta=meta)
    return CausalGraph(kinds[-1], table.names, marks, node_data=data, edge_data=columns, meta=meta)


def _edge_columns(orienter: Orienter, skeleton: Skeleton, table: Table, marks: Any) -> dict[str, list[Any]]:
    """Collect, per edge, the weakest test for its presence and the receipt for its direction."""
    pairs = [(int(i), int(j)) for i, j in np.argwhere(np.triu(marks))]
    columns: dict[str, list[Any]] = {
        name: [] for name in ("p_value", "statistic", "confidence", "n", "source", "rule", "note")
    }
    known = {**orienter.remarks, **orienter.receipts}
    for i, j in pairs:
        evidence = None if skeleton.evidence is None else skeleton.evidence.get(i, j)
        receipt = known.get((i, j)) or known.get((j, i))
        columns["p_value"].append(None if evidence is None else evidence[0])
        columns["statistic"].append(None if evidence is None or not np.isfinite(evidence[1]) else evidence[1])
        columns["confidence"].append(None if receipt is None else receipt.confidence)
        columns["n"].append(table.n_rows)
        columns["source"].append(
            "knowledge" if receipt is not None and receipt.rule == "knowledge" else "data"
        )
        columns["rule"].append(None if receipt is None else receipt.rule)
        columns["note"].append(None if receipt is None else receipt.note)
    return columns
