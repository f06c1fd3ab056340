"""Independence tests: identities, invariances, bad input and agreement with other libraries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from causalkit._validation import read_table
from causalkit.exceptions import (
    ConstantColumnWarning,
    DataError,
    NodeNotFoundError,
    ParameterError,
    SmallSampleWarning,
)
from causalkit.graph import CausalGraph
from causalkit.independence import (
    KCI,
    ChiSquare,
    CITest,
    Cyclic,
    Delta,
    DSeparation,
    FisherZ,
    Gaussian,
    GaussianProcess,
    GSquare,
    Linear,
    Permutation,
    chi_square_test,
    fisher_z_test,
    g_square_test,
    get_test,
    kci_test,
    register_test,
)
from causalkit.independence._gaussian_process import fit_gaussian_process
from causalkit.independence._kernel_factory import KernelFactory

RNG = np.random.default_rng(7)
RNG_PHASES = np.random.default_rng(11)
N = 120
Z = RNG.normal(size=N)
X = np.sin(Z) + 0.5 * RNG.normal(size=N)
Y = Z**2 + 0.5 * RNG.normal(size=N)
DOMAIN = np.repeat(["a", "b", "c", "d"], N // 4)
DATA = np.column_stack([X, Y, Z, RNG.normal(size=N)])


@pytest.mark.parametrize(
    "options", [{}, {"regression": 1e-3}, {"width": "median"}, {"null": "spectral"}, {"width": 0.7}]
)
@pytest.mark.parametrize("z", [None, Z, np.column_stack([Z, DATA[:, 3]])])
class TestSymmetryAndScale:
    def test_swapping_x_and_y_changes_nothing(self, options, z):
        assert kci_test(X, Y, z, **options).p_value == pytest.approx(
            kci_test(Y, X, z, **options).p_value, rel=1e-6
        )

    def test_affine_scaling_changes_nothing(self, options, z):
        scaled = None if z is None else -3.0 * np.asarray(z) + 7
        here, there = kci_test(X, Y, z, **options), kci_test(1e3 * X + 5, -0.01 * Y, scaled, **options)
        assert there.p_value == pytest.approx(here.p_value, rel=1e-6)

    @pytest.mark.numpy_only
    def test_order_of_rows_changes_nothing(self, options, z):
        order = np.random.default_rng(0).permutation(N)
        turned = None if z is None else np.asarray(z)[order]
        here, there = kci_test(X, Y, z, **options), kci_test(X[order], Y[order], turned, **options)
        assert there.p_value == pytest.approx(here.p_value, rel=1e-6)


def test_the_original_form_depends_on_which_variable_is_called_x():
    options = {"form": "joined", "regression": 1e-3}
    assert kci_test(X, Y, Z, **options).p_value != pytest.approx(
        kci_test(Y, X, Z, **options).p_value, rel=1e-6
    )


def test_order_and_batches_of_conditioning_sets_change_nothing():
    test = KCI().fit(DATA)
    triples = [(0, 1, (2, 3)), (0, 3, ()), (1, 3, (2,)), (0, 1, (3, 2)), (0, 1, (2,))]
    batch = test.batch(triples)
    fresh = [KCI().fit(DATA)(*triple) for triple in triples]
    assert [r.p_value for r in batch] == [r.p_value for r in fresh]
    assert batch[0].p_value == batch[3].p_value
    turned = KCI().fit(DATA[:, [3, 2, 1, 0]])(3, 2, (1, 0))
    assert turned.p_value == pytest.approx(batch[0].p_value, rel=1e-9)


def test_labels_of_domains_carry_no_order():
    names = {"a": "zz", "b": "10", "c": "x", "d": "-5"}
    renamed = np.array([names[d] for d in DOMAIN])
    assert kci_test(X, Y, renamed).p_value == pytest.approx(kci_test(X, Y, DOMAIN).p_value, rel=1e-9)
    assert kci_test(X, renamed).p_value == pytest.approx(kci_test(X, DOMAIN).p_value, rel=1e-9)


def test_numbered_domains_are_labels_where_declared():
    codes = np.unique(DOMAIN, return_inverse=True)[1].astype(float)
    declared = kci_test(X, Y, codes, z_types=["categorical"]).p_value
    assert declared == kci_test(X, Y, DOMAIN).p_value
    assert kci_test(X, Y, codes).p_value != pytest.approx(declared, rel=1e-3)


def test_residual_maker_of_a_domain_is_the_removal_of_group_means():
    """With a vanishing ridge and a delta kernel the residuals are deviations from the means of the domains."""
    from tests.independence.dense import residual_maker

    codes = np.repeat([0.0, 1.0, 2.0], [5, 9, 16])[:, None]
    maker = residual_maker(Delta()(codes), 1e-6)
    group = codes == codes.T
    expected = np.eye(30) - group / group.sum(1)
    np.testing.assert_allclose(maker, expected, atol=1e-6)


def test_a_huge_ridge_regresses_nothing_out():
    from tests.independence.dense import residual_maker

    gram = Gaussian(0.5)(Z[:, None])
    np.testing.assert_allclose(residual_maker(gram, 1e12), np.eye(N), atol=1e-9)


def test_a_constant_conditioning_column_is_no_condition():
    with pytest.warns(ConstantColumnWarning):
        constant = kci_test(X, Y, np.ones(N))
    assert constant.p_value == kci_test(X, Y).p_value


def test_constant_and_copied_variables():
    with pytest.warns(ConstantColumnWarning, match="x1"):
        assert kci_test(np.ones(N), Y).p_value == 1.0
    assert kci_test(X, Y, np.column_stack([Z, X])).p_value == 1.0
    assert kci_test(X, Y, -2 * Y + 1).note.startswith("a copy")
    assert kci_test(X, X).p_value < 1e-10
    assert kci_test(X, Y, Z).note == ""


def test_log_p_value_keeps_the_order_of_strong_dependences():
    """A p-value of zero would lose which of two pairs is the stronger; causal-learn's 1 - cdf does below 1e-16."""
    n = 1500
    x = np.random.default_rng(0).normal(size=n)
    weak, strong = x + 0.3 * np.random.default_rng(1).normal(size=n), x
    results = [kci_test(x, weak), kci_test(x, strong)]
    assert all(r.log_p_value < -700 and np.isfinite(r.log_p_value) for r in results)
    assert results[1].log_p_value < results[0].log_p_value


