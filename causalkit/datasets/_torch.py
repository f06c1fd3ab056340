"""A scene as a data set of torch; imported only when it is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from causalkit.exceptions import MissingDependencyError

if TYPE_CHECKING:
    from causalkit.datasets._scene_data import SceneData


def torch_dataset(scene: SceneData) -> Any:
    """Return a map-style data set with ``__getitems__``: a batch is read at once, and not row by row."""
    try:
        import torch
    except ImportError as problem:
        raise MissingDependencyError("as_torch needs torch: pip install 'causalkit[torch]'") from problem
    factors = torch.as_tensor(replace(scene, images=None).as_numpy()[0], dtype=torch.float32)
    views, groups = torch.as_tensor(scene.views), torch.as_tensor(scene.groups)

    class SceneDataset(torch.utils.data.Dataset[Any]):  # type: ignore[misc, unused-ignore]
        def __len__(self) -> int:
            return len(scene)

        def __getitem__(self, row: int) -> dict[str, Any]:
            return self.__getitems__([row])[0]

        def __getitems__(self, rows: list[int]) -> list[dict[str, Any]]:
            items = [{"factors": factors[k], "view": views[k], "id": groups[k]} for k in rows]
            if scene.images is not None:
                pictures = torch.as_tensor(scene.images.read(np.asarray(rows, dtype=np.intp)))
                for item, picture in zip(items, pictures.permute(0, 3, 1, 2).float() / 255, strict=True):
                    item["image"] = picture
            return items

    return SceneDataset()
