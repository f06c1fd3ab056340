"""Scores of representations: golden values, chance levels, ceilings, groups, types of factors, bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsRegressor

from causalkit.evaluation import (
    block_r2,
    component_r2,
    counterfactual_retrieval,
    dci,
    explicitness,
    mcc,
    mig,
    modularity,
    sap,
)
from causalkit.evaluation._assess import read_sample
from causalkit.evaluation._disentanglement import purity
from causalkit.exceptions import ConstantColumnWarning, DataError, ParameterError
from causalkit.independence import Cyclic

ALONE = {"n_bootstrap": 0, "n_permutations": 0}
RNG = np.random.default_rng(0)
Z = RNG.normal(size=(2000, 2))
TURN = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)


def scores_of(found):
    return found.disentanglement, found.completeness, found.informativeness


def noise(n, k, seed=0):
    return np.random.default_rng(seed).normal(size=(n, k))


class TestMCC:
    def test_order_sign_and_scale_do_not_matter(self):
        found = mcc(Z, np.column_stack([-5 * Z[:, 1] + 3, 0.1 * Z[:, 0]]), **ALONE)
        assert found.value == pytest.approx(1)
        assert found.parts["matching"] == {"z1": 1, "z2": 0}

    def test_a_turn_by_45_degrees(self):
        z = Z @ np.linalg.inv(np.linalg.cholesky(np.cov(Z.T))).T
        assert mcc(z, z @ TURN, **ALONE).value == pytest.approx(np.sqrt(0.5), abs=1e-3)
        assert mcc(z, z @ TURN, variant="weak", **ALONE).value == pytest.approx(1)
        assert mcc(z, z @ TURN, variant="regression", **ALONE).value == pytest.approx(1)

    def test_the_cube_of_a_normal(self):
        z = noise(200_000, 1)
        assert mcc(z, z**3, **ALONE).value == pytest.approx(3 / np.sqrt(15), abs=0.01)
        assert mcc(z, z**3, correlation="spearman", **ALONE).value == pytest.approx(1)

    def test_factors_without_a_code_count_nothing(self):
        assert mcc(Z, Z[:, :1], **ALONE).value == pytest.approx(0.5, abs=0.01)
        assert mcc(Z, np.hstack([Z, noise(2000, 5, 1)]), **ALONE).value == pytest.approx(1)

    def test_codes_that_do_not_vary(self):
        assert mcc(Z, np.column_stack([np.ones(2000), Z[:, 0]]), **ALONE).value == pytest.approx(
            0.5, abs=0.01
        )
        assert mcc(Z, np.full((2000, 2), 0.1), **ALONE).value == 0
        assert mcc(Z, np.full((2000, 2), 0.1), variant="weak", **ALONE).value == 0
        assert mcc(Z, np.full((2000, 2), 0.1), variant="regression", **ALONE).value == 0

    @pytest.mark.parametrize(
        ("n", "d", "k", "expected"), [(200, 57, 57, 0.169), (1000, 57, 57, 0.075), (1000, 5, 512, 0.100)]
    )
    def test_chance_levels(self, n, d, k, expected):
        """Simulated independently (specification of this part); matching finds something in nothing."""
        found = mcc(noise(n, d, 1), noise(n, k, 2), n_bootstrap=0, n_permutations=20)
        assert found.chance == pytest.approx(expected, abs=0.006)
        assert found.value == pytest.approx(expected, abs=0.015)
        assert abs(found.corrected) < 0.02

    def test_out_of_sample_matching_finds_less_in_nothing(self):
        z, h = noise(200, 20, 1), noise(200, 20, 2)
        inside, outside = (mcc(z, h, sample=where, **ALONE).value for where in ("in", "out"))
        assert outside < 0.7 * inside
        assert mcc(Z, Z, sample="out", **ALONE).value == pytest.approx(1)

    def test_angles_and_categories(self):
        angle, kind = RNG.uniform(0, 360, 1000), RNG.choice(["a", "b", "c"], 1000)
        frame = pd.DataFrame({"angle": angle, "kind": kind})
        codes = np.column_stack(
            [np.cos(np.radians(angle - 30)), np.where(kind == "b", 5.0, np.where(kind == "a", 1, -2))]
        )
        found = mcc(frame, codes, factor_types={"angle": Cyclic(360)}, **ALONE)
        assert found.value == pytest.approx(1)
        undeclared = mcc(frame, codes, **ALONE)
        assert undeclared.value < 0.95

    def test_regressors(self):
        curved = np.column_stack([Z[:, 0] * Z[:, 1], Z[:, 0] ** 2, Z[:, 1]])
        linear = mcc(Z, curved, variant="regression", **ALONE).value
        kernel = mcc(Z, curved, variant="regression", regressor="kernel", **ALONE).value
        near = mcc(Z, curved, variant="regression", regressor=KNeighborsRegressor(10), **ALONE).value
        assert linear < 0.6
        assert kernel > 0.8
        assert near == pytest.approx(kernel, abs=0.1)


@given(st.permutations(range(3)), st.lists(st.floats(0.1, 50), min_size=3, max_size=3), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_mcc_does_not_see_order_scale_or_sign(order, scales, seed):
    rng = np.random.default_rng(seed)
    z, h = rng.normal(size=(60, 3)), rng.normal(size=(60, 3))
    plain = mcc(z, h, **ALONE).value
    assert 0 <= plain <= 1
    signs = rng.choice([-1, 1], 3)
    assert mcc(z, (h * scales * signs)[:, order], **ALONE).value == pytest.approx(plain)
    assert mcc(z[:, order], h, **ALONE).value == pytest.approx(plain)
    assert mcc(h, z, **ALONE).value == pytest.approx(plain)


class TestCeiling:
    def test_functions_of_factors_hold_a_perfect_representation_down(self):
        """Three free factors of seven: codes that are these and noise cannot reach more than about 3/7."""
        free = RNG.uniform(1, 2, size=(2000, 3))
        a, b, c = free.T
        names = ["roughness", "v0", "theta", "mu_1", "mu_2", "v1", "l"]
        z = pd.DataFrame(np.column_stack([a, b, c, 2 * a + 1, -a, b - 9 * a, b**2 / c]), columns=names)
        found = mcc(z, free, exogenous=["roughness", "v0", "theta"], n_bootstrap=0, n_permutations=20)
        assert found.ceiling == pytest.approx(3 / 7)
        assert found.value == pytest.approx(3 / 7)
        assert found.corrected == pytest.approx(1)
        assert mcc(z[["roughness", "v0", "theta"]], free, **ALONE).value == pytest.approx(1)
        blind = component_r2(z, free, exogenous=["roughness", "v0", "theta"], **ALONE)
        assert blind.value == pytest.approx(blind.ceiling)

    def test_correlated_factors_cannot_reach_one_in_mig(self):
        z = RNG.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], size=2000)
        found = mig(z, z, **ALONE)
        assert found.value == found.ceiling
        assert found.ceiling < 0.8 < mig(Z, Z, **ALONE).ceiling


class TestGroups:
    @staticmethod
    def clips(n_clips, length, k, seed):
        """Codes and factors that hardly move within a clip."""
        rng = np.random.default_rng(seed)
        return np.repeat(rng.normal(size=(n_clips, k)), length, axis=0) + 0.05 * rng.normal(
            size=(n_clips * length, k)
        )

    def test_chance_is_that_of_clips_and_not_of_frames(self):
        z, h, clip = self.clips(100, 16, 8, 1), self.clips(100, 16, 8, 2), np.repeat(np.arange(100), 16)
        whole, torn = (mcc(z, h, groups=g, n_bootstrap=0, n_permutations=40) for g in (clip, None))
        observed, frames = (
            mcc(noise(n, 8, 1), noise(n, 8, 2), n_bootstrap=0, n_permutations=40).chance for n in (100, 1600)
        )
        assert whole.chance == pytest.approx(observed, abs=0.02)
        assert torn.chance == pytest.approx(frames, abs=0.005)
        assert whole.chance > 3 * torn.chance
        assert whole.p_value > 0.05
        assert torn.p_value < 0.05, "the control: frames taken for observations find something in nothing"

    def test_intervals_are_those_of_clips(self):
        z = self.clips(40, 16, 1, 1)
        h, clip = z + self.clips(40, 16, 1, 2), np.repeat(np.arange(40), 16)
        whole, torn = (mcc(z, h, groups=g, n_bootstrap=100, n_permutations=0) for g in (clip, None))
        assert whole.ci_high - whole.ci_low > 2.5 * (torn.ci_high - torn.ci_low)
        assert whole.ci_low < whole.value < whole.ci_high

    def test_a_code_of_names_knows_nothing_about_new_groups(self):
        """An instance's number, once for each of four views, predicts its factors only if views are torn apart."""
        instance = np.repeat(np.arange(150), 4)
        z, code = np.repeat(noise(150, 2, 3), 4, axis=0), np.eye(150)[instance]
        honest, torn = (
            mcc(z, code, variant="regression", groups=g, regressor="linear", **ALONE).value
            for g in (instance, None)
        )
        assert torn > 0.8, "the control"
        assert honest < 0.2

    def test_exchanged_codes_keep_their_order_within_groups(self):
        labels = np.repeat(np.arange(6), 4)
        sample = read_sample(noise(24, 1), np.arange(24.0)[:, None], None, labels, 0)
        moved = sample.exchanged(np.random.default_rng(1)).codes[:, 0].reshape(6, 4)
        assert (np.diff(moved, axis=1) == 1).all(), "clips stay clips"
        assert sorted(moved[:, 0]) == list(range(0, 24, 4))
        assert moved[:, 0].tolist() != list(range(0, 24, 4))

    @pytest.mark.parametrize("metric", [mig, modularity, mcc])
    def test_intervals_hold_their_score(self, metric):
        """Repeated rows make counts more uneven; the interval is moved back by that."""
        found = metric(Z[:400], (Z @ TURN + 0.5 * noise(2000, 2, 3))[:400], n_bootstrap=39, n_permutations=0)
        assert found.ci_low < found.value < found.ci_high

    def test_chance_with_one_large_group(self):
        """Single rows have no run of codes to lend to a group of three hundred, whose codes drift."""
        labels = np.concatenate([np.zeros(300), np.arange(1, 101)])
        low = 0
        for seed in range(20):
            walks = [np.cumsum(noise(300, 2, 4 * seed + k), axis=0) / 17 for k in (0, 1)]
            z, h = (np.vstack([walk, noise(100, 2, 4 * seed + 2 + k)]) for k, walk in enumerate(walks))
            low += mcc(z, h, groups=labels, n_bootstrap=0, n_permutations=19).p_value <= 0.05
        assert low <= 3

    def test_a_p_value_counts_the_score_itself(self):
        assert mcc(Z, Z, n_bootstrap=0, n_permutations=9).p_value == pytest.approx(0.1)

    def test_groups_of_different_sizes(self):
        labels = np.repeat(["a", "b", "c", "d", "e"], [1, 2, 3, 50, 44])
        found = mcc(Z[:100], Z[:100], groups=labels, n_bootstrap=39, n_permutations=10)
        assert found.n_groups == 5
        assert found.value == pytest.approx(1)


