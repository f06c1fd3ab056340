"""
A leak, and how the card finds it
=================================

An encoder that has learned nothing but which picture is which can have a perfect score: if the pictures that it is scored on are, pixel for pixel, among those that it was trained on.
Where free factors lie on a grid that happens although no instance is on both sides. This page makes such an encoder, shows what it scores, and what the card says.
"""

# sphinx_gallery_thumbnail_number = 1

import matplotlib.pyplot as plt
import numpy as np

from causalkit.datasets import make_scene
from causalkit.evaluation import representation_report

scene = make_scene("fall", n=900, levels=6, views=1, size=32, rng=0)
pictures = scene.as_numpy()[1].astype(float).reshape(len(scene), -1)
print(f"{len(scene)} instances, {len(np.unique(scene.setting_of_rows()))} settings of the free factors")

# %%
# Two encoders
# ------------
# One projects the pixels. The other has a table of the pictures that it has seen, with their labels, and returns the labels of the nearest one.


def projected(_):
    """Project the pixels."""
    return pictures @ np.random.default_rng(1).normal(size=(pictures.shape[1], 8))


def remembered(train):
    """Look up the nearest picture that was trained on, and return its labels."""
    labels = scene.latents[["h1", "r", "u"]].to_numpy()[train]
    distance = ((pictures[:, None, ::16] - pictures[None, train, ::16]) ** 2).sum(axis=2)
    return labels[distance.argmin(axis=1)]


# %%
# Two ways to split
# -----------------
# By instance, as one does: no instance is in two parts. And by the free factors: no setting is.

FREE = "MCC, free factors"
cards = {}
for by in ("id", "factors"):
    parts = scene.splits(by=by)
    for name, encoder in (("projection", projected), ("table", remembered)):
        cards[by, name] = representation_report(
            scene,
            encoder(parts["train"]),
            rows=parts["test"],
            trained_on=parts["train"],
            n_bootstrap=0,
            n_permutations=100,
        )
        for leak in cards[by, name].leaks:
            print(f"split by {by}, {name}: {leak}")

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for k, (by, name) in enumerate(cards):
    score = cards[by, name].scores[FREE]
    ax.bar(k, score.value, color="C0" if name == "projection" else "C3")
    ax.hlines(score.chance, k - 0.4, k + 0.4, color="black", ls=":", label=None if k else "chance")
ax.set_xticks(range(4), [f"{name},\nsplit by {by}" for by, name in cards])
ax.set_ylim(0, 1.05)
ax.set_ylabel("MCC of the free factors")
ax.set_title("Pictures that were held out, or so it seems")
ax.legend()

# %%
# Split by instance, the table is as good as perfect, and the card says why: nearly every picture that is scored was in it. Split by factors, it is as good as its nearest neighbours are.
#
# Other leaks
# -----------
# A label among the codes, instances on both sides, and rows in an order that gives a factor away are found as well.

parts = scene.splits(by="factors")
given = np.column_stack([projected(None), scene.latents.h1])
ordered = scene.take(np.argsort(scene.latents.h1.to_numpy(), kind="stable"))
noise = np.random.default_rng(3).normal(size=(len(scene), 4))
for what, data, codes, rows, trained in (
    ("a label among the codes", scene, given, parts["test"], parts["train"]),
    ("trained on what is scored", scene, projected(None), parts["test"], parts["test"]),
    ("rows sorted by a factor", ordered, noise, np.arange(len(scene)), None),
):
    card = representation_report(data, codes, rows=rows, trained_on=trained, n_bootstrap=0, n_permutations=0)
    print(f"{what}: {card.leaks[0]}")
