"""Scenes of CausalVerse: what is known of them, their laws, and small versions of four of them."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from causalkit.datasets import SceneData, describe, list_scenes, make_scene
from causalkit.datasets._images import resized
from causalkit.datasets._laws import LAWS
from causalkit.evaluation import counterfactual_retrieval, mcc
from causalkit.exceptions import DataError, MissingDependencyError, ParameterError

PHYSICS = ("fall", "refraction", "slope", "spring")


class TestManifest:
    def test_all_scenes(self):
        assert len(list_scenes()) == 24
        counts = {d: len(list_scenes(domain=d)) for d in ("static", "physics", "robotics", "traffic")}
        assert counts == {"static": 4, "physics": 10, "robotics": 5, "traffic": 5}
        assert list_scenes(domain="physics", kind="image") == PHYSICS
        for name in list_scenes():
            text = str(describe(name))
            assert name in text
            assert "Apache" in text

    def test_rows_of_the_image_set(self):
        """198,764 rows and 136.14 GB in eight splits (card of the data set)."""
        images = [describe(name) for name in list_scenes(kind="image")]
        assert sum(info.rows for info in images) == 198_764
        assert sum(info.gigabytes for info in images) == pytest.approx(136.14, abs=0.005)

    def test_latents_and_factors(self):
        for name in list_scenes(kind="image"):
            info = describe(name)
            assert len([f for f in info.factors if f.role != "nuisance"]) == info.n_latents, name

    def test_what_is_not_known_is_said(self):
        assert describe("traffic_town01").hub is None
        assert "not on the hub" in str(describe("fall_simple"))
        scene1 = describe("scene1")
        assert scene1.graph is None
        assert ("gender", "cupsize", "third party") in scene1.known_edges
        assert {e.data["source"] for e in describe("refraction").graph.edges} == {"authors' figure"}

    def test_unknown_names(self):
        with pytest.raises(ParameterError, match=re.escape("did you mean 'spring'")):
            describe("sprin")
        with pytest.raises(ParameterError, match="list_scenes"):
            describe("zzzzzz")
        with pytest.raises(ParameterError, match="domain is 'water'"):
            list_scenes(domain="water")
        with pytest.raises(DataError, match="has no factor 'mass'; its factors are h1, r, u, h2"):
            describe("fall").factor("mass")
        with pytest.raises(DataError, match="not public"):
            describe("fall_simple").factor("mass")


@pytest.mark.parametrize("name", PHYSICS)
class TestLaws:
    def test_parents_of_the_graph_are_the_arguments_of_the_law(self, name):
        """Move one factor at a time, hold all others, and see which equations answer."""
        law, graph = LAWS[name], describe(name).graph
        base = law.derive({k: np.array([0.3 * a + 0.7 * b]) for k, (a, b) in law.ranges.items()})
        for effect in law.equations:
            for cause in base:
                moved = {**base, cause: base[cause] * 1.01}
                answers = law.equations[effect](moved) != law.equations[effect](base)
                assert bool(answers[0]) == (cause in graph.parents(effect)), (cause, effect)
        assert set(describe(name).names("exogenous")) == set(law.ranges)

    def test_without_noise_factors_are_functions(self, name):
        scene = make_scene(name, 50, levels=None)
        again = LAWS[name].derive({k: scene.latents[k].to_numpy() for k in LAWS[name].ranges})
        for factor in scene.latents:
            np.testing.assert_array_equal(scene.latents[factor], again[factor])

    def test_noise_has_the_spread_that_is_asked_for(self, name):
        scene = make_scene(name, 4000, views=1, noise=0.1, levels=None)
        derived = next(iter(LAWS[name].equations))
        free = {k: scene.latents[k].to_numpy() for k in LAWS[name].ranges}
        ratio = np.log(scene.latents[derived] / LAWS[name].derive(free)[derived])
        assert ratio.std() == pytest.approx(0.1, rel=0.1)


def test_known_values_of_the_laws():
    fall = LAWS["fall"].derive({"h1": np.array([4.0]), "r": np.array([0.5]), "u": np.array([20.0])})
    assert fall["h2"][0] == pytest.approx(553.3986 * 2 * 0.125 / 20)
    ray = LAWS["refraction"].derive({"theta1": np.array([30.0]), "n1": np.array([1.5])})
    assert ray["theta2"][0] == pytest.approx(19.4712, abs=1e-4)
    spring = LAWS["spring"].derive({"h": np.array([1.0]), "r": np.array([0.5]), "k": np.array([2.0])})
    assert spring["l"][0] * 2 == pytest.approx(9.81 * np.pi * 0.25)


class TestMiniature:
    @pytest.mark.parametrize("name", PHYSICS)
    def test_views_of_an_instance_have_its_factors(self, name):
        scene = make_scene(name, 20, noise=0.1)
        for _, rows in scene.latents.groupby(scene.groups):
            assert (rows.nunique() == 1).all()
        assert scene.views.tolist() == [0, 1, 2, 3] * 20

    @pytest.mark.parametrize("name", PHYSICS)
    def test_every_free_factor_is_visible(self, name):
        """Changing one free factor alone changes the picture, in every view; the same factors give the same picture."""
        scene = make_scene(name, 30, levels=6, rng=3)
        for factor in describe(name).names("exogenous"):
            low, high = LAWS[name].ranges[factor]
            one, other = (scene.counterfactual({factor: v}).as_numpy()[1] for v in (low, high))
            assert (one != other).any(axis=(1, 2, 3)).mean() > 0.99, factor
        np.testing.assert_array_equal(
            scene.as_numpy()[1], make_scene(name, 30, levels=6, rng=3).as_numpy()[1]
        )

    def test_pictures_do_not_depend_on_what_else_is_read(self):
        scene = make_scene("slope", 40, size=24)
        whole = scene.as_numpy()[1]
        rows = [101, 3, 77]
        np.testing.assert_array_equal(scene.as_numpy(rows)[1], whole[rows])
        np.testing.assert_array_equal(scene.take(rows).take([2, 0]).as_numpy()[1], whole[[77, 101]])

    def test_a_linear_model_sees_the_factors(self):
        scene = make_scene("fall", 400, views=1, size=16, levels=None)
        pixels = scene.as_numpy()[1].reshape(400, -1).astype(float)
        found = mcc(
            scene.latents[["h1", "r", "u"]], pixels, variant="regression", n_bootstrap=0, n_permutations=0
        )
        assert found.value > 0.9

    def test_bad_settings(self):
        for bad, message in (
            ({"scene": "scene1"}, "no miniature of 'scene1'; there are fall, refraction"),
            ({"n": 0}, "n "),
            ({"views": 5}, "1 to 4"),
            ({"noise": -0.5}, "noise"),
            ({"size": 1}, "size"),
            ({"ranges": {"h2": (0, 1)}}, "no free factor"),
            ({"ranges": {"h1": (2, 1)}}, "smallest, largest"),
        ):
            with pytest.raises(ParameterError, match=message):
                make_scene(**{"scene": "fall", "n": 5, **bad})
        with pytest.raises(DataError, match="'theta2' is not finite"):
            make_scene("refraction", 5, ranges={"n1": (0.1, 0.2), "theta1": (60, 80)})


class TestSplits:
    def test_no_instance_is_in_two_parts(self):
        scene = make_scene("fall", 200)
        parts = scene.splits(seed=1)
        assert sorted(itertools.chain(*parts.values())) == list(range(800))
        for one, other in itertools.combinations(parts.values(), 2):
            assert not set(scene.groups[one]) & set(scene.groups[other])
        assert {name: len(rows) // 4 for name, rows in parts.items()} == {
            "train": 140,
            "validation": 30,
            "test": 30,
        }

    def test_the_order_of_rows_does_not_matter(self):
        scene = make_scene("fall", 60)
        order = np.random.default_rng(0).permutation(240)
        shuffled = scene.take(order)
        for name, rows in shuffled.splits(seed=3).items():
            assert set(shuffled.groups[rows]) == set(scene.groups[scene.splits(seed=3)[name]])

    def test_seeds_and_shares(self):
        scene = make_scene("fall", 60)
        assert set(scene.splits(seed=0)["test"]) != set(scene.splits(seed=1)["test"])
        assert set(scene.splits(shares={"a": 0.5, "b": 0.5})) == {"a", "b"}
        for shares in ({"a": 0.5}, {}, {"a": 1.5, "b": -0.5}):
            with pytest.raises(ParameterError, match="sum to 1"):
                scene.splits(shares=shares)


class TestFlags:
    def test_copies(self):
        import pandas as pd

        scene = make_scene("slope", 60, size=8)
        assert scene.copies == (("roughness", "mu_1", "mu_2"),)
        assert make_scene("fall", 60, size=8).copies == ()
        label = pd.Series(list("abca" * 60)[:240])
        more = scene.latents.assign(
            label=label.astype("category"),
            renamed=label.map({"a": 2, "b": 0, "c": 1}).astype("category"),
            merged=label.map({"a": 0, "b": 0, "c": 1}).astype("category"),
        )
        assert replace(scene, latents=more).copies[1] == ("label", "renamed")

    def test_missing(self):
        scene = make_scene("fall", 3, size=8)
        holes = scene.latents.copy()
        holes.loc[2, "u"] = np.nan
        found = replace(scene, latents=holes).missing
        assert found.u.tolist() == [k == 2 for k in range(12)]
        assert not found.h1.any()


class TestEnvironments:
    scene = make_scene("slope", 300)

    def test_by_ranges_and_values(self):
        levels = sorted(self.scene.latents.roughness.unique())
        found = self.scene.environments(
            {"smooth": {"roughness": levels[:3]}, "rough": {"roughness": (0.6, 1.0), "v0": (6, 8)}}
        )
        assert set(self.scene.latents.roughness[found["smooth"]]) == set(levels[:3])
        assert self.scene.latents.v0[found["rough"]].max() <= 8

    def test_effects_overlaps_and_empty_ones_are_refused(self):
        for spec, message in (
            ({"a": {"l": (0, 1)}}, "no intervention"),
            ({"a": {"v0": (6, 8)}, "b": {"v0": (7, 9)}}, "make them apart"),
            ({"a": {"v0": (60, 80)}}, "no rows"),
            ({}, "there is none"),
            ({"a": [1, 2]}, "give ranges by factor"),
            ({"a": {"v0": (1, "x")}}, "give two numbers"),
            ({"a": {}}, "no condition"),
            ({"a": {"v0": 7}}, "a pair of numbers or a list"),
        ):
            with pytest.raises(ParameterError, match=message):
                self.scene.environments(spec)

    def test_instances_of_several_are_shared_out(self):
        """Whole instances, about half each, the same ones whatever the order of rows."""
        spec = {"slow": {"v0": (6, 8)}, "fast": {"v0": (7, 9)}}
        found = self.scene.environments(spec, overlap="share")
        both = self.scene.latents.v0.between(7, 8).to_numpy()
        assert not set(self.scene.groups[found["slow"]]) & set(self.scene.groups[found["fast"]])
        assert sum(map(len, found.values())) == len(self.scene)
        assert 0.3 < both[found["slow"]].sum() / both.sum() < 0.7
        order = np.random.default_rng(0).permutation(len(self.scene))
        again = self.scene.take(order).environments(spec, overlap="share")
        assert set(order[again["slow"]]) == set(found["slow"])
        other = self.scene.environments(spec, overlap="share", seed=1)
        assert set(other["slow"]) != set(found["slow"])


class TestCounterfactuals:
    def test_rows_that_are_exact_counterfactuals(self):
        scene = make_scene("spring", 300, levels=4, views=2)
        pairs = scene.pairs("counterfactual")
        free = scene.latents[["h", "r", "k"]].to_numpy()
        differ = free[pairs.factual] != free[pairs.target]
        assert (differ.sum(axis=1) == 1).all()
        assert set(pairs.factor) == {"h", "r", "k"}
        place = pairs.factor.map({"h": 0, "r": 1, "k": 2}).to_numpy()
        rows = np.arange(len(pairs))
        assert differ[rows, place].all()
        np.testing.assert_array_equal(free[pairs.donor][rows, place], free[pairs.target][rows, place])
        assert (scene.views[pairs.factual] == scene.views[pairs.target]).all()
        assert (pairs.donor != pairs.target).mean() > 0.9

    def test_abduction_action_prediction(self):
        """What follows from the factor changes by the law with the same noise; nothing else does."""
        scene = make_scene("slope", 40, noise=0.05, levels=None)
        other = scene.counterfactual({"theta": 30.0})
        for factor in ("roughness", "v0", "mu_1", "mu_2", "v1"):
            np.testing.assert_array_equal(scene.latents[factor], other.latents[factor])
        z, w = scene.latents, other.latents
        lift = lambda v: np.sin(np.radians(v.theta)) + v.mu_2 * np.cos(np.radians(v.theta))
        np.testing.assert_allclose(w.l * lift(w), z.l * lift(z), rtol=1e-12)
        same = scene.counterfactual({"theta": scene.latents.theta.to_numpy()})
        np.testing.assert_array_equal(same.latents, scene.latents)

    def test_setting_an_effect_does_not_move_its_causes(self):
        scene = make_scene("slope", 20, noise=0.05)
        other = scene.counterfactual({"v1": 5.0})
        assert (other.latents.v1 == 5).all()
        assert (other.latents.mu_1 == scene.latents.mu_1).all()
        assert (other.latents.l != scene.latents.l).all()

    def test_retrieval_with_the_factors_themselves_as_codes(self):
        scene = make_scene("refraction", 120, levels=5, views=1, rng=2)
        pairs = scene.pairs("counterfactual").head(200)
        codes = scene.latents[["theta1", "n1"]].to_numpy()
        found = counterfactual_retrieval(
            codes,
            factual=pairs.factual.to_numpy(),
            donor=pairs.donor.to_numpy(),
            target=pairs.target.to_numpy(),
            changed=[[{"theta1": 0, "n1": 1}[f]] for f in pairs.factor],
            ks=[10],
        )
        assert found.hits[10] > 0.9

    def test_pairs_of_views(self):
        scene = make_scene("fall", 10)
        pairs = scene.pairs("views")
        assert len(pairs) == 10 * 6
        assert (scene.groups[pairs["first"]] == scene.groups[pairs["second"]]).all()

    def test_refused(self):
        scene = make_scene("fall", 10, views=1, levels=None)
        for kind in ("views", "counterfactual"):
            with pytest.raises(DataError, match="no pairs"):
                scene.pairs(kind)
        with pytest.raises(DataError, match="no factor 'mass'"):
            scene.counterfactual({"mass": 1.0})
        published = SceneData(scene.info, scene.latents, scene.views, scene.groups)
        with pytest.raises(DataError, match="exact counterfactuals"):
            published.counterfactual({"u": 1.0})
        with pytest.raises(DataError, match="without pictures"):
            published.cache(8, ".")


class TestForms:
    def test_cache(self, tmp_path):
        scene = make_scene("spring", 20, size=32)
        small = scene.cache(16, tmp_path)
        blocks = scene.as_numpy()[1].reshape(80, 16, 2, 16, 2, 3).mean(axis=(2, 4))
        np.testing.assert_allclose(small.as_numpy()[1], blocks, atol=0.51)
        np.testing.assert_array_equal(small.take([5, 1]).as_numpy()[1], small.as_numpy()[1][[5, 1]])
        written = list(tmp_path.iterdir())
        assert len(written) == 1
        stamp = written[0].stat().st_mtime_ns
        scene.cache(16, tmp_path)
        assert written[0].stat().st_mtime_ns == stamp, "the same settings read the file that is there"
        scene.cache(8, tmp_path)
        make_scene("spring", 20, size=32, rng=1).cache(16, tmp_path)
        assert len(list(tmp_path.iterdir())) == 3

    def test_a_cache_that_was_not_finished_is_not_used(self, tmp_path):
        scene = make_scene("spring", 5, size=16)
        path = next(iter([scene.cache(16, tmp_path)])).images.path
        path.rename(path.with_name(path.name + ".part"))
        np.testing.assert_array_equal(scene.cache(16, tmp_path).as_numpy()[1], scene.as_numpy()[1])

    def test_sizes_that_need_pillow(self):
        pytest.importorskip("PIL")
        pictures = make_scene("fall", 3, views=1, size=30).as_numpy()[1]
        small = resized(pictures, 16)
        assert small.shape == (3, 16, 16, 3)
        assert abs(small.mean() - pictures.mean()) < 2

    def test_data_frame_and_types(self):
        scene = make_scene("slope", 5)
        assert list(scene.as_dataframe())[:3] == ["id", "view", "roughness"]
        assert scene.factor_types["theta"].period == 360
        assert scene.schema[0].role == "exogenous"

    def test_a_graph_that_is_not_known(self):
        scene = make_scene("fall", 5)
        human = SceneData(describe("scene1"), scene.latents, scene.views, scene.groups)
        with pytest.raises(DataError, match="not published; arrows that are known: gender -> cupsize"):
            human.graph  # noqa: B018

    def test_pictures_of_another_source_are_not_taken_from_the_cache(self, tmp_path):
        fine, coarse = (make_scene("fall", 5, size=size) for size in (64, 16))
        fine.cache(16, tmp_path)
        np.testing.assert_array_equal(coarse.cache(16, tmp_path).as_numpy()[1], coarse.as_numpy()[1])

    def test_truth_values_choose_rows(self):
        scene = make_scene("fall", 20)
        chosen = np.zeros(80, dtype=bool)
        chosen[40:60] = True
        assert set(scene.take(chosen).groups) == {10, 11, 12, 13, 14}
        for rows in ([0.5], [True, False], [[1]], [-1]):
            with pytest.raises(ParameterError, match="rows"):
                scene.take(rows)

    def test_pictures_keep_their_size_in_another_world(self, tmp_path):
        scene = make_scene("fall", 5, size=16)
        for data in (scene, scene.take([3, 4]), scene.cache(8, tmp_path)):
            assert data.counterfactual({"u": 30.0}).as_numpy()[1].shape[1] == data.as_numpy()[1].shape[1]
        with pytest.raises(ParameterError, match="one for each of the 20 rows"):
            scene.counterfactual({"u": np.ones(3)})

    def test_rows_that_are_not_there(self):
        with pytest.raises(ParameterError, match="there are 20"):
            make_scene("fall", 5).take([20])


def test_without_pandas(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"causalkit\[frames\]"):
        make_scene("fall", 2)


class TestTorch:
    def test_batches(self):
        torch = pytest.importorskip("torch")
        scene = make_scene("fall", 12, size=16)
        data = scene.as_torch()
        assert len(data) == 48
        loader = torch.utils.data.DataLoader(data, batch_size=10)
        batch = next(iter(loader))
        assert batch["image"].shape == (10, 3, 16, 16)
        np.testing.assert_allclose(
            batch["image"].permute(0, 2, 3, 1) * 255, scene.as_numpy(range(10))[1], atol=1e-3
        )
        np.testing.assert_allclose(batch["factors"], scene.latents.to_numpy()[:10], rtol=1e-6)
        assert data[7]["id"] == 1

    def test_without_torch(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "torch", None)
        with pytest.raises(MissingDependencyError, match=r"causalkit\[torch\]"):
            make_scene("fall", 2).as_torch()
