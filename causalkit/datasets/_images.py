"""Where the pictures of a data set come from: drawn, decoded from files, or read from a cache. All give the same array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from causalkit.datasets._render import render
from causalkit.exceptions import DataError

Images: TypeAlias = NDArray[np.uint8]
Rows: TypeAlias = NDArray[np.intp]


@runtime_checkable
class ImageSource(Protocol):
    """Gives pictures by row."""

    @property
    def n_images(self) -> int:
        """Number of rows."""
        ...

    @property
    def identity(self) -> str:
        """What the pictures are, as text: different pictures have different texts."""
        ...

    def read(self, rows: Rows, size: int | None = None) -> Images:
        """Return pictures of one size, shape (len(rows), height, width, 3); `size` brings each to a square."""
        ...


@dataclass(frozen=True)
class Rendered:
    """Pictures that are drawn when they are asked for."""

    scene: str
    values: Mapping[str, NDArray[np.float64]]
    view: Rows
    size: int

    @property
    def n_images(self) -> int:
        """Number of rows."""
        return len(self.view)

    @property
    def identity(self) -> str:
        """Scene and size; the factors stand in the table."""
        return f"drawn {self.scene} {self.size}"

    def read(self, rows: Rows, size: int | None = None) -> Images:
        """Draw some rows."""
        chosen = {name: column[rows] for name, column in self.values.items()}
        return resized(render(self.scene, chosen, self.view[rows], self.size), size)


@dataclass(frozen=True)
class Cached:
    """Pictures in one file that is mapped into memory."""

    path: Path

    @property
    def n_images(self) -> int:
        """Number of rows."""
        return len(self._mapped)

    @property
    def identity(self) -> str:
        """The name of the file, which stands for its pictures."""
        return self.path.name

    def read(self, rows: Rows, size: int | None = None) -> Images:
        """Read some rows."""
        return resized(self._mapped[rows], size)

    @property
    def _mapped(self) -> Images:
        return np.asarray(np.load(self.path, mmap_mode="r", allow_pickle=False))


@dataclass(frozen=True)
class Selected:
    """Some of the pictures of another source."""

    source: ImageSource
    rows: Rows

    @property
    def n_images(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def identity(self) -> str:
        """The other source, and which rows."""
        return f"{self.source.identity} {self.rows.tobytes().hex()}"

    def read(self, rows: Rows, size: int | None = None) -> Images:
        """Read some rows."""
        return self.source.read(self.rows[rows], size)


def resized(images: Images, size: int | None) -> Images:
    """Bring pictures to a square size, if one is given: by means over blocks where that is exact, else by Pillow."""
    height, width = images.shape[1:3]
    if size is None or (height, width) == (size, size):
        return images
    if height % size == 0 and width % size == 0:
        blocks = images.reshape(len(images), size, height // size, size, width // size, 3)
        means: Images = np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)
        return means
    return np.stack([_by_pillow(image, size) for image in images])


def _by_pillow(image: Images, size: int) -> Images:
    try:
        from PIL import Image
    except ImportError as problem:
        raise DataError(
            f"bringing {image.shape[1]} x {image.shape[0]} pictures to {size} pixels needs Pillow: pip install 'causalkit[datasets]'"
        ) from problem
    small: Images = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX))
    return small


def check_size(images: Sequence[Images]) -> None:
    """Refuse pictures of different sizes."""
    sizes = {image.shape for image in images}
    if len(sizes) > 1:
        raise DataError(f"pictures have the sizes {sorted(sizes)}; bring them to one with cache(size)")
