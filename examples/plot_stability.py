"""
How stable is a graph?
======================

A graph from one sample says nothing about the next sample. Repeating the search on halves of the rows does: an edge that most halves
show can be relied on, one that half of them show is a matter of luck.
"""

# %%
# Ten sites, six variables
# ------------------------

import numpy as np
import pandas as pd

from causalkit.discovery import CDNOD, Resampling, alpha_path

rng = np.random.default_rng(0)
site = np.arange(400) % 10


def varies(scale: float) -> np.ndarray:
    return scale * rng.normal(size=10)[site]


rain = varies(2) + rng.normal(size=400)
river = np.tanh(0.5 * rain) + 0.5 * rng.normal(size=400)
soil = 0.25 * river + rng.normal(size=400)
crop = (1 + varies(0.5)) * soil + 0.6 * rng.normal(size=400)
frame = pd.DataFrame(
    {"rain": rain, "river": river, "soil": soil, "crop": crop, "site": [f"s{k}" for k in site]}
)

# %%
# The search and forty halves
# ---------------------------
# Halves are drawn within each site, in pairs that share no row. Over time they would be drawn in blocks.

model = CDNOD(resampling=Resampling(n_resamples=40), n_components=0, n_jobs=2).fit(frame, context="site")
print(model.graph_)
figure = model.stability_.plot()

# %%
# In numbers
# ----------
# Edges in at least 80 % of the halves, the bound on how many of them are expected to be false, and one edge in all its forms.

stability = model.stability_
print(
    stability.selected(0.8), f"at most {stability.expected_false_edges(0.8):.2f} of them false, by the bound"
)
print(stability.edge("rain", "river"))

# %%
# The level
# ---------
# Along a path of levels every test is done once. The weak edge from river to soil is there from .01 on.

print(alpha_path(model, frame, context="site", alphas=(0.001, 0.01, 0.05, 0.1)).to_pandas().to_string())
