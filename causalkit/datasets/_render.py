"""Small pictures of the four physics scenes, drawn from their factors with NumPy.

They are not like the published renderings. They show every free factor, from four views, in any size and number, at once: enough for an encoder to have something
to recover, in tests and examples. A shape is the set where a distance is negative; its edge is softened over a pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.datasets._laws import LAWS, PIVOT, ROD

Floats: TypeAlias = NDArray[np.float64]
Values: TypeAlias = Mapping[str, Floats]
Images: TypeAlias = NDArray[np.uint8]
Color: TypeAlias = tuple[float, float, float] | Floats

BATCH = 64
# Mirror, zoom and daylight of every view.
VIEWS = ((1.0, 1.0, 1.0), (-1.0, 1.0, 0.9), (1.0, 0.8, 0.8), (-1.0, 0.8, 1.05))


@dataclass
class Canvas:
    """Pictures of some rows, with the coordinates of pixels: x to the right and y upwards, from -1 to 1 in the first view."""

    x: Floats
    y: Floats
    colors: Floats
    pixel: float

    @classmethod
    def blank(cls, view: NDArray[np.intp], size: int) -> Canvas:
        """Return a sky, as every view sees it."""
        mirror, zoom, light = (
            np.array([v[k] for v in VIEWS])[view % len(VIEWS), None, None] for k in range(3)
        )
        line = (np.arange(size) + 0.5) / size * 2 - 1
        x, y = np.broadcast_arrays(line[None, None, :] * mirror / zoom, -line[None, :, None] / zoom)
        sky = np.stack([0.75 + 0.1 * y, 0.82 + 0.08 * y, 0.9 + 0.05 * y], axis=-1) * light[..., None]
        return cls(x, y, sky, 2 / size)

    def paint(self, distance: Floats, color: Color) -> None:
        """Paint where a distance is negative; a color is one for all pictures, or one row each."""
        cover = np.clip(0.5 - distance / self.pixel, 0, 1)[..., None]
        shade = np.broadcast_to(np.asarray(color, dtype=float), (len(self.x), 3))[:, None, None, :]
        self.colors += cover * (shade - self.colors)

    def disc(self, cx: Floats | float, cy: Floats | float, radius: Floats | float) -> Floats:
        """Return the distance to a disc."""
        return np.hypot(self.x - _column(cx), self.y - _column(cy)) - _column(radius)

    def box(
        self, cx: Floats | float, cy: Floats | float, half_width: Floats | float, half_height: Floats | float
    ) -> Floats:
        """Return the distance to a box, by half its sides."""
        return np.maximum(
            np.abs(self.x - _column(cx)) - _column(half_width),
            np.abs(self.y - _column(cy)) - _column(half_height),
        )

    def stroke(
        self, ax: Floats | float, ay: Floats | float, bx: Floats | float, by: Floats | float, width: float
    ) -> Floats:
        """Return the distance to a line of some width from one point to another."""
        ax, ay, dx, dy = _column(ax), _column(ay), _column(bx) - _column(ax), _column(by) - _column(ay)
        px, py = self.x - ax, self.y - ay
        along = np.clip((px * dx + py * dy) / np.maximum(dx**2 + dy**2, 1e-12), 0, 1)
        return np.hypot(px - along * dx, py - along * dy) - width

    def below(self, slope: Floats, through: tuple[float, float]) -> Floats:
        """Return the distance to the half-plane under a line of some slope."""
        angle = np.arctan(_column(slope))
        return (self.y - through[1]) * np.cos(angle) - (self.x - through[0]) * np.sin(angle)


def _column(value: Floats | float) -> Floats:
    return np.reshape(np.asarray(value, dtype=float), (-1, 1, 1))


def _blend(share: Floats, low: tuple[float, float, float], high: tuple[float, float, float]) -> Floats:
    return np.asarray(low + share[:, None] * (np.asarray(high) - np.asarray(low)))


def _place(scene: str, name: str, values: Values) -> Floats:
    """Return where a free factor stands in its range, from 0 to 1."""
    low, high = LAWS[scene].ranges[name]
    return np.clip((values[name] - low) / (high - low), 0, 1)


def _fall(canvas: Canvas, v: Values) -> None:
    """A ball in the height from which it falls, over clay as dark as it is tough, with the dent that it will make."""
    tough, radius = _place("fall", "u", v), 0.35 * v["r"]
    canvas.paint(canvas.box(0, -1.5, 2, 1), _blend(tough, (0.9, 0.75, 0.55), (0.35, 0.2, 0.12)))
    deep = np.minimum(0.06 * v["h2"], 0.24)
    canvas.paint(canvas.box(0, -0.5 - deep, radius, deep), (0.12, 0.1, 0.1))
    canvas.paint(canvas.disc(0, -0.45 + 0.3 * v["h1"], radius), (0.75, 0.15, 0.15))


def _spring(canvas: Canvas, v: Values) -> None:
    """A cylinder that presses a spring down; stiff springs are dark."""
    stiff = _place("spring", "k", v)
    top = 0.35 - 0.3 * np.minimum(v["l"], 3.5)
    canvas.paint(canvas.box(0, -1.87, 2, 1), (0.4, 0.4, 0.42))
    canvas.paint(
        canvas.box(0, (top - 0.87) / 2, 0.12, (top + 0.87) / 2),
        _blend(stiff, (0.8, 0.8, 0.85), (0.15, 0.15, 0.3)),
    )
    canvas.paint(canvas.box(0, top + 0.3 * v["h"], 0.9 * v["r"], 0.3 * v["h"]), (0.2, 0.45, 0.3))


def _slope(canvas: Canvas, v: Values) -> None:
    """A slope as grey as it is rough, the ball where it comes to rest, and a bar as long as its speed at the start."""
    rise = np.tan(np.radians(v["theta"]))
    canvas.paint(
        canvas.below(rise, (-0.6, -0.6)),
        _blend(_place("slope", "roughness", v), (0.85, 0.85, 0.8), (0.3, 0.3, 0.28)),
    )
    canvas.paint(canvas.box(0, -1.6, 2, 1), (0.45, 0.5, 0.42))
    angle, way = np.radians(v["theta"]), 0.25 * np.minimum(v["l"], 6.0)
    canvas.paint(
        canvas.disc(
            -0.6 + way * np.cos(angle) - 0.1 * np.sin(angle),
            -0.6 + way * np.sin(angle) + 0.1 * np.cos(angle),
            0.1,
        ),
        (0.8, 0.3, 0.1),
    )
    canvas.paint(canvas.stroke(-0.8, -0.8, -0.8 + 0.15 * v["v0"], -0.8, 0.04), (0.1, 0.2, 0.7))


def _refraction(canvas: Canvas, v: Values) -> None:
    """A ray that enters a medium as blue as it is dense."""
    dense = _place("refraction", "n1", v)
    canvas.paint(canvas.box(0, -1, 2, 1), _blend(dense, (0.75, 0.85, 0.9), (0.1, 0.3, 0.6)))
    into, out = np.radians(v["theta1"]), np.radians(np.clip(v["theta2"], 0, 90))
    canvas.paint(canvas.stroke(-0.9 * np.sin(into), 0.9 * np.cos(into), 0, 0, 0.03), (0.9, 0.2, 0.1))
    canvas.paint(canvas.stroke(0, 0, 0.9 * np.sin(out), -0.9 * np.cos(out), 0.03), (0.9, 0.4, 0.1))


def _pendulum(canvas: Canvas, v: Values) -> None:
    """A rod with a ball over the ground, the sun where the light comes from, and the shadow."""
    ground, theta, phi = -0.7, np.radians(v["theta"]), np.radians(v["phi"])
    canvas.paint(canvas.box(0, ground - 1, 2, 1), (0.75, 0.7, 0.55))
    left = v["position"] - v["length"] / 2
    canvas.paint(
        canvas.stroke(left, ground, left + v["length"], ground, 0.03),
        (0.15, 0.15, 0.15),
    )
    ball = ROD * np.sin(theta), ground + PIVOT - ROD * np.cos(theta)
    canvas.paint(canvas.stroke(0, ground + PIVOT, *ball, 0.02), (0.3, 0.3, 0.3))
    canvas.paint(canvas.disc(*ball, 0.1), (0.75, 0.15, 0.15))
    sun = 0.9 - (ground + PIVOT)
    canvas.paint(canvas.disc(-sun * np.tan(phi), 0.9, 0.08), (0.95, 0.8, 0.1))


DRAWERS: dict[str, Callable[[Canvas, Values], None]] = {
    "fall": _fall,
    "pendulum": _pendulum,
    "refraction": _refraction,
    "slope": _slope,
    "spring": _spring,
}


def render(scene: str, values: Values, view: NDArray[np.intp], size: int) -> Images:
    """Draw rows of factors, shape (n, size, size, 3)."""
    out = np.empty((len(view), size, size, 3), dtype=np.uint8)
    for first in range(0, len(view), BATCH):
        rows = slice(first, first + BATCH)
        canvas = Canvas.blank(view[rows], size)
        DRAWERS[scene](canvas, {name: column[rows] for name, column in values.items()})
        out[rows] = np.rint(np.clip(canvas.colors, 0, 1) * 255)
    return out
