"""How strongly one thing causes another, under a graph.

:func:`identify` says what to adjust for, :func:`check_adjustment` explains a verdict about a set, :func:`adjustment_sets`
lists the sets. :func:`causal_strength` puts a number to it, from a table or from any :class:`ProbabilityOracle`.
"""

from causalkit.strength._arrow import arrow_strength
from causalkit.strength._identification import (
    AdjustmentCheck,
    Identification,
    adjustment_sets,
    check_adjustment,
    identify,
)
from causalkit.strength._measures import Estimate
from causalkit.strength._network import BayesianNetwork
from causalkit.strength._oracle import CountsOracle, NetworkOracle, ProbabilityOracle
from causalkit.strength._refute import Refutation, RefutationTest, refute
from causalkit.strength._strength import CausalStrength, Overlap, causal_strength

__all__ = [
    "AdjustmentCheck",
    "BayesianNetwork",
    "CausalStrength",
    "CountsOracle",
    "Estimate",
    "Identification",
    "NetworkOracle",
    "Overlap",
    "ProbabilityOracle",
    "Refutation",
    "RefutationTest",
    "adjustment_sets",
    "arrow_strength",
    "causal_strength",
    "check_adjustment",
    "identify",
    "refute",
]
