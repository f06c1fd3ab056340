"""Which row groups are chosen for a budget."""

from __future__ import annotations

from causalkit.datasets._partial import Part, choose


def part(group, values, size=1):
    return Part(0, group, 10 * group, 10, size, frozenset((0, v) for v in values), None)


def test_values_come_round_again():
    """Four groups of each of three values, sorted: a budget of six takes two of each."""
    parts = [part(4 * v + k, [v]) for v in range(3) for k in range(4)]
    chosen = choose(parts, 6)
    assert sorted(v for p in chosen for _, v in p.values) == [0, 0, 1, 1, 2, 2]
    assert [p.group for p in chosen] == sorted(p.group for p in chosen)


def test_more_new_values_for_the_bytes_come_first():
    parts = [part(0, [0, 1, 2], size=9), part(1, [0], size=1), part(2, [1, 2], size=2)]
    assert [p.group for p in choose(parts, 3)] == [1, 2]
    assert [p.group for p in choose(parts, 100)] == [0, 1, 2]
    assert choose(parts, 0) == []