def test_permutation_law_is_exact_given_labels_and_refuses_numbers():
    p = kci_test(X, Y, DOMAIN, null=Permutation(199), rng=3).p_value
    assert p * 200 == pytest.approx(round(p * 200))
    assert p == kci_test(X, Y, DOMAIN, null=Permutation(199), rng=3).p_value
    assert kci_test(X, Z, null="permutation").p_value == 1 / 1000
    with pytest.raises(ParameterError, match="labels only"):
        kci_test(X, Y, Z, null="permutation")


def test_learned_widths_and_labels_together():
    mixed = KCI(
        regression="gaussian_process", column_types=["continuous", "continuous", "continuous", "categorical"]
    )
    codes = np.unique(DOMAIN, return_inverse=True)[1]
    result = mixed.fit(np.column_stack([X, Y, Z, codes]))(0, 1, (2, 3))
    assert 0 < result.p_value <= 1


class TestLearnedWidths:
    def test_is_marginal_likelihood_from_several_starts(self):
        learned = kci_test(X, Y, Z, width="learned")
        assert learned == kci_test(X, Y, Z, regression=GaussianProcess(starts=(1.0, 0.25, 0.06)))
        assert learned == kci_test(
            X, Y, Z, width="learned", regression=GaussianProcess(starts=(1.0, 0.25, 0.06))
        )
        with pytest.raises(ParameterError, match=r"width='learned' .* regression=0.001; leave"):
            kci_test(X, Y, Z, width="learned", regression=1e-3)
        for bad in ((), (0.0,), (np.nan,)):
            with pytest.raises(ParameterError, match="starts"):
                GaussianProcess(starts=bad)

    def test_phases_have_no_beginning(self):
        phase = np.arange(N) / 12 % 1
        x, y = (np.sin(2 * np.pi * phase + k) + 0.5 * RNG_PHASES.normal(size=N) for k in (0.1, 0.4))
        here, later = (
            kci_test(x, y, p, z_types=[Cyclic(1)], regression="gaussian_process").p_value
            for p in (phase, (phase + 0.3) % 1)
        )
        assert here == pytest.approx(later, abs=0.01)
        assert here > 0.01

    def test_phases_are_learned_on_the_circle(self):
        table = read_table(np.column_stack([X, np.arange(N) / 12]), ["continuous", Cyclic(1)])
        kernels = KernelFactory.of(table, "empirical", 0.1, 0.5)
        np.testing.assert_allclose((kernels.place(1) ** 2).sum(axis=1), 1)
        np.testing.assert_allclose(kernels.place(1)[12], kernels.place(1)[0], atol=1e-12)
        learned = kernels.learned((0, 1), np.array([2.0, 0.5]))(kernels.values)
        assert learned[0, 12] == pytest.approx(
            np.exp(-0.5 * ((kernels.values[0, 0] - kernels.values[12, 0]) / 2) ** 2)
        )

    def test_a_narrow_start_finds_fast_drift(self):
        time = np.linspace(-1.7, 1.7, 200)
        drift = np.sin(12 * np.pi * time / 1.7)[:, None] + 0.3 * RNG_PHASES.normal(size=(200, 1))
        start = np.array([1.2, 1.0, 0.3])
        wide = fit_gaussian_process([time], drift, start)
        several = fit_gaussian_process([time], drift, start, scales=(1.0, 0.25, 0.06))
        assert wide.length_scales[0] > 1
        assert several.length_scales[0] < 0.15
        assert several.objective < wide.objective - 50

    def test_a_function_without_noise_is_learned(self):
        time = np.linspace(-1.7, 1.7, 300)
        fit = fit_gaussian_process([time], np.c_[np.sin(time), time**2], np.array([1.0, 1.0, 0.3]))
        assert fit.noise < 1e-2 * fit.signal


