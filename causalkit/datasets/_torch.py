"""A scene as a data set of torch; imported only when it is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from causalkit.exceptions import MissingDependencyError

if TYPE_CHECKING:
    from causalkit.datasets._recordings import Clips
    from causalkit.datasets._scene_data import SceneData


def torch_dataset(scene: SceneData) -> Any:
    """Return a map-style data set with ``__getitems__``: a batch is read at once, and not row by row."""
    torch = import_torch()
    factors = torch.as_tensor(replace(scene, images=None).as_numpy()[0], dtype=torch.float32)
    views, groups = torch.as_tensor(scene.views), torch.as_tensor(scene.groups)

    base: Any = torch.utils.data.Dataset

    class SceneDataset(base):  # type: ignore[misc]
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


def clip_dataset(clips: Clips) -> Any:
    """Return a map-style data set of clips."""
    torch = import_torch()

    base: Any = torch.utils.data.Dataset

    class ClipDataset(base):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(clips)

        def __getitem__(self, k: int) -> dict[str, Any]:
            clip = clips[k]
            moving = {n: torch.as_tensor(a, dtype=torch.float32) for n, a in clip.trajectories.items()}
            video = torch.as_tensor(clip.images).permute(0, 3, 1, 2).float() / 255
            return {**moving, "video": video, "row": clip.row, "frames": torch.as_tensor(clip.frames)}

    return ClipDataset()


def import_torch() -> Any:
    """Return torch."""
    try:
        import torch
        import torch.utils.data
    except ImportError as problem:
        raise MissingDependencyError("as_torch needs torch: pip install 'causalkit[torch]'") from problem
    return torch