class TestUnits:
    def test_scores_do_not_depend_on_units(self):
        mixed = np.column_stack([Z[:, 0], Z[:, 0] + Z[:, 1]])
        for scale in (1e-8, 1e5):
            z = Z * [1, scale]
            for metric in (mcc, component_r2, sap):
                assert metric(z, mixed, **ALONE).value == pytest.approx(
                    metric(Z, mixed, **ALONE).value, abs=1e-6
                )
            held = mcc(z, mixed, variant="regression", **ALONE).value
            assert held == pytest.approx(mcc(Z, mixed, variant="regression", **ALONE).value, abs=1e-6)
            parts = [dci(v, mixed, importance="lasso", **ALONE).disentanglement.value for v in (Z, z)]
            assert parts[0] == pytest.approx(parts[1], abs=0.02)

    def test_the_ceiling_of_categories_and_angles(self):
        kind, angle = RNG.choice(list("abcde"), 600), RNG.uniform(0, 360, 600)
        hot = (kind[:, None] == np.array(list("abcde"))).astype(float)
        found = mcc(kind[:, None], hot, variant="regression", **ALONE)
        assert found.value == pytest.approx(found.ceiling, abs=1e-6)
        turned = mcc(angle[:, None], np.cos(np.radians(angle))[:, None], factor_types=[Cyclic(360)], **ALONE)
        assert turned.value == pytest.approx(turned.ceiling, abs=1e-6)

    def test_truth_values_are_codes(self):
        kind = RNG.choice(["a", "b"], 200)
        assert mcc(kind[:, None], (kind == "a")[:, None], **ALONE).value == pytest.approx(1)

    def test_rows_in_another_order_are_refused(self):
        frame = pd.DataFrame(Z[:50], columns=["a", "b"])
        with pytest.raises(DataError, match="index labels"):
            mcc(frame.sample(frac=1, random_state=0), frame)

    def test_groups_without_a_label(self):
        for missing in (None, np.nan):
            with pytest.raises(DataError, match="no label in row 1"):
                mcc(Z[:6], Z[:6], groups=np.array(["a", missing, "b", "c", "d", "e"], dtype=object))