def test_kernels():
    a = np.array([[0.0, 1.0], [2.0, 3.0]])
    np.testing.assert_allclose(Linear()(a), a @ a.T)
    np.testing.assert_allclose(Gaussian((1.0, 2.0), 3.0)(a)[0, 1], 3 * np.exp(-0.5 * (4 + 1)))
    assert Delta(0.25)(a)[0, 1] == 0.25
    for bad in (lambda: Gaussian(0.0), lambda: Gaussian((1.0, -1.0)), lambda: Delta(1.0)):
        with pytest.raises(ParameterError):
            bad()


class TestFisherZ:
    def test_against_the_formula(self):
        r = stats.pearsonr(X, Y).statistic
        expected = 2 * stats.norm.sf(abs(np.sqrt(N - 3) * np.arctanh(r)))
        assert fisher_z_test(X, Y).p_value == pytest.approx(expected, rel=1e-10)

    def test_against_causal_learn(self):
        from causallearn.utils.cit import CIT

        theirs, ours = CIT(DATA, "fisherz"), FisherZ().fit(DATA)
        for given in [(), (2,), (2, 3)]:
            assert ours(0, 1, given).p_value == pytest.approx(theirs(0, 1, list(given)), rel=1e-8)

    def test_collinear_conditioning_columns_are_dropped(self):
        both = np.column_stack([Z, 2 * Z + 1])
        assert fisher_z_test(X, Y, both).p_value == pytest.approx(fisher_z_test(X, Y, Z).p_value, rel=1e-6)
        assert fisher_z_test(X, Y, np.column_stack([Z, X - Z])).p_value == 1.0

    def test_perfect_correlation_has_a_finite_log(self):
        assert np.isfinite(fisher_z_test(X, X).log_p_value)

    def test_labels_are_refused(self):
        pd = pytest.importorskip("pandas")
        with pytest.raises(DataError, match="'site' holds labels"):
            FisherZ().fit(pd.DataFrame({"x": X, "site": DOMAIN}))

    def test_too_few_rows_for_the_set(self):
        wide = np.random.default_rng(0).normal(size=(10, 9))
        with pytest.raises(DataError, match="max_cond_size"):
            FisherZ().fit(wide)(0, 1, (2, 3, 4, 5, 6, 7, 8))


