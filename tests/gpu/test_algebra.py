"""Factors, residual makers and sums over pairs against whole matrices, on every array library."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalkit.exceptions import MemoryBudgetError
from causalkit.gpu import MemoryBudget, get_backend, pivoted_cholesky, principal_factor
from causalkit.gpu._leading import leading_eigenvalues
from causalkit.gpu._pairs import pair_sums, triple_product_sum
from causalkit.gpu._ridge import DenseMaker, Smoother, Woodbury, leave_one_out_errors

RNG = np.random.default_rng(0)
NUMPY = get_backend("numpy")


def gaussian(x, width=1.0):
    return np.exp(-0.5 * ((x[:, None, :] - x[None, :, :]) ** 2).sum(2) / width**2)


def factor_of(matrix, backend, **options):
    array = backend.asarray(matrix)
    diagonal = backend.asarray(np.diag(matrix))

    def part(rows, columns):
        chosen = backend.take(array, rows)
        return chosen[:, columns] if isinstance(columns, slice) else backend.take(chosen, columns, axis=1)

    return pivoted_cholesky(part, diagonal, backend, **options)


class TestPivotedCholesky:
    @pytest.mark.parametrize("n_columns", [1, 3])
    @pytest.mark.parametrize("tolerance", [1e-3, 1e-8])
    def test_reaches_its_tolerance(self, backend, n_columns, tolerance):
        gram = gaussian(RNG.normal(size=(150, n_columns)))
        found = backend.to_numpy(factor_of(gram, backend, tolerance=tolerance))
        assert np.diag(gram - found.T @ found).max() <= tolerance * 1.01
        assert len(found) <= (150 if n_columns == 3 else 30)

    def test_rank_of_labels_is_their_number(self, backend):
        labels = np.arange(200) % 7
        found = factor_of((labels[:, None] == labels).astype(float), backend, tolerance=1e-10)
        assert found.shape[0] == 7

    def test_duplicate_rows_and_ties(self, backend):
        gram = gaussian(np.repeat(RNG.normal(size=(5, 1)), 40, axis=0))
        assert factor_of(gram, backend, tolerance=1e-10).shape[0] == 5

    def test_largest_rank(self, backend):
        gram = gaussian(RNG.normal(size=(100, 3)), 0.1)
        assert factor_of(gram, backend, tolerance=1e-12, max_rank=17).shape[0] == 17

    def test_full_rank_is_exact(self, backend):
        gram = gaussian(RNG.normal(size=(90, 4)), 0.05)
        found = backend.to_numpy(factor_of(gram, backend, tolerance=1e-14))
        np.testing.assert_allclose(found.T @ found, gram, atol=1e-12)

    def test_order_of_rows_changes_nothing_where_an_order_is_given(self):
        x = RNG.normal(size=(300, 2))
        turn = RNG.permutation(300)
        grams = []
        for rows in (x, x[turn]):
            order = np.argsort((rows**2).sum(1))
            found = factor_of(gaussian(rows, 0.5), NUMPY, max_rank=40, order=order)
            grams.append(found.T @ found)
        np.testing.assert_allclose(grams[0][np.ix_(turn, turn)], grams[1], atol=1e-9)

    @settings(max_examples=40)
    @given(st.integers(2, 60), st.integers(1, 4), st.floats(0.05, 5), st.integers(0, 5))
    def test_any_kernel(self, n, n_columns, width, seed):
        rows = np.random.default_rng(seed).normal(size=(n, n_columns)).round(1)
        gram = gaussian(rows, width)
        found = factor_of(gram, NUMPY, tolerance=1e-9)
        np.testing.assert_allclose(found.T @ found, gram, atol=1e-7)


def test_principal_factor_is_the_spectrum_of_the_centred_matrix(backend):
    gram = gaussian(RNG.normal(size=(60, 1)))
    vectors, values = (
        backend.to_numpy(part)
        for part in principal_factor(factor_of(gram, backend, tolerance=1e-12), backend)
    )
    centering = np.eye(60) - 1 / 60
    expected = np.linalg.eigvalsh(centering @ gram @ centering)[::-1][: len(values)]
    np.testing.assert_allclose(values, expected, atol=1e-9)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(len(values)), atol=1e-5)
    assert principal_factor(NUMPY.asarray(np.ones((1, 9))), NUMPY)[1].shape == (0,)


def test_three_residual_makers_are_one(backend):
    """Woodbury, dense Cholesky and the eigenbasis against the inverse."""
    gram, ridge = gaussian(RNG.normal(size=(70, 1))), 0.1
    centering = np.eye(70) - 1 / 70
    centred = centering @ gram @ centering
    features = centering @ RNG.normal(size=(70, 3))
    expected = ridge * np.linalg.solve(centred + ridge * np.eye(70), features)
    factor = factor_of(gram, backend, tolerance=1e-13)
    vectors, values = principal_factor(factor, backend)
    makers = [
        Woodbury.of(factor - backend.xp.mean(factor, axis=1, keepdims=True), ridge, backend),
        DenseMaker.of(backend.asarray(centred), ridge, backend),
        Smoother(vectors, values / (values + ridge)),
    ]
    for maker in makers:
        found = backend.to_numpy(maker.residual(backend.asarray(features)))
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_leave_one_out_errors_do_not_depend_on_who_else_is_there(backend):
    vectors, values = principal_factor(factor_of(gaussian(RNG.normal(size=(80, 1))), backend), backend)
    features = [backend.asarray(f - f.mean(0)) for f in (RNG.normal(size=(80, 2)), RNG.normal(size=(80, 5)))]
    options = {"ridges": (0.01, 1.0), "backend": backend, "max_degrees": 40}
    both = leave_one_out_errors([(vectors, values)], features=features, **options)
    single = leave_one_out_errors([(vectors, values)], features=features[1:], **options)
    np.testing.assert_allclose(both[1], single[0], rtol=1e-12)
    refused = leave_one_out_errors([(vectors, values)], features=features, **{**options, "max_degrees": 2})
    assert np.isinf(refused).all()


class TestPairSums:
    left, right = RNG.normal(size=(3, 150, 4)), RNG.normal(size=(6, 150, 2))
    joining = gaussian(RNG.normal(size=(150, 1)))

    def brute(self, left, right, joining):
        a, b = (np.einsum("vnr,vmr->vnm", side, side) for side in (left, right))
        product = a[:, None] * b[None] * joining
        return product.sum((2, 3)), (product**2).sum((2, 3))

    def part(self, backend):
        whole = backend.asarray(self.joining)

        def rows_of(rows, columns):
            return (whole[rows, :] if isinstance(rows, slice) else backend.take(whole, rows))[:, columns]

        return rows_of

    @pytest.mark.parametrize("block", [10_000, 100_000, 10**9])
    @pytest.mark.parametrize("joined", [False, True])
    def test_against_whole_matrices(self, backend, block, joined):
        left, right = backend.asarray(self.left), backend.asarray(self.right)
        joining = self.part(backend) if joined else None
        budget = MemoryBudget(10**9, block)
        found = pair_sums(left, right, joining, backend, budget, squares="float64")
        expected = self.brute(self.left, self.right, self.joining if joined else 1.0)
        np.testing.assert_allclose(found.first, expected[0], rtol=1e-10)
        np.testing.assert_allclose(found.second, expected[1], rtol=1e-10)
        half = pair_sums(left, right, joining, backend, budget)
        np.testing.assert_allclose(half.second, expected[1], rtol=1e-5)

    def test_one_list_with_itself(self, backend):
        left = backend.asarray(self.left)
        found = pair_sums(left, left, None, backend, MemoryBudget(10**9))
        np.testing.assert_allclose(found.first, self.brute(self.left, self.left, 1.0)[0], rtol=1e-10)

    def test_a_sample_of_all_rows_is_exact(self, backend):
        left, right = backend.asarray(self.left), backend.asarray(self.right)
        found = pair_sums(
            left,
            right,
            self.part(backend),
            backend,
            MemoryBudget(10**9, 5000),
            rows=np.arange(150),
            squares="float64",
        )
        expected = self.brute(self.left, self.right, self.joining)
        np.testing.assert_allclose(found.second, expected[1], rtol=1e-10)

    def test_samples_are_unbiased(self):
        expected = self.brute(self.left, self.right, 1.0)[1]
        draws = [
            pair_sums(
                self.left, self.right, None, NUMPY, MemoryBudget(10**9), rows=RNG.permutation(150)[:30]
            ).second
            for _ in range(2000)
        ]
        error = np.std(draws, axis=0) / np.sqrt(len(draws))
        assert (np.abs(np.mean(draws, axis=0) - expected) < 4.5 * error).all()

    def test_triple_products(self, backend):
        third = np.linalg.cholesky(self.joining + 1e-9 * np.eye(150))
        factors = [backend.asarray(f) for f in (self.left[0], self.right[0], third)]
        for block in (1000, 10**6):
            found = triple_product_sum(*factors, backend, MemoryBudget(10**9, block))
            assert found == pytest.approx(self.brute(self.left, self.right, self.joining)[0][0, 0], rel=1e-6)

    def test_a_budget_too_small_for_one_row(self):
        with pytest.raises(MemoryBudgetError, match="n=150, float64"):
            pair_sums(self.left, self.right, None, NUMPY, MemoryBudget(100))


def test_leading_eigenvalues(backend):
    gram = gaussian(RNG.normal(size=(120, 2)), 0.5)
    array = backend.asarray(gram)
    expected = np.linalg.eigvalsh(gram)[::-1]
    found = leading_eigenvalues(lambda v: array @ v, 120, 10, backend, np.random.default_rng(0))
    np.testing.assert_allclose(found, expected[:10], rtol=1e-4)
    small = backend.asarray(gram[:6, :6])
    few = leading_eigenvalues(lambda v: small @ v, 6, 20, backend, np.random.default_rng(0))
    np.testing.assert_allclose(few, np.linalg.eigvalsh(gram[:6, :6])[::-1], rtol=1e-9)


def test_eigenvalues_of_a_matrix_of_low_rank_are_not_overestimated(backend):
    root = RNG.normal(size=(60, 3))
    array = backend.asarray(root @ root.T)
    found = leading_eigenvalues(lambda v: array @ v, 60, 5, backend, np.random.default_rng(0))
    np.testing.assert_allclose(found, np.linalg.eigvalsh(root @ root.T)[::-1][:5], atol=1e-8)