class TestDisentanglement:
    def test_importance_that_is_pure_or_even(self):
        assert purity(np.eye(4)[[2, 0, 3, 1]]) == pytest.approx(1)
        assert purity(np.full((3, 4), 0.25)) == pytest.approx(0)
        assert purity(np.zeros((2, 3))) == 0
        assert purity(np.array([[1.0, 0, 0], [0, 0.1, 0.1]])) == pytest.approx(
            (1 + 0.2 * (1 - np.log(2) / np.log(3))) / 1.2
        )

    @pytest.mark.parametrize("importance", ["lasso", "forest", "boosting"])
    def test_perfect_and_duplicated_codes(self, importance):
        z = Z[:600]
        perfect = dci(z, z, importance=importance, **ALONE | {"n_permutations": 0})
        twice = dci(z, z[:, [0, 1, 0, 1]] + 0.1 * noise(600, 4, 5), importance=importance, n_permutations=0)
        mixed = dci(z, z @ TURN, importance=importance, n_permutations=0)
        assert min(perfect.disentanglement.value, perfect.completeness.value) > 0.95
        assert twice.completeness.value < 0.75 < twice.disentanglement.value
        assert mixed.disentanglement.value < 0.3
        assert mixed.informativeness.value > 0.75

    def test_dci_of_categories(self):
        kind = RNG.choice(["a", "b", "c"], 600)
        frame = pd.DataFrame({"kind": kind, "x": Z[:600, 0]})
        codes = np.column_stack([np.where(kind == "a", 0.0, np.where(kind == "b", 1, 2)), Z[:600, 0]])
        found = dci(frame, codes, n_permutations=3)
        assert found.disentanglement.value > 0.95
        assert found.informativeness.value > 0.95
        assert found.informativeness.chance < 0.1

    def test_mig(self):
        z = RNG.integers(4, size=(4000, 2)).astype(str)
        codes = z.astype(int)
        assert mig(z, codes, **ALONE).value == pytest.approx(1, abs=0.01)
        assert mig(z, codes[:, [0, 0, 1, 1]], **ALONE).value == pytest.approx(0, abs=1e-12)
        assert mig(z, noise(4000, 2), n_bootstrap=0, n_permutations=10).chance < 0.02
        with pytest.raises(DataError, match="at least two codes"):
            mig(z, codes[:, :1])

    def test_sap(self):
        kind = RNG.choice(["a", "b"], 2000)
        frame = pd.DataFrame({"kind": kind, "x": Z[:, 0]})
        codes = np.column_stack([kind == "a", Z[:, 0]]).astype(float)
        assert sap(frame, codes, **ALONE).value == pytest.approx((0.5 + 1) / 2, abs=0.03)
        assert sap(frame, codes[:, [0, 1, 0, 1]], **ALONE).value == pytest.approx(0, abs=1e-9)
        spread = 0.5
        noisy = Z + spread * noise(2000, 2, 9)
        assert sap(Z, noisy, **ALONE).value == pytest.approx(1 / (1 + spread**2), abs=0.03)

    def test_modularity_and_explicitness(self):
        assert modularity(Z, Z, **ALONE).value > 0.98
        assert modularity(Z, (Z @ TURN)[:, :1], **ALONE).value < 0.3
        assert modularity(Z, np.ones((2000, 1)), **ALONE).value == 0
        bits = RNG.integers(2, size=(800, 2)).astype(str)
        assert explicitness(bits, bits.astype(float) @ TURN, n_permutations=0).value == pytest.approx(
            1, abs=0.01
        )
        nothing = explicitness(bits, noise(800, 2), n_permutations=10)
        assert abs(nothing.value) < 0.15
        assert nothing.p_value > 0.05


