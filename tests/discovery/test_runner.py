"""Which tests a level does, who does them, and what is kept: the answer never depends on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from contextlib import nullcontext
from itertools import combinations

import numpy as np
import pytest

from causalkit.discovery import CDNOD, PC
from causalkit.discovery import _runner as runner_module
from causalkit.discovery._plan import Plan, plan_level
from causalkit.discovery._runner import Runner, _pieces
from causalkit.exceptions import CheckpointError, FileWarning, ParameterError, WorkerError
from causalkit.graph import BackgroundKnowledge
from causalkit.independence import KCI, FisherZ, ResultColumns
from causalkit.independence._base import ask_columns

pd = pytest.importorskip("pandas")


def data(n=400, d=7, seed=0):
    """Return rows of a random linear model, as a frame."""
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.uniform(0.5, 1, (d, d)) * (rng.random((d, d)) < 0.4), k=1)
    values = rng.normal(size=(n, d)) @ np.linalg.inv(np.eye(d) - weights)
    return pd.DataFrame(values, columns=[f"v{k}" for k in range(d)])


def expected_tests(pairs, pools, size):
    """Return the tests of a level as a set, one pair at a time."""
    d = len(pairs)
    out = set()
    for i, j in combinations(range(d), 2):
        if pairs[i, j]:
            for a, b in ((i, j), (j, i)):
                pool = [k for k in range(d) if pools[a, k] and k != b]
                out |= {(i, j, given) for given in combinations(pool, size)}
    return out


class TestPlan:
    @pytest.mark.parametrize("size", [0, 1, 2, 4])
    @pytest.mark.parametrize("piece", [3, 10**6])
    @pytest.mark.parametrize("seed", range(5))
    def test_every_subset_of_either_pool_once(self, size, piece, seed, monkeypatch):
        monkeypatch.setattr("causalkit.discovery._plan.PIECE", piece)
        rng = np.random.default_rng(seed)
        pairs = np.triu(rng.random((8, 8)) < 0.5, k=1)
        pairs |= pairs.T
        pools = (rng.random((8, 8)) < 0.6) & ~np.eye(8, dtype=bool)
        rows = [
            (i, j, tuple(given))
            for plan in plan_level(pairs, pools, size)
            for i, j, given in zip(plan.i.tolist(), plan.j.tolist(), plan.given.tolist(), strict=True)
        ]
        assert len(rows) == len(set(rows))
        assert set(rows) == expected_tests(pairs, pools, size)

    def test_equal_sets_are_neighbours(self):
        full = ~np.eye(5, dtype=bool)
        (plan,) = plan_level(full, full, 2)
        starts = plan.group_starts()
        assert len(starts) == 10
        assert [len(part) for part in _pieces(plan, 4)] == [6] * 5
        assert sum(len(part) for part in _pieces(plan, 1)) == len(plan)

    def test_empty(self):
        none = np.zeros((3, 3), dtype=bool)
        assert list(plan_level(none, none, 1)) == []


class TestArraysOfFisherZ:
    @pytest.mark.parametrize("size", [0, 1, 2, 3, 5])
    def test_columns_give_what_single_tests_give(self, size):
        test = FisherZ().fit(data(d=9))
        (plan,) = plan_level(~np.eye(9, dtype=bool), ~np.eye(9, dtype=bool), size)
        found = test.columns(plan.i, plan.j, plan.given)
        single = [test(*t) for t in zip(plan.i.tolist(), plan.j.tolist(), plan.given.tolist(), strict=True)]
        np.testing.assert_allclose(found.statistic, [r.statistic for r in single], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.log_p_value, [r.log_p_value for r in single], rtol=1e-9)

    def test_collinear_sets_are_left_to_single_tests(self):
        frame = data(d=4)
        frame["copy"] = frame["v2"] * 2 + 1
        frame["sum"] = frame["v2"] + frame["v3"]
        test = FisherZ().fit(frame)
        sets = np.array([[2, 4], [2, 3], [2, 5], [3, 5]])
        for i, j in ((0, 1), (0, 3), (0, 5)):
            rows = np.array([s for s in sets if j not in s])
            found = test.columns(np.full(len(rows), i), np.full(len(rows), j), rows)
            np.testing.assert_allclose(found.p_value, [test(i, j, tuple(s)).p_value for s in rows], rtol=1e-7)


pytestmark = pytest.mark.filterwarnings("ignore::causalkit.exceptions.ConflictWarning")


def summary(model):
    return model.graph_, model.tests_.to_dict(), model.sepsets_


class TestSameAnswer:
    @pytest.mark.parametrize("stop", ["exhaustive", "first"])
    @pytest.mark.numpy_only
    def test_any_number_of_workers(self, stop, monkeypatch):
        """Pieces are made small and other processes are used at once, however short the tests are."""
        monkeypatch.setattr("causalkit.discovery._runner.SECONDS", (0.0, 1e-6))
        monkeypatch.setattr("causalkit.discovery._runner.FIRST_PIECE", 2)
        frame = data(d=5, n=120)
        one, two = (PC(ci_test=KCI(), stop=stop, n_jobs=n).fit(frame) for n in (1, 2))
        assert one.graph_ == two.graph_
        assert one.sepsets_ == two.sepsets_
        here, there = one.tests_.to_dict(), two.tests_.to_dict()
        assert here["given"] == there["given"]
        np.testing.assert_allclose(here["p_value"], there["p_value"], rtol=1e-6)

    @pytest.mark.parametrize("stop", ["exhaustive", "first"])
    @pytest.mark.parametrize("seed", range(5))
    def test_any_order_of_columns(self, stop, seed):
        frame = data(d=8, seed=seed)
        turned = frame[list(np.random.default_rng(seed).permutation(frame.columns))]
        here, there = (PC(stop=stop).fit(f).graph_ for f in (frame, turned))
        assert here.equals(there, ignore_order=True)

    @pytest.mark.parametrize("seed", range(8))
    def test_stopping_at_the_first_set_finds_the_same_skeleton(self, seed):
        frame = data(d=8, seed=seed)
        every, first = (PC(stop=stop).fit(frame) for stop in ("exhaustive", "first"))
        assert every.skeleton_ == first.skeleton_
        assert first.n_tests_ <= every.n_tests_
        assert first.graph_ == every.graph_
        for pair, sets in first.sepsets_.items():
            assert set(sets) <= set(every.sepsets_[pair])

    def test_knowledge_and_contexts_with_both_ways_of_stopping(self):
        frame = data(d=5)
        frame["site"] = np.where(np.arange(len(frame)) % 2, "a", "b")
        knowledge = BackgroundKnowledge(forbidden=[("v0", "v1")])
        for stop in ("exhaustive", "first"):
            model = CDNOD(ci_test=KCI(), stop=stop, knowledge=knowledge, n_components=0)
            assert model.fit(frame, context="site").graph_.parents("site") == ()


class TestCheckpoint:
    def run(self, path, frame=None, **options):
        return PC(checkpoint=path, **options).fit(data() if frame is None else frame)

    def test_a_second_run_does_no_test(self, tmp_path, monkeypatch):
        path = tmp_path / "tests.jsonl"
        first = self.run(path)
        monkeypatch.setattr(Runner, "_run", no_tests)
        assert summary(self.run(path)) == summary(first)

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.71, 0.99])
    def test_a_run_that_was_cut_off_anywhere_goes_on(self, tmp_path, share):
        path = tmp_path / "tests.jsonl"
        whole = self.run(path)
        content = path.read_bytes()
        header = content.index(b"\n") + 1
        kept = content[: header + int(share * (len(content) - header))]
        path.write_bytes(kept)
        said = nullcontext() if kept.endswith(b"\n") else pytest.warns(FileWarning, match="was left out")
        with said:
            assert summary(self.run(path)) == summary(whole)
        assert path.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
        assert sorted(path.read_bytes().splitlines()) == sorted(content.splitlines())
        assert summary(self.run(path)) == summary(whole)

    def test_other_data_and_other_tests_are_refused(self, tmp_path):
        path = tmp_path / "tests.jsonl"
        self.run(path)
        other = data()
        other.iloc[17, 2] += 1e-9
        with pytest.raises(CheckpointError, match=r"other data.*delete it"):
            self.run(path, other)
        with pytest.raises(CheckpointError):
            self.run(path, ci_test=KCI())
        path.write_text("what is this\n")
        with pytest.raises(CheckpointError):
            self.run(path)

    def test_a_first_line_that_was_cut_off(self, tmp_path):
        path = tmp_path / "tests.jsonl"
        whole = self.run(path)
        path.write_bytes(path.read_bytes()[:30])
        assert summary(self.run(path)) == summary(whole)

    @pytest.mark.parametrize(
        "change",
        [
            lambda x, y, given, s, p, log: [x, y, given, s, 2.0, log],
            lambda x, y, given, s, p, log: [x, y, given, s, -0.1, log],
            lambda x, y, given, s, p, log: [x, y, given, s, p, 0.5],
            lambda x, y, given, s, p, log: [x, y, given, s, p],
            lambda x, y, given, s, p, log: [x, y, given, float("nan"), p, log],
            lambda x, y, given, s, p, log: ["nobody", y, given, s, p, log],
            lambda x, y, given, s, p, log: [x, y, None, s, p, log],
            lambda x, y, given, s, p, log: [x, y, given, s, "0.5", log],
            lambda x, y, given, s, p, log: {"x": x},
        ],
    )
    def test_entries_that_cannot_be_are_not_believed(self, tmp_path, change):
        path = tmp_path / "tests.jsonl"
        self.run(path)
        lines = path.read_text().splitlines()
        lines[3] = json.dumps(change(*json.loads(lines[3])))
        path.write_text("\n".join(lines) + "\n")
        with pytest.raises(CheckpointError, match="line 4 is no result of a test"):
            self.run(path)

    def test_what_was_done_is_kept_while_a_level_lasts(self, tmp_path, monkeypatch):
        """The last test of the first level fails: those before it are in the file."""
        path = tmp_path / "tests.jsonl"
        whole = self.run(tmp_path / "whole.jsonl")
        monkeypatch.setattr(runner_module, "FIRST_PIECE", 1)
        asked = []

        def failing(test, i, j, given):
            asked.append(len(i))
            if len(asked) == 3:
                raise MemoryError
            return ask_columns(test, i, j, given)

        with monkeypatch.context() as patched:
            patched.setattr(runner_module, "ask_columns", failing)
            with pytest.raises(MemoryError):
                self.run(path)
        assert len(path.read_text().splitlines()) == 1 + sum(asked[:2])
        assert summary(self.run(path)) == summary(whole)

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(20))
    def test_a_run_that_is_killed_at_any_moment_goes_on(self, tmp_path, seed):
        path, done = tmp_path / "tests.jsonl", tmp_path / "done"
        whole = self.run(tmp_path / "whole.jsonl")
        code = (
            "from tests.discovery.test_runner import TestCheckpoint as T; from pathlib import Path; import sys\n"
            "T().run(Path(sys.argv[1])); Path(sys.argv[2]).touch()"
        )
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "try.jsonl"), str(tmp_path / "try")], check=True
        )
        took = time.monotonic() - began
        wait = np.random.default_rng(seed).uniform(0.5, 1.05) * took
        child = subprocess.Popen([sys.executable, "-c", code, str(path), str(done)])
        time.sleep(wait)
        child.kill()
        child.wait()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FileWarning)
            assert summary(self.run(path)) == summary(whole)

    def test_the_file_is_plain_lines(self, tmp_path):
        model = self.run(tmp_path / "tests.jsonl")
        lines = (tmp_path / "tests.jsonl").read_text().splitlines()
        assert len(lines) == 1 + model.n_tests_
        x, y, given, *_ = json.loads(lines[-1])
        assert {x, y, *given} <= set(model.graph_.nodes)


def no_tests(self, plan):
    assert not len(plan)
    return ResultColumns.of([])


class Dying(FisherZ):
    """Kills the process that asks it, as often as there are files to delete."""

    def __init__(self, folder, parent):
        super().__init__()
        self.folder, self.parent = folder, parent

    def columns(self, i, j, given):
        if os.getpid() != self.parent:
            for file in self.folder.iterdir():
                file.unlink()
                os._exit(1)
        return super().columns(i, j, given)


@pytest.mark.filterwarnings("ignore:.*worker.*:UserWarning")
@pytest.mark.parametrize(("deaths", "survives"), [(1, True), (9, False)])
def test_a_lost_worker_is_harmless_and_many_are_an_error(tmp_path, deaths, survives, monkeypatch):
    monkeypatch.setattr("causalkit.discovery._runner.SECONDS", (0.0, 1e-6))
    monkeypatch.setattr("causalkit.discovery._runner.FIRST_PIECE", 1)
    for k in range(deaths):
        (tmp_path / str(k)).touch()
    frame = data(d=5)
    search = PC(ci_test=Dying(tmp_path, os.getpid()), n_jobs=2)
    if survives:
        assert search.fit(frame).graph_ == PC().fit(frame).graph_
    else:
        with pytest.raises(WorkerError, match="n_jobs"):
            search.fit(frame)


def test_parameters():
    with pytest.raises(ParameterError, match="stop"):
        PC(stop="never").fit(data())
    with pytest.raises(ParameterError, match="FisherZ computes on the CPU only"):
        PC(device="cuda").fit(data())
    with pytest.raises(ParameterError, match="device is 'tpu'"):
        PC(ci_test="kci", device="tpu").fit(data())


def test_progress_names_what_is_tested(capsys):
    PC(verbose=1).fit(data())
    assert "v0 vs v1" in capsys.readouterr().err


def test_plans_slice():
    plan = Plan(np.array([0, 1]), np.array([2, 3]), np.array([[4], [5]]))
    assert plan[:1].given.tolist() == [[4]]
