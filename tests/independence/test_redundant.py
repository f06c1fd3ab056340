"""The look at the data before a search: what is redundant is named, and nothing else is."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from causalkit.discovery import CDNOD, PC
from causalkit.exceptions import ColumnTypeWarning, RedundantColumnWarning
from causalkit.independence import SkipDetermined, redundant_columns

pd = pytest.importorskip("pandas")
RNG = np.random.default_rng(0)
A = RNG.normal(size=300)
E = RNG.normal(size=(3, 300))
PARTS = RNG.gamma(3, size=(5, 300))
KG, CM = RNG.normal(75, 12, size=300).round(1), RNG.normal(172, 9, size=300)
AGE = RNG.integers(18, 90, size=300)
CITY = RNG.integers(0, 30, size=300)


def parts(total, digits=None):
    columns = {f"p{k}": PARTS[k] if digits is None else PARTS[k].round(digits) for k in range(5)}
    return {**columns, "total": total if digits is None else total.round(digits)}


CASES = {
    "near copies": ({"a": A, "b": A + 1e-5 * E[0], "c": A + 1e-5 * E[1]}, {"b": "copy", "c": "copy"}),
    "a mirrored copy far away": ({"a": A, "b": 1e6 - 1e-3 * A}, {"b": "copy"}),
    "a total": (parts(PARTS.sum(axis=0)), {"total": "sum"}),
    "a rounded total": (parts(PARTS.sum(axis=0), 1), {"total": "sum"}),
    "a mean of some": (parts(PARTS[1:4].mean(axis=0)), {"total": "sum"}),
    "shares": (dict(zip("stuvw", (100 * PARTS / PARTS.sum(axis=0)).round(), strict=True)), {"w": "sum"}),
    "a difference": ({"a": A, "b": E[0], "c": A - E[0]}, {"c": "sum"}),
    "kilograms and rounded pounds": ({"kg": KG, "x": A, "lb": (KG / 0.4536).round()}, {"lb": "copy"}),
    "two roundings of a hidden number": ({"cm": CM.round(), "inch": (CM / 2.54).round()}, {"inch": "copy"}),
    "a ratio": ({"kg": KG, "cm": CM, "bmi": KG / CM**2}, {"bmi": "product"}),
    "a square": ({"x": A, "y": A**2}, {"y": "function"}),
    "a logarithm": ({"x": PARTS[0], "y": np.log(PARTS[0])}, {"y": "function"}),
    "age groups": ({"age": AGE, "group": [f"{k // 10}0s" for k in AGE]}, {"group": "function"}),
    "a wide rounding": ({"x": A, "y": (2 * A).round() / 2}, {"y": "function"}),
    "countries of cities": (
        {"city": [f"c{k}" for k in CITY], "country": [f"k{k % 5}" for k in CITY]},
        {"country": "labels"},
    ),
    "a number for each city": (
        {"city": [f"c{k}" for k in CITY], "height": np.sin(CITY.astype(float))},
        {"height": "labels"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_redundant_is_named(case):
    columns, expected = CASES[case]
    found = redundant_columns(pd.DataFrame(columns))
    assert {r.column: r.kind for r in found} == expected
    for r in found:
        assert r.unexplained < 0.2
        assert r.column in str(r)
        assert r.remedy in str(r)


def test_a_total_names_its_parts():
    (found,) = redundant_columns(pd.DataFrame(parts(PARTS[1:4].mean(axis=0))))
    assert found.others == ("p1", "p2", "p3")


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_named_where_nothing_is_redundant(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.choice([30, 50, 200, 1000]))
    mixed = rng.normal(size=(n, 8)) @ (np.eye(8) + np.triu(rng.normal(size=(8, 8)), 1))
    frame = pd.DataFrame(mixed, columns=list("abcdefgh")).drop(columns="a")
    frame["count"] = np.floor(np.abs(3 * mixed[:, 0])).astype(int)
    frame["place"] = [f"{k}" for k in rng.integers(0, 4, size=n)]
    frame["yes"] = rng.integers(0, 2, size=n)
    frame["likert"] = np.clip((0.5 * mixed[:, 1] + rng.normal(size=n)).round(), -2, 2)
    frame["positive"] = np.exp(0.3 * mixed[:, 2] + 0.2 * rng.normal(size=n))
    frame["rare"] = np.arange(n) == rng.integers(n)
    assert redundant_columns(frame) == ()


def test_many_columns_and_few_rows():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(100, 80))
    assert redundant_columns(data) == ()
    data[:, 70] = 2 * data[:, 3] + 1e-4 * data[:, 70]
    (found,) = redundant_columns(data)
    assert (found.column, found.others) == ("X71", ("X4",))


class TestSearches:
    near = pd.DataFrame({"a": A, "b": A + 1e-5 * E[0], "c": A + 1e-5 * E[1]})

    def test_near_copies_are_not_isolated_in_silence(self):
        with pytest.warns(RedundantColumnWarning, match="keep one of 'b' and 'a'"):
            PC().fit(self.near)

    def test_a_variable_that_the_site_fixes(self):
        site = np.array([f"s{k}" for k in CITY % 8])
        frame = pd.DataFrame({"height": np.sin(CITY % 8.0), "x": A, "site": site})
        with pytest.warns(RedundantColumnWarning, match="'site' is|'height' is|fixed by the labels"):
            CDNOD(n_components=0, max_cond_size=1).fit(frame, context="site")

    def test_a_drift_is_no_function_of_time(self):
        frame = pd.DataFrame({"x": np.cumsum(E[0]), "y": np.cumsum(E[1])})
        with warnings.catch_warnings():
            warnings.simplefilter("error", RedundantColumnWarning)
            CDNOD(ci_test="fisher_z", n_components=0, independent_change=None).fit(frame)

    def test_the_remedy_silences(self):
        frame = pd.DataFrame({"a": A[:100], "b": E[0][:100], "c": A[:100] + E[0][:100]})
        with warnings.catch_warnings():
            warnings.simplefilter("error", RedundantColumnWarning)
            PC(ci_test=SkipDetermined("fisher_z")).fit(frame)

    def test_columns_of_one_group_may_be_redundant(self):
        frame = pd.DataFrame({"cos": A, "also": A + 1e-5 * E[0], "y": E[1]}).head(60)
        with warnings.catch_warnings():
            warnings.simplefilter("error", RedundantColumnWarning)
            PC(ci_test="kci", groups={"place": ["cos", "also"]}).fit(frame)


@pytest.mark.parametrize("labels", [5, 31, 150])
def test_numbered_labels_are_warned_of_at_any_number(labels):
    frame = pd.DataFrame({"x": A, "y": E[0], "hospital": np.arange(300) % labels})
    with pytest.warns(ColumnTypeWarning, match=f"{labels} different whole numbers"):
        CDNOD(ci_test="fisher_z", n_components=0, independent_change=None).fit(frame, context="hospital")
