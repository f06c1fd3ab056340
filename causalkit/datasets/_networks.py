"""Structures of well-known Bayesian networks: who points at whom is a fact, and stands here; tables of probabilities are read from your BIF file."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from causalkit.datasets._bundled import bundled
from causalkit.exceptions import ParameterError
from causalkit.graph import CausalGraph

__all__ = ["Network", "list_networks", "load_network"]


@dataclass(frozen=True)
class Network:
    """The structure of a published network.

    Parameters
    ----------
    name : str
        Its usual name.
    graph : CausalGraph
        A DAG.
    description : str
        What it is about.
    source : str
        Who published it.
    """

    name: str
    graph: CausalGraph
    description: str
    source: str


def list_networks() -> tuple[str, ...]:
    """Return the names of the networks that ship with the package.

    Returns
    -------
    tuple of str
        From small to large.

    Examples
    --------
    >>> from causalkit.datasets import list_networks
    >>> list_networks()
    ('asia', 'cancer', 'earthquake', 'survey', 'sachs', 'child', 'insurance', 'alarm')
    """
    return tuple(bundled("networks"))


def load_network(name: str) -> Network:
    """Load the structure of a well-known Bayesian network.

    Parameters
    ----------
    name : str
        One of :func:`list_networks`.

    Returns
    -------
    Network
        Graph, description and source.

    Raises
    ------
    ParameterError
        If there is no such network.

    See Also
    --------
    causalkit.strength.BayesianNetwork.from_bif : Structure and probabilities from a BIF file.

    References
    ----------
    M. Scutari, "Bayesian network repository", https://www.bnlearn.com/bnrepository.

    Examples
    --------
    >>> from causalkit.datasets import load_network
    >>> load_network("asia").graph.parents("dysp")
    ('bronc', 'either')
    """
    found = bundled("networks")
    if name not in found:
        near = get_close_matches(str(name), found, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ParameterError(f"there is no network {name!r}{hint}; there are {', '.join(found)}")
    entry = found[name]
    arrows = [
        f"{cause} -> {effect}" for cause, effects in entry["children"].items() for effect in effects.split()
    ]
    text = "; ".join([", ".join(entry["nodes"].split()), *arrows])
    return Network(name, CausalGraph.parse(text, kind="DAG"), entry["description"], entry["source"])
