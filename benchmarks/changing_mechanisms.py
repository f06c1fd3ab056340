"""CD-NOD and its peers on the frozen grid of worlds whose mechanisms change.

Usage: ``python benchmarks/changing_mechanisms.py run [--methods causalkit ...] [--cells base ...] [--repetitions 50]``; the cells of the second
family (``other_worlds.py``) are named ``"other, ..."``, those of the third (``shifted_worlds.py``) ``"shifted, ..."``. Then
``python benchmarks/changing_mechanisms.py table``; ``third-phase`` compares ways to orient by independent changes alone. Every repetition runs in a process of its own, for its memory and its time limit;
rows go to ``benchmarks/results/changing_mechanisms.csv``, where a later run goes on. Methods that cannot use rows with holes get the
rows without; a method that passes the time limit or fails has no scores there, and the table counts it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import signal
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from changing_worlds import GRID
from changing_worlds import draw as draw_first
from joblib import Parallel, delayed
from other_worlds import OTHER_GRID, OtherWorld, draw_other
from shifted_worlds import SHIFTED_GRID, ShiftedWorld, draw_shifted
from threadpoolctl import threadpool_limits

from causalkit import CausalGraph
from causalkit.discovery import (
    CDNOD,
    CombinedEmbedding,
    IndependentChange,
    KernelEmbedding,
    ParameterEmbedding,
)
from causalkit.independence import DSeparation

WORLDS = {w.name: w for w in (*GRID, *OTHER_GRID, *SHIFTED_GRID)}
RESULTS = Path(__file__).parent / "results" / "changing_mechanisms.csv"
KEYS = ["method", "cell", "seed"]
LIMIT = 300


def draw(world, seed):
    """Draw from a world of any family."""
    if isinstance(world, ShiftedWorld):
        return draw_shifted(world, seed)
    return draw_other(world, seed) if isinstance(world, OtherWorld) else draw_first(world, seed)


@dataclass
class Found:
    """Skeleton and arrows among variables, context edges (None without contexts), and the confidence of arrows."""

    skeleton: np.ndarray
    arrows: np.ndarray
    changing: np.ndarray | None = None
    confidence: dict = field(default_factory=dict)
    reasons: dict = field(default_factory=dict)


# -- methods -----------------------------------------------------------------------------------------------------------------------


def names_of(p):
    return [f"X{k + 1}" for k in range(p)]


def from_graph(graph, p):
    """Read one of our graphs, whose first p nodes are the variables."""
    names = names_of(p)
    marks = graph.reorder([*names, *(n for n in graph.nodes if n not in names)]).marks
    arrows = (marks == 2) & (marks.T == 3)
    confidence = {
        (names.index(e.u), names.index(e.v)): e.data["confidence"]
        for e in graph.edges
        if e.is_directed and {e.u, e.v} <= set(names) and "confidence" in e.data
    }
    changing = arrows[p:, :p].any(axis=0) if len(marks) > p else None
    return Found(marks[:p, :p] > 0, arrows[:p, :p], changing, confidence)


def with_reasons(found, model):
    """Add what each arrow rests on: rule, largest p, sets, agreeing sets, p given the middle."""
    names = names_of(len(found.arrows))
    found.reasons = {
        (names.index(a), names.index(b)): (r.rule, r.p_value, r.n_sets, r.n_agreeing, r.p_given_middle)
        for (a, b), r in model.orientation_.items()
        if {a, b} <= set(names) and found.arrows[names.index(a), names.index(b)]
    }
    return found


def causalkit(d, **parameters):
    kind = "categorical" if d.world.drift == "domains" else "time"
    types = {"context": kind}
    if d.world.labels:
        types.update(dict.fromkeys(names_of(d.world.variables)[1::2], "ordinal"))
    frame = pd.DataFrame(d.data, columns=names_of(d.world.variables)).assign(context=d.context)
    types_of = {"column_types": types, "missing": "error" if d.world.missing == "none" else "testwise"}
    model = CDNOD(**types_of, n_components=0, **parameters).fit(frame, context="context")
    return with_reasons(from_graph(model.graph_, d.data.shape[1]), model)


def from_causal_learn(matrix, p):
    """Read causal-learn's matrix, where [j, i] = 1 and [i, j] = -1 say i -> j."""
    arrows = (matrix == -1) & (matrix.T == 1)
    changing = (matrix[:p, p] != 0) if len(matrix) > p else None
    return Found(matrix[:p, :p] != 0, arrows[:p, :p], changing)


