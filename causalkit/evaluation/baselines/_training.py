"""What the learned baselines share: inputs in batches, small networks, and one training loop.

Inputs are pictures, (n, height, width, 3) as bytes, or vectors, (n, p), or a source that reads pictures by row. A run depends on its seed and not on torch's global state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from causalkit._random import Seed, entropy, stream
from causalkit._validation import Floats, check_between, check_count
from causalkit.exceptions import DataError, MissingDependencyError, ParameterError

Rows: TypeAlias = NDArray[np.intp]
Tensor: TypeAlias = Any
Network: TypeAlias = Any
ENCODED = 512
# A column that varies by less than this share of its size does not vary.
ROUNDING = 1e-12
# Height and width are halved so often.
HALVINGS = 4


def import_torch() -> Any:
    """Return torch."""
    try:
        import torch
    except ImportError as problem:
        raise MissingDependencyError(
            "learned baselines need torch: pip install 'causalkit[torch]'"
        ) from problem
    return torch


class PictureSource(Protocol):
    """Reads pictures by row, as ``SceneData.images`` does."""

    @property
    def n_images(self) -> int:
        """Number of rows."""
        ...

    def read(self, rows: Rows) -> NDArray[np.uint8]:
        """Return pictures of rows, shape (len(rows), height, width, 3)."""
        ...


class Inputs:
    """Rows of pictures or vectors, as tensors of what a network sees: pictures from 0 to 1, vectors in standard deviations of those fitted to."""

    def __init__(self, x: Any, center: Floats | None = None, scale: Floats | None = None) -> None:
        self._source = x if hasattr(x, "read") and hasattr(x, "n_images") else None
        self._array: NDArray[Any] = np.zeros(0) if self._source is not None else np.atleast_1d(np.asarray(x))
        self.n = int(x.n_images) if self._source is not None else len(self._array)
        self.shape = self._shape()
        if self.pictures:
            self.center, self.scale = np.zeros(0), np.zeros(0)
        else:
            self.center, self.scale = self._standard(center, scale)

    def _shape(self) -> tuple[int, ...]:
        if not self.n:
            raise DataError("there are no rows to encode")
        one = self.raw(np.zeros(1, dtype=np.intp))
        pictures = one.ndim == 4 and one.shape[-1] == 3 and one.dtype == np.uint8
        if not pictures and not (one.ndim == 2 and one.dtype.kind in "iuf"):
            raise DataError(
                f"inputs are {one.dtype} of shape (n, {', '.join(map(str, one.shape[1:]))}); give pictures, bytes of shape (n, height, width, 3), or vectors, "
                "numbers of shape (n, p)"
            )
        return tuple(one.shape[1:])

    def _standard(self, center: Floats | None, scale: Floats | None) -> tuple[Floats, Floats]:
        values = np.asarray(self._array, dtype=float)
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
            raise DataError(f"row {row} of the inputs has a value that is not finite")
        if center is not None and scale is not None:
            return center, scale
        middle, spread = values.mean(axis=0), values.std(axis=0)
        return middle, np.where(spread > ROUNDING * np.abs(values).max(axis=0), spread, 1.0)

    @property
    def pictures(self) -> bool:
        """Whether rows are pictures."""
        return len(self.shape) == 3

    def raw(self, rows: Rows) -> NDArray[Any]:
        """Return rows as they came."""
        if self._source is not None:
            return np.asarray(self._source.read(rows))
        return np.asarray(self._array[rows])

    def tensor(self, rows: Rows) -> Tensor:
        """Return rows as a network sees them."""
        torch, raw = import_torch(), self.raw(rows)
        if self.pictures:
            return torch.as_tensor(raw).permute(0, 3, 1, 2).float() / 255
        return torch.as_tensor((raw - self.center) / self.scale, dtype=torch.float32)


# -- networks ----------------------------------------------------------------------------------------------------------------------


def encoder_network(shape: tuple[int, ...], hidden: int, n_out: int) -> Network:
    """Return a network from inputs to vectors: convolutions for pictures, three layers for vectors."""
    nn = import_torch().nn
    if len(shape) == 1:
        return mlp(shape[0], hidden, n_out)
    height, width = (-(-side // 2**HALVINGS) for side in shape[:2])
    layers: list[Any] = []
    for before, after in ((3, 32), (32, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.LeakyReLU(0.1)]
    inside = 64 * height * width
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(inside, hidden), nn.LeakyReLU(0.1), nn.Linear(hidden, n_out)
    )


def decoder_network(shape: tuple[int, ...], hidden: int, n_in: int) -> Network:
    """Return a network from codes to inputs."""
    nn = import_torch().nn
    if len(shape) == 1:
        return mlp(n_in, hidden, shape[0])
    height, width = shape[:2]
    if height % 2**HALVINGS or width % 2**HALVINGS:
        raise DataError(
            f"pictures are {height} x {width}; this baseline draws them again and needs sides that are multiples of {2**HALVINGS}: use "
            "scene.cache(64)"
        )
    small = (64, height // 2**HALVINGS, width // 2**HALVINGS)
    layers: list[Any] = []
    for before, after in ((64, 64), (64, 32), (32, 32), (32, 3)):
        layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.1)]
    layers[-1] = nn.Sigmoid()
    return nn.Sequential(
        nn.Linear(n_in, hidden),
        nn.LeakyReLU(0.1),
        nn.Linear(hidden, int(np.prod(small))),
        nn.LeakyReLU(0.1),
        nn.Unflatten(1, small),
        *layers,
    )


def mlp(n_in: int, hidden: int, n_out: int) -> Network:
    """Return three layers with leaky units between."""
    nn = import_torch().nn
    return nn.Sequential(
        nn.Linear(n_in, hidden),
        nn.LeakyReLU(0.1),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(0.1),
        nn.Linear(hidden, n_out),
    )


# -- training ----------------------------------------------------------------------------------------------------------------------


@contextmanager
def seeded(rng: Seed) -> Iterator[np.random.Generator]:
    """Draw from a seed inside, and leave torch's global state as it was."""
    torch, base = import_torch(), entropy(rng)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(base % 2**63)
        yield np.random.default_rng(base)


