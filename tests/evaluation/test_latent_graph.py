"""From codes to a graph over the factors: three rows, matching and its uncertainty, functions, environments."""

from __future__ import annotations

import numpy as np
import pytest

from causalkit.datasets import make_scene
from causalkit.discovery import CDNOD, PC
from causalkit.evaluation import latent_graph_report, shd
from causalkit.exceptions import DataError, ParameterError

KNOWN, TRUE, LEARNED = "true factors, known graph", "true factors, discovery", "codes, discovery"


def codes_of(scene, noise=0.0, seed=0):
    """Return the factors in reverse order, scaled and mirrored, with noise."""
    z = scene.latents.to_numpy()[:, ::-1]
    extra = np.random.default_rng(seed).normal(size=z.shape)
    return 3 - 2 * z / z.std(axis=0) + noise * extra


class TestThreeRows:
    @pytest.mark.parametrize("name", ["fall", "spring", "refraction"])
    def test_perfect_codes_find_what_factors_find(self, name):
        """Laws without noise: determinism is skipped, and the graph is found all the same."""
        scene = make_scene(name, n=1500, views=2, size=8)
        report = latent_graph_report(scene, codes_of(scene), n_matchings=5)
        assert [s.shd for s in report.scores.values()] == [0, 0, 0]
        assert report.truth == scene.graph.to_cpdag()
        assert report.agreement == 1.0
        assert report.shd_band == (0, 0)
        assert report.matching == {f: len(report.matching) - 1 - k for k, f in enumerate(scene.latents)}

    def test_codes_of_noise_find_nothing(self):
        """The error is the representation's, and the table says so."""
        scene = make_scene("fall", n=1500, views=2, size=8)
        noise = np.random.default_rng(0).normal(size=(len(scene), 6))
        report = latent_graph_report(scene, noise)
        assert report.scores[TRUE].shd == 0
        assert report.scores[LEARNED].skeleton.recall == 0
        assert np.isnan(report.agreement)
        assert report.matching == {}
        assert "matched: nothing" in str(report)

    def test_one_row_per_instance_is_searched(self):
        scene = make_scene("fall", n=400, views=4, size=8)
        report = latent_graph_report(scene, codes_of(scene), n_matchings=0)
        assert report.about["instances"] == "60 searched, 60 matched"
        assert np.isnan(report.agreement)

    def test_too_few_codes(self):
        scene = make_scene("fall", n=1500, views=1, size=8)
        report = latent_graph_report(scene, codes_of(scene)[:, 1:], n_matchings=0)
        assert "There is no code left for h2." in report.notes
        assert report.graphs[LEARNED].neighbors("h2") == ()
        assert report.graphs[LEARNED].nodes == report.truth.nodes
        assert report.scores[LEARNED].skeleton.recall == 0

    def test_a_graph_that_does_not_hold(self):
        """A cause that the graph leaves out shows as independences that are rejected."""
        scene = make_scene("fall", n=1500, views=1, size=8, levels=None, noise=0.2)
        broken = scene.latents.assign(u=scene.latents.u + 20 * scene.latents.h1)
        from dataclasses import replace

        held = latent_graph_report(scene, codes_of(scene), n_matchings=0).implications
        wrong = latent_graph_report(
            replace(scene, latents=broken), codes_of(scene), n_matchings=0
        ).implications
        assert (held.tested, held.rejected, held.skipped) == (6, 0, 0)
        assert wrong.rejected >= 2


class TestFunctions:
    def test_copies_become_one_node(self):
        scene = make_scene("slope", n=1500, views=1, size=8, levels=None)
        report = latent_graph_report(scene, codes_of(scene), n_matchings=0)
        assert report.classes["roughness"] == ("roughness", "mu_1", "mu_2")
        assert str(report.truth).endswith("roughness -> v1; roughness -> l; theta -> l; v0 -> v1; v1 -> l")
        assert "roughness, mu_1, mu_2 are functions of each other and one node, roughness." in report.notes
        assert report.implications.skipped > 0

    def test_what_no_test_can_remove_is_the_error_of_the_search(self):
        scene = make_scene("slope", n=2000, views=1, size=8, levels=None, rng=500)
        report = latent_graph_report(scene, codes_of(scene), n_matchings=0)
        extra = {(e.u, e.v) for e in report.graphs[TRUE].edges if not report.truth.has_edge(e.u, e.v)}
        assert extra == {("v0", "l")}

    def test_with_noise_on_the_laws_they_are_apart(self):
        scene = make_scene("slope", n=1000, views=1, size=8, noise=0.1)
        report = latent_graph_report(scene, codes_of(scene), n_matchings=0)
        assert len(report.classes) == 7


