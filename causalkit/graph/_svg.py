"""A drawing of a graph as inline SVG, by ourselves: no program to install, no network, all names escaped.

Ends of edges look as in the literature: a filled arrowhead, nothing for a tail, an open circle. Context nodes are square.
Colours follow the page, so that the drawing is readable on a dark background too.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from causalkit.graph._edges import Edge
from causalkit.graph._layout import Layout, Point, layered_layout
from causalkit.graph._marks import Mark

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

MAX_NODES = 120
ROW, GAP, FONT, MARGIN = 78.0, 26.0, 13.0, 16.0
ARROW, CIRCLE = 9.0, 4.0


def write_html(graph: GraphCore) -> str:
    """Draw the graph for a notebook, or list its first edges if it has too many nodes to be seen."""
    return write_svg(graph) if graph.n_nodes <= MAX_NODES else _too_large(graph)


def write_svg(graph: GraphCore) -> str:
    """Draw the graph, however large."""
    layout = layered_layout(graph)
    widths = {name: max(34.0, 7.4 * len(name) + 16) for name in graph.nodes}
    slot = max(widths.values(), default=40.0) + GAP
    place = _to_pixels(layout, slot)
    right = [x for e in graph.edges for x, _ in _bends(layout, e, slot)] + [x for x, _ in place.values()]
    width = max(right, default=0) + slot / 2 + MARGIN
    height = max((y for _, y in place.values()), default=0) + ROW / 2
    lines = [_edge(e, place, widths, _bends(layout, e, slot), is_bow(graph, e)) for e in graph.edges]
    boxes = [_node(graph, name, place[name], widths[name]) for name in graph.nodes]
    label = escape(f"{graph.kind} with {graph.n_nodes} nodes and {graph.n_edges} edges")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" style="color:currentColor;max-width:100%" '
        f'font-family="system-ui, sans-serif" font-size="{FONT:.0f}">'
    )
    return "\n".join([head, *lines, *boxes, "</svg>"])


def _too_large(graph: GraphCore) -> str:
    shown = ", ".join(escape(str(e)) for e in graph.edges[:20])
    more = graph.n_edges - min(20, graph.n_edges)
    return (
        f"<div><b>{graph.kind}</b>, {graph.n_nodes} nodes, {graph.n_edges} edges: {shown}"
        f"{f' ... {more} more edges' if more else ''}. Too large to draw; see subgraph().</div>"
    )


def _to_pixels(layout: Layout, slot: float) -> dict[str, Point]:
    left = _left(layout)
    return {
        name: (MARGIN + (x - left + 0.5) * slot, ROW * (y + 0.5)) for name, (x, y) in layout.position.items()
    }


def _left(layout: Layout) -> float:
    inner = [x for bends in layout.bends.values() for x, _ in bends]
    return min([x for x, _ in layout.position.values()] + inner, default=0.0)


def _bends(layout: Layout, edge: Edge, slot: float) -> list[Point]:
    left = _left(layout)
    points = layout.bends_of(edge.u, edge.v)
    return [(MARGIN + (x - left + 0.5) * slot, ROW * (y + 0.5)) for x, y in points]


def _node(graph: GraphCore, name: str, at: Point, width: float) -> str:
    x, y = at
    square = graph.node_data.get(name, {}).get("role") == "context"
    dashed = ' stroke-dasharray="4 3"' if graph.node_data.get(name, {}).get("role") == "latent" else ""
    shape = (
        f'<rect x="{x - width / 2:.1f}" y="{y - 15:.1f}" width="{width:.1f}" height="30" rx="{0 if square else 15}" '
        f'fill="{"#8886" if square else "#8882"}" stroke="currentColor"{dashed}/>'
    )
    text = f'<text x="{x:.1f}" y="{y + FONT / 3:.1f}" text-anchor="middle" fill="currentColor">{escape(name)}</text>'
    return f"<g><title>{escape(name)}</title>{shape}{text}</g>"


def _edge(
    edge: Edge, place: dict[str, Point], widths: dict[str, float], bends: list[Point], bow: bool
) -> str:
    points = [place[edge.u], *bends, place[edge.v]]
    if not bends and (bow or abs(points[0][1] - points[1][1]) < 1):
        points.insert(1, _arc(points[0], points[1]))
    elif bow:
        points[1:-1] = [(x + 16, y) for x, y in points[1:-1]]
    points[0] = _border(points[0], points[1], widths[edge.u])
    points[-1] = _border(points[-1], points[-2], widths[edge.v])
    ends = _end(points[1], points[0], edge.mark_u) + _end(points[-2], points[-1], edge.mark_v)
    points[0] = _shorten(points[0], points[1], edge.mark_u)
    points[-1] = _shorten(points[-1], points[-2], edge.mark_v)
    dash = ' stroke-dasharray="6 4"' if edge.data.get("source") in ("knowledge", "llm") else ""
    dash = ' stroke-dasharray="1.5 4"' if edge.data.get("rule") == "ambiguous" else dash
    width = 1.2 + 2.0 * min(1.0, abs(float(edge.data.get("strength", 0.0) or 0.0)))
    path = f'<path d="{_smooth(points)}" fill="none" stroke="currentColor" stroke-width="{width:.1f}"{dash}/>'
    return f"<g><title>{escape(str(edge))}</title>{path}{ends}</g>"


def is_bow(graph: GraphCore, edge: Edge) -> bool:
    """Whether a bidirected edge stands beside a directed one, so that it must be drawn beside it."""
    i, j = graph.index(edge.u), graph.index(edge.v)
    return edge.is_bidirected and bool(graph.bidirected[i, j] and graph.marks[i, j])


def _arc(a: Point, b: Point) -> Point:
    """Return a point beside the middle of an edge: above it in a layer, to its right between layers."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = math.hypot(dx, dy) or 1.0
    lift = 12 + 0.12 * length
    side = -1 if dx >= 0 else 1
    return (a[0] + b[0]) / 2 - side * lift * dy / length, (a[1] + b[1]) / 2 + side * lift * dx / length


