"""Structures of well-known Bayesian networks: who points at whom is a fact, and stands here; tables of probabilities are read from your BIF file."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from causalkit.datasets._bundled import bundled
from causalkit.datasets._domain_graphs import graph_of_arrows
from causalkit.datasets._reading import reading
from causalkit.exceptions import DataError, MissingDependencyError, ParameterError
from causalkit.graph import CausalGraph

__all__ = ["Network", "list_networks", "load_bnrep", "load_network"]

R_CLASSES = (
    "bn.fit",
    "bn.fit.dnet",
    "bn.fit.onet",
    "bn.fit.donet",
    "bn.fit.gnet",
    "bn.fit.cgnet",
    "bn.fit.dnode",
    "bn.fit.onode",
    "bn.fit.gnode",
    "bn.fit.cgnode",
)


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


def load_bnrep(path: str | Path) -> Network:
    """Read the structure of a network of bnRep, some 200 networks from recent papers, from your copy of its file.

    Parameters
    ----------
    path : str or pathlib.Path
        An ``.rda`` file with one fitted network of R's bnlearn, such as those in the folder ``data`` of the source of bnRep. Needs
        ``pip install causalkit[r]``.

    Returns
    -------
    Network
        Discrete, Gaussian or mixed; its name is that of the R object.

    Raises
    ------
    DataError
        If the file holds no such network.

    See Also
    --------
    causalkit.strength.BayesianNetwork.from_bif : With the tables, for discrete networks that R wrote by ``bnlearn::write.bif``.

    References
    ----------
    M. Leonelli, "bnRep: a repository of Bayesian networks from the academic literature", Neurocomputing 624, 2025.

    Examples
    --------
    >>> from causalkit.datasets import load_bnrep
    >>> load_bnrep("bnRep/data/arcticwaters.rda")  # doctest: +SKIP
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f"there is no file {file}; give the path of your copy")
    name, fitted = _only_object(file)
    try:
        parents = {str(node): [str(p) for p in fields["parents"]] for node, fields in fitted.items()}
    except (AttributeError, KeyError, TypeError) as problem:
        raise DataError(
            f"{file}: the R object {name!r} is no fitted network (bn.fit): {problem!r}"
        ) from problem
    unknown = [p for group in parents.values() for p in group if p not in parents]
    if unknown or not parents:
        raise DataError(f"{file}: {unknown[0]!r} is a parent and no node" if unknown else f"{file}: no nodes")
    causes = np.array([[cause in group for group in parents.values()] for cause in parents])
    graph = graph_of_arrows(file, list(parents), causes)
    return Network(
        name, graph, f"The network {name} of bnRep.", "M. Leonelli, Neurocomputing 624, 2025 (bnRep)"
    )


def _only_object(file: Path) -> tuple[str, Any]:
    """Read the one object of an R file as plain lists; no class of R is looked up."""
    try:
        import rdata
    except ImportError as problem:
        raise MissingDependencyError(
            "files of R are read with rdata: pip install 'causalkit[r]'"
        ) from problem
    as_it_is: dict[str | bytes, Any] = dict.fromkeys(R_CLASSES, lambda content, _: content)
    known = {**rdata.conversion.DEFAULT_CLASS_MAP, **as_it_is}
    with reading(f"{file}, which should be an .rda file,"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", "Unknown file type")
        try:
            content = rdata.read_rda(file, constructor_dict=known)
        except (UserWarning, NotImplementedError) as problem:
            raise DataError(f"{file} is no .rda file: {problem}") from problem
    if len(content) != 1:
        raise DataError(
            f"{file} holds {len(content)} objects ({', '.join(content)}); one network is expected"
        )
    return next(iter(content.items()))
