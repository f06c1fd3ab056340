"""Causal Chambers: a light tunnel and a wind tunnel whose knobs and sensors are wired by known physics.

Importing this asks no server. The list of data sets, with addresses and checksums, is read from the publisher when a data set is loaded that is not at hand.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from causalkit._validation import check_choice, read_yaml
from causalkit.datasets._domain_graphs import graph_of_arrows
from causalkit.datasets._graph_data import GraphData
from causalkit.datasets._reading import reading, require_pandas
from causalkit.datasets._sachs import import_pooch
from causalkit.exceptions import DataError, ParameterError
from causalkit.graph import CausalGraph

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["causal_chamber_graph", "load_causal_chamber"]

DIRECTORY = "https://causalchamber.s3.eu-central-1.amazonaws.com/downloadables/directory.yaml"

LIGHT = (
    "red green blue osr_c v_c current pol_1 pol_2 osr_angle_1 osr_angle_2 v_angle_1 v_angle_2 angle_1 angle_2 ir_1 vis_1 ir_2 vis_2 ir_3 vis_3 "
    "l_11 l_12 l_21 l_22 l_31 l_32 diode_ir_1 diode_vis_1 diode_ir_2 diode_vis_2 diode_ir_3 diode_vis_3 "
    "t_ir_1 t_vis_1 t_ir_2 t_vis_2 t_ir_3 t_vis_3"
)
WIND = (
    "hatch pot_1 pot_2 osr_1 osr_2 osr_mic osr_in osr_out osr_upwind osr_downwind osr_ambient osr_intake v_1 v_2 v_mic v_in v_out load_in load_out "
    "current_in current_out res_in res_out rpm_in rpm_out pressure_upwind pressure_downwind pressure_ambient pressure_intake mic signal_1 signal_2"
)
POLARISERS = {1: "", 2: "", 3: " pol_1 pol_2"}
LIGHT_PARENTS = {
    **{
        f"{band}_{k}": f"red green blue l_{k}1 l_{k}2 t_{band}_{k} diode_{band}_{k}{between}"
        for k, between in POLARISERS.items()
        for band in ("ir", "vis")
    },
    "current": "red green blue v_c osr_c",
    "angle_1": "pol_1 v_angle_1 osr_angle_1",
    "angle_2": "pol_2 v_angle_2 osr_angle_2",
}
WIND_PARENTS = {
    **{
        f"pressure_{place}": f"load_in load_out hatch osr_{place}"
        for place in ("intake", "upwind", "downwind")
    },
    "pressure_ambient": "osr_ambient",
    "rpm_in": "load_in load_out hatch res_in",
    "rpm_out": "load_in load_out hatch res_out",
    "current_in": "load_in load_out osr_in v_in",
    "current_out": "load_in load_out osr_out v_out",
    "signal_1": "pot_1 osr_1 v_1",
    "signal_2": "pot_1 pot_2 osr_2 v_2",
    "mic": "pot_1 load_in load_out hatch osr_mic v_mic",
}
CAMERA = {"im": "red green blue pol_1 pol_2 shutter_speed aperture iso"}
FEEDBACK = {"load_in": "pressure_downwind", "load_out": "pressure_downwind"}
GRAPHS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "lt standard": (LIGHT, LIGHT_PARENTS),
    "lt camera": (f"{LIGHT} im aperture shutter_speed iso", {**LIGHT_PARENTS, **CAMERA}),
    "wt standard": (WIND, WIND_PARENTS),
    "wt pressure-control": (WIND, {**WIND_PARENTS, **FEEDBACK}),
}

STANDARD = (
    "lt_interventions_standard_v1 lt_malus_v1 lt_test_v1 lt_validate_v1 lt_walks_v1 wt_bernoulli_v1 wt_changepoints_v1 wt_intake_impulse_v1 "
    "wt_test_v1 wt_validate_v1 wt_walks_v1"
)
WITH_CAMERA = "lt_camera_test_v1 lt_camera_v1 lt_camera_validate_v1 lt_camera_walks_v1 lt_color_regression_v1 lt_crl_benchmark_v1"
CONFIGURATIONS = {
    **dict.fromkeys(STANDARD.split(), "standard"),
    **dict.fromkeys(WITH_CAMERA.split(), "camera"),
    **dict.fromkeys(("wt_pressure_control_v1", "wt_pc_validate_v1"), "pressure-control"),
}


def causal_chamber_graph(chamber: str, configuration: str = "standard") -> CausalGraph:
    """Return the published graph of a causal chamber.

    Parameters
    ----------
    chamber : {"lt", "wt"}
        Light tunnel or wind tunnel.
    configuration : {"standard", "camera", "pressure-control"}, default="standard"
        What is mounted: the light tunnel has the first two, the wind tunnel the first and the third.

    Returns
    -------
    CausalGraph
        A DAG; with pressure control there is a feedback from ``pressure_downwind`` to both fans, so it has the kind UNKNOWN and its edges say in a note that
        each causes the other. ``im`` stands for the picture.

    Raises
    ------
    ParameterError
        If there is no such chamber in this configuration.

    References
    ----------
    J. Gamella, J. Peters, P. Bühlmann, "Causal chambers as a real-world physical testbed for AI methodology", Nature Machine Intelligence 7, 2025, figure 3
    and appendix V; arrows as in the authors' package ``causalchamber`` 0.2.8.

    Examples
    --------
    >>> from causalkit.datasets import causal_chamber_graph
    >>> graph = causal_chamber_graph("lt")
    >>> graph.n_nodes, graph.n_edges, graph.parents("current")
    (38, 57, ('red', 'green', 'blue', 'osr_c', 'v_c'))
    """
    name = f"{chamber} {configuration}"
    check_choice("chamber and configuration", name, tuple(GRAPHS))
    nodes, parents = GRAPHS[name]
    names = nodes.split()
    place = {node: k for k, node in enumerate(names)}
    causes = np.zeros((len(names), len(names)), dtype=bool)
    for effect, group in parents.items():
        for cause in group.split():
            causes[place[cause], place[effect]] = True
    return graph_of_arrows(name, names, causes)


def load_causal_chamber(
    name: str,
    experiments: str | Iterable[str] | None = None,
    *,
    path: str | Path | None = None,
    image_size: str | None = None,
    configuration: str | None = None,
    extra_columns: bool = False,
    cache_dir: str | Path | None = None,
    directory: str = DIRECTORY,
) -> GraphData:
    """Load experiments from a causal chamber, with the graph of its wiring.

    Parameters
    ----------
    name : str
        Data set, such as ``"lt_interventions_standard_v1"``; those that there are stand at https://github.com/juangamella/causal-chamber.
    experiments : str or iterable of str, optional
        Which experiments, one after the other. By default all.
    path : str or pathlib.Path, optional
        Your folder of the data set, as its zip archive unpacks. By default it is downloaded once (needs ``pip install causalkit[datasets]``), compared
        with the checksum that the publisher states, and kept in the user's cache; nothing is asked of the network again.
    image_size : str, optional
        For data sets with pictures: add the column ``image`` with paths of the pictures of this size, such as ``"100"`` or ``"full"``.
    configuration : str, optional
        As for :func:`causal_chamber_graph`; needed for data sets that are newer than this loader.
    extra_columns : bool, default=False
        Keep columns that are no variables of the graph, such as time stamps.
    cache_dir : str or pathlib.Path, optional
        Where downloads are kept.
    directory : str, optional
        Address of the publisher's list of data sets.

    Returns
    -------
    GraphData
        The variables, and the context ``experiment``; knobs that an experiment holds still are constant in it. Variables of the graph for which the files
        have no column are named in the description.

    Raises
    ------
    ParameterError
        If there is no such data set, experiment or size of pictures.
    DataError
        If the files are not as expected, or their checksum is not the one stated.

    Notes
    -----
    The layout of the files and of the list is that of the authors' package ``causalchamber`` 0.2.8, whose own loader asks the network when it is imported.
    Data: CC BY 4.0.

    References
    ----------
    J. Gamella, J. Peters, P. Bühlmann, "Causal chambers as a real-world physical testbed for AI methodology", Nature Machine Intelligence 7, 2025.

    Examples
    --------
    >>> from causalkit.datasets import load_causal_chamber
    >>> load_causal_chamber("lt_interventions_standard_v1", ["uniform_reference", "uniform_red_strong"])  # doctest: +SKIP
    """
    require_pandas()
    if str(name)[:2] not in ("lt", "wt"):
        raise ParameterError(
            f"name is {name!r}; data sets begin with 'lt' (light tunnel) or 'wt' (wind tunnel), such as 'lt_interventions_standard_v1'"
        )
    graph = causal_chamber_graph(name[:2], _configuration(name, configuration))
    folder = _folder(name, cache_dir, directory) if path is None else Path(path)
    tables = _tables(folder)
    chosen = _chosen(tables, experiments)
    frame = _joined({e: _read(tables[e], e, image_size) for e in chosen})
    known = [node for node in graph.nodes if node in frame.columns]
    if not known:
        raise DataError(
            f"{folder} has no column of the chamber {name[:2]!r}; its columns are {', '.join(frame.columns)}"
        )
    added = [column for column in ("image", "experiment") if column in frame.columns]
    kept = (
        [*known, *(c for c in frame.columns if c not in {*known, *added}), *added]
        if extra_columns
        else [*known, *added]
    )
    return GraphData(frame[kept], graph, ("experiment",), _description(name, graph, known))


def _configuration(name: str, given: str | None) -> str:
    if given is None and name not in CONFIGURATIONS:
        raise ParameterError(
            f"the configuration of {name!r} is not known here; give configuration= if it is newer than this loader. Known are {', '.join(CONFIGURATIONS)}"
        )
    return given or CONFIGURATIONS[name]


def _description(name: str, graph: CausalGraph, known: Sequence[str]) -> str:
    absent = [node for node in graph.nodes if node not in known]
    without = f" Without a column: {', '.join(absent)}." if absent else ""
    return f"Causal Chambers, {name}: Gamella, Peters, Bühlmann (2025), Nature Machine Intelligence 7. CC BY 4.0.{without}"


# -- experiments of a folder -------------------------------------------------------------------------------------------------------


def _tables(folder: Path) -> dict[str, Path]:
    """Return the table of every experiment: files of the folder, or one in a folder of its name beside its pictures."""
    if not folder.is_dir():
        raise DataError(
            f"there is no folder {folder}; give the folder that the archive of the data set unpacks to"
        )
    found = {file.stem: file for file in sorted(folder.glob("*.csv"))}
    found |= {sub.name: sub / f"{sub.name}.csv" for sub in sorted(folder.iterdir()) if _holds_table(sub)}
    if not found:
        raise DataError(f"{folder} has no experiments: neither NAME.csv nor NAME/NAME.csv")
    return found


def _holds_table(folder: Path) -> bool:
    return (folder / f"{folder.name}.csv").is_file()


def _chosen(tables: Mapping[str, Path], experiments: str | Iterable[str] | None) -> list[str]:
    if experiments is None:
        return list(tables)
    if not isinstance(experiments, Iterable):
        raise ParameterError(f"experiments are named by text; got {experiments!r}")
    names = [experiments] if isinstance(experiments, str) else list(experiments)
    unknown = [name for name in names if name not in tables]
    if unknown or not names or len(set(names)) < len(names):
        problem = (
            f"there is no experiment {unknown[0]!r}" if unknown else "experiments must be named once each"
        )
        raise ParameterError(f"{problem}; there are {', '.join(tables)}")
    return names


def _read(file: Path, experiment: str, image_size: str | None) -> pd.DataFrame:
    import pandas as pd

    try:
        frame = pd.read_csv(file)
    except (ValueError, UnicodeDecodeError) as problem:
        raise DataError(f"{file} is no table: {problem}") from problem
    if image_size is not None:
        frame["image"] = _pictures(file, frame, image_size)
    return frame.assign(experiment=experiment)


def _pictures(file: Path, frame: pd.DataFrame, size: str) -> list[str]:
    sizes = [sub.name.removeprefix("images_") for sub in sorted(file.parent.glob("images_*"))]
    if size not in sizes or "image_file" not in frame.columns:
        raise ParameterError(
            f"{file} has no pictures of size {size!r}; there are {', '.join(sizes) or 'none'}"
        )
    paths = [file.parent / f"images_{size}" / str(name) for name in frame["image_file"]]
    gone = next((p for p in paths if not p.is_file()), None)
    if gone is not None:
        raise DataError(f"{file} names the picture {gone}, which is not there")
    return [str(p) for p in paths]


def _joined(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    first_name, first = next(iter(frames.items()))
    for name, frame in frames.items():
        different = set(first.columns) ^ set(frame.columns)
        if different:
            raise DataError(
                f"experiments {first_name!r} and {name!r} do not have the same columns (such as {min(different)!r}); load them one by one"
            )
    return pd.concat(frames.values(), ignore_index=True)


# -- download ----------------------------------------------------------------------------------------------------------------------


def _folder(name: str, cache_dir: str | Path | None, directory: str) -> Path:
    """Return the unpacked data set in the cache, downloaded if it is not there."""
    pooch = import_pooch()
    cache = Path(cache_dir) if cache_dir is not None else Path(pooch.os_cache("causalkit"))
    folder = cache / "causal_chambers" / name
    if not folder.is_dir():
        _download(pooch, name, folder, directory)
    return folder


def _download(pooch: Any, name: str, folder: Path, directory: str) -> None:
    """Unpack beside the place and move it there whole, so that what is there is complete."""
    with reading(f"the cache {folder.parent}"):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        url, md5 = _entry(pooch, name, directory, work)
        with reading(url):
            try:
                archive = pooch.retrieve(url, known_hash=f"md5:{md5}", path=work, fname="data.zip")
            except ValueError as problem:
                raise DataError(
                    f"{url} does not have the checksum that its publisher states: {problem}"
                ) from problem
            with zipfile.ZipFile(archive) as content:
                content.extractall(Path(work) / "content")
        inside = Path(work) / "content" / name
        if not inside.is_dir():
            raise DataError(f"{url} holds no folder {name!r}")
        if not folder.is_dir():
            shutil.move(inside, folder)


def _entry(pooch: Any, name: str, directory: str, work: str) -> tuple[str, str]:
    """Look a data set up in the publisher's list."""
    with reading(directory):
        file = pooch.retrieve(directory, known_hash=None, path=work, fname="directory.yaml")
    try:
        listed = read_yaml(Path(file).read_text(encoding="utf-8"), directory)["datasets"]
        entries = {key: (str(value["url"]), str(value["md5"])) for key, value in listed.items()}
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as problem:
        raise DataError(f"{directory} is no list of data sets: {problem!r}") from problem
    if name not in entries:
        raise ParameterError(f"there is no data set {name!r}; there are {', '.join(entries)}")
    return entries[name]
