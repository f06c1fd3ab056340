"""Scores as CausalVerse's code defines them: known values, what they reward, and what the corrected ones make of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit.datasets import make_scene
from causalkit.evaluation import causalverse_scores, representation_report
from causalkit.exceptions import ParameterError


def instances(n=250, views=4, d=3, seed=0):
    """Return factors that all views of an instance share, in random order, and the number of the instance."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(n), views))
    return rng.uniform(size=(n, d))[group], group


class TestImages:
    @pytest.mark.slow
    def test_mcc_is_the_injective_mean(self):
        """Rotation by 45 degrees: .7071; the perfect free factors of the slope: 3/7 and what chance adds."""
        z = np.random.default_rng(0).normal(size=(5000, 2))
        turned = z @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
        assert causalverse_scores(z, turned)[0].as_published == pytest.approx(np.sqrt(0.5), abs=0.01)

    @pytest.mark.parametrize(
        ("scene", "cap"),
        [
            ("slope", 0.436),
            *(
                pytest.param(*one, marks=pytest.mark.slow)
                for one in (("spring", 0.602), ("refraction", 0.672), ("fall", 0.753))
            ),
        ],
    )
    def test_caps_of_perfect_free_factors(self, scene, cap):
        """With noise for the rest of the codes a perfect representation gets about free / all (specification: 10,000 rows, guessed ranges)."""
        data = make_scene(scene, 2000, views=1, size=8, levels=None)
        free = data.latents[list(data.info.names("exogenous"))].to_numpy()
        rest = np.random.default_rng(0).normal(size=(2000, data.latents.shape[1] - free.shape[1]))
        found = causalverse_scores(data.latents.to_numpy(), np.column_stack([free, rest]))[0]
        assert found.as_published == pytest.approx(cap, abs=0.02)

    def test_an_instance_number_is_rewarded(self):
        """Codes that know the instance and nothing else: high as published, as their views are on both sides, and nothing when corrected."""
        z, group = instances()
        codes = np.random.default_rng(1).normal(size=(250, 12))[group]
        r2 = causalverse_scores(z, codes, groups=group)[1]
        assert r2.as_published > 0.6
        assert r2.corrected < 0.05

    def test_types_are_for_the_corrected_scores(self):
        """Angles are numbers in the published ones, whatever is declared."""
        from causalkit.independence import Cyclic

        z = np.random.default_rng(0).uniform(-30, 30, size=(200, 1))
        for protocol in ("image", "video"):
            plain, typed = (
                causalverse_scores(z, z, protocol=protocol, factor_types=types)
                for types in (None, [Cyclic(360.0)])
            )
            assert [s.as_published for s in plain] == [s.as_published for s in typed]

    def test_honest_codes_get_the_same(self):
        z, group = instances()
        codes = np.column_stack([z[:, 0] + z[:, 1], z[:, 1] - z[:, 2], z[:, 2]])
        r2 = causalverse_scores(z, codes, groups=group)[1]
        assert r2.as_published == pytest.approx(1, abs=0.02)
        assert r2.corrected == pytest.approx(1, abs=0.02)


class TestVideos:
    @staticmethod
    def clips(n=300, frames=16, d=8, seed=0):
        """Return clips of which three factors are mostly a function of the frame, and the frame number."""
        rng = np.random.default_rng(seed)
        t = np.tile(np.linspace(0, 1, frames), n)
        fixed = np.repeat(rng.normal(size=(n, d)), frames, axis=0)
        fixed[:, :3] = 0.5 * fixed[:, :3] - t[:, None] * np.array([1.0, 0.7, 0.5])
        return fixed, t, np.repeat(np.arange(n), frames)

    def test_the_frame_number_alone_is_rewarded(self):
        """Not injective and the best four only: a code that knows the time gets several factors at once."""
        z, t, clip = self.clips()
        found = causalverse_scores(z, np.column_stack([t, t**2]), protocol="video", groups=clip)
        assert found[0].as_published > 2.5 * found[0].corrected
        assert found[0].as_published > 0.25

    def test_the_mean_of_the_best_few(self):
        rng = np.random.default_rng(0)
        z = rng.normal(size=(4000, 6))
        code = z[:, :1] + z[:, 1:2]
        found = causalverse_scores(z, code, protocol="video", top_k=2)[0]
        assert found.as_published == pytest.approx(np.sqrt(0.5), abs=0.02)
        assert found.corrected == pytest.approx(np.sqrt(0.5) / 6, abs=0.01)

    def test_knowing_means_is_rewarded(self):
        """Codes that know nothing: R2 of factors end to end sees that one lies higher than the other, after min-max scaling too."""
        rng = np.random.default_rng(0)
        z = np.column_stack([rng.exponential(size=2000) ** 2, -(rng.exponential(size=2000) ** 2)])
        r2 = causalverse_scores(z, rng.normal(size=(2000, 2)), protocol="video")[1]
        assert r2.as_published > 0.9
        assert r2.corrected < 0.01

    def test_a_clip_number_is_rewarded(self):
        z, _, clip = self.clips(n=100)
        codes = np.eye(100)[clip]
        r2 = causalverse_scores(z[:, 3:], codes, protocol="video", groups=clip)[1]
        assert r2.as_published > 0.95
        assert r2.corrected < 0.05


class TestReport:
    @pytest.mark.slow
    def test_both_stand_on_the_card(self):
        scene = make_scene("spring", n=300, size=16)
        codes = scene.latents.to_numpy()
        card = representation_report(scene, codes, protocol="image", n_bootstrap=0, n_permutations=0)
        assert [s.name for s in card.published] == ["image MCC", "image R2"]
        assert "image MCC: 1.000 as published, 1.000 corrected" in card.to_markdown()
        assert "as published" in card.to_html()
        assert not representation_report(scene, codes, n_bootstrap=0, n_permutations=0).published

    def test_the_same_seed_the_same_scores(self):
        z, group = instances()
        assert causalverse_scores(z, z, protocol="video", groups=group) == causalverse_scores(
            z, z, protocol="video", groups=group
        )

    def test_labels_are_refused(self):
        frame = pd.DataFrame({"a": ["x", "y"] * 10})
        with pytest.raises(ParameterError, match="'a' is categorical"):
            causalverse_scores(frame, np.zeros((20, 1)))
        with pytest.raises(ParameterError, match="protocol"):
            causalverse_scores(np.zeros((20, 1)), np.zeros((20, 1)), protocol="sound")