class TestContingency:
    x, y, z = np.random.default_rng(3).integers(0, 3, size=(3, 400))

    def test_against_scipy(self):
        table = stats.contingency.crosstab(self.x, self.y).count
        chi = stats.chi2_contingency(table, correction=False)
        g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
        assert chi_square_test(self.x, self.y).p_value == pytest.approx(chi.pvalue, rel=1e-10)
        assert g_square_test(self.x, self.y).p_value == pytest.approx(g.pvalue, rel=1e-10)

    def test_strata_add_up(self):
        total = sum(g_square_test(self.x[self.z == k], self.y[self.z == k]).statistic for k in range(3))
        result = g_square_test(self.x, self.y, self.z)
        assert result.statistic == pytest.approx(total)
        assert result.dof == 12

    def test_against_causal_learn(self):
        from causallearn.utils.cit import CIT

        data = np.column_stack([self.x, self.y, self.z])
        for name, test in (("chisq", ChiSquare()), ("gsq", GSquare())):
            for given in [(), (2,)]:
                assert test.fit(data)(0, 1, given).p_value == pytest.approx(
                    CIT(data, name)(0, 1, list(given)), rel=1e-8
                )

    def test_levels_that_a_stratum_never_shows_cost_no_freedom(self):
        x = np.r_[np.tile([0, 1], 20), np.tile([2, 3], 20)]
        y = np.r_[np.repeat([0, 1], 20), np.repeat([0, 1], 20)]
        assert g_square_test(x, y, np.repeat([0, 1], 40)).dof == 2

    def test_text_works_and_fractions_do_not(self):
        letters = np.array(list("abc"))[self.x]
        assert chi_square_test(letters, self.y).p_value == chi_square_test(self.x, self.y).p_value
        with pytest.raises(DataError, match="fractions"):
            GSquare().fit(DATA)

    def test_constant_label(self):
        with pytest.warns(ConstantColumnWarning):
            assert g_square_test(np.zeros(20), np.tile([0, 1], 10)).p_value == 1.0


