"""The command ``causalkit build variables.yaml --expert replay:transcript.jsonl``: a thin layer over `causalkit.llm_causal`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from causalkit.exceptions import DataError, MissingDependencyError, ParameterError


class NothingBuiltError(Exception):
    """A run came to its end and built nothing; the message says why. What was spent on it has been written."""


EXPERTS = "replay:TRANSCRIPT.jsonl, chat:MODEL (with --base-url for a server of yours), or human:SHEET.csv"


def add_build(commands: Any) -> None:
    """Add the command and its options."""
    run = commands.add_parser(
        "build", help="build a graph with an expert: a language model, a person, or recorded answers"
    )
    run.add_argument("variables", type=Path, help="YAML or JSON file with names and descriptions")
    run.add_argument("--expert", required=True, metavar="KIND:WHAT", help=EXPERTS)
    run.add_argument("--base-url", metavar="URL", help="server that speaks the protocol of chat completions")
    run.add_argument(
        "--api-key-env",
        default="OPENAI_API_KEY",
        metavar="NAME",
        help="environment variable with the key (default: OPENAI_API_KEY)",
    )
    run.add_argument(
        "--cache", type=Path, metavar="FILE", help="SQLite file of replies, so that none is paid for twice"
    )
    run.add_argument("--data", type=Path, help="CSV or Parquet file with a column for every variable")
    run.add_argument("--graph", type=Path, help="what data say: a graph as JSON, or as DAGitty text")
    run.add_argument(
        "--review", type=Path, action="append", default=[], help="sheet with verdicts (repeatable)"
    )
    run.add_argument(
        "--policy", default="data_first", help="data_first, bayes or expert_first (default: data_first)"
    )
    run.add_argument(
        "--trust",
        type=float,
        metavar="P",
        help="share of right directions to assume, instead of an exam; .5 to 1",
    )
    run.add_argument("--strategy", help="without data: graph (the default), children, pairwise or triplet")
    run.add_argument("--samples", type=int, metavar="N", help="repetitions of each question, in other words")
    run.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="NAME",
        help="column that is a context; CD-NOD then searches (repeatable)",
    )
    run.add_argument(
        "--ci-test", metavar="NAME", help="independence test, such as kci for columns of several types"
    )
    run.add_argument(
        "--structured",
        default="json_schema",
        help="what the server is asked to guarantee of replies: json_schema (the default), json_object or text",
    )
    run.add_argument("--calls", type=int, metavar="N", help="largest number of requests")
    run.add_argument("--tokens", type=int, metavar="N", help="largest number of tokens")
    run.add_argument(
        "--seconds", type=float, metavar="S", help="longest time from the first question to the last"
    )
    run.add_argument("--estimate", action="store_true", help="say what it would cost, and stop")
    run.add_argument(
        "--preview", action="store_true", help="show the first request as it would be sent, and stop"
    )
    run.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        metavar="FOLDER",
        help="where to write (default: results)",
    )
    run.add_argument("--quiet", action="store_true", help="no progress bar")


def build(options: argparse.Namespace) -> Iterator[str]:
    """Build and write; yield what is to be shown."""
    from causalkit.llm_causal import Budget, GraphBuilder, Reliability, read_review_sheet, read_variables

    _check(options)
    limits = {"calls": options.calls, "tokens": options.tokens, "seconds": options.seconds}
    expert = _expert(options)
    session = GraphBuilder(
        read_variables(options.variables),
        expert=expert,
        data=None if options.data is None else _table(options.data),
        graph=None if options.graph is None else _graph(options.graph),
        discovery=_search(options),
        context=options.context or None,
        policy=options.policy,
        strategy=options.strategy or "graph",
        samples=options.samples,
        reliability=None
        if options.trust is None
        else Reliability(options.trust, 1 - options.trust, persistence=1.0),
        claims=[claim for sheet in options.review for claim in read_review_sheet(sheet, source=sheet.stem)],
        budget=Budget(**limits) if any(limit is not None for limit in limits.values()) else None,
        transcript=_transcript(options),
        verbose=0 if options.quiet else 1,
    )
    if options.estimate or options.preview:
        yield _before(session, expert, preview=options.preview)
        return
    result = session.run()
    yield result.to_markdown()
    for path in _write(result, options.out):
        yield f"wrote {path}"
    if result.nothing:
        raise NothingBuiltError(result.nothing)


def _check(options: argparse.Namespace) -> None:
    """Raise for options that would not be used, or do not go together."""
    with_data = options.data is not None or options.graph is not None
    if options.strategy is not None and with_data:
        raise ParameterError("--strategy is for names alone; with data or a graph, leave it out")
    if (options.context or options.ci_test) and options.data is None:
        raise ParameterError("--context and --ci-test say how to search in data; give --data")
    if options.trust is not None and not 0.5 <= options.trust <= 1:
        raise ParameterError(f"--trust is {options.trust:g}; it must be from .5 to 1")
    if options.cache is not None and not options.expert.startswith("chat:"):
        raise ParameterError("--cache keeps replies of a server; it goes with --expert chat:MODEL")


def _search(options: argparse.Namespace) -> Any:
    """Return how to search in the data, where it is not the default."""
    from causalkit.discovery import CDNOD, PC, Resampling

    if options.context:
        return CDNOD(ci_test=options.ci_test or "kci")
    if options.ci_test:
        return PC(ci_test=options.ci_test, colliders="max_p", resampling=Resampling(30))
    return None


def _transcript(options: argparse.Namespace) -> Path | None:
    """Return where answers are written; nowhere if nothing is asked, or if they are read from there."""
    path = options.out / "transcript.jsonl"
    source = options.expert.partition(":")[2]
    read_from_there = options.expert.startswith("replay:") and Path(source).resolve() == path.resolve()
    return None if options.estimate or options.preview or read_from_there else _fresh(path)


def _before(session: Any, expert: Any, *, preview: bool) -> str:
    questions = session.questions()
    if preview:
        if not hasattr(expert, "preview"):
            raise ParameterError("only experts behind a server have a request to show")
        return str(expert.preview(questions[0])) if questions else "nothing would be asked"
    usage = session.estimate()
    return f"{len(questions)} questions planned; with what may follow, {usage.calls} calls and about {usage.tokens} tokens"


def _expert(options: argparse.Namespace) -> Any:
    from causalkit.llm_causal import ChatExpert, HumanExpert, ReplayExpert

    kind, colon, what = options.expert.partition(":")
    makers: dict[str, Callable[[], Any]] = {
        "replay": lambda: ReplayExpert(what),
        "human": lambda: HumanExpert(what),
        "chat": lambda: ChatExpert(
            what,
            base_url=options.base_url,
            api_key_env=options.api_key_env,
            structured=options.structured,
            cache=options.cache,
        ),
    }
    if kind not in makers or not colon or not what:
        raise ParameterError(f"--expert is {options.expert!r}; it must be {EXPERTS}")
    return makers[kind]()


def _fresh(path: Path) -> Path:
    """Return the path of the transcript; one of another run is kept beside it, as what it holds was paid for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        taken = next(k for k in range(1, 10_000) if not path.with_suffix(f".{k}.jsonl").exists())
        path.rename(path.with_suffix(f".{taken}.jsonl"))
    return path


def _graph(path: Path) -> Any:
    from causalkit.graph import CausalGraph

    if not path.is_file():
        raise DataError(f"there is no file {path}")
    text = path.read_text(encoding="utf-8")
    return CausalGraph.from_json(text) if path.suffix == ".json" else CausalGraph.from_dagitty(text)


def _table(path: Path) -> Any:
    try:
        import pandas as pd
    except ImportError:
        raise MissingDependencyError("reading tables needs pandas: pip install 'causalkit[frames]'") from None
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, UnicodeDecodeError) as problem:
        raise DataError(f"{path} is no table: {problem}") from problem


def _write(result: Any, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    graph = folder / "graph.json"
    graph.write_text(result.graph.to_json(indent=1), encoding="utf-8")
    reports = [result.save(folder / name) for name in ("report.html", "report.md", "review.csv")]
    transcript = folder / "transcript.jsonl"
    return [graph, *reports, *([transcript] if transcript.exists() else [])]
