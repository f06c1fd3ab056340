"""CD-NOD and PC on data: what they find, what does not matter, and what they say about bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit import BackgroundKnowledge, CausalGraph
from causalkit.discovery import CDNOD, PC
from causalkit.exceptions import (
    CausalKitWarning,
    ColumnTypeWarning,
    ConstantColumnWarning,
    DataError,
    KnowledgeError,
    ParameterError,
    RedundantColumnWarning,
)
from causalkit.independence import KCI, FisherZ

N = 240
FAST = {"ci_test": "fisher_z", "n_components": 0}


def two_mechanisms(seed=0, n=N, domains=6):
    """A -> B -> C with D -> C; the mechanisms of A and C change between domains, those of B and D do not."""
    rng = np.random.default_rng(seed)
    domain = np.arange(n) % domains
    level, slope = 2 * rng.normal(size=domains), 1 + rng.normal(size=domains)
    a = level[domain] + rng.normal(size=n)
    b = np.tanh(a) + 0.4 * rng.normal(size=n)
    d = rng.normal(size=n)
    c = slope[domain] * d + b + 0.4 * rng.normal(size=n)
    return pd.DataFrame({"A": a, "B": b, "C": c, "D": d, "site": [f"s{k}" for k in domain]})


@pytest.fixture(scope="module")
def model():
    return CDNOD().fit(two_mechanisms(), context="site")


def test_graph_changes_and_receipts(model):
    truth = CausalGraph.parse("A -> B; B -> C; D -> C; site -> A; site -> C", kind="MPDAG")
    assert model.graph_.equals(truth, ignore_order=True)
    assert model.changing_ == ("A", "C")
    assert model.graph_.node_data["site"] == {"role": "context", "context_type": "domain"}
    rules = {edge: receipt.rule for edge, receipt in model.orientation_.items()}
    assert rules["site", "A"] == "context"
    assert rules["A", "B"] == "invariance"
    assert "A is in 2 of 2 sets that separate site and B" in model.orientation_["A", "B"].note
    for edge in model.graph_.edges:
        assert edge.data["p_value"] < 0.05
        assert edge.data["n"] == N
        assert edge.data["rule"]
        assert edge.data["note"]
    assert model.graph_.meta["algorithm"] == "CDNOD"
    assert CausalGraph.from_json(model.graph_.to_json()) == model.graph_


def test_every_test_is_on_record(model):
    table = model.tests_.to_pandas()
    assert len(table) == model.n_tests_ == len(model.tests_)
    assert list(table.columns) == [
        "x",
        "y",
        "given",
        "statistic",
        "p_value",
        "log_p_value",
        "independent",
        "n",
    ]
    for (x, y), sets in model.sepsets_.items():
        found = {r.given for r in model.tests_.of(x, y) if r.independent}
        assert set(sets) == found
    assert not model.skeleton_.has_edge("A", "D")


def test_column_types_are_visible(model):
    assert model.column_types_ == {
        "A": "continuous",
        "B": "continuous",
        "C": "continuous",
        "D": "continuous",
        "site": "categorical",
    }


class TestInvariance:
    def check(self, model, other):
        assert other.graph_.equals(model.graph_, ignore_order=True)
        assert other.changing_ == tuple(n for n in other.graph_.nodes if n in model.changing_)

    def test_order_of_columns(self, model):
        frame = two_mechanisms()
        other = CDNOD().fit(frame[["D", "site", "C", "B", "A"]], context="site")
        self.check(model, other)
        assert {e: r.rule for e, r in other.orientation_.items()} == {
            e: r.rule for e, r in model.orientation_.items()
        }

    def test_names_of_domains(self, model):
        frame = two_mechanisms()
        frame["site"] = frame["site"].map(
            {f"s{k}": name for k, name in enumerate(["q", "b", "zz", "1", "0", "m"])}
        )
        self.check(model, CDNOD().fit(frame, context="site"))

    def test_affine_scaling_and_order_of_rows(self, model):
        frame = two_mechanisms().sample(frac=1, random_state=1)
        frame["A"] = -1e4 * frame["A"] + 3
        self.check(model, CDNOD().fit(frame, context="site"))

    @pytest.mark.numpy_only
    def test_the_same_run_twice(self, model):
        other = CDNOD().fit(two_mechanisms(), context="site")
        assert other.graph_ == model.graph_
        assert other.tests_ == model.tests_

    def test_context_as_array_series_or_frame(self, model):
        frame = two_mechanisms()
        rest = frame.drop(columns="site")
        for context in (frame["site"], frame[["site"]], frame["site"].astype("category")):
            self.check(model, CDNOD().fit(rest, context=context))
        numbered = CDNOD(n_components=0).fit(rest, context=pd.Categorical(frame["site"].str[1:].astype(int)))
        assert numbered.changing_ == model.changing_
        as_list = CDNOD().fit(rest, context=list(frame["site"]))
        assert as_list.graph_.relabel({"context": "site"}).equals(model.graph_, ignore_order=True)
        as_array = CDNOD().fit(rest, context=frame["site"].to_numpy())
        assert as_array.graph_.relabel({"context": "site"}).equals(model.graph_, ignore_order=True)

    def test_polars_and_arrow(self, model):
        pl = pytest.importorskip("polars")
        self.check(model, CDNOD().fit(pl.from_pandas(two_mechanisms()), context="site"))
        pa = pytest.importorskip("pyarrow")
        self.check(model, CDNOD().fit(pa.Table.from_pandas(two_mechanisms()), context="site"))

    def test_numbered_domains_where_declared(self, model):
        frame = two_mechanisms()
        frame["site"] = frame["site"].str[1:].astype(int)
        self.check(model, CDNOD(column_types={"site": "categorical"}).fit(frame, context="site"))
        with pytest.warns(ColumnTypeWarning, match="declare column_types"):
            CDNOD(**FAST).fit(frame, context="site")


class TestContexts:
    def test_a_constant_context_gives_the_answer_of_pc(self):
        frame = two_mechanisms().drop(columns="site")
        with pytest.warns(ConstantColumnWarning):
            constant = CDNOD(**FAST).fit(frame, context=np.zeros(N))
        pc = PC().fit(frame)
        assert constant.graph_.neighbors("context") == ()
        assert constant.graph_.subgraph(frame.columns).with_kind("CPDAG") == pc.graph_
        assert constant.changing_ == ()

    def test_a_constant_context_with_kernels(self):
        frame = two_mechanisms(n=100)[["A", "B"]]
        with pytest.warns(ConstantColumnWarning):
            assert CDNOD(n_components=0).fit(frame, context=np.full(100, "x")).changing_ == ()

    @pytest.mark.parametrize(
        "form", ["list of dates", "list of datetimes", "with zone", "old", "object numbers"]
    )
    def test_dates_and_numbers_are_time_in_any_container(self, form):
        frame = two_mechanisms(n=60)[["A", "B"]]
        days = pd.date_range("2020-01-01", periods=60)
        context = {
            "list of dates": [d.date() for d in days],
            "list of datetimes": [d.to_pydatetime() for d in days],
            "with zone": days.tz_localize("Europe/Vienna"),
            "old": np.datetime64("1500-01-01") + np.arange(60).astype("timedelta64[D]"),
            "object numbers": np.arange(60).astype(object),
        }[form]
        model = CDNOD(n_components=0, max_cond_size=0).fit(frame, context=context)
        name = model.context_names_[0]
        assert model.column_types_[name] == "time"
        assert (np.diff(model.contexts_[name]) > 0).all()

    def test_types_reach_a_separate_context(self):
        frame = two_mechanisms()
        site = pd.Series(
            [{"s0": "1", "s1": "2", "s2": "4b"}.get(s, s[1:]) for s in frame["site"]], name="site"
        )
        model = CDNOD(column_types={"site": "categorical"}).fit(frame.drop(columns="site"), context=site)
        assert model.changing_ == ("A", "C")

    def test_row_number_is_the_default(self):
        rng = np.random.default_rng(1)
        x = np.sin(np.arange(N) / 25) + 0.5 * rng.normal(size=N)
        found = CDNOD(alpha=0.01).fit(np.column_stack([x, x + 0.3 * rng.normal(size=N)]))
        assert found.context_names_ == ("time",)
        assert found.changing_ == ("X1",)
        assert str(found.graph_.subgraph(["X1", "X2"])) == "X1 -> X2"

    def test_unsorted_and_tied_time(self):
        rng = np.random.default_rng(1)
        time = np.repeat(np.arange(N // 4), 4).astype(float)
        x = np.sin(time / 6) + 0.5 * rng.normal(size=N)
        y = x + 0.3 * rng.normal(size=N)
        order = rng.permutation(N)
        frame = pd.DataFrame(
            {"x": x, "y": y, "t": pd.to_datetime("2020-01-01") + pd.to_timedelta(time, unit="D")}
        )
        model = CDNOD().fit(frame, context="t")
        shuffled = CDNOD().fit(frame.iloc[order], context="t")
        assert shuffled.graph_ == model.graph_
        np.testing.assert_allclose(
            shuffled.driving_forces_["x"], model.driving_forces_["x"][order], atol=1e-6
        )

    def test_two_contexts(self):
        """A shifts with the site only, B jumps in time only, and nothing joins them."""
        rng = np.random.default_rng(2)
        site, time = rng.integers(0, 4, size=N), np.arange(N)
        a = 2 * rng.normal(size=4)[site] + rng.normal(size=N)
        b = 2.0 * (time > N / 2) + rng.normal(size=N)
        frame = pd.DataFrame({"a": a, "b": b, "site": site.astype(str), "time": time.astype(float)})
        model = CDNOD().fit(frame, context=["site", "time"])
        assert model.graph_.parents("a") == ("site",)
        assert model.graph_.parents("b") == ("time",)
        assert model.graph_.kind == "MPDAG"

    def test_a_domain_with_one_row(self):
        frame = two_mechanisms()
        frame.loc[0, "site"] = "alone"
        assert set(CDNOD().fit(frame, context="site").changing_) == {"A", "C"}

    def test_one_variable(self):
        frame = two_mechanisms()[["A", "site"]]
        assert CDNOD().fit(frame, context="site").changing_ == ("A",)


class TestEmbeddings:
    def test_domain_form_equals_the_general_form_with_a_delta_kernel(self):
        from causalkit.discovery import domain_mechanism_gram, mechanism_gram
        from causalkit.independence import Delta, Gaussian

        rng = np.random.default_rng(0)
        domain = np.sort(rng.integers(0, 4, size=40))
        x, y = rng.normal(size=(2, 40, 1))
        labels = domain[:, None].astype(float)
        at = Delta()(labels, np.arange(4.0)[:, None])
        grams = Gaussian(0.5)(y), Gaussian(0.7)(x)
        for form in ("l2", "tensor"):
            for causes in (None, grams[1]):
                general = mechanism_gram(grams[0], Delta()(labels), causes, ridge=0.3, at=at, form=form)
                ours = domain_mechanism_gram(grams[0], domain, causes, ridge=0.3, form=form)
                np.testing.assert_allclose(ours, general, rtol=1e-9, atol=1e-12)

    def test_embeddings_of_normal_laws_have_the_closed_form(self):
        """Inner products of mean embeddings of N(m, s²) under a Gaussian kernel of width w, on evenly spaced quantiles."""
        from scipy.stats import norm

        from causalkit.discovery import domain_mechanism_gram
        from causalkit.independence import Gaussian

        mean, spread, width = np.array([0.0, 0.7]), np.array([1.0, 1.5]), 0.8
        domain, quantiles = np.repeat([0, 1], 400), norm.ppf((np.arange(400) + 0.5) / 400)
        y = mean[domain] + spread[domain] * np.tile(quantiles, 2)
        found = domain_mechanism_gram(Gaussian(width)(y[:, None]), domain, ridge=1e-6)
        total = width**2 + spread[:, None] ** 2 + spread**2
        exact = width / np.sqrt(total) * np.exp(-((mean[:, None] - mean) ** 2) / (2 * total))
        np.testing.assert_allclose(found, exact, rtol=0.005)

    def test_trace_form_equals_inner_products_of_explicit_features(self):
        """With linear and quadratic kernels the embeddings are finite vectors that can be written out."""
        from causalkit.discovery import mechanism_gram

        rng = np.random.default_rng(1)
        n, ridge = 20, 0.5
        p, e = rng.normal(size=(2, n))
        c = rng.normal(size=(n, 2))
        phi_p, phi_e = np.column_stack([np.ones(n), p, p**2]), np.column_stack([e, e**2])
        kp, ke, kc = phi_p @ phi_p.T, phi_e @ phi_e.T, c @ c.T
        w = np.linalg.inv(kp * kc + ridge * np.eye(n))
        embedded = []
        for row in range(n):
            mu = np.zeros((3, 2))
            for m in range(n):
                weight = w @ (kp[:, m] * kc[:, row])
                mu += np.outer(phi_p[m], phi_e.T @ weight) / n
            embedded.append(mu.ravel())
        expected = np.array(embedded) @ np.array(embedded).T
        np.testing.assert_allclose(mechanism_gram(ke, kc, kp, ridge=ridge), expected, rtol=1e-8)
        ones = np.ones((n, n))
        np.testing.assert_allclose(
            mechanism_gram(ke, kc, ones, ridge=ridge), mechanism_gram(ke, kc, ridge=ridge), rtol=1e-8
        )


class TestKnowledge:
    def test_forbidden_and_required_edges_in_every_phase(self):
        frame = two_mechanisms()
        knowledge = BackgroundKnowledge(required=[("B", "A")], forbidden=[("B", "C"), ("C", "B")])
        found = CDNOD(knowledge=knowledge).fit(frame, context="site")
        assert found.graph_.has_directed_edge("B", "A")
        assert not found.graph_.has_edge("B", "C")
        assert found.orientation_["B", "A"].rule == "knowledge"
        edge = next(e for e in found.graph_.edges if {e.u, e.v} == {"A", "B"})
        assert edge.data["source"] == "knowledge"
        assert edge.data["p_value"] < 1e-6

    def test_knowledge_that_makes_a_cycle_of_what_the_data_need(self):
        rng = np.random.default_rng(0)
        hidden = rng.normal(size=300)
        data = hidden[:, None] + 0.5 * rng.normal(size=(300, 3))
        knowledge = BackgroundKnowledge(forbidden=[("X1", "X2"), ("X2", "X3"), ("X3", "X1")])
        with pytest.raises(KnowledgeError, match="into the cycle"):
            PC(knowledge=knowledge).fit(data)

    def test_a_context_cannot_be_caused(self):
        with pytest.raises(KnowledgeError, match="required A -> site"):
            CDNOD(knowledge=BackgroundKnowledge(required=[("A", "site")])).fit(
                two_mechanisms(), context="site"
            )

    def test_unknown_names(self):
        with pytest.raises(ParameterError, match="'Q'"):
            PC(knowledge=BackgroundKnowledge(required=[("A", "Q")])).fit(
                two_mechanisms().drop(columns="site")
            )


class TestBadInput:
    frame = two_mechanisms()

    def test_missing_values(self):
        bad = self.frame.copy()
        bad.loc[[4, 9], "B"] = np.nan
        with pytest.raises(DataError, match=r"'B' has 2 missing values \(NaN\), in rows 4, 9"):
            CDNOD().fit(bad, context="site")
        bad = self.frame.copy()
        bad.loc[3, "site"] = None
        with pytest.raises(DataError, match="'site' has 1 missing"):
            CDNOD().fit(bad, context="site")
        for missing in (None, np.nan):
            context = self.frame["site"].to_numpy(dtype=object, copy=True)
            context[7] = missing
            with pytest.raises(DataError, match="row 7"):
                CDNOD().fit(self.frame.drop(columns="site"), context=context)

    def test_unknown_context(self):
        with pytest.raises(DataError, match=r"no column 'year'; the columns are 'A'"):
            CDNOD().fit(self.frame, context="year")

    def test_context_of_another_length(self):
        with pytest.raises(DataError, match="100 rows"):
            CDNOD().fit(self.frame[["A", "B"]], context=np.arange(100.0))

    def test_only_contexts(self):
        with pytest.raises(DataError, match="at least one variable"):
            CDNOD().fit(self.frame[["site"]], context="site")

    def test_copies(self):
        with pytest.raises(DataError, match="'A' and 'twice' are copies"):
            CDNOD().fit(self.frame.assign(twice=2 * self.frame["A"] + 1), context="site")

    def test_constant_column_is_isolated_with_a_warning(self):
        with pytest.warns(ConstantColumnWarning, match="'flat'"):
            found = CDNOD(n_components=0).fit(self.frame[["A", "site"]].assign(flat=1.0), context="site")
        assert found.graph_.neighbors("flat") == ()

    def test_perfect_collinearity_does_not_crash(self):
        rng = np.random.default_rng(0)
        a, b = rng.normal(size=(2, 100))
        with pytest.warns(RedundantColumnWarning, match="'X3' is nearly a weighted sum of 'X1', 'X2'"):
            found = PC().fit(np.column_stack([a, b, a + b]))
        assert found.graph_.n_nodes == 3

    def test_labels_that_never_repeat(self):
        notes = [f"note {k}" for k in range(N)]
        with pytest.raises(DataError, match="240 different labels in 240 rows.*a domain needs several rows"):
            CDNOD(max_cond_size=0, n_components=0).fit(self.frame[["A"]].assign(notes=notes), context="notes")

    def test_rows_labelled_differently(self):
        shuffled = self.frame["site"].sample(frac=1, random_state=0)
        with pytest.raises(DataError, match="different index labels"):
            CDNOD().fit(self.frame[["A", "B"]], context=shuffled)

    def test_context_in_the_place_of_y(self):
        with pytest.warns(CausalKitWarning, match="context=..."):
            CDNOD(**FAST, max_cond_size=0).fit(self.frame[["A", "B"]], self.frame["site"])

    def test_a_dictionary(self):
        with pytest.raises(DataError, match="pandas.DataFrame"):
            PC().fit({"A": [1.0, 2.0]})

    def test_mirrored_copies(self):
        with pytest.raises(DataError, match="scale and sign"):
            PC().fit(self.frame[["A", "B"]].assign(minus=-self.frame["A"]))

    def test_duplicate_and_unnamed_columns(self):
        twice = pd.concat([self.frame[["A"]], self.frame[["A"]]], axis=1)
        with pytest.raises(DataError, match="'A' occurs 2 times|cannot be read"):
            PC().fit(twice)
        numbered = PC().fit(pd.DataFrame(self.frame[["A", "B"]].to_numpy()))
        assert numbered.graph_.nodes == ("0", "1")

    def test_missing_dates(self):
        days = pd.Series(pd.date_range("2020-01-01", periods=N)).mask(lambda s: s.index == 5)
        with pytest.raises(DataError, match="row 5"):
            CDNOD().fit(self.frame[["A", "B"]], context=days)
        with pytest.raises(DataError, match="row 5"):
            CDNOD().fit(self.frame[["A", "B"]], context=days.to_numpy())

    def test_wrong_length_for_the_figure(self, model):
        with pytest.raises(ParameterError, match="5 values for 240 rows"):
            model.plot_driving_forces(np.arange(5))

    def test_text_among_numbers(self):
        bad = self.frame.astype({"A": object})
        bad.loc[5, "A"] = "n/a"
        with pytest.raises(DataError, match="'n/a'"):
            CDNOD().fit(bad, context="site")
        text = self.frame.assign(A=[str(round(v, 2)) for v in self.frame["A"]])
        text.loc[5, "A"] = "broken"
        with pytest.raises(DataError, match="mixes numbers and text"):
            CDNOD().fit(text, context="site")

    def test_labels_with_fisher_z(self):
        with pytest.raises(DataError, match="'site' holds labels"):
            CDNOD(ci_test="fisher_z").fit(self.frame, context="site")

    @pytest.mark.parametrize(
        "options",
        [
            {"alpha": 1.7},
            {"alpha": 0},
            {"alpha": "5%"},
            {"max_cond_size": -1},
            {"max_cond_size": 1.5},
            {"ci_test": "fisherz"},
            {"ci_test": KCI},
            {"knowledge": [("A", "B")]},
            {"independent_change": "maybe"},
            {"independent_change": 3},
            {"n_components": -1},
            {"column_types": {"A": "number"}},
        ],
    )
    def test_parameters(self, options):
        with pytest.raises(ParameterError, match=next(iter(options))):
            CDNOD(**options).fit(self.frame, context="site")

    def test_misspelt_keyword(self):
        with pytest.raises(TypeError, match="aplha"):
            CDNOD(aplha=0.1)

    def test_few_rows(self):
        with pytest.raises(DataError, match="at least 10 rows"):
            CDNOD().fit(self.frame[["A", "B"]][:5])

    def test_column_types_by_position(self):
        with pytest.raises(ParameterError, match="1 entries for 2 columns"):
            PC(column_types=["continuous"]).fit(self.frame[["A", "B"]])


def test_max_cond_size_is_kept():
    found = PC(max_cond_size=1).fit(two_mechanisms().drop(columns="site"))
    assert max(len(r.given) for r in found.tests_) <= 1


def test_fewer_false_edges_than_with_numbered_labels():
    """The control: with labels as numbers, as every other implementation has them, domains produce false edges."""
    rng = np.random.default_rng(5)
    domain = np.arange(300) % 20
    x, y = (2 * rng.normal(size=20)[domain] + rng.normal(size=300) for _ in range(2))
    frame = pd.DataFrame({"x": x, "y": y, "site": domain})
    right = CDNOD(column_types={"site": "categorical"}, n_components=0).fit(frame, context="site")
    assert not right.graph_.has_edge("x", "y")
    wrong = CDNOD(ci_test=KCI(regression=1e-3), column_types={"site": "ordinal"}, n_components=0).fit(
        frame, context="site"
    )
    assert wrong.graph_.has_edge("x", "y")


def test_progress_bar(capsys):
    PC(verbose=1).fit(two_mechanisms().drop(columns="site"))
    assert "sets of 0" in capsys.readouterr().err
    PC().fit(two_mechanisms().drop(columns="site"))
    assert capsys.readouterr() == ("", "")


def test_a_test_of_the_users_own():
    class Counted(FisherZ):
        calls = 0

        def batch(self, triples):
            results = super().batch(triples)
            Counted.calls += len(results)
            return results

    model = PC(ci_test=Counted()).fit(two_mechanisms().drop(columns="site"))
    assert Counted.calls == model.n_tests_ > 0
