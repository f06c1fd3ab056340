"""Tables as an economist, a physician and a spreadsheet write them, through the command line; and what cannot be read."""

from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalkit import CausalGraph
from causalkit._cli import main
from causalkit._validation import as_cell, read_csv, read_dates, read_mappings
from causalkit.discovery import CDNOD, PC
from causalkit.exceptions import CausalKitError, DataError, ParameterError
from causalkit.llm_causal import read_variables

FUZZ = int(os.environ.get("CAUSALKIT_FUZZ", "1"))


def numbers(n=120, seed=0):
    """a -> b -> c, whose level drifts."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n) + np.linspace(0, 2, n)
    b = 0.9 * a + 0.5 * rng.normal(size=n)
    return pd.DataFrame({"a": a, "b": b, "c": -0.8 * b + 0.5 * rng.normal(size=n)})


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that writes a file, runs the search on it and returns status, output, messages and the graph's meta."""

    def go(content, *options, name="data.csv", test="fisher_z"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        status = main(
            ["discover", str(path), "--quiet", "--ci-test", test, "--out", str(tmp_path / "out"), *options]
        )
        printed = capsys.readouterr()
        graph = tmp_path / "out" / "graph.json"
        return status, printed.out, printed.err, json.loads(graph.read_text()) if status == 0 else None

    return go


# -- five files ----------------------------------------------------------------------------------------------------------------


def test_quarters_of_an_economist(run):
    quarters = pd.period_range("1959Q1", periods=120, freq="Q").astype(str)
    text = numbers().assign(date=quarters).to_csv(index=False)
    status, out, err, graph = run(text, "--context", "date")
    assert (status, err) == (0, "")
    assert graph["meta"]["column_types"]["date"] == "time"
    assert "date (time)" in out


def test_a_german_spreadsheet(run):
    frame = numbers().rename(columns={"a": "Größe", "b": "Gewicht", "c": "Alter"}) * 1000
    frame = frame.round(2).assign(Tag=pd.date_range("1959-04-01", periods=120, freq="W").strftime("%d.%m.%Y"))
    text = frame.to_csv(index=False, sep=";", decimal=",")
    status, _, err, graph = run(text.encode("latin-1"), "--context", "Tag")
    assert status == 0
    assert [n["name"] for n in graph["nodes"]] == ["Größe", "Gewicht", "Alter", "Tag"]
    assert graph["meta"]["column_types"]["Tag"] == "time"
    for note in ("read as Latin-1", "separated by semicolons", "decimal comma"):
        assert note in err
    same = run(text.encode("utf-8-sig"), "--context", "Tag")[3]
    assert same["edges"] == graph["edges"]


def test_the_file_of_a_physician(run):
    """Exported by R, with row names, labels of hospitals and holes."""
    frame = numbers().assign(hospital=np.repeat([f"H{k}" for k in range(6)], 20))
    frame.loc[::10, "b"] = np.nan
    text = frame.rename_axis("").reset_index().to_csv(index=False, na_rep="NA")
    status, _, err, _ = run(text, "--context", "hospital", test="kci")
    assert status == 2
    assert "column 'b' has 12 missing values" in err
    assert "--missing drop does so, and --missing testwise" in err
    status, out, err, _ = run(text, "--context", "hospital", "--missing", "drop", test="kci")
    assert status == 0
    assert "108 rows" in out
    assert "12 of 120 rows with missing values were left out" in err
    assert "a column without a name, which numbers the rows, was left out" in err
    status, out, err, _ = run(text, "--context", "hospital", "--missing", "testwise", test="kci")
    assert status == 0
    assert "120 rows" in out


def test_american_dates_and_tabs(run):
    frame = numbers().assign(day=pd.date_range("1959-01-01", periods=120).strftime("%m/%d/%Y"))
    status, _, err, graph = run(frame.to_csv(index=False, sep="\t"), "--context", "day", name="data.tsv")
    assert status == 0
    assert "separated by tabs" in err
    assert graph["meta"]["column_types"]["day"] == "time"


def test_dates_of_which_it_is_open_what_they_are(run):
    months = pd.date_range("1950-01-01", periods=120, freq="MS").strftime("%m/%d/%Y")
    text = numbers().assign(day=months).to_csv(index=False)
    status, _, err, _ = run(text, "--context", "day")
    assert status == 2
    assert "--dates day-first or --dates month-first" in err
    assert run(text, "--context", "day", "--dates", "month-first")[0] == 0
    forces = [run(text, "--context", "day", "--dates", order)[3] for order in ("month-first", "day-first")]
    assert all(g["meta"]["column_types"]["day"] == "time" for g in forces)


# -- what is refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (numbers().assign(id=[f"p{k}" for k in range(120)]).to_csv(index=False), ["--context", "id"], "120 different labels in 120 rows"),
        ("a;b;c\n1;2\n1;2;3;4\n" * 30, [], "different numbers of columns"),
        ("a\n" + "1\n" * 60, [], "has one column, 'a'; say what separates columns with --sep"),
        ("a;b\n1,5;2.5\n" * 60, [], "say which is the decimal with --decimal"),
        ("a,b\n" + "1,2\n" * 300 + '1,"2\n', [], "cannot be read as a table"),
        (b"a,b\n\x00\x01,2\n" * 30, [], "bytes that are no text"),
        ("\n\n", [], "is empty"),
        ("a,\x1b[31mb\n1,2\n" * 30, [], "control characters"),
        ("a,b,\n1,2,x\n2,3,y\n", [], "has no name and holds 'x'"),
        ("a,b\n" + "31.02.1959,1\n01.02.1959,2\n" * 30, [], "'31.02.1959' is none"),
        (numbers().to_csv(index=False), ["--sep", "##"], "--sep must be one character"),
        (numbers().to_csv(index=False), ["--sep", "semicolon", "--context", "a"], "say what separates columns"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(run, text, options, message):
    status, _, err, _ = run(text, *options)
    assert status == 2
    assert message in err
    assert "Traceback" not in err


def test_names_are_no_formulas_and_no_colours(run, tmp_path):
    frame = numbers().rename(columns={"a": "=cmd|' /C calc'!A0", "b": "@sum"})
    assert run(frame.to_csv(index=False), "--no-context")[0] == 0
    with (tmp_path / "out" / "edges.csv").open() as file:
        cells = [cell for line in file for cell in line.split(",")]
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+"))]
    assert as_cell("=1") == "'=1"


# -- settings ------------------------------------------------------------------------------------------------------------------


def test_a_run_is_made_again_from_its_settings(run, tmp_path):
    text = (
        numbers()
        .assign(day=pd.date_range("1959-04-01", periods=120).strftime("%d.%m.%Y"))
        .to_csv(index=False)
    )
    graph = run(text, "--context", "day", "--alpha", "0.01", "--time", "day")[3]
    kept = tmp_path / "out" / "config.yaml"
    (tmp_path / "again.yaml").write_text(kept.read_text())
    assert main(["discover", "--config", str(tmp_path / "again.yaml")]) == 0
    assert kept.read_text() == (tmp_path / "again.yaml").read_text()
    assert json.loads((tmp_path / "out" / "graph.json").read_text()) == graph
    assert main(["discover", "--config", str(tmp_path / "again.yaml"), "--alpha", "0.2"]) == 0
    assert "alpha: 0.2" in kept.read_text(), "what is given comes first"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("contxt: day", "options are alpha, categorical, ci-test, context"),
        ("alpha: high", "not understood"),
        ("alpha: [0.1, 0.2]", "a value, or a list of column names"),
        ("context: {a: b}", "a value, or a list of column names"),
        ("quiet: maybe", "must be true or false"),
        ("- a", "options by name"),
        ("alpha: 0.1\nalpha: 0.2", "'alpha' twice"),
        ("a: &x [1]\ncontext: *x", "alias"),
        ("a: " + "[" * 200, "nested more than 20 deep"),
        ("alpha: 'x", "is not YAML"),
        ("missing: some", "not understood"),
    ],
)
def test_settings_that_are_not_understood(tmp_path, capsys, content, message):
    path = tmp_path / "settings.yaml"
    path.write_text(content)
    numbers().to_csv(tmp_path / "data.csv", index=False)
    assert main(["discover", str(tmp_path / "data.csv"), "--config", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_small_files_that_grow_are_refused(tmp_path):
    bomb = "a: &a [x, x]\n" + "".join(
        f"{n}: &{n} [{', '.join(['*' + p] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
    )
    for name, text in (
        ("v.yaml", bomb),
        ("v.json", "[" * 100_000),
        ("w.yaml", "[" * 100_000),
        ("x.yaml", "- " * 50_000),
    ):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(ParameterError, match=name):
            read_variables(path)


# -- in Python -----------------------------------------------------------------------------------------------------------------


def test_dates_in_frames_are_times():
    days = pd.date_range("1959-03-31", periods=120, freq="QE")
    forms = {
        "iso": days.strftime("%Y-%m-%d"),
        "clock": days.strftime("%Y-%m-%dT%H:%M:%S"),
        "german": days.strftime("%d.%m.%Y"),
        "american": days.strftime("%m/%d/%Y"),
        "british": days.strftime("%d/%m/%Y"),
        "long": days.strftime("%d %B %Y"),
        "short": days.strftime("%b %d, %Y"),
        "dates": days,
        "objects": list(days.date),
    }
    for form, column in forms.items():
        model = CDNOD(ci_test="fisher_z").fit(numbers().assign(day=column), context="day")
        assert model.column_types_["day"] == "time", form
    months = {
        "period": pd.period_range("1959-01", periods=120, freq="M"),
        "iso": days.strftime("%Y-%m"),
        "months": days.strftime("%b %Y"),
        "quarters": [f"Q{d.quarter} {d.year}" for d in days],
    }
    for form, column in months.items():
        model = CDNOD(ci_test="fisher_z").fit(numbers().assign(day=column), context="day")
        assert model.column_types_["day"] == "time", form


@settings(deadline=None)
@given(
    st.lists(
        st.dates(min_value=pd.Timestamp("1700-01-01").date(), max_value=pd.Timestamp("2200-01-01").date()),
        min_size=1,
        max_size=9,
    )
)
def test_dates_are_read_as_they_were_written(days):
    seconds = [(pd.Timestamp(day) - pd.Timestamp(0)).total_seconds() for day in days]
    for form in ("%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%B %d, %Y", "%Y/%m/%d"):
        assert read_dates("day", [day.strftime(form) for day in days]).tolist() == seconds
    assert (
        read_dates("day", [day.strftime("%d/%m/%Y") for day in days], "day first").tolist() == seconds
        or max(d.day for d in days) <= 12
    )
    assert read_dates("day", [f"{day.year}Q{(day.month + 2) // 3}" for day in days]) is not None
    assert read_dates("day", [*map(str, days), "n.a."]) is None


def test_labels_that_look_like_months_stay_labels_if_declared():
    waves = np.repeat(["2001-01", "2002-01", "2003-01", "2004-01"], 30)
    model = CDNOD(column_types={"wave": "categorical"}).fit(numbers().assign(wave=waves), context="wave")
    assert model.column_types_["wave"] == "categorical"


@pytest.mark.parametrize(
    ("data", "context", "message"),
    [
        (np.zeros((3, 4, 5)), None, r"X\.reshape\(-1, 5\)"),
        (numbers().to_numpy(), 2, r"context=X\[:, 2\]"),
        (numbers(), 2, "names are text"),
        (numbers().set_axis(["a", 1, "c"], axis=1), None, r"columns\.astype\(str\)"),
        (numbers().to_numpy() + 1j, None, "^Complex data not supported$"),
        (numbers().assign(k=[f"r{k}" for k in range(120)]), "k", "a domain needs several rows"),
    ],
)
def test_what_is_no_table_is_said_with_the_remedy(data, context, message):
    with pytest.raises(CausalKitError, match=message):
        CDNOD(ci_test="fisher_z").fit(data, context=context)


def test_the_remedy_for_three_dimensions_works():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4, 30, 3))
    context = pd.DataFrame(
        {"subject": np.repeat(np.arange(4), 30).astype(str), "time": np.tile(np.arange(30), 4)}
    )
    model = CDNOD().fit(X.reshape(-1, 3), context=context)
    assert (model.column_types_["subject"], model.column_types_["time"]) == ("categorical", "time")


