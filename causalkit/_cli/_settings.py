"""Options of ``causalkit discover`` from the command line and from a file of the same names."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from causalkit._validation import read_mappings
from causalkit.exceptions import DataError, ParameterError

DEFAULTS: dict[str, Any] = {
    "data": None,
    "config": None,
    "context": [],
    "no_context": False,
    "ci_test": "kci",
    "alpha": 0.05,
    "max_cond_size": None,
    "categorical": [],
    "time": [],
    "drop": [],
    "missing": "error",
    "sep": None,
    "decimal": None,
    "dates": None,
    "out": Path("results"),
    "quiet": False,
}
CONFIG = "config.yaml"


def add_discover(commands: Any) -> argparse.ArgumentParser:
    """Add the command and its options; those that are not given are not in the namespace."""
    run: argparse.ArgumentParser = commands.add_parser(
        "discover",
        help="find a causal graph, changing mechanisms and their driving forces",
        argument_default=argparse.SUPPRESS,
    )
    option = run.add_argument
    option(
        "data",
        type=Path,
        nargs="?",
        default=None,
        help="CSV or Parquet file with one row per observation and a header",
    )
    option(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"YAML or JSON with these options by name, such as the {CONFIG} of an earlier run; what is given here comes first",
    )
    option(
        "--context",
        action="append",
        metavar="COLUMN",
        help="column that says when or where (repeatable); default: row number",
    )
    option("--no-context", action="store_true", help="assume that nothing changes: run PC")
    option("--ci-test", metavar="TEST", help="kci, fisher_z, g_square or chi_square (default: kci)")
    option("--alpha", type=float, help="level of the tests (default: 0.05)")
    option("--max-cond-size", type=int, metavar="K", help="largest conditioning set (default: no limit)")
    option("--categorical", action="append", metavar="COLUMN", help="read a column as labels (repeatable)")
    option("--time", action="append", metavar="COLUMN", help="read a column as time (repeatable)")
    option("--drop", action="append", metavar="COLUMN", help="leave a column out (repeatable)")
    option(
        "--missing",
        choices=("error", "testwise", "drop"),
        help="rows with missing values: stop (default), leave each out of the tests that need what is missing, or leave them out of all",
    )
    option(
        "--sep",
        metavar="CHARACTER",
        help="what separates columns: comma, semicolon, tab, bar, space or a character",
    )
    option("--decimal", choices=(".", ","), help="how numbers are written")
    option("--dates", choices=("day-first", "month-first"), help="how dates such as 3/4/1959 are written")
    option("--out", type=Path, metavar="FOLDER", help="where to write (default: results)")
    option("--quiet", action="store_true", help="no progress bar")
    return run


def settle(given: argparse.Namespace, parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return all options: those given, then those of the file, then the defaults."""
    said = {key: value for key, value in vars(given).items() if value is not None}
    filed = _filed(said["config"], parser) if said.get("config") else {}
    options = argparse.Namespace(**DEFAULTS | filed | said)
    if options.data is None:
        raise DataError("give a CSV or Parquet file: causalkit discover data.csv")
    return options


def _filed(path: Path, parser: argparse.ArgumentParser) -> dict[str, Any]:
    """Read options from a file, with the checks that the command line makes."""
    content = read_mappings(path)
    if not isinstance(content, Mapping):
        raise ParameterError(f"{path} must hold options by name, as in 'context: [year]'")
    known = {key.replace("_", "-") for key in DEFAULTS if key != "config"}
    words: list[str] = []
    for name, value in content.items():
        key = str(name).replace("_", "-")
        if key not in known:
            raise ParameterError(f"{path} has {name!r}; options are {', '.join(sorted(known))}")
        words += _words(key, value, path)
    try:
        found = vars(parser.parse_args(words))
    except SystemExit:
        raise ParameterError(f"{path} has an option that is not understood, see above") from None
    return {key: value for key, value in found.items() if value is not None and key != "run"}


def _words(key: str, value: Any, path: Path) -> list[str]:
    """Write one option as it stands on the command line."""
    if value in (None, "", "null", [], "~"):
        return []
    if key in ("no-context", "quiet"):
        if str(value).lower() not in ("true", "false", "yes", "no"):
            raise ParameterError(f"{path} has {key}: {value}; it must be true or false")
        return [f"--{key}"] if str(value).lower() in ("true", "yes") else []
    values = value if isinstance(value, list) else [value]
    if any(isinstance(v, list | Mapping) for v in values) or (
        len(values) > 1 and not isinstance(DEFAULTS[key.replace("-", "_")], list)
    ):
        raise ParameterError(f"{path} has {key}: {value}; a value, or a list of column names, is expected")
    # An option and its value in one word: a name may begin with a dash.
    return [str(v) if key == "data" else f"--{key}={v}" for v in values]


def echo(options: argparse.Namespace) -> str:
    """Write all options as YAML, from which the same run can be made again."""
    lines = []
    for key in DEFAULTS:
        value = getattr(options, key)
        if key != "config":
            plain = str(value) if isinstance(value, Path) else value
            lines.append(f"{key.replace('_', '-')}: {json.dumps(plain, ensure_ascii=False)}")
    return "\n".join([*lines, ""])


def given_columns(options: argparse.Namespace) -> Sequence[str]:
    """Return the columns that options name."""
    return [*options.context, *options.categorical, *options.time, *options.drop]
