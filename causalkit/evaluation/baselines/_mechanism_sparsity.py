r"""A variational autoencoder whose decoder has few derivatives: every part of the inputs depends on few codes.

To the bound of a variational autoencoder with standard normal codes the mean absolute derivative of the decoder is added,

.. math:: E_q[\log p(x \mid z)] - KL(q(z \mid x) \,\|\, N(0, 1)) - \lambda \sum_{ij} \left| \frac{\partial g_j}{\partial z_i} \right| ,

which is smallest where codes are aligned with what acts on separate parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from causalkit._random import Seed
from causalkit._validation import check_between
from causalkit.evaluation.baselines._ivae import reconstruction_error
from causalkit.evaluation.baselines._training import (
    LearnedBaseline,
    Objective,
    Rows,
    Tensor,
    decoder_network,
    drawn,
    encoder_network,
    import_torch,
)

__all__ = ["MechanismSparsity"]


class MechanismSparsity(LearnedBaseline):
    """Codes each of which acts on few parts of the inputs.

    Parameters
    ----------
    n_codes : int, default=8
        Number of codes.
    sparsity : float, default=0.1
        Weight of the derivatives.
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
        Mean loss of every epoch.

    References
    ----------
    T. Rhodes, D. Lee, "Local disentanglement in variational auto-encoders using Jacobian L1 regularization", NeurIPS 2021. S. Lachapelle et al., "Disentanglement via
    mechanism sparsity regularization", CLeaR 2022 (sparsity of the transition, from which the name comes in CausalVerse).

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation.baselines import MechanismSparsity
    >>> x = np.random.default_rng(0).normal(size=(100, 4))
    >>> MechanismSparsity(n_codes=2, n_epochs=2).fit(x).encode(x).shape
    (100, 2)
    """

    def __init__(
        self,
        *,
        n_codes: int = 8,
        sparsity: float = 0.1,
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
        self.sparsity = sparsity
        self.noise = noise
        self.hidden = hidden
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.n_starts = n_starts
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, x: Any) -> MechanismSparsity:
        """Train the networks.

        Parameters
        ----------
        x : array_like or source of pictures
            Pictures, bytes of shape (n, height, width, 3), or vectors of shape (n, p).

        Returns
        -------
        MechanismSparsity
            Itself.
        """
        inputs = self._start(x)
        check_between("noise", self.noise, 0, np.inf)
        check_between("sparsity", self.sparsity, -1e-12, np.inf)
        k = self.n_codes_

        def build(_rng: np.random.Generator) -> Objective:
            encoder = encoder_network(inputs.shape, self.hidden, 2 * k)
            decoder = decoder_network(inputs.shape, self.hidden, k)

            def loss(rows: Rows) -> Tensor:
                seen = inputs.tensor(rows)
                mean, log_variance = encoder(seen).chunk(2, dim=1)
                z = drawn(mean, log_variance)
                divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1)
                decoded = decoder(z)
                reconstruction = reconstruction_error(decoded, seen, self.noise)
                steep = absolute_derivatives(decoded, z) * (self.sparsity / self.noise)
                return (reconstruction + divergence + steep).mean()

            return Objective({"encoder": encoder, "decoder": decoder}, loss)

        self._minimise(build, inputs.n)
        return self


def absolute_derivatives(decoded: Tensor, z: Tensor) -> Tensor:
    """Return the sum of absolute derivatives of what is decoded by all codes, for every row.

    A product of the transposed Jacobian with any vector is linear in that vector; its derivatives by the vector are the columns of the Jacobian.
    """
    torch = import_torch()
    vector = torch.zeros_like(decoded, requires_grad=True)
    product = torch.autograd.grad(decoded, z, vector, create_graph=True)[0]
    columns = [
        torch.autograd.grad(product[:, i].sum(), vector, create_graph=True)[0] for i in range(z.shape[1])
    ]
    return sum(column.abs().flatten(1).sum(1) for column in columns)
