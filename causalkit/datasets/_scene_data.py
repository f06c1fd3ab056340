"""One object for a scene, wherever it came from: factors as a typed table, their graph, views and groups, and pictures on request.

Rows that show the same instance from different cameras have the same factors. They are one observation: they are never split, and no test of a representation
should count them as several.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed, as_generator
from causalkit._validation import Cyclic, Declared, check_choice, check_count
from causalkit.datasets._cache import cached_pictures, cached_videos
from causalkit.datasets._images import Cached, ImageSource, Selected
from causalkit.datasets._laws import LAWS
from causalkit.datasets._manifest import Factor, SceneInfo
from causalkit.datasets._pairs import counterfactual_pairs, equal_factors, frame_pairs, view_pairs
from causalkit.datasets._places import coded, drawn, positions
from causalkit.datasets._recordings import Clips, Medium, Recordings, make_clips
from causalkit.datasets._videos import CachedVideos
from causalkit.exceptions import DataError, ParameterError
from causalkit.graph import CausalGraph

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SceneData"]

Rows: TypeAlias = NDArray[np.intp]
Range: TypeAlias = tuple[float, float] | Iterable[Any]
PAIRS = ("views", "counterfactual", "temporal")


@dataclass(frozen=True, eq=False)
class SceneData:
    """Factors, graph and pictures of a scene.

    Parameters
    ----------
    info : SceneInfo
        What is known of the scene.
    latents : pandas.DataFrame
        One row per picture, one column per factor; categories are categorical, what is not there is missing.
    views : numpy.ndarray of int, shape (n,)
        Camera of every row.
    groups : numpy.ndarray of int, shape (n,)
        Instance of every row: rows with the same number have the same factors.
    images : ImageSource or None
        Pictures, read when they are asked for.
    noise : mapping of str to numpy.ndarray, or None
        For generated scenes: the noise of every derived factor, so that counterfactuals are exact.
    revision : str or None
        Revision of the data.
    recordings : Recordings or None
        Videos of every row, for video scenes.
    names : tuple of str or None
        Name of every instance by its number, such as its UUID.
    split_seed : int, default=0
        Seed of `splits`, unless it is given another.
    skipped : tuple of str
        What could not be read and was left out, each with its reason.
    """

    info: SceneInfo
    latents: pd.DataFrame = field(repr=False)
    views: Rows = field(repr=False)
    groups: Rows = field(repr=False)
    images: ImageSource | None = field(repr=False, default=None)
    noise: Mapping[str, NDArray[np.float64]] | None = field(repr=False, default=None)
    revision: str | None = None
    recordings: Recordings | None = field(repr=False, default=None)
    names: tuple[str, ...] | None = field(repr=False, default=None)
    split_seed: int = 0
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.latents)

    @property
    def graph(self) -> CausalGraph:
        """The graph over the factors; raises `DataError` where it is not known as a whole."""
        if self.info.graph is None:
            known = "; ".join(f"{a} -> {b}" for a, b, _ in self.info.known_edges) or "none"
            raise DataError(
                f"the graph of scene {self.info.name!r} is not published; arrows that are known: {known} (info.known_edges)"
            )
        return self.info.graph

    @property
    def schema(self) -> tuple[Factor, ...]:
        """Factors with type, unit, role and note."""
        return self.info.factors

    @property
    def factor_types(self) -> dict[str, Declared]:
        """Types of the factors as tests and metrics take them: angles are cyclic, in degrees."""
        kinds: Mapping[str, Declared] = {
            "angle": Cyclic(360.0),
            "category": "categorical",
            "number": "continuous",
        }
        return {f.name: kinds[f.type] for f in self.info.factors if f.name in self.latents.columns}

    @property
    def missing(self) -> pd.DataFrame:
        """Which values are missing, such as those of what is not worn."""
        return self.latents.isna()

    @property
    def copies(self) -> tuple[tuple[str, ...], ...]:
        """Factors that hold the same, in sets: affine copies of numbers, and labels that are renamed."""
        return equal_factors(self.latents)

    # -- choosing rows ---------------------------------------------------------------------------------------------------------

    def take(self, rows: Sequence[int] | Rows) -> SceneData:
        """Return some of the rows.

        Parameters
        ----------
        rows : sequence of int, or of bool of length n
            Positions, or which rows.

        Returns
        -------
        SceneData
            The same scene.
        """
        chosen = self.positions(rows)
        noise = None if self.noise is None else {name: values[chosen] for name, values in self.noise.items()}
        return replace(
            self,
            latents=self.latents.iloc[chosen].reset_index(drop=True),
            views=self.views[chosen],
            groups=self.groups[chosen],
            images=None if self.images is None else Selected(self.images, chosen),
            noise=noise,
            recordings=None if self.recordings is None else self.recordings.take(chosen),
        )

    def positions(self, rows: Sequence[int] | Rows | NDArray[np.bool_]) -> Rows:
        """Return rows as positions, checked.

        Parameters
        ----------
        rows : sequence of int, or of bool of length n
            Positions from 0 to n - 1, or which rows.

        Returns
        -------
        numpy.ndarray of int
            Positions.
        """
        return positions(rows, len(self))

    def splits(
        self,
        *,
        by: Literal["id", "uuid", "factors"] = "id",
        shares: Mapping[str, float] | None = None,
        seed: int | None = None,
    ) -> dict[str, Rows]:
        """Split rows into parts that share no instance.

        Instances are put in the order of a hash of their number, or name, and the seed, so that the parts do not depend on the order of rows and shards.
        They do depend on which instances are there.

        Parameters
        ----------
        by : {"id", "uuid", "factors"}, default="id"
            What must not be torn apart: the instance, known by its number or by its name; or all instances with the same free factors, whose pictures are the same where factors lie on a grid.
        shares : mapping of str to float, default={"train": .7, "validation": .15, "test": .15}
            Shares of instances, which sum to 1.
        seed : int, optional
            Seed; by default ``split_seed``.

        Returns
        -------
        dict of str to numpy.ndarray of int
            Positions of rows.

        Examples
        --------
        >>> from causalkit.datasets import make_scene
        >>> scene = make_scene("fall", n=100)
        >>> {name: len(rows) for name, rows in scene.splits().items()}
        {'train': 280, 'validation': 60, 'test': 60}
        """
        check_choice("by", by, ("id", "uuid", "factors"))
        if by == "uuid" and self.names is None:
            raise ParameterError("instances of this scene have numbers and no names; split by='id'")
        chosen = self.split_seed if seed is None else seed
        if isinstance(chosen, bool) or not isinstance(chosen, int | np.integer):
            raise ParameterError(f"seed must be an integer, which names the split; got {chosen!r}")
        shares = {"train": 0.7, "validation": 0.15, "test": 0.15} if shares is None else dict(shares)
        if not shares or not min(shares.values()) > 0 or not abs(sum(shares.values()) - 1) < 1e-9:
            raise ParameterError(f"shares are {shares}; give positive shares that sum to 1")
        units = self.setting_of_rows() if by == "factors" else self.groups
        names = self.names if by == "uuid" else self._settings if by == "factors" else None

        def place(unit: int) -> bytes:
            name = unit if names is None else names[unit]
            return hashlib.sha256(f"{chosen}:{name}".encode()).digest()

        order = sorted(np.unique(units).tolist(), key=place)
        ends = np.rint(np.cumsum(list(shares.values())) * len(order)).astype(int)
        parts = np.split(np.array(order), ends[:-1])
        return {name: np.flatnonzero(np.isin(units, part)) for name, part in zip(shares, parts, strict=True)}

    def setting_of_rows(self) -> Rows:
        """Return a number for every row that is the same for rows with the same free factors.

        Returns
        -------
        numpy.ndarray of int, shape (n,)
            Numbers from 0; the number of the instance where no free factor is known.

        Examples
        --------
        >>> import numpy as np
        >>> from causalkit.datasets import make_scene
        >>> scene = make_scene("fall", n=50, levels=2, views=1)
        >>> len(np.unique(scene.groups)), len(np.unique(scene.setting_of_rows()))
        (50, 8)
        """
        return np.unique(self._texts_of_settings, return_inverse=True)[1].reshape(-1).astype(np.intp)

    @property
    def _settings(self) -> list[str]:
        return [str(text) for text in np.unique(self._texts_of_settings)]

    @property
    def _texts_of_settings(self) -> NDArray[Any]:
        """The free factors of every row as text, by which they are put in order whatever the order of rows."""
        free = [name for name in self.info.names("exogenous") if name in self.latents]
        columns = [self.latents[name].astype(str).to_numpy() for name in free] or [self.groups.astype(str)]
        return np.array(["|".join(values) for values in zip(*columns, strict=True)])

    def environments(
        self,
        spec: Mapping[str, Mapping[str, Range]],
        *,
        overlap: Literal["error", "share"] = "error",
        seed: int = 0,
    ) -> dict[str, Rows]:
        """Choose rows by their free factors, as if each environment had set them differently.

        Parameters
        ----------
        spec : mapping of str to mapping of str to (float, float) or list
            For every environment, ranges (a pair of numbers, both ends included) or lists of values of free factors.
        overlap : {"error", "share"}, default="error"
            Instances that belong to several environments are refused, or shared out at random. For discovery let ranges overlap: of ranges that do not, the
            environment is a function of the factor.
        seed : int, default=0
            Seed of the sharing.

        Returns
        -------
        dict of str to numpy.ndarray of int
            Positions of rows; no instance is in two environments.

        Raises
        ------
        ParameterError
            If a factor is not free: choosing rows by an effect selects on it, and does not change its mechanism. If environments overlap, or one is empty.

        Examples
        --------
        >>> from causalkit.datasets import make_scene
        >>> scene = make_scene("fall", n=100)
        >>> parts = scene.environments({"low": {"h1": (1, 2)}, "high": {"h1": (3, 4)}})
        >>> bool(scene.latents.h1[parts["low"]].max() <= 2)
        True
        """
        check_choice("overlap", overlap, ("error", "share"))
        given: Any = spec
        if not isinstance(given, Mapping) or not given:
            raise ParameterError(
                'give environments as {"name": {"factor": (smallest, largest)}, ...}; there is none'
            )
        inside = np.column_stack([self._rows_of(name, ranges) for name, ranges in spec.items()])
        both = np.flatnonzero(inside.sum(axis=1) > 1)
        if both.size and overlap == "error":
            one, other = np.array(list(spec))[inside[both[0]]][:2].tolist()
            raise ParameterError(
                f"row {both[0]} is in the environments {one!r} and {other!r}; make them apart, or share with overlap='share'"
            )
        for row in both.tolist():
            inside[row] = drawn(inside[row], int(self.groups[row]), seed)
        found = {name: np.flatnonzero(column) for name, column in zip(spec, inside.T, strict=True)}
        for name, rows in found.items():
            if not rows.size:
                raise ParameterError(f"environment {name!r} has no rows")
        return found

    def _rows_of(self, environment: str, ranges: Mapping[str, Range]) -> NDArray[np.bool_]:
        given: Any = ranges
        if not isinstance(given, Mapping):
            raise ParameterError(f"environment {environment!r} is {ranges!r}; give ranges by factor")
        if not ranges:
            raise ParameterError(f"environment {environment!r} has no condition")
        return np.asarray(np.logical_and.reduce([self._inside(f, r) for f, r in ranges.items()]))

    def _inside(self, factor: str, allowed: Range) -> NDArray[np.bool_]:
        role = self.info.factor(factor).role
        if role == "derived":
            raise ParameterError(
                f"{factor!r} is a function of other factors; choosing rows by it selects on an effect and is no intervention. "
                f"Free factors: {', '.join(self.info.names('exogenous')) or 'not known'}"
            )
        if isinstance(allowed, str) or not isinstance(allowed, Iterable):
            raise ParameterError(
                f"what is allowed for {factor!r} is {allowed!r}; give a pair of numbers or a list of values"
            )
        values = self.latents[factor].to_numpy()
        if isinstance(allowed, tuple) and len(allowed) == 2 and values.dtype.kind in "iuf":
            if not all(isinstance(end, int | float | np.number) for end in allowed):
                raise ParameterError(f"the range of {factor!r} is {allowed}; give two numbers")
            return np.asarray((values >= allowed[0]) & (values <= allowed[1]))
        return np.isin(values, list(allowed))

    # -- pairs -----------------------------------------------------------------------------------------------------------------

    def pairs(
        self,
        kind: Literal["views", "counterfactual", "temporal"],
        *,
        stride_seconds: float | None = None,
        rng: Seed = 0,
    ) -> pd.DataFrame:
        """Return pairs of rows, or of frames.

        Parameters
        ----------
        kind : {"views", "counterfactual", "temporal"}
            ``"views"``: every two views of one instance. ``"counterfactual"``: rows of the same view whose free factors differ in exactly one, with a donor, another row with the
            same new value of it (pairs without one are left out); they exist where free factors lie on a grid and laws have no noise, in which rows would differ too (`counterfactual` makes
            exact ones there). ``"temporal"``: frames of a video that are some time apart.
        stride_seconds : float, optional
            For ``"temporal"``: how far apart, a whole number of frames; by default one frame.
        rng : int, numpy.random.Generator or None, default=0
            Seed of the donors.

        Returns
        -------
        pandas.DataFrame
            Positions of rows in the columns first and second, or factual, target, donor and factor; or row and the numbers of two frames in first and second.

        Raises
        ------
        DataError
            If there are none.

        Examples
        --------
        >>> from causalkit.datasets import make_scene
        >>> scene = make_scene("refraction", n=50, levels=5, views=1)
        >>> scene.pairs("counterfactual").factor.value_counts().to_dict() != {}
        True
        """
        check_choice("kind", kind, PAIRS)
        if kind == "views":
            found = view_pairs(self)
        elif kind == "counterfactual":
            if self.noise is not None and any((values != 1).any() for values in self.noise.values()):
                raise DataError(
                    "the laws of this scene have noise, in which rows differ too; counterfactual() makes exact counterfactuals of it"
                )
            found = counterfactual_pairs(self, as_generator(rng))
        else:
            videos = self._videos()
            lag = 1 if stride_seconds is None else videos.steps(stride_seconds)
            found = frame_pairs(len(self), videos.color.facts(0).n_frames, lag)
        if not len(found):
            raise DataError(f"there are no pairs of the kind {kind!r} in these rows")
        return found

    # -- videos ----------------------------------------------------------------------------------------------------------------

    def clips(
        self,
        frames: int,
        stride_seconds: float,
        *,
        every_seconds: float | None = None,
        size: int | None = None,
        medium: Medium = "color",
    ) -> Clips:
        """Cut videos into clips of one length and one time step.

        Parameters
        ----------
        frames : int
            Frames of a clip.
        stride_seconds : float
            Time from one frame to the next, a whole number of frames of the video.
        every_seconds : float, optional
            Time from the start of a clip to that of the next; by default clips do not overlap.
        size : int, optional
            Height and width to which pictures are brought; by default they stay as they are.
        medium : {"color", "depth"}, default="color"
            What is shown.

        Returns
        -------
        Clips
            A sequence; a clip is decoded when it is asked for. Clips of one instance belong together: ``groups[clip.row]``.

        Raises
        ------
        ParameterError
            If the step is no whole number of frames, or videos are too short for a clip.
        DataError
            If there are no videos; when a clip is read, if its video is damaged or ends before, or its trajectories have another length.
        """
        return make_clips(self._videos(), len(self), frames, stride_seconds, every_seconds, size, medium)

    def _videos(self) -> Recordings:
        if self.recordings is None:
            raise DataError("there are no videos here; load a video scene with what='videos'")
        return self.recordings

    def counterfactual(self, changes: Mapping[str, float | NDArray[np.float64]]) -> SceneData:
        """Return what would have been, had some factors been set: same noise, same views, everything that follows recomputed.

        Parameters
        ----------
        changes : mapping of str to float or numpy.ndarray of float, shape (n,)
            New values of factors, free or derived.

        Returns
        -------
        SceneData
            The same rows in another world.

        Raises
        ------
        DataError
            If the scene was not generated: the laws of published data are not known well enough.

        Examples
        --------
        >>> from causalkit.datasets import make_scene
        >>> scene = make_scene("fall", n=10, noise=0.1)
        >>> other = scene.counterfactual({"u": 2 * scene.latents.u.to_numpy()})
        >>> bool(abs(2 * other.latents.h2 - scene.latents.h2).max() < 1e-9)
        True
        """
        if self.noise is None:
            raise DataError(
                "only generated scenes (make_scene) have exact counterfactuals; use pairs('counterfactual') for rows that happen to be"
            )
        from causalkit.datasets._miniature import build_scene

        fixed = {name: self._new_values(name, values) for name, values in changes.items()}
        free = {name: self.latents[name].to_numpy() for name in LAWS[self.info.name].ranges}
        size = (
            64
            if self.images is None or not len(self)
            else self.images.read(np.zeros(1, dtype=np.intp)).shape[1]
        )
        return build_scene(self.info, free, self.noise, self.views, self.groups, size, fixed)

    def _new_values(self, name: str, values: float | NDArray[np.float64]) -> NDArray[np.float64]:
        self.info.factor(name)
        try:
            return np.broadcast_to(np.asarray(values, dtype=float), len(self))
        except ValueError:
            raise ParameterError(
                f"new values of {name!r} are a number or one for each of the {len(self)} rows; got shape {np.shape(values)}"
            ) from None

    # -- other forms -----------------------------------------------------------------------------------------------------------

    def as_dataframe(self) -> pd.DataFrame:
        """Return factors with the columns ``id`` and ``view`` in front.

        Returns
        -------
        pandas.DataFrame
            One row per picture.
        """
        import pandas as pd

        taken = [name for name in ("id", "view") if name in self.latents]
        if taken:
            raise DataError(
                f"a factor has the name {taken[0]!r}, which is a column in front; rename it in .latents"
            )
        front = pd.DataFrame({"id": self.groups, "view": self.views}, index=self.latents.index)
        return pd.concat([front, self.latents], axis=1)

    def as_numpy(
        self, rows: Sequence[int] | Rows | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None]:
        """Return factors and pictures as arrays.

        Parameters
        ----------
        rows : sequence of int, optional
            Only these rows; by default all. All pictures of a large scene may not fit into memory.

        Returns
        -------
        factors : numpy.ndarray of float, shape (n, d)
            Codes of categories are places in their sorted list; missing values are NaN.
        images : numpy.ndarray of uint8, shape (n, height, width, 3), or None
            None if there are no pictures.
        """
        part = self if rows is None else self.take(rows)
        columns = [coded(part.latents[name]) for name in part.latents.columns]
        images = None if part.images is None else part.images.read(np.arange(len(part)))
        return np.column_stack(columns), images

    def as_torch(self) -> Any:
        """Return a data set of torch that reads many rows at once.

        Returns
        -------
        torch.utils.data.Dataset
            Items are dicts of ``image`` (float32 from 0 to 1, shape (3, height, width)), ``factors`` (float32), ``view`` and ``id``.

        Raises
        ------
        MissingDependencyError
            If torch is not installed.
        """
        from causalkit.datasets._torch import torch_dataset

        return torch_dataset(self)

    def cache(
        self, size: int, directory: str | Path, *, on_error: Literal["raise", "skip"] = "raise"
    ) -> SceneData:
        """Bring all pictures, or all frames of videos, to one size, once, and read them from one file from then on.

        Parameters
        ----------
        size : int
            Height and width in pixels.
        directory : str or pathlib.Path
            Where the file goes; it is named by scene, revision, rows, where the pictures come from, and size, and written again only if
            any of them changes.
        on_error : {"raise", "skip"}, default="raise"
            Refuse what cannot be decoded, or leave these rows out and say in ``skipped`` which they were.

        Returns
        -------
        SceneData
            The same rows, with pictures from the file.

        Examples
        --------
        >>> import tempfile
        >>> from causalkit.datasets import make_scene
        >>> small = make_scene("spring", n=5).cache(16, tempfile.mkdtemp())
        >>> small.as_numpy()[1].shape
        (20, 16, 16, 3)
        """
        check_count("size", size)
        check_choice("on_error", on_error, ("raise", "skip"))
        source: Any = self.images if self.recordings is None else self.recordings.color
        if source is None:
            raise DataError("this scene was loaded without pictures; load it with what='images' or 'videos'")
        rows = f"{self.groups.tobytes().hex()} {self.views.tobytes().hex()}"
        content = source.identity + rows + self.latents.to_json(double_precision=15)
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        path = Path(directory) / f"{self.info.name}-{self.revision or 'generated'}-{digest}-{size}.npy"
        if self.recordings is None:
            lost = cached_pictures(source, size, path, on_error)
            whole = replace(self, images=Cached(path))
        else:
            lost = cached_videos(source, size, path, on_error)
            small = CachedVideos(path, source.facts(0).frames_per_second, np.arange(len(self)))
            whole = replace(self, recordings=replace(self.recordings, color=small, depth=None))
        if not lost:
            return whole
        reasons = tuple(f"row {row}: {reason}" for row, reason in lost.items())
        kept = np.setdiff1d(np.arange(len(self)), list(lost))
        return replace(whole.take(kept), skipped=(*self.skipped, *reasons))
