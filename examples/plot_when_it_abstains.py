"""
When CD-NOD abstains
====================

An edge between two variables that both change has a direction that independence tests cannot see. The changes themselves can show it:
in the causal direction P(cause) and P(effect | cause) change independently. But the sample size of that comparison is the number of
**contexts**, and some changes are not independent at all. So the answer is often no direction, and the reason is given.
"""

# %%
# Four worlds
# -----------
# X causes Y in each of them; both mechanisms change between the domains.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from causalkit.discovery import CDNOD, IndependentChange


def measure(seed: int, domains: int, *, level: float = 0.0, shared: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    k = np.repeat(np.arange(domains), 60)
    common = rng.normal(size=domains)

    def change() -> np.ndarray:
        return (common if shared else rng.normal(size=domains))[k]

    x = level * change() + np.exp(0.5 * change()) * rng.normal(size=len(k))
    y = (
        (1 + 0.7 * change()) * x
        + max(level, 0.7) * change()
        + 0.7 * np.exp(0.4 * change()) * rng.normal(size=len(k))
    )
    return pd.DataFrame({"X": x, "Y": y, "site": [f"site {c:02d}" for c in k]})


worlds = {
    "twenty sites": measure(1, 20),
    "three sites": measure(1, 3),
    "the level of X moves": measure(1, 20, level=1.5),
    "one cause behind all changes": measure(1, 20, level=1.5, shared=True),
}
for name, frame in worlds.items():
    model = CDNOD(n_components=0).fit(frame, context="site")
    receipt = model.orientation_.get(("X", "Y")) or model.orientation_.get(("Y", "X"))
    edge = next(str(e) for e in model.graph_.edges if {e.u, e.v} == {"X", "Y"})
    print(f"{name}: {edge}\n    {receipt.note}\n")

# %%
# How often
# ---------
# Thirty data sets of each kind, with the p-values of both directions. A direction is taken in the shaded corners only: one direction
# rejected, the other plausible. Where one cause is behind all changes, both are rejected; where the level moves, hardly anything is.

from causalkit._validation import read_table
from causalkit.discovery._contexts import ContextPoints

kinds = {
    "independent changes": {},
    "the level of X moves": {"level": 1.5},
    "one cause": {"level": 1.5, "shared": True},
}
scorer = IndependentChange(n_exchanges=199)
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.4), sharex=True, sharey=True, layout="constrained")
for ax, (title, how) in zip(axes, kinds.items(), strict=True):
    for seed in range(30):
        frame = measure(seed, 20, **how)
        table = read_table(frame[["X", "Y"]])
        points = ContextPoints.of(read_table(frame[["site"]]))
        right = scorer.score(table, "Y", ["X"], points).p_value
        wrong = scorer.score(table, "X", ["Y"], points).p_value
        ax.plot(right, wrong, "o", color="#0b5fa5", alpha=0.6, markersize=5)
    ax.axhspan(0, 0.05, xmin=0.15, color="#5b8c2a", alpha=0.25)
    ax.axvspan(0, 0.05, ymin=0.15, color="#c8651b", alpha=0.25)
    ax.set(title=title, xlabel="p-value of X → Y", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
axes[0].set_ylabel("p-value of Y → X")
