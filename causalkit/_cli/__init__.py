"""The command line: ``causalkit discover data.csv --context year --out results/``.

A thin layer over `causalkit.discovery`: it reads a table, runs CD-NOD (or PC without a context), prints why each arrow stands and
writes the graph, the edges and a picture of the driving forces.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from causalkit._cli._build import NothingBuiltError, add_build, build
from causalkit._cli._settings import CONFIG, add_discover, echo, given_columns, settle
from causalkit._validation import as_cell, read_csv, read_dates
from causalkit._version import __version__
from causalkit.exceptions import CausalKitError, CausalKitWarning, DataError, MissingDependencyError

MIN_ROWS = 20
BANDS = 50
EDGE_COLUMNS = ("from", "edge", "to", "rule", "p_value", "statistic", "source", "note")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status: 2 for an error that the user can mend, 1 if `build` built nothing."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (CausalKitError, OSError) as error:
        print(f"causalkit: error: {_as_flags(str(error))}", file=sys.stderr)
        return 2
    except NothingBuiltError as reason:
        print(f"causalkit: nothing was built: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("causalkit: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="causalkit", description="Causal graphs from data whose mechanisms change, and from experts."
    )
    parser.add_argument("--version", action="version", version=f"causalkit {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = add_discover(commands)
    run.set_defaults(run=lambda given: discover(settle(given, run)))
    add_build(commands)
    commands.choices["build"].set_defaults(run=show_build)
    return parser


def show_build(options: argparse.Namespace) -> None:
    """Build a graph with an expert, and print what comes of it."""
    for text in build(options):
        print(text)


# -- the run ---------------------------------------------------------------------------------------------------------------


def check_options(options: argparse.Namespace) -> None:
    """Refuse options that contradict one another, before any work is done."""
    if options.no_context and options.context:
        raise DataError("--context and --no-context contradict each other; leave one out")
    dropped = set(options.drop) & {*options.context, *options.categorical, *options.time}
    if dropped:
        raise DataError(
            f"column {min(dropped)!r} is dropped by --drop and used by another option; leave one out"
        )
    twice = set(options.categorical) & set(options.time)
    if twice:
        raise DataError(f"column {min(twice)!r} is declared both --categorical and --time")
    options.out.mkdir(parents=True, exist_ok=True)


def discover(options: argparse.Namespace) -> None:
    """Check, read, search, print and write."""
    check_options(options)
    frame, notes = read_frame(options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", CausalKitWarning)
        model = fit(frame, options)
    for text in dict.fromkeys([*notes, *(str(w.message) for w in caught)]):
        print(f"note: {_as_flags(text)}", file=sys.stderr)
    types = ", ".join(f"{name} ({kind})" for name, kind in model.column_types_.items())
    print(f"columns: {types}")
    rows = edge_rows(model.graph_)
    print(
        f"\n{len(frame)} rows, {model.n_tests_} tests at alpha = {options.alpha:g} with {options.ci_test}\n"
    )
    print(format_table(rows))
    print_changes(model)
    for path in write_results(model, frame, rows, options):
        print(f"wrote {path}")


def read_frame(options: argparse.Namespace) -> tuple[Any, list[str]]:
    """Read the file, check what a search cannot use, and say what was decided on the way."""
    frame, notes = _read_file(options)
    columns = [str(name) for name in frame.columns]
    for name in given_columns(options):
        if name not in columns:
            raise DataError(
                f"{options.data} has no column {name!r}; its columns are {', '.join(columns)}{_one_column(columns)}"
            )
    if len(columns) < 2:
        raise DataError(f"{options.data} has one column, {columns[0]!r}{_one_column(columns)}")
    frame = frame.drop(columns=options.drop)
    if options.missing == "drop":
        complete = frame.dropna()
        notes += [f"{len(frame) - len(complete)} of {len(frame)} rows with missing values were left out"] * (
            len(complete) < len(frame)
        )
        frame = complete.reset_index(drop=True)
    if len(frame) < MIN_ROWS:
        raise DataError(
            f"{options.data} has {len(frame)} rows; at least {MIN_ROWS} are needed, and some hundreds to see anything"
        )
    for name in frame.columns:
        if name not in options.categorical:
            frame[name] = _with_dates(frame[name], options)
        if (
            frame[name].notna().all()
            and (frame[name] == frame[name].iloc[0]).all()
            and name not in options.context
        ):
            raise DataError(
                f"column {name!r} has the same value in all rows; leave it out with --drop {name}"
            )
    return frame, notes


def _one_column(columns: Sequence[str]) -> str:
    return "; say what separates columns with --sep" if len(columns) == 1 else ""


def _read_file(options: argparse.Namespace) -> tuple[Any, list[str]]:
    path = options.data
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}; looked in {Path.cwd()}")
    if path.suffix != ".parquet":
        found = read_csv(path, sep=options.sep, decimal=options.decimal)
        return found.frame, found.notes
    try:
        import pandas as pd

        return pd.read_parquet(path), []
    except ImportError:
        raise MissingDependencyError(
            "reading Parquet needs pandas and pyarrow: pip install 'causalkit[frames]'"
        ) from None
    except (ValueError, OSError, MemoryError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from None


def _with_dates(column: Any, options: argparse.Namespace) -> Any:
    """Read text such as 1959-03-31 or 31.03.1959 as dates; leave everything else."""
    import pandas as pd

    if not pd.api.types.is_string_dtype(column):
        return column
    there = column.dropna()
    texts = pd.unique(there.astype(str)).tolist()
    order: Any = options.dates.replace("-", " ") if options.dates else None
    seconds = read_dates(str(column.name), texts, order)
    if seconds is None:
        return column
    dates = dict(zip(texts, pd.to_datetime(seconds, unit="s"), strict=True))
    return column.map(lambda text: dates.get(str(text), pd.NaT))


def fit(frame: Any, options: argparse.Namespace) -> Any:
    """Run CD-NOD, or PC if nothing is said to change."""
    from causalkit.discovery import CDNOD, PC

    types = dict.fromkeys(options.categorical, "categorical") | dict.fromkeys(options.time, "time")
    common = {
        "ci_test": options.ci_test,
        "alpha": options.alpha,
        "max_cond_size": options.max_cond_size,
        "column_types": types or None,
        "missing": "testwise" if options.missing == "testwise" else "error",
        "verbose": 0 if options.quiet else 1,
    }
    if options.no_context:
        return PC(**common).fit(frame)
    return CDNOD(n_resamples=BANDS, **common).fit(frame, context=options.context or None)


# -- output ------------------------------------------------------------------------------------------------------------------


_FLAGS = {
    r"(with )?column_types=\{'(.+?)': '(categorical|time)'\}": r"\1--\3 \2",
    r"searches and tests that take missing='testwise' can use the others of each row": "--missing drop does so, and --missing testwise uses the others of each row",
    r"read them with pandas\.to_datetime\(.*?\) or dayfirst=False": "say it with --dates day-first or --dates month-first",
}


def _as_flags(text: str) -> str:
    """Say in the words of the command line what the library says in Python."""
    for python, flags in _FLAGS.items():
        text = re.sub(python, flags, text)
    return text


def edge_rows(graph: Any) -> list[dict[str, Any]]:
    """Return one row per edge with the columns of ``edges.csv``."""
    rows = []
    for edge in graph.edges:
        known = {name: edge.data.get(name) for name in EDGE_COLUMNS if name in edge.data}
        rows.append({"from": edge.u, "edge": graph.edge_between(edge.u, edge.v), "to": edge.v, **known})
    return rows


def format_table(rows: Sequence[dict[str, Any]]) -> str:
    """Lay the edges out for reading: what points where, and why."""
    if not rows:
        return "no edges: all variables look independent"
    lines = [("edge", "p-value", "why")]
    for row in rows:
        p = row.get("p_value")
        why = f"{row['rule']}: {row['note']}" if row.get("rule") else "direction not determined by the data"
        edge = f"{row['from']} {row['edge']} {row['to']}"
        lines.append((edge, "" if p is None else f"{p:.2g}", why))
    widths = [max(len(line[k]) for line in lines) for k in (0, 1)]
    lines.insert(1, ("-" * widths[0], "-" * widths[1], "-" * 40))
    return "\n".join(f"{a:{widths[0]}}  {b:>{widths[1]}}  {c}" for a, b, c in lines)


def print_changes(model: Any) -> None:
    """Print which mechanisms change, what Phase III saw, and what contradicted what."""
    if hasattr(model, "changing_"):
        contexts = ", ".join(model.context_names_)
        print(f"\nmechanisms that change with {contexts}: {', '.join(model.changing_) or 'none'}")
    for hypothesis in getattr(model, "hypotheses_", ()):
        causes = ", ".join(hypothesis.causes)
        print(f"  {causes} -> {hypothesis.effect}? score {hypothesis.score:.3g}: {hypothesis.decision}")
    alone = [name for name in model.graph_.nodes if not model.graph_.neighbors(name)]
    if alone:
        print(f"without any edge: {', '.join(alone)}")
    for conflict in model.conflicts_:
        print(f"conflict: {conflict}")
    print(f"the graph is of kind {model.graph_.kind}; p-value is that of the weakest test for an edge\n")


def write_results(
    model: Any, frame: Any, rows: Sequence[dict[str, Any]], options: argparse.Namespace
) -> list[Path]:
    """Write graph.svg, graph.json, edges.csv and, if something changes, driving_forces.png."""
    written = [options.out / name for name in ("graph.svg", "graph.json", "edges.csv")]
    written[0].write_text(standalone(model.graph_.to_svg()), encoding="utf-8")
    written[1].write_text(model.graph_.to_json(indent=2), encoding="utf-8")
    with written[2].open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, EDGE_COLUMNS)
        writer.writeheader()
        named = ("from", "to", "source", "note")
        writer.writerows({k: as_cell(str(v)) if k in named else v for k, v in row.items()} for row in rows)
    written.append(options.out / CONFIG)
    written[-1].write_text(echo(options), encoding="utf-8")
    if getattr(model, "driving_forces_", None):
        written.append(options.out / "driving_forces.png")
        _save_forces(model, frame, written[-1])
    return written


def standalone(svg: str) -> str:
    """Give a drawing its own colours, for a file outside a page."""
    return svg.replace("color:currentColor", "color:#222222;background:#ffffff", 1)


def _save_forces(model: Any, frame: Any, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    first = model.context_names_[0]
    figure = model.plot_driving_forces(frame[first].to_numpy() if first in frame else None)
    figure.savefig(path, dpi=150)
