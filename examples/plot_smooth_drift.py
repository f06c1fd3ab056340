"""
Smooth drift: what drives a mechanism
=====================================

A mechanism that drifts leaves a trace: its parameters move along a curve. CD-NOD finds which mechanisms move, and the driving force
of each: the curve, how sure it is, and whether it is the level, the effect of a cause or the scale that moves.
"""

# %%
# The data
# --------
# Load follows temperature more and more closely; price jumps to a higher volatility at row 420; temperature has its season.

import numpy as np
import pandas as pd

from causalkit import BackgroundKnowledge
from causalkit.discovery import CDNOD

rng = np.random.default_rng(1)
n = 600
t = np.arange(n) / n
slope = 0.3 + 1.2 / (1 + np.exp(-12 * (t - 0.5)))
temperature = 1.2 * np.sin(2 * np.pi * 2 * t) + rng.normal(size=n)
load = slope * temperature + 0.4 * rng.normal(size=n)
price = 0.8 * load + np.where(np.arange(n) >= 420, 1.2, 0.4) * rng.normal(size=n)
frame = pd.DataFrame({"temperature": temperature, "load": load, "price": price})

# %%
# The model
# ---------
# Without a context the number of the row is time. That price does not act on the weather is known, and said.

knowledge = BackgroundKnowledge(tiers=[["temperature"], ["load"], ["price"]])
model = CDNOD(knowledge=knowledge, n_resamples=30).fit(frame)
print(model.graph_)

# %%
# Driving forces
# --------------
# One row per changing mechanism: components over time with 90 % bands, and the share of the change that each carries.

figure = model.plot_driving_forces(n_components=1)

# %%
# What changes, and when
# ----------------------
# The effect of temperature drifts from .3 to 1.5; the volatility of price jumps.

for name, force in model.forces_.items():
    print(f"{name:12}", {what: round(share, 2) for what, share in force.attribution.items()})
print("price jumps after row", model.forces_["price"].change_points(1))
found = model.driving_forces_["load"][:, 0]
print(
    "correlation of load's driving force with the true slope:", round(abs(np.corrcoef(found, slope)[0, 1]), 3)
)
