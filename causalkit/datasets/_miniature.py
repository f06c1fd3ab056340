"""Miniatures of the four physics scenes of CausalVerse: the same factors, laws and graph, pictures of our own, in any number, without a download."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed, as_generator
from causalkit._validation import check_between, check_count
from causalkit.datasets._images import Rendered
from causalkit.datasets._laws import LAWS
from causalkit.datasets._manifest import SceneInfo, describe
from causalkit.datasets._reading import require_pandas
from causalkit.datasets._scene_data import SceneData
from causalkit.exceptions import DataError, ParameterError

__all__ = ["make_scene"]

Floats = NDArray[np.float64]
MINIATURES = ("fall", "refraction", "slope", "spring")


def make_scene(
    scene: str,
    n: int = 1000,
    *,
    views: int = 4,
    levels: int | None = 10,
    noise: float = 0.0,
    size: int = 64,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    rng: Seed = 0,
) -> SceneData:
    """Generate a small version of a physics scene, with pictures that are drawn when they are asked for.

    Parameters
    ----------
    scene : {"fall", "refraction", "slope", "spring"}
        Which one.
    n : int, default=1000
        Instances; each has `views` rows.
    views : int, default=4
        Cameras, 1 to 4.
    levels : int or None, default=10
        Free factors lie on a grid of so many values, so that exact counterfactuals are among the rows; None draws them from the whole range.
    noise : float, default=0.0
        Standard deviation of the logarithm of a factor by which every derived factor is multiplied. 0 makes them functions of the others, as in the published
        data; tests of independence need some.
    size : int, default=64
        Height and width of pictures in pixels.
    ranges : mapping of str to (float, float), optional
        Other ranges of free factors, for environments that differ.
    rng : int, numpy.random.Generator or None, default=0
        Seed.

    Returns
    -------
    SceneData
        Factors, graph, views, groups and pictures.

    Raises
    ------
    ParameterError
        If there is no such scene, or a range is not of a free factor.

    Notes
    -----
    Laws are those that third parties found in the published data (:func:`describe` says how sure each is); constants that are not known, ranges and pictures
    are ours. With noise the angle of refraction is kept below 90 degrees.

    Examples
    --------
    >>> from causalkit.datasets import make_scene
    >>> data = make_scene("spring", n=200, rng=1)
    >>> sorted(data.graph.parents("l")), data.as_numpy([0, 1])[1].shape
    (['k', 'm'], (2, 64, 64, 3))
    """
    if scene not in MINIATURES:
        raise ParameterError(f"there is no miniature of {scene!r}; there are {', '.join(MINIATURES)}")
    return generate(
        describe(scene), n, views=views, levels=levels, noise=noise, size=size, ranges=ranges, rng=rng
    )


def generate(
    info: SceneInfo,
    n: int,
    *,
    views: int,
    levels: int | None,
    noise: float,
    size: int,
    ranges: Mapping[str, tuple[float, float]] | None,
    rng: Seed,
) -> SceneData:
    """Draw free factors and noise of a scene whose law is known."""
    require_pandas()
    scene = info.name
    check_count("n", n)
    check_count("size", size, least=4)
    check_between("noise", noise, -1e-12, 1)
    if not 1 <= check_count("views", views) <= 4:
        raise ParameterError(f"views is {views}; a scene has 1 to 4")
    law, generator = LAWS[scene], as_generator(rng)
    bounds = {**law.ranges, **_read_ranges(scene, ranges)}
    free = {name: _draw(generator, n, *bounds[name], levels) for name in law.ranges}
    factors_of_noise = {name: np.exp(noise * generator.normal(size=n)) for name in law.equations}
    instance = np.repeat(np.arange(n), views)
    return build_scene(
        info,
        {name: column[instance] for name, column in free.items()},
        {name: column[instance] for name, column in factors_of_noise.items()},
        np.tile(np.arange(views), n),
        instance,
        size,
    )


def build_scene(
    info: SceneInfo,
    free: Mapping[str, Floats],
    noise: Mapping[str, Floats],
    views: NDArray[np.intp],
    groups: NDArray[np.intp],
    size: int,
    fixed: Mapping[str, Floats] | None = None,
) -> SceneData:
    """Derive all factors and put the scene together."""
    import pandas as pd

    values = LAWS[info.name].derive(free, noise, fixed)
    if "theta2" in values and "theta2" not in (fixed or {}):
        values["theta2"] = np.minimum(values["theta2"], 89.9)
    for name, column in values.items():
        if not np.isfinite(column).all():
            raise DataError(
                f"{name!r} is not finite in row {int(np.flatnonzero(~np.isfinite(column))[0])}; the law does not reach these values"
            )
    latents = pd.DataFrame({f.name: values[f.name] for f in info.factors})
    return SceneData(info, latents, views, groups, Rendered(info.name, values, views, size), dict(noise))


def _read_ranges(
    scene: str, ranges: Mapping[str, tuple[float, float]] | None
) -> dict[str, tuple[float, float]]:
    for name, bounds in (ranges or {}).items():
        if name not in LAWS[scene].ranges:
            raise ParameterError(
                f"{name!r} is no free factor of {scene!r}; those are {', '.join(LAWS[scene].ranges)}"
            )
        if np.shape(bounds) != (2,) or not bounds[0] <= bounds[1]:
            raise ParameterError(f"the range of {name!r} is {bounds}; give (smallest, largest)")
    return dict(ranges or {})


def _draw(rng: np.random.Generator, n: int, low: float, high: float, levels: int | None) -> Floats:
    if levels is None:
        return rng.uniform(low, high, size=n)
    return np.linspace(low, high, check_count("levels", levels))[rng.integers(levels, size=n)]
