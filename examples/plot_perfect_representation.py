"""
How good is a perfect representation here?
==========================================

In the physics scenes of CausalVerse some factors are functions of others. A representation that finds every free factor, and nothing else, has found all there is, and still does
not score 1 on all factors. This page draws a scene with its graph, and shows what perfect, turned and blind codes score beside their ceiling and beside chance.
"""

# %%
# A scene, its graph and its factors
# ----------------------------------
# Pictures, ranges and some constants are ours; factors, graph and the form of the law are those found in the published data.

import matplotlib.pyplot as plt
import numpy as np

from causalkit.datasets import describe, list_scenes, make_scene
from causalkit.evaluation import counterfactual_retrieval, mcc, representation_report

print(describe("slope"))
scene = make_scene("slope", n=500, rng=0)
pictures = scene.as_numpy(range(8))[1]

fig = plt.figure(figsize=(11, 6))
grid = fig.add_gridspec(3, 8, left=0.03, right=0.97, top=0.95, bottom=0.12, hspace=0.25)
for k in range(8):
    ax = fig.add_subplot(grid[0, k])
    ax.imshow(pictures[k])
    ax.set_title(f"instance {scene.groups[k]}, view {scene.views[k]}", fontsize=7)
    ax.axis("off")
scene.graph.draw(fig.add_subplot(grid[1:, :4]))
ax = fig.add_subplot(grid[1:, 5:])
z = scene.latents.to_numpy()
image = ax.imshow(np.abs(np.corrcoef(z.T)), vmin=0, vmax=1, cmap="magma")
ax.set_xticks(range(7), scene.latents.columns, rotation=45, ha="right")
ax.set_yticks(range(7), scene.latents.columns)
ax.set_title("correlation of factors")
_ = fig.colorbar(image, ax=ax, shrink=0.8)

# %%
# Roughness and the two coefficients of friction are one thing: three factors of seven are free.
#
# What codes can score
# --------------------
# Three kinds of codes: the free factors with dimensions of noise, the same turned so that every code mixes all, and codes that know nothing. Views of one instance are one
# observation, so groups are given.

kinds = ("free factors", "turned", "blind")
shown = {}
for name in list_scenes(domain="physics", kind="image"):
    data = make_scene(name, n=500, levels=None, views=2, rng=1)
    z, free = data.latents, list(data.info.names("exogenous"))
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(len(z), z.shape[1]))[data.groups]
    perfect = (z[free] - z[free].mean()) / z[free].std()
    padded = np.column_stack([perfect, noise[:, : z.shape[1] - len(free)]])
    turn = np.linalg.qr(rng.normal(size=(padded.shape[1],) * 2))[0]
    for kind, codes in zip(kinds, (padded, padded @ turn, noise), strict=True):
        shown[name, kind] = [
            mcc(z, codes, exogenous=free, groups=data.groups, n_bootstrap=50, n_permutations=50),
            mcc(z[free], codes, groups=data.groups, n_bootstrap=50, n_permutations=50),
        ]
    print(f"{name:12}", shown[name, "free factors"][0])

fig, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
for ax, which, title in zip(axes, (0, 1), ("all factors", "free factors only"), strict=True):
    for k, (name, kind) in enumerate(shown):
        score = shown[name, kind][which]
        x = k + k // 3
        color = f"C{k % 3}"
        ax.bar(x, score.value, color=color, label=kind if k < 3 else None)
        ax.vlines(x, score.ci_low, score.ci_high, color="black", lw=1)
        ax.hlines(
            score.chance, x - 0.45, x + 0.45, color="black", lw=1, ls=":", label="chance" if k == 0 else None
        )
        ax.hlines(score.ceiling, x - 0.45, x + 0.45, color="black", lw=2, label="ceiling" if k == 0 else None)
    ax.set_xticks([1, 5, 9, 13], ["fall", "refraction", "slope", "spring"])
    ax.set_title(f"MCC, {title}")
    ax.set_ylim(0, 1.05)
axes[0].legend(loc="upper right", fontsize=8)

# %%
# On all factors, codes that found everything and codes that mixed everything are hard to tell apart: the first are at their ceiling (a little above it, by what noise adds). On free factors they are not. So report the free factors,
# and never a score without its ceiling and its chance level.
#
# A card
# ------
# A random projection of the pixels knows something. How much shows beside chance and ceiling, on free factors first. (:doc:`plot_a_leak` shows what the card says of codes that know too much.)

scene = make_scene("slope", n=600, size=32, rng=0)
projection = np.random.default_rng(0).normal(size=(192, 8))


def encode(pictures):
    return pictures[:, ::4, ::4].reshape(len(pictures), -1) @ projection


parts = scene.splits(by="factors")
print(representation_report(scene, encode, rows=parts["test"], trained_on=parts["train"]))

# %%
# Counterfactuals as rows
# -----------------------
# Where free factors lie on a grid, the exact counterfactual of a picture is often among the pictures. Codes in which one factor can be exchanged find it; turned codes do not, whatever a
# regression says.

data = make_scene("spring", n=800, levels=6, views=1, rng=2)
pairs = data.pairs("counterfactual").sample(500, random_state=0)
free = data.latents[["h", "r", "k"]].to_numpy()
free = (free - free.mean(axis=0)) / free.std(axis=0)
turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
for kind, codes in (("free factors", free), ("turned", free @ turn)):
    found = counterfactual_retrieval(
        codes,
        factual=pairs.factual.to_numpy(),
        donor=pairs.donor.to_numpy(),
        target=pairs.target.to_numpy(),
        changed=[[{"h": 0, "r": 1, "k": 2}[factor]] for factor in pairs.factor],
        same=data.latents.groupby(["h", "r", "k"]).ngroup(),
        ks=(1, 10),
    )
    print(f"{kind:13}", found)
