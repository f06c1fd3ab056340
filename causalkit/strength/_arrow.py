"""The strength of a single arrow: how much is lost if the effect no longer hears its cause along it.

Janzing et al. (2013) cut the arrow and feed its end with an independent copy of the cause instead. The strength is the divergence of
the true distribution from that of the cut network, in nats:

    C(X -> Y) = sum over pa of P(pa) KL( P(y | pa) || sum over x' of P(x') P(y | x', other parents) ).
"""

from __future__ import annotations

import numpy as np

from causalkit.exceptions import GraphError
from causalkit.strength._network import BayesianNetwork

__all__ = ["arrow_strength"]


def arrow_strength(network: BayesianNetwork, cause: str, effect: str) -> float:
    """Return the information-theoretic strength of one arrow of a Bayesian network.

    Parameters
    ----------
    network : BayesianNetwork
        The network.
    cause, effect : str
        Joined by ``cause -> effect``.

    Returns
    -------
    float
        Nats; zero if and only if the arrow does nothing.

    Raises
    ------
    GraphError
        If there is no such arrow.

    References
    ----------
    D. Janzing, D. Balduzzi, M. Grosse-Wentrup, B. Schölkopf, "Quantifying causal influences", Annals of Statistics 41, 2013,
    definition 1 and section 4.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import BayesianNetwork, arrow_strength
    >>> copy = BayesianNetwork(
    ...     CausalGraph.parse("x -> y"), {"x": (0, 1), "y": (0, 1)}, {"x": [0.5, 0.5], "y": [[1, 0], [0, 1]]}
    ... )
    >>> round(arrow_strength(copy, "x", "y"), 4)  # log 2
    0.6931
    """
    if not network.graph.has_directed_edge(cause, effect):
        raise GraphError(f"there is no arrow {cause!r} -> {effect!r}; arrow_strength is about single arrows")
    parents = network.graph.parents(effect)
    table = network.table(effect)
    weights = network.query(parents)
    axis = parents.index(cause)
    marginal = network.query(cause)
    cut = np.tensordot(marginal, np.moveaxis(table, axis, 0), axes=1)
    deaf = np.broadcast_to(np.expand_dims(cut, axis), table.shape)
    ratio = np.divide(table, deaf, out=np.ones_like(table), where=(table > 0) & (deaf > 0))
    # Where the cut network cannot say y, the parents never have these values.
    return float((weights[..., None] * table * np.log(ratio)).sum())