def causal_learn_cdnod(d, test):
    from causallearn.search.ConstraintBased.CDNOD import cdnod

    found = cdnod(d.data, d.context[:, None].astype(float), 0.05, test, show_progress=False)
    return from_causal_learn(found.G.graph, d.data.shape[1])


def causal_learn_kci(d):
    return causal_learn_cdnod(d, "kci")


def causal_learn_fisherz(d):
    return causal_learn_cdnod(d, "fisherz")


def causal_learn_pc(d):
    from causallearn.search.ConstraintBased.PC import pc

    found = pc(d.data, 0.05, "fisherz", show_progress=False)
    return from_causal_learn(found.G.graph, d.data.shape[1])


def cdans(d):
    from cdans import CDANs

    found = CDANs(tau_max=1, surrogate=d.context.astype(float)).fit(d.data).graph
    p = d.data.shape[1]
    marks = np.asarray(found.contemp_adj)
    arrows = (marks != 0) & (marks.T == 0)
    return Found(
        (marks != 0) | (marks.T != 0), arrows, np.array([k in found.changing_modules for k in range(p)])
    )


def jpcmci(d):
    """Run J-PCMCI+ without lags, a dummy for the domains; it needs several data sets, so that it runs on domains only."""
    from tigramite import data_processing
    from tigramite.independence_tests.parcorr_mult import ParCorrMult
    from tigramite.jpcmciplus import JPCMCIplus

    p, labels = d.data.shape[1], np.unique(d.context)
    dummies = np.eye(len(labels))
    parts = {
        k: np.hstack([d.data[d.context == c], np.tile(dummies[k], (int(np.sum(d.context == c)), 1))])
        for k, c in enumerate(labels)
    }
    frame = data_processing.DataFrame(
        data=parts,
        analysis_mode="multiple",
        vector_vars={
            **{v: [(v, 0)] for v in range(p)},
            p: [(p + k, 0) for k in range(len(labels))],
        },
    )
    search = JPCMCIplus(
        dataframe=frame,
        cond_ind_test=ParCorrMult(significance="analytic"),
        node_classification={**dict.fromkeys(range(p), "system"), p: "space_dummy"},
    )
    graph = search.run_jpcmciplus(tau_min=0, tau_max=0, pc_alpha=0.05)["graph"][:, :, 0]
    return Found((graph != "")[:p, :p], (graph == "-->")[:p, :p], (graph[p, :p] != ""))


METHODS = {
    f.__name__: f for f in (causalkit, causal_learn_kci, causal_learn_fisherz, causal_learn_pc, cdans, jpcmci)
}


# -- scores ------------------------------------------------------------------------------------------------------------------------


def true_graph(d):
    """Return the true graph with its context as a node."""
    names = names_of(len(d.arrows))
    edges = [f"{names[i]} -> {names[j]}" for i, j in np.argwhere(d.arrows)]
    edges += [f"context -> {names[v]}" for v in np.flatnonzero(d.changing)]
    return CausalGraph.parse("; ".join([", ".join([*names, "context"]), *edges]), kind="DAG")


def known_arrows(d):
    """Return the arrows that perfect tests of independence would show."""
    names = names_of(len(d.arrows))
    rows = np.random.default_rng(0).normal(size=(50, len(names) + 1))
    frame = pd.DataFrame(rows, columns=[*names, "context"])
    model = CDNOD(ci_test=DSeparation(true_graph(d)), independent_change=None, n_components=0)
    return from_graph(model.fit(frame, context="context").graph_, len(names)).arrows


