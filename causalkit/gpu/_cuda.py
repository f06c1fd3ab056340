"""CUDA source of the fused kernels. Each has a twin in NumPy beside its call (`causalkit.gpu._fused`), which says what it computes.

All reductions have a fixed order, so that a result does not depend on scheduling. Threads share the work by strides, so that any number
of threads per block, one included, computes the same.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

__all__ = ["PIVOT_THREADS", "SOURCE", "TILE", "TILE_THREADS", "compiled"]

PIVOT_THREADS, TILE_THREADS, TILE = 1024, 256, 32

SOURCE = r"""
#ifndef PIVOT_THREADS
#define PIVOT_THREADS 1024
#endif
#ifndef TILE_THREADS
#define TILE_THREADS 256
#endif
#ifndef TILE
#define TILE 32
#endif
#define CHUNK 16
#define CELLS (TILE * TILE / TILE_THREADS)

typedef long long big;

// sum_m w_m exp(-sum_j s_mj (x_j - y_j)^2)
__device__ double mixture(const double *x, const double *y, const double *scales, const double *weights, int terms, int d)
{
    double total = 0.0;
    for (int m = 0; m < terms; ++m) {
        double exponent = 0.0;
        for (int j = 0; j < d; ++j) {
            double difference = x[j] - y[j];
            exponent += scales[m * d + j] * difference * difference;
        }
        total += weights[m] * exp(-exponent);
    }
    return total;
}

// One entry of a part of a Gram matrix per step of a thread.
extern "C" __global__ void gaussian_part(
    const double *left, const double *right, int a, int b, int d, const double *scales, const double *weights, int terms, double *out)
{
    big stride = (big)gridDim.x * blockDim.x;
    for (big k = (big)blockIdx.x * blockDim.x + threadIdx.x; k < (big)a * b; k += stride)
        out[k] = mixture(left + (k / b) * d, right + (k % b) * d, scales, weights, terms, d);
}

// Whether a candidate pivot is better: a larger residual, or an equal one and an earlier place.
__device__ bool better(double value, int at, double than, int other, const int *place)
{
    if (at < 0) return false;
    if (other < 0 || value > than) return true;
    return value == than && place[at] < place[other];
}

// One block per matrix: the whole pivoted Cholesky factorisation, without a word to the host.
extern "C" __global__ void pivoted_cholesky(
    const double *points, int n, int d, const double *all_scales, const double *all_weights, int terms, const int *all_places,
    double tolerance, int on_average, int max_rank, double *all_factors, double *all_residuals, int *ranks)
{
    __shared__ double largest[PIVOT_THREADS];
    __shared__ double total[PIVOT_THREADS];
    __shared__ int where[PIVOT_THREADS];
    int job = blockIdx.x, t = threadIdx.x, rank = 0;
    const double *scales = all_scales + (big)job * terms * d, *weights = all_weights + (big)job * terms;
    const int *place = all_places + (big)job * n;
    double *factor = all_factors + (big)job * max_rank * n, *residual = all_residuals + (big)job * n;

    for (int i = t; i < n; i += blockDim.x)
        residual[i] = mixture(points + (big)i * d, points + (big)i * d, scales, weights, terms, d);
    __syncthreads();
    for (; rank < max_rank; ++rank) {
        largest[t] = 0.0; total[t] = 0.0; where[t] = -1;
        for (int i = t; i < n; i += blockDim.x) {
            total[t] += residual[i];
            if (better(residual[i], i, largest[t], where[t], place)) { largest[t] = residual[i]; where[t] = i; }
        }
        __syncthreads();
        for (int half = blockDim.x / 2; half > 0; half /= 2) {
            if (t < half) {
                total[t] += total[t + half];
                if (better(largest[t + half], where[t + half], largest[t], where[t], place)) {
                    largest[t] = largest[t + half]; where[t] = where[t + half];
                }
            }
            __syncthreads();
        }
        int pivot = where[0];
        double most = largest[0], left = on_average ? total[0] / n : most;
        __syncthreads();
        if (left <= tolerance || most <= 0.0) break;
        double root = sqrt(most);
        for (int i = t; i < n; i += blockDim.x) {
            double entry = mixture(points + (big)pivot * d, points + (big)i * d, scales, weights, terms, d);
            for (int k = 0; k < rank; ++k)
                entry -= factor[(big)k * n + pivot] * factor[(big)k * n + i];
            entry /= root;
            factor[(big)rank * n + i] = entry;
            residual[i] = i == pivot ? 0.0 : fmax(residual[i] - entry * entry, 0.0);
        }
        __syncthreads();
    }
    if (t == 0) ranks[job] = rank;
}

