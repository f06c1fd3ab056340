"""
Ten thousand rows in a second
=============================

A kernel test compares all rows with all rows, and the textbook form of KCI inverts and decomposes matrices of that size: ten times the
rows, a thousand times the time. Kernels of a few columns are matrices of low rank, though, and in that form nothing of n × n is stored.
"""

# %%
# One relation, seen through a common cause
# -----------------------------------------
# X and Y both follow Z. In the second version, Y also follows what is left of X, weakly.

import time

import matplotlib.pyplot as plt
import numpy as np

from causalkit.independence import KCI


def measure(n: int, effect: float) -> np.ndarray:
    rng = np.random.default_rng(n)
    z, ex, ey = rng.normal(size=(3, n))
    return np.column_stack([np.sin(2 * z) + 0.5 * ex, z**2 + 0.5 * ey + effect * np.cos(2 * ex), z])


rows = [300, 1000, 3000, 10_000, 30_000]
seconds = []
KCI().fit(measure(300, 0.0))(0, 1, (2,))
print("   rows  seconds   p without   p with  effect size")
for n in rows:
    start = time.perf_counter()
    without = KCI().fit(measure(n, 0.0))(0, 1, (2,))
    seconds.append(time.perf_counter() - start)
    with_it = KCI().fit(measure(n, 0.1))(0, 1, (2,))
    print(
        f"{n:7}  {seconds[-1]:7.2f}  {without.p_value:10.3f}  {with_it.p_value:7.1e}  {with_it.effect_size:11.5f}"
    )

# %%
# The effect is too weak for three hundred rows and plain in ten thousand. The p-value falls with the number of rows; the effect size,
# the alignment of what is left of X and Y, does not.
#
# How the time grows
# ------------------
# Beside the measured times, how a test of cubic cost would go on from the time at three hundred rows.

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.loglog(rows, seconds, "o-", color="#2a6f97", linewidth=2, label="causalkit, one test with nothing kept")
cubic = seconds[0] * (np.array(rows) / rows[0]) ** 3
ax.loglog(rows, cubic, "--", color="0.5", label="cubic growth from there")
ax.axhline(1, color="0.8", linewidth=1, zorder=0)
ax.annotate("one second", (rows[0], 1.15), color="0.4")
ax.annotate("an hour", (rows[0], 3600 * 1.15), color="0.4")
ax.axhline(3600, color="0.8", linewidth=1, zorder=0)
ax.set(xlabel="rows", ylabel="seconds", title="One conditional test")
ax.legend(frameon=False, loc="lower right")
plt.show()

# %%
# Up to three thousand rows every entry of the null law's variance is summed. Above, it is estimated from five hundred of the rows, and the
# kernel on Z is chosen on a thousand of them; both moves change p-values by a few thousandths. For a hundred thousand rows, and for
# several columns in Z, see :doc:`kernels </user/kernels>`.
