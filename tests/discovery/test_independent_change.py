"""Phase III: random effects, p-values of independent changes, and the search that decides or abstains."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from causalkit._validation import Table, read_table
from causalkit.discovery import (
    CDNOD,
    CombinedEmbedding,
    IndependentChange,
    KernelEmbedding,
    ParameterEmbedding,
)
from causalkit.discovery._cells import Cells, stretches
from causalkit.discovery._contexts import ContextPoints
from causalkit.discovery._mechanism_parameters import additive_design, splines
from causalkit.discovery._random_effects import (
    Effects,
    Fit,
    Moments,
    _related,
    _unrelated,
    effects_of_regression,
    log_scale,
    smooth,
)
from causalkit.discovery._sinks import confidence, rejection_level
from causalkit.exceptions import ParameterError


def domains(labels):
    return ContextPoints.of(read_table(np.asarray(labels, dtype=float)[:, None], ["categorical"]))


def times(n):
    return ContextPoints.of(read_table(np.arange(float(n))[:, None], ["time"]))


def pair(seed, count, *, level=0.0, shared=False, rows=60):
    """X -> Y over domains; spread of X and slope, intercept and noise of Y change, with `level` the mean of X too."""
    rng = np.random.default_rng(seed)
    k = np.repeat(np.arange(count), rows)
    common = rng.normal(size=count)

    def change():
        return (common if shared else rng.normal(size=count))[k]

    x = level * change() + np.exp(0.5 * change()) * rng.normal(size=len(k))
    y = (1 + 0.7 * change()) * x + max(level, 0.7) * change()
    y += 0.7 * np.exp(0.4 * change()) * rng.normal(size=len(k))
    return np.column_stack([x, y]), k


def p_values(seed, count, scorer=None, **how):
    """Return the p-values of the right and of the wrong direction."""
    data, k = pair(seed, count, **how)
    table, points = read_table(data), domains(k)
    test = scorer or IndependentChange(n_exchanges=199)
    return (
        test.score(table, "X2", ["X1"], points).p_value,
        test.score(table, "X1", ["X2"], points).p_value,
    )


def frame_of(seed, count, **how):
    data, k = pair(seed, count, **how)
    return pd.DataFrame({"X": data[:, 0], "Y": data[:, 1], "site": [f"s{c:02d}" for c in k]})


class TestRandomEffects:
    def moments(self, seed=0, cells=6, columns=3, rows=12):
        rng = np.random.default_rng(seed)
        design = np.column_stack([np.ones(cells * rows), rng.normal(size=(cells * rows, columns - 1))])
        of_row = np.repeat(np.arange(cells), rows)
        e = rng.normal(size=len(of_row))
        return Moments.of(design, e, of_row, cells), design, e, of_row

    def fit(self, cells, columns, seed=1):
        rng = np.random.default_rng(seed)
        root, noise = rng.normal(size=(columns, columns)), rng.uniform(0.5, 2, cells)
        return Fit(None, root @ root.T + 0.1 * np.eye(columns), noise, None, (None, None))

    def test_posterior_is_that_of_the_whole_normal_model(self):
        """Mean, covariances and evidence equal those of the joint normal law of all rows and all deviations."""
        moments, design, e, of_row = self.moments()
        fit = self.fit(6, 3)
        places = np.linspace(0, 1, 6)
        gram = np.exp(-((places[:, None] - places) ** 2) / 0.1) + 1e-3 * np.eye(6)
        prior = np.kron(fit.covariance, gram)
        rows = np.zeros((len(e), 18))
        for j in range(3):
            rows[np.arange(len(e)), j * 6 + of_row] = design[:, j]
        noise = np.diag(fit.noise[of_row])
        marginal = rows @ prior @ rows.T + noise
        mean = prior @ rows.T @ np.linalg.solve(marginal, e)
        covariance = prior - prior @ rows.T @ np.linalg.solve(marginal, rows @ prior)
        found = _related(moments, gram, fit)
        np.testing.assert_allclose(found.means, mean.reshape(3, 6).T, rtol=1e-8, atol=1e-10)
        blocks = covariance.reshape(3, 6, 3, 6)
        within = np.array([blocks[:, k, :, k] for k in range(6)])
        np.testing.assert_allclose(found.within, within, rtol=1e-7, atol=1e-9)
        other = self.fit(6, 3, seed=2)
        whole = [
            stats.multivariate_normal(np.zeros(len(e)), rows @ p @ rows.T + np.diag(f.noise[of_row])).logpdf(
                e
            )
            for f, p in ((fit, prior), (other, np.kron(other.covariance, gram)))
        ]
        ours = [found.evidence, _related(moments, gram, other).evidence]
        assert ours[0] - ours[1] == pytest.approx(whole[0] - whole[1], rel=1e-8)

    def test_unrelated_cells_are_the_special_case(self):
        moments, *_ = self.moments()
        fit = self.fit(6, 3)
        one, other = _unrelated(moments, fit), _related(moments, np.eye(6), fit)
        np.testing.assert_allclose(one.means, other.means, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(one.within, other.within, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(one.power, other.power, rtol=1e-8)
        assert one.evidence == pytest.approx(other.evidence, rel=1e-10)

    def test_signal_is_kept_and_noise_is_shrunk(self):
        """A slope that differs between cells is found; an intercept that does not is shrunk to nothing."""
        rng = np.random.default_rng(0)
        of_row = np.repeat(np.arange(30), 25)
        design = np.column_stack([np.ones(750), rng.normal(size=750)])
        slopes = rng.normal(size=30)
        e = slopes[of_row] * design[:, 1] + rng.normal(size=750)
        found = effects_of_regression(Moments.of(design, e, of_row, 30), [np.eye(30)])
        assert np.corrcoef(found.values[:, 1], slopes)[0, 1] > 0.95
        assert found.values[:, 0].std() < 0.1
        standard = found.standardized().std(axis=0)
        assert standard[1] > 0.85
        assert standard[0] < 0.5 * standard[1]

    def test_smoothing_borrows_from_neighbours(self):
        """Of a smooth path and of a rough one the right kernel is taken, and the prediction beats the estimates."""
        rng = np.random.default_rng(3)
        place = np.linspace(0, 1, 40)
        kernels = [
            np.exp(-((place[:, None] - place) ** 2) / (2 * w**2)) + 1e-4 * np.eye(40) for w in (0.03, 0.3)
        ]
        path = np.sin(6 * place)
        noise = np.full(40, 0.25)
        estimates = path + 0.5 * rng.normal(size=40)
        found, mean = smooth(estimates, noise, kernels)
        error = np.mean((found.values[:, 0] + mean - path) ** 2)
        assert error < 0.3 * np.mean((estimates - path) ** 2)

    def test_log_scale_is_unbiased(self):
        rng = np.random.default_rng(0)
        for freedom in (1.0, 4.0, 30.0):
            squares = rng.chisquare(freedom, size=20000)
            estimates, variances = log_scale(squares, np.full(20000, freedom))
            assert estimates.mean() == pytest.approx(0, abs=0.03)
            assert estimates.var() == pytest.approx(variances[0], rel=0.05)

    def test_no_variation_has_no_reliability(self):
        effects = Effects(np.zeros((5, 2)), np.array([0.0, 1e-7]))
        assert np.array_equal(effects.standardized(), np.zeros((5, 2)))


class TestDesign:
    @pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8])
    def test_splines_have_the_size_and_contain_straight_lines(self, size):
        x = np.random.default_rng(0).normal(size=300)
        table = Table(("x",), x[:, None], ("continuous",))
        design = additive_design(table, ["x"], size)
        assert design.shape == (300, 1 + size)
        np.testing.assert_allclose(design.T @ design / 300, np.eye(1 + size), atol=1e-8)
        fitted = design @ np.linalg.lstsq(design, x, rcond=None)[0]
        np.testing.assert_allclose(fitted, x, atol=1e-8)

    def test_few_values_and_labels(self):
        table = Table(
            ("x", "label"), np.array([[0, 0], [1, 1], [0, 2], [1, 0.0]] * 10), ("continuous", "categorical")
        )
        assert additive_design(table, ["x"], 5).shape == (40, 2)
        assert additive_design(table, ["label"], 5).shape == (40, 4)
        assert splines(np.repeat([0.0, 1.0, 2.0], 5), 5).shape[0] == 15

    def test_order_of_causes_does_not_matter(self):
        rng = np.random.default_rng(0)
        k = np.repeat(np.arange(8), 40)
        a, b = rng.normal(size=(2, 8))[:, k] + rng.normal(size=(2, 320))
        y = a + rng.normal(size=8)[k] * b + rng.normal(size=320)
        table = Table(("a", "b", "y"), np.column_stack([a, b, y]), ("continuous",) * 3)
        scores = [
            IndependentChange().score(table, "y", names, domains(k)) for names in (["a", "b"], ["b", "a"])
        ]
        assert scores[0].statistic == pytest.approx(scores[1].statistic, rel=1e-8)
        assert scores[0].p_value == scores[1].p_value


class TestCells:
    def test_domains_are_cells(self):
        cells = Cells.of(domains([2, 0, 2, 1, 1]))
        assert cells.number == 3
        assert cells.counts.tolist() == [1, 2, 2]

    def test_time_is_cut_into_equal_stretches(self):
        cells = Cells.of(times(405))
        assert cells.number == 40
        assert set(cells.counts) <= {10, 11}
        assert np.all(np.diff(cells.of_row) >= 0)

    def test_equal_times_stay_together(self):
        along = np.repeat(np.arange(7.0), [30, 1, 1, 1, 1, 1, 30])
        found = stretches(along, 6)
        for value in np.unique(along):
            assert len(set(found[along == value])) == 1
        assert set(found) == set(range(found.max() + 1))

    def test_site_and_time(self):
        site, time = np.repeat([0.0, 1.0], 300), np.tile(np.arange(300.0), 2)
        points = ContextPoints.of(read_table(np.column_stack([site, time]), ["categorical", "time"]))
        cells = Cells.of(points)
        assert cells.number == 48
        assert np.bincount(cells.strata).tolist() == [24, 24]
        for exchange in cells.exchanges(20, np.arange(48)):
            assert sorted(exchange) == list(range(48))
            assert np.array_equal(cells.strata[exchange], cells.strata)

    def test_all_permutations_of_few_domains(self):
        cells = Cells.of(domains(np.repeat(np.arange(5), 3)))
        found = {tuple(e) for e in cells.exchanges(10, np.array([4, 2, 0, 1, 3]))}
        assert len(found) == 119
        assert tuple(range(5)) not in found

    def test_slow_changes_have_few_independent_shifts(self):
        cells = Cells.of(times(600))
        rng = np.random.default_rng(0)
        assert cells.independent_number(rng.normal(size=48)) > 15
        assert cells.independent_number(np.cos(2 * np.pi * np.arange(48) / 48)) < 6


class TestPValues:
    def test_two_domains_say_nothing(self):
        """Whatever the data, both directions are equally dependent, and no exchange changes that."""
        for seed in range(5):
            found = p_values(seed, 2, IndependentChange(min_contexts=2))
            assert all(np.isnan(p) or p == 1.0 for p in found)

    def test_smallest_p_value_is_never_zero(self):
        data, k = pair(0, 5, level=3.0, shared=True)
        score = IndependentChange().score(read_table(data), "X2", ["X1"], domains(k))
        assert score.p_value >= 1 / 120
        assert score.n_contexts == 119

    def test_right_direction_is_rarely_rejected_and_wrong_one_often(self):
        found = np.array([p_values(seed, 20) for seed in range(30)])
        right, wrong = (found <= 0.05).mean(axis=0)
        assert right <= 0.2
        assert wrong >= 0.6

    def test_where_the_level_of_the_cause_moves(self):
        """The kernel embedding with an uncentred, strongly shrunk regression sees changes that are not there; ours does not."""
        found = np.array([p_values(seed, 20, level=1.5) for seed in range(30)])
        assert (found[:, 0] <= 0.05).mean() <= 0.2

    def test_labels_and_their_order_do_not_matter(self):
        data, k = pair(3, 8)
        table = read_table(data)
        renamed = np.array([5, 2, 7, 0, 1, 6, 3, 4])[k]
        for scorer in (IndependentChange(), IndependentChange(embedding=KernelEmbedding())):
            one, other = (scorer.score(table, "X2", ["X1"], domains(c)) for c in (k, renamed))
            assert one.statistic == pytest.approx(other.statistic, rel=1e-9)
            assert one.p_value == other.p_value

    def test_scale_and_order_of_rows_do_not_matter(self):
        data, k = pair(4, 8)
        shuffle = np.random.default_rng(0).permutation(len(k))
        one = IndependentChange().score(read_table(data), "X2", ["X1"], domains(k))
        scaled = read_table((data * [3, -0.1] + [5, 100])[shuffle])
        other = IndependentChange().score(scaled, "X2", ["X1"], domains(k[shuffle]))
        assert one.statistic == pytest.approx(other.statistic, rel=1e-5)
        assert one.p_value == pytest.approx(other.p_value, abs=0.01)

    def test_a_sum_of_embeddings(self):
        """Each part counts the same; a part that sees no change does not count."""

        class Blind:
            def grams(self, table, effect, causes, cells):
                return (np.ones((cells.number, cells.number)),) * 2

        data, k = pair(3, 9)
        table, points = read_table(data), domains(k)
        alone = IndependentChange().score(table, "X2", ["X1"], points)
        with_blind = IndependentChange(embedding=CombinedEmbedding((ParameterEmbedding(), Blind())))
        assert with_blind.score(table, "X2", ["X1"], points).statistic == pytest.approx(
            alone.statistic, rel=1e-9
        )
        nothing = IndependentChange(embedding=CombinedEmbedding((Blind(),))).score(
            table, "X2", ["X1"], points
        )
        assert np.isnan(nothing.statistic)
        cells = Cells.of(points)
        parts = [e.grams(table, "X2", ["X1"], cells)[0] for e in (ParameterEmbedding(), KernelEmbedding())]
        centred = [g - g.mean(0) - g.mean(0)[:, None] + g.mean() for g in parts]
        whole = CombinedEmbedding().grams(table, "X2", ["X1"], cells)[0]
        np.testing.assert_allclose(whole, sum(g / np.linalg.norm(g) for g in centred), atol=1e-12)

    def test_a_constant_variable_does_not_change(self):
        rows = np.random.default_rng(0).normal(size=(315, 2)) * [0, 1]
        points = domains(np.repeat(np.arange(6), [5, 10, 20, 40, 80, 160]))
        score = IndependentChange().score(read_table(rows), "X2", ["X1"], points)
        assert np.isnan(score.statistic)
        assert np.isnan(score.p_value)

    @pytest.mark.slow
    @pytest.mark.parametrize("count", [10, 20])
    @pytest.mark.parametrize("level", [0.0, 1.5])
    @pytest.mark.parametrize(
        "embedding", [ParameterEmbedding(), KernelEmbedding()], ids=["parameters", "kernel"]
    )
    def test_uniform_under_the_truth(self, count, level, embedding):
        scorer = IndependentChange(embedding=embedding, n_exchanges=199)
        found = [p_values(seed, count, scorer, level=level)[0] for seed in range(100)]
        assert stats.kstest(found, "uniform").pvalue > 0.01

    @pytest.mark.slow
    def test_unequal_domains(self):
        """Sizes from ten to two hundred: small domains are noisy, which must not look like a common change."""
        rejected = []
        for seed in range(100):
            data, k = pair(seed, 20, rows=200)
            rng = np.random.default_rng(seed)
            kept = rng.random(len(k)) < np.geomspace(0.05, 1, 20)[rng.permutation(20)][k]
            score = IndependentChange(n_exchanges=199).score(
                read_table(data[kept]), "X2", ["X1"], domains(k[kept])
            )
            rejected.append(score.p_value <= 0.05)
        assert np.mean(rejected) <= stats.binom.ppf(0.999, 100, 0.05) / 100


class TestDecisions:
    def test_twenty_domains(self):
        models = [CDNOD(n_components=0).fit(frame_of(seed, 20), context="site") for seed in range(8)]
        right = [m.graph_.has_directed_edge("X", "Y") for m in models]
        wrong = [m.graph_.has_directed_edge("Y", "X") for m in models]
        assert sum(right) >= 5
        assert not any(wrong)
        oriented = models[right.index(True)]
        receipt = oriented.orientation_["X", "Y"]
        assert receipt.rule == "independent-change"
        assert 0.7 < receipt.confidence < 1
        edge = next(e for e in oriented.graph_.edges if {e.u, e.v} == {"X", "Y"})
        assert edge.data["confidence"] == receipt.confidence
        assert {h.decision for h in oriented.hypotheses_} == {"chosen", "rejected"}

    def test_a_common_cause_of_the_changes_is_no_direction(self):
        for seed in range(4):
            model = CDNOD(n_components=0).fit(frame_of(seed, 20, level=1.5, shared=True), context="site")
            assert model.graph_.undirected_neighbors("X") == ("Y",)
            receipt = model.orientation_["X", "Y"]
            assert receipt.rule == "dependent-changes"
            assert "both directions are rejected" in receipt.note

    def test_abstains_with_three_domains_and_says_why(self):
        model = CDNOD(n_components=0).fit(frame_of(0, 3), context="site")
        assert model.graph_.undirected_neighbors("X") == ("Y",)
        assert "3 domains, fewer than 8" in model.hypotheses_[0].decision
        assert "3 domains, fewer than 8" in model.orientation_["X", "Y"].note

    def test_two_domains_can_be_forced_and_are_undecided(self):
        scorer = IndependentChange(min_contexts=2)
        rng, site = np.random.default_rng(0), np.repeat([0, 1], 150)
        x = np.array([0.5, 2.0])[site] * rng.normal(size=300)
        y = np.array([0.5, 2.0])[site] * x + np.array([-1, 1])[site] + 0.5 * rng.normal(size=300)
        frame = pd.DataFrame({"X": x, "Y": y, "site": site.astype(str)})
        model = CDNOD(independent_change=scorer, n_components=0).fit(frame, context="site")
        assert model.graph_.undirected_neighbors("X") == ("Y",)
        assert model.orientation_["X", "Y"].rule == "undecided"

    def test_slow_drift_is_too_little(self):
        """Two trends over 400 rows are as good as two or three contexts: whatever they look like, no direction."""
        rng = np.random.default_rng(0)
        t = np.linspace(-1, 1, 400)
        x = np.exp(0.8 * t) * rng.normal(size=400)
        y = (1 + 0.8 * t**2) * x + t + 0.5 * rng.normal(size=400)
        points, table = times(400), read_table(np.column_stack([x, y]))
        for effect, cause in (("X2", "X1"), ("X1", "X2")):
            score = IndependentChange().score(table, effect, [cause], points)
            assert score.n_contexts < 19
            assert score.p_value > 0.05

    def test_fast_drift_can_be_enough(self):
        rng = np.random.default_rng(1)
        place = np.linspace(0, 1, 200)
        root = np.linalg.cholesky(
            np.exp(-((place[:, None] - place) ** 2) / (2 * 0.02**2)) + 1e-8 * np.eye(200)
        )

        def drift():
            return np.interp(np.arange(3000) / 3000, place, root @ rng.normal(size=200))

        x = np.exp(0.6 * drift()) * rng.normal(size=3000)
        y = (1 + 0.7 * drift()) * x + drift() + 0.6 * rng.normal(size=3000)
        table, points = read_table(np.column_stack([x, y])), times(3000)
        right, wrong = (
            IndependentChange().score(table, e, [c], points).p_value for e, c in (("X2", "X1"), ("X1", "X2"))
        )
        assert right > 0.05
        assert wrong < right

    def test_labels_as_causes_and_effects(self):
        """Renaming the levels of a categorical variable changes nothing."""
        frame = frame_of(3, 8, rows=30)
        frame["X"] = pd.cut(frame["X"], [-99, -0.5, 0.5, 99], labels=["a", "b", "c"]).astype(str)
        results = []
        for names in ("abc", "cab"):
            renamed = frame.assign(X=frame["X"].map(dict(zip("abc", names, strict=True))))
            model = CDNOD().fit(renamed, context="site")
            results.append(([h.score for h in model.hypotheses_], model.driving_force_spectra_))
        assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
        for name, spectrum in results[0][1].items():
            np.testing.assert_allclose(spectrum, results[1][1][name], atol=1e-12)

    def test_can_be_left_out(self):
        model = CDNOD(independent_change=None, n_components=0).fit(frame_of(1, 10), context="site")
        assert model.hypotheses_ == ()
        assert model.graph_.undirected_neighbors("X") == ("Y",)

    @pytest.mark.slow
    @pytest.mark.parametrize(("count", "least"), [(10, 0.80), (20, 0.90)])
    def test_accuracy_where_supports_overlap(self, count, least):
        found = np.array([p_values(seed, count) for seed in range(100)])
        above = max(3 / count, 0.05)
        right = (found[:, 1] <= 0.05) & (found[:, 0] > above)
        wrong = (found[:, 0] <= 0.05) & (found[:, 1] > above)
        assert right.sum() >= least * (right | wrong).sum()
        assert right.mean() >= (0.1 if count == 10 else 0.6)

    @pytest.mark.slow
    @pytest.mark.parametrize("count", [10, 20])
    def test_shared_changes_are_rarely_decided(self, count):
        found = np.array([p_values(seed, count, level=1.5, shared=True) for seed in range(100)])
        above = max(3 / count, 0.05)
        decided = (found.min(axis=1) <= 0.05) & (found.max(axis=1) > above)
        assert decided.mean() <= 0.05


class TestLevelsAndConfidence:
    def test_one_edge_is_tested_at_alpha(self):
        assert rejection_level([0.04, 0.6], 1, 0.05) == 0.05
        assert rejection_level([0.06, 0.6], 1, 0.05) == 0.05

    def test_many_edges_need_clearer_rejections(self):
        """Ten edges, one rejection: it must pass a tenth of alpha; if many are rejected, each may pass more."""
        dull = [0.5, 0.9] * 9
        assert rejection_level([0.004, 0.7, *dull], 10, 0.05) == pytest.approx(0.005)
        assert rejection_level([0.02, 0.7, *dull], 10, 0.05) == pytest.approx(0.005)
        assert rejection_level([0.001, 0.7] * 10, 10, 0.05) == 0.05

    def test_not_a_number_is_no_rejection(self):
        assert rejection_level([float("nan"), float("nan")], 1, 0.05) == 0.05

    def test_confidence(self):
        assert confidence(0.3, 0.3) == 0.5
        assert confidence(0.001, 0.5) > confidence(0.05, 0.5) > confidence(0.05, 0.3) > 0.5

    @pytest.mark.parametrize(
        "wrong",
        [
            {"alpha": 0},
            {"plausible": 1.2},
            {"n_exchanges": 0},
            {"normalization": "size"},
            {"min_contexts": -1},
        ],
    )
    def test_parameters(self, wrong):
        with pytest.raises(ParameterError):
            IndependentChange(**wrong)

    def test_parameters_of_embeddings(self):
        with pytest.raises(ParameterError):
            ParameterEmbedding(n_basis=0)
        with pytest.raises(ParameterError):
            KernelEmbedding(width=-1)
