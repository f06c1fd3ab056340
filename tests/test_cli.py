"""The command line: what it prints and writes, and what it says about files that it cannot use."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit._cli import main
from tests.discovery.test_cdnod import two_mechanisms


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "data.csv"
    two_mechanisms(n=150).to_csv(path, index=False)
    return path


def run(path, *options):
    return main(["discover", str(path), "--quiet", *options])


def test_discover_prints_and_writes(table, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(table, "--context", "site", "--out", str(out)) == 0
    printed = capsys.readouterr().out
    assert "mechanisms that change with site: A" in printed
    assert "site -> A" in printed
    assert "context: site is a context" in printed
    graph = CausalGraph.from_json((out / "graph.json").read_text())
    assert graph.kind == "MPDAG"
    assert (out / "graph.svg").read_text().startswith("<svg")
    assert (out / "driving_forces.png").stat().st_size > 5000
    with (out / "edges.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == graph.n_edges
    assert set(rows[0]) == {"from", "edge", "to", "rule", "p_value", "statistic", "source", "note"}


def test_parquet_dates_and_numbered_labels(tmp_path, capsys):
    frame = two_mechanisms(n=120)[["A", "B", "site"]]
    frame["site"] = frame["site"].str[1:].astype(int)
    path = tmp_path / "data.parquet"
    frame.to_parquet(path)
    assert run(path, "--context", "site", "--categorical", "site", "--out", str(tmp_path)) == 0
    assert capsys.readouterr().err == ""
    dated = frame.drop(columns="site").assign(
        day=pd.date_range("2001-01-01", periods=120).strftime("%Y-%m-%d")
    )
    dated.to_csv(tmp_path / "dated.csv", index=False)
    assert run(tmp_path / "dated.csv", "--context", "day", "--out", str(tmp_path)) == 0
    assert json.loads((tmp_path / "graph.json").read_text())["meta"]["column_types"]["day"] == "time"


def test_undeclared_numbers_of_domains_are_noted(tmp_path, capsys):
    frame = two_mechanisms(n=120)[["A", "site"]]
    frame["site"] = frame["site"].str[1:].astype(int)
    frame.to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv", "--context", "site", "--out", str(tmp_path)) == 0
    assert "declare --categorical site" in capsys.readouterr().err


def test_without_context(table, tmp_path, capsys):
    assert run(table, "--drop", "site", "--no-context", "--ci-test", "fisher_z", "--out", str(tmp_path)) == 0
    assert "mechanisms that change" not in capsys.readouterr().out
    assert not (tmp_path / "driving_forces.png").exists()


def broken(tmp_path, change):
    frame = two_mechanisms(n=60)
    path = tmp_path / "bad.csv"
    change(frame).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f, ["--context", "year"], "has no column 'year'; its columns are A, B, C, D, site"),
        (
            lambda f: f.assign(A=[*f["A"][:-1].astype(str), "n.a.!"]),
            ["--context", "site"],
            "column 'A' mixes numbers and text ('n.a.!'",
        ),
        (
            lambda f: f.assign(B=f["B"].where(f.index != 7)),
            ["--context", "site"],
            "'B' has 1 missing values (NaN), in row 7",
        ),
        (
            lambda f: f.assign(B=3.5),
            ["--context", "site"],
            "column 'B' has the same value in all rows; leave it out with --drop B",
        ),
        (lambda f: f[:19], ["--context", "site"], "has 19 rows; at least 20"),
        (lambda f: f, ["--alpha", "2"], "alpha must be a number"),
        (lambda f: f, ["--ci-test", "fisherz"], "known tests are"),
        (lambda f: f, ["--context", "site", "--ci-test", "fisher_z"], "holds labels"),
    ],
)
def test_errors_are_clear_and_short(tmp_path, capsys, change, options, message):
    assert run(broken(tmp_path, change), "--out", str(tmp_path / "out"), *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_missing_and_unreadable_files(tmp_path, capsys):
    assert run(tmp_path / "nowhere.csv") == 2
    assert "there is no file" in capsys.readouterr().err
    (tmp_path / "binary.parquet").write_bytes(b"no parquet")
    assert run(tmp_path / "binary.parquet") == 2
    assert "cannot be read as Parquet" in capsys.readouterr().err
    (tmp_path / "empty.csv").write_text("")
    assert run(tmp_path / "empty.csv") == 2
    assert "empty.csv is empty" in capsys.readouterr().err


def test_independent_columns_have_no_edges(tmp_path, capsys):
    data = np.random.default_rng(4).normal(size=(80, 2))
    pd.DataFrame(data, columns=["u", "v"]).to_csv(tmp_path / "d.csv", index=False)
    assert run(tmp_path / "d.csv", "--alpha", "0.001", "--out", str(tmp_path)) == 0
    assert "no edges" in capsys.readouterr().out


def test_version_and_help(capsys):
    for flag in ("--version", "--help"):
        with pytest.raises(SystemExit) as stop:
            main([flag])
        assert stop.value.code == 0
    assert "discover" in capsys.readouterr().out


def test_contradicting_options_are_refused_before_the_search(table, tmp_path, capsys):
    assert run(table, "--context", "site", "--no-context") == 2
    assert "contradict" in capsys.readouterr().err
    assert run(table, "--categorical", "site", "--time", "site") == 2
    (tmp_path / "file").write_text("")
    assert run(table, "--context", "site", "--out", str(tmp_path / "file")) == 2


class TestBuild:
    """``causalkit build``: the same command from a transcript, from a sheet, and with a server."""

    VARIABLES = "season: dry or wet\nrain: mm\nwet: is the street wet\n"

    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        from causalkit import CausalGraph
        from causalkit.llm_causal import GraphBuilder, OracleExpert, Reliability, read_variables

        monkeypatch.chdir(tmp_path)
        (tmp_path / "v.yaml").write_text(self.VARIABLES)
        truth = CausalGraph.parse("season -> rain; rain -> wet")
        (tmp_path / "g.json").write_text(truth.to_cpdag().to_json())
        given, trust = read_variables("v.yaml"), Reliability(0.95, 1 - 0.95)
        GraphBuilder(given, expert=OracleExpert(truth), transcript="t.jsonl").run()
        GraphBuilder(
            given, expert=OracleExpert(truth), graph=truth.to_cpdag(), transcript="t.jsonl", reliability=trust
        ).run()
        return tmp_path

    def test_from_a_transcript(self, folder, capsys):
        from causalkit import CausalGraph

        assert (
            main(
                [
                    "build",
                    "v.yaml",
                    "--expert",
                    "replay:t.jsonl",
                    "--graph",
                    "g.json",
                    "--trust",
                    ".95",
                    "--quiet",
                ]
            )
            == 0
        )
        written = {p.name for p in (folder / "results").iterdir()}
        assert written == {"graph.json", "report.html", "report.md", "review.csv", "transcript.jsonl"}
        graph = CausalGraph.from_json(folder / "results" / "graph.json")
        assert str(graph) == "season -> rain; rain -> wet"
        first = (folder / "results" / "graph.json").read_bytes()
        again = [
            "build",
            "v.yaml",
            "--expert",
            "replay:results/transcript.jsonl",
            "--graph",
            "g.json",
            "--trust",
            ".95",
            "--quiet",
        ]
        assert main([*again, "--out", "second"]) == 0
        assert (folder / "second" / "graph.json").read_bytes() == first
        assert "A graph with receipts" in capsys.readouterr().out

    def test_from_names(self, folder, capsys):
        assert main(["build", "v.yaml", "--expert", "replay:t.jsonl", "--quiet"]) == 0
        assert "3 of 3 answers" in capsys.readouterr().out

    def test_a_person(self, folder, capsys):
        command = [
            "build",
            "v.yaml",
            "--expert",
            "human:q.csv",
            "--graph",
            "g.json",
            "--trust",
            ".95",
            "--quiet",
        ]
        assert main(command) == 1
        assert "have no answer" in capsys.readouterr().out
        sheet = (folder / "q.csv").read_text().splitlines()
        filled = [
            line.replace(",,", ",<-,").rstrip(",") + "," if "season" in line else line.replace(",,", ",->,")
            for line in sheet[1:]
        ]
        (folder / "q.csv").write_text("\n".join([sheet[0], *filled]) + "\n")
        assert main(command) == 0
        assert "season | -> | rain" in capsys.readouterr().out
        assert (folder / "results" / "transcript.1.jsonl").exists()

    def test_a_transcript_that_is_read_is_not_moved(self, folder):
        base = ["build", "v.yaml", "--graph", "g.json", "--trust", ".95", "--quiet"]
        assert main([*base, "--expert", "replay:t.jsonl"]) == 0
        before = (folder / "results" / "transcript.jsonl").read_bytes()
        first = (folder / "results" / "graph.json").read_bytes()
        for _ in range(2):
            assert main([*base, "--expert", "replay:results/transcript.jsonl"]) == 0
            assert (folder / "results" / "transcript.jsonl").read_bytes() == before
            assert (folder / "results" / "graph.json").read_bytes() == first
        assert len(list((folder / "results").glob("transcript*"))) == 1

    def test_with_a_server_and_a_context(self, folder, capsys, monkeypatch):
        """Data, a context, an independence test and a server whose script names the first option."""
        pytest.importorskip("openai")
        import numpy as np
        import pandas as pd

        from tests.llm_causal.server import Script, serving, text

        rng = np.random.default_rng(0)
        year = np.repeat(np.arange(8), 30)
        season = np.sin(3 * year) * 2 + rng.normal(size=240)
        frame = pd.DataFrame(
            {"season": season, "rain": season + rng.normal(size=240), "year": [f"y{k}" for k in year]}
        )
        frame["wet"] = frame["rain"] + rng.normal(size=240)
        frame.to_csv("d.csv", index=False)
        with serving(Script(text('{"reasoning": "r", "answer": "A", "confidence": 0.5}'))) as url:
            command = [
                "build", "v.yaml", "--expert", "chat:m", "--base-url", url, "--data", "d.csv", "--context", "year",
                "--ci-test", "kci", "--structured", "json_object", "--cache", "c.sqlite", "--trust", ".8",
                "--calls", "20", "--seconds", "60", "--samples", "1", "--quiet",
            ]  # fmt: skip
            monkeypatch.setenv("OPENAI_API_KEY", "none-needed")
            assert main(command) == 0
        shown = capsys.readouterr().out
        assert "year" in shown
        assert (folder / "results" / "report.html").exists()

    def test_before_anything_is_spent(self, folder, capsys):
        pytest.importorskip("openai")
        assert main(["build", "v.yaml", "--expert", "chat:m", "--estimate"]) == 0
        assert "3 questions planned; with what may follow, 9 calls" in capsys.readouterr().out
        assert main(["build", "v.yaml", "--expert", "chat:m", "--preview"]) == 0
        assert '"model": "m"' in capsys.readouterr().out
        assert not (folder / "results").exists()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["v.yaml", "--expert", "nothing"], "--expert is 'nothing'"),
            (["w.yaml", "--expert", "replay:t.jsonl"], "there is no file w.yaml"),
            (["v.yaml", "--expert", "replay:none.jsonl"], "there is no transcript"),
            (["v.yaml", "--expert", "replay:t.jsonl", "--data", "none.csv"], "there is no file none.csv"),
            (["v.yaml", "--expert", "replay:t.jsonl", "--calls", "0"], "must be a positive whole number"),
            (["v.yaml", "--expert", "replay:t.jsonl", "--policy", "vote"], "policy is 'vote'"),
            (["v.yaml", "--expert", "replay:t.jsonl", "--trust", ".2"], "from .5 to 1"),
            (["v.yaml", "--expert", "replay:t.jsonl", "--cache", "c.sqlite"], "goes with --expert chat"),
            (["v.yaml", "--expert", "replay:t.jsonl", "--context", "year"], "give --data"),
            (
                ["v.yaml", "--expert", "replay:t.jsonl", "--graph", "g.json", "--strategy", "pairwise"],
                "for names alone",
            ),
        ],
    )
    def test_errors(self, folder, capsys, options, message):
        assert main(["build", *options, "--quiet"]) == 2
        assert message in capsys.readouterr().err
