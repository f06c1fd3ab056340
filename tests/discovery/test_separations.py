"""Separating sets by pair, out of arrays of tests."""

from __future__ import annotations

import numpy as np
import pytest

from causalkit.discovery._separations import Separation, Separations
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
            sets.append(Separation(given, float(tests.results.p_value[k])))
    assert dict(found) == {pair: tuple(sets) for pair, sets in expected.items()}
    assert len(found) == len(expected)


def test_what_is_chosen_replaces_what_was_found():
    found = Separations(6)
    found.add(block(6, 1, 0))
    pair, chosen = next(iter(found)), (Separation((5,), 0.1, separates=False),)
    found[pair] = chosen
    assert found[pair] == chosen
    del found[pair]
    assert pair not in found
    assert found.get(pair) is None
    with pytest.raises(KeyError):
        found[pair]
