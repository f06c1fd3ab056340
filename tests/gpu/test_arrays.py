"""Backends, memory budgets and the report: what is found, and what is said where something is not there."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pytest

from causalkit.exceptions import DeviceError, MemoryBudgetError, MissingDependencyError, ParameterError
from causalkit.gpu import Backend, MemoryBudget, device_report, get_backend
from causalkit.gpu import _backend as module


class TestShims:
    def test_round_trip(self, backend):
        values = np.arange(6.0).reshape(2, 3)
        np.testing.assert_array_equal(backend.to_numpy(backend.asarray(values)), values)
        assert backend.to_numpy(backend.asarray(values, "float32")).dtype == np.float32

    def test_take(self, backend):
        values = np.arange(12.0).reshape(3, 4)
        array = backend.asarray(values)
        np.testing.assert_array_equal(backend.to_numpy(backend.take(array, np.array([2, 0]))), values[[2, 0]])
        taken = backend.take(array, np.array([3, 1]), axis=1)
        np.testing.assert_array_equal(backend.to_numpy(taken), values[:, [3, 1]])

    @pytest.mark.parametrize("transposed", [False, True])
    def test_solve_lower(self, backend, transposed):
        rng = np.random.default_rng(0)
        lower, right = np.tril(rng.normal(size=(5, 5))) + 5 * np.eye(5), rng.normal(size=(5, 2))
        found = backend.solve_lower(backend.asarray(lower), backend.asarray(right), transposed=transposed)
        expected = np.linalg.solve(lower.T if transposed else lower, right)
        np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=1e-12)

    def test_factorisations(self, backend):
        root = np.random.default_rng(1).normal(size=(4, 4))
        matrix = root @ root.T + np.eye(4)
        lower = backend.to_numpy(backend.cholesky(backend.asarray(matrix)))
        np.testing.assert_allclose(lower @ lower.T, matrix, rtol=1e-12)
        values, vectors = (backend.to_numpy(part) for part in backend.eigh(backend.asarray(matrix)))
        np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, matrix, rtol=1e-12)

    def test_free_bytes(self, backend):
        assert backend.free_bytes() > 2**20


class TestChoice:
    def test_a_backend_passes_through(self):
        backend = get_backend("numpy")
        assert get_backend(backend) is backend
        assert (backend.name, backend.on_gpu) == ("numpy", False)

    def test_auto_is_numpy_where_there_is_no_gpu(self, monkeypatch):
        monkeypatch.setattr(module, "cuda_devices", lambda name: 0)
        assert get_backend("auto", "auto").name == "numpy"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("jax",), "allowed are 'auto', 'numpy', 'cupy', 'torch'"),
            (("auto", "gpu"), "allowed are 'auto', 'cpu', 'cuda'"),
            (("auto", 3), "device is 3"),
            (("cupy", "cpu"), "computes on a GPU"),
            (("numpy", "cuda"), "computes on the CPU"),
        ],
    )
    def test_names(self, arguments, message):
        with pytest.raises(ParameterError, match=message):
            get_backend(*arguments)

    def test_a_gpu_that_is_not_there_says_what_was_looked_for(self, monkeypatch):
        monkeypatch.setattr(module, "cuda_devices", lambda name: 0)
        monkeypatch.setattr(module, "installed", lambda name: name == "torch")
        with pytest.raises(DeviceError, match=r"cupy is not installed, torch sees 0.*device='cpu'"):
            get_backend(device="cuda")
        assert get_backend(device="auto").name == "numpy"

    def test_a_library_that_is_not_installed(self, monkeypatch):
        monkeypatch.setattr(module, "installed", lambda name: False)
        with pytest.raises(MissingDependencyError, match=r"causalkit\[torch\]"):
            get_backend("torch")
        with pytest.raises(MissingDependencyError, match=r"causalkit\[gpu\]"):
            get_backend("cupy", "cuda")

    def test_nothing_heavy_is_imported_before_it_is_asked_for(self):
        code = "import sys, causalkit.gpu, causalkit.independence; print('torch' in sys.modules, 'cupy' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["False", "False"]


class TestBudget:
    def test_blocks(self):
        budget = MemoryBudget(limit=1000, block=100)
        assert budget.rows(30, what="rows") == 3
        assert budget.rows(500, what="rows") == 1
        with pytest.raises(MemoryBudgetError, match="2,000 bytes, and the budget is 1,000"):
            budget.rows(2000, what="rows")

    def test_refusal_says_how_much_and_what_to_change(self):
        with pytest.raises(MemoryBudgetError, match=r"a matrix needs 5,000 bytes.*1,000; take less"):
            MemoryBudget(1000).require(5000, what="a matrix", advice="take less")
        with pytest.raises(MemoryError):
            MemoryBudget(1000).require(5000, what="a matrix", advice="take less")

    def test_default_is_a_share_of_what_is_free(self):
        backend = get_backend("numpy")
        assert MemoryBudget.of(None, backend).limit <= backend.free_bytes() + 2**30
        with pytest.raises(ParameterError, match="memory_limit"):
            MemoryBudget.of(0, backend)


def test_report():
    report = device_report()
    assert report.cores >= 1
    assert "numpy" in report.libraries
    assert "host:" in str(report)


def test_report_survives_a_library_that_cannot_be_imported(monkeypatch):
    real = importlib.import_module

    def broken(name, *args):
        if name == "torch":
            raise OSError("no driver")
        return real(name, *args)

    report_module = real("causalkit.gpu._report")
    monkeypatch.setattr(report_module, "installed", lambda name: name in ("numpy", "torch"))
    monkeypatch.setattr(report_module.importlib, "import_module", broken)
    assert "cannot be imported" in report_module.device_report().libraries["torch"]


def test_a_backend_is_a_namespace_and_a_device():
    assert Backend(np).name == "numpy"
