"""What a review found in the scores of representations: each was wrong silently, or an error of Python's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit.datasets import make_scene
from causalkit.evaluation import (
    component_r2,
    counterfactual_retrieval,
    latent_graph_report,
    mcc,
    representation_report,
)
from causalkit.exceptions import DataError, ParameterError

QUIET = {"n_bootstrap": 0, "n_permutations": 0}


class TestRetrieval:
    def test_chance_counts_all_right_rows(self):
        """Codes of noise, ten rows that show the same: they are at chance, which one right row would put ten times too low."""
        rng = np.random.default_rng(0)
        label = np.repeat(np.arange(8), 10)
        factual, target = rng.integers(80, size=(2, 6000))
        apart = label[factual] != label[target]
        factual, target = factual[apart], target[apart]
        found = counterfactual_retrieval(
            rng.normal(size=(80, 3)),
            factual=factual,
            donor=rng.integers(80, size=len(factual)),
            target=target,
            changed=[[0, 1, 2]] * len(factual),
            same=label,
        )
        for k in (1, 5, 10):
            assert found.hits[k] == pytest.approx(found.chance[k], abs=0.04)
        assert found.chance[1] == pytest.approx(10 / 79)

    def test_chance_of_one_right_row(self):
        grid = np.array([(a, b) for a in range(4) for b in range(4)], dtype=float)
        found = counterfactual_retrieval(
            grid, factual=[0], donor=[6], target=[4], changed=[[0]], ks=[1, 3, 15]
        )
        assert [found.chance[k] for k in (1, 3, 15)] == pytest.approx([1 / 15, 3 / 15, 1.0])

    def test_a_target_that_shows_the_same_is_no_question(self):
        with pytest.raises(ParameterError, match="nothing is changed"):
            counterfactual_retrieval(
                np.eye(4), factual=[0], donor=[2], target=[1], changed=[[0]], same=[0, 0, 1, 2]
            )


class TestCeilings:
    @pytest.mark.parametrize(("scene", "free", "of"), [("refraction", 2, 3), ("slope", 3, 7)])
    @pytest.mark.parametrize("score", [mcc, component_r2])
    def test_an_angle_is_one_code(self, scene, free, of, score):
        """Its cosine and sine are two columns, of which the spare one must not stand for another factor."""
        rows = make_scene(scene, n=400, views=1, levels=None)
        names = list(rows.info.names("exogenous"))
        found = score(
            rows.latents, rows.latents[names], exogenous=names, factor_types=rows.factor_types, **QUIET
        )
        assert found.value == pytest.approx(found.ceiling, abs=0.05)
        if score is mcc:
            assert found.ceiling == pytest.approx(free / of, abs=0.06)

    def test_codes_that_hold_more_pass_the_ceiling_and_the_card_says_so(self):
        rows = make_scene("slope", n=200, views=1)
        card = representation_report(rows, rows.latents.to_numpy(dtype=float) * 2, rows=range(200), **QUIET)
        assert card.scores["MCC, all factors"].value > card.scores["MCC, all factors"].ceiling
        assert any("passes its ceiling" in note for note in card.notes)


class TestSettings:
    def test_equal_settings_stay_together(self):
        scene = make_scene("fall", n=300, levels=3, views=2)
        parts = scene.splits(by="factors")
        settings = scene.setting_of_rows()
        seen = [set(settings[rows]) for rows in parts.values()]
        assert not seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2]
        assert sorted(np.concatenate(list(parts.values()))) == list(range(len(scene)))
        shuffled = scene.take(np.random.default_rng(0).permutation(len(scene)))
        other = shuffled.splits(by="factors")
        free = list(scene.info.names("exogenous"))
        for name, rows in parts.items():
            here = set(map(tuple, scene.latents[free].iloc[rows].to_numpy()))
            there = set(map(tuple, shuffled.latents[free].iloc[other[name]].to_numpy()))
            assert here == there

    def test_a_random_code_for_every_setting_knows_nothing(self):
        """Rows with one setting are one observation: as many as there are instances, they scored 1."""
        scene = make_scene("fall", n=400, levels=4, views=1)
        codes = np.random.default_rng(0).normal(size=(1000, 5))[scene.setting_of_rows()]
        score = "kernel regression, free factors"
        card = representation_report(scene, codes, rows=range(400), **QUIET)
        assert card.scores[score].n_groups == 64
        assert card.scores[score].value < 0.35
        torn = mcc(scene.latents[["h1", "r", "u"]], codes, variant="regression", regressor="kernel", **QUIET)
        assert torn.value > 0.7

    def test_settings_on_both_sides_are_a_leak(self):
        scene = make_scene("fall", n=400, levels=3, views=1)
        codes = scene.latents.to_numpy(dtype=float) @ np.random.default_rng(0).normal(size=(4, 4))
        torn, whole = scene.splits(), scene.splits(by="factors")
        card = representation_report(scene, codes, rows=torn["test"], trained_on=torn["train"], **QUIET)
        assert any("by='factors'" in leak for leak in card.leaks)
        card = representation_report(scene, codes, rows=whole["test"], trained_on=whole["train"], **QUIET)
        assert not any("by='factors'" in leak for leak in card.leaks)

    @pytest.mark.parametrize("seed", [np.random.default_rng(0), "x", 1.5, True])
    def test_seeds_of_splits_are_numbers(self, seed):
        with pytest.raises(ParameterError, match="integer, which names the split"):
            make_scene("fall", n=20).splits(seed=seed)


class TestRows:
    def test_codes_in_another_order(self):
        scene = make_scene("spring", n=60, views=1)
        codes = pd.DataFrame(scene.latents.to_numpy(dtype=float)).sample(frac=1, random_state=0)
        for report in (representation_report, latent_graph_report):
            with pytest.raises(DataError, match=r"index|order"):
                report(scene, codes)

    def test_what_cannot_be_scored(self):
        scene = make_scene("fall", n=40, size=16)

        widths = iter(range(3, 100))

        def widening(pictures):
            return np.random.default_rng(0).normal(size=(len(pictures), next(widths)))

        with pytest.raises(DataError, match="0 settings"):
            representation_report(scene, scene.latents.to_numpy(dtype=float), rows=[])
        with pytest.raises(DataError, match=r"from picture \d+ on"):
            representation_report(scene, widening, batch_size=8)
        with pytest.raises(ParameterError, match="data must be a SceneData"):
            representation_report(scene.latents, scene.latents)
        small = make_scene("fall", n=2)
        with pytest.raises(DataError, match="settings of the free factors are scored"):
            representation_report(small, small.latents.to_numpy(dtype=float))

    def test_missing_codes_are_codes(self):
        scene = make_scene("fall", n=40, views=1)
        codes = np.full((40, 2), np.nan)
        with pytest.raises(DataError, match="code"):
            mcc(scene.latents, codes)

    def test_codes_of_extreme_size(self):
        rng = np.random.default_rng(0)
        z = rng.normal(size=(300, 2))
        for unit in (1e-200, 1e200):
            assert mcc(z, unit * z, **QUIET).value == pytest.approx(1)
            assert mcc(z, unit * z, variant="regression", **QUIET).value == pytest.approx(1)


class TestLatentGraph:
    def test_codes_that_know_nothing_match_nothing(self):
        scene = make_scene("spring", n=400, views=1)
        assert latent_graph_report(scene, np.zeros((400, 3))).matching == {}
        codes = scene.latents.to_numpy(dtype=float)
        with pytest.raises(DataError, match="match_on has 1 instances"):
            latent_graph_report(scene, codes, match_on=[0])
        report = latent_graph_report(scene, codes, n_matchings=0)
        assert "nan" not in str(report)

    def test_one_code_for_one_factor(self):
        scene = make_scene("spring", n=400, views=1)
        codes = np.column_stack([scene.latents.iloc[:, 0], np.zeros(400)])
        report = latent_graph_report(scene, codes, n_matchings=0)
        assert list(report.matching.values()) == [0]


class TestCounterfactualPairs:
    def test_noise_is_no_counterfactual(self):
        with pytest.raises(DataError, match=r"counterfactual\(\) makes exact"):
            make_scene("fall", n=100, noise=0.5, levels=3).pairs("counterfactual")

    def test_donors_have_the_new_value_and_are_others(self):
        scene = make_scene("fall", n=200, levels=3, views=2)
        pairs = scene.pairs("counterfactual", rng=3)
        for row in pairs.sample(300, random_state=0).itertuples():
            new = scene.latents[row.factor].iloc[[row.target, row.donor]]
            assert new.iloc[0] == new.iloc[1] != scene.latents[row.factor].iloc[row.factual]
            assert row.donor != row.target
            assert scene.views[row.donor] == scene.views[row.target] == scene.views[row.factual]
        many = scene.pairs("counterfactual", rng=4)
        assert (many.donor != pairs.donor).mean() > 0.5
        for target, donors in many.groupby(["target", "factor"]).donor:
            assert len(set(donors)) >= 1, target
