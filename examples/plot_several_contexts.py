"""
Several contexts: trend and season
==================================

What differs between rows is often more than one thing: the year and the season, the site and the hour. Each is a node of the graph,
so that every changing mechanism is joined to what changes it. A phase is declared `Cyclic`: December is next to January.
"""

# %%
# The data
# --------
# Daily counts over two years: demand follows the season, cost the trend, and profit both, through them.

import numpy as np
import pandas as pd

from causalkit.discovery import CDNOD
from causalkit.independence import Cyclic

rng = np.random.default_rng(0)
day = np.arange(480)
frame = pd.DataFrame({"day": day, "phase": day % 60})
frame["demand"] = 1.5 * np.cos(2 * np.pi * day / 60) + rng.normal(size=480)
frame["cost"] = 2 * np.sin(3 * day / 480) + rng.normal(size=480)
frame["profit"] = frame["demand"] - frame["cost"] + 0.5 * rng.normal(size=480)

# %%
# One search, two contexts
# ------------------------
# A season that repeats is a function of time, and a flexible curve of time could follow it. Beside a cyclic context, time stands for the
# trend only.

model = CDNOD(column_types={"day": "time", "phase": Cyclic(60)}).fit(frame, context=["day", "phase"])
print(model.graph_)
for (context, variable), receipt in model.orientation_.items():
    print(f"{context} -> {variable}: {receipt.note}")

# %%
# The graph
# ---------

model.graph_.draw()

# %%
# The same with sites and hours
# -----------------------------
# A label and a cycle: the level differs between sites, the noise between day and night.

hour = rng.uniform(0, 24, size=480)
site = np.array(["north", "south", "west"])[rng.integers(3, size=480)]
level = {"north": -2.0, "south": 0.0, "west": 2.0}
wind = np.array([level[s] for s in site]) + rng.normal(size=480)
power = 0.5 * wind + np.exp(np.cos(2 * np.pi * hour / 24)) * rng.normal(size=480)
places = pd.DataFrame({"wind": wind, "power": power, "site": site, "hour": hour})
second = CDNOD(column_types={"hour": Cyclic(24)}).fit(places, context=["site", "hour"])
print(second.graph_)
print({name: {k: round(v, 2) for k, v in f.attribution.items()} for name, f in second.forces_.items()})