@dataclass(frozen=True)
class Objective:
    """Networks, by the name under which they are kept, and the loss of a batch of units."""

    networks: Mapping[str, Network]
    loss: Callable[[Rows], Tensor]


def train(objective: Objective, n: int, rng: np.random.Generator, baseline: LearnedBaseline) -> list[float]:
    """Minimise a loss over batches of units (rows, instances or windows) with Adam; return its mean in every epoch."""
    torch = import_torch()
    from tqdm.auto import tqdm

    weights = [w for network in objective.networks.values() for w in network.parameters()]
    optimizer = torch.optim.Adam(weights, lr=baseline.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, baseline.n_epochs)
    history = []
    with tqdm(total=baseline.n_epochs, disable=not baseline.verbose, desc=type(baseline).__name__) as bar:
        for _ in range(baseline.n_epochs):
            losses = [_step(optimizer, objective.loss, rows) for rows in batches(n, baseline.batch_size, rng)]
            schedule.step()
            history.append(float(np.mean(losses)))
            bar.update()
            bar.set_postfix(loss=f"{history[-1]:.4g}")
    return history


def _step(optimizer: Any, loss: Callable[[Rows], Tensor], rows: Rows) -> float:
    value = loss(rows)
    if not np.isfinite(float(value.detach())):
        raise DataError("training diverged: the loss is not finite; take a smaller learning_rate")
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return float(value.detach())


def batches(n: int, size: int, rng: np.random.Generator) -> Iterator[Rows]:
    """Yield all units in random order, in batches of about a size, and not fewer."""
    order = rng.permutation(n)
    yield from np.array_split(order, max(1, n // size))


class LearnedBaseline(BaseEstimator):  # type: ignore[misc]
    """Base of the baselines that train a network; subclasses have `fit`."""

    n_codes: int
    hidden: int
    n_epochs: int
    batch_size: int
    learning_rate: float
    random_state: Seed
    verbose: int
    n_starts: int = 1

    def encode(self, x: Any) -> Floats:
        """Return the codes of inputs.

        Parameters
        ----------
        x : array_like or source of pictures
            Pictures, bytes of shape (n, height, width, 3), or vectors of shape (n, p), of the shape that was fitted.

        Returns
        -------
        numpy.ndarray of float, shape (n, n_codes)
            Codes.
        """
        network = getattr(self, "encoder_", None)
        if network is None:
            raise ParameterError(f"{type(self).__name__} is not fitted; call fit first")
        inputs = Inputs(x, self.center_, self.scale_)
        if inputs.shape != self.shape_:
            raise DataError(f"inputs have the shape {inputs.shape}; fitted were {self.shape_}")
        torch, out = import_torch(), []
        with torch.no_grad():
            for first in range(0, inputs.n, ENCODED):
                rows = np.arange(first, min(first + ENCODED, inputs.n))
                out.append(network(inputs.tensor(rows))[:, : self.n_codes_].numpy().astype(float))
        return np.vstack(out)

    def _start(self, x: Any, n_codes: int | None = None) -> Inputs:
        """Check parameters and read inputs."""
        for name in ("hidden", "n_epochs", "n_starts"):
            check_count(name, getattr(self, name))
        check_count("batch_size", self.batch_size, least=2)
        check_between("learning_rate", self.learning_rate, 0, 10)
        inputs = Inputs(x)
        self.n_codes_ = check_count("n_codes", self.n_codes) if n_codes is None else n_codes
        self.shape_, self.center_, self.scale_ = inputs.shape, inputs.center, inputs.scale
        return inputs

    def _minimise(self, build: Callable[[np.random.Generator], Objective], n: int) -> None:
        """Train from several starts, and keep networks and losses of the best."""
        base, found = entropy(self.random_state), list[tuple[list[float], Objective]]()
        for start in range(self.n_starts):
            seed = base if start == 0 else entropy(stream(base, start))
            with seeded(seed) as rng:
                objective = build(rng)
                found.append((train(objective, n, rng, self), objective))
        self.history_, best = min(found, key=lambda one: one[0][-1])
        for name, network in best.networks.items():
            setattr(self, f"{name}_", network)


def read_labels(name: str, values: Any, n: int) -> Rows:
    """Return labels of rows as numbers from 0, with all that can go wrong said."""
    labels = np.asarray(values)
    if labels.shape != (n,):
        raise DataError(f"{name} has shape {labels.shape} for {n} rows; give one label per row")
    absent = [k for k, label in enumerate(labels.tolist()) if label is None or label != label]  # noqa: PLR0124
    if absent:
        raise DataError(f"{name} has no label in row {absent[0]}")
    return np.unique(labels.astype(str) if labels.dtype == object else labels, return_inverse=True)[1]


def gaussian_log_density(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the logarithm of the density of independent normal variables, one value each."""
    return -0.5 * (np.log(2 * np.pi) + log_variance + (x - mean) ** 2 / log_variance.exp())


def drawn(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Draw from normal variables so that gradients pass."""
    torch = import_torch()
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