// Entries of one tile of E E' for a factor E of shape (n, r).
__device__ void gram_tile(const float *factor, int n, int r, int top, int left, float (*u)[CHUNK], float (*v)[CHUNK], float *cells)
{
    int t = threadIdx.x;
    for (int m = 0; m < CELLS; ++m) cells[m] = 0.0f;
    for (int first = 0; first < r; first += CHUNK) {
        __syncthreads();
        for (int e = t; e < TILE * CHUNK; e += blockDim.x) {
            int i = e / CHUNK, k = first + e % CHUNK;
            u[i][e % CHUNK] = top + i < n && k < r ? factor[(big)(top + i) * r + k] : 0.0f;
            v[i][e % CHUNK] = left + i < n && k < r ? factor[(big)(left + i) * r + k] : 0.0f;
        }
        __syncthreads();
        for (int m = 0; m < CELLS; ++m) {
            int e = t + m * TILE_THREADS;
            for (int k = 0; k < CHUNK; ++k) cells[m] += u[e / TILE][k] * v[e % TILE][k];
        }
    }
}

// One block per tile of the upper triangle and pair: the sum of (A B J)^2 over the tile; no Gram matrix is ever written.
extern "C" __global__ void squared_sums(
    const float *left, const float *right, const int *pairs, int n, int r, int s, const float *joining, double *out)
{
    __shared__ float u[TILE][CHUNK];
    __shared__ float v[TILE][CHUNK];
    __shared__ double sums[TILE_THREADS];
    int t = threadIdx.x, tiles = (n + TILE - 1) / TILE;
    int row = blockIdx.x / tiles, column = blockIdx.x % tiles;
    big place = (big)blockIdx.y * gridDim.x + blockIdx.x;
    if (column < row) {
        if (t == 0) out[place] = 0.0;
        return;
    }
    float a[CELLS], b[CELLS];
    gram_tile(left + (big)pairs[2 * blockIdx.y] * n * r, n, r, row * TILE, column * TILE, u, v, a);
    gram_tile(right + (big)pairs[2 * blockIdx.y + 1] * n * s, n, s, row * TILE, column * TILE, u, v, b);
    sums[t] = 0.0;
    for (int m = 0; m < CELLS; ++m) {
        int e = t + m * TILE_THREADS, i = row * TILE + e / TILE, j = column * TILE + e % TILE;
        if (i >= n || j >= n) continue;
        float product = a[m] * b[m];
        if (joining) product *= joining[(big)i * n + j];
        sums[t] += (double)(product * product);
    }
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (t < half) sums[t] += sums[t + half];
        __syncthreads();
    }
    if (t == 0) out[place] = sums[0] * (row == column ? 1.0 : 2.0);
}
"""


@lru_cache(maxsize=1)
def compiled() -> Any:
    """Compile the source for the current device, once; CuPy keeps the result on disk."""
    sizes = {"PIVOT_THREADS": PIVOT_THREADS, "TILE_THREADS": TILE_THREADS, "TILE": TILE}
    options = ("-std=c++11", *(f"-D{name}={size}" for name, size in sizes.items()))
    return importlib.import_module("cupy").RawModule(code=SOURCE, options=options)
