"""The laws of the four physics scenes of CausalVerse, as far as they are known, with constants of our own where they are not.

Each law is a structural model: free factors with ranges, and equations in causal order. With ``noise`` a derived factor is multiplied by exp(noise * e), e standard
normal, which makes discovery well posed; without it derived factors are functions of the others, as in the published data. The noise of every row is kept, so
that a counterfactual is computed exactly: the same noise, one factor set, what follows from it recomputed (abduction, action, prediction).

Ranges are ours: those of the published data are not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["LAWS", "Law"]

Floats: TypeAlias = NDArray[np.float64]
Values: TypeAlias = Mapping[str, Floats]
GRAVITY = 9.81


@dataclass(frozen=True)
class Law:
    """A structural model of factors.

    Parameters
    ----------
    ranges : mapping of str to (float, float)
        Smallest and largest value of every free factor.
    equations : mapping of str to callable
        Derived factors in causal order, as functions of those before.
    """

    ranges: Mapping[str, tuple[float, float]]
    equations: Mapping[str, Callable[[Values], Floats]]

    def derive(
        self, free: Values, noise: Values | None = None, fixed: Values | None = None
    ) -> dict[str, Floats]:
        """Return all factors, from the free ones, factors of noise, and factors that are set from outside.

        Values that the law does not reach are not finite.
        """
        values = {**free, **{name: v for name, v in (fixed or {}).items() if name in free}}
        with np.errstate(invalid="ignore", divide="ignore"):
            for name, equation in self.equations.items():
                if fixed is not None and name in fixed:
                    values[name] = fixed[name]
                else:
                    values[name] = equation(values) * (1.0 if noise is None else noise[name])
        return values


def _fall_depth(v: Values) -> Floats:
    return 553.3986 * np.sqrt(v["h1"]) * v["r"] ** 3 / v["u"]


def _slope_way(v: Values) -> Floats:
    angle = np.radians(v["theta"])
    return np.asarray(v["v1"] ** 2 / (2 * GRAVITY * (np.sin(angle) + v["mu_2"] * np.cos(angle))))


ROD, PIVOT = 0.8, 1.2


def _shadows(v: Values) -> tuple[Floats, Floats]:
    """Return where pivot and ball throw their shadows."""
    theta, slant = np.radians(v["theta"]), np.tan(np.radians(v["phi"]))
    return PIVOT * slant, ROD * np.sin(theta) + (PIVOT - ROD * np.cos(theta)) * slant


def _refracted(v: Values) -> Floats:
    """Snell's law, for light that comes from air into a medium of index n1."""
    return np.degrees(np.arcsin(np.sin(np.radians(v["theta1"])) / v["n1"]))


LAWS: Mapping[str, Law] = MappingProxyType(
    {
        "fall": Law(
            {"h1": (1.0, 4.0), "r": (0.2, 0.5), "u": (20.0, 60.0)},
            {"h2": _fall_depth},
        ),
        "pendulum": Law(
            {"theta": (5.0, 45.0), "phi": (-30.0, 0.0)},
            {
                "position": lambda v: np.asarray(sum(_shadows(v)) / 2),
                "length": lambda v: np.abs(np.subtract(*_shadows(v))),
            },
        ),
        "refraction": Law(
            {"theta1": (10.0, 70.0), "n1": (1.1, 2.2)},
            {"theta2": _refracted},
        ),
        "slope": Law(
            {"roughness": (0.0, 1.0), "theta": (15.0, 45.0), "v0": (6.0, 9.0)},
            {
                "mu_1": lambda v: 0.1 + 0.3 * v["roughness"],
                "mu_2": lambda v: 0.05 + 0.2 * v["roughness"],
                "v1": lambda v: v["v0"] - GRAVITY * v["mu_1"],
                "l": _slope_way,
            },
        ),
        "spring": Law(
            {"h": (0.3, 1.0), "r": (0.2, 0.5), "k": (2.0, 8.0)},
            {
                "m": lambda v: np.pi * v["r"] ** 2 * v["h"],
                "l": lambda v: GRAVITY * v["m"] / v["k"],
            },
        ),
    }
)