class TestMatching:
    def test_near_ties_make_a_band(self):
        """Two codes that hold a factor about equally, one of them a mixture that adds an edge."""
        scene = make_scene("fall", n=3000, views=1, size=8, levels=None, noise=0.1)
        z = scene.latents.to_numpy() / scene.latents.to_numpy().std(axis=0)
        rng = np.random.default_rng(0)
        plain = z[:, 0] + 0.33 * rng.normal(size=len(z))
        mixed = z[:, 0] + 0.33 * z[:, 1]
        report = latent_graph_report(scene, np.column_stack([z[:, 1:], plain, mixed]))
        assert report.agreement < 1
        low, high = report.shd_band
        assert low <= report.scores[LEARNED].shd <= high
        assert high > low

    def test_the_same_seed_gives_the_same_report(self):
        scene = make_scene("refraction", n=400, views=2, size=8)
        reports = [str(latent_graph_report(scene, codes_of(scene, 0.5), rng=3)) for _ in range(2)]
        assert reports[0] == reports[1]


class TestEnvironments:
    spec = {"soft": {"k": (2.0, 6.0)}, "stiff": {"k": (4.0, 8.0)}}  # noqa: RUF012

    def test_the_factor_that_environments_set_is_found(self):
        scene = make_scene("spring", n=2000, views=1, size=8, levels=None, noise=0.1)
        report = latent_graph_report(scene, codes_of(scene, 0.02), environments=self.spec, n_matchings=0)
        assert {name: "k" in found for name, found in report.changing.items()} == {TRUE: True, LEARNED: True}
        assert report.truth.has_directed_edge("k", "l")

    def test_environments_orient_more(self):
        """Of a chain alone nothing is oriented; what sets its root orients all of it."""
        from causalkit.evaluation._latent_graph import _Study

        scene = make_scene("refraction", n=400, views=1, size=8)
        spec = {"a": {"n1": (1.1, 1.8)}, "b": {"n1": (1.5, 2.2)}}
        study = _Study(scene, np.zeros((400, 1)), np.arange(2), np.arange(2), None, spec, "pearson", 1e-3)
        assert study.truth.has_directed_edge("n1", "theta2")
        assert shd(study.truth, scene.graph) == 0

    def test_an_environment_without_a_name_counts_too(self):
        scene = make_scene("spring", n=600, views=1, size=8, levels=None, noise=0.1)
        parts = [
            latent_graph_report(
                scene,
                codes_of(scene),
                environments=dict(zip(names, self.spec.values(), strict=True)),
                n_matchings=0,
            ).about["instances"]
            for names in (("a", "b"), ("", "b"))
        ]
        assert parts[0].split()[0] == parts[1].split()[0]

    def test_types_of_the_search_are_for_factors(self):
        scene = make_scene("fall", n=400, views=1, size=8)
        search = PC(column_types=dict.fromkeys(scene.latents, "continuous"))
        report = latent_graph_report(scene, codes_of(scene)[:, :2], search=search, n_matchings=0)
        assert len(report.matching) == 2

    def test_a_search_must_fit(self):
        scene = make_scene("spring", n=400, views=1, size=8)
        with pytest.raises(ParameterError, match="CDNOD needs environments"):
            latent_graph_report(scene, codes_of(scene), search=CDNOD())
        with pytest.raises(ParameterError, match="CDNOD needs environments"):
            latent_graph_report(scene, codes_of(scene), search=PC(), environments=self.spec)
        with pytest.raises(ParameterError, match="give a PC or a CDNOD"):
            latent_graph_report(scene, codes_of(scene), search="pc")


class TestBadInput:
    scene = make_scene("fall", n=100, views=2, size=8)

    def test_an_instance_in_both_parts(self):
        with pytest.raises(DataError, match="1 instances are in both"):
            latent_graph_report(self.scene, codes_of(self.scene), match_on=[0, 2, 4, 6], rows=[1, 8, 10])

    def test_codes_of_another_length(self):
        with pytest.raises(DataError, match="10 rows of codes for 200 rows"):
            latent_graph_report(self.scene, np.zeros((10, 2)))

    def test_no_instances(self):
        with pytest.raises(DataError, match="at least"):
            latent_graph_report(self.scene, codes_of(self.scene), rows=[0, 1])
