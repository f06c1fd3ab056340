"""
The same answer on NumPy, torch and CuPy
========================================

The kernel tests are written against the array API standard. Which library computes, on which device, in which batches and on how many
processes, is a matter of speed and not of results.
"""

# %%
# The libraries at hand
# ---------------------
# CuPy needs a CUDA device. Where a library or a device is not there, the error says what was looked for.

import matplotlib.pyplot as plt
import numpy as np

from causalkit.exceptions import DeviceError, MissingDependencyError
from causalkit.gpu import device_report, get_backend
from causalkit.independence import KCI

print(device_report(), end="\n\n")
backends = {"NumPy, fused algorithm": get_backend("numpy", fused=True)}
for name, device in (("torch", "cpu"), ("torch", "cuda"), ("cupy", "cuda")):
    try:
        backends[f"{name} on {device}"] = get_backend(name, device)
    except (DeviceError, MissingDependencyError) as problem:
        print(f"{name} on {device}: {problem}")

# %%
# Thirty-three tests
# ------------------
# Three variables, every pair given every set of up to two of four others: numbers, a label and time.

rng = np.random.default_rng(0)
n = 300
z = rng.normal(size=(n, 2))
site, day = rng.integers(0, 4, n), np.arange(n)
columns = [
    np.tanh(z[:, 0]) + 0.5 * rng.normal(size=n),
    z[:, 1] ** 2 + 0.3 * site + rng.normal(size=n),
    np.sin(day / 40) + rng.normal(size=n),
]
data = np.column_stack([*columns, z, site, day])
types = ["continuous"] * 5 + ["categorical", "time"]
sets = [(), (3,), (4,), (5,), (6,), (3, 4), (3, 5), (3, 6), (4, 5), (4, 6), (5, 6)]
triples = [(i, j, given) for i, j in ((0, 1), (0, 2), (1, 2)) for given in sets]


def p_values(tests, **options):
    found = KCI(column_types=types, **options).fit(data).batch(tests)
    return np.array([result.p_value for result in found])


reference = p_values(triples)

# %%
# Differences
# -----------
# Against NumPy: the other libraries, the tests in the reverse order, one by one instead of in a batch, and with a tenth of the memory.

rows = {name: p_values(triples, backend=backend) for name, backend in backends.items()}
rows["reverse order"] = p_values(triples[::-1])[::-1]
rows["one by one"] = np.array([p_values([triple])[0] for triple in triples])
rows["4 MB of memory"] = p_values(triples, memory_limit=4_000_000)
differences = {name: np.abs(p - reference) for name, p in rows.items()}
for name, difference in differences.items():
    print(f"{name:24} largest difference of a p-value: {difference.max():.1e}")

fig, ax = plt.subplots(figsize=(8, 0.5 * len(rows) + 1.4), layout="constrained")
for k, difference in enumerate(differences.values()):
    shown = np.maximum(difference, 1e-17)
    ax.scatter(shown, k + rng.uniform(-0.15, 0.15, len(shown)), s=14, color="#2a6f97", alpha=0.6, linewidth=0)
ax.set_yticks(range(len(rows)), list(rows))
ax.invert_yaxis()
ax.set(xscale="log", xlim=(5e-18, 1e-2), xlabel="|difference of p-value|, exact agreement at the left edge")
ax.set_title(f"{len(triples)} tests against NumPy")
ax.axvline(1e-3, color="0.6", linewidth=1)
ax.annotate("would begin to matter", (1.15e-3, 2.3), color="0.4", fontsize=8, rotation=90)
plt.show()

# %%
# Sums of squares are kept in 32 bits and everything that is factored in 64, which is where the last digits differ. The fused algorithm
# takes other pivots than the blocked one, so that a kernel of bounded rank on Z is another one; it is meant for CuPy, and runs in NumPy for
# comparison.
