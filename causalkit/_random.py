"""Seeds to generators: one independent stream for each unit of work.

A result must not depend on how many workers share the work or on the order in which they take it. So a unit of work
never draws from a common generator: it asks for the stream that belongs to its own key.
"""

from __future__ import annotations

import zlib
from typing import TypeAlias

import numpy as np

from causalkit.exceptions import ParameterError

Seed: TypeAlias = int | np.random.Generator | np.random.RandomState | None


def as_generator(rng: object) -> np.random.Generator:
    """Turn any accepted seed into a generator; a generator passes through unchanged."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, np.random.RandomState):
        return np.random.default_rng(rng.randint(2**31))
    if rng is not None and (isinstance(rng, bool) or not isinstance(rng, int | np.integer) or rng < 0):
        msg = f"a seed is a non-negative integer, a numpy Generator, a RandomState or None; got {rng!r}"
        raise ParameterError(msg)
    return np.random.default_rng(rng)


def entropy(rng: Seed) -> int:
    """Return one integer that names all streams of a run; the same seed gives the same integer."""
    generator = as_generator(rng)
    return int(rng) if isinstance(rng, int | np.integer) else int(generator.integers(2**63))


def named_stream(base: int, names: object) -> np.random.Generator:
    """Return the generator that belongs to names (strings, in lists), not to positions: columns may be in any order."""
    return stream(base, zlib.crc32(repr(names).encode()))


def stream(base: int, *key: int) -> np.random.Generator:
    """Return the generator that belongs to `key` in the run named by `base`."""
    return np.random.default_rng(np.random.SeedSequence(base, spawn_key=key))
