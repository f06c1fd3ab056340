"""causalkit: causal graphs found in changing data, tested with kernels, and asked questions.

Every part takes a :class:`CausalGraph` or returns one. The sub-packages are loaded when they are first used, so that
importing causalkit is cheap:

`causalkit.graph`
    the graph type shared by all parts;
`causalkit.independence`
    conditional independence tests;
`causalkit.discovery`
    PC and CD-NOD;
`causalkit.gpu`
    arrays on NumPy, CuPy and torch, devices and memory;
`causalkit.strength`
    what to adjust for, and how strongly one thing causes another;
`causalkit.evaluation`
    how far one graph is from another;
`causalkit.llm_causal`
    graphs built with language models, people and other experts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from causalkit._version import __version__

if TYPE_CHECKING:
    from causalkit import (
        datasets,
        discovery,
        evaluation,
        exceptions,
        gpu,
        graph,
        independence,
        llm_causal,
        strength,
    )
    from causalkit.graph import BackgroundKnowledge, CausalGraph, Edge, GraphKind, Mark, read_graph

__all__ = [
    "BackgroundKnowledge",
    "CausalGraph",
    "Edge",
    "GraphKind",
    "Mark",
    "__version__",
    "datasets",
    "discovery",
    "evaluation",
    "exceptions",
    "gpu",
    "graph",
    "independence",
    "llm_causal",
    "read_graph",
    "strength",
]

_SUBPACKAGES = {
    "datasets",
    "discovery",
    "evaluation",
    "exceptions",
    "gpu",
    "graph",
    "independence",
    "llm_causal",
    "strength",
}
_FROM_GRAPH = {"BackgroundKnowledge", "CausalGraph", "Edge", "GraphKind", "Mark", "read_graph"}


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return import_module(f"causalkit.{name}")
    if name in _FROM_GRAPH:
        return getattr(import_module("causalkit.graph"), name)
    msg = f"module 'causalkit' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
