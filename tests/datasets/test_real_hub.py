"""What the package assumes about CausalVerse beside what its hub has; asks the network, so run it by hand: ``python -m pytest -m network -s``."""

from __future__ import annotations

import numpy as np
import pytest

from causalkit.datasets import describe, list_scenes, load_causalverse, published_splits
from causalkit.datasets._laws import LAWS

pytestmark = pytest.mark.network


def test_what_is_published():
    """Print splits that the manifest does not know, and scenes that it places where they are not."""
    published = published_splits()
    known = {(info.hub, info.split) for info in map(describe, list_scenes()) if info.hub}
    there = {(name, split) for name, splits in published.items() for split in splits}
    print("published and not in the manifest:", sorted(there - known) or "nothing")
    print("in the manifest and not published:", sorted(known - there) or "nothing")
    assert published


@pytest.mark.parametrize("scene", list_scenes(kind="image"))
def test_rows_keys_and_laws(scene):
    """Print how many rows and which factors there are, and how far the law holds."""
    info, data = describe(scene), load_causalverse(scene)
    names = [f.name for f in info.factors]
    print(f"\n{scene} at {data.revision}: {len(data)} rows, {info.rows} assumed")
    print("  factors that are new:", [name for name in data.latents if name not in names] or "none")
    print("  values:", {n: int(data.latents[n].nunique()) for n in data.latents})
    if scene in LAWS:
        free = {name: data.latents[name].to_numpy() for name in LAWS[scene].ranges}
        for name, found in LAWS[scene].derive(free).items():
            if name not in free:
                print(f"  law of {name}: median ratio {np.median(data.latents[name] / found):.6g}")
    assert len(data)
