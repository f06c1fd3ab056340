"""Pairs of rows: two views of one instance, exact counterfactuals that happen to be in the data, and frames some time apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.intp]

if TYPE_CHECKING:
    import pandas as pd

    from causalkit.datasets._scene_data import SceneData


def view_pairs(data: SceneData) -> pd.DataFrame:
    """Return every two views of one instance."""
    import pandas as pd

    together = pd.DataFrame({"group": data.groups, "row": np.arange(len(data))})
    both = together.merge(together, on="group")
    both = both[both.row_x < both.row_y]
    return pd.DataFrame({"first": both.row_x.to_numpy(), "second": both.row_y.to_numpy()})


def counterfactual_pairs(data: SceneData, rng: np.random.Generator) -> pd.DataFrame:
    """Return rows of the same view whose free factors differ in exactly one, with donors."""
    import pandas as pd

    parts = [_differing_in(data, name, rng) for name in data.info.names("exogenous")]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _differing_in(data: SceneData, factor: str, rng: np.random.Generator) -> pd.DataFrame:
    """Return pairs of rows that differ in one free factor only, with donors."""
    import pandas as pd

    others = [name for name in data.info.names("exogenous") if name != factor]
    rows = data.latents[[*others, factor]].assign(view=data.views, row=np.arange(len(data)))
    both = rows.merge(rows, on=[*others, "view"], suffixes=("", "_new"))
    both = both[both[factor] != both[f"{factor}_new"]]
    alike = rows.groupby([factor, "view"]).ngroup().to_numpy().astype(np.intp)
    donors = _another_of_the_kind(alike, both.row_new.to_numpy().astype(np.intp), rng)
    found = pd.DataFrame(
        {
            "factual": both.row.to_numpy(),
            "target": both.row_new.to_numpy(),
            "donor": donors,
            "factor": factor,
        }
    )
    return found[found.donor >= 0]


def _another_of_the_kind(kind: Rows, rows: Rows, rng: np.random.Generator) -> Rows:
    """Draw for each of some rows another row of its kind; -1 where there is none."""
    order = np.argsort(kind, kind="stable")
    sizes = np.bincount(kind)
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(kind), dtype=np.intp)
    place[order] = np.arange(len(kind)) - starts[kind[order]]
    others = sizes[kind[rows]] - 1
    drawn = (rng.random(len(rows)) * others).astype(np.intp)
    drawn += drawn >= place[rows]
    found = order[np.minimum(starts[kind[rows]] + drawn, len(order) - 1)]
    return np.where(others > 0, found, -1)


def frame_pairs(n_rows: int, n_frames: int, lag: int) -> pd.DataFrame:
    """Return every two frames of a video that are a lag apart."""
    import pandas as pd

    firsts = np.arange(max(n_frames - lag, 0))
    first = np.tile(firsts, n_rows)
    row = np.repeat(np.arange(n_rows), len(firsts))
    return pd.DataFrame({"row": row, "first": first, "second": first + lag})


def equal_factors(latents: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Return sets of columns of which each determines the other exactly."""
    classes: list[list[str]] = []
    for name in latents.columns:
        for members in classes:
            if _equal(latents[members[0]], latents[name]):
                members.append(str(name))
                break
        else:
            classes.append([str(name)])
    return tuple(tuple(members) for members in classes if len(members) > 1)


def _equal(one: pd.Series, other: pd.Series) -> bool:
    """Whether two columns are affine copies, or one is the other with renamed labels."""
    both = one.notna().to_numpy() & other.notna().to_numpy()
    if not (both == one.notna().to_numpy()).all() or not (both == other.notna().to_numpy()).all():
        return False
    left, right = one[both], other[both]
    if left.dtype.kind in "iuf" and right.dtype.kind in "iuf":
        a, b = (np.asarray(v, dtype=float) - float(v.mean()) for v in (left, right))
        scale = float(np.linalg.norm(a) * np.linalg.norm(b))
        return scale > 0 and abs(float(a @ b)) > (1 - 1e-9) * scale
    codes = left.factorize()[0], right.factorize()[0]
    pairs = len(set(zip(*(c.tolist() for c in codes), strict=True)))
    return pairs > 1 and pairs == len(set(codes[0].tolist())) == len(set(codes[1].tolist()))