def scores(d, found):
    """Compare with the truth; an arrow that only independent changes can show costs nothing if it is right or missing."""
    true, upper = d.arrows | d.arrows.T, np.triu(np.ones_like(d.arrows), k=1)
    skeleton, known = found.skeleton & upper, known_arrows(d)
    right, committed = int((found.arrows & d.arrows).sum()), int(found.arrows.sum())
    kept = true & skeleton
    unoriented = kept & ~(found.arrows | found.arrows.T)
    wrong = (
        (kept & (known | known.T) & ~(found.arrows & d.arrows | (found.arrows & d.arrows).T))
        | (kept & (found.arrows & ~d.arrows | (found.arrows & ~d.arrows).T))
    ).sum()
    row = {
        "edge_hits": int(kept.sum()),
        "edge_false": int((skeleton & ~true).sum()),
        "edge_missed": int((true & upper & ~skeleton).sum()),
        "arrows_right": right,
        "arrows": committed,
        "true_edges": int(d.arrows.sum()),
        "undirected": int(unoriented.sum()),
        "shd": int((skeleton ^ (true & upper)).sum() + wrong),
    }
    if found.changing is not None:
        hits = np.asarray(found.changing, dtype=bool)
        row["context_hits"] = int((hits & d.changing).sum())
        row["context_false"] = int((hits & ~d.changing).sum())
        row["context_missed"] = int((~hits & d.changing).sum())
    pairs = [[round(float(c), 4), bool(d.arrows[edge])] for edge, c in sorted(found.confidence.items())]
    reasons = [[*why, bool(d.arrows[edge])] for edge, why in sorted(found.reasons.items())]
    return {**row, "confidence": json.dumps(pairs), "reasons": json.dumps(reasons)}


# -- running -----------------------------------------------------------------------------------------------------------------------


