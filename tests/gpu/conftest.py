"""The array libraries that tests run on: those that are installed, and CuPy under the mark `gpu`."""

from __future__ import annotations

import importlib.util

import pytest

from causalkit.gpu import Backend, get_backend

LIBRARIES = [
    "numpy",
    "torch",
    "array_api_strict",
    pytest.param("cupy", marks=pytest.mark.gpu),
]


def library(name):
    """Return a backend by name, the strict one included, or skip."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    if name == "array_api_strict":
        import array_api_strict

        return Backend(array_api_strict)
    return get_backend(name, "cuda" if name == "cupy" else "cpu")


@pytest.fixture(params=LIBRARIES)
def backend(request):
    return library(request.param)
