"""Figures of a fitted CD-NOD model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from causalkit.exceptions import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0b5fa5", "#c8651b", "#5b8c2a")


def plot_forces(
    forces: Mapping[str, Any],
    spectra: Mapping[str, Any],
    context: Any,
    label: str,
    *,
    is_domain: bool,
    n_shown: int,
) -> Figure:
    """Draw the leading components of each driving force against one context, one panel per variable."""
    import matplotlib.pyplot as plt

    if not forces:
        raise ParameterError("no mechanism changes, so that there is no driving force to plot")
    size = (7.5, 1.0 + 1.55 * len(forces))
    figure, axes = plt.subplots(
        len(forces), 1, figsize=size, sharex=True, squeeze=False, layout="constrained"
    )
    for ax, (name, components) in zip(axes[:, 0], forces.items(), strict=True):
        total = float(np.sum(spectra[name])) or 1.0
        shares = np.asarray(spectra[name])[:n_shown] / total
        _panel(ax, components[:, :n_shown], shares, context, is_domain=is_domain)
        ax.set_title(f"mechanism of {name}".replace("$", r"\$"), loc="left", fontsize=10)
    axes[-1, 0].set_xlabel(label.replace("$", r"\$"))
    return figure


def _panel(ax: Axes, components: Any, shares: Any, context: Any, *, is_domain: bool) -> None:
    for k, (values, share) in enumerate(zip(components.T, shares, strict=False)):
        color, text = COLORS[k % len(COLORS)], f"component {k + 1} ({share:.0%})"
        if is_domain:
            levels, first = np.unique(np.asarray(context).astype(str), return_index=True)
            ax.plot(range(len(levels)), values[first], "o", color=color, label=text, markersize=5)
            ax.set_xticks(range(len(levels)), levels, rotation=30 if len(levels) > 6 else 0)
        else:
            order = np.argsort(np.asarray(context), kind="stable")
            ax.plot(
                np.asarray(context)[order],
                values[order],
                color=color,
                label=text,
                linewidth=1.6 if k == 0 else 1.0,
            )
    ax.axhline(0, color="#999999", linewidth=0.6, zorder=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), frameon=False, fontsize=8)