class TestR2:
    def test_noise_on_codes(self):
        spread = 0.5
        found = component_r2(Z, Z[:, ::-1] + spread * noise(2000, 2, 9), n_bootstrap=0, n_permutations=5)
        assert found.value == pytest.approx(1 / (1 + spread**2), abs=0.03)
        assert found.parts["matching"] == {"z1": 1, "z2": 0}
        assert abs(found.parts["off_diagonal"]) < 0.03
        assert abs(found.chance) < 0.05

    def test_the_assignment_is_not_learned_on_the_rows_that_are_scored(self):
        """Of thirty codes that know nothing one always looks best on the rows where it is looked for."""
        found = component_r2(noise(200, 1, 1), noise(200, 30, 2), **ALONE)
        assert found.value < -0.02 < found.parts["matrix"].max()

    def test_curved_codes_angles_and_categories(self):
        angle, kind = RNG.uniform(0, 1, 1500), RNG.choice(["a", "b", "c"], 1500)
        frame = pd.DataFrame({"x": Z[:1500, 0], "angle": angle, "kind": kind})
        codes = np.column_stack(
            [angle, np.where(kind == "b", 0.0, np.where(kind == "a", 1, 2)), np.tanh(Z[:1500, 0])]
        )
        found = component_r2(frame, codes, factor_types={"angle": Cyclic(1)}, **ALONE)
        assert found.parts["matching"] == {"x": 2, "angle": 0, "kind": 1}
        assert found.value > 0.97

    def test_blocks(self):
        """Style is a function of content with noise: some of it is known from content, and that is no leak."""
        content = noise(1200, 2, 1)
        style = content[:, :1] + noise(1200, 1, 2)
        z = pd.DataFrame(np.hstack([content, style]), columns=["a", "b", "s"])
        blocks = {"content": ["a", "b"], "style": ["s"]}
        found = block_r2(
            z,
            np.hstack([content @ TURN, style]),
            factor_blocks=blocks,
            code_blocks={"content": [0, 1], "style": [2]},
            n_permutations=5,
        )
        assert found["content", "content"].value > 0.95
        assert found["style", "content"].value == pytest.approx(0.5, abs=0.1)
        assert found["style", "content"].value == pytest.approx(found["style", "content"].ceiling, abs=0.05)
        leak = block_r2(
            z,
            np.hstack([content, style]),
            factor_blocks=blocks,
            code_blocks={"content": [0, 1, 2], "style": [2]},
            n_permutations=0,
        )["style", "content"]
        assert leak.value > leak.ceiling + 0.3

    def test_blocks_that_do_not_fit(self):
        for factors, codes, message in (
            ({"c": ["z1"]}, {"s": [0]}, "must be the same"),
            ({"c": []}, {"c": [0]}, "is empty"),
            ({"c": ["z1"]}, {"c": [2]}, "there are 2 codes"),
        ):
            with pytest.raises(ParameterError, match=message):
                block_r2(Z, Z, factor_blocks=factors, code_blocks=codes)
        with pytest.raises(DataError, match="no column 'z9'"):
            block_r2(Z, Z, factor_blocks={"c": ["z9"]}, code_blocks={"c": [0]})


