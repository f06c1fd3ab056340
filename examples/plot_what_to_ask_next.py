"""
What to ask next
================

Data leave an equivalence class: in the Insurance network 41 graphs, which differ in 18 edges. An expert who is asked one edge after the other answers 18 questions. Most of these are a waste,
since answers follow from one another. The question that takes most entropy from the posterior comes first.
"""

# %%
# Entropy against questions
# -------------------------
# The same expert, who is right about nine directions in ten, is asked in three ways: the edges as they are listed, at random, and by expected loss of entropy.

import matplotlib.pyplot as plt
import numpy as np

from causalkit.datasets import load_network
from causalkit.llm_causal import ClassPosterior, OracleExpert, Question, Reliability

cpdag = load_network("insurance").graph.to_cpdag()
ways = {
    "as listed": lambda posterior, asked, _: asked % len(posterior.edges),
    "at random": lambda posterior, _, rng: rng.integers(len(posterior.edges)),
    "by entropy": lambda posterior, *_: int(np.argmax(posterior.gains())),
}


def entropies(way, run, persistence, assumed, n_questions=36):
    """Ask about a truth drawn from the class; return entropy and whether the best member is right, after each answer."""
    rng, truth = np.random.default_rng(run), cpdag.sample_member(rng=run)
    expert = OracleExpert(truth, 0.1, persistence=persistence, rng=run)
    posterior = ClassPosterior(cpdag, Reliability(0.9, 0.1, assumed))
    bits, right = [posterior.entropy], []
    for asked in range(n_questions):
        edge = posterior.edges[ways[way](posterior, asked, rng)]
        posterior = posterior.learn(expert.answer([Question("orient", edge, sample=asked)]))
        bits.append(posterior.entropy)
        best, probability = posterior.best()
        right.append((best.equals(truth), probability))
    return bits, right


fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for way in ways:
    curves = np.array([entropies(way, run, 0.0, 0.0)[0] for run in range(40)])
    ax.plot(curves.mean(axis=0), label=way)
ax.axhline(0, color="grey", lw=0.5)
ax.set(
    xlabel="questions",
    ylabel="entropy left (bits)",
    title="Insurance: 41 graphs, 18 open edges, one answer in ten wrong",
)
ax.legend()

# %%
# The same question again
# -----------------------
# Language models repeat their errors: asked again they say the same. Who takes repeated answers for independent ones becomes sure of what is wrong. The posterior here knows which share of
# answers repeats a belief, and stays as sure as it is right.

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for assumed, style in ((0.0, "--"), (0.8, "-")):
    runs = [entropies("by entropy", run, 0.8, assumed)[1] for run in range(60)]
    right, sure = np.array(runs, dtype=float).mean(axis=0).T
    label = "repetition ignored" if assumed == 0 else "repetition accounted for"
    ax.plot(sure, style, color="#a04040", label=f"{label}: how sure")
    ax.plot(right, style, color="#4878a8", label=f"{label}: how often right")
ax.set(
    xlabel="questions",
    ylabel="probability of the best graph",
    title="Four answers in five repeat a belief",
    ylim=(0, 1),
)
ax.legend()

# %%
# Only what matters
# -----------------
# Often not the graph is wanted but one effect. Then only questions are asked that narrow it: here, whether theft depends on the age of the driver at all.


def reaches(dag):
    """Whether age causes theft in a graph."""
    return float("Age" in dag.ancestors("Theft"))


posterior = ClassPosterior(cpdag, Reliability(0.9, 0.1))
values = posterior.evaluate(reaches)
print("graphs in which age causes theft:", int(values.sum()), "of", len(values))
print("for the graph:", posterior.next_question().variables)
print(
    "for the effect:",
    posterior.next_question(values=values) and posterior.next_question(values=values).variables,
)
