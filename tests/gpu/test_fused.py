"""Fused kernels: the twins in NumPy against whole matrices, and the CUDA source against the twins.

The source itself runs here without a GPU: compiled for the host with one thread per block, its arithmetic is that of the device. What
only a device can show, races between threads and speed, is under the mark `gpu`.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

from causalkit.gpu import get_backend
from causalkit.gpu._cuda import SOURCE
from causalkit.gpu._fused import Mixture, gaussian_part, pivoted_factors, squared_sums

RNG = np.random.default_rng(0)
NUMPY = get_backend("numpy")
POINTS = RNG.normal(size=(70, 3))
MIXTURES = [
    Mixture(np.array([1.0]), np.array([[0.5, 0.2, 0.0]])),
    Mixture(np.array([0.5, 0.3, 0.2]), np.array([[0.5, 0.0, 0.0], [0.0, 0.8, 0.1], [0.0, 0.0, 0.0]])),
]
LEFT, RIGHT = RNG.normal(size=(3, 70, 5)), RNG.normal(size=(2, 70, 20))
PAIRS = np.array([[0, 1], [2, 0]])
JOINING = MIXTURES[0].weights[0] * np.exp(-((POINTS[:, None, 0] - POINTS[None, :, 0]) ** 2))

HOST = """
#include <cmath>
using std::exp; using std::sqrt; using std::fmax;
struct Place { int x, y; };
static Place blockIdx, threadIdx, blockDim = {1, 1}, gridDim;
#define __global__
#define __device__ static
#define __shared__ static
#define __syncthreads()
#define PIVOT_THREADS 1
#define TILE_THREADS 1
"""
LAUNCH = """
extern "C" void over_grid(int x, int y) { gridDim.x = x; gridDim.y = y; }
extern "C" void at_block(int x, int y) { blockIdx.x = x; blockIdx.y = y; }
"""


def entries(x, y, mixture):
    """Evaluate a mixture entry by entry."""
    return sum(
        w * np.exp(-(s * (x[:, None, :] - y[None, :, :]) ** 2).sum(-1))
        for w, s in zip(mixture.weights, mixture.scales, strict=True)
    )


def brute_squares():
    out = []
    for i, j in PAIRS:
        product = (LEFT[i] @ LEFT[i].T) * (RIGHT[j] @ RIGHT[j].T) * JOINING
        out.append((product**2).sum())
    return out


class TestTwins:
    @pytest.mark.parametrize("mixture", MIXTURES)
    def test_part(self, backend, mixture):
        left, right = backend.asarray(POINTS[:4]), backend.asarray(POINTS)
        found = backend.to_numpy(gaussian_part(left, right, mixture, backend))
        np.testing.assert_allclose(found, entries(POINTS[:4], POINTS, mixture), rtol=1e-12)

    @pytest.mark.parametrize("on_average", [False, True])
    def test_factors(self, backend, on_average):
        orders = [np.arange(70)] * 2
        found = pivoted_factors(
            backend.asarray(POINTS),
            MIXTURES,
            orders,
            backend,
            tolerance=1e-6,
            max_rank=70,
            on_average=on_average,
        )
        for factor, mixture in zip(map(backend.to_numpy, found), MIXTURES, strict=True):
            left = np.diag(entries(POINTS, POINTS, mixture) - factor.T @ factor)
            assert (left.mean() if on_average else left.max()) <= 1e-6
            assert left.min() > -1e-9
            assert len(factor) < 70

    def test_a_rank_that_is_too_small_stops(self, backend):
        found = pivoted_factors(
            backend.asarray(POINTS), MIXTURES, [np.arange(70)] * 2, backend, tolerance=1e-9, max_rank=3
        )
        assert [factor.shape for factor in found] == [(3, 70), (3, 70)]

    def test_squares(self, backend):
        left, right, joining = (backend.asarray(part) for part in (LEFT, RIGHT, JOINING))
        np.testing.assert_allclose(
            squared_sums(left, right, PAIRS, joining, backend), brute_squares(), rtol=1e-5
        )


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """The CUDA source as a library of the host, one thread per block."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++")
    folder = tmp_path_factory.mktemp("cuda")
    (folder / "kernels.cpp").write_text(HOST + SOURCE + LAUNCH)
    command = [
        compiler,
        "-O1",
        "-shared",
        "-fPIC",
        "-o",
        str(folder / "kernels.so"),
        str(folder / "kernels.cpp"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return ctypes.CDLL(str(folder / "kernels.so"))


def launch(library, name, grid, *arguments):
    """Call a kernel for every block of a grid."""
    kinds = {int: ctypes.c_int, float: ctypes.c_double, type(None): ctypes.c_void_p}
    passed = [
        a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else kinds[type(a)](a)
        for a in arguments
    ]
    library.over_grid(*grid)
    for x in range(grid[0]):
        for y in range(grid[1]):
            library.at_block(x, y)
            getattr(library, name)(*passed)


class TestSource:
    def test_part(self, host):
        for mixture in MIXTURES:
            out = np.zeros((4, 70))
            kernel = (np.ascontiguousarray(mixture.scales), mixture.weights, len(mixture.weights))
            launch(host, "gaussian_part", (3, 1), POINTS[:4].copy(), POINTS, 4, 70, 3, *kernel, out)
            np.testing.assert_allclose(out, entries(POINTS[:4], POINTS, mixture), rtol=1e-12)

    @pytest.mark.parametrize("on_average", [False, True])
    def test_factors_have_the_pivots_of_the_twin(self, host, on_average):
        orders, rank = [RNG.permutation(70) for _ in MIXTURES], 40
        padded = [m.padded(3) for m in MIXTURES]
        scales, weights = np.stack([m.scales for m in padded]), np.stack([m.weights for m in padded])
        places = np.stack([np.argsort(order) for order in orders]).astype(np.int32)
        factors, ranks = np.zeros((2, rank, 70)), np.zeros(2, dtype=np.int32)
        launch(
            *(host, "pivoted_cholesky", (2, 1), POINTS, 70, 3, scales, weights, 3, places),
            *(1e-4, int(on_average), rank, factors, np.zeros((2, 70)), ranks),
        )
        options = {"tolerance": 1e-4, "max_rank": rank, "on_average": on_average}
        twins = pivoted_factors(POINTS, MIXTURES, orders, NUMPY, **options)
        for factor, found, twin in zip(factors, ranks.tolist(), twins, strict=True):
            assert found == len(twin)
            np.testing.assert_allclose(factor[:found], twin, atol=1e-9)

    def test_ties_go_to_the_first_place(self, host):
        """All points equal: the first pivot is the one whose place is first, and explains everything."""
        points, factors = np.zeros((70, 3)), np.zeros((1, 4, 70))
        places, ranks, residuals = (
            np.roll(np.arange(70, dtype=np.int32), 9)[None],
            np.zeros(1, np.int32),
            np.ones((1, 70)),
        )
        one = MIXTURES[0]
        launch(
            *(
                host,
                "pivoted_cholesky",
                (1, 1),
                points,
                70,
                3,
                one.scales[None].copy(),
                one.weights,
                1,
                places,
            ),
            *(1e-9, 0, 4, factors, residuals, ranks),
        )
        assert ranks[0] == 1
        np.testing.assert_array_equal(factors[0, 0], 1.0)
        np.testing.assert_array_equal(residuals, 0.0)

    @pytest.mark.parametrize("joined", [False, True])
    def test_squares(self, host, joined):
        tiles = 3
        out = np.zeros((2, tiles**2))
        third = JOINING.astype(np.float32) if joined else None
        arguments = (
            LEFT.astype(np.float32),
            RIGHT.astype(np.float32),
            PAIRS.astype(np.int32),
            70,
            5,
            20,
            third,
        )
        launch(host, "squared_sums", (tiles**2, 2), *arguments, out)
        expected = squared_sums(LEFT, RIGHT, PAIRS, third, NUMPY)
        np.testing.assert_allclose(out.sum(1), expected, rtol=1e-5)

    def test_compiles_for_a_device(self, tmp_path):
        compiler = shutil.which("nvcc")
        if compiler is None:
            pytest.skip("no nvcc")
        (tmp_path / "kernels.cu").write_text(SOURCE)
        command = [
            compiler,
            "-arch=sm_90",
            "-ptx",
            "-Werror",
            "all-warnings",
            "-o",
            str(tmp_path / "kernels.ptx"),
        ]
        done = subprocess.run(
            [*command, str(tmp_path / "kernels.cu")], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        for name in ("gaussian_part", "pivoted_cholesky", "squared_sums"):
            assert f".entry {name}" in (tmp_path / "kernels.ptx").read_text()
