"""
COLD in five minutes
====================

How strongly does one event of a daily activity cause another? COLD (Joshi et al. 2024) asks that of event graphs, of people's sequences and of
language models, and scores the answers on questions with a known causal graph. Here all of it runs on a small activity that ships with
the package, without any download.
"""

# %%
# The activity
# ------------
# Twenty events of repotting a house plant: a causal graph, and sequences as people tell them.

import matplotlib.pyplot as plt
import numpy as np

from causalkit.datasets import load_activity
from causalkit.strength import (
    ChainOracle,
    EventGraph,
    EventLog,
    LetterOracle,
    LogOracle,
    event_strength,
    make_triplets,
    score_triplets,
)

activity = load_activity()
log = EventLog(activity.sequences)
successions = EventGraph.from_log(log)
print(log, "with", f"{successions.n_trajectories:,}", "possible trajectories")
questions = make_triplets(activity.graph)
print(questions.to_pandas().sample(4, random_state=0).to_string(index=False))

# %%
# Strength, in four ways
# ----------------------
# Two laws of a chain over successions, shares among the sequences, and a language model. As model we use a stand-in that has read nothing but the
# order of events; put a function in its place that returns the log-probabilities of two options, and the rest stays the same.

place = {event: k for k, event in enumerate(activity.order)}


def stand_in(prompts, _options):
    scores = []
    for prompt in prompts:
        lines = prompt.splitlines()
        cause, effect = lines[2].split(": ", 1)[1][:-1], lines[3].split("? ", 1)[1][:-1]
        near = np.exp(-abs(place[effect] - place[cause]) / 4) * (place[effect] > place[cause])
        p = 0.5 + 0.4 * near * (-1 if "did not happen" in lines[2] else 1)
        p = p if lines[4] == "A. Increase" else 1 - p
        scores.append([np.log(p), np.log(1 - p)])
    return np.array(scores)


oracles = {
    "chain, next event uniform": ChainOracle(successions),
    "chain, trajectory uniform": ChainOracle(successions, "uniform_trajectory"),
    "shares of sequences": LogOracle(log, backwards="count"),
    "letters of a stand-in": LetterOracle(
        stand_in, successions, name="stand-in", activity=activity.name, n_prefixes=3
    ),
}
answers = {}
print(f"{'':27} accuracy   s.e.   where order is no help")
for name, oracle in oracles.items():
    answers[name] = event_strength(questions.queries(), events=questions.events, oracle=oracle)
    scores = score_triplets(questions, answers[name], order=activity.order, successions=successions)
    print(f"{name:27} {scores.accuracy:8.2f} {scores.se:6.2f} {scores.accuracy_order_matched:12.2f}")
print(f"{'order alone':27} {scores.order_only:8.2f}")
print(f"{'fewest hops':27} {scores.fewest_hops:8.2f}")

# %%
# Most of the accuracy is order: whoever knows which event comes first answers two thirds of the questions without knowing any cause. The last
# column is what counts.

# %%
# Strength against distance in time
# ---------------------------------
# Strength between events falls with their distance whether or not one causes the other.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
for ax, name in zip(axes, ("chain, next event uniform", "shares of sequences"), strict=True):
    frame = answers[name].to_pandas()
    distance = frame.effect.map(place) - frame.cause.map(place)
    causal = np.array(
        [e in activity.graph.descendants(c) for c, e in zip(frame.cause, frame.effect, strict=True)]
    )
    ax.axhline(0, color="0.8", lw=0.8)
    ax.axvline(0, color="0.8", lw=0.8)
    ax.scatter(distance[~causal], frame.strength[~causal], s=9, color="0.65", label="no causal path")
    ax.scatter(distance[causal], frame.strength[causal], s=16, color="C0", label="causal path")
    ax.set(title=name, xlabel="events from cause to effect")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("strength")
axes[0].legend(frameon=False)

# %%
# What to keep in mind
# --------------------
# The strengths contrast a world with and one without the cause under the law of the chain or of the sequences; a graph of successions is not a causal
# graph; and the questions of one causal graph are not independent of one another, which is why the standard errors go by triplets of events.
