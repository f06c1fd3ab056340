"""Functions among columns: found, not tested against, and told apart from noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.datasets import make_scene
from causalkit.discovery import PC
from causalkit.exceptions import ParameterError, RedundantColumnWarning
from causalkit.independence import Cyclic, SkipDetermined, equivalent_columns, unexplained_share


def drawn(n=400, seed=0):
    return np.random.default_rng(seed).uniform(1, 2, size=(n, 3))


class TestUnexplainedShare:
    def test_functions_of_one_two_and_three(self):
        z = drawn()
        x = np.column_stack([z, z[:, 0] ** 3, z[:, 0] * z[:, 1], np.sqrt(z[:, 0]) * z[:, 1] ** 3 / z[:, 2]])
        assert unexplained_share(x, 3, [0]) < 1e-6
        assert unexplained_share(x, 4, [0, 1]) < 1e-6
        assert unexplained_share(x, 5, [0, 1, 2]) < 1e-4
        assert unexplained_share(x, 5, [0, 1]) > 0.1

    @pytest.mark.parametrize("share", [0.01, 0.1])
    def test_noise_is_measured(self, share):
        """Of z + noise the regression leaves the share of noise."""
        rng = np.random.default_rng(1)
        z = rng.normal(size=1000)
        x = np.sqrt(1 - share) * np.sin(z) / np.std(np.sin(z)) + np.sqrt(share) * rng.normal(size=1000)
        assert unexplained_share(np.column_stack([z, x]), 1, [0]) == pytest.approx(share, rel=0.2)

    def test_nothing_to_learn(self):
        x = np.random.default_rng(0).normal(size=(500, 2))
        assert 0.97 < unexplained_share(x, 0, [1]) < 1.03

    def test_repeated_rows_are_no_functions(self):
        """Views of one instance: each would be predicted by its copies."""
        x = np.random.default_rng(0).normal(size=(100, 6))
        once = unexplained_share(x, 0, [1, 2, 3, 4, 5])
        assert unexplained_share(np.repeat(x, 4, axis=0), 0, [1, 2, 3, 4, 5]) == pytest.approx(once)
        assert once > 0.8

    def test_columns_that_are_not_there(self):
        for target, given, message in (
            (5, [0], "column 5"),
            (0, [7], "column 7"),
            (-1, [0], "-1"),
            (0, [0], "different"),
        ):
            with pytest.raises(ParameterError, match=message):
                unexplained_share(drawn(), target, given)

    def test_labels_and_angles(self):
        rng = np.random.default_rng(0)
        angle = rng.uniform(0, 360, size=400)
        label = rng.choice(["a", "b", "c"], size=400)
        frame = pd.DataFrame(
            {
                "angle": angle,
                "up": np.cos(np.radians(angle)),
                "label": label,
                "size": np.where(label == "a", 1.0, 2.0),
                "other": np.where(label == "b", "x", "y"),
            }
        )
        types = {"angle": Cyclic(360)}
        share = {
            (k, given): unexplained_share(frame, k, [given], column_types=types)
            for k, given in [(1, 0), (0, 1), (3, 2), (2, 3), (4, 2), (2, 4)]
        }
        assert max(share[1, 0], share[3, 2], share[4, 2]) < 1e-6
        assert min(share[0, 1], share[2, 3], share[2, 4]) > 0.1


class TestEquivalentColumns:
    def test_the_slope(self):
        """Both coefficients of friction are affine in roughness; nothing else is a function of one column."""
        latents = make_scene("slope", 300, views=1, size=8).latents
        classes = [set(c) for c in equivalent_columns(latents) if len(c) > 1]
        assert classes == [{"roughness", "mu_1", "mu_2"}]

    def test_order_of_columns(self):
        z = drawn()
        frame = pd.DataFrame({"a": z[:, 0], "b": 1 / z[:, 0], "c": z[:, 1], "d": np.exp(z[:, 0])})
        for names in (["a", "b", "c", "d"], ["d", "c", "b", "a"]):
            assert {frozenset(c) for c in equivalent_columns(frame[names])} == {
                frozenset("abd"),
                frozenset("c"),
            }

    def test_one_way_is_not_enough(self):
        """The square says less than the number."""
        x = np.random.default_rng(0).normal(size=400)
        assert equivalent_columns(np.column_stack([x, x**2])) == (("X1",), ("X2",))


class TestSkipDetermined:
    def test_the_control_loses_an_edge(self):
        """Without the guard the search believes that l is independent of m given k, h and r, which determine m."""
        frame = make_scene("spring", 150, views=1, size=8, rng=150).latents
        truth = CausalGraph.parse("h, r, k, m, l; h -> m; r -> m; m -> l; k -> l", kind="DAG").to_cpdag()
        guarded = PC(ci_test=SkipDetermined("kci")).fit(frame).graph_
        with pytest.warns(RedundantColumnWarning, match="'m' is nearly a product of powers of 'h', 'r'"):
            plain = PC(ci_test="kci").fit(frame).graph_
        assert guarded.equals(truth, ignore_order=True)
        assert not plain.has_edge("m", "l")

    def test_what_is_skipped_is_said(self):
        frame = make_scene("spring", 200, views=1, size=8).latents
        names = list(frame)
        test = SkipDetermined("fisher_z").fit(frame)
        h, r, m, k = (names.index(name) for name in "hrmk")
        found = test(m, k, [h, r])
        assert (found.p_value, found.statistic) == (0.0, float("inf"))
        assert found.note == "skipped: m is a function of h, r"
        assert list(test.skipped_) == [("m", ("h", "r"))]
        assert test(h, k, [m]).note == ""

    def test_other_tests_are_those_of_the_test_inside(self):
        x = np.random.default_rng(0).normal(size=(100, 4))
        triples = [(0, 1, ()), (0, 1, (2,)), (1, 3, (0, 2))]
        from causalkit.independence import FisherZ

        assert SkipDetermined("fisher_z").fit(x).batch(triples) == FisherZ().fit(x).batch(triples)

    def test_a_constant_column_is_independent_of_all(self):
        x = np.random.default_rng(0).normal(size=(100, 3))
        x[:, 0] = 1.0
        with pytest.warns(UserWarning, match="never varies"):
            test = SkipDetermined("fisher_z").fit(x)
        assert test(0, 1, (2,)).p_value == 1.0
        assert test(1, 2, (0,)).note == ""

    def test_with_workers(self):
        frame = make_scene("spring", 150, views=1, size=8, rng=150).latents
        graphs = [PC(ci_test=SkipDetermined("kci"), n_jobs=k).fit(frame).graph_ for k in (1, 2)]
        assert graphs[0] == graphs[1]

    def test_a_tolerance_that_is_none(self):
        with pytest.raises(ParameterError, match="tolerance"):
            SkipDetermined("kci", tolerance=2).fit(drawn())
