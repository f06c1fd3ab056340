"""Streams, tensor cores and shared limits: what threads set for a moment is as it was afterwards, and results stay the same."""

from __future__ import annotations

import threading

import joblib
import numpy as np
import pytest
import threadpoolctl

from causalkit.discovery import PC
from causalkit.discovery._plan import plan_level
from causalkit.discovery._runner import Runner
from causalkit.gpu import _pairs, get_backend
from causalkit.gpu._streams import own_stream, synchronize, tensor_cores
from causalkit.gpu._threads import single_thread_below
from causalkit.independence import KCI

from .conftest import library

pd = pytest.importorskip("pandas")


def blas_threads():
    return [lib["num_threads"] for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"]


def rows(n=150, d=6, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, d))
    values[:, 1:] += np.sin(values[:, :-1])
    return values


class InThreads(KCI):
    """Says that it bears several threads, as a test on a GPU does, and keeps whom it was asked by."""

    streams = 3

    def _prepare(self):
        super()._prepare()
        self.askers = set()

    def stream(self):
        self.askers.add(threading.get_ident())
        return super().stream()


def cross(n):
    """Let two threads limit linear algebra, the second before the first is done, and lift it after."""
    first_in, second_in, first_out = (threading.Event() for _ in range(3))

    def first():
        with single_thread_below(n):
            first_in.set()
            second_in.wait(10)
        first_out.set()

    def second():
        first_in.wait(10)
        with single_thread_below(n):
            second_in.set()
            first_out.wait(10)

    workers = [threading.Thread(target=work) for work in (first, second)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)


class TestPiecesInThreads:
    def test_threads_that_cross_leave_the_limit_as_it_was(self):
        before = blas_threads()
        runner = Runner(KCI().fit(rows()), tuple("abcdef"), None, lambda *_: None)
        with runner._held_by_this_thread():
            assert set(blas_threads()) == {1}
            cross(150)
            assert set(blas_threads()) == {1}
        assert blas_threads() == before

    @pytest.mark.parametrize("size", [0, 1, 2])
    def test_the_same_numbers_from_threads_with_streams(self, size, monkeypatch):
        monkeypatch.setattr("causalkit.discovery._runner.SECONDS", (0.0, 0.001))
        everyone = ~np.eye(6, dtype=bool)
        (plan,) = plan_level(everyone, everyone, size)
        names = tuple("abcdef")
        alone = Runner(KCI().fit(rows()), names, None, lambda *_: None)(plan)
        test = InThreads().fit(rows())
        together = Runner(test, names, None, lambda *_: None)(plan)
        np.testing.assert_array_equal(together.p_value, alone.p_value)
        np.testing.assert_array_equal(together.statistic, alone.statistic)
        assert len(test.askers) > 1 or len(plan) < 20

    @pytest.mark.parametrize("seed", range(3))
    def test_joblib_threads_find_the_same_graph(self, seed, monkeypatch):
        alone, before = PC(ci_test="kci").fit(rows(seed=seed)), blas_threads()
        monkeypatch.setattr("causalkit.discovery._runner.SECONDS", (0.0, 0.001))
        with joblib.parallel_config(backend="threading"):
            together = PC(ci_test="kci", n_jobs=3).fit(rows(seed=seed))
        assert together.graph_ == alone.graph_
        assert blas_threads() == before
        pd.testing.assert_frame_equal(together.tests_.to_pandas(), alone.tests_.to_pandas())

    def test_processes_are_used_where_they_are_asked_for(self):
        runner = Runner(InThreads().fit(rows()), tuple("abcdef"), 2, lambda *_: None)
        assert runner._streams == 1


class TestStreams:
    def test_nothing_happens_on_a_cpu(self, backend):
        with own_stream(backend):
            values = backend.asarray([[1.0, 2.0]])
            synchronize(backend)
        np.testing.assert_array_equal(backend.to_numpy(values), [[1.0, 2.0]])

    @pytest.mark.gpu
    @pytest.mark.parametrize("name", ["cupy", "torch"])
    def test_a_product_on_a_stream_of_its_own(self, name):
        library(name)
        backend = get_backend(name, "cuda")
        values = np.random.default_rng(0).normal(size=(500, 500))
        with own_stream(backend):
            array = backend.asarray(values)
            found = array @ array
        np.testing.assert_allclose(backend.to_numpy(found), values @ values, rtol=1e-10)


class TestTensorCores:
    def test_torch_has_its_setting_back(self):
        torch = pytest.importorskip("torch")
        backend = get_backend("torch", tf32=True)
        before = torch.backends.cuda.matmul.allow_tf32
        with pytest.raises(ZeroDivisionError), tensor_cores(backend):
            assert torch.backends.cuda.matmul.allow_tf32
            raise ZeroDivisionError
        assert torch.backends.cuda.matmul.allow_tf32 == before

    def test_it_is_off_unless_asked_for(self):
        torch = pytest.importorskip("torch")
        before = torch.backends.cuda.matmul.allow_tf32
        with tensor_cores(get_backend("torch")):
            assert torch.backends.cuda.matmul.allow_tf32 == before

    @pytest.mark.gpu
    def test_cupy_rounds_and_has_its_setting_back(self):
        library("cupy")
        from cupy import _core

        backend = get_backend("cupy", "cuda", tf32=True)
        values = np.random.default_rng(0).normal(size=(512, 512))
        array = backend.asarray(values, "float32")
        exact = backend.to_numpy(array @ array)
        before = _core.get_compute_type(np.float32)
        with tensor_cores(backend):
            rounded = backend.to_numpy(array @ array)
        assert _core.get_compute_type(np.float32) == before
        assert 0 < np.abs(rounded - exact).max() < 0.5

    @pytest.mark.parametrize("given", [(2,), (2, 3), (2, 3, 4)])
    @pytest.mark.parametrize("form", ["tensor", "joined"])
    def test_rounded_factors_of_the_variance_hardly_move_p(self, given, form, monkeypatch):
        """The rounding is made here: ten bits after the point, as tensor cores keep, in the products that are allowed to."""

        def rounded(array):
            bits = np.ascontiguousarray(array).view(np.uint32)
            return ((bits + 0x1000) & np.uint32(0xFFFFE000)).view(np.float32)

        exact_cross, used = _pairs._cross, []

        def cross(a, b, weight, backend):
            if a.dtype != np.float32:
                return exact_cross(a, b, weight, backend)
            used.append(a.shape)
            scaled = a if weight is None else a * weight.astype(np.float32)
            return exact_cross(rounded(scaled), rounded(b), None, backend)

        pairs = [(0, 1, given), (0, 5, given), (1, 5, given)]
        for seed in range(4):
            data = rows(n=400, seed=seed)
            exact = [r.p_value for r in KCI(form=form).fit(data).batch(pairs)]
            with monkeypatch.context() as patch:
                patch.setattr(_pairs, "_cross", cross)
                found = [r.p_value for r in KCI(form=form).fit(data).batch(pairs)]
            assert used
            assert 0 < np.abs(np.subtract(found, exact)).max() < 2e-4


class TestDeferredStatus:
    def test_numbers_that_are_not_finite_are_an_error(self, monkeypatch):
        from causalkit.independence import _residuals

        test = KCI().fit(rows())
        original = _residuals.pair_sums

        def broken(*args, **options):
            sums = original(*args, **options)
            sums.second[:] = np.nan
            return sums

        monkeypatch.setattr(_residuals, "pair_sums", broken)
        with pytest.raises(np.linalg.LinAlgError, match="could not be factorised"):
            test(0, 1, (2,))
