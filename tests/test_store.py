"""Saved results are found again by whoever wrote them, and by nobody else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from causalkit import CausalGraph
from causalkit._store import describe
from causalkit.discovery import CDNOD, PC
from causalkit.exceptions import CheckpointError, DataError
from causalkit.independence import (
    GCM,
    KCI,
    RCIT,
    DivideAndCombine,
    DSeparation,
    FisherZ,
    Permutation,
    SkipDetermined,
    Spectral,
    TestwiseDeletion,
)

pd = pytest.importorskip("pandas")
DATA = np.random.default_rng(0).normal(size=(60, 4)) @ (np.eye(4) + np.triu(np.ones((4, 4)), 1))
FRAME = pd.DataFrame(DATA, columns=list("abcd"))


def fails(text, search, *args, **options):
    with pytest.raises(CheckpointError, match=text):
        search.fit(*args, **options)


OBJECTS = [
    FisherZ(),
    KCI(),
    KCI(null=Spectral()),
    KCI(null=Spectral(leading=50)),
    KCI(null=Permutation(99)),
    KCI(null=Permutation(199)),
    GCM(),
    RCIT(),
    RCIT(random_state=3),
    SkipDetermined("kci"),
    SkipDetermined("fisher_z"),
    TestwiseDeletion("fisher_z"),
    DivideAndCombine(FisherZ()),
    DSeparation(CausalGraph.parse("a -> b; c; d")),
    DSeparation(CausalGraph.parse("b -> a; c; d")),
]


def test_every_test_has_an_identity_of_its_own():
    words = [describe(test) for test in OBJECTS]
    assert len(set(words)) == len(words)
    assert words == [describe(test) for test in OBJECTS]
    assert describe(FisherZ().fit(DATA)) == describe(FisherZ())


def test_an_identity_is_the_same_in_another_process():
    code = "from causalkit._store import describe; from causalkit.independence import *; print(describe(KCI(null=Spectral(leading=50))))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == describe(KCI(null=Spectral(leading=50)))


@dataclass
class Settings:
    level: float
    names: tuple[str, ...]


class Keeps:
    def __init__(self, weight):
        self.weight = weight


class Hides:
    def __init__(self, weight):
        self._w = weight


class Adds:
    def __init__(self):
        self.rng = np.random.default_rng()


class Says:
    def __init__(self, weight):
        self._w = weight

    def identity(self):
        return f"weight {self._w}"


def test_what_is_described():
    assert describe(Settings(0.1, ("a",))) != describe(Settings(0.1, ("b",)))
    assert describe(Keeps(np.arange(3000))) != describe(Keeps(np.arange(3000) + (np.arange(3000) == 1500)))
    assert describe(Says(1)) != describe(Says(2))
    assert describe({"a": 1, "b": 2}) == describe({"b": 2, "a": 1})
    assert describe([1, 2]) != describe([2, 1])
    assert describe(1) != describe("1")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (lambda x: x, "<lambda>"),
        (Hides(1), "'weight'"),
        (Adds(), "'rng'"),
        (Keeps(np.random.default_rng()), "weight"),
        (object(), "object"),
    ],
)
def test_what_cannot_be_described_is_refused(value, reason):
    with pytest.raises(CheckpointError, match=reason):
        describe(value)


# -- checkpoints of searches ---------------------------------------------------------------------------------------------------------


def test_other_groups_are_other_data(tmp_path):
    path = tmp_path / "c.jsonl"
    PC(ci_test="kci", groups={"g": ["a", "b"]}, checkpoint=path).fit(FRAME)
    fails("other data", PC(ci_test="kci", groups={"g": ["a", "c"]}, checkpoint=path), FRAME)
    fails("other data", PC(ci_test="kci", checkpoint=path), FRAME)


def test_another_oracle_is_another_test(tmp_path):
    path = tmp_path / "c.jsonl"
    first, second = (DSeparation(CausalGraph.parse(t)) for t in ("a -> b; c; d", "c -> d; a; b"))
    graph = PC(ci_test=first, checkpoint=path).fit(FRAME).graph_
    assert graph == PC(ci_test=first, checkpoint=path).fit(FRAME).graph_
    fails("another test", PC(ci_test=second, checkpoint=path), FRAME)


def test_another_mask_is_other_data(tmp_path):
    path = tmp_path / "c.jsonl"
    holes = [np.ma.array(DATA, mask=np.zeros(DATA.shape, dtype=bool)) for _ in range(2)]
    holes[0].mask[3, 1] = True
    holes[1].mask[4, 2] = True
    PC(missing="testwise", checkpoint=path).fit(holes[0])
    fails("other data", PC(missing="testwise", checkpoint=path), holes[1])
    fails("other data", PC(missing="testwise", checkpoint=path), DATA)


def test_other_labels_are_other_data(tmp_path):
    path = tmp_path / "c.jsonl"
    site = np.arange(60) % 2
    options = {"n_components": 0, "independent_change": None, "max_cond_size": 0, "checkpoint": path}
    CDNOD(**options).fit(FRAME, context=np.where(site, "a", "b"))
    fails("other data", CDNOD(**options), FRAME, context=np.where(site, "a", "c"))


def test_a_test_without_an_identity_is_refused(tmp_path):
    class Local(FisherZ):
        pass

    fails("inside a function", PC(ci_test=Local(), checkpoint=tmp_path / "c"), FRAME)


# -- masks ---------------------------------------------------------------------------------------------------------------------------------


def test_what_is_masked_is_missing_for_a_search_and_a_test():
    masked = np.ma.array(DATA.copy(), mask=np.zeros(DATA.shape, dtype=bool))
    masked[:20, 0] = np.ma.masked
    masked.data[:20, 0] = 1e9
    with pytest.raises(DataError, match="missing"):
        PC().fit(masked)
    with pytest.raises(DataError, match="missing"):
        FisherZ().fit(masked)
    holed = DATA.copy()
    holed[:20, 0] = np.nan
    first, second = (PC(missing="testwise").fit(d) for d in (masked, holed))
    assert first.graph_ == second.graph_
    assert first.tests_ == second.tests_


def test_masked_integers_and_labels():
    numbers = np.ma.array(np.arange(40).reshape(20, 2), mask=False)
    numbers[2, 1] = np.ma.masked
    with pytest.raises(DataError, match="missing"):
        FisherZ().fit(numbers)
    labels = np.ma.array(np.array(["a", "b"] * 10, dtype=object)[:, None], mask=False)
    labels[3] = np.ma.masked
    with pytest.raises(DataError, match="missing"):
        KCI().fit(labels)
