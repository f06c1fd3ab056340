"""What is known of every scene of CausalVerse, offline: counts, factors, laws, graphs and how sure each of these is.

CausalVerse publishes images and factors, and no graph files. Graphs and laws here were gathered from the authors' figures, from third parties who fitted
the factors, and by inference; every arrow says which. Nothing in this list was checked against the hub by this package; what the hub holds is found
out when it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal, TypeAlias

from causalkit.datasets._bundled import bundled
from causalkit.exceptions import DataError, ParameterError
from causalkit.graph import CausalGraph

__all__ = ["Factor", "SceneInfo", "describe", "list_scenes"]

FactorType: TypeAlias = Literal["number", "angle", "category"]
CAUSALVERSE = "causalverse"
Role: TypeAlias = Literal["exogenous", "derived", "nuisance", "unknown"]


@dataclass(frozen=True)
class Factor:
    """A factor of a scene.

    Parameters
    ----------
    name : str
        As in the data.
    type : {"number", "angle", "category"}
        What its values are.
    role : {"exogenous", "derived", "nuisance", "unknown"}
        Set freely; a function of others; without any effect on what is shown beyond the view; or not published.
    unit : str or None
        Unit, if known.
    note : str or None
        What it is, and how sure that is.
    """

    name: str
    type: FactorType
    role: Role
    unit: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class SceneInfo:
    """What is known of a scene.

    Parameters
    ----------
    name, title : str
        Short name, and the authors' name.
    domain : {"static", "physics", "robotics", "traffic"}
        Part of CausalVerse.
    kind : {"image", "video"}
        Medium.
    n_latents : int
        Number of latents, read off the authors' bar chart.
    factors : tuple of Factor
        Those that are known by name; empty if the schema is not public.
    law : str
        How derived factors follow from the others, and how sure that is.
    graph : CausalGraph or None
        A DAG over the factors, each arrow with its source; None where arrows that are missing may be unknown rather than absent.
    known_edges : tuple of (str, str, str)
        All arrows that are known: cause, effect and source.
    rows, views : int or None
        Rows on the hub, and views of each instance.
    gigabytes : float or None
        Size on the hub.
    hub, split : str or None
        Repository and split; None if the scene is not on the hub, as far as is known.
    media : str or None
        Format of images or videos.
    sentinels : dict of str to float
        Values that stand for "none" and are read as missing.
    notes : tuple of str
        What else to know.
    licence, citation : str
        As the authors state them.
    """

    name: str
    title: str
    domain: str
    kind: str
    n_latents: int
    factors: tuple[Factor, ...]
    law: str
    graph: CausalGraph | None = field(repr=False)
    known_edges: tuple[tuple[str, str, str], ...] = field(repr=False)
    rows: int | None
    views: int | None
    gigabytes: float | None
    hub: str | None
    split: str | None
    media: str | None
    sentinels: dict[str, float] = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)
    licence: str = field(repr=False)
    citation: str = field(repr=False)

    def factor(self, name: str) -> Factor:
        """Return a factor by name.

        Parameters
        ----------
        name : str
            A factor.

        Returns
        -------
        Factor
            Its type, role, unit and note.
        """
        for found in self.factors:
            if found.name == name:
                return found
        names = ", ".join(f.name for f in self.factors) or "none, as its schema is not public"
        raise DataError(f"scene {self.name!r} has no factor {name!r}; its factors are {names}")

    def names(self, role: Role) -> tuple[str, ...]:
        """Return the names of the factors of a role.

        Parameters
        ----------
        role : {"exogenous", "derived", "nuisance", "unknown"}
            The role.

        Returns
        -------
        tuple of str
            In the order of the data.
        """
        return tuple(f.name for f in self.factors if f.role == role)

    def __str__(self) -> str:
        where = f"{self.hub}, split {self.split}" if self.hub else "not on the hub, as far as is known"
        size = (
            f"{self.rows:,} rows, {self.gigabytes:g} GB" if self.rows and self.gigabytes else "size not known"
        )
        lines = [
            f"{self.name}: {self.title} ({self.domain}, {self.kind}, {self.n_latents} latents)",
            f"  where   {where}; {size}; {self.media or 'format not known'}",
            *(
                f"  factor  {f.name}: {f.type}, {f.role}{', ' + f.unit if f.unit else ''}{'; ' + f.note if f.note else ''}"
                for f in self.factors
            ),
            *(f"  arrow   {a} -> {b} ({source})" for a, b, source in self.known_edges),
            f"  law     {self.law}",
            *(f"  note    {note}" for note in self.notes),
            f"  licence {self.licence}",
        ]
        return "\n".join(lines)


def list_scenes(*, domain: str | None = None, kind: str | None = None) -> tuple[str, ...]:
    """Return the names of the 24 scenes of CausalVerse, without any download.

    Parameters
    ----------
    domain : {"static", "physics", "robotics", "traffic"}, optional
        Only scenes of a domain.
    kind : {"image", "video"}, optional
        Only images or only videos.

    Returns
    -------
    tuple of str
        Names.

    Examples
    --------
    >>> from causalkit.datasets import list_scenes
    >>> list_scenes(domain="physics", kind="image")
    ('fall', 'refraction', 'slope', 'spring')
    """
    scenes = bundled(CAUSALVERSE)["scenes"]
    for what, value in (("domain", domain), ("kind", kind)):
        allowed = sorted({entry[what] for entry in scenes.values()})
        if value is not None and value not in allowed:
            raise ParameterError(f"{what} is {value!r}; allowed are {', '.join(map(repr, allowed))}")
    return tuple(
        name
        for name, entry in scenes.items()
        if domain in (None, entry["domain"]) and kind in (None, entry["kind"])
    )


def describe(scene: str) -> SceneInfo:
    """Return what is known of a scene of CausalVerse, without any download.

    Parameters
    ----------
    scene : str
        One of :func:`list_scenes`.

    Returns
    -------
    SceneInfo
        Printable.

    Raises
    ------
    ParameterError
        If there is no such scene; the nearest names are given.

    References
    ----------
    "CausalVerse: Benchmarking causal representation learning with configurable high-fidelity simulations", NeurIPS 2025, arXiv:2510.14049.

    Examples
    --------
    >>> from causalkit.datasets import describe
    >>> info = describe("fall")
    >>> info.names("exogenous"), info.graph.parents("h2")
    (('h1', 'r', 'u'), ('h1', 'r', 'u'))
    """
    manifest = bundled(CAUSALVERSE)
    if scene not in manifest["scenes"]:
        near = get_close_matches(str(scene), manifest["scenes"], n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ParameterError(f"there is no scene {scene!r}; {hint}list_scenes() names all")
    entry = manifest["scenes"][scene]
    factors = tuple(Factor(**factor) for factor in entry.get("factors", ()))
    edges = tuple(
        (cause.strip(), effect.strip(), part["grade"])
        for part in entry.get("graph", ())
        for cause, effect in (edge.split("->") for edge in part["edges"].split(";"))
    )
    return SceneInfo(
        name=scene,
        title=entry["title"],
        domain=entry["domain"],
        kind=entry["kind"],
        n_latents=entry["n_latents"],
        factors=factors,
        law=entry["law"],
        graph=_graph(factors, edges) if entry["graph_complete"] else None,
        known_edges=edges,
        rows=entry.get("rows"),
        views=entry.get("views"),
        gigabytes=entry.get("gigabytes"),
        hub=entry.get("hub"),
        split=entry.get("split"),
        media=entry.get("media"),
        sentinels=entry.get("sentinels", {}),
        notes=tuple(entry["notes"]),
        licence=manifest["licence"],
        citation=manifest["citation"],
    )


def _graph(factors: tuple[Factor, ...], edges: tuple[tuple[str, str, str], ...]) -> CausalGraph:
    """Return the DAG, each arrow with its source and each node with the role of its factor."""
    arrows = [f"{cause} -> {effect}" for cause, effect, _ in edges]
    plain = CausalGraph.parse("; ".join([", ".join(f.name for f in factors), *arrows]), kind="DAG")
    source = {frozenset(edge[:2]): edge[2] for edge in edges}
    return CausalGraph(
        plain.kind,
        plain.nodes,
        plain.marks,
        node_data={f.name: {"factor": f.role} for f in factors},
        edge_data={"source": [source[frozenset((e.u, e.v))] for e in plain.edges]},
    )
