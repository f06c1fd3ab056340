"""The flow cytometry of Sachs et al.: eleven proteins in single cells, under nine experimental conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from causalkit.datasets._graph_data import GraphData
from causalkit.datasets._reading import reading
from causalkit.exceptions import DataError, MissingDependencyError
from causalkit.graph import CausalGraph

__all__ = ["load_sachs"]

COMMIT = "a23adc349a23fc34d258193b45c60522ca6355b4"
URL = (
    f"https://raw.githubusercontent.com/cmu-phil/example-causal-datasets/{COMMIT}/real/sachs/data/"
    "sachs.2005.continuous.discrete.experimental.mixed.maximum.2.txt"
)
SHA256 = "c1c4b12bdbb2c5411f7410fa65792a3191500e4b5276df2f7d1bf35a41a42c71"

PROTEINS = ("raf", "mek", "plc", "pip2", "pip3", "erk", "akt", "pka", "pkc", "p38", "jnk")
REAGENTS = ("cd3_cd28", "icam2", "aktinhib", "g0076", "psitect", "u0126", "ly", "pma", "b2camp")
CONSENSUS = (
    "erk -> akt; mek -> erk; pip2 -> pkc; pip3 -> akt; pip3 -> pip2; pip3 -> plc; pka -> akt; pka -> erk; pka -> jnk; pka -> mek; "
    "pka -> p38; pka -> raf; pkc -> jnk; pkc -> mek; pkc -> p38; pkc -> pka; pkc -> raf; plc -> pip2; plc -> pkc; raf -> mek"
)


def load_sachs(*, contexts: bool = True, path: str | Path | None = None) -> GraphData:
    """Load the protein signalling data of Sachs et al. with their consensus graph.

    Parameters
    ----------
    contexts : bool, default=True
        Add the column ``condition``: the reagents given, as text. The nine combinations are the nine experiments.
    path : str or pathlib.Path, optional
        A copy of the file. By default it is downloaded once (1 MB, needs ``pip install causalkit[datasets]``), compared with its
        checksum, and kept in the user's cache.

    Returns
    -------
    GraphData
        7,466 cells; eleven proteins as log(x + 10) of their fluorescence; a graph of 20 arrows.

    Raises
    ------
    DataError
        If the file does not have the columns that are expected.

    Notes
    -----
    The graph is the consensus of the literature at the time, as distributed with the data; it is no ground truth in the strict sense. It has no
    cycle, which the biology does not promise, and other authors draw 17 to 20 arrows. Reagents were not given at random to cells:
    each experiment is one sample.

    References
    ----------
    K. Sachs, O. Perez, D. Pe'er, D. Lauffenburger, G. Nolan, "Causal protein-signaling networks derived from multiparameter
    single-cell data", Science 308, 2005. File: ``cmu-phil/example-causal-datasets`` (CC0 1.0).

    Examples
    --------
    >>> from causalkit.datasets import load_sachs
    >>> load_sachs()  # doctest: +SKIP
    """
    import pandas as pd

    file = _download() if path is None else Path(path)
    with reading(f"the file of Sachs et al., {file},"):
        frame = pd.read_csv(file, sep="\t")
    absent = [name for name in (*PROTEINS, *REAGENTS) if name not in frame.columns]
    if absent:
        raise DataError(
            f"the file has no column {absent[0]!r}; expected are the tab-separated columns {', '.join((*PROTEINS, *REAGENTS))}"
        )
    with reading(f"a column of {file}"):
        table = frame[list(PROTEINS)].astype(float)
    if contexts:
        table = table.assign(condition=_conditions(frame[list(REAGENTS)].to_numpy()))
    graph = CausalGraph.parse(f"{', '.join(PROTEINS)}; {CONSENSUS}", kind="DAG")
    text = (
        "Sachs et al. (2005), Science 308: eleven proteins in single human T cells under nine combinations of reagents; log(x + 10). "
        "From cmu-phil/example-causal-datasets, CC0 1.0."
    )
    return GraphData(table, graph, ("condition",) if contexts else (), text)


def _conditions(given: Any) -> list[str]:
    """Name each row's combination of reagents."""
    if not np.isin(given, (0, 1)).all():
        raise DataError("the columns of reagents must hold 0 and 1")
    return [" + ".join(np.array(REAGENTS)[row == 1]) or "none" for row in given]


def import_pooch() -> Any:
    """Import the library that downloads and compares checksums, or say what to install."""
    try:
        import pooch
    except ImportError as problem:
        text = "downloading needs pooch: pip install 'causalkit[datasets]', or give the path of a copy with path=..."
        raise MissingDependencyError(text) from problem
    return pooch


def _download() -> str:
    pooch = import_pooch()
    cache = pooch.os_cache("causalkit")
    with reading(URL):
        return str(pooch.retrieve(URL, known_hash=f"sha256:{SHA256}", fname="sachs.tsv", path=cache))
