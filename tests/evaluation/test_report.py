"""The card of a representation: scores, leaks that were planted, and leaks that are not there."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from causalkit.datasets import SceneData, describe, make_scene
from causalkit.evaluation import representation_report
from causalkit.exceptions import DataError, ParameterError

SCENE = make_scene("slope", n=240, size=16, levels=None)
FREE = ["roughness", "theta", "v0"]
QUICK = {"n_bootstrap": 0, "n_permutations": 0}


def free_codes(scene=SCENE):
    """Codes of an honest encoder: functions of the factors with noise of a twentieth of their spread."""
    codes = np.column_stack([np.log1p(scene.latents[name]) for name in FREE])
    return codes + 0.05 * codes.std(axis=0) * np.random.default_rng(7).normal(size=codes.shape)


def pixels(pictures):
    return pictures[:, ::2, ::2].reshape(len(pictures), -1).astype(float) / 255


class TestScores:
    def test_free_factors_come_first_with_their_ceiling(self):
        codes = free_codes()
        card = representation_report(SCENE, codes, n_bootstrap=39, n_permutations=10)
        assert next(iter(card.scores)) == "MCC, free factors"
        assert card.scores["MCC, free factors, Spearman"].value > 0.99
        assert 3 / 7 - 1e-9 < card.scores["MCC, all factors"].ceiling < 0.5
        assert card.scores["DCI disentanglement"].value > 0.9
        assert card.leaks == ()
        assert card.about["rows"] == "144 in 36 instances, 36 settings of the free factors"
        table = card.to_pandas()
        assert table.loc["MCC, free factors", "ci_low"] <= table.loc["MCC, free factors", "value"]

    def test_an_encoder_is_called_in_batches_on_the_test_part(self):
        seen = []

        def encode(pictures):
            seen.append(pictures.shape)
            return pixels(pictures)

        card = representation_report(SCENE, encode, batch_size=50, **QUICK)
        assert seen[:3] == [(50, 16, 16, 3), (50, 16, 16, 3), (44, 16, 16, 3)]
        assert sum(shape[0] for shape in seen[3:]) == 600, "rows that are not scored, to tell copies"
        assert max(shape[0] for shape in seen) == 50
        whole = representation_report(SCENE, encode, batch_size=1000, **QUICK)
        assert {n: s.value for n, s in card.scores.items()} == {n: s.value for n, s in whole.scores.items()}
        codes = pixels(SCENE.as_numpy()[1])
        given = representation_report(SCENE, codes, **QUICK)
        assert given.scores["MCC, free factors"].value == card.scores["MCC, free factors"].value

    def test_one_code_has_no_information_gap(self):
        card = representation_report(SCENE, free_codes()[:, :1], **QUICK)
        assert "MIG" not in card.scores

    def test_missing_values_and_nuisance_are_left_out(self):
        latents = SCENE.latents.assign(
            mu_2=SCENE.latents.mu_2.where(SCENE.groups % 2 == 0), domain=pd.Categorical(["a"] * 960)
        )
        info = replace(
            SCENE.info,
            factors=(*SCENE.info.factors, replace(SCENE.info.factors[0], name="domain", role="nuisance")),
        )
        card = representation_report(replace(SCENE, info=info, latents=latents), free_codes(), **QUICK)
        assert card.factors == ("roughness", "theta", "v0", "mu_1", "v1", "l")
        assert any("values are missing: mu_2" in note for note in card.notes)


class TestLeaks:
    def test_instances_on_both_sides(self):
        parts = SCENE.splits()
        clean = representation_report(SCENE, free_codes(), trained_on=parts["train"], **QUICK)
        views = np.flatnonzero(SCENE.views < 2)
        torn = representation_report(
            SCENE, free_codes(), rows=np.flatnonzero(SCENE.views == 3), trained_on=views, **QUICK
        )
        assert clean.leaks == ()
        assert len(torn.leaks) == 1
        assert "240 instances are both" in torn.leaks[0]

    def test_a_factor_among_the_codes(self):
        codes = np.column_stack([free_codes(), 2 - 3 * SCENE.latents.v0])
        (leak,) = representation_report(SCENE, codes, **QUICK).leaks
        assert "Code 3 is the factor 'v0'" in leak

    def test_rows_in_an_order_that_gives_factors_away(self):
        """Published rows are sorted by factor, so that the number of an instance tells where it lies."""
        order = np.argsort(SCENE.latents.v0.to_numpy(), kind="stable")
        latents = SCENE.latents[["v0"]].iloc[order].reset_index(drop=True)
        factors = tuple(f for f in SCENE.info.factors if f.name == "v0")
        info = replace(SCENE.info, factors=factors)
        blind = np.random.default_rng(1).normal(size=(960, 2))
        sorted_rows = SceneData(info, latents, SCENE.views, np.repeat(np.arange(240), 4))
        leaks = representation_report(sorted_rows, blind, **QUICK).leaks
        assert any("row number" in leak and "'v0'" in leak for leak in leaks)
        shuffled = SceneData(info, SCENE.latents[["v0"]], SCENE.views, SCENE.groups)
        assert representation_report(shuffled, blind, **QUICK).leaks == ()

    def test_copies_among_factors_are_noted(self):
        notes = representation_report(SCENE, free_codes(), **QUICK).notes
        assert any("mu_1, mu_2 repeat roughness" in note for note in notes)


class TestRows:
    def test_truth_values_and_positions(self):
        test = np.arange(960) >= 480
        named = representation_report(SCENE, free_codes(), rows=test, trained_on=test, **QUICK)
        assert any("120 instances are both" in leak for leak in named.leaks)
        for rows in ([-1], [9999], [0.5, 1.5], [[1, 2]], ["a"]):
            with pytest.raises(ParameterError, match="rows"):
                representation_report(SCENE, free_codes(), trained_on=rows, **QUICK)

    def test_a_factor_that_is_fixed_here(self):
        scene = make_scene("fall", n=80, size=8, ranges={"u": (30, 30)})
        card = representation_report(scene, scene.latents[["h1", "r"]] ** 2, **QUICK)
        assert any("never vary: u" in note for note in card.notes)


class TestCard:
    card = representation_report(SCENE, free_codes(), n_bootstrap=39, n_permutations=10)

    def test_markdown_and_html(self, tmp_path):
        text = self.card.save(tmp_path / "card.md").read_text(encoding="utf-8")
        assert text.startswith("# Representation of Ball on the Slope (slope)")
        assert text.count("\n| ") == len(self.card.scores) + 1
        assert "revision: generated" in text
        page = self.card.save(tmp_path / "card.html").read_text(encoding="utf-8")
        assert page.count("<tr>") == len(self.card.scores) + 1
        assert not re.search(r"""(src|href)=['"](?!data:)""", page), "the page loads nothing"
        with pytest.raises(ParameterError, match="must end in"):
            self.card.save(tmp_path / "card.pdf")

    def test_names_are_escaped(self):
        risky = replace(self.card, leaks=("<script>alert(1)</script>",))
        assert "<script>alert" not in risky.to_html()

    def test_the_same_again(self):
        again = representation_report(SCENE, free_codes(), n_bootstrap=39, n_permutations=10)
        assert again.to_markdown() == self.card.to_markdown()


class TestBadInput:
    def test_refused(self):
        for encode, message in (
            (free_codes()[:50], "50 rows of codes for 960 rows"),
            (lambda p: pixels(p)[:-1], "rows of codes for"),
            (np.full((960, 2), np.nan), "missing|NaN"),
        ):
            with pytest.raises(DataError, match=message):
                representation_report(SCENE, encode, **QUICK)
        blind = SceneData(describe("slope"), SCENE.latents, SCENE.views, SCENE.groups)
        with pytest.raises(DataError, match="no pictures to encode"):
            representation_report(blind, pixels)
        with pytest.raises(ParameterError, match="batch_size"):
            representation_report(SCENE, pixels, batch_size=0)
