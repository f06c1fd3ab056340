"""The pendulum: its law by geometry, its pictures by what they show, and exact counterfactuals."""

from __future__ import annotations

import numpy as np
import pytest

from causalkit.datasets import list_scenes, make_pendulum
from causalkit.exceptions import ParameterError


def test_the_shadow_is_where_the_picture_shows_it():
    """Dark pixels on the ground span the length around the position."""
    scene = make_pendulum(40, size=256)
    for k in range(40):
        picture = scene.images.read(np.array([k]))[0].astype(int)
        row = round((1 + 0.7) / 2 * 256)
        dark = np.flatnonzero(picture[row].sum(axis=1) < 250)
        x = (dark + 0.5) / 256 * 2 - 1
        assert x.mean() == pytest.approx(scene.latents.position[k], abs=0.02)
        assert np.ptp(x) == pytest.approx(scene.latents.length[k] + 0.06, abs=0.03)


def test_known_values():
    """Light from above: the shadow reaches from under the pivot to under the ball."""
    scene = make_pendulum(5, ranges={"phi": (0.0, 0.0), "theta": (30.0, 30.0)})
    np.testing.assert_allclose(scene.latents.length, 0.8 * 0.5)
    np.testing.assert_allclose(scene.latents.position, 0.2)


def test_counterfactuals_keep_the_noise():
    scene = make_pendulum(50, noise=0.1)
    same = scene.counterfactual({"theta": scene.latents.theta.to_numpy()})
    np.testing.assert_allclose(same.latents, scene.latents)
    other = scene.counterfactual({"phi": 0.0})
    assert (other.latents.theta == scene.latents.theta).all()
    assert (other.latents.length != scene.latents.length).all()


def test_it_is_no_scene_of_causalverse():
    assert "pendulum" not in list_scenes()
    assert make_pendulum(3).graph.has_directed_edge("phi", "length")
    with pytest.raises(ParameterError, match="no free factor of 'pendulum'"):
        make_pendulum(3, ranges={"length": (0, 1)})
