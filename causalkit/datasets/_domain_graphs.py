"""Graphs and pairs from other fields, read from your copy of the files: sea ice, pain diagnosis, and cause-effect pairs.

These are no tables that a package may carry along, and their servers state no checksums. The loaders read the files as they are published, and say what is not as it should be.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import parse_json, read_utf8
from causalkit.datasets._reading import reading
from causalkit.exceptions import DataError
from causalkit.graph import CausalGraph

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CauseEffectPair", "load_arctic_sea_ice", "load_neuropathic_pain", "load_tuebingen_pairs"]


def load_arctic_sea_ice(path: str | Path) -> CausalGraph:
    """Read the experts' graph of twelve variables around Arctic sea ice.

    Parameters
    ----------
    path : str or pathlib.Path
        A table of 0 and 1 with names in the first row and column; a row causes the columns with 1.

    Returns
    -------
    CausalGraph
        With cycles: kind UNKNOWN. Two variables that cause each other have one edge with two arrowheads and the note "each causes the other": it does not
        stand for a hidden common cause.

    Raises
    ------
    DataError
        If it is no such table.

    References
    ----------
    Y. Huang, M. Kleindessner, A. Munishkin, D. Varshney, P. Guo, J. Wang, "Benchmarking of data-driven causality discovery approaches in the interactions of Arctic
    sea ice and atmosphere", Frontiers in Big Data 4, 2021.

    Examples
    --------
    >>> from causalkit.datasets import load_arctic_sea_ice
    >>> load_arctic_sea_ice("expert_graph.csv")  # doctest: +SKIP
    """
    file = _existing(path)
    with reading(str(file)):
        rows = [row for row in csv.reader(read_utf8(file).splitlines()) if row]
    columns, names = [n.strip() for n in rows[0][1:]] if rows else [], [row[0].strip() for row in rows[1:]]
    if not names or names != columns:
        raise DataError(f"{file}: the names of rows and columns differ; a square table is expected")
    cells = [[cell.strip() for cell in row[1:]] for row in rows[1:]]
    if any(len(row) != len(names) or not set(row) <= {"0", "1"} for row in cells):
        raise DataError(f"{file}: cells must be 0 or 1, {len(names)} in each row")
    return graph_of_arrows(file, names, np.array(cells) == "1")


def load_neuropathic_pain(path: str | Path) -> CausalGraph:
    """Read the graph of the neuropathic pain diagnosis simulator: lesions, radiculopathies and symptoms.

    Parameters
    ----------
    path : str or pathlib.Path
        JSON with ``nodes`` (each with ``id``) and ``links`` (each with ``source`` and ``target``).

    Returns
    -------
    CausalGraph
        A DAG of 221 nodes and 475 arrows, if the file is the published one.

    Raises
    ------
    DataError
        If it is no such file, or has a link to a node that is not there.

    References
    ----------
    R. Tu, K. Zhang, B. Bertilson, H. Kjellström, C. Zhang, "Neuropathic pain diagnosis simulator for causal discovery algorithm evaluation", NeurIPS 2019.

    Examples
    --------
    >>> from causalkit.datasets import load_neuropathic_pain
    >>> load_neuropathic_pain("graph.json")  # doctest: +SKIP
    """
    file = _existing(path)
    try:
        content = parse_json(read_utf8(file), str(file))
        names = [str(node["id"]) for node in content["nodes"]]
        links = [(str(link["source"]), str(link["target"])) for link in content["links"]]
    except (ValueError, KeyError, TypeError) as problem:
        raise DataError(f"{file} has no nodes and links: {problem!r}") from problem
    place = {name: k for k, name in enumerate(names)}
    unknown = [name for link in links for name in link if name not in place]
    if unknown:
        raise DataError(f"{file} has a link with {unknown[0]!r}, which is no node")
    causes = np.zeros((len(names), len(names)), dtype=bool)
    for source, target in links:
        causes[place[source], place[target]] = True
    return graph_of_arrows(file, names, causes)


def graph_of_arrows(source: str | Path, names: list[str], causes: Any) -> CausalGraph:
    """Return a graph of arrows, as a DAG if it has no cycle."""
    if len(set(names)) < len(names) or not all(names):
        raise DataError(
            f"{source}: names must be there and different; there are {len(set(names))} of {len(names)}"
        )
    if causes.diagonal().any():
        raise DataError(f"{source}: {names[int(causes.diagonal().argmax())]!r} causes itself")
    from causalkit.exceptions import InvalidGraphError

    arrow, tail = 2, 3
    marks = np.where(causes, arrow, np.where(causes.T, tail, 0)).astype(np.uint8)
    try:
        return CausalGraph("DAG", names, marks)
    except InvalidGraphError:
        plain = CausalGraph("UNKNOWN", names, marks)
        place = {name: k for k, name in enumerate(names)}
        both = causes & causes.T
        notes = ["each causes the other" if both[place[e.u], place[e.v]] else None for e in plain.edges]
        return CausalGraph("UNKNOWN", names, marks, edge_data={"note": notes})


@dataclass(frozen=True)
class CauseEffectPair:
    """Two variables of which one is the cause of the other.

    Parameters
    ----------
    name : str
        Its number.
    frame : pandas.DataFrame
        Columns ``cause`` and ``effect``, numbered if there are several.
    weight : float
        By which pairs from one source together count as one.
    """

    name: str
    frame: pd.DataFrame
    weight: float

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def graph(self) -> CausalGraph:
        """An arrow from every column of the cause to every column of the effect; columns of one side are not joined, though they may be related."""
        causes, effects = ([c for c in self.frame if str(c).startswith(side)] for side in ("cause", "effect"))
        return CausalGraph.parse("; ".join(f"{c} -> {e}" for c in causes for e in effects), kind="DAG")

    def as_dataframe(self) -> pd.DataFrame:
        """Return a copy of the table.

        Returns
        -------
        pandas.DataFrame
            One row per observation, causes first.
        """
        return self.frame.copy()

    def as_numpy(self) -> NDArray[np.float64]:
        """Return the table as numbers.

        Returns
        -------
        numpy.ndarray of float, shape (n, d)
            Causes first.
        """
        return np.asarray(self.frame.to_numpy(dtype=float))


def load_tuebingen_pairs(path: str | Path) -> tuple[CauseEffectPair, ...]:
    """Read the Tübingen cause-effect pairs from a folder.

    Parameters
    ----------
    path : str or pathlib.Path
        Folder with ``pairmeta.txt`` and ``pair0001.txt``, ..., as in ``pairs.zip`` of https://webdav.tuebingen.mpg.de/cause-effect.

    Returns
    -------
    tuple of CauseEffectPair
        The pairs of which there is a file, in order; causes first, whatever the order of columns in the file.

    Raises
    ------
    DataError
        If there is no list of pairs, no file of a pair, or a file has fewer columns than the list says.

    References
    ----------
    J. Mooij, J. Peters, D. Janzing, J. Zscheischler, B. Schölkopf, "Distinguishing cause from effect using observational data: methods and benchmarks", JMLR 17, 2016.

    Examples
    --------
    >>> from causalkit.datasets import load_tuebingen_pairs
    >>> load_tuebingen_pairs("pairs")  # doctest: +SKIP
    """
    folder = Path(path)
    with reading(str(folder / "pairmeta.txt")):
        lines = _existing(folder / "pairmeta.txt").read_text(encoding="utf-8").split("\n")
    found = []
    for line in filter(None, map(str.strip, lines)):
        parts = line.split()
        ends = [int(p) for p in parts[1:5] if p.isdigit()]
        apart = len(ends) == 4 and (ends[1] < ends[2] or ends[3] < ends[0])
        if len(parts) != 6 or not apart or not (1 <= ends[0] <= ends[1] and 1 <= ends[2] <= ends[3]):
            raise DataError(
                f"pairmeta.txt has the line {line!r}; expected are a name, first and last column of cause and of effect, and a weight"
            )
        file = folder / f"pair{parts[0]}.txt"
        if file.exists():
            found.append(_pair(file, parts[0], ends, _weight(parts[5], line)))
    if not found:
        raise DataError(f"{folder} has no pair0001.txt or others that pairmeta.txt lists")
    return tuple(found)


def _weight(text: str, line: str) -> float:
    with reading(f"the weight in the line {line!r} of pairmeta.txt"):
        weight = float(text)
    if not weight >= 0:
        raise DataError(f"pairmeta.txt has the weight {text} in the line {line!r}; weights are 0 or more")
    return weight


def _pair(file: Path, name: str, ends: list[int], weight: float) -> CauseEffectPair:
    import pandas as pd

    with reading(f"{file}, which should hold numbers,"):
        values = np.loadtxt(file, ndmin=2)
    if max(ends) > values.shape[1]:
        raise DataError(f"{file} has {values.shape[1]} columns; pairmeta.txt speaks of column {max(ends)}")
    columns = {
        **_named("cause", values[:, ends[0] - 1 : ends[1]]),
        **_named("effect", values[:, ends[2] - 1 : ends[3]]),
    }
    return CauseEffectPair(name, pd.DataFrame(columns), weight)


def _named(what: str, columns: Any) -> dict[str, Any]:
    if columns.shape[1] == 1:
        return {what: columns[:, 0]}
    return {f"{what}_{k + 1}": column for k, column in enumerate(columns.T)}


def _existing(path: str | Path) -> Path:
    file = Path(path)
    if not file.is_file():
        raise DataError(f"there is no file {file}; give the path of your copy")
    return file