class TestRetrieval:
    grid = np.array(list(itertools.product(range(4), range(4), range(3))), dtype=float)

    def questions(self):
        """For every row and every factor, another row that differs in that factor only, and a donor with its value."""
        rng, rows = np.random.default_rng(0), []
        for k, row in enumerate(self.grid):
            for factor in range(3):
                target = next(
                    t
                    for t, r in enumerate(self.grid)
                    if (r != row).tolist() == [f == factor for f in range(3)]
                )
                donors = np.flatnonzero(self.grid[:, factor] == self.grid[target, factor])
                rows.append((k, int(rng.choice(donors)), target, factor))
        return rows

    def ask(self, codes, place):
        factual, donor, target, factor = zip(*self.questions(), strict=True)
        return counterfactual_retrieval(
            codes, factual=factual, donor=donor, target=target, changed=[place(f) for f in factor]
        )

    def test_perfect_codes_find_every_counterfactual(self):
        found = self.ask(self.grid[:, [2, 0, 1]] * [1, 50, 0.1], lambda f: [(f + 1) % 3])
        assert found.hits[1] == 1
        assert found.median_rank == 1

    def test_codes_of_the_wrong_factor_and_noise_do_not(self):
        wrong = self.ask(self.grid, lambda f: [(f + 1) % 3])
        blind = self.ask(noise(len(self.grid), 3), lambda f: [f])
        assert wrong.hits[1] == 0
        assert blind.hits[5] == pytest.approx(blind.chance[5], abs=0.12)
        assert blind.chance[5] == pytest.approx(5 / 47)

    def test_the_factual_row_is_not_counted(self):
        """It lies nearest to the edited codes, and is what was asked to be left."""
        codes = np.array([[0, 0], [0.1, 9], [3, 3]])
        found = counterfactual_retrieval(codes, factual=[0], donor=[1], target=[2], changed=[[0]], ks=[1])
        assert found.median_rank == 1
        assert found.chance[1] == 0.5

    def test_rows_that_show_the_same_are_equally_right(self):
        codes = np.repeat(self.grid, 3, axis=0)
        label = np.repeat(np.arange(len(self.grid)), 3)
        asked = {"factual": [0], "donor": [3 * 20], "target": [3 * 12], "changed": [[0]], "ks": [1]}
        assert counterfactual_retrieval(codes, **asked, same=label).hits[1] == 1
        assert counterfactual_retrieval(codes, **asked).hits[1] == 0
        constant = counterfactual_retrieval(np.ones_like(codes), **asked, same=label)
        assert constant.median_rank > 100, "codes that say nothing find nothing"

    def test_bad_questions(self):
        good = {"factual": [0], "donor": [1], "target": [2], "changed": [[0]]}
        for change, message in (
            ({"target": [0]}, "as target"),
            ({"donor": [99]}, "names row 99"),
            ({"changed": [[3]]}, "there are 3 codes"),
            ({"changed": [[]]}, "changes the codes"),
        ):
            with pytest.raises(ParameterError, match=message):
                counterfactual_retrieval(self.grid, **good | change)
        with pytest.raises(DataError, match="lengths"):
            counterfactual_retrieval(self.grid, **good | {"target": [1, 2]})


