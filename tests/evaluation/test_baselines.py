"""Baselines: each finds what its theory says it finds, floors stay at chance, and seeds decide everything."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from causalkit.datasets import make_scene
from causalkit.evaluation import mcc
from causalkit.evaluation.baselines import (
    IVAE,
    PCAICA,
    TDRL,
    GeneralizedCCA,
    IndexOnly,
    MechanismSparsity,
    MultiViewContrastive,
    RandomEncoder,
    Supervised,
)
from causalkit.exceptions import DataError, ParameterError

QUICK = {"n_bootstrap": 0, "n_permutations": 0}


@pytest.fixture(autouse=True)
def one_thread():
    """Let torch use one thread: several, in tests side by side, wait for one another."""
    if importlib.util.find_spec("torch") is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def mixed(z, d, seed=0, layers=2, slope=0.2):
    """Mix sources by orthogonal maps with leaky units between: invertible, and not linear."""
    rng = np.random.default_rng(1000 + seed)
    h = z @ np.linalg.qr(rng.normal(size=(d, z.shape[1])))[0].T
    for _ in range(layers):
        h = np.where(h > 0, h, slope * h) @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    return h


def held(z, codes, groups=None):
    """Return how much of the factors the codes hold, as R2."""
    score = mcc(z, codes, variant="regression", regressor="kernel", groups=groups, **QUICK)
    return score.value**2


class TestFloors:
    def test_pca_and_ica_undo_a_linear_mixture(self):
        rng = np.random.default_rng(0)
        z = rng.laplace(size=(3000, 4))
        x = z @ rng.normal(size=(4, 12))
        assert mcc(z, PCAICA(n_codes=4).fit(x).encode(x), **QUICK).value > 0.99

    def test_of_gaussian_sources_they_find_the_space_only(self):
        z = np.random.default_rng(0).normal(size=(3000, 4))
        x = z @ np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
        with pytest.warns(ConvergenceWarning):
            codes = PCAICA(n_codes=4).fit(x).encode(x)
        assert mcc(z, codes, **QUICK).value < 0.9
        assert mcc(z, codes, variant="weak", **QUICK).value > 0.99

    def test_an_index_knows_no_factor_of_new_groups(self):
        """Random numbers of an instance predict its factors not at all once instances are kept together."""
        rng = np.random.default_rng(0)
        group = np.repeat(np.arange(200), 4)
        z = rng.normal(size=(200, 3))[group]
        codes = IndexOnly(n_codes=20).fit().encode(groups=group)
        assert (codes[0] == codes[3]).all()
        score = mcc(z, codes, groups=group, n_bootstrap=0, n_permutations=50)
        assert score.p_value > 0.05
        assert held(z, codes) > 0.5 > held(z, codes, groups=group)

    def test_time_gives_away_what_changes_with_time(self):
        t = np.linspace(0, 1, 300)
        codes = IndexOnly().fit().encode(time=t)
        assert held((t**2)[:, None], codes) > 0.99

    def test_gcca_finds_what_views_share(self):
        rng = np.random.default_rng(0)
        group, view = np.repeat(np.arange(400), 3), np.tile([0, 1, 2], 400)
        shared, own = rng.normal(size=(400, 2))[group], rng.normal(size=(1200, 3))
        maps = rng.normal(size=(3, 5, 8))
        x = np.einsum("ni,nij->nj", np.hstack([shared, own]), maps[view])
        order = rng.permutation(1200)
        found = GeneralizedCCA(n_codes=2).fit(x[order], groups=group[order], views=view[order])
        codes = found.encode(x, views=view)
        assert mcc(shared, codes, variant="weak", **QUICK).value > 0.99
        assert held(own, codes) < 0.05

    def test_gcca_leaves_out_instances_without_all_views(self):
        rng = np.random.default_rng(0)
        group, view = np.repeat(np.arange(100), 2), np.tile([0, 1], 100)
        x = rng.normal(size=(200, 4))
        part = np.arange(200) != 7
        whole = np.flatnonzero(group != 3)
        one = (
            GeneralizedCCA(n_codes=1).fit(x[part], groups=group[part], views=view[part]).encode(x, views=view)
        )
        other = (
            GeneralizedCCA(n_codes=1)
            .fit(x[whole], groups=group[whole], views=view[whole])
            .encode(x, views=view)
        )
        np.testing.assert_array_equal(one, other)
        with pytest.raises(DataError, match="views must be one of"):
            GeneralizedCCA(n_codes=1).fit(x, groups=group, views=view).encode(x, views=view + 1)


class TestLearned:
    """Sizes at which a fit takes seconds; the bounds are those of the specification where the method is a sure one."""

    def test_a_random_encoder_is_at_chance_for_what_it_cannot_see(self):
        pytest.importorskip("torch")
        rng = np.random.default_rng(0)
        x, z = rng.normal(size=(400, 5)), rng.normal(size=(400, 3))
        codes = RandomEncoder(n_codes=6).fit(x).encode(x)
        score = mcc(z, codes, n_bootstrap=0, n_permutations=100)
        assert score.p_value > 0.05
        assert abs(score.corrected) < 0.05

    @pytest.mark.slow
    def test_supervised_reads_factors_angles_and_labels(self):
        pytest.importorskip("torch")
        import pandas as pd

        from causalkit.independence import Cyclic

        rng = np.random.default_rng(0)
        z = rng.uniform(-1, 1, size=(1500, 2))
        angle = rng.uniform(0, 360, size=1500)
        label = rng.choice(["a", "b"], size=1500)
        turn = np.radians(angle)
        x = mixed(np.column_stack([z, np.cos(turn), np.sin(turn), label == "a"]), 8, layers=1)
        factors = pd.DataFrame({"one": z[:, 0], "two": z[:, 1], "angle": angle, "label": label})
        model = Supervised(n_epochs=40).fit(x, factors=factors, factor_types={"angle": Cyclic(360)})
        codes = model.encode(x)
        assert codes.shape == (1500, 6)
        truth = np.column_stack([z, np.cos(turn), np.sin(turn)])
        errors = [1 - np.corrcoef(truth[:, k], codes[:, k])[0, 1] ** 2 for k in range(4)]
        assert max(errors) < 0.03
        assert ((codes[:, 4] > codes[:, 5]) == (label == "a")).mean() > 0.98

    @pytest.mark.slow
    def test_contrast_isolates_content(self):
        pytest.importorskip("torch")
        rng = np.random.default_rng(0)
        group = np.repeat(np.arange(1000), 2)
        content, style = rng.normal(size=(1000, 2))[group], rng.normal(size=(2000, 2))
        x = mixed(np.hstack([content, style]), 8)
        codes = MultiViewContrastive(n_codes=2, n_epochs=60).fit(x, groups=group).encode(x)
        assert held(content, codes, group) > 0.97
        assert held(style, codes, group) < 0.05

    @pytest.mark.slow
    def test_ivae_finds_sources_whose_law_changes(self):
        pytest.importorskip("torch")
        rng = np.random.default_rng(0)
        environment = rng.integers(20, size=3000)
        mean, scale = rng.uniform(-3, 3, size=(20, 2)), rng.uniform(0.3, 1.5, size=(20, 2))
        z = mean[environment] + scale[environment] * rng.normal(size=(3000, 2))
        x = mixed(z, 4)
        codes = IVAE(n_codes=2, n_epochs=40, n_starts=2).fit(x, environment=environment).encode(x)
        assert mcc(z, codes, **QUICK).value > 0.9

    @pytest.mark.slow
    def test_ivae_without_change_does_not(self):
        """The control: the same sources with environments that say nothing."""
        pytest.importorskip("torch")
        rng = np.random.default_rng(0)
        z = rng.normal(size=(2000, 2))
        codes = (
            IVAE(n_codes=2, n_epochs=20)
            .fit(mixed(z, 4), environment=rng.integers(20, size=2000))
            .encode(mixed(z, 4))
        )
        assert mcc(z, codes, **QUICK).value < 0.9

    @pytest.mark.slow
    def test_sparsity_aligns_codes_with_what_acts_on_separate_parts(self):
        pytest.importorskip("torch")
        rng = np.random.default_rng(0)
        z = rng.normal(size=(2000, 3))
        weights = rng.uniform(0.5, 2, size=12) * rng.choice([-1, 1], 12)
        x = np.column_stack([np.tanh(z[:, k // 4] * w) + 0.3 * z[:, k // 4] for k, w in enumerate(weights)])
        score = {
            lam: mcc(
                z, MechanismSparsity(n_codes=3, sparsity=lam, n_epochs=40).fit(x).encode(x), **QUICK
            ).value
            for lam in (0.0, 0.2)
        }
        assert score[0.2] > 0.93
        assert score[0.2] > score[0.0]

    @staticmethod
    def autoregression(noise, seed):
        """Return clips of three sources that follow from one another, and noise; and their mixture."""
        rng = np.random.default_rng(seed)
        clips, length = 400, 20
        weights = np.array([[0.8, 0.2, 0], [0, 0.5, 0.3], [-0.2, 0, -0.6]])
        z = np.zeros((clips, length, 3))
        z[:, 0] = rng.normal(size=(clips, 3))
        for t in range(1, length):
            z[:, t] = z[:, t - 1] @ weights.T + noise(rng, (clips, 3))
        z = z.reshape(-1, 3) / z.std(axis=(0, 1))
        side = {"groups": np.repeat(np.arange(clips), length), "time": np.tile(np.arange(length), clips)}
        return z, mixed(z, 3, seed, slope=0.5), side

    @pytest.mark.slow
    def test_tdrl_finds_sources_that_jump(self):
        """Shocks that are mostly absent: the clearest case. Independent components of single frames do worse."""
        pytest.importorskip("torch")

        def shocks(rng, shape):
            return (rng.random(shape) < 0.2) * rng.normal(size=shape) + 0.03 * rng.normal(size=shape)

        z, x, side = self.autoregression(shocks, seed=0)
        model = TDRL(n_codes=3, noise=0.1, window=3, learning_rate=5e-3, n_epochs=25).fit(x, **side)
        found, linear = (
            mcc(z, c, **QUICK).value for c in (model.encode(x), PCAICA(n_codes=3).fit(x).encode(x))
        )
        assert found > 0.97
        assert found > linear + 0.02

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", [0, 1])
    def test_tdrl_finds_sources_with_laplace_noise(self, seed):
        """A weaker case, where some starts end in mixtures: the one with the smallest loss is taken."""
        pytest.importorskip("torch")
        z, x, side = self.autoregression(lambda rng, shape: 0.5 * rng.laplace(size=shape), seed)
        model = TDRL(n_codes=3, noise=0.1, window=3, learning_rate=5e-3, n_epochs=40, n_starts=3).fit(
            x, **side
        )
        assert mcc(z, model.encode(x), **QUICK).value > 0.94


class TestHowTheyAreUsed:
    def test_seeds_decide_everything_and_torch_is_left_alone(self):
        torch = pytest.importorskip("torch")
        x = np.random.default_rng(0).normal(size=(200, 4))
        torch.manual_seed(5)
        before = torch.get_rng_state()
        one, two, other = (
            MechanismSparsity(n_codes=2, n_epochs=3, random_state=s).fit(x).encode(x) for s in (1, 1, 2)
        )
        assert torch.equal(before, torch.get_rng_state())
        np.testing.assert_array_equal(one, two)
        assert not np.allclose(one, other)

    def test_more_starts_never_end_with_a_larger_loss(self):
        pytest.importorskip("torch")
        x = np.random.default_rng(0).normal(size=(200, 4))
        losses = [
            MechanismSparsity(n_codes=2, n_epochs=3, n_starts=k, random_state=1).fit(x).history_[-1]
            for k in range(1, 7)
        ]
        assert losses == sorted(losses, reverse=True)
        assert len(set(losses)) < 6, "not every start is better than all before"

    def test_codes_do_not_depend_on_how_rows_are_batched(self):
        pytest.importorskip("torch")
        x = np.random.default_rng(0).normal(size=(1200, 4))
        model = RandomEncoder(n_codes=2).fit(x)
        parts = np.vstack([model.encode(x[:700]), model.encode(x[700:])])
        np.testing.assert_allclose(model.encode(x), parts, rtol=1e-5, atol=1e-6)

    def test_an_instance_has_its_numbers_in_every_call(self):
        model = IndexOnly(n_codes=3).fit()
        whole = model.encode(groups=[7, 7, 9, 8])
        np.testing.assert_array_equal(whole[2:3], model.encode(groups=[9]))
        assert (whole[0] != whole[3]).all()
        with pytest.raises(DataError, match="3 groups and 2 times"):
            model.encode(groups=[1, 2, 3], time=[0, 1])

    def test_columns_that_do_not_vary_are_left_alone(self):
        pytest.importorskip("torch")
        x = np.column_stack([np.random.default_rng(0).normal(size=20), np.full(20, 0.1)])
        model = RandomEncoder(n_codes=2).fit(x)
        assert model.scale_[1] == 1.0

    def test_environments_of_any_label(self):
        pytest.importorskip("torch")
        x = np.random.default_rng(0).normal(size=(6, 2))
        labels = np.array([1, "a", 1, "a", 2, 2], dtype=object)
        model = IVAE(n_codes=1, n_epochs=1).fit(x, environment=labels)
        assert len(model.environments_) == 3

    def test_pictures_and_sources_of_pictures(self):
        pytest.importorskip("torch")
        scene = make_scene("fall", n=40, views=2, size=32)
        pictures = scene.as_numpy()[1]
        for model, side in (
            (Supervised(n_epochs=1), {"factors": scene.latents, "factor_types": scene.factor_types}),
            (MultiViewContrastive(n_codes=3, n_epochs=1), {"groups": scene.groups}),
            (IVAE(n_codes=3, n_epochs=1), {"environment": scene.groups % 2}),
            (MechanismSparsity(n_codes=2, n_epochs=1), {}),
            (RandomEncoder(n_codes=3), {}),
        ):
            one = model.fit(pictures, **side).encode(pictures)
            other = model.fit(scene.images, **side).encode(scene.images)
            assert np.isfinite(one).all()
            np.testing.assert_array_equal(one, other)

    def test_windows_are_of_consecutive_frames_of_one_clip(self):
        from causalkit.evaluation.baselines._tdrl import make_windows

        clip = np.array([0, 1, 0, 1, 0, 1])
        time = np.array([2.0, 0, 0, 1, 1, 2])
        np.testing.assert_array_equal(make_windows(clip, time, 2), [[2, 4], [4, 0], [1, 3], [3, 5]])
        with pytest.raises(DataError, match="not equally far apart"):
            make_windows(clip, np.array([2.0, 0, 0, 1, 1, 3]), 2)
        with pytest.raises(DataError, match="no clip has 4"):
            make_windows(clip, time, 4)

    def test_the_density_of_a_transition(self):
        """It integrates to one over the next step, and with one normal law it is the density by hand."""
        torch = pytest.importorskip("torch")
        from scipy import stats

        from causalkit.evaluation.baselines._tdrl import transition_log_density, transition_network

        torch.manual_seed(0)
        transition = transition_network(1, 1, 8)
        for values in transition["noise"].values():
            values.data += 0.5 * torch.randn_like(values)
        grid = np.linspace(-20, 20, 8001)
        windows = torch.as_tensor(np.stack([np.full(8001, 0.7), grid], axis=1)[..., None]).float()
        density = transition_log_density(windows, transition, 1).detach().numpy() - stats.norm.logpdf(0.7)
        assert np.trapezoid(np.exp(density), grid) == pytest.approx(1, abs=1e-3)
        law = transition["noise"]
        law["weight"].data[:] = torch.tensor([[0.0, -99, -99, -99, -99]])
        place, log_scale = transition["past"](torch.tensor([[0.7]])).detach().numpy()[0]
        mean, log_variance = (float(law[name].data[0, 0]) for name in ("mean", "log_variance"))
        found = transition_log_density(windows, transition, 1).detach().numpy() - stats.norm.logpdf(0.7)
        expected = stats.norm.logpdf(
            grid, loc=place + np.exp(log_scale) * mean, scale=np.exp(log_scale + log_variance / 2)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)

    def test_the_derivatives_of_a_decoder(self):
        torch = pytest.importorskip("torch")
        from causalkit.evaluation.baselines._mechanism_sparsity import absolute_derivatives

        weights = np.random.default_rng(0).normal(size=(3, 2))
        z = torch.tensor([[0.3, -1.0], [0.0, 2.0]], requires_grad=True)
        decoded = torch.sin(z) @ torch.as_tensor(weights.T, dtype=torch.float32)
        expected = (np.abs(weights)[None] * np.abs(np.cos(z.detach().numpy()))[:, None, :]).sum(axis=(1, 2))
        np.testing.assert_allclose(absolute_derivatives(decoded, z).detach().numpy(), expected, rtol=1e-5)


class TestBadInput:
    def test_what_comes_and_what_is_allowed(self):
        pytest.importorskip("torch")
        x = np.random.default_rng(0).normal(size=(50, 4))
        for call, error, message in (
            (lambda: RandomEncoder().encode(x), ParameterError, "call fit first"),
            (lambda: RandomEncoder(n_codes=0).fit(x), ParameterError, "n_codes"),
            (lambda: RandomEncoder().fit(np.zeros((5, 3, 3))), DataError, "give pictures"),
            (lambda: RandomEncoder().fit(np.array([["a"]])), DataError, "give pictures"),
            (lambda: RandomEncoder().fit(np.where(x > 2, np.nan, x)), DataError, "not finite"),
            (lambda: RandomEncoder().fit(np.zeros((0, 4))), DataError, "no rows"),
            (lambda: RandomEncoder().fit(x).encode(x[:, :3]), DataError, "fitted were"),
            (lambda: IVAE(n_codes=2).fit(x, environment=np.zeros(50)), DataError, "one environment"),
            (lambda: IVAE(n_codes=2).fit(x, environment=np.zeros(4)), DataError, "50 rows"),
            (lambda: IVAE(n_codes=2, noise=0).fit(x, environment=np.arange(50) % 2), ParameterError, "noise"),
            (lambda: MultiViewContrastive().fit(x, groups=np.arange(50)), DataError, "two rows each"),
            (lambda: Supervised(n_epochs=1).fit(x, factors=x[:9]), DataError, "9 rows of factors"),
            (
                lambda: TDRL(lag=3, window=2).fit(x, groups=np.zeros(50), time=np.arange(50)),
                ParameterError,
                "window",
            ),
            (
                lambda: MechanismSparsity(n_codes=2).fit(np.zeros((4, 20, 20, 3), dtype=np.uint8)),
                DataError,
                "multiples of 16",
            ),
            (
                lambda: MechanismSparsity(n_codes=2, learning_rate=9.0, n_epochs=9, noise=1e-9).fit(x),
                DataError,
                "diverged",
            ),
            (lambda: PCAICA(n_codes=9).fit(x), ParameterError, "at most 4"),
            (lambda: PCAICA(n_codes=4).fit(x @ np.diag([1, 1, 0, 0])), ParameterError, "2 directions"),
            (lambda: PCAICA(n_codes=1).fit(x[:1]), DataError, "one row"),
            (lambda: PCAICA(n_codes=1).fit(x).encode(x[:, :3]), DataError, "3 numbers; fitted were 4"),
            (
                lambda: (
                    GeneralizedCCA(n_codes=1)
                    .fit(x, groups=np.arange(50) // 2, views=np.arange(50) % 2)
                    .encode(x[:, :3], views=np.arange(50) % 2)
                ),
                DataError,
                "3 numbers; fitted were 4",
            ),
            (lambda: IndexOnly().fit().encode(time=["a", "b"]), DataError, "one finite number per row"),
            (lambda: IndexOnly().fit().encode(time=[0.0, np.nan]), DataError, "one finite number per row"),
            (lambda: MechanismSparsity(n_codes=1, batch_size=1).fit(x), ParameterError, "batch_size"),
            (lambda: Supervised(n_epochs=1).fit(x, factors=np.ones((50, 2))), DataError, "no factor varies"),
            (
                lambda: GeneralizedCCA(n_codes=3).fit(
                    x[:, :1], groups=np.arange(50) // 2, views=np.arange(50) % 2
                ),
                ParameterError,
                "rows have 1 numbers",
            ),
            (lambda: IndexOnly().fit().encode(), ParameterError, "groups, time or both"),
        ):
            with pytest.raises(error, match=message):
                call()
