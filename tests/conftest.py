"""Shared helpers: random graphs of every kind, exhaustive small worlds, and folders with extra material."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import hypothesis
import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

hypothesis.settings.register_profile("default", deadline=None, derandomize=True, max_examples=200)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

SHARED = Path(__file__).resolve().parents[2] / "shared"


def all_dags(d: int):
    """Yield the adjacency matrix of every labelled DAG with d nodes."""
    pairs = [(i, j) for i in range(d) for j in range(i + 1, d)]
    for states in product((0, 1, 2), repeat=len(pairs)):
        adjacency = np.zeros((d, d), dtype=int)
        for (i, j), state in zip(pairs, states, strict=True):
            if state == 1:
                adjacency[i, j] = 1
            elif state == 2:
                adjacency[j, i] = 1
        power = np.linalg.matrix_power(adjacency + np.eye(d, dtype=int), d)
        if not ((power > 0) & (power.T > 0) & ~np.eye(d, dtype=bool)).any():
            yield adjacency


@pytest.fixture(scope="session")
def reference():
    """Return the folder of reference numbers from the original implementation, or skip."""
    folder = SHARED / "reference" / "cdnod"
    if not folder.is_dir():
        pytest.skip("reference numbers are not at hand")
    return folder


def pytest_addoption(parser):
    parser.addoption(
        "--array-library",
        choices=["cupy", "torch"],
        help="compute all kernel tests that name no backend with this library: on a GPU with cupy, on the CPU with torch",
    )


@pytest.fixture(autouse=True)
def array_library(request, monkeypatch):
    """Make another library the default of KCI, so that whole searches run on it."""
    name = request.config.getoption("--array-library")
    if name is None:
        return
    if request.node.get_closest_marker("numpy_only"):
        pytest.skip("is about NumPy arrays, or asks for more digits than other libraries' 32-bit sums keep")
    from causalkit.independence import _kci

    chosen = _kci.get_backend(name, "cuda" if name == "cupy" else "cpu")
    original = _kci.get_backend
    monkeypatch.setattr(
        _kci,
        "get_backend",
        lambda backend, device: chosen if (backend, device) == ("auto", "cpu") else original(backend, device),
    )