def one_repetition(task):
    """Run one method on one draw within the time limit; return its row."""
    method, cell, seed = task
    d = draw(WORLDS[cell], seed)
    if method in METHODS and not method.startswith("causalkit"):
        whole = ~np.isnan(d.data).any(axis=1)
        d = type(d)(d.data[whole], d.context[whole], d.arrows, d.changing, d.world)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    row, start = dict(zip(KEYS, task, strict=True)), time.perf_counter()
    signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(LIMIT)
    try:
        with (
            threadpool_limits(1),
            warnings.catch_warnings(),
            Path(os.devnull).open("w") as nowhere,
            contextlib.redirect_stderr(nowhere),
        ):
            warnings.simplefilter("ignore")
            found = METHODS[method](d)
        row["seconds"] = time.perf_counter() - start
        signal.alarm(0)
        row.update(scores(d, found))
    except Exception as problem:  # noqa: BLE001 - a peer may fail in any way
        row["failure"] = f"{type(problem).__name__}: {problem}"[:80]
    finally:
        signal.alarm(0)
    row["megabytes"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return row


def _too_late(*_signal):
    raise TimeoutError(f"more than {LIMIT} s")


def load():
    return pd.read_csv(RESULTS) if RESULTS.exists() else pd.DataFrame(columns=KEYS)


def run(options):
    RESULTS.parent.mkdir(exist_ok=True)
    table = load()
    done = set(map(tuple, table[KEYS].to_numpy().tolist()))
    cells = options.cells or [w.name for w in GRID]
    tasks = [(m, c, s) for s in range(options.repetitions) for c in cells for m in options.methods]
    tasks = [task for task in tasks if task not in done]
    rows = table.to_dict("records")
    with multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool:
        for k, row in enumerate(pool.imap_unordered(one_repetition, tasks)):
            rows.append(row)
            pd.DataFrame(rows).sort_values(KEYS).to_csv(RESULTS, index=False, float_format="%.4g")
            if k % 20 == 19 or k == len(tasks) - 1:
                print(f"{k + 1} of {len(tasks)}", flush=True)


# -- table -------------------------------------------------------------------------------------------------------------------------


def ratio(part, whole):
    return part / whole if whole else float("nan")


def f1(hits, false, missed):
    return ratio(2 * hits, 2 * hits + false + missed)


def calibration_error(texts, bins=5):
    """Return the mean distance between stated confidence and share of right arrows, over bins of equal size, and the number of arrows."""
    pairs = np.array([pair for text in texts if isinstance(text, str) for pair in json.loads(text)])
    if len(pairs) < 2 * bins:
        return float("nan")
    parts = np.array_split(pairs[np.argsort(pairs[:, 0], kind="stable")], bins)
    return sum(len(part) * abs(part[:, 0].mean() - part[:, 1].mean()) for part in parts) / len(pairs)


def summary(part):
    """Return pooled scores of some rows."""
    s = part.sum(numeric_only=True)
    context = [s.get(f"context_{k}", 0) for k in ("hits", "false", "missed")]
    return pd.Series(
        {
            "runs": len(part),
            "failed": int(part.failure.notna().sum()) if "failure" in part else 0,
            "skeleton F1": f1(s.edge_hits, s.edge_false, s.edge_missed),
            "context F1": f1(*context),
            "context FDR": ratio(context[1], context[0] + context[1]),
            "arrow precision": ratio(s.arrows_right, s.arrows),
            "arrow recall": ratio(s.arrows_right, s.true_edges),
            "undirected": ratio(s.undirected, s.edge_hits),
            "SHD": part.shd.mean(),
            "ECE": calibration_error(part.confidence),
            "seconds": part.seconds.median(),
            "MB": part.megabytes.median(),
        }
    )


def show(_options):
    table = load()
    order = {name: k for k, name in enumerate(WORLDS)}
    grouped = table.groupby(["cell", "method"])
    frame = pd.DataFrame({key: summary(part) for key, part in grouped}).T
    frame = frame.loc[sorted(frame.index, key=lambda key: (order.get(key[0], 99), key[1]))]
    print(frame.to_string(float_format="{:.2f}".format))


# -- the third phase alone ---------------------------------------------------------------------------------------------------------

SCORERS = {
    "parameters": ParameterEmbedding(),
    "kernel": KernelEmbedding(),
    "kernel, L2": KernelEmbedding(form="l2"),
    "both": CombinedEmbedding(),
}


def directions(name, cell, seed):
    """Return how many open edges independent changes orient rightly, wrongly and not at all, given perfect independence tests."""
    d = draw(WORLDS[cell], seed)
    kind = "categorical" if d.world.drift == "domains" else "time"
    frame = pd.DataFrame(d.data, columns=names_of(d.data.shape[1])).assign(context=d.context)
    model = CDNOD(
        ci_test=DSeparation(true_graph(d)),
        column_types={"context": kind},
        independent_change=IndependentChange(embedding=SCORERS[name], n_exchanges=499),
        n_components=0,
    )
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, known = (
            from_graph(model.fit(frame, context="context").graph_, d.data.shape[1]),
            known_arrows(d),
        )
    open_edges = d.arrows & ~known & d.changing[:, None] & d.changing[None, :]
    right, wrong = (found.arrows & open_edges).sum(), (found.arrows & open_edges.T).sum()
    truth = [[round(c, 4), bool(d.arrows[e])] for e, c in found.confidence.items()]
    return int(right), int(wrong), int(open_edges.sum()), json.dumps(truth)


def third_phase(options):
    """Compare ways to see independent changes, on all cells with at least five contexts."""
    cells = [
        w.name
        for w in GRID
        if w.variables <= 12 and w.missing == "none" and (w.domains > 3 or w.drift != "domains")
    ]
    print(
        f"{options.repetitions} graphs per cell; oriented rightly / wrongly / of all edges that only independent changes can orient"
    )
    print(f"{'cell':40}" + "".join(f"{name:>22}" for name in SCORERS))
    everything = {name: [] for name in SCORERS}
    for cell in cells:
        line = f"{cell:40}"
        for name in SCORERS:
            found = Parallel(n_jobs=options.jobs)(
                delayed(directions)(name, cell, s) for s in range(options.repetitions)
            )
            everything[name] += found
            line += "{:>12} / {:>2} / {:>3}".format(*(sum(f[k] for f in found) for k in range(3)))
        print(line, flush=True)
    for name, found in everything.items():
        right, wrong, of_all = (sum(f[k] for f in found) for k in range(3))
        print(
            f"{name:12} right {right} wrong {wrong} of {of_all}; calibration error {calibration_error([f[3] for f in found]):.3f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--repetitions", type=int, default=50)
    runner.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    runner.add_argument("--cells", nargs="+", choices=list(WORLDS))
    runner.add_argument("--jobs", type=int, default=2)
    runner.set_defaults(run=run)
    commands.add_parser("table").set_defaults(run=show)
    third = commands.add_parser("third-phase")
    third.add_argument("--repetitions", type=int, default=50)
    third.add_argument("--jobs", type=int, default=2)
    third.set_defaults(run=third_phase)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
