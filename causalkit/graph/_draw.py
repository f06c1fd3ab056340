"""A drawing of a graph on matplotlib axes, with the same layout and the same marks as the SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from causalkit.exceptions import GraphError
from causalkit.graph._edges import Edge
from causalkit.graph._layout import Layout, Point, layered_layout
from causalkit.graph._marks import Mark
from causalkit.graph._svg import is_bow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from causalkit.graph._core import GraphCore

INK = "#333333"
# Edges are drawn after the nodes: an arrow is cut at the border of its node, and that is known once the node is drawn.
NODES, EDGES = 2, 3


def draw(
    graph: GraphCore,
    ax: Axes | None,
    layout: str | Mapping[str, Point] | Callable[[Any], Mapping[str, Point]],
) -> Axes:
    """Draw a graph and return the axes."""
    import matplotlib.pyplot as plt

    plan = _plan(graph, layout)
    places = {name: (x, -y) for name, (x, y) in plan.position.items()}
    if ax is None:
        xs = [x for x, _ in places.values()] or [0.0]
        ys = [y for _, y in places.values()] or [0.0]
        size = (min(22.0, 2.0 + 1.5 * (max(xs) - min(xs))), min(16.0, 1.5 + 1.0 * (max(ys) - min(ys))))
        _, ax = plt.subplots(figsize=size)
        ax.set_position((0.0, 0.0, 1.0, 1.0))
    boxes = {name: _node(graph, ax, name, places[name]) for name in graph.nodes}
    for edge in graph.edges:
        _edge(
            ax,
            edge,
            boxes,
            places,
            [(x, -y) for x, y in plan.bends_of(edge.u, edge.v)],
            bow=is_bow(graph, edge),
        )
    ax.margins(0.12, 0.16)
    ax.set_axis_off()
    return ax


def _plan(
    graph: GraphCore, layout: str | Mapping[str, Point] | Callable[[Any], Mapping[str, Point]]
) -> Layout:
    if layout == "layered":
        return layered_layout(graph)
    if isinstance(layout, str):
        msg = f"unknown layout {layout!r}; allowed are 'layered', a mapping from node to (x, y), or a function of the graph"
        raise GraphError(msg)
    given = layout(graph) if callable(layout) else layout
    missing = [name for name in graph.nodes if name not in given]
    if missing:
        msg = f"the layout has no position for {', '.join(map(repr, missing[:5]))}"
        raise GraphError(msg)
    return Layout({name: (float(given[name][0]), -float(given[name][1])) for name in graph.nodes}, {})


def _node(graph: GraphCore, ax: Axes, name: str, at: Point) -> Any:
    role = graph.node_data.get(name, {}).get("role", "system")
    pad = 0.4 if len(name) > 1 else 0.6
    style = f"square,pad={pad}" if role == "context" else f"round,pad={pad},rounding_size=0.9"
    ax.plot(*at, alpha=0.0)
    return ax.text(
        *at,
        name.replace("$", r"\$"),
        ha="center",
        va="center",
        fontsize=10,
        zorder=NODES,
        bbox={
            "boxstyle": style,
            "facecolor": "#dcdcdc" if role == "context" else "#f6f6f6",
            "edgecolor": INK,
            "linestyle": "--" if role == "latent" else "-",
        },
    )


def _edge(
    ax: Axes, edge: Edge, boxes: dict[str, Any], places: dict[str, Point], bends: list[Point], *, bow: bool
) -> None:
    """Draw an edge as a line clipped at the two boxes, then a mark at either end."""
    from matplotlib.patches import FancyArrowPatch

    line: Any = (0, (5, 3)) if edge.data.get("source") in ("knowledge", "llm") else "-"
    line = (0, (1, 3)) if edge.data.get("rule") == "ambiguous" else line
    width = 1.1 + 2.0 * min(1.0, abs(float(edge.data.get("strength", 0.0) or 0.0)))
    common: dict[str, Any] = {
        "color": INK,
        "linewidth": width,
        "linestyle": line,
        "shrinkA": 1,
        "shrinkB": 1,
        "zorder": EDGES,
    }
    start, end = places[edge.u], places[edge.v]
    points = [start, *bends, end]
    if not bends or bow:
        level = abs(start[1] - end[1]) < 1e-9
        style = "arc3,rad=0.25" if level or bow else "arc3,rad=0"
        arrow = FancyArrowPatch(
            start,
            end,
            arrowstyle=_style(edge.mark_u, edge.mark_v),
            connectionstyle=style,
            mutation_scale=14,
            patchA=boxes[edge.u].get_bbox_patch(),
            patchB=boxes[edge.v].get_bbox_patch(),
            **common,
        )
        ax.add_patch(arrow)
        return
    inner = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairwise(points[1:-1])]
    _curve(ax, edge, points, inner, boxes, common)


def _curve(
    ax: Axes,
    edge: Edge,
    points: list[Point],
    inner: list[Point],
    boxes: dict[str, Any],
    common: dict[str, Any],
) -> None:
    """Draw a long edge as quadratic curves through the middles of its inner pieces, with marks on the outer ones."""
    from matplotlib.patches import FancyArrowPatch, PathPatch
    from matplotlib.path import Path

    first, last = _near(points[0], points[1]), _near(points[-1], points[-2])
    route = [first]
    for bend, stop in zip(points[1:-1], [*inner, last], strict=True):
        route += [bend, stop]
    codes = [Path.MOVETO] + [Path.CURVE3] * (len(route) - 1)
    line = {k: common[k] for k in ("linewidth", "linestyle")}
    ax.add_patch(PathPatch(Path(route, codes), fill=False, edgecolor=INK, zorder=1, **line))
    for name, outer, near, mark in (
        (edge.u, points[0], first, edge.mark_u),
        (edge.v, points[-1], last, edge.mark_v),
    ):
        style = _style(Mark.TAIL, mark)
        box = boxes[name].get_bbox_patch()
        ax.add_patch(FancyArrowPatch(near, outer, arrowstyle=style, mutation_scale=14, patchB=box, **common))


def _near(end: Point, other: Point) -> Point:
    """Return a point of the line a little way from its end, where the straight piece with the mark begins."""
    share = 0.55
    return end[0] + share * (other[0] - end[0]), end[1] + share * (other[1] - end[1])


def _style(mark_u: Mark, mark_v: Mark) -> Any:
    """Return matplotlib's arrow style for two marks; circles are drawn by a small class of our own."""
    from causalkit.graph._arrowstyle import EndMarks

    return EndMarks(mark_u, mark_v)