def test_a_lazy_frame_is_to_be_collected():
    pl = pytest.importorskip("polars")
    with pytest.raises(DataError, match=r"give X\.collect\(\)"):
        PC(ci_test="fisher_z").fit(pl.DataFrame(numbers().to_dict("list")).lazy())
    with pytest.raises(DataError, match=r"give X\.collect\(\)"):
        CDNOD(ci_test="fisher_z").fit(pl.DataFrame(numbers().to_dict("list")).lazy())


# -- anything --------------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60 * FUZZ)
@given(
    text=st.lists(
        st.sampled_from(
            [
                "a",
                "1",
                "2.5",
                "1,5",
                ";",
                ",",
                "\t",
                "\n",
                '"',
                "'",
                "\r",
                "\0",
                "é",
                "=",
                "|",
                " ",
                "1959Q2",
                "NA",
            ]
        ),
        max_size=40,
    ).map("".join)
)
def test_broken_tables_give_frames_or_our_errors(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_text(text, newline="")
    try:
        read_csv(path)
    except CausalKitError:
        pass


@settings(deadline=None, max_examples=60 * FUZZ)
@given(
    text=st.lists(
        st.sampled_from(
            [
                "a",
                ": ",
                "- ",
                "[",
                "]",
                "{",
                "}",
                "&x ",
                "*x",
                "\n",
                "  ",
                "!!python/object:os ",
                "'",
                '"',
                "#",
                "|",
                ">",
                "%",
                "@",
                "? ",
            ]
        ),
        max_size=30,
    ).map("".join)
)
def test_broken_settings_give_values_or_our_errors(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("yaml") / "x.yaml"
    path.write_text(text)
    try:
        read_mappings(path)
    except CausalKitError:
        pass


def test_the_graph_of_a_file_is_the_graph_of_its_frame(run):
    frame = numbers()
    _, _, _, graph = run(frame.to_csv(index=False), "--no-context")
    assert CausalGraph.from_json(json.dumps(graph)).equals(PC(ci_test="fisher_z").fit(frame).graph_)