def _smooth(points: list[Point]) -> str:
    """Write a smooth curve through the points (Catmull-Rom), which leaves and arrives along its first and last piece."""
    text = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    slopes = [_half(points[max(k - 1, 0)], points[min(k + 1, len(points) - 1)]) for k in range(len(points))]
    slopes[0], slopes[-1] = _minus(points[1], points[0]), _minus(points[-1], points[-2])
    for k in range(len(points) - 1):
        (x, y), (x2, y2), (u, v), (u2, v2) = points[k], points[k + 1], slopes[k], slopes[k + 1]
        text += f" C{x + u / 3:.1f},{y + v / 3:.1f} {x2 - u2 / 3:.1f},{y2 - v2 / 3:.1f} {x2:.1f},{y2:.1f}"
    return text


def _minus(a: Point, b: Point) -> Point:
    return a[0] - b[0], a[1] - b[1]


def _half(before: Point, after: Point) -> Point:
    return (after[0] - before[0]) / 2, (after[1] - before[1]) / 2


def _border(center: Point, toward: Point, width: float) -> Point:
    """Return where the line from the centre of a node leaves its box."""
    dx, dy = toward[0] - center[0], toward[1] - center[1]
    scale = min(width / 2 / abs(dx) if dx else math.inf, 15 / abs(dy) if dy else math.inf, 1.0)
    return center[0] + dx * scale, center[1] + dy * scale


def _unit(a: Point, b: Point) -> Point:
    length = math.hypot(b[0] - a[0], b[1] - a[1]) or 1.0
    return (b[0] - a[0]) / length, (b[1] - a[1]) / length


def _shorten(end: Point, other: Point, mark: Mark) -> Point:
    """Stop the line where the mark begins."""
    back = {Mark.ARROW: ARROW * 0.8, Mark.CIRCLE: 2 * CIRCLE}.get(mark, 0.0)
    ux, uy = _unit(end, other)
    return end[0] + back * ux, end[1] + back * uy


def _end(before: Point, end: Point, mark: Mark) -> str:
    """Draw the mark at the end of a line that comes from `before`."""
    ux, uy = _unit(before, end)
    if mark is Mark.CIRCLE:
        x, y = end[0] - CIRCLE * ux, end[1] - CIRCLE * uy
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{CIRCLE:.0f}" fill="none" stroke="currentColor" stroke-width="1.4"/>'
    if mark is Mark.ARROW:
        base = (end[0] - ARROW * ux, end[1] - ARROW * uy)
        wing = 0.45 * ARROW
        points = [end, (base[0] - wing * uy, base[1] + wing * ux), (base[0] + wing * uy, base[1] - wing * ux)]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        return f'<polygon points="{joined}" fill="currentColor"/>'
    return ""
