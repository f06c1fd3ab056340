r"""Temporally disentangled representation learning: sources that follow from their past, each by its own noise.

Given the L steps before, :math:`z_{<t}`, codes are independent, each with a place, a scale and a law of noise of its own,

.. math:: z_{it} = m_i(z_{<t}) + e^{s_i(z_{<t})} \epsilon_{it}, \qquad
   \log p(z_t \mid z_{<t}) = \sum_i \log p_i\bigl((z_{it} - m_i)\, e^{-s_i}\bigr) - s_i ,

and the evidence lower bound :math:`E_q[\sum_t \log p(x_t \mid z_t) + \log p(z_t \mid z_{<t}) - \log q(z_t \mid x_t)]` is maximised over windows of consecutive frames. The laws of noise are mixtures of normal
laws, so that the transition is a density whatever its parameters are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from causalkit._random import Seed
from causalkit._validation import Floats, check_between, check_count
from causalkit.evaluation.baselines._ivae import reconstruction_error
from causalkit.evaluation.baselines._training import (
    LearnedBaseline,
    Network,
    Objective,
    Rows,
    Tensor,
    decoder_network,
    drawn,
    encoder_network,
    gaussian_log_density,
    import_torch,
    mlp,
    read_labels,
)
from causalkit.exceptions import DataError

__all__ = ["TDRL"]

# Normal laws in the law of the noise of a code.
COMPONENTS = 5


class TDRL(LearnedBaseline):
    """Codes that follow from their own past.

    Parameters
    ----------
    n_codes : int, default=8
        Number of codes.
    lag : int, default=1
        Steps that a code depends on.
    window : int, default=4
        Consecutive rows that are looked at together; more than `lag`.
    noise : float, default=0.1
        Standard deviation of the inputs around what is decoded, in their standard deviations (for pictures: of brightness from 0 to 1).
    transition_hidden : int, default=64
        Width of the network of the transition.
    hidden : int, default=128
        Width of encoder and decoder.
    n_epochs : int, default=100
        Passes over the windows.
    batch_size : int, default=64
        Windows per step.
    learning_rate : float, default=5e-3
        Of Adam, falling to zero along a cosine.
    n_starts : int, default=1
        Trainings from different weights, of which the one with the smallest loss counts: the loss has local minima, and knows no factors.
    random_state : int, numpy.random.Generator or None, default=0
        Seed.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    history_ : list of float
        Mean loss of every epoch: minus the bound, per window.

    Notes
    -----
    The authors' transition is any function of a code and the past, which is a density only while it is invertible; this one is always. With a constant scale it is LEAP. The first L steps
    of a window have a standard normal prior.

    References
    ----------
    W. Yao, G. Chen, K. Zhang, "Temporally disentangled representation learning", NeurIPS 2022, sections 3 and 4. W. Yao, Y. Sun, A. Ho, C. Sun, K. Zhang, "Learning temporally causal
    latent processes from general temporal data", ICLR 2022 (LEAP).

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation.baselines import TDRL
    >>> x = np.random.default_rng(0).normal(size=(60, 3)).cumsum(axis=0)
    >>> clip = np.repeat([0, 1, 2], 20)
    >>> TDRL(n_codes=2, n_epochs=2).fit(x, groups=clip, time=np.tile(np.arange(20), 3)).encode(x).shape
    (60, 2)
    """

    def __init__(
        self,
        *,
        n_codes: int = 8,
        lag: int = 1,
        window: int = 4,
        noise: float = 0.1,
        transition_hidden: int = 64,
        hidden: int = 128,
        n_epochs: int = 100,
        batch_size: int = 64,
        learning_rate: float = 5e-3,
        n_starts: int = 1,
        random_state: Seed = 0,
        verbose: int = 0,
    ) -> None:
        self.n_codes = n_codes
        self.lag = lag
        self.window = window
        self.noise = noise
        self.transition_hidden = transition_hidden
        self.hidden = hidden
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.n_starts = n_starts
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, x: Any, *, groups: Any, time: Any) -> TDRL:
        """Train the networks.

        Parameters
        ----------
        x : array_like or source of pictures
            Frames: pictures, bytes of shape (n, height, width, 3), or vectors of shape (n, p).
        groups : array_like, shape (n,)
            Clip of every frame.
        time : array_like of float, shape (n,)
            Time of every frame; within a clip the steps must be equal.

        Returns
        -------
        TDRL
            Itself.
        """
        inputs = self._start(x)
        check_between("noise", self.noise, 0, np.inf)
        k, lag = self.n_codes_, check_count("lag", self.lag)
        check_count("window", self.window, least=lag + 1)
        windows = make_windows(
            read_labels("groups", groups, inputs.n), np.asarray(time, dtype=float), self.window
        )

        def build(_rng: np.random.Generator) -> Objective:
            encoder = encoder_network(inputs.shape, self.hidden, 2 * k)
            decoder = decoder_network(inputs.shape, self.hidden, k)
            transition = transition_network(k, lag, self.transition_hidden)

            def loss(chosen: Rows) -> Tensor:
                rows = windows[chosen]
                seen = inputs.tensor(rows.ravel())
                mean, log_variance = encoder(seen).chunk(2, dim=1)
                z = drawn(mean, log_variance)
                reconstruction = reconstruction_error(decoder(z), seen, self.noise).reshape(rows.shape).sum(1)
                own = gaussian_log_density(z, mean, log_variance).reshape(*rows.shape, k).sum((1, 2))
                given = transition_log_density(z.reshape(*rows.shape, k), transition, lag)
                return (reconstruction + own - given).mean()

            return Objective({"encoder": encoder, "decoder": decoder, "transition": transition}, loss)

        self._minimise(build, len(windows))
        return self


def transition_network(k: int, lag: int, hidden: int) -> Network:
    """Return networks for place and scale of every code, and the parameters of its noise."""
    nn = import_torch().nn
    noise = nn.ParameterDict(
        {
            "weight": nn.Parameter(import_torch().zeros(k, COMPONENTS)),
            "mean": nn.Parameter(import_torch().linspace(-1, 1, COMPONENTS).repeat(k, 1)),
            "log_variance": nn.Parameter(import_torch().zeros(k, COMPONENTS)),
        }
    )
    return nn.ModuleDict({"past": mlp(lag * k, hidden, 2 * k), "noise": noise})


def transition_log_density(z: Tensor, transition: Network, lag: int) -> Tensor:
    """Return the log density of windows of codes, (windows, time, codes), under the transition."""
    torch = import_torch()
    n, length, k = z.shape
    zero = torch.zeros(1)
    first = gaussian_log_density(z[:, :lag], zero, zero).sum((1, 2))
    past = torch.stack([z[:, t - lag : t].reshape(n, lag * k) for t in range(lag, length)], dim=1)
    place, log_scale = transition["past"](past).chunk(2, dim=2)
    noise = ((z[:, lag:] - place) * torch.exp(-log_scale))[..., None]
    law = transition["noise"]
    each = gaussian_log_density(noise, law["mean"], law["log_variance"])
    mixed = torch.logsumexp(each + torch.log_softmax(law["weight"], dim=1), dim=3)
    return first + (mixed - log_scale).sum((1, 2))


def make_windows(clips: Rows, time: Floats, length: int) -> Rows:
    """Return the rows of every window of consecutive frames, shape (windows, length)."""
    if time.shape != clips.shape or not np.isfinite(time).all():
        raise DataError("time needs one finite number per row")
    found = []
    for clip in range(int(clips.max()) + 1):
        rows = np.flatnonzero(clips == clip)
        rows = rows[np.argsort(time[rows], kind="stable")]
        steps = np.diff(time[rows])
        if len(steps) and not (steps.min() > 0 and np.allclose(steps, steps[0], rtol=1e-6)):
            raise DataError(f"the frames of clip {clip} are not equally far apart in time")
        if len(rows) >= length:
            found.append(np.lib.stride_tricks.sliding_window_view(rows, length))
    if not found:
        raise DataError(f"no clip has {length} frames; take a smaller window")
    return np.concatenate(found)