METRICS = [mcc, component_r2, dci, mig, sap, modularity, explicitness]


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.__name__)
class TestBadInput:
    def test_refused(self, metric):
        for z, h, message in (
            (Z[:50], Z[:40], "50 rows and z_hat has 40"),
            (Z[:50], np.where(np.arange(50)[:, None] == 3, np.nan, Z[:50]), "missing|NaN"),
            (np.full((50, 2), np.inf), Z[:50], "inf"),
            (Z[:1], Z[:1], "groups"),
            (np.ones((50, 2)), Z[:50], "no factor varies"),
            (Z[:50], np.array([["a"] * 2] * 50), "codes are numbers"),
        ):
            with pytest.raises(DataError, match=message):
                metric(z, h)
        with pytest.raises(DataError, match="one label per row"):
            metric(Z[:50], Z[:50], groups=[1, 2])
        with pytest.raises(DataError, match="at least 4"):
            metric(Z[:50], Z[:50], groups=[0] * 25 + [1] * 25)
        with pytest.raises(ParameterError, match="n_permutations"):
            metric(Z[:50], Z[:50], n_permutations=-1)
        for exogenous, error in ((["w"], DataError), ([], ParameterError), ("z1", ParameterError)):
            with pytest.raises(error):
                metric(Z[:50], Z[:50], exogenous=exogenous, **ALONE)

    def test_a_factor_that_never_varies_is_left_out(self, metric):
        three = np.column_stack([Z[:200], np.full(200, 7.0)])
        with pytest.warns(ConstantColumnWarning, match="'z3' never varies"):
            found = metric(three, Z[:200], **ALONE)
        plain = metric(Z[:200], Z[:200], **ALONE)
        pairs = zip(scores_of(found), scores_of(plain), strict=True) if metric is dci else [(found, plain)]
        for one, other in pairs:
            assert one.value == pytest.approx(other.value)

    def test_the_same_again(self, metric):
        settings = {"n_bootstrap": 39, "n_permutations": 3, "rng": 5}
        one, other = (metric(Z[:100], Z[:100] @ TURN, **settings) for _ in range(2))
        pairs = zip(scores_of(one), scores_of(other), strict=True) if metric is dci else [(one, other)]
        for a, b in pairs:
            assert (a.value, a.ci_low, a.chance, a.ceiling) == (b.value, b.ci_low, b.chance, b.ceiling)
            assert f"{a.value:.3f}" in str(a)


def test_the_weak_variant_is_for_numbers():
    with pytest.raises(ParameterError, match="weak variant"):
        mcc(np.array([["a"], ["b"]] * 30), noise(60, 1), variant="weak")
    with pytest.raises(ParameterError, match="variant"):
        mcc(Z, Z, variant="best")
    with pytest.raises(ParameterError, match="regressor"):
        mcc(Z, Z, variant="regression", regressor="forest")
