"""Figures of a fitted CD-NOD model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from causalkit.discovery._driving_force import DrivingForce
from causalkit.exceptions import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from causalkit.discovery._stability import Stability

COLORS = ("#0b5fa5", "#c8651b", "#5b8c2a")
SHOWN_EIGENVALUES = 6


def plot_forces(
    forces: Mapping[str, DrivingForce], context: Any, label: str, *, is_domain: bool, n_shown: int
) -> Figure:
    """Draw the leading components of each driving force against one context, and the spectrum beside them, one row per variable."""
    import matplotlib.pyplot as plt

    if not forces:
        raise ParameterError("no mechanism changes, so that there is no driving force to plot")
    figure, axes = plt.subplots(
        len(forces),
        2,
        figsize=(8.2, 0.9 + 1.75 * len(forces)),
        sharex="col",
        squeeze=False,
        layout="constrained",
        width_ratios=(5, 1),
    )
    for (curves, spectrum), (name, force) in zip(axes, forces.items(), strict=True):
        draw_curves(curves, force, np.asarray(context), is_domain=is_domain, n_shown=n_shown)
        curves.set_title(f"mechanism of {name}".replace("$", r"\$"), loc="left", fontsize=10)
        curves.set_title(what_changes(force).replace("$", r"\$"), loc="right", fontsize=8, color="#555555")
        draw_spectrum(spectrum, force)
    axes[-1, 0].set_xlabel(label.replace("$", r"\$"))
    axes[0, 1].set_title("share of change", fontsize=8, color="#555555")
    axes[-1, 1].set_xlabel("component", fontsize=8)
    return figure


def what_changes(force: DrivingForce) -> str:
    """Say which kinds of parameters carry the change, the largest first; or that there is no sign of one."""
    if force.verdict == "nothing":
        return f"no sign of a change (p = {force.p_value:.2f})"
    parts = sorted(force.attribution.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {share:.0%}" for name, share in parts if share >= 0.05)


def draw_curves(ax: Axes, force: DrivingForce, context: Any, *, is_domain: bool, n_shown: int) -> None:
    """Draw components with their bands: curves over time, points over domains."""
    shares = force.explained[: min(n_shown, force.components.shape[1])]
    for k, share in enumerate(shares):
        color, text = COLORS[k % len(COLORS)], f"component {k + 1} ({share:.0%})"
        if is_domain:
            _points(ax, force, context, k, (k - (len(shares) - 1) / 2) * 0.12, color, text)
        else:
            _curve(ax, force, context, k, color, text)
    ax.axhline(0, color="#999999", linewidth=0.6, zorder=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    ax.legend(loc="best", frameon=False, fontsize=7, ncols=len(shares))
    ax.margins(y=0.22)


def _levels(context: Any) -> tuple[Any, Any, list[str]]:
    """Return the different labels, the first row of each, and how they are written: numbers in their order, whole ones without a point."""
    levels, first = np.unique(context.astype(str), return_index=True)
    with suppress(ValueError):
        order = np.argsort(levels.astype(float), kind="stable")
        levels, first = levels[order], first[order]
    return levels, first, [str(level).removesuffix(".0") for level in levels]


def _points(
    ax: Axes, force: DrivingForce, context: Any, k: int, offset: float, color: str, text: str
) -> None:
    levels, first, labels = _levels(context)
    places, values = np.arange(len(levels)) + offset, force.components[first, k]
    if force.bands is not None:
        low, high = force.bands[:, first, k]
        ax.vlines(places, low, high, color=color, linewidth=1.0, alpha=0.6)
    ax.plot(places, values, "o", color=color, label=text, markersize=4.5)
    ax.set_xticks(range(len(levels)), labels, rotation=30 if len(levels) > 6 else 0)


def _curve(ax: Axes, force: DrivingForce, context: Any, k: int, color: str, text: str) -> None:
    order = np.argsort(context, kind="stable")
    if force.bands is not None:
        low, high = force.bands[:, order, k]
        ax.fill_between(context[order], low, high, color=color, alpha=0.18, linewidth=0)
    width = 1.7 if k == 0 else 1.1
    ax.plot(context[order], force.components[order, k], color=color, label=text, linewidth=width)


def draw_spectrum(ax: Axes, force: DrivingForce) -> None:
    """Draw the share of each component as a bar."""
    shares = force.explained[:SHOWN_EIGENVALUES]
    ax.bar(range(1, len(shares) + 1), shares, color="#8899aa", width=0.7)
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
    ax.set_xticks(range(1, SHOWN_EIGENVALUES + 1))
    ax.tick_params(labelsize=7)
    ax.spines[["top", "right"]].set_visible(False)


def plot_stability(stability: Stability) -> Figure:
    """Draw one bar per pair of nodes: how often there was an edge, and in which direction."""
    import matplotlib.pyplot as plt

    names = stability.names
    pairs = np.argwhere(np.triu(stability.adjacency > 0, k=1))
    if not len(pairs):
        raise ParameterError("no resample has an edge, so that there is nothing to plot")
    order = np.argsort([stability.adjacency[i, j] for i, j in pairs], kind="stable")
    shares = [stability.edge(names[i], names[j]) for i, j in pairs[order]]
    figure, ax = plt.subplots(figsize=(6.4, 1.0 + 0.27 * len(pairs)), layout="constrained")
    left = np.zeros(len(pairs))
    titles = ("→ as written", "← the other way", "undirected")
    for k, (color, title) in enumerate(zip((*COLORS[:2], "#b8bec6"), titles, strict=True)):
        widths = np.array([list(share.values())[k] for share in shares])
        ax.barh(range(len(pairs)), widths, left=left, color=color, label=title, height=0.72)
        left += widths
    labels = [f"{names[i]} – {names[j]}".replace("$", r"\$") for i, j in pairs[order]]
    ax.set_yticks(range(len(pairs)), labels, fontsize=8)
    ax.set(xlim=(0, 1), xlabel=f"share of {len(stability.graphs)} resamples")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure
