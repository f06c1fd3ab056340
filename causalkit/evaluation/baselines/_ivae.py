r"""Identifiable variational autoencoder: sources whose law changes between environments.

Given the environment u the codes are independent normal variables, with means and variances that are learned for every environment,

.. math:: p(z \mid u) = \prod_i N(z_i;\ \mu_i(u),\ \sigma_i^2(u)), \qquad p(x \mid z) = N(x;\ g(z),\ s^2) ,

and the evidence lower bound :math:`E_q[\log p(x \mid z) + \log p(z \mid u) - \log q(z \mid x)]` is maximised. If the laws change enough, over at least 2k + 1 environments for
k codes, these are found up to order and a function of each (this is called sufficient change).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from causalkit._random import Seed
from causalkit._validation import check_between
from causalkit.evaluation.baselines._training import (
    LearnedBaseline,
    Objective,
    Rows,
    Tensor,
    decoder_network,
    drawn,
    encoder_network,
    gaussian_log_density,
    import_torch,
    read_labels,
)
from causalkit.exceptions import DataError

__all__ = ["IVAE"]


class IVAE(LearnedBaseline):
    """Codes whose law changes with the environment.

    Parameters
    ----------
    n_codes : int, default=8
        Number of codes.
    noise : float, default=0.2
        Standard deviation of the inputs around what is decoded, in their standard deviations (for pictures: of brightness from 0 to 1).
    hidden : int, default=128
        Width of the networks.
    n_epochs : int, default=100
        Passes over the rows.
    batch_size : int, default=64
        Rows per step.
    learning_rate : float, default=3e-3
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
        Mean loss of every epoch: minus the bound, per row.
    environments_ : tuple
        Environments.

    Notes
    -----
    Codes are the means of q(z | x): the encoder does not see the environment, so that new rows can be encoded without it.

    References
    ----------
    I. Khemakhem, D. Kingma, R. Monti, A. Hyvärinen, "Variational autoencoders and nonlinear ICA: a unifying framework", AISTATS 2020, section 3 and theorem 1.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation.baselines import IVAE
    >>> rng = np.random.default_rng(0)
    >>> environment = np.repeat(np.arange(5), 40)
    >>> x = rng.normal(size=(200, 4)) * rng.uniform(0.2, 2, size=(5, 4))[environment]
    >>> IVAE(n_codes=2, n_epochs=2).fit(x, environment=environment).encode(x).shape
    (200, 2)
    """

    def __init__(
        self,
        *,
        n_codes: int = 8,
        noise: float = 0.2,
        hidden: int = 128,
        n_epochs: int = 100,
        batch_size: int = 64,
        learning_rate: float = 3e-3,
        n_starts: int = 1,
        random_state: Seed = 0,
        verbose: int = 0,
    ) -> None:
        self.n_codes = n_codes
        self.noise = noise
        self.hidden = hidden
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.n_starts = n_starts
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, x: Any, *, environment: Any) -> IVAE:
        """Train the networks.

        Parameters
        ----------
        x : array_like or source of pictures
            Pictures, bytes of shape (n, height, width, 3), or vectors of shape (n, p).
        environment : array_like, shape (n,)
            Environment of every row.

        Returns
        -------
        IVAE
            Itself.
        """
        inputs = self._start(x)
        check_between("noise", self.noise, 0, np.inf)
        torch, k = import_torch(), self.n_codes_
        labels = read_labels("environment", environment, inputs.n)
        first = np.unique(labels, return_index=True)[1]
        self.environments_ = tuple(np.asarray(environment)[first].tolist())
        if len(self.environments_) < 2:
            raise DataError("there is one environment; codes are found by what changes between several")

        def build(_rng: np.random.Generator) -> Objective:
            encoder = encoder_network(inputs.shape, self.hidden, 2 * k)
            decoder = decoder_network(inputs.shape, self.hidden, k)
            prior = torch.nn.Embedding(len(self.environments_), 2 * k)
            torch.nn.init.normal_(prior.weight, std=0.1)

            def loss(rows: Rows) -> Tensor:
                seen = inputs.tensor(rows)
                mean, log_variance = encoder(seen).chunk(2, dim=1)
                z = drawn(mean, log_variance)
                reconstruction = reconstruction_error(decoder(z), seen, self.noise)
                own = gaussian_log_density(z, mean, log_variance).sum(1)
                given = gaussian_log_density(z, *prior(torch.as_tensor(labels[rows])).chunk(2, dim=1)).sum(1)
                return (reconstruction + own - given).mean()

            return Objective({"encoder": encoder, "decoder": decoder, "prior": prior}, loss)

        self._minimise(build, inputs.n)
        return self


def reconstruction_error(found: Tensor, seen: Tensor, noise: float) -> Tensor:
    """Return minus the logarithm of a normal density, up to a constant, for every row."""
    return ((found - seen) ** 2).flatten(1).sum(1) / (2 * noise**2)
