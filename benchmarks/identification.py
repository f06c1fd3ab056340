"""Identification and estimation beside pgmpy and DoWhy, in one run on one machine: times, and answers.

Usage: ``python benchmarks/identification.py``. Peers that are not installed are left out; a call of theirs that takes more than 25 s is given up.
"""

from __future__ import annotations

import importlib.util
import logging
import signal
import time
import warnings
from itertools import islice

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from causalkit import CausalGraph
from causalkit.graph import random_dag
from causalkit.strength import BayesianNetwork, adjustment_sets, causal_strength, identify

LIMIT = 25
HAVE = {name: importlib.util.find_spec(name) is not None for name in ("pgmpy", "dowhy")}


class TookTooLongError(Exception):
    """A call passed the limit."""


def _alarm(_number, _frame):
    raise TookTooLongError


def timed(function):
    """Return the value of a call and its seconds; None if it passed the limit."""
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(LIMIT)
    start = time.perf_counter()
    try:
        value = function()
    except TookTooLongError:
        return None, None
    finally:
        signal.alarm(0)
    return value, time.perf_counter() - start


def shown(seconds):
    return f"{'> 25 s' if seconds is None else f'{seconds * 1e3:,.2f} ms':>14}"


def pair(graph):
    """Return the first cause and effect, in order of time, that need adjustment."""
    for x in graph.topological_order():
        for y in graph.descendants(x):
            if identify(graph, x, y, strategy="minimal").adjustment_set:
                return x, y
    raise SystemExit("no pair of this graph needs adjustment")


def peers(graph, x, y):
    """Yield what the peers have for one effect."""
    if HAVE["pgmpy"]:
        from pgmpy.base import DAG
        from pgmpy.inference import CausalInference

        def minimal():
            dag = DAG()
            dag.add_nodes_from(graph.nodes)
            dag.add_edges_from(graph.to_networkx().edges)
            return CausalInference(dag).get_minimal_adjustment_set(x, y)

        yield "pgmpy, minimal", minimal
    if HAVE["dowhy"]:
        from dowhy.causal_identifier import EstimandType, identify_effect_auto

        def auto():
            return identify_effect_auto(
                graph.to_dowhy(), [x], [y], list(graph.nodes), EstimandType.NONPARAMETRIC_ATE
            )

        yield "DoWhy, default", auto


def identification():
    print("\n## one effect, random DAG of mean degree 4\n")
    for d in (10, 20, 50, 100, 300):
        graph = random_dag(d, expected_degree=4, rng=3)
        one_effect(graph, *pair(graph))


def one_effect(graph, x, y):
    """Print the times for one question; the graph is prepared already."""
    print(f"d={graph.n_nodes:<5} {'causalkit, optimal':28} {shown(timed(lambda: identify(graph, x, y))[1])}")
    sets, seconds = timed(lambda: list(islice(adjustment_sets(graph, x, y), 100)))
    print(f"        {f'causalkit, {len(sets)} minimal sets':28} {shown(seconds)}")
    for name, call in peers(graph, x, y):
        print(f"        {name:28} {shown(timed(call)[1])}")


def all_pairs():
    print("\n## all pairs of a random DAG\n")
    for d, degree in ((100, 4), (1000, 4), (1000, 10)):
        graph = random_dag(d, expected_degree=degree, rng=0)
        start = time.perf_counter()
        kinds = [identify(graph, x, y).kind for x in graph.nodes for y in graph.nodes if x != y]
        seconds = time.perf_counter() - start
        print(
            f"d={d:<5} mean degree {degree:<3} {len(kinds):>9,} effects, {kinds.count('backdoor'):>8,} not zero: {seconds:6.2f} s"
        )


def sprinkler():
    """Evidence under an intervention, where a peer is known to condition on the wrong world (pgmpy issue 3543)."""
    graph = CausalGraph.parse("cloudy -> sprinkler; cloudy -> rain; sprinkler -> wet; rain -> wet")
    tables = {
        "cloudy": [0.5, 0.5],
        "sprinkler": [[0.5, 0.5], [0.9, 0.1]],
        "rain": [[0.8, 0.2], [0.2, 0.8]],
        "wet": [[[1, 0], [0.1, 0.9]], [[0.1, 0.9], [0.01, 0.99]]],
    }
    net = BayesianNetwork(graph, dict.fromkeys(graph.nodes, (0, 1)), tables)
    print("\n## P(wet | do(sprinkler = 1), rain = 1), which is .99\n")
    print(f"causalkit {net.query('wet', do={'sprinkler': 1}, evidence={'rain': 1})[1]:.4f}")
    if HAVE["pgmpy"]:
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.inference import CausalInference
        from pgmpy.models import DiscreteBayesianNetwork

        model = DiscreteBayesianNetwork(list(graph.to_networkx().edges))
        for name in graph.nodes:
            parents = graph.parents(name)
            values = net.table(name).reshape(-1, 2).T
            model.add_cpds(
                TabularCPD(
                    name, 2, values, evidence=list(parents) or None, evidence_card=[2] * len(parents) or None
                )
            )
        found = CausalInference(model).query(
            ["wet"], do={"sprinkler": 1}, evidence={"rain": 1}, show_progress=False
        )
        print(f"pgmpy     {found.values[1]:.4f}")


def estimation():
    """An effect of 1 on a mean, confounded by two numbers, from 5000 rows."""
    rng = np.random.default_rng(0)
    z, w = rng.normal(size=(2, 5000))
    x = (rng.random(5000) < 1 / (1 + np.exp(-z - 0.5 * w))).astype(int)
    frame = pd.DataFrame({"z": z, "w": w, "x": x, "y": x + 1.5 * z + w + rng.normal(size=5000)})
    graph = CausalGraph.parse("z -> x; w -> x; z -> y; w -> y; x -> y")
    print("\n## an effect of 1, 5000 rows, inverse propensities with 95 % interval\n")
    found, seconds = timed(lambda: causal_strength(graph, "x", "y", data=frame, estimator="ipw"))
    print(f"causalkit {found.value:.3f} [{found.interval[0]:.3f}, {found.interval[1]:.3f}] {shown(seconds)}")
    if HAVE["dowhy"]:
        from dowhy import CausalModel

        def theirs():
            model = CausalModel(
                frame.assign(x=frame.x.astype(bool)), treatment="x", outcome="y", graph=graph.to_dowhy()
            )
            estimand = model.identify_effect(proceed_when_unidentifiable=True)
            got = model.estimate_effect(
                estimand, method_name="backdoor.propensity_score_weighting", confidence_intervals=True
            )
            return got.value, np.ravel(got.get_confidence_intervals())

        got, seconds = timed(theirs)
        text = "" if got is None else f"{got[0]:.3f} [{got[1][0]:.3f}, {got[1][1]:.3f}]"
        print(f"DoWhy     {text} {shown(seconds)}")


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with threadpool_limits(1):
        identification()
        all_pairs()
        sprinkler()
        estimation()


if __name__ == "__main__":
    main()
