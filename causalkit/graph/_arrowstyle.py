"""An arrow style for matplotlib that can end a line in an arrowhead, an open circle or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.patches import ArrowStyle
from matplotlib.path import Path

from causalkit.graph._marks import Mark


class EndMarks(ArrowStyle._Base):
    """Marks at the two ends of a line.

    Parameters
    ----------
    mark_u, mark_v : Mark
        The mark at the beginning and at the end.
    """

    def __init__(self, mark_u: Mark, mark_v: Mark) -> None:
        self.mark_u, self.mark_v = mark_u, mark_v

    def transmute(  # type: ignore[override]
        self,
        path: Any,
        mutation_size: float,
        linewidth: float,  # noqa: ARG002
    ) -> tuple[list[Path], list[bool]]:
        """Return the shortened line and the shapes at its ends, and which of them are filled."""
        line = path.interpolated(1).cleaned()
        vertices = np.array(line.vertices[:-1] if line.codes[-1] == Path.STOP else line.vertices)
        codes = line.codes[: len(vertices)]
        head, vertices[-1] = _shape(vertices[-1], vertices[-2], self.mark_v, mutation_size)
        tail, vertices[0] = _shape(vertices[0], vertices[1], self.mark_u, mutation_size)
        shapes = [shape for shape in (tail, head) if shape is not None]
        filled = [mark is Mark.ARROW for mark in (self.mark_u, self.mark_v) if mark is not Mark.TAIL]
        return [Path(vertices, codes), *shapes], [False, *filled]


def _shape(end: Any, before: Any, mark: Mark, size: float) -> tuple[Path | None, Any]:
    """Return the shape at an end of a line, and where the line itself has to stop."""
    away = before - end
    unit = away / (np.hypot(*away) or 1.0)
    if mark is Mark.ARROW:
        across = np.array([-unit[1], unit[0]]) * size * 0.3
        base = end + unit * size * 0.7
        return Path([end, base + across, base - across, end], [1, 2, 2, 79]), base
    if mark is Mark.CIRCLE:
        radius = size * 0.26
        return Path.circle(end + unit * radius, radius), end + unit * 2 * radius
    return None, end
