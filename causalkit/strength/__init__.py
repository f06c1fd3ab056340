"""How strongly one thing causes another, under a graph.

:func:`identify` says what to adjust for, :func:`check_adjustment` explains a verdict about a set, :func:`adjustment_sets`
lists the sets.
"""

from causalkit.strength._identification import (
    AdjustmentCheck,
    Identification,
    adjustment_sets,
    check_adjustment,
    identify,
)

__all__ = ["AdjustmentCheck", "Identification", "adjustment_sets", "check_adjustment", "identify"]
