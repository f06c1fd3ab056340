r"""A pendulum and its shadow: two free angles, and a shadow that follows from both by projection.

With the pivot at height P over the ground, a rod of length L at the angle :math:`\theta` to the vertical, and light that falls at the angle :math:`\phi`, a point (x, y) throws its shadow at
:math:`x + y \tan\phi`. So the shadows of pivot and ball lie at

.. math:: s_1 = P \tan\phi, \qquad s_2 = L \sin\theta + (P - L \cos\theta) \tan\phi ,

and the shadow of the pendulum has the position :math:`(s_1 + s_2) / 2` and the length :math:`|s_2 - s_1|`. The scene is known from CausalVAE; sizes, ranges and pictures here are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from causalkit._random import Seed
from causalkit.datasets._manifest import Factor, SceneInfo
from causalkit.datasets._miniature import generate
from causalkit.datasets._scene_data import SceneData
from causalkit.graph import CausalGraph

__all__ = ["make_pendulum"]

ARROWS = tuple((cause, effect, "geometry") for cause in ("theta", "phi") for effect in ("position", "length"))


@cache
def pendulum_info() -> SceneInfo:
    """Return what is known of the scene: all of it."""
    factors = (
        Factor("theta", "angle", "exogenous", "degree", "of the rod to the vertical"),
        Factor("phi", "angle", "exogenous", "degree", "of the light to the vertical"),
        Factor("position", "number", "derived", "half widths of the picture", "middle of the shadow"),
        Factor("length", "number", "derived", "half widths of the picture", "of the shadow"),
    )
    text = "theta, phi, position, length; " + "; ".join(f"{a} -> {b}" for a, b, _ in ARROWS)
    plain = CausalGraph.parse(text, kind="DAG")
    return SceneInfo(
        name="pendulum",
        title="Pendulum and shadow",
        domain="generated",
        kind="image",
        n_latents=4,
        factors=factors,
        law="Projection along the light; see causalkit.datasets.make_pendulum.",
        graph=CausalGraph(
            plain.kind, plain.nodes, plain.marks, node_data={f.name: {"factor": f.role} for f in factors}
        ),
        known_edges=ARROWS,
        rows=None,
        views=None,
        gigabytes=None,
        hub=None,
        split=None,
        media="drawn",
        sentinels={},
        notes=(),
        licence="that of causalkit",
        citation="After M. Yang et al., CausalVAE, CVPR 2021.",
    )


def make_pendulum(
    n: int = 1000,
    *,
    views: int = 1,
    levels: int | None = None,
    noise: float = 0.0,
    size: int = 64,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    rng: Seed = 0,
) -> SceneData:
    """Generate pictures of a pendulum and its shadow, with their factors and graph.

    Parameters
    ----------
    n : int, default=1000
        Instances; each has `views` rows.
    views : int, default=1
        Cameras, 1 to 4.
    levels : int or None, default=None
        Free angles lie on a grid of so many values; None draws them from the whole range.
    noise : float, default=0.0
        Standard deviation of the logarithm of a factor by which position and length are multiplied.
    size : int, default=64
        Height and width of pictures in pixels.
    ranges : mapping of str to (float, float), optional
        Other ranges of ``theta`` and ``phi``, in degrees.
    rng : int, numpy.random.Generator or None, default=0
        Seed.

    Returns
    -------
    SceneData
        As for :func:`make_scene`; counterfactuals are exact.

    References
    ----------
    M. Yang, F. Liu, Z. Chen, X. Shen, J. Hao, J. Wang, "CausalVAE: disentangled representation learning via neural structural causal models", CVPR 2021, section 6
    (the scene).

    Examples
    --------
    >>> from causalkit.datasets import make_pendulum
    >>> data = make_pendulum(100)
    >>> data.graph.parents("length"), data.as_numpy()[1].shape
    (('theta', 'phi'), (100, 64, 64, 3))
    """
    return generate(
        pendulum_info(), n, views=views, levels=levels, noise=noise, size=size, ranges=ranges, rng=rng
    )