class TestContainers:
    def test_a_frame_keeps_the_types_of_its_columns(self):
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame({"z": Z, "site": DOMAIN})
        codes = np.column_stack([Z, np.unique(DOMAIN, return_inverse=True)[1]])
        expected = kci_test(X, Y, codes, z_types=["continuous", "categorical"]).p_value
        assert kci_test(X, Y, frame).p_value == pytest.approx(expected, rel=1e-9)
        assert (
            kci_test(
                pd.Series(X),
                list(Y),
                np.column_stack([Z, DOMAIN]).astype(object),
                z_types=["categorical"] * 2,
            ).p_value
            > 0
        )

    def test_series_labelled_differently(self):
        pd = pytest.importorskip("pandas")
        with pytest.raises(DataError, match="index labels"):
            kci_test(pd.Series(X), pd.Series(Y).sample(frac=1, random_state=0))

    def test_objects_that_are_numbers_are_numbers(self):
        for column in (X.astype(object), [np.float32(v) for v in X], list(X)):
            assert kci_test(column, Y).p_value == pytest.approx(kci_test(X, Y).p_value, rel=1e-3)

    def test_missing_objects_are_refused(self):
        for test, bad in (
            (kci_test, [1.5, None, *X[2:]]),
            (g_square_test, ["a", None] * (N // 2)),
            (kci_test, ["a", float("nan")] * (N // 2)),
        ):
            with pytest.raises(DataError, match="missing"):
                test(bad, np.arange(N) % 3)

    def test_extreme_scales(self):
        expected = kci_test(X, Y, Z).p_value
        for scale in (1e150, 1e-200):
            assert kci_test(scale * X, scale * Y, scale * Z).p_value == pytest.approx(expected, rel=1e-6)

    def test_labels_with_very_many_levels(self):
        data = np.random.default_rng(0).permuted(np.tile(np.arange(3000), (3, 1)), axis=1).T
        assert GSquare().fit(data)(0, 1, (2,)).p_value == 1.0

    def test_permutation_does_not_depend_on_the_order_of_columns_or_variables(self):
        data = np.column_stack([X, Y, np.unique(DOMAIN, return_inverse=True)[1]])
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(data, columns=["x", "y", "d"]).astype({"d": str})
        test = KCI(null=Permutation(99))
        p = test.fit(frame)(0, 1, (2,)).p_value
        assert (
            p == test.fit(frame)(1, 0, (2,)).p_value == test.fit(frame[["d", "y", "x"]])(2, 1, (0,)).p_value
        )


class TestInput:
    def test_missing_values_name_column_and_rows(self):
        bad = X.copy()
        bad[[3, 17]] = np.nan
        with pytest.raises(DataError, match=r"'x1' has 2 missing values \(NaN\), in rows 3, 17"):
            kci_test(bad, Y)
        with pytest.raises(DataError, match="infinite"):
            kci_test(X, np.r_[np.inf, Y[1:]])

    def test_lengths_and_shapes(self):
        with pytest.raises(DataError, match="one row per observation"):
            kci_test(X, Y[:-1])
        with pytest.raises(DataError, match="one row per observation"):
            fisher_z_test(X, Y[:-1])
        with pytest.raises(DataError, match="dimensions"):
            kci_test(X[:, None, None], Y)

    def test_few_rows(self):
        with pytest.raises(DataError, match="at least 10"):
            kci_test(X[:9], Y[:9])
        with pytest.warns(SmallSampleWarning):
            kci_test(X[:30], Y[:30])

    @pytest.mark.parametrize(
        "options",
        [
            {"null": 5},
            {"null": Permutation},
            {"width": 0},
            {"width": "huge"},
            {"regression": -1},
            {"regression": "big"},
            {"null": "normal"},
            {"shared": 1.0},
            {"time_width": 0},
        ],
    )
    def test_parameters(self, options):
        with pytest.raises(ParameterError, match=next(iter(options))):
            kci_test(X, Y, Z, **options)

    def test_misspelt_keyword(self):
        with pytest.raises(TypeError, match="widht"):
            KCI(widht=0.5)

    def test_columns_are_checked(self):
        test = FisherZ().fit(DATA)
        for triple in [(0, 0, ()), (0, 1, (1,)), (0, 4, ()), (-1, 0, ()), (0, 1.0, ())]:
            with pytest.raises(ParameterError, match="different columns|does not exist"):
                test(*triple)
        with pytest.raises(ParameterError, match="fit"):
            FisherZ()(0, 1)


class TestRegistry:
    def test_names_and_objects(self):
        assert isinstance(get_test("g_square"), GSquare)
        original = KCI(width=0.5)
        copy = get_test(original)
        assert copy is not original
        assert copy.width == 0.5
        assert isinstance(copy, CITest)

    def test_unknown(self):
        with pytest.raises(ParameterError, match="'fisher_z'"):
            get_test("fisherz")
        with pytest.raises(ParameterError, match="object"):
            get_test(KCI)
        with pytest.raises(ParameterError, match="callable"):
            register_test("mine", None)

    def test_repr_shows_what_was_changed(self):
        assert repr(KCI(width=0.5)) == "KCI(width=0.5)"


def test_oracle_needs_the_columns_in_its_graph():
    with pytest.raises(NodeNotFoundError, match="'X2'"):
        DSeparation(CausalGraph.parse("X1 -> Y")).fit(np.zeros((10, 2)))
