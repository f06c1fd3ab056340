"""Separating sets by pair, out of arrays of tests."""

from __future__ import annotations

import numpy as np
import pytest

from causalkit.discovery._separations import ConditioningSet, Separations
from causalkit.discovery._tests_table import TestBlock
from causalkit.independence import ResultColumns


def block(d, size, seed):
    rng = np.random.default_rng(seed)
    pairs = np.sort([rng.permutation(d)[:2] for _ in range(60)], axis=1)
    p = rng.random(60)
    return TestBlock(
        pairs[:, 0], pairs[:, 1], rng.integers(0, d, (60, size)), ResultColumns(p, p, np.log(p)), p > 0.5
    )


def test_every_pair_gets_its_sets_in_the_order_of_the_tests():
    found, expected = Separations(6), {}
    for size in (0, 1, 2):
        tests = block(6, size, size)
        found.add(tests)
        for k in np.flatnonzero(tests.independent):
            given = tuple(tests.given[k].tolist())
            sets = expected.setdefault((tests.i[k], tests.j[k]), [])
            r = tests.results
            sets.append(ConditioningSet(given, float(r.p_value[k]), float(r.log_p_value[k]), True))
    assert dict(found) == {pair: tuple(sets) for pair, sets in expected.items()}
    assert len(found) == len(expected)


def test_a_pair_that_nothing_separates_is_not_there():
    found = Separations(6)
    found.add(block(6, 1, 0))
    missing = next(p for p in ((i, j) for i in range(6) for j in range(i + 1, 6)) if not found.mask[p])
    assert missing not in found
    assert found.get(missing) is None
    with pytest.raises(KeyError):
        found[missing]
